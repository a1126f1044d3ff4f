// SPDX-License-Identifier: GPL-2.0-or-later
#include "guard.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/generation.h"
#include "kernel/processes.h"
#include "kernel/programs.h"
#include "policy/check.h"
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

/* Whether it executes what /etc/shells lists. */
static bool is_shell(pid_t pid)
{
	char executes[64];
	struct stat program, listed;
	bool ret = false;

	(void)snprintf(executes, sizeof(executes), "/proc/%d/exe", (int)pid);
	if (stat(executes, &program))
		return false;
	setusershell();
	for (const char *path; !ret && (path = getusershell());)
		ret = !stat(path, &listed) && listed.st_dev == program.st_dev &&
		      listed.st_ino == program.st_ino;
	endusershell();
	return ret;
}

/*
 * What the process is to whoever asks, or to root at a terminal while the daemon does; "": nothing.
 * *ret_of_root: it is that only if root runs it, for anybody could stand in the way of policies by a name
 * or a terminal.
 */
static void describe(const struct ph_processes *processes, const struct ph_process *process,
		     char *ret, size_t size, bool *ret_of_root)
{
	const char *service = comm_guarded(process->comm);

	*ret = 0;
	*ret_of_root = false;
	if (process->pid == getpid()) {
		(void)snprintf(ret, size, "this command");
	} else if (process->pid == 1) {
		(void)snprintf(ret, size, "the first process");
	} else if (process_descends(processes, getpid(), process->pid)) {
		(void)snprintf(ret, size, "process %d, an ancestor of this command", process->pid);
	} else if (service) {
		(void)snprintf(ret, size, "%s", service);
		*ret_of_root = true;
	} else if (process->leads_terminal && is_shell(process->pid)) {
		(void)snprintf(ret, size, "process %d, root's shell at a terminal", process->pid);
		*ret_of_root = true;
	}
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
		bool of_root;

		describe(&processes, &processes.v[i], ward->what, sizeof(ward->what), &of_root);
		if (!*ward->what)
			continue;
		r = subject_of_pid(processes.v[i].pid, &ward->subject);
		if (r && r != -ENOENT)
			return r;
		if (!r && of_root && ward->subject.uid)
			subject_done(&ward->subject);
		else
			wards->n += !r;
	}
	return 0;
}

/* --- What would confine them */

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

/* What there is against one policy. */
struct refusal {
	const struct ph_policy *policy;
	char what[128];
	bool by_path; /* what lies at the path of its exe is the program of that one, by another name */
	bool in_force; /* the policy is already */
};

struct refusals {
	struct refusal *v;
	size_t n;
};

static void refusals_done(struct refusals *refusals)
{
	free(refusals->v);
}

DEFINE_CLEANUP_DONE(struct refusals, refusals_done);

/* The first; but what the policy itself says counts before what lies at a path. */
static void take_down(struct refusal *refusal, const char *what, bool by_path)
{
	if (by_path && *refusal->what)
		return;
	(void)snprintf(refusal->what, sizeof(refusal->what), "%s", what);
	refusal->by_path = by_path;
}

/* 0 or -ENOMEM. `kernel` NULL: nothing is in force. */
static int judge(const struct ph_policy *policy, const struct wards *wards,
		 const struct ph_kernel *kernel, struct refusal *ret)
{
	const char *name = match_guarded(&policy->match), *exe = policy->match.exe;

	*ret = (struct refusal){ .policy = policy };
	if (name && !is_in_force(kernel, policy))
		take_down(ret, name, false);
	for (size_t i = 0; (!*ret->what || ret->by_path) && i < wards->n; i++) {
		const struct ward *ward = &wards->v[i];
		cleanup_free char *condition = NULL;
		int fit = subject_fits(&ward->subject, ward->subject.comm, policy, &condition);

		if (fit < 0)
			return fit;
		/* A program that even root cannot see is not taken for the one of the policy. */
		if (fit == PH_FIT_YES && !holds_already(kernel, policy, ward))
			take_down(ret, ward->what, exe && strcmp(exe, ward->subject.exe) != 0);
	}
	ret->in_force = *ret->what && is_in_force(kernel, policy);
	return 0;
}

