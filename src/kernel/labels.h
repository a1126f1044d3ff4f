/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_LABELS_H
#define PH_LABELS_H
/*
 * Which tasks are labelled now. Asking makes it true: every running task is matched anew under the
 * generation in force.
 */
#include <stddef.h>

#include "kernel/load.h"

struct ph_labels {
	struct ph_labelled *v;
	size_t n;
};

void labels_done(struct ph_labels *labels);

/* 0; -ENOENT: this host keeps no labels, names decide; other -errno. */
int labels_pass(struct ph_labels *ret);

#endif
