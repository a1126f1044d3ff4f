// SPDX-License-Identifier: GPL-2.0-or-later
/* allow and remove: one policy of one name, kept in a file of its own below /run. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "cmd/change.h"
#include "policy/check.h"
#include "policy/mark.h"
#include "policy/name.h"
#include "policy/parse.h"
#include "policy/print.h"
#include "policy/resolve.h"
#include "presence.h"
#include "subject.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/stream.h"

#define DEFAULT_PORTS "4040"

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_said, said_done);
DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);
DEFINE_CLEANUP_DONE(struct ph_subject, subject_done);

struct request {
	const char *ports;
	const char *name;
	const char *cgroup;
	const char *children; /* NULL: not given */
	struct ph_lasting lasting;
	struct ph_apply_options apply;
	bool again; /* there is such a policy, and it gets other ports */
};

enum {
	OPTION_IN_CGROUP = PH_OPTION_OWN,
	OPTION_CHILDREN,
};

static int take_option(struct request *request, int option)
{
	switch (option) {
	case OPTION_IN_CGROUP:
		request->cgroup = optarg;
		return 0;
	case OPTION_CHILDREN:
		if (strcmp(optarg, "leave") && strcmp(optarg, "confine"))
			return usage_error("allow", "--children %s: confine or leave", optarg);
		request->children = optarg;
		return 0;
	case PH_OPTION_PERMANENT:
	case PH_OPTION_ENABLE:
		take_lasting_option(&request->lasting, option);
		return 0;
	case '?':
		return option_error("allow");
	default:
		return take_apply_option("allow", &request->apply, option, optarg);
	}
}

/* Policies go by names: whose number it is, and what that process is called. */
static int refuse_number(const char *ports, const char *number)
{
	cleanup_(subject_donep) struct ph_subject subject = {};
	char *end;
	long pid = strtol(number, &end, 10);

	if (pid > 0 && pid <= INT_MAX && !subject_of_pid((pid_t)pid, &subject))
		return usage_error("allow",
				   "%s is a number, and a policy goes by the name of a process: "
				   "that of process %s is %s: porthold allow %s %s",
				   number, number, subject.comm, ports, subject.comm);
	return usage_error("allow",
			   "%s is a number, and a policy goes by the name of a process; for two "
			   "ports: porthold allow %s,%s NAME",
			   number, ports, number);
}

/* What is easily mistaken: the order, the commas, and the name that is missing. */
static int check_words(int n, char **words)
{
	if (n == 1 && ports_look_like(words[0]))
		return usage_error("allow",
				   "%s looks like ports: which process may use them? "
				   "porthold allow %s NAME",
				   words[0], words[0]);
	if (n == 2 && !ports_look_like(words[0]) && ports_look_like(words[1]))
		return usage_error("allow", "the ports come first: porthold allow %s NAME",
				   words[1]);
	if (n > 2 && ports_look_like(words[0]) && ports_look_like(words[1]))
		return usage_error("allow",
				   "ports are one word, with commas: porthold allow %s,%s NAME",
				   words[0], words[1]);
	if (n == 2 && strspn(words[1], "0123456789") == strlen(words[1]) && *words[1])
		return refuse_number(words[0], words[1]);
	return n == 1 || n == 2 ? 0 : usage_error("allow", "expected [PORTS] NAME");
}

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS,
		PH_EXISTING_OPTION,
		{ "in-cgroup", required_argument, NULL, OPTION_IN_CGROUP },
		{ "children", required_argument, NULL, OPTION_CHILDREN },
		PH_LASTING_OPTIONS,
		PH_FORCE_OPTION,
		{},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(request, option);
		if (r)
			return r;
	}
	argv += optind;
	argc -= optind;
	r = check_words(argc, argv);
	if (!r)
		r = check_lasting("allow", &request->lasting);
	if (r)
		return r;
	request->ports = argc == 2 ? argv[0] : DEFAULT_PORTS;
	request->name = argv[argc - 1];
	return 0;
}

/* The cgroup as a policy names it: below the root of the hierarchy. */
static const char *below_root(const char *path)
{
	char root[PH_PATH_LEN];
	size_t length;

	if (cgroup_root_find(root, sizeof(root)))
		return path;
	length = strlen(root);
	if (strncmp(path, root, length) || (path[length] && path[length] != '/'))
		return path;
	return path[length] ? path + length : "/";
}

