/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CLOCK_H
#define PH_CLOCK_H
/*
 * Boot time, which the kernel programs use: it goes on over a suspend, and nobody sets it. All in
 * nanoseconds.
 */
#include <stdint.h>
#include <time.h>

#define PH_SECOND (1000ull * 1000 * 1000)

static inline uint64_t clock_now(clockid_t clock)
{
	struct timespec now = {};

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * PH_SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t boot_now(void)
{
	return clock_now(CLOCK_BOOTTIME);
}

/* By what both clocks say now: an event from before the clock was set right is shown right. */
static inline uint64_t boot_to_wall(uint64_t boot)
{
	return clock_now(CLOCK_REALTIME) - boot_now() + boot;
}

/* 0: before the boot. */
static inline uint64_t wall_to_boot(uint64_t wall)
{
	uint64_t zero = clock_now(CLOCK_REALTIME) - boot_now();

	return wall > zero ? wall - zero : 0;
}

#endif
