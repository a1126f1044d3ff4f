// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/log.h"

#include <errno.h>
#include <string.h>

#include "events/fold.h"
#include "events/format.h"
#include "events/journal.h"
#include "events/position.h"
#include "events/slots.h"
#include "events/wake.h"
#include "kernel/counters.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define KINDS_MAX 1024 /* that are folded at a time */
#define BATCH 8192 /* events taken in by one run */
#define POSITION_INTERVAL PH_SECOND
#define WRITER_PAUSE (PH_SECOND / 20) /* until an unfinished event is looked at again */

struct ph_eventlog {
	struct ph_eventlog_options options;
	struct ph_kernel kernel; /* borrowed descriptors */
	struct ph_slots slots;
	struct ph_wake wake;
	struct ph_lookup lookup;
	struct ph_folds folds;
	struct ph_eventlog_counts counts;
	uint64_t now; /* of this run */
	uint64_t window; /* when the present window of lines began */
	unsigned lines; /* told in it */
	uint64_t unrecorded; /* as the kernel had it at the beginning */
	uint64_t admitted; /* of the denials that no line tells of, how many were told of */
	uint64_t position; /* as the file has it */
	uint64_t written; /* when */
};

/* --- Sinks */

static int tell_json(FILE *to, const struct ph_record *record)
{
	json_t *object = record_json(record);
	int r = object ? json_dumpf(object, to, JSON_COMPACT) : -ENOMEM;

	json_decref(object);
	return r || fputc('\n', to) == EOF || fflush(to) ? -EIO : 0;
}

static int tell_text(FILE *to, const struct ph_record *record)
{
	cleanup_free char *text = NULL;
	int r = record_text(record, PH_TEXT_TIME, &text);

	return r || fprintf(to, "%s\n", text) < 0 || fflush(to) ? -EIO : 0;
}

static void tell(struct ph_eventlog *log, struct ph_fold *fold)
{
	const struct ph_eventlog_options *options = &log->options;
	const struct ph_record *record = &fold->record;

	if (options->journal)
		log->counts.failed += !!journal_record(record);
	if (options->json)
		log->counts.failed += !!tell_json(options->json, record);
	if (options->text)
		log->counts.failed += !!tell_text(options->text, record);
	log->counts.told++;
	log->lines++;
	fold->told = log->now;
	fold_restart(fold);
}

/* Denials that no line tells of, however late it is. */
static uint64_t count_missing(const struct ph_eventlog *log)
{
	const struct ph_eventlog_counts *counts = &log->counts;

	return counts->lost + counts->withheld + counts->unrecorded;
}

/* What is told as a number alone, once in a window. */
static void admit_missing(struct ph_eventlog *log)
{
	static const char why[] = "too many at once; porthold status has all counted";
	uint64_t missing = count_missing(log) - log->admitted;

	if (!missing)
		return;
	if (log->options.journal)
		log->counts.failed += !!journal_lost(missing, why);
	if (log->options.json)
		(void)fprintf(log->options.json, "{\"missing\":%llu}\n",
			      (unsigned long long)missing);
	if (log->options.text)
		(void)fprintf(log->options.text, "%llu denials are not shown: %s\n",
			      (unsigned long long)missing, why);
	log->admitted += missing;
}

/* --- Folding */

static bool may_tell(const struct ph_eventlog *log)
{
	return log->lines < PH_EVENTLOG_LINES;
}

static bool is_over(const struct ph_eventlog *log, uint64_t since)
{
	return log->now >= since + PH_EVENTLOG_WINDOW;
}

/* The oldest kind goes, told if there is something to tell. */
static void make_room(struct ph_eventlog *log)
{
	struct ph_fold *fold = log->folds.oldest;

	if (fold->record.count && may_tell(log) && !record_is_own(&fold->record))
		tell(log, fold);
	if (!record_is_own(&fold->record))
		log->counts.withheld += fold->record.count;
	folds_remove(&log->folds, fold);
}

static int take_event(struct ph_eventlog *log, const struct ph_event *event)
{
	struct ph_fold *fold;
	int r;

	if (folds_full(&log->folds))
		make_room(log);
	r = folds_add(&log->folds, event, &log->lookup, &fold);
	if (r < 0)
		return r;
	if (record_is_own(&fold->record)) {
		fold_restart(fold);
		return 0;
	}
	log->counts.read++;
	if (may_tell(log) && (r || (fold->record.count == 1 && is_over(log, fold->told))))
		tell(log, fold);
	else if (r)
		fold->told = log->now; /* it waits for the next window */
	return 0;
}

/* 0 is never. */
static void sooner(uint64_t *due, uint64_t other)
{
	if (!*due || other < *due)
		*due = other;
}