static int judge_all(const struct ph_policy_set *set, const struct wards *wards,
		     struct refusals *ret)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	bool in_force = !kernel_open(&kernel, &(struct ph_fault){});

	ret->v = calloc(set->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++) {
		if (set->policies[i].mode != PH_POLICY_ENFORCE)
			continue;
		if (judge(&set->policies[i], wards, in_force ? &kernel : NULL, &ret->v[ret->n]))
			return -ENOMEM;
		ret->n += *ret->v[ret->n].what != 0;
	}
	return 0;
}

static int find_refusals(const struct ph_policy_set *set, struct refusals *ret, struct ph_fault *f)
{
	cleanup_(wards_donep) struct wards wards = {};
	int r = find_wards(&wards);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read /proc: %s", strerror(-r));
	r = judge_all(set, &wards, ret);
	return r ? fault(f, r, PH_EXIT_IMPOSSIBLE, "out of memory") : 0;
}

/* --- What comes of it */

static int refuse(const struct refusal *refusal, struct ph_fault *f)
{
	const char *exe = refusal->policy->match.exe;

	return fault(
		f, -EPERM, PH_EXIT_REFUSED,
		"policy %s would confine %s%s%s: that can lock you out. Nothing was changed. "
		"Choose another match, or limit it to a cgroup: cgroup: in a file, --in-cgroup "
		"with allow",
		refusal->policy->name, refusal->what, exe ? ", whose program is what lies at " : "",
		exe ? exe : "");
}

static bool is_edited(const struct ph_edits *edits, const struct ph_policy *policy)
{
	for (size_t i = 0; i < edits->n; i++)
		if (!policy->file || !strcmp(edits->v[i].path, policy->file))
			return true;
	return false;
}

static int withhold(const struct refusal *refusal, struct ph_image *image,
		    struct ph_problems *problems)
{
	const struct ph_policy *policy = refusal->policy;

	for (size_t i = 0; image && i < image->n_programs; i++)
		image->programs[i].withheld |= image->programs[i].id == policy_id(policy);
	if (!problems)
		return 0;
	return problems_note(
		problems, PH_WARNING, policy->file ?: "", policy->line, policy->column,
		"put the policy's own program back there",
		"policy %s: what lies at %s is the program of %s: it is not held, as that can lock you out",
		policy->name, policy->match.exe, refusal->what);
}

static bool stands(const struct refusal *refusal, enum ph_guard guard, const struct ph_edits *edits)
{
	if (guard == PH_GUARD_FORCED)
		return refusal->policy->match.exe;
	return refusal->by_path && !is_edited(edits, refusal->policy) &&
	       (refusal->in_force || guard == PH_GUARD_PATHS);
}

int guard_check(const struct ph_policy_set *set, enum ph_guard guard, const struct ph_edits *edits,
		struct ph_image *image, struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(refusals_donep) struct refusals refusals = {};
	int r = find_refusals(set, &refusals, f);

	for (size_t i = 0; !r && i < refusals.n; i++) {
		const struct refusal *refusal = &refusals.v[i];
		bool spared = stands(refusal, guard, edits);

		if (!spared && guard != PH_GUARD_FORCED)
			r = refuse(refusal, f);
		else if (spared && withhold(refusal, image, problems))
			r = fault(f, -ENOMEM, PH_EXIT_IMPOSSIBLE, "out of memory");
	}
	return r;
}

int guard_leave_out(struct ph_policy_set *set, const struct ph_edits *edits,
		    struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(refusals_donep) struct refusals refusals = {};
	int r = find_refusals(set, &refusals, f);

	/* From the end: those behind one that goes move up. */
	for (size_t i = refusals.n; !r && i-- > 0;) {
		const struct refusal *refusal = &refusals.v[i];
		const struct ph_policy *policy = refusal->policy;

		if (refusal->by_path || refusal->in_force || is_edited(edits, policy))
			continue;
		if (problems_note(
			    problems, PH_ERROR, policy->file ?: "", policy->line, policy->column,
			    "choose another match, or limit it to a cgroup",
			    "policy %s is NOT ENFORCED: it would confine %s, and that can lock you out",
			    policy->name, refusal->what))
			r = fault(f, -ENOMEM, PH_EXIT_IMPOSSIBLE, "out of memory");
		else
			(void)policy_set_remove(set, policy->name);
	}
	return r;
}
