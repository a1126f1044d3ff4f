/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_COVERED_H
#define PH_COVERED_H
/*
 * Programs that hold what was put in force from here, though their pins cannot be reached: somebody has
 * mounted something over them, moved them, or made them read-only. It is enforced still, and no porthold can
 * change or end it.
 */
#include <linux/bpf.h>

#include "abi.h"
#include "util/fault.h"

/* How many; 0: there are none. `ret_remedy`: the command that brings the pins back; empty: nobody knows. */
int covered_count(char ret_remedy[PH_PATH_LEN]);

/* The fault for who would change what is in force, where a command would bring it back; 0: none. */
int covered_fault(struct ph_fault *f);

#endif
