// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "events/format.h"
#include "events/slots.h"
#include "sources.h"
#include "util/cleanup.h"

#define FOLLOW_INTERVAL_NS (100 * 1000 * 1000)

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_slots, slots_close);

struct view {
	bool follow;
	bool json;
};

static int parse_arguments(int argc, char **argv, struct view *view)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (option == '?')
			return usage_error("events", "unknown option");
		view->follow |= option == 'f';
		view->json |= option == 'j';
	}
	return optind == argc ? 0 : usage_error("events", "unexpected argument");
}

static void print_event(const struct ph_event *event, const struct view *view)
{
	json_t *sources = sources_read();

	if (view->json) {
		json_t *object = event_json(event, sources);

		(void)json_dumpf(object, stdout, JSON_COMPACT);
		json_decref(object);
		(void)putchar('\n');
	} else {
		cleanup_free char *text = event_text(event, sources);

		(void)puts(text ? text : "out of memory");
	}
	json_decref(sources);
}

/* Prints what is there; 0 or -errno. */
static int print_new(struct ph_slots *slots, const struct view *view)
{
	uint64_t lost = slots->lost;
	struct ph_event event;
	int r;

	while ((r = slots_next(slots, &event)) == 1)
		print_event(&event, view);
	if (slots->lost != lost)
		(void)fprintf(stderr, "porthold events: %llu events were overwritten unread\n",
			      (unsigned long long)(slots->lost - lost));
	(void)fflush(stdout);
	return r;
}

int cmd_events(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = FOLLOW_INTERVAL_NS };
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	cleanup_(slots_closep) struct ph_slots slots = {};
	struct view view = {};
	struct ph_fault f = {};
	int r = parse_arguments(argc, argv, &view);

	if (!r)
		r = require_root("events");
	if (r)
		return r;
	r = kernel_open(&kernel, &f);
	if (r == -ENOENT) {
		(void)fprintf(stderr, "porthold events: nothing is in force; see porthold allow\n");
		return PH_EXIT_NO;
	}
	if (r)
		return report_failure(NULL, &f);
	r = slots_open(&kernel, &slots);
	if (!r)
		r = print_new(&slots, &view);
	while (!r && view.follow && !ferror(stdout)) {
		(void)nanosleep(&pause, NULL);
		r = print_new(&slots, &view);
	}
	if (!r)
		return PH_EXIT_OK;
	(void)fprintf(stderr, "porthold events: cannot read the events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}
