/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SLOTS_H
#define PH_SLOTS_H
/*
 * The event slots, read without taking anything away: any number of readers, each with a place of
 * its own. The newest PH_EVENT_SLOTS events are there; how many of the wanted ones were overwritten
 * is told.
 */
#include <stdint.h>

#include "kernel/load.h"

struct ph_slots {
	const struct ph_event *slots; /* mapped, PH_EVENT_SLOTS of them */
	int head; /* borrowed descriptor of the map of the next number */
	uint64_t next; /* the number of the next event to be read */
	uint64_t lost; /* overwritten before they were read */
};

/* From the oldest event that is still there. */
int slots_open(const struct ph_kernel *kernel, struct ph_slots *ret);
void slots_close(struct ph_slots *slots);

/* 1: *ret is the next event; 0: there is none yet; -errno. */
int slots_next(struct ph_slots *slots, struct ph_event *ret);

#endif
