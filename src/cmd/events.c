// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "covered.h"
#include "events/fold.h"
#include "events/format.h"
#include "events/slots.h"
#include "events/wake.h"
#include "events/when.h"
#include "kernel/bpffs.h"
#include "kernel/counters.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/terminal.h"

#define MAPS_PINS PH_PIN_DIR "/" PH_MAPS_DIR
#define WRITER_PAUSE_NS (10 * 1000 * 1000) /* until an unfinished event is looked at again */

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_record, record_done);

struct view {
	bool follow;
	bool json;
	unsigned text; /* enum ph_record_text */
	bool unique;
	uint64_t since; /* boot time, ns */
	uint64_t until;
	struct ph_slots slots;
	struct ph_lookup lookup;
	struct ph_wake wake;
	int removal; /* inotify: a pin is removed */
	struct ph_folds folds; /* --unique */
	uint64_t lost; /* of slots.lost, how many were told of */
	const struct ph_kernel *kernel;
	uint64_t folded; /* of what the kernel made no event of, how many were told of */
	uint64_t withheld; /* likewise */
};

static int take_time(const char *option, const char *text, uint64_t *ret)
{
	struct ph_text_error error;

	if (!when_parse(text, ret, &error))
		return 0;
	(void)fprintf(stderr, "porthold events: %s %s; %s\n", option, error.message, error.remedy);
	return PH_EXIT_USAGE;
}

static int parse_arguments(int argc, char **argv, struct view *view)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },	   { "json", no_argument, NULL, 'j' },
		{ "since", required_argument, NULL, 's' }, { "unique", no_argument, NULL, 'u' },
		{ "until", required_argument, NULL, 't' }, {},
	};
	int option, r = 0;

	view->until = UINT64_MAX;
	view->text = PH_TEXT_TIME;
	if (terminal_takes_colours(STDOUT_FILENO))
		view->text |= PH_TEXT_COLOURS;
	while (!r && (option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (option == '?')
			return option_error("events");
		view->follow |= option == 'f';
		view->json |= option == 'j';
		view->unique |= option == 'u';
		if (option == 's')
			r = take_time("--since", optarg, &view->since);
		else if (option == 't')
			r = take_time("--until", optarg, &view->until);
	}
	if (r)
		return r;
	if (view->follow && (view->unique || view->until != UINT64_MAX))
		return usage_error("events", "--follow has no end: neither --unique nor --until "
					     "goes with it");
	if (optind != argc)
		return usage_error("events", "unexpected argument %s", argv[optind]);
	return 0;
}

static int print_record(const struct view *view, const struct ph_record *record)
{
	if (view->json) {
		json_t *object = record_json(record);
		int r = object ? json_dumpf(object, stdout, JSON_COMPACT) : -ENOMEM;

		json_decref(object);
		(void)putchar('\n');
		return r;
	} else {
		cleanup_free char *text = NULL;
		int r = record_text(record, view->text, &text);

		return r ? r : puts(text) < 0 ? -EIO : 0;
	}
}

static int show_event(struct view *view, const struct ph_event *event)
{
	cleanup_(record_donep) struct ph_record record = {};
	struct ph_fold *fold;
	int r;

	if (event->time < view->since || event->time > view->until)
		return 0;
	if (view->unique) {
		r = folds_add(&view->folds, event, &view->lookup, &fold);
		return r < 0 ? r : 0;
	}
	r = record_make(event, &view->lookup, &record);
	if (r || record_is_own(&record))
		return r;
	return print_record(view, &record);
}

/* Waits for an event that is being written; otherwise as slots_next(). */
static int next_event(struct view *view, struct ph_event *ret)
{
	const struct timespec pause = { .tv_nsec = WRITER_PAUSE_NS };
	int r;

	while ((r = slots_next(&view->slots, ret)) == -EAGAIN)
		(void)nanosleep(&pause, NULL);
	return r;
}

/* Shows what is there now, not what comes meanwhile: that may be without end. */
static int show_new(struct view *view)
{
	struct ph_event event;
	int r = slots_update(&view->slots);
	uint64_t end = view->slots.end;

	lookup_refresh(&view->lookup);
	while (!r && view->slots.next < end && !ferror(stdout)) {
		r = next_event(view, &event);
		if (r == 1)
			r = show_event(view, &event);
	}
	return r;
}

/* Those that were seen last come last. */
static int show_folded(struct view *view)
{
	int r = 0;

	folds_merge_unseen(&view->folds);
	for (struct ph_fold *fold = view->folds.oldest; !r && fold; fold = fold->newer)
		if (!record_is_own(&fold->record))
			r = print_record(view, &fold->record);
	return r;
}

