// SPDX-License-Identifier: GPL-2.0-or-later
/* What the BTF of a kernel tells. What is found by trying is tested in machines. */
#include "kernel/features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "util/cleanup.h"

DEFINE_CLEANUP(struct btf *, btf__free);

static void add_function(struct btf *btf, const char *name)
{
	int proto = btf__add_func_proto(btf, 0);

	assert_true(proto > 0);
	assert_true(btf__add_func(btf, name, BTF_FUNC_STATIC, proto) > 0);
}

/* A kernel with these functions, and with a count of what it has not run. */
static void assert_entry(bool counts, const char *const *functions, bool known, bool always)
{
	cleanup_(btf__freep) struct btf *btf = btf__new_empty();
	struct ph_features features = {};

	assert_non_null(btf);
	assert_true(btf__add_struct(btf, "bpf_prog_info", 0) > 0);
	if (counts)
		assert_int_equal(btf__add_field(btf, "recursion_misses", 0, 0, 0), 0);
	for (; *functions; functions++)
		add_function(btf, *functions);
	features_of_entry(btf, &features);
	assert_int_equal(features.entry_known, known);
	if (known)
		assert_int_equal(features.lsm_always, always);
}

static void test_entry(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const one[] = { "__bpf_prog_enter", NULL };
	static const char *const two[] = { "__bpf_prog_enter_recur", "__bpf_prog_enter", NULL };

	assert_entry(false, none, true, true); /* 5.10 */
	assert_entry(false, one, true, true); /* the same, with more BTF */
	assert_entry(true, one, true, false); /* 5.15 */
	assert_entry(true, two, true, true); /* 6.12 */
	assert_entry(true, none, false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
