// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run: confined from the first instruction, whatever the name. This process takes the name that the
 * policy matches, and with it the label; the label stays when it executes the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "kernel/labels.h"
#include "policy/print.h"
#include "policy/store.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);

struct request {
	const char *what; /* ports, or the name of a policy */
	char **command;
	struct ph_apply_options apply;
};

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = { PH_APPLY_OPTIONS, {} };
	/* "+": what follows the first word is the command's. */
	int r = take_apply_options(argc, argv, "+", options, &request->apply);

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
static int confine_ports(const struct request *request, char ret_comm[PH_COMM_MAX + 1])
{
	struct ph_rule rule = { .kind = PH_RULE_PORTS, .connect = true, .bind = true };
	cleanup_(policy_donep) struct ph_policy policy = {};
	cleanup_free char *path = NULL;
	cleanup_close int lock = -1;
	struct ph_applied applied;
	struct ph_text_error error;
	struct ph_fault f = {};

	if (ports_parse(request->what, strlen(request->what), &rule.ranges, &rule.n_ranges, &error))
		return report_text_error("run", request->what, &error);
	name_ports(request->what, ret_comm);
	(void)snprintf(policy.match.comm, sizeof(policy.match.comm), "%s", ret_comm);
	policy.name = strdup(ret_comm);
	if (!policy.name || policy_add_rule(&policy, &rule) ||
	    store_path(PH_RUN_POLICIES, ret_comm, &path)) {
		rule_done(&rule);
		return usage_error("run", "out of memory");
	}
	policy.file = path;
	policy.line = PH_ONE_POLICY_LINE;
	lock = apply_lock(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	return replace_policy(path, &policy, &request->apply, &applied);
}

/* The name that a policy in force matches. */
static int find_policy(const char *name, char ret_comm[PH_COMM_MAX + 1])
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_policy *policy;
	struct ph_fault f = { .status = PH_EXIT_NO };

	if (store_load(NULL, &set, &problems)) {
		(void)fault(&f, 0, PH_EXIT_NO, "the policy files cannot be read");
		return report_failure(&problems, &f);
	}
	policy = policy_set_find(&set, name);
	if (!policy || !*policy->match.comm) {
		(void)fprintf(stderr,
			      "porthold run: %s: neither ports nor a policy that matches a "
			      "name; see porthold status\n",
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
	(void)snprintf(ret_comm, PH_COMM_MAX + 1, "%s", policy->match.comm);
	return 0;
}

/* Whether the kernel has labelled the process. */
static bool is_labelled(pid_t pid)
{
	cleanup_(labels_donep) struct ph_labels labels = {};

	if (labels_pass(&labels))
		return false;
	for (size_t i = 0; i < labels.n; i++)
		if ((pid_t)labels.v[i].pid == pid)
			return true;
	return false;
}

/* Waits for the word that this process has its new name; a confined process could not ask. */
static pid_t start_witness(int said[2])
{
	pid_t self = getpid(), witness;
	char byte;

	if (pipe2(said, O_CLOEXEC))
		return -1;
	witness = fork();
	if (witness)
		return witness;
	(void)close(said[1]);
	_exit(read(said[0], &byte, 1) == 1 && is_labelled(self) ? 0 : 1);
}

/* Takes the name, and with it the label; false: there is none. */
static bool take_label(const char *comm)
{
	int said[2] = { -1, -1 }, status = -1;
	pid_t witness = start_witness(said);
	bool told;

	if (witness < 0)
		return false;
	(void)prctl(PR_SET_NAME, comm);
	told = write(said[1], "", 1) == 1;
	fd_close(said[0]);
	fd_close(said[1]);
	return waitpid(witness, &status, 0) == witness && told && status == 0;
}

static int execute(const struct request *request, const char *comm)
{
	if (!take_label(comm)) {
		(void)fprintf(stderr,
			      "porthold run: the kernel did not label this process: %s is not "
			      "run; this host keeps no labels, see porthold doctor\n",
			      request->command[0]);
		return PH_EXIT_REFUSED;
	}
	(void)execvp(request->command[0], request->command);
	(void)fprintf(stderr, "porthold run: %s: %s\n", request->command[0], strerror(errno));
	return PH_EXIT_IMPOSSIBLE;
}

int cmd_run(int argc, char **argv)
{
	char comm[PH_COMM_MAX + 1];
	struct request request = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("run");
	if (!r && strspn(request.what, "0123456789,-") == strlen(request.what))
		r = confine_ports(&request, comm);
	else if (!r)
		r = find_policy(request.what, comm);
	if (r)
		return r;
	return execute(&request, comm);
}
