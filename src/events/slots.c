// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/slots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>

#define SLOTS_SIZE (sizeof(struct ph_event) * PH_EVENT_SLOTS)

static int read_head(const struct ph_slots *slots, uint64_t *ret)
{
	struct ph_event_head head;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(slots->head, &zero, &head))
		return -errno;
	*ret = head.next;
	return 0;
}

int slots_open(const struct ph_kernel *kernel, struct ph_slots *ret)
{
	struct ph_slots slots = { .head = kernel->map[PH_MAP_EVENT_HEAD] };
	uint64_t head = 0;
	void *mapped;
	int r = read_head(&slots, &head);

	if (r)
		return r;
	mapped = mmap(NULL, SLOTS_SIZE, PROT_READ, MAP_SHARED, kernel->map[PH_MAP_EVENTS], 0);
	if (mapped == MAP_FAILED)
		return -errno;
	slots.slots = mapped;
	slots.next = head > PH_EVENT_SLOTS ? head - PH_EVENT_SLOTS : 0;
	*ret = slots;
	return 0;
}

void slots_close(struct ph_slots *slots)
{
	if (slots->slots)
		(void)munmap((void *)slots->slots, SLOTS_SIZE);
	*slots = (struct ph_slots){};
}

/* Copies the slot of `number` if it holds that event, whole. */
static bool copy_slot(const struct ph_slots *slots, uint64_t number, struct ph_event *ret)
{
	const struct ph_event *slot = &slots->slots[number & (PH_EVENT_SLOTS - 1)];
	uint64_t before = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);

	if (before != number + 1)
		return false;
	*ret = *slot;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == before;
}

int slots_next(struct ph_slots *slots, struct ph_event *ret)
{
	uint64_t head = 0;
	int r = read_head(slots, &head);

	if (r)
		return r;
	if (head > slots->next + PH_EVENT_SLOTS) {
		slots->lost += head - PH_EVENT_SLOTS - slots->next;
		slots->next = head - PH_EVENT_SLOTS;
	}
	while (slots->next < head) {
		if (copy_slot(slots, slots->next, ret)) {
			slots->next++;
			return 1;
		}
		/* The last one may still be in the writing; an older one was overwritten. */
		if (head - slots->next < PH_EVENT_SLOTS / 2)
			return 0;
		slots->lost++;
		slots->next++;
	}
	return 0;
}
