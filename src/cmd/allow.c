// SPDX-License-Identifier: GPL-2.0-or-later
/* allow and remove: one policy of one name, kept in a file of its own below /run. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "policy/name.h"
#include "policy/print.h"
#include "policy/store.h"
#include "util/cleanup.h"

#define DEFAULT_PORTS "4040"

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);

struct request {
	const char *ports;
	const char *name;
	const char *cgroup;
	enum ph_children children;
	struct ph_apply_options apply;
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
		request->children = *optarg == 'l' ? PH_CHILDREN_LEAVE : PH_CHILDREN_CONFINE;
		return 0;
	case '?':
		return usage_error("allow", "unknown option or missing value");
	default:
		return take_apply_option(&request->apply, option, optarg);
	}
}

static bool is_ports(const char *text)
{
	return strspn(text, "0123456789,-") == strlen(text);
}

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS,
		PH_EXISTING_OPTION,
		{ "in-cgroup", required_argument, NULL, OPTION_IN_CGROUP },
		{ "children", required_argument, NULL, OPTION_CHILDREN },
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
	if (argc < 1 || argc > 2)
		return usage_error("allow", "expected [PORTS] NAME");
	request->ports = argc == 2 ? argv[0] : DEFAULT_PORTS;
	request->name = argv[argc - 1];
	if (argc == 1 && *request->name && is_ports(request->name))
		return usage_error("allow",
				   "%s looks like ports: which process may use them? "
				   "porthold allow %s NAME",
				   request->name, request->name);
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

static int make_policy(const struct request *request, struct ph_policy *policy)
{
	struct ph_rule rule = { .kind = PH_RULE_PORTS, .connect = true, .bind = true };
	struct ph_text_error error;
	int r = comm_check(request->name, strlen(request->name), &error);

	if (r)
		return report_text_error("allow", request->name, &error);
	r = ports_parse(request->ports, strlen(request->ports), &rule.ranges, &rule.n_ranges,
			&error);
	if (r)
		return report_text_error("allow", request->ports, &error);
	policy->name = strdup(request->name);
	policy->children = request->children;
	(void)snprintf(policy->match.comm, sizeof(policy->match.comm), "%s", request->name);
	if (request->cgroup)
		policy->match.cgroup = strdup(below_root(request->cgroup));
	r = policy_add_rule(policy, &rule);
	rule_done(&rule);
	if (r || !policy->name || (request->cgroup && !policy->match.cgroup)) {
		(void)fprintf(stderr, "porthold allow: out of memory\n");
		return PH_EXIT_IMPOSSIBLE;
	}
	return 0;
}

static void warn_of_bad_files(const struct ph_problems *problems)
{
	cleanup_free char *text = NULL;

	if (!problems->n_errors || problems_format(problems, &text))
		return;
	(void)fputs(text, stderr);
	(void)fputs("porthold: these files are wrong: of them, what was in force before stays\n",
		    stderr);
}

int replace_policy(const char *path, struct ph_policy *policy,
		   const struct ph_apply_options *options, struct ph_applied *ret)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_free char *text = NULL;
	struct ph_edit edit = { .path = path };
	struct ph_applied applied = {};
	struct ph_fault f = {};
	int r = store_load_good(path, &set, &problems);

	if (r) {
		(void)fault(&f, r, PH_EXIT_NO, "the policy files cannot be read: %s", strerror(-r));
		return report_failure(&problems, &f);
	}
	warn_of_bad_files(&problems);
	if (policy) {
		(void)policy_set_remove(&set, policy->name);
		if (policy_format(policy, &text) || policy_set_add(&set, policy)) {
			(void)fprintf(stderr, "porthold: out of memory\n");
			return PH_EXIT_IMPOSSIBLE;
		}
	}
	edit.text = text;
	if (apply_policies(&set, options, &edit, &applied, &problems, &f))
		return report_failure(&problems, &f);
	(void)store_keep(&problems);
	*ret = applied;
	return PH_EXIT_OK;
}

int cmd_allow(int argc, char **argv)
{
	cleanup_(sockets_donep) struct ph_sockets refused = {};
	cleanup_(policy_donep) struct ph_policy policy = {};
	cleanup_free char *path = NULL;
	cleanup_close int lock = -1;
	struct ph_applied applied = {};
	struct request request = {};
	struct ph_fault f = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = make_policy(&request, &policy);
	if (!r)
		r = require_root("allow");
	if (!r && request.cgroup)
		r = check_cgroup(request.cgroup);
	if (r)
		return r;
	lock = apply_lock(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	if (store_path(PH_RUN_POLICIES, request.name, &path))
		return usage_error("allow", "%s: the name is too long", request.name);
	policy.file = path;
	policy.line = PH_ONE_POLICY_LINE;
	request.apply.refused = &refused;
	r = replace_policy(path, &policy, &request.apply, &applied);
	if (r)
		return r;
	print_applied(&applied);
	(void)printf("%s may use TCP port %s and nothing else on the network.\n", request.name,
		     request.ports);
	return print_refused(&refused, request.apply.existing, applied.backend);
}

static int parse_remove(int argc, char **argv, struct ph_apply_options *apply)
{
	static const struct option options[] = { PH_APPLY_OPTIONS, {} };
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return usage_error("remove", "unknown option or missing value");
		r = take_apply_option(apply, option, optarg);
		if (r)
			return r;
	}
	return argc - optind == 1 ? 0 : usage_error("remove", "expected NAME");
}

int cmd_remove(int argc, char **argv)
{
	struct ph_apply_options apply = {};
	cleanup_free char *path = NULL;
	struct ph_applied applied = {};
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
	if (store_path(PH_RUN_POLICIES, argv[optind], &path) || access(path, F_OK)) {
		(void)fprintf(stderr,
			      "porthold remove: allow made no policy called %s; "
			      "see porthold status\n",
			      argv[optind]);
		return PH_EXIT_NO;
	}
	r = replace_policy(path, NULL, &apply, &applied);
	if (!r)
		print_applied(&applied);
	return r;
}
