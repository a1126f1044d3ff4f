/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CONFINED_H
#define PH_CONFINED_H
/*
 * Whether it is porthold's own guard that keeps this process away: whom a policy holds reaches neither
 * the maps nor the files of it, and would see a bare EPERM.
 */
#include "util/fault.h"

/*
 * 0, or -EPERM with the fault: the maps are kept from this process, though its capabilities would do. The
 * policy is named if it matches the process or an ancestor, by what these are called and run now.
 */
int confined_check(struct ph_fault *f);

#endif
