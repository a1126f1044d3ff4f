/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_GUARD_H
#define PH_GUARD_H
/*
 * The lock-out guard: a policy that would confine the first process, the shell one sits in, the way
 * into the machine, or porthold itself is refused; not one that does so already: a trial that was
 * confirmed must not stand in the way of every later change. One by a program is judged anew each time,
 * as others than whoever wrote the policy may decide what lies at its path.
 */
#include "policy/policy.h"
#include "util/fault.h"

int guard_check(const struct ph_policy_set *set, struct ph_fault *f);

#endif
