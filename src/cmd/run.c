// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run: confined from the first instruction, whatever the name. This process takes the label of the
 * policy, which stays when it executes the command: by the name that the policy matches or, of one
 * that goes by the program, by its id. What a policy asks anew at each call must hold already.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/change.h"
#include "kernel/labels.h"
#include "policy/print.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/stream.h"

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

struct request {
	const char *what; /* ports, or the name of a policy */
	char **command;
	struct ph_apply_options apply;
};

/* What the command shall be under. */
struct target {
	uint64_t id; /* of the policy */
	char comm[PH_COMM_MAX + 1]; /* a name that brings it; "": none does */
	char *place; /* what else it asks of a process, in words */
};

static void target_done(struct target *target)
{
	free(target->place);
}

DEFINE_CLEANUP_DONE(struct target, target_done);

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = { PH_APPLY_OPTIONS, {} };
	/* "+": what follows the first word is the command's. */
	int r = take_apply_options("run", argc, argv, "+", options, &request->apply);

	if (r)
		return r;
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--"))
		return usage_error("run", "expected PORTS or POLICY, then -- and a command");
	request->what = argv[optind];
	request->command = argv + optind + 2;
	return 0;
}

/* A name that tells the ports where they fit into it, and is theirs alone where they do not. */
static void name_ports(const char *ports, char ret[PH_COMM_MAX + 1])
{
	uint32_t hash = 2166136261u;

	if (strlen(ports) <= PH_COMM_MAX - 4 && !strchr(ports, ',')) {
		(void)snprintf(ret, PH_COMM_MAX + 1, "run-%.11s", ports);
		return;
	}
	for (const char *at = ports; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	(void)snprintf(ret, PH_COMM_MAX + 1, "run-%08x", hash);
}

/* Puts a policy for these ports in force, under a name that nothing else has. */
static int confine_ports(const struct request *request, struct target *target)
{
	struct ph_rule rule = { .kind = PH_RULE_PORTS, .connect = true, .bind = true };
	cleanup_(policy_donep) struct ph_policy policy = {};
	cleanup_free char *path = NULL;
	cleanup_close int lock = -1;
	struct ph_applied applied;
	struct ph_text_error error;
	struct ph_fault f = {};
	bool dns;
	int r;

	if (ports_parse(request->what, strlen(request->what), &rule.ranges, &rule.n_ranges, &error))
		return report_text_error("run", request->what, &error);
	name_ports(request->what, target->comm);
	(void)snprintf(policy.match.comm, sizeof(policy.match.comm), "%s", target->comm);
	policy.name = strdup(target->comm);
	if (!policy.name || policy_add_rule(&policy, &rule) ||
	    store_path(PH_RUN_POLICIES, target->comm, &path)) {
		rule_done(&rule);
		return no_memory("run");
	}
	policy.file = path;
	policy.line = PH_ONE_POLICY_LINE;
	target->id = policy_id(&policy);
	dns = ports_allow_dns(&policy);
	lock = apply_lock(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	r = replace_policy(path, &policy, &request->apply, &applied);
	if (!r && applied.changed && !dns)
		(void)fprintf(
			stderr,
			"porthold run: warning: DNS is not among the ports %s: no name can be "
			"resolved\n",
			request->what);
	return r;
}

/* What the policy asks of a process at each call, in words; empty: nothing. */
static int format_place(const struct ph_match *match, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	if (match->has_uid)
		(void)fprintf(stream.file, " with uid %u", match->uid);
	if (match->cgroup)
		(void)fprintf(stream.file, " in cgroup %s", match->cgroup);
	if (match->unit)
		(void)fprintf(stream.file, " in unit %s", match->unit);
	return stream_end(&stream, ret);
}

static int find_policy(const char *name, struct target *target)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_policy *policy;
	struct ph_fault f = { .status = PH_EXIT_NO };

	if (store_load_good(NULL, &set, &problems)) {
		(void)fault(&f, 0, PH_EXIT_NO, "the policy files cannot be read");
		return report_failure(&problems, &f);
	}
	policy = policy_set_find(&set, name);
	if (!policy) {
		(void)fprintf(stderr,
			      "porthold run: %s: neither ports nor a policy; see porthold status\n",
			      name);
		return PH_EXIT_NO;
	}
	if (policy->children == PH_CHILDREN_LEAVE) {
		(void)fprintf(stderr,
			      "porthold run: policy %s says children: leave, so the command "
			      "would be free; say children: confine\n",
			      name);
		return PH_EXIT_REFUSED;
	}
	if (!apply_in_force()) {
		(void)fprintf(stderr, "porthold run: no policy is in force; porthold apply\n");
		return PH_EXIT_NO;
	}
	if (policy->mode == PH_POLICY_AUDIT)
		(void)fprintf(
			stderr,
			"porthold run: policy %s is in audit mode: the command is watched, and "
			"refused nothing\n",
			name);
	target->id = policy_id(policy);
	if (!policy->match.exe)
		(void)snprintf(target->comm, sizeof(target->comm), "%s", policy->match.comm);
	return format_place(&policy->match, &target->place) ? no_memory("run") : 0;
}

/* --- The label */

enum witnessed {
	WITNESSED_LABEL,
	WITNESSED_NONE,
	WITNESSED_NO_LABELS, /* the host keeps none */
};

/* Whether the process is under the policy now, with all that the policy asks at each call. */
static enum witnessed look_at(pid_t pid, uint64_t id)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r = labels_pass(&labels);

	if (r)
		return r == -ENOENT ? WITNESSED_NO_LABELS : WITNESSED_NONE;
	for (size_t i = 0; i < labels.n; i++)
		if ((pid_t)labels.v[i].pid == pid && label_holds(&labels.v[i], id))
			return WITNESSED_LABEL;
	return WITNESSED_NONE;
}

