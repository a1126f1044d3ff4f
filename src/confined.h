/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CONFINED_H
#define PH_CONFINED_H
/*
 * Why the kernel keeps this process away from what is in force, where that is a bare EPERM: a policy
 * holds it, and porthold's own guard keeps maps and files from it; or it is root without the powers of
 * root, as in porthold run or in a container.
 */
#include <stdbool.h>

#include "util/fault.h"

/*
 * 0, or -EPERM with the fault: something is in force, or may be, and is kept from this process of
 * root. The policy is named if it matches the process or an ancestor, by what these are called and run now.
 */
int confined_check(struct ph_fault *f);

/* Whether a policy holds this process by now, and so keeps from it what is in force. */
bool confined_now(void);

#endif
