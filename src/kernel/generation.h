/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_GENERATION_H
#define PH_GENERATION_H
/*
 * Image -> kernel. A generation is filled in the slot that is not in use, and put in force by one
 * number in front of the tables (kernel/front.h): no call sees a part of it, and whatever fails before
 * leaves the old one in force.
 *
 * On trial. A generation with a deadline is in force until then; from then on the one that it replaced
 * is, which lies in the other slot: no process has to do anything for that. While both are there, no
 * other generation can be made.
 */
#include "kernel/compile.h"
#include "kernel/load.h"

/*
 * What puts something else in force returns 0; -errno: nothing has changed; or PH_UNSETTLED: it has
 * changed, and calls that had begun before may still go by what was in force then. The fault is
 * filled with either.
 */
#define PH_UNSETTLED 1

/*
 * Puts the image in force, on trial if its header has a deadline; fills in the header's generation
 * and slot.
 */
int generation_install(const struct ph_kernel *kernel, struct ph_image *image, struct ph_fault *f);

/* Ends whatever is in force. */
int generation_clear(const struct ph_kernel *kernel, struct ph_fault *f);

/* The header that the kernel goes by at this moment: 0, or -ENOENT: none is in force. */
int generation_current(const struct ph_kernel *kernel, struct ph_header *ret);

/* Whether the policy of this id is in force, and enforced. */
bool generation_enforces(const struct ph_kernel *kernel, uint64_t id);

/*
 * Whether the tables of the slot are those of the image, as far as a sample of each shows: 0; 1:
 * not, or -errno, and *ret_table names the table.
 */
int generation_check(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		     const char **ret_table);

/* Whether the image is in force as it was installed, as far as that shows. */
bool generation_holds(const struct ph_kernel *kernel, const struct ph_image *image);

/* The header of a generation on trial, its deadline passed or not; -ENOENT: none is on trial. */
int generation_trial(const struct ph_kernel *kernel, struct ph_header *ret);

/* What comes into force again when the trial fails: 0, or -ENOENT: nothing. */
int generation_fallback(const struct ph_kernel *kernel, struct ph_header *ret);

/*
 * Whether every task that ran when this one was put in force has been labelled since: then a name that no label
 * has was taken unseen. What cannot be told counts as no.
 */
void generation_tell_labelled(const struct ph_kernel *kernel, bool labelled);

/* The generation on trial stays. */
int generation_keep(const struct ph_kernel *kernel, struct ph_fault *f);

/* The generation on trial goes, and its slot is free; what the kernel fell back to stays. */
int generation_drop(const struct ph_kernel *kernel, struct ph_fault *f);

#endif
