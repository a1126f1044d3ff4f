// SPDX-License-Identifier: GPL-2.0-or-later
/* What a probe makes of the answer of a call: nothing that was not tried is taken for a refusal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe/internal.h"

static enum probe_answer judged(long result, int error)
{
	struct probe_env env = {};

	errno = error;
	return probe_judge(&env, "call", result);
}

static void test_errno(void **state)
{
	assert_int_equal(judged(0, EPERM), PROBE_ALLOWED);
	assert_int_equal(judged(7, 0), PROBE_ALLOWED);
	assert_int_equal(judged(-1, EPERM), PROBE_DENIED);
	assert_int_equal(judged(-1, EACCES), PROBE_OTHER);
	assert_int_equal(judged(-1, ECONNREFUSED), PROBE_OTHER);
	assert_int_equal(judged(-1, EINVAL), PROBE_OTHER);
}

static void test_absent(void **state)
{
	static const int errors[] = { EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT,
				      EOPNOTSUPP,   ENOPROTOOPT,     ENOSYS };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_int_equal(judged(-1, errors[i]), PROBE_UNTRIED);
}

static void test_others(void **state)
{
	struct probe_env env = {};

	errno = EINVAL;
	assert_int_equal(probe_judge_invalid(&env, "call", -1), PROBE_DENIED);
	errno = ECONNREFUSED;
	assert_int_equal(probe_judge_invalid(&env, "call", -1), PROBE_OTHER);
	assert_int_equal(probe_judge_invalid(&env, "call", 0), PROBE_ALLOWED);
	errno = EINVAL;
	assert_int_equal(probe_judge_passed(&env, "call", -1), PROBE_ALLOWED);
	errno = EPERM;
	assert_int_equal(probe_judge_passed(&env, "call", -1), PROBE_DENIED);
	errno = EMFILE;
	assert_int_equal(probe_cannot(&env, "socket"), -1);
	assert_string_equal(env.detail, "cannot prepare: socket: EMFILE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
