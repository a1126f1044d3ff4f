/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_COUNTERS_H
#define PH_COUNTERS_H
/*
 * What the kernel counts. An entry is made at the first denial of a policy at a door and never
 * goes, so of many policies few have any: who wants those of all reads the map once.
 */
#include <stddef.h>
#include <stdint.h>

#include "kernel/load.h"

struct ph_counter {
	struct ph_counter_key key;
	uint64_t value;
};

struct ph_counters {
	struct ph_counter *v; /* sorted by policy, count and door */
	size_t n;
};

void counters_done(struct ph_counters *counters);

/* Every entry there is. 0 or -errno. */
int counters_read(const struct ph_kernel *kernel, struct ph_counters *ret);

/* The *ret_n entries of one policy; NULL: it has none. */
const struct ph_counter *counters_of(const struct ph_counters *counters, uint64_t policy,
				     size_t *ret_n);

/* How often one policy was counted so far, over all doors. 0 or -errno. */
int counters_sum(const struct ph_kernel *kernel, uint64_t policy, enum ph_count count,
		 uint64_t *ret);

/* What went wrong in the programs so far, by kind. */
uint64_t health_read(const struct ph_kernel *kernel, enum ph_health health);
const char *health_name(enum ph_health health);

/* What it means that one of the errors was counted. */
const char *health_meaning(enum ph_health health);

/* How many errors were counted; none is well. */
uint64_t health_errors(const struct ph_kernel *kernel);

/* Denials that are counted, and of which there is no event. */
uint64_t health_unrecorded(const struct ph_kernel *kernel);

#endif
