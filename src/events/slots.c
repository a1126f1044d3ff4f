// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/slots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>

#include "util/clock.h"

/* Slots in a part: whole pages, whatever their size (4 to 64 KiB). */
#define PART_SLOTS 2048u
#define PART_SIZE (sizeof(struct ph_event) * PART_SLOTS)

_Static_assert(PART_SIZE % 65536 == 0, "a part begins with a page");
_Static_assert(PH_EVENT_SLOTS % PART_SLOTS == 0, "parts divide the slots");

int slots_update(struct ph_slots *slots)
{
	struct ph_event_head head;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(slots->head, &zero, &head))
		return -errno;
	slots->end = head.next;
	return 0;
}

static void unmap_part(struct ph_slots *slots)
{
	if (slots->part)
		(void)munmap((void *)slots->part, PART_SIZE);
	slots->part = NULL;
}

static int map_part(struct ph_slots *slots, uint64_t number)
{
	void *mapped;

	if (slots->part && slots->part_number == number)
		return 0;
	unmap_part(slots);
	mapped = mmap(NULL, PART_SIZE, PROT_READ, MAP_SHARED, slots->events,
		      (off_t)(number * PART_SIZE));
	if (mapped == MAP_FAILED)
		return -errno;
	slots->part = mapped;
	slots->part_number = number;
	return 0;
}

int slots_open(const struct ph_kernel *kernel, struct ph_slots *ret)
{
	struct ph_slots slots = { .head = kernel->map[PH_MAP_EVENT_HEAD],
				  .events = kernel->map[PH_MAP_EVENTS] };
	int r = slots_update(&slots);

	if (r)
		return r;
	slots.next = slots.end > PH_EVENT_SLOTS ? slots.end - PH_EVENT_SLOTS : 0;
	*ret = slots;
	return 0;
}

void slots_close(struct ph_slots *slots)
{
	unmap_part(slots);
	*slots = (struct ph_slots){ .head = -1, .events = -1 };
}

void slots_seek(struct ph_slots *slots, uint64_t number)
{
	slots->next = number;
	slots->waited = 0;
}

/* What was found in the place of an event. */
enum found {
	FOUND_IT,
	FOUND_LATER, /* a later one has taken its place */
	FOUND_NOTHING, /* it is not there yet */
};

static enum found copy_slot(const struct ph_event *slot, uint64_t number, struct ph_event *ret)
{
	uint64_t before = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);

	if (before != number + 1)
		return before > number ? FOUND_LATER : FOUND_NOTHING;
	*ret = *slot;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == before ? FOUND_IT : FOUND_LATER;
}

/*
 * Leaves behind what is overwritten. Whoever is that late goes a bit further than it must: at the
 * edge, the writers would be ahead each time.
 */
static void skip_overwritten(struct ph_slots *slots, uint64_t margin)
{
	uint64_t oldest = slots->end - PH_EVENT_SLOTS + margin;

	if (slots->end <= PH_EVENT_SLOTS || slots->next + PH_EVENT_SLOTS >= slots->end)
		return;
	slots->lost += oldest - slots->next;
	slots_seek(slots, oldest);
}

/* Not written to the end: how long is that so? */
static int wait_for_writer(struct ph_slots *slots)
{
	uint64_t now = boot_now();

	if (!slots->waited)
		slots->waited = now;
	if (now - slots->waited < PH_SLOTS_PATIENCE)
		return -EAGAIN;
	slots->lost++;
	slots_seek(slots, slots->next + 1);
	return 0;
}

int slots_next(struct ph_slots *slots, struct ph_event *ret)
{
	for (;;) {
		uint64_t place;
		int r = 0;

		if (slots->next >= slots->end)
			r = slots_update(slots);
		if (r || slots->next >= slots->end)
			return r;
		skip_overwritten(slots, 0);
		place = slots->next & (PH_EVENT_SLOTS - 1);
		r = map_part(slots, place / PART_SLOTS);
		if (r)
			return r;
		switch (copy_slot(&slots->part[place % PART_SLOTS], slots->next, ret)) {
		case FOUND_IT:
			slots_seek(slots, slots->next + 1);
			return 1;
		case FOUND_LATER:
			r = slots_update(slots);
			skip_overwritten(slots, PH_EVENT_SLOTS / 16);
			break;
		case FOUND_NOTHING:
			r = wait_for_writer(slots);
			break;
		}
		if (r)
			return r;
	}
}
