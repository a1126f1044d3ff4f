/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_OUTCOME_H
#define PH_OUTCOME_H
/*
 * What came of a reload: left in a file for whoever asked for it with SIGHUP, and waits for one that
 * began afterwards.
 */
#include <stdint.h>

struct ph_outcome {
	uint64_t began; /* boot time, ns, before anything was read */
	int status; /* enum ph_exit */
	char *text; /* for people: lines */
};

/* Takes a zeroed object too, and leaves one. */
void outcome_done(struct ph_outcome *outcome);

/* 0 or -errno. */
int outcome_write(const struct ph_outcome *outcome);

/* 0; -ENOENT: there is none yet; other -errno. */
int outcome_read(struct ph_outcome *ret);

int outcome_remove(void);

#endif
