/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SLOTS_H
#define PH_SLOTS_H
/*
 * The event slots, read without taking anything away: any number of readers, each with a place of
 * its own. The newest PH_EVENT_SLOTS events are there; how many of the wanted ones were overwritten
 * is told. A reader maps a part of the slots at a time, as what is mapped counts as its memory.
 */
#include <stdbool.h>
#include <stdint.h>

#include "kernel/load.h"

struct ph_slots {
	int head; /* borrowed descriptors of the maps */
	int events;
	const struct ph_event *part; /* mapped; NULL: none is */
	uint64_t part_number; /* which one */
	uint64_t next; /* the number of the next event to be read */
	uint64_t end; /* events below this number have been begun */
	uint64_t lost; /* overwritten before they were read */
	uint64_t waited; /* since when, in boot time, the next one is unfinished; 0: it is not */
};

/* From the oldest event that is still there; 0 or -errno. */
int slots_open(const struct ph_kernel *kernel, struct ph_slots *ret);
void slots_close(struct ph_slots *slots);

/* Finds out how far events have come now: slots->end. 0 or -errno. */
int slots_update(struct ph_slots *slots);

/* Goes on at this number; what of it is overwritten counts as lost. */
void slots_seek(struct ph_slots *slots, uint64_t number);

/*
 * 1: *ret is the next event; 0: there is none yet; -errno; -EAGAIN: the next one is still being
 * written, or was given up by its writer: then it counts as lost after PH_SLOTS_PATIENCE.
 */
#define PH_SLOTS_PATIENCE (1000ull * 1000 * 1000) /* ns */
int slots_next(struct ph_slots *slots, struct ph_event *ret);

#endif
