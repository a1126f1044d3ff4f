/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_LABELS_H
#define PH_LABELS_H
/*
 * Which tasks are labelled now. Asking makes it true: every running task is matched anew under the
 * generation in force.
 */
#include <stdbool.h>
#include <stddef.h>

#include "kernel/load.h"

struct ph_labels {
	struct ph_labelled *v;
	size_t n;
};

void labels_done(struct ph_labels *labels);

/* 0; -ENOENT: this host keeps no labels, names decide; -ESTALE: another version keeps them; other -errno. */
int labels_pass(struct ph_labels *ret);

/* Whether the policy of this id is among them. */
bool label_holds(const struct ph_labelled *label, uint64_t id);

/* Whether labels go by the number that this process knows itself by: not in a pid namespace. */
bool labels_know_pid(void);

/*
 * Takes the labels of this policy alone out of the mirror, where no program does when a task ends: on a
 * kernel without tracing programs. Of a policy whose processes have all ended. 0 or -errno.
 */
int labels_drop(const struct ph_kernel *kernel, uint64_t id);

/* For a front that is new, of whatever the mirror holds already. 0 or -errno. */
int labels_adopt(const struct ph_kernel *kernel);

/* Whether programs are being loaded over new maps of labels, which know nobody as yet. */
bool labels_are_fresh(void);

/*
 * Takes the labels of the maps in use over into the fresh ones, to be made true by the next pass. Once
 * before the new programs that keep labels are attached, so that these find them, and once after, for
 * what the old ones did meanwhile; those are there all the time. Whoever forks and ends faster than a map
 * can be read may yet be missed. 0 or -errno.
 */
int labels_carry(void);

/*
 * Throws away the maps of labels, before programs are attached where none were: what is in them was
 * not kept true meanwhile, and the number of a thread that ended may be another's. 0 or -errno.
 */
int labels_forget(void);

#endif
