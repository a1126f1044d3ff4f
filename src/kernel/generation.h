/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_GENERATION_H
#define PH_GENERATION_H
/*
 * Image -> kernel. A generation is filled and frozen in the slot that is not in use, and put in
 * force by replacing the header as a whole: no call sees a part of it, and whatever fails before
 * leaves the old one in force.
 */
#include "kernel/compile.h"
#include "kernel/load.h"

/* Puts the image in force; fills in its header's generation and slot. */
int generation_install(const struct ph_kernel *kernel, struct ph_image *image, struct ph_fault *f);

/* Ends whatever is in force. */
int generation_clear(const struct ph_kernel *kernel, struct ph_fault *f);

/* The header in force: 0, or -ENOENT: none is. */
int generation_current(const struct ph_kernel *kernel, struct ph_header *ret);

/*
 * Whether the tables of the slot are those of the image, as far as a sample of each shows: 0; 1:
 * not, or -errno, and *ret_table names the table.
 */
int generation_check(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		     const char **ret_table);

/* Whether the image is in force as it was installed, as far as that shows. */
bool generation_holds(const struct ph_kernel *kernel, const struct ph_image *image);

#endif