static int check_cgroup(const char *path)
{
	char root[PH_PATH_LEN], full[2 * PH_PATH_LEN];
	struct ph_fault f = {};
	cleanup_close int fd = -1;

	(void)cgroup_root_find(root, sizeof(root));
	(void)snprintf(full, sizeof(full), "%s%s", root, below_root(path));
	fd = cgroup_open(full, &f);
	return fd < 0 ? report_failure(NULL, &f) : 0;
}

/* Without the slash that completion leaves behind it. */
static int set_cgroup(const char *path, struct ph_policy *policy)
{
	const char *below = below_root(path);
	size_t length = strlen(below);
	struct ph_text_error error;

	while (length > 1 && below[length - 1] == '/')
		length--;
	if (cgroup_check(below, length, &error))
		return report_text_error("allow", path, &error);
	policy->match.cgroup = strndup(below, length);
	return policy->match.cgroup ? 0 : no_memory("allow");
}

static int make_policy(const struct request *request, struct ph_policy *policy)
{
	struct ph_text_error error;
	int r = comm_check(request->name, strlen(request->name), &error);

	if (r)
		return report_text_error("allow", request->name, &error);
	r = port_rules_parse(request->ports, strlen(request->ports), policy, &error);
	if (r)
		return r == -ENOMEM ? no_memory("allow") :
				      report_text_error("allow", request->ports, &error);
	policy->name = strdup(request->name);
	policy->children = request->children && *request->children == 'l' ? PH_CHILDREN_LEAVE :
									    PH_CHILDREN_CONFINE;
	(void)snprintf(policy->match.comm, sizeof(policy->match.comm), "%s", request->name);
	if (!policy->name)
		return no_memory("allow");
	return request->cgroup ? set_cgroup(request->cgroup, policy) : 0;
}

/* The policy's file; a permanent one takes the place of one that lasts until the next boot. */
static int list_edits(const char *name, bool permanent, struct ph_edits *ret)
{
	cleanup_free char *path = NULL, *transient = NULL;
	int r = store_path(PH_RUN_POLICIES, name, &transient);

	if (!r && permanent) {
		r = store_path(PH_ETC_POLICIES, name, &path);
		if (!r)
			r = edits_add(ret, path, NULL, NULL);
	}
	return r ? r : edits_add(ret, transient, NULL, NULL);
}

/* --- What was asked for before */

/* 1: porthold wrote the file, for this name; 0: it did not, or there is none; or -errno. */
static int read_own(const char *directory, const char *name, struct ph_policy_set *set)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_free char *path = NULL, *text = NULL;
	size_t length;
	int r = store_path(directory, name, &path);

	if (!r)
		r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);
	if (!r && !mark_fits(text))
		return 0;
	if (!r)
		r = policy_parse_text(path, text, length, set, &ignored);
	if (r)
		return r == -ENOMEM ? r : 0; /* who writes it again tells what is wrong */
	return set->n == 1 && policy_set_find(set, name);
}

/* Only the ports are others. */
static int take_over(const struct request *request, const struct ph_policy *before,
		     struct ph_policy *policy)
{
	policy->mode = before->mode;
	if (!request->children)
		policy->children = before->children;
	if (request->cgroup || !before->match.cgroup)
		return 0;
	policy->match.cgroup = strdup(before->match.cgroup);
	return policy->match.cgroup ? 0 : -ENOMEM;
}

/* By the file that counts now. 0 or -ENOMEM. */
static int take_over_before(const struct request *request, struct ph_policy *policy)
{
	int r = 0;

	for (size_t i = 0; !r && i < PH_DIRECTORIES; i++) {
		cleanup_(policy_set_donep) struct ph_policy_set set = {};

		r = read_own(ph_directories[i], request->name, &set);
		if (r == 1)
			return take_over(request, &set.policies[0], policy);
	}
	return r;
}

/* --- The verb */

/*
 * But of DNS: what the answer says leaves it out anyway. And whether the name is anybody's is said
 * the first time.
 */
static void warn_of(const struct ph_policy_set *made, bool again, struct ph_problems *problems)
{
	(void)resolvers_warn_here(made, problems);
	if (!again)
		(void)presence_check(made, NULL, problems);
	(void)policy_set_check(made, NULL, &(struct ph_cidrs){}, problems);
	print_warnings(problems);
}

static int set_of_one(const struct ph_policy *policy, struct ph_policy_set *ret)
{
	cleanup_(policy_donep) struct ph_policy copy = {};
	int r = policy_copy(policy, &copy);

	return r ? r : policy_set_add(ret, &copy);
}

