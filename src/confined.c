// SPDX-License-Identifier: GPL-2.0-or-later
#include "confined.h"

#include <errno.h>
#include <unistd.h>

#include "kernel/maps.h"
#include "kernel/powers.h"
#include "kernel/processes.h"
#include "policy/store.h"
#include "policy/text.h"
#include "subject.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_processes, processes_done);
DEFINE_CLEANUP_DONE(struct ph_subject, subject_done);

/* The enforcing policy that matches the process; NULL: none does for certain. */
static const struct ph_policy *holder_of(pid_t pid, const struct ph_policy_set *set)
{
	cleanup_(subject_donep) struct ph_subject subject = {};

	if (subject_of_pid(pid, &subject))
		return NULL;
	for (size_t i = 0; i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];
		cleanup_free char *condition = NULL;

		if (policy->mode == PH_POLICY_ENFORCE &&
		    subject_fits(&subject, subject.comm, policy, &condition) == PH_FIT_YES)
			return policy;
	}
	return NULL;
}

static int refuse(const char *holder, struct ph_fault *f)
{
	return fault(f, -EPERM, PH_EXIT_IMPOSSIBLE,
		     "this process is confined%s. Nothing was changed; whom a policy holds may "
		     "neither change nor see what is in force: ask from a process that none holds",
		     holder);
}

/* The policy of the files that holds this process, or an ancestor from which it comes; "": none is found. */
static void name_holder(char *ret, size_t size)
{
	cleanup_(processes_donep) struct ph_processes processes = {};
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	const struct ph_policy *policy = NULL;

	*ret = 0;
	if (processes_read(&processes) || store_load_good(NULL, &set, &ignored))
		return;
	for (size_t i = 0; i < processes.n && !policy; i++) {
		const struct ph_process *process = &processes.v[i];
		const struct ph_word comm = { .text = process->comm, .len = strlen(process->comm) };

		if (!process_descends(&processes, getpid(), process->pid))
			continue;
		policy = holder_of(process->pid, &set);
		if (policy)
			(void)snprintf(ret, size,
				       ": policy %s (%s:%u) holds process %d, %s, and all that "
				       "comes of it",
				       policy->name, policy->file, policy->line, (int)process->pid,
				       quote_bare(&comm).text);
	}
}

/* Asking again from here does not help. */
static int refuse_powerless(struct ph_fault *f)
{
	return fault(f, -EPERM, PH_EXIT_IMPOSSIBLE,
		     "this process is root without the machine's CAP_SYS_ADMIN, which porthold run "
		     "takes from what it starts, and a container from what is in it. Nothing was "
		     "changed, and what is in force cannot be seen from here: ask from a shell of "
		     "root's outside of it");
}

bool confined_now(void)
{
	struct ph_state state;

	return state_peek(&state) == -EPERM && powers_reach_bpf();
}

int confined_check(struct ph_fault *f)
{
	struct ph_state state;
	char holder[600];

	/* Some kernels let it see a part, and the pins could even be removed. */
	if (!powers_reach_bpf())
		return geteuid() || state_peek(&state) == -ENOENT ? 0 : refuse_powerless(f);
	if (!confined_now())
		return 0;
	name_holder(holder, sizeof(holder));
	return refuse(holder, f);
}
