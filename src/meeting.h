/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_MEETING_H
#define PH_MEETING_H
/*
 * Policies that meet on one process and leave it nothing. A service manager starts a process in its
 * cgroup, where policies by unit and cgroup hold it, and it then executes its program: what that brings,
 * by name or path, is a further layer. Where the two share no rule nothing passes, once the process is
 * started anew; until then they add up, and nobody notices.
 *
 * Only of processes that run now it is certain that they meet, and only rules that cannot cover one flow
 * whatever their addresses are taken to share nothing: what is told is so.
 */
#include "policy/policy.h"
#include "policy/problem.h"

/* Warns of it where one of the policies is not the same in `known` (may be NULL). 0 or -ENOMEM. */
int meeting_check(const struct ph_policy_set *set, const struct ph_policy_set *known,
		  struct ph_problems *problems);

/* Where one of them is of this name. */
int meeting_check_of(const struct ph_policy_set *set, const char *name,
		     struct ph_problems *problems);

#endif