/* What the kernel counts and makes no event of. */
static void tell_unrecorded(struct view *view)
{
	uint64_t folded = health_read(view->kernel, PH_HEALTH_FOLDED);
	uint64_t withheld = health_read(view->kernel, PH_HEALTH_WITHHELD);

	if (folded > view->folded)
		(void)fprintf(stderr,
			      "porthold events: %llu more were folded, as the same was told a "
			      "moment before; porthold status counts all\n",
			      (unsigned long long)(folded - view->folded));
	if (withheld > view->withheld)
		(void)fprintf(stderr,
			      "porthold events: %llu more were withheld, as one policy or user had "
			      "too many; porthold status counts all\n",
			      (unsigned long long)(withheld - view->withheld));
	view->folded = folded;
	view->withheld = withheld;
}

static void tell_lost(struct view *view)
{
	uint64_t lost = view->slots.lost - view->lost;

	(void)fflush(stdout);
	if (lost)
		(void)fprintf(stderr,
			      "porthold events: %llu events were overwritten by newer ones\n",
			      (unsigned long long)lost);
	view->lost = view->slots.lost;
	tell_unrecorded(view);
}

/* Whether `porthold stop` has taken the events out of the kernel. */
static bool is_stopped(struct view *view)
{
	char removed[4096];

	(void)!read(view->removal, removed, sizeof(removed));
	return access(MAPS_PINS "/ph_events", F_OK) && errno == ENOENT;
}

enum news {
	NEWS, /* there may be events */
	NEWS_NO_READER, /* nobody reads what is printed any more */
	NEWS_STOPPED,
};

/* enum news, or -errno. */
static int wait_for_news(struct view *view)
{
	struct pollfd fds[] = {
		{ .fd = view->wake.fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
		{ .fd = view->removal, .events = POLLIN },
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0)
		return errno == EINTR ? NEWS : -errno;
	if (fds[1].revents & (POLLERR | POLLHUP))
		return NEWS_NO_READER;
	wake_clear(&view->wake);
	return fds[2].revents && is_stopped(view) ? NEWS_STOPPED : NEWS;
}

static int follow(struct view *view)
{
	int news = NEWS, r = 0;

	while (!r && news == NEWS && !ferror(stdout)) {
		news = wait_for_news(view);
		if (news < 0 || news == NEWS_NO_READER)
			return news < 0 ? news : 0;
		r = show_new(view);
		tell_lost(view);
	}
	if (news == NEWS_STOPPED)
		(void)fprintf(stderr, "porthold events: porthold was stopped; no more will come\n");
	return r;
}

static int show(struct view *view)
{
	int r = show_new(view);

	if (!r && view->unique)
		r = show_folded(view);
	tell_lost(view);
	return !r && view->follow ? follow(view) : r;
}

static int follow_open(struct view *view, const struct ph_kernel *kernel)
{
	int r = wake_open(kernel, &view->wake);

	if (r)
		return r;
	view->removal = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (view->removal < 0 || inotify_add_watch(view->removal, MAPS_PINS, IN_DELETE) < 0)
		return -errno;
	return 0;
}

static int view_open(struct view *view, const struct ph_kernel *kernel)
{
	int r = slots_open(kernel, &view->slots);

	view->kernel = kernel;
	lookup_open(kernel, &view->lookup);
	if (!r && view->follow)
		r = follow_open(view, kernel);
	if (!r && view->unique)
		r = folds_init(&view->folds, PH_EVENT_SLOTS);
	/* Whoever asks for all is told how many are gone. */
	if (!r && !view->since)
		slots_seek(&view->slots, 0);
	return r;
}

static void view_close(struct view *view)
{
	slots_close(&view->slots);
	lookup_close(&view->lookup);
	wake_close(&view->wake);
	fd_close(view->removal);
	folds_done(&view->folds);
}

DEFINE_CLEANUP_DONE(struct view, view_close);

int cmd_events(int argc, char **argv)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	cleanup_(view_closep) struct view view = { .lookup = PH_LOOKUP_NULL, .wake = PH_WAKE_NULL };
	struct ph_fault f = {};
	int r = parse_arguments(argc, argv, &view);

	if (!r)
		r = require_root("events");
	if (r)
		return r;
	r = kernel_open(&kernel, &f);
	if (r && covered_fault(&f))
		return report_failure(NULL, &f);
	if (r == -ENOENT) {
		(void)fprintf(stderr, "porthold events: nothing is in force; see porthold allow\n");
		return PH_EXIT_NO;
	}
	if (r)
		return report_failure(NULL, &f);
	r = view_open(&view, &kernel);
	if (!r)
		r = show(&view);
	if (!r)
		return PH_EXIT_OK;
	(void)fprintf(stderr, "porthold events: cannot read the events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}
