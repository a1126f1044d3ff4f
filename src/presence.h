/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PRESENCE_H
#define PH_PRESENCE_H
/*
 * Whether what policies match is there on this machine: what is not will never confine anybody,
 * and nobody would notice.
 *
 * exe: a directory, or a script (its interpreter is what runs): errors. Not there, not executable,
 *	or in the hands of others than root: warnings.
 * comm: no program on PATH and no task of this name; the number of a process
 * cgroup, unit: not there, and no unit file either
 * uid: of no user, and of nothing that runs
 *
 * Names are looked for where programs and units commonly lie. That is a guess, so it only warns.
 */
#include "policy/policy.h"
#include "policy/problem.h"

/*
 * Adds what is found, in the order of the set; of a policy that is the same in `known` (may be NULL)
 * only that its program is none, as a warning. 0, -EINVAL where there is an error among it, or -ENOMEM.
 */
int presence_check(const struct ph_policy_set *set, const struct ph_policy_set *known,
		   struct ph_problems *problems);

/* Of those that are not the same in `known`, whose program others than root may replace. 0 or -ENOMEM. */
int presence_check_writers(const struct ph_policy_set *set, const struct ph_policy_set *known,
			   struct ph_problems *problems);

/* Of policies in force: whose program is none. Errors: nothing is held by it. 0 or -ENOMEM. */
int presence_check_programs(const struct ph_policy_set *set, struct ph_problems *problems);

/* What a script begins with. */
struct ph_script {
	char *interpreter; /* NULL: the file is no script */
	char *runs; /* by way of env: the name of what runs in the end; else NULL */
};

void script_read(const char *path, struct ph_script *ret);
void script_done(struct ph_script *script);

#endif