/* Waits for the word that this process has its label; a confined process could not ask. */
static pid_t start_witness(int said[2], uint64_t id)
{
	pid_t self = getpid(), witness;
	char byte;

	if (pipe2(said, O_CLOEXEC))
		return -1;
	witness = fork();
	if (witness)
		return witness;
	(void)close(said[1]);
	_exit(read(said[0], &byte, 1) == 1 ? look_at(self, id) : WITNESSED_NONE);
}

/* By the name that the policy matches, or by its id. 0 or -errno. */
static int take_label(const struct target *target)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	int r;

	if (*target->comm)
		return prctl(PR_SET_NAME, target->comm) ? -errno : 0;
	r = kernel_open(&kernel, &(struct ph_fault){});
	return r ? r : labels_claim(&kernel, target->id);
}

/* What the witness has seen, or -errno. */
static int take_label_and_look(const struct target *target)
{
	int said[2] = { -1, -1 }, status = 0, r;
	pid_t witness = start_witness(said, target->id);

	if (witness < 0)
		return -errno;
	r = take_label(target);
	if (!r && write(said[1], "", 1) != 1)
		r = -errno;
	fd_close(said[0]);
	fd_close(said[1]);
	if (waitpid(witness, &status, 0) != witness || !WIFEXITED(status))
		return r ? r : -ECHILD;
	return r ? r : WEXITSTATUS(status);
}

static int complain(const struct request *request, const struct target *target, int result)
{
	(void)fprintf(stderr, "porthold run: %s is not run: ", request->command[0]);
	if (result == -EBUSY)
		(void)fprintf(stderr, "another policy holds this process already\n");
	else if (result < 0)
		(void)fprintf(stderr, "cannot take the label: %s\n", strerror(-result));
	else if (result == WITNESSED_NO_LABELS)
		(void)fprintf(stderr, "this host keeps no labels, see porthold doctor\n");
	else if (target->place && *target->place)
		(void)fprintf(stderr,
			      "policy %s holds only what runs%s; started there, it is held "
			      "without run\n",
			      request->what, target->place);
	else
		(void)fprintf(stderr,
			      "the kernel did not label it; is %s in force? See porthold "
			      "status\n",
			      request->what);
	return result < 0 ? PH_EXIT_IMPOSSIBLE : PH_EXIT_REFUSED;
}

static int execute(const struct request *request, const struct target *target)
{
	int result = take_label_and_look(target);

	if (result != WITNESSED_LABEL)
		return complain(request, target, result);
	(void)execvp(request->command[0], request->command);
	(void)fprintf(stderr, "porthold run: %s: %s\n", request->command[0], strerror(errno));
	return PH_EXIT_IMPOSSIBLE;
}

/* The witness could not tell whose label it sees. */
static int require_pid(void)
{
	if (labels_know_pid())
		return PH_EXIT_OK;
	(void)fprintf(stderr, "porthold run: not possible in a pid namespace: labels go by the "
			      "process numbers of the whole machine\n");
	return PH_EXIT_IMPOSSIBLE;
}

int cmd_run(int argc, char **argv)
{
	cleanup_(target_donep) struct target target = {};
	struct request request = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("run");
	if (!r)
		r = require_pid();
	if (!r && strspn(request.what, "0123456789,-") == strlen(request.what))
		r = confine_ports(&request, &target);
	else if (!r)
		r = find_policy(request.what, &target);
	return r ? r : execute(&request, &target);
}
