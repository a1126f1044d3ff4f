/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_GUARD_H
#define PH_GUARD_H
/*
 * The lock-out guard: a policy that would confine the first process, the shell one sits in, the way
 * into the machine, or porthold itself is refused; not one that does so already: a trial that was
 * confirmed must not stand in the way of every later change.
 *
 * One by a program is judged anew each time, as others than whoever wrote the policy may decide what
 * lies at its path: a link to root's shell there is no word of root's. Such a policy stands, with whom
 * it holds, but what lies there is withheld from the kernel and not held. Else whoever may write there
 * could keep every policy of the machine from being changed, or from coming into force at boot.
 */
#include "kernel/compile.h"
#include "policy/policy.h"
#include "policy/problem.h"
#include "policy/store.h"
#include "util/fault.h"

enum ph_guard {
	PH_GUARD_NEWS, /* what lies at a path stands in the way of what is edited, or not in force yet */
	PH_GUARD_PATHS, /* of what is edited alone */
	PH_GUARD_FORCED, /* nothing does */
};

/*
 * 0, or -EPERM with the fault, or another -errno. Programs of the image (may be NULL) are withheld
 * where what lies at their path is all there is against their policy; that is a warning among the
 * problems (may be NULL).
 */
int guard_check(const struct ph_policy_set *set, enum ph_guard guard, const struct ph_edits *edits,
		struct ph_image *image, struct ph_problems *problems, struct ph_fault *f);

/*
 * Takes out of the set what would be refused for itself, is not in force, and stands in none of the edited
 * files; each is an error. 0 or -errno with the fault.
 */
int guard_leave_out(struct ph_policy_set *set, const struct ph_edits *edits,
		    struct ph_problems *problems, struct ph_fault *f);

#endif