/* Tells what has waited for a window; *ret_due is when the next has. */
static void tell_due(struct ph_eventlog *log, bool all, uint64_t *ret_due)
{
	uint64_t due = 0;

	for (struct ph_fold *fold = log->folds.oldest; fold; fold = fold->newer) {
		uint64_t since = fold->told;

		if (!fold->record.count)
			continue;
		if (all || (is_over(log, since) && may_tell(log))) {
			tell(log, fold);
			continue;
		}
		if (is_over(log, since))
			since = log->window;
		sooner(&due, since + PH_EVENTLOG_WINDOW);
	}
	*ret_due = due;
}

/* No event wakes the log for these. */
static void take_unrecorded(const struct ph_eventlog *log, struct ph_eventlog_counts *counts)
{
	counts->unrecorded = health_unrecorded(&log->kernel) - log->unrecorded;
}

static void begin_run(struct ph_eventlog *log)
{
	log->now = boot_now();
	take_unrecorded(log, &log->counts);
	if (is_over(log, log->window)) {
		admit_missing(log);
		log->window = log->now;
		log->lines = 0;
	}
	lookup_refresh(&log->lookup);
}

/* --- The place */

/* Below this number all was told. */
static uint64_t told_below(const struct ph_eventlog *log)
{
	uint64_t number = log->slots.next;

	for (const struct ph_fold *fold = log->folds.oldest; fold; fold = fold->newer)
		if (fold->record.count && fold->number < number)
			number = fold->number;
	return number;
}

static void keep_position(struct ph_eventlog *log)
{
	uint64_t position = told_below(log);

	if (!log->options.position || position == log->position)
		return;
	log->written = log->now;
	if (!position_write(log->options.position, &log->kernel, position))
		log->position = position;
}

static void take_position(struct ph_eventlog *log)
{
	if (!log->options.position)
		return;
	log->position = position_read(log->options.position, &log->kernel);
	if (log->position > log->slots.end)
		log->position = 0; /* nobody can have told that */
	slots_seek(&log->slots, log->position);
}

/* --- The log */

int eventlog_open(const struct ph_kernel *kernel, const struct ph_eventlog_options *options,
		  struct ph_eventlog **ret)
{
	struct ph_eventlog *log = calloc(1, sizeof(*log));
	int r;

	if (!log)
		return -ENOMEM;
	log->options = *options;
	log->kernel = *kernel;
	log->wake = (struct ph_wake)PH_WAKE_NULL;
	lookup_open(kernel, &log->lookup);
	r = folds_init(&log->folds, KINDS_MAX);
	if (!r)
		r = slots_open(kernel, &log->slots);
	if (!r)
		r = wake_open(kernel, &log->wake);
	if (r) {
		slots_close(&log->slots);
		folds_done(&log->folds);
		lookup_close(&log->lookup);
		free(log);
		return r;
	}
	log->unrecorded = health_unrecorded(kernel);
	take_position(log);
	*ret = log;
	return 0;
}

struct ph_eventlog *eventlog_close(struct ph_eventlog *log)
{
	uint64_t due;

	if (!log)
		return NULL;
	begin_run(log);
	tell_due(log, true, &due);
	admit_missing(log);
	keep_position(log);
	wake_close(&log->wake);
	slots_close(&log->slots);
	folds_done(&log->folds);
	lookup_close(&log->lookup);
	free(log);
	return NULL;
}

int eventlog_fd(const struct ph_eventlog *log)
{
	return log->wake.fd;
}

/* Takes in a batch: 1: there is more; 0; -EAGAIN: an event is unfinished; another -errno. */
static int take_batch(struct ph_eventlog *log)
{
	struct ph_event event;
	int r = 1;

	for (int i = 0; r == 1 && i < BATCH; i++) {
		int taken = 0;

		r = slots_next(&log->slots, &event);
		if (r == 1)
			taken = take_event(log, &event);
		if (taken)
			return taken;
	}
	log->counts.lost = log->slots.lost;
	return r;
}

int eventlog_run(struct ph_eventlog *log, uint64_t *ret_due)
{
	uint64_t due;
	int r;

	begin_run(log);
	/* Before the slots: what comes from here on wakes again. */
	wake_clear(&log->wake);
	r = take_batch(log);
	if (r < 0 && r != -EAGAIN)
		return r;
	tell_due(log, false, &due);
	if (r)
		sooner(&due, log->now + (r == 1 ? 0 : WRITER_PAUSE));
	if (log->now >= log->written + POSITION_INTERVAL)
		keep_position(log);
	else if (log->options.position && told_below(log) != log->position)
		sooner(&due, log->written + POSITION_INTERVAL);
	if (count_missing(log) != log->admitted)
		sooner(&due, log->window + PH_EVENTLOG_WINDOW);
	*ret_due = due;
	return 0;
}

void eventlog_counts(const struct ph_eventlog *log, struct ph_eventlog_counts *ret)
{
	*ret = log->counts;
	take_unrecorded(log, ret);
}
