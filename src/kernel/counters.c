// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/counters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_counters, counters_done);

void counters_done(struct ph_counters *counters)
{
	free(counters->v);
	*counters = (struct ph_counters){};
}

static int compare(const void *a, const void *b)
{
	const struct ph_counter_key *left = &((const struct ph_counter *)a)->key;
	const struct ph_counter_key *right = &((const struct ph_counter *)b)->key;

	if (left->policy != right->policy)
		return left->policy < right->policy ? -1 : 1;
	if (left->count != right->count)
		return left->count - right->count;
	return left->door - right->door;
}

static int append(struct ph_counters *counters, size_t *allocated, const struct ph_counter *counter)
{
	if (counters->n == *allocated) {
		size_t larger = *allocated ? *allocated * 2 : 64;
		struct ph_counter *more = reallocarray(counters->v, larger, sizeof(*more));

		if (!more)
			return -ENOMEM;
		counters->v = more;
		*allocated = larger;
	}
	counters->v[counters->n++] = *counter;
	return 0;
}

int counters_read(const struct ph_kernel *kernel, struct ph_counters *ret)
{
	cleanup_(counters_donep) struct ph_counters counters = {};
	int map = kernel->map[PH_MAP_COUNTERS], r = 0;
	struct ph_counter counter;
	const void *previous = NULL;
	size_t allocated = 0;

	for (; !r && !bpf_map_get_next_key(map, previous, &counter.key); previous = &counter.key)
		if (!bpf_map_lookup_elem(map, &counter.key, &counter.value))
			r = append(&counters, &allocated, &counter);
	if (r)
		return r;
	if (counters.n)
		qsort(counters.v, counters.n, sizeof(*counters.v), compare);
	*ret = counters;
	counters = (struct ph_counters){};
	return 0;
}

const struct ph_counter *counters_of(const struct ph_counters *counters, uint64_t policy,
				     size_t *ret_n)
{
	size_t first = 0, last = counters->n, end;

	while (first < last) {
		size_t middle = first + (last - first) / 2;

		if (counters->v[middle].key.policy < policy)
			first = middle + 1;
		else
			last = middle;
	}
	for (end = first; end < counters->n && counters->v[end].key.policy == policy;)
		end++;
	*ret_n = end - first;
	return *ret_n ? &counters->v[first] : NULL;
}

int counters_sum(const struct ph_kernel *kernel, uint64_t policy, enum ph_count count,
		 uint64_t *ret)
{
	uint64_t sum = 0;

	for (unsigned door = 0; door < PH_DOOR_MAX; door++) {
		struct ph_counter_key key = { .policy = policy, .door = door, .count = count };
		uint64_t value;

		if (!bpf_map_lookup_elem(kernel->map[PH_MAP_COUNTERS], &key, &value))
			sum += value;
		else if (errno != ENOENT)
			return -errno;
	}
	*ret = sum;
	return 0;
}

uint64_t health_read(const struct ph_kernel *kernel, enum ph_health health)
{
	__u32 key = health;
	uint64_t value = 0;

	(void)bpf_map_lookup_elem(kernel->map[PH_MAP_HEALTH], &key, &value);
	return value;
}

const char *health_meaning(enum ph_health health)
{
	static const char *const meanings[PH_HEALTH_ERRORS] = {
		[PH_HEALTH_STORAGE_BUSY] = "a label was busy, and its copy in the mirror decided",
		[PH_HEALTH_LABEL_FAILED] =
			"a label could not be written: the name decides, or all is refused",
		[PH_HEALTH_COUNTER_FAILED] = "a denial found no room in the counters",
		[PH_HEALTH_CGROUP_LOST] =
			"a cgroup found no room in its table: what names it alone does not hold it",
		[PH_HEALTH_AUDIT_LOST] =
			"more policies matched than a label holds: some that only watch do not",
	};

	return health < PH_HEALTH_ERRORS ? meanings[health] : "";
}

uint64_t health_errors(const struct ph_kernel *kernel)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PH_HEALTH_ERRORS; i++)
		sum += health_read(kernel, i);
	return sum;
}

uint64_t health_unrecorded(const struct ph_kernel *kernel)
{
	return health_read(kernel, PH_HEALTH_FOLDED) + health_read(kernel, PH_HEALTH_WITHHELD);
}

const char *health_name(enum ph_health health)
{
	static const char *const names[PH_HEALTH_MAX] = {
		[PH_HEALTH_STORAGE_BUSY] = "storage_busy",
		[PH_HEALTH_LABEL_FAILED] = "label_failed",
		[PH_HEALTH_COUNTER_FAILED] = "counter_failed",
		[PH_HEALTH_CGROUP_LOST] = "cgroup_lost",
		[PH_HEALTH_AUDIT_LOST] = "audit_lost",
		[PH_HEALTH_REWRITTEN] = "rewritten",
		[PH_HEALTH_FOLDED] = "folded",
		[PH_HEALTH_WITHHELD] = "withheld",
	};

	return names[health];
}
