// SPDX-License-Identifier: GPL-2.0-or-later
/* Which of many counters are a policy's. Reading them needs a kernel and is tested in machines. */
#include "kernel/counters.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>

#include <cmocka.h>

static struct ph_counter entries[] = {
	{ { .policy = 5, .door = PH_DOOR_BIND }, 1 },
	{ { .policy = 7, .door = PH_DOOR_BIND }, 2 },
	{ { .policy = 7, .door = PH_DOOR_CONNECT }, 3 },
	{ { .policy = 7, .door = PH_DOOR_BIND, .count = PH_COUNT_AUDIT }, 4 },
	{ { .policy = 9, .door = PH_DOOR_SEND }, 5 },
};

static void assert_entries(uint64_t policy, const struct ph_counter *first, size_t n)
{
	const struct ph_counters counters = { entries, sizeof(entries) / sizeof(entries[0]) };
	size_t found;

	assert_ptr_equal(counters_of(&counters, policy, &found), first);
	assert_int_equal(found, n);
}

static void test_of_a_policy(void **state)
{
	assert_entries(5, &entries[0], 1);
	assert_entries(7, &entries[1], 3);
	assert_entries(9, &entries[4], 1);
}

static void test_of_none(void **state)
{
	const struct ph_counters empty = {};
	size_t found = 1;

	assert_entries(4, NULL, 0);
	assert_entries(6, NULL, 0);
	assert_entries(UINT64_MAX, NULL, 0);
	assert_null(counters_of(&empty, 5, &found));
	assert_int_equal(found, 0);
}

/* --wrap puts it in the place of the kernel: each door of the policy 7 has one. */
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	const struct ph_counter_key *asked = key;

	errno = fd < 0 ? EBADF : ENOENT;
	if (fd < 0 || asked->policy != 7 || asked->count != PH_COUNT_ATTEMPT)
		return -1;
	*(uint64_t *)value = 1;
	return 0;
}

static void test_sum(void **state)
{
	struct ph_kernel kernel = PH_KERNEL_NULL;
	uint64_t sum;

	kernel.map[PH_MAP_COUNTERS] = 1000;
	assert_int_equal(counters_sum(&kernel, 7, PH_COUNT_ATTEMPT, &sum), 0);
	assert_int_equal(sum, PH_DOOR_MAX);
	assert_int_equal(counters_sum(&kernel, 7, PH_COUNT_AUDIT, &sum), 0);
	assert_int_equal(sum, 0);
}

/* That it cannot be read is told, and is no number. */
static void test_unreadable(void **state)
{
	const struct ph_kernel none = PH_KERNEL_NULL;
	uint64_t sum = 7;

	assert_int_equal(counters_sum(&none, PH_CANARY_ID, PH_COUNT_ATTEMPT, &sum), -EBADF);
	assert_int_equal(sum, 7);
}

/* What has no name would be told as "(null)". */
static void test_names(void **state)
{
	for (unsigned i = 0; i < PH_HEALTH_MAX; i++)
		assert_non_null(health_name(i));
	for (unsigned i = 0; i < PH_HEALTH_ERRORS; i++)
		assert_int_not_equal(*health_meaning(i), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_a_policy), cmocka_unit_test(test_of_none),
		cmocka_unit_test(test_sum),	    cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
