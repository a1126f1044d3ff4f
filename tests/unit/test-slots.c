// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading events while they are written: each is read once, or is known to be lost.
 */
#include "events/slots.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake-slots.h"

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	return look_up_head(value);
}

static void write_events(unsigned n)
{
	for (unsigned i = 0; i < n; i++, head++)
		slots[head % PH_EVENT_SLOTS] = (struct ph_event){ .seq = head + 1, .policy = head };
}

/* All that there is, each with its own number; how many. */
static unsigned read_events(struct ph_slots *reader, uint64_t *ret_last)
{
	struct ph_event event;
	unsigned n = 0;
	int r;

	while ((r = slots_next(reader, &event)) == 1) {
		assert_int_equal(event.seq, event.policy + 1);
		assert_true(!n || event.policy > *ret_last);
		*ret_last = event.policy;
		n++;
	}
	assert_true(!r || r == -EAGAIN);
	return n;
}

static int set_up(void **state)
{
	return make_slots();
}

static void test_in_time(void **state)
{
	struct ph_slots reader;
	uint64_t last = 0;

	assert_int_equal(slots_open(&kernel, &reader), 0);
	for (int round = 0; round < 40; round++) {
		write_events(5000);
		assert_int_equal(read_events(&reader, &last), 5000);
		assert_int_equal(last, head - 1);
	}
	assert_int_equal(reader.lost, 0);
	slots_close(&reader);
}

/* What was overwritten before it was asked for is not lost: it is gone. */
static void test_opened_late(void **state)
{
	struct ph_slots reader;
	uint64_t last;

	write_events(PH_EVENT_SLOTS + 1234);
	assert_int_equal(slots_open(&kernel, &reader), 0);
	assert_int_equal(read_events(&reader, &last), PH_EVENT_SLOTS);
	assert_int_equal(reader.lost, 0);
	slots_close(&reader);
}

/* Read or lost: together they are all, to the last one. */
static void test_overtaken(void **state)
{
	struct ph_slots reader;
	uint64_t last, read;

	assert_int_equal(slots_open(&kernel, &reader), 0);
	write_events(10);
	assert_int_equal(read_events(&reader, &last), 10);
	write_events(PH_EVENT_SLOTS + 777);
	read = 10 + read_events(&reader, &last);
	assert_int_equal(last, head - 1);
	assert_in_range(reader.lost, 777, 777 + PH_EVENT_SLOTS / 16);
	assert_int_equal(read + reader.lost, head);
	slots_close(&reader);
}

/* One that its writer gave up is waited for, and no longer than that. */
static void test_unfinished(void **state)
{
	struct ph_slots reader;
	struct ph_event event;
	uint64_t last;

	assert_int_equal(slots_open(&kernel, &reader), 0);
	write_events(3);
	slots[1].seq = 0;
	assert_int_equal(slots_next(&reader, &event), 1);
	assert_int_equal(slots_next(&reader, &event), -EAGAIN);
	now += PH_SLOTS_PATIENCE - 1;
	assert_int_equal(slots_next(&reader, &event), -EAGAIN);
	assert_int_equal(reader.lost, 0);
	now += 1;
	assert_int_equal(read_events(&reader, &last), 1);
	assert_int_equal(last, 2);
	assert_int_equal(reader.lost, 1);
	slots_close(&reader);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_in_time),
		CASE(test_opened_late),
		CASE(test_overtaken),
		CASE(test_unfinished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