/* Takes the policy over; *made gets a copy, as its file says it, which *edits names. */
static int allow(struct request *request, struct ph_policy *policy, struct ph_edits *edits,
		 struct ph_policy_set *made, struct ph_applied *ret, struct ph_said *said)
{
	int r = list_edits(request->name, request->lasting.permanent, edits);

	if (r)
		return usage_error("allow", "%s: %s", request->name, strerror(-r));
	if (request->lasting.permanent)
		r = begin_lasting(&request->lasting);
	if (r)
		return r;
	request->again = !access(edits->v[0].path, F_OK);
	policy->file = edits->v[0].path;
	policy->line = PH_ONE_POLICY_LINE;
	policy->column = PH_ONE_POLICY_COLUMN;
	r = set_of_one(policy, made) ? no_memory("allow") :
				       replace_files(edits, policy, &request->apply, ret, said);
	if (r)
		undo_lasting(&request->lasting, ret);
	return r;
}

/* --- The answer */

static void print_ports(FILE *stream, const struct ph_rule *rule)
{
	cleanup_free char *ports = NULL;

	if (rule->kind == PH_RULE_DNS || ports_format(rule->ranges, rule->n_ranges, &ports))
		(void)fputs("DNS", stream);
	else
		(void)fprintf(stream, "%s port %s", rule->proto == PH_PROTO_UDP ? "UDP" : "TCP",
			      ports);
}

/* What was not given, and is not what it would be the first time. */
static void print_taken_over(FILE *stream, const struct request *request,
			     const struct ph_policy *policy)
{
	if (policy->mode == PH_POLICY_AUDIT)
		(void)fprintf(stream,
			      "But it stays in mode audit, which refuses nothing: porthold mode %s "
			      "enforce.\n",
			      request->name);
	if (!request->cgroup && policy->match.cgroup)
		(void)fprintf(stream,
			      "As before, only in the cgroup %s; --in-cgroup names another one.\n",
			      policy->match.cgroup);
	if (!request->children && policy->children == PH_CHILDREN_LEAVE)
		(void)fprintf(stream, "As before, programs that it executes are free; --children "
				      "confine holds them.\n");
}

/* What the name may use from now on, and for how long; NULL: no memory. */
static char *format_answer(const struct request *request, const struct ph_policy *policy)
{
	static const char *const dns[] = {
		[PH_DNS_NONE] = ", not even DNS",
		[PH_DNS_TCP] = ", and of DNS what goes over TCP",
		[PH_DNS_UDP] = "",
	};
	cleanup_(stream_donep) struct ph_stream stream = {};
	char *text = NULL;

	if (stream_begin(&stream))
		return NULL;
	(void)fprintf(stream.file, "%s may use ", request->name);
	for (size_t i = 0; i < policy->n_rules; i++) {
		print_ports(stream.file, &policy->rules[i]);
		(void)fputs(" and ", stream.file);
	}
	(void)fprintf(stream.file, "nothing%s on the network%s.\n", policy->n_rules ? " else" : "",
		      policy->n_rules ? dns[ports_reach_dns(policy)] : "");
	print_taken_over(stream.file, request, policy);
	if (!request->lasting.permanent)
		(void)fputs("This lasts until the next boot; --permanent keeps it.\n", stream.file);
	return stream_end(&stream, &text) ? NULL : text;
}

static int take_request(int argc, char **argv, struct request *request, struct ph_policy *policy)
{
	int r = parse_arguments(argc, argv, request);

	if (!r)
		r = make_policy(request, policy);
	if (!r)
		r = require_root("allow");
	return r || !request->cgroup ? r : check_cgroup(request->cgroup);
}

