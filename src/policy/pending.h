/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PENDING_H
#define PH_PENDING_H
/*
 * Files on their way into the policy directories, together with the generation that they make.
 *
 * Files and kernel cannot change in one step, so one of them decides: the kernel. First the new
 * files are written beside the directories, with a plan that names the generation they are for;
 * then that generation is put in force; then the files are moved into place. Whoever finds a plan
 * later (under the lock) finishes it if its generation is in force, and else throws it away. So
 * after a crash at any step files and kernel are both the old ones or both the new.
 *
 * The plan is /run/porthold/pending/plan.json; beside it wait the files for /run. Those for /etc
 * wait there, as .pending-NAME, so that moving them needs neither room nor another file system.
 *
 * The plan says of each file what stood in its place when it was written. What a person has put there
 * since stays: it is the later word, and the file that waited is laid beside it.
 */
#include <stdint.h>

#include "policy/store.h"

/*
 * Writes the files and, last, the plan. 0 or -errno; on failure nothing is left. -EROFS and the like
 * also where a file could not be moved into place, or away, once it is in force.
 */
int pending_write(const struct ph_edits *edits, uint64_t generation);

/* The generation of the plan. 0, -ENOENT, -EBADMSG: it is none of ours, other -errno. */
int pending_generation(uint64_t *ret);

/* What waits, and for which generation (0: for none to be in force). As pending_generation(). */
int pending_read(struct ph_edits *ret, uint64_t *ret_generation);

/*
 * Moves what waits into place; may be done again after a crash. 0 or -errno. What has to stay out of
 * its place is told among the problems, as warnings.
 */
int pending_finish(struct ph_problems *told);

/* Where a person has written since. 0 with the first such path, the caller's to free, or NULL; -errno. */
int pending_overtaken(char **ret);

/* Throws away what waits. 0, or -errno: the plan is still there. */
int pending_discard(void);

#endif
