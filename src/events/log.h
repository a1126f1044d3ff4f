/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EVENTS_LOG_H
#define PH_EVENTS_LOG_H
/*
 * The denials, told to the journal and the like for as long as a process runs: what the daemon
 * does with events.
 *
 *	eventlog_open(&kernel, &options, &log);
 *	wait until eventlog_fd(log) is readable, or until *ret_due has come (0: no time)
 *	eventlog_run(log, &due);
 *	eventlog_close(log);
 *
 * Call eventlog_run() once after opening: it tells what happened before. The first of a kind is
 * told at once; the same again is folded, and told with its count after PH_EVENTLOG_WINDOW. So
 * a flood costs a line now and then, and nothing is waited for while nothing happens.
 *
 * The place is kept in a file, so that the next process goes on where this one ended. After a crash
 * some lines come twice and none is missing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "events/position.h"
#include "kernel/load.h"

#define PH_EVENTLOG_WINDOW (30ull * 1000 * 1000 * 1000) /* ns */
#define PH_EVENTLOG_LINES 1000 /* told within a window; more are withheld, and counted */

struct ph_eventlog;

struct ph_eventlog_options {
	bool journal; /* as structured fields */
	FILE *json; /* JSON lines; borrowed; NULL: none */
	FILE *text; /* lines of text; likewise */
	const char *position; /* PH_EVENTS_POSITION; NULL: from the oldest, and kept nowhere */
};

struct ph_eventlog_counts {
	uint64_t read; /* events seen, but for those of the canary */
	uint64_t lost; /* overwritten before they were seen */
	uint64_t told; /* lines */
	uint64_t withheld; /* events that no line tells of: too many kinds at a time */
	uint64_t unrecorded; /* denials that the kernel made no event of: folded, or too many */
	uint64_t failed; /* lines that a sink did not take */
};

/* 0 or -errno; the maps are borrowed. */
int eventlog_open(const struct ph_kernel *kernel, const struct ph_eventlog_options *options,
		  struct ph_eventlog **ret);

/* Tells what is still folded, keeps the place, and returns NULL. */
struct ph_eventlog *eventlog_close(struct ph_eventlog *log);

/* Readable when something may have happened: for poll, epoll, sd-event, level-triggered. */
int eventlog_fd(const struct ph_eventlog *log);

/*
 * Takes in what is new, in bounded time, and tells what is due. *ret_due: when to call again
 * though nothing happens, in boot time (CLOCK_BOOTTIME), ns; 0: not at all.
 */
int eventlog_run(struct ph_eventlog *log, uint64_t *ret_due);

void eventlog_counts(const struct ph_eventlog *log, struct ph_eventlog_counts *ret);

#endif
