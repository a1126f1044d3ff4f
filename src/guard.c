// SPDX-License-Identifier: GPL-2.0-or-later
#include "guard.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel/processes.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_processes, processes_done);

/* Names that are never anybody else's, whether or not they run now. */
static const struct {
	const char *comm;
	const char *what;
} reserved[] = {
	{ "systemd", "the first process" },
	{ "init", "the first process" },
	{ "sshd", "the SSH server, the way into this machine" },
	{ "sshd-session", "the SSH server, the way into this machine" },
	{ "sshd-auth", "the SSH server, the way into this machine" },
	{ "porthold", "porthold itself" },
};

static int refuse(const struct ph_policy *policy, const char *what, struct ph_fault *f)
{
	return fault(f, -EPERM, PH_EXIT_REFUSED,
		     "policy %s would confine %s: that can lock you out. Nothing was changed. "
		     "Choose another name, or limit the policy to a cgroup (--in-cgroup)",
		     policy->name, what);
}

static bool is_meant(const struct ph_policy *policy, const struct ph_process *process)
{
	return !policy->match.cgroup || process_in_cgroup(process->pid, policy->match.cgroup);
}

static int check_policy(const struct ph_policy *policy, const struct ph_processes *processes,
			struct ph_fault *f)
{
	const char *comm = policy->match.comm;

	if (policy->mode != PH_POLICY_ENFORCE || !*comm)
		return 0;
	/* In a part of the machine, a name may well be somebody else's. */
	for (size_t i = 0; !policy->match.cgroup && i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (!strcmp(comm, reserved[i].comm))
			return refuse(policy, reserved[i].what, f);
	for (size_t i = 0; i < processes->n; i++) {
		const struct ph_process *process = &processes->v[i];
		char what[128];

		if (strcmp(process->comm, comm) || !is_meant(policy, process) ||
		    !process_descends(processes, getpid(), process->pid))
			continue;
		(void)snprintf(what, sizeof(what), "process %d, an ancestor of this command",
			       process->pid);
		return refuse(policy, process->pid == 1 ? "the first process" : what, f);
	}
	return 0;
}

int guard_check(const struct ph_policy_set *set, struct ph_fault *f)
{
	cleanup_(processes_donep) struct ph_processes processes = {};
	int r = processes_read(&processes);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read /proc: %s", strerror(-r));
	for (size_t i = 0; i < set->n; i++) {
		r = check_policy(&set->policies[i], &processes, f);
		if (r)
			return r;
	}
	return 0;
}
