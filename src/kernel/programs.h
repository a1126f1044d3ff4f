/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PROGRAMS_H
#define PH_PROGRAMS_H
/*
 * The files of the programs that policies name, as the kernel itself knows them. They are no part of
 * a generation's content: a package upgrade changes them, and what policies mean stays.
 */
#include "kernel/compile.h"
#include "kernel/load.h"

/*
 * Makes the table of files in this slot say what the programs of the image are now. Those that are
 * not there, of which *ret_missing counts the policies, are held by their path, when they come.
 * 0 or -errno.
 */
int programs_tell(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		  size_t *ret_missing);

#endif