int cmd_allow(int argc, char **argv)
{
	cleanup_(sockets_donep) struct ph_sockets refused = {};
	cleanup_(edits_donep) struct ph_edits edits = {};
	cleanup_(policy_set_donep) struct ph_policy_set made = {};
	cleanup_(policy_donep) struct ph_policy policy = {};
	cleanup_(said_donep) struct ph_said said = {};
	cleanup_free char *answer = NULL;
	cleanup_close int lock = -1;
	struct ph_applied applied = {};
	struct request request = {};
	struct ph_fault f = {};
	int r = take_request(argc, argv, &request, &policy);

	if (r)
		return r;
	lock = apply_lock(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	if (!take_over_before(&request, &policy))
		answer = format_answer(&request, &policy);
	if (!answer)
		return no_memory("allow");
	request.apply.refused = &refused;
	r = allow(&request, &policy, &edits, &made, &applied, &said);
	if (r)
		return r;
	(void)fputs(answer, stdout);
	print_applied(&applied);
	print_besides(&said);
	r = print_refused(&refused, request.apply.existing, applied.backend);
	warn_of(&made, request.again, &said.remarks);
	return verb_changed(r);
}

/* --- remove */

static int parse_remove(int argc, char **argv, struct ph_apply_options *apply)
{
	static const struct option options[] = { PH_APPLY_OPTIONS, PH_FORCE_OPTION, {} };
	int r = take_apply_options("remove", argc, argv, "", options, apply);

	if (r)
		return r;
	return argc - optind == 1 ? 0 : usage_error("remove", "expected NAME");
}

/* Whose file it is that holds this policy and no other. */
enum owner {
	OWNER_NONE, /* no such file */
	OWNER_PORTHOLD,
	OWNER_PERSON,
};

/* Or -errno: it cannot be read. */
static int find_owner(const char *path, const char *name)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_free char *text = NULL;
	size_t length;
	int r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);

	if (r)
		return r == -ENOENT ? OWNER_NONE : r;
	r = policy_parse_text(path, text, length, &set, &problems);
	if (r && r != -EINVAL)
		return r;
	if (r || set.n != 1 || !policy_set_find(&set, name))
		return OWNER_NONE;
	return mark_fits(text) ? OWNER_PORTHOLD : OWNER_PERSON;
}

/* What people have written stays, unless they ask for it: *ret_theirs, the caller's to free. */
static int list_files(const char *name, bool theirs_too, struct ph_edits *ret, char **ret_theirs)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < PH_DIRECTORIES; i++) {
		cleanup_free char *path = NULL;

		r = store_path(ph_directories[i], name, &path);
		if (!r)
			r = find_owner(path, name);
		if (r == OWNER_PORTHOLD || (r == OWNER_PERSON && theirs_too)) {
			r = edits_add(ret, path, NULL, NULL);
		} else if (r == OWNER_PERSON) {
			free(*ret_theirs);
			*ret_theirs = TAKE_PTR(path);
		}
	}
	return r < 0 ? r : 0;
}

/* Of a policy that people wrote only they take something away. */
static int tell_where(const char *name)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems ignored = {};
	const struct ph_policy *found = NULL;
	int r = store_load_good(NULL, &set, &ignored);

	if (r) {
		(void)fprintf(stderr, "porthold remove: the policy files cannot be read: %s\n",
			      strerror(-r));
		return PH_EXIT_IMPOSSIBLE;
	}
	found = policy_set_find(&set, name);
	if (found)
		(void)fprintf(stderr,
			      "porthold remove: allow did not make %s: it stands in %s:%u; take it "
			      "out there, and porthold apply\n",
			      name, found->file, found->line);
	else
		(void)fprintf(stderr,
			      "porthold remove: allow made no policy called %s; see porthold "
			      "status\n",
			      name);
	return PH_EXIT_NO;
}

static int refuse_theirs(const char *name, const char *path)
{
	(void)fprintf(
		stderr,
		"porthold remove: allow did not write %s, or it was edited since. Nothing was "
		"changed; to delete it: porthold remove --force %s\n",
		path, name);
	return PH_EXIT_NO;
}

static void tell_removed(const char *name, const struct ph_edits *edits, const char *theirs)
{
	for (size_t i = 0; i < edits->n; i++)
		(void)printf("Removed policy %s: %s\n", name, edits->v[i].path);
	if (theirs)
		(void)printf("What %s says of it counts again.\n", theirs);
}

int cmd_remove(int argc, char **argv)
{
	cleanup_(edits_donep) struct ph_edits edits = {};
	struct ph_apply_options apply = {};
	struct ph_applied applied = {};
	cleanup_(said_donep) struct ph_said said = {};
	cleanup_free char *theirs = NULL;
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int r = parse_remove(argc, argv, &apply);

	if (!r)
		r = require_root("remove");
	if (r)
		return r;
	lock = apply_lock(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	r = list_files(argv[optind], apply.replace, &edits, &theirs);
	if (r) {
		(void)fprintf(stderr, "porthold remove: the policy's files cannot be read: %s\n",
			      strerror(-r));
		return PH_EXIT_IMPOSSIBLE;
	}
	if (!edits.n)
		return theirs ? refuse_theirs(argv[optind], theirs) : tell_where(argv[optind]);
	r = replace_files(&edits, NULL, &apply, &applied, &said);
	if (r)
		return r;
	tell_removed(argv[optind], &edits, theirs);
	print_applied(&applied);
	print_besides(&said);
	return PH_VERB_CHANGED;
}
