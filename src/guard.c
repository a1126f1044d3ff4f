// SPDX-License-Identifier: GPL-2.0-or-later
#include "guard.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/generation.h"
#include "kernel/processes.h"
#include "kernel/programs.h"
#include "policy/name.h"
#include "subject.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_processes, processes_done);

/* A process that no policy may confine. */
struct ward {
	struct ph_subject subject;
	char what[128];
};

struct wards {
	struct ward *v;
	size_t n;
};

static void wards_done(struct wards *wards)
{
	for (size_t i = 0; i < wards->n; i++)
		subject_done(&wards->v[i].subject);
	free(wards->v);
}

DEFINE_CLEANUP_DONE(struct wards, wards_done);

/* --- Whom to guard */

/* Whether root executes what /etc/shells lists. Anybody else could stand in the way of policies with theirs. */
static bool is_shell_of_root(pid_t pid)
{
	char process[64], executes[64];
	struct stat owner, program, listed;
	bool ret = false;

	(void)snprintf(process, sizeof(process), "/proc/%d", (int)pid);
	(void)snprintf(executes, sizeof(executes), "/proc/%d/exe", (int)pid);
	if (stat(process, &owner) || owner.st_uid || stat(executes, &program))
		return false;
	setusershell();
	for (const char *path; !ret && (path = getusershell());)
		ret = !stat(path, &listed) && listed.st_dev == program.st_dev &&
		      listed.st_ino == program.st_ino;
	endusershell();
	return ret;
}

/* What the process is to whoever asks, or to root at a terminal while the daemon does; "": nothing. */
static void describe(const struct ph_processes *processes, const struct ph_process *process,
		     char *ret, size_t size)
{
	const char *whose = process->pid == 1 ? "the first process" : comm_guarded(process->comm);

	*ret = 0;
	if (process->pid == getpid())
		(void)snprintf(ret, size, "this command");
	else if (whose)
		(void)snprintf(ret, size, "%s", whose);
	else if (process_descends(processes, getpid(), process->pid))
		(void)snprintf(ret, size, "process %d, an ancestor of this command", process->pid);
	else if (process->leads_terminal && is_shell_of_root(process->pid))
		(void)snprintf(ret, size, "process %d, root's shell at a terminal", process->pid);
}

static int find_wards(struct wards *wards)
{
	cleanup_(processes_donep) struct ph_processes processes = {};
	int r = processes_read(&processes);

	if (r)
		return r;
	wards->v = calloc(processes.n + 1, sizeof(*wards->v));
	if (!wards->v)
		return -ENOMEM;
	for (size_t i = 0; i < processes.n; i++) {
		struct ward *ward = &wards->v[wards->n];

		describe(&processes, &processes.v[i], ward->what, sizeof(ward->what));
		if (!*ward->what)
			continue;
		r = subject_of_pid(processes.v[i].pid, &ward->subject);
		if (r && r != -ENOENT)
			return r;
		wards->n += !r;
	}
	return 0;
}

/* --- What would confine them */

static int refuse(const struct ph_policy *policy, const char *what, struct ph_fault *f)
{
	const char *exe = policy->match.exe;

	return fault(
		f, -EPERM, PH_EXIT_REFUSED,
		"policy %s would confine %s%s%s: that can lock you out. Nothing was changed. "
		"Choose another match, or limit it to a cgroup: cgroup: in a file, --in-cgroup "
		"with allow",
		policy->name, what, exe ? ", whose program is what lies at " : "", exe ? exe : "");
}

static bool is_in_force(const struct ph_kernel *kernel, const struct ph_policy *policy)
{
	return kernel && generation_enforces(kernel, policy_id(policy));
}

/* What lies at the path of a program may have become another since: that is no word of the administrator's. */
static bool holds_already(const struct ph_kernel *kernel, const struct ph_policy *policy,
			  const struct ward *ward)
{
	const struct ph_image_program program = policy_program(policy);
	struct ph_header current;
	char own[64];

	if (!is_in_force(kernel, policy) || generation_current(kernel, &current))
		return false;
	(void)snprintf(own, sizeof(own), "/proc/%d/exe", (int)ward->subject.pid);
	return !policy->match.exe || programs_bring(kernel, &program, current.slot, own) == 1;
}

/* `kernel` NULL: nothing is in force. */
static int check_policy(const struct ph_policy *policy, const struct wards *wards,
			const struct ph_kernel *kernel, struct ph_fault *f)
{
	const char *name = match_guarded(&policy->match);

	if (policy->mode != PH_POLICY_ENFORCE)
		return 0;
	if (name && !is_in_force(kernel, policy))
		return refuse(policy, name, f);
	for (size_t i = 0; i < wards->n; i++) {
		const struct ward *ward = &wards->v[i];
		cleanup_free char *condition = NULL;
		int fit = subject_fits(&ward->subject, ward->subject.comm, policy, &condition);

		if (fit < 0)
			return fault(f, fit, PH_EXIT_IMPOSSIBLE, "out of memory");
		/* A program that even root cannot see is not taken for the one of the policy. */
		if (fit == PH_FIT_YES && !holds_already(kernel, policy, ward))
			return refuse(policy, ward->what, f);
	}
	return 0;
}

int guard_check(const struct ph_policy_set *set, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	cleanup_(wards_donep) struct wards wards = {};
	bool in_force = !kernel_open(&kernel, &(struct ph_fault){});
	int r = find_wards(&wards);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read /proc: %s", strerror(-r));
	for (size_t i = 0; !r && i < set->n; i++)
		r = check_policy(&set->policies[i], &wards, in_force ? &kernel : NULL, f);
	return r;
}
