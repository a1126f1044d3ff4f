/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_SLOTS_H
#define FAKE_SLOTS_H
/*
 * The slots of events, as memory of the test, and its clock: --wrap puts the functions here in the place of
 * the kernel's.
 */
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernel/load.h"
#include "util/clock.h"

#define SIZE (sizeof(struct ph_event) * PH_EVENT_SLOTS)

static struct ph_kernel kernel = PH_KERNEL_NULL;
static struct ph_event *slots;
static uint64_t head; /* events that were begun */
static uint64_t now = 100 * PH_SECOND;

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	*ret = (struct timespec){ .tv_sec = (time_t)(now / PH_SECOND),
				  .tv_nsec = (long)(now % PH_SECOND) };
	return 0;
}

static int look_up_head(void *value)
{
	memset(value, 0, sizeof(struct ph_event_head));
	((struct ph_event_head *)value)->next = head;
	return 0;
}

static int make_slots(void)
{
	int fd = memfd_create("events", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, SIZE))
		return -1;
	kernel.map[PH_MAP_EVENTS] = fd;
	head = 0;
	slots = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return slots == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	return munmap(slots, SIZE) || close(kernel.map[PH_MAP_EVENTS]);
}

#endif
