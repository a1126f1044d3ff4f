// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the log of denials makes of many: each is told by a line, counted by one, or counted as withheld.
 * The functions here, too, are put in the place of others by --wrap.
 */
#include "events/log.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events/wake.h"
#include "fake-slots.h"

#define HEAD 1000 /* descriptors of nobody */
#define HEALTH 1001

int __wrap_wake_open(const struct ph_kernel *of, struct ph_wake *ret);
void __wrap_wake_clear(struct ph_wake *wake);
void __wrap_wake_close(struct ph_wake *wake);

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	if (fd == HEALTH) {
		*(uint64_t *)value = 0;
		return 0;
	}
	if (fd != HEAD) {
		errno = ENOENT;
		return -1;
	}
	return look_up_head(value);
}

int __wrap_wake_open(const struct ph_kernel *of, struct ph_wake *ret)
{
	return 0;
}

void __wrap_wake_clear(struct ph_wake *wake)
{
}

void __wrap_wake_close(struct ph_wake *wake)
{
}

/* Of the kinds from `first` on, so many of each. */
static void write_events(unsigned first, unsigned kinds, unsigned of_each)
{
	for (unsigned i = 0; i < kinds * of_each; i++, head++)
		slots[head % PH_EVENT_SLOTS] = (struct ph_event){
			.seq = head + 1,
			.time = now,
			.policy = 7,
			.family = 2,
			.type = 1,
			.door = PH_DOOR_CONNECT,
			.remote_port = (__u16)(first + i / of_each),
			.kind = PH_EVENT_DENY,
		};
}

static int set_up(void **state)
{
	kernel.map[PH_MAP_EVENT_HEAD] = HEAD;
	kernel.map[PH_MAP_HEALTH] = HEALTH;
	return make_slots();
}

/* The events that the lines tell of; *ret_missing are those that they admit. */
static uint64_t count_told(const char *text, size_t length, uint64_t *ret_missing)
{
	uint64_t told = 0;
	size_t at = 0;

	*ret_missing = 0;
	while (at < length) {
		const char *end = memchr(text + at, '\n', length - at);
		json_t *line = json_loadb(text + at, (size_t)(end - text) - at, 0, NULL);

		assert_non_null(line);
		told += json_integer_value(json_object_get(line, "count"));
		*ret_missing += json_integer_value(json_object_get(line, "missing"));
		json_decref(line);
		at = (size_t)(end - text) + 1;
	}
	return told;
}

static void run(struct ph_eventlog *log)
{
	uint64_t due;

	for (int i = 0; i < 10; i++)
		assert_int_equal(eventlog_run(log, &due), 0);
}

/* All that is written of these, told and withheld. */
static void assert_all(unsigned kinds, unsigned of_each, bool withholds)
{
	struct ph_eventlog_options options = {};
	struct ph_eventlog_counts counts;
	struct ph_eventlog *log;
	char *text = NULL;
	uint64_t told, missing;
	size_t length;

	options.json = open_memstream(&text, &length);
	assert_int_equal(eventlog_open(&kernel, &options, &log), 0);
	write_events(1, kinds, of_each);
	run(log);
	eventlog_counts(log, &counts);
	assert_int_equal(counts.read, (uint64_t)kinds * of_each);
	assert_true(counts.told <= PH_EVENTLOG_LINES);
	assert_int_equal(counts.withheld > 0, withholds);
	assert_int_equal(counts.lost + counts.failed, 0);
	assert_null(eventlog_close(log));
	(void)fclose(options.json);
	told = count_told(text, length, &missing);
	assert_int_equal(told + missing, (uint64_t)kinds * of_each);
	assert_int_equal(missing, counts.withheld);
	free(text);
}

static void test_few(void **state)
{
	assert_all(3, 5, false);
}

static void test_many_kinds(void **state)
{
	assert_all(900, 3, false);
}

/* More than are folded at a time: some are put away untold. */
static void test_too_many_kinds(void **state)
{
	assert_all(4000, 3, true);
}

/* The second of a kind waits for the window's end, and no longer. */
static void test_window(void **state)
{
	struct ph_eventlog_options options = {};
	struct ph_eventlog_counts counts;
	struct ph_eventlog *log;
	uint64_t due;

	assert_int_equal(eventlog_open(&kernel, &options, &log), 0);
	write_events(1, 1, 1);
	run(log);
	write_events(1, 1, 4);
	assert_int_equal(eventlog_run(log, &due), 0);
	assert_int_equal(due, now + PH_EVENTLOG_WINDOW);
	eventlog_counts(log, &counts);
	assert_int_equal(counts.told, 1);
	now = due - 1;
	run(log);
	eventlog_counts(log, &counts);
	assert_int_equal(counts.told, 1);
	now = due;
	run(log);
	eventlog_counts(log, &counts);
	assert_int_equal(counts.told, 2);
	assert_int_equal(counts.read, 5);
	assert_null(eventlog_close(log));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_few),
		CASE(test_many_kinds),
		CASE(test_too_many_kinds),
		CASE(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
