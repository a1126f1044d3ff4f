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

/*
 * The policies of the image that the kernel has the program at the path bring, as the table in this slot
 * says: *ret, the caller's to free, by id as the programs of the image. 0; -ENOENT: no file is there;
 * other -errno.
 */
int programs_of_path(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		     const char *path, uint64_t **ret, size_t *ret_n);

/*
 * Whether the kernel has the program at the path bring the policy of this one, as the table in this slot
 * says: 1, 0; -ENOENT: no file is there; other -errno.
 */
int programs_bring(const struct ph_kernel *kernel, const struct ph_image_program *program,
		   __u32 slot, const char *path);

struct ph_moved {
	size_t links; /* that lead elsewhere by now: what they lead to is not held */
	uint64_t led; /* the first policy of them */
	size_t files; /* another one at its path: that is held, under its other names it is not */
	uint64_t replaced; /* the first policy of them */
};

/* What of the programs has changed since the table in this slot was written. 0 or -errno. */
int programs_moved(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		   struct ph_moved *ret);

#endif
