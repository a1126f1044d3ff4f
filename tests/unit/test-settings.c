// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's settings as they are installed: as they stand, and with every key let in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/settings.h"
#include "util/file.h"

#define SHIPPED PH_SOURCE_ROOT "/tools/packaging/porthold.yaml"
#define KEYS 6 /* but the version */

static char *read_shipped(void)
{
	char *text;
	size_t len;

	assert_int_equal(0, file_read(SHIPPED, 65536, &text, &len));
	return text;
}

static void parse(const char *text, struct ph_settings *ret)
{
	struct ph_problems problems = {};
	int r = settings_parse(SHIPPED, text, strlen(text), ret, &problems);

	if (problems.n)
		print_error("%u: %s\n", problems.v[0].line, problems.v[0].message);
	assert_int_equal(0, r);
	problems_done(&problems);
}

static bool is_key(const char *line)
{
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz-");

	return n && line[n] == ':';
}

/* Takes the mark of a comment from what is a key, or an item below one; how many keys. */
static unsigned let_keys_in(char *text)
{
	unsigned keys = 0;

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "# ", 2))
			continue;
		if (is_key(line + 2))
			keys++;
		else if (strncmp(line + 2, "  - ", 4))
			continue;
		memmove(line, line + 2, strlen(line + 2) + 1);
	}
	return keys;
}

static void test_as_shipped(void **state)
{
	struct ph_settings settings = {};
	char *text = read_shipped();

	parse(text, &settings);
	assert_int_equal(PH_CHOICE_RECORDED, settings.backend);
	assert_null(settings.accept);
	assert_null(settings.attach);
	assert_false(settings.has_sinks);
	assert_int_equal(AF_UNSPEC, settings.metrics.any.sa_family);
	settings_done(&settings);
	free(text);
}

static void test_every_key_let_in(void **state)
{
	struct ph_settings settings = {};
	char *text = read_shipped();

	assert_int_equal(KEYS, let_keys_in(text));
	parse(text, &settings);
	assert_int_equal(PH_CHOICE_AUTO, settings.backend);
	assert_string_equal("", settings.accept);
	assert_string_equal("/sys/fs/cgroup", settings.attach);
	assert_true(settings.has_sinks);
	assert_true(settings.journal);
	assert_string_equal("/var/log/porthold/denials.json", settings.json);
	assert_int_equal(AF_UNSPEC, settings.metrics.any.sa_family);
	settings_done(&settings);
	free(text);
}

static void refuses(const char *text, const char *complaint)
{
	struct ph_problems problems = {};
	struct ph_settings settings = {};
	char *shown;

	assert_int_equal(-EINVAL,
			 settings_parse("s.yaml", text, strlen(text), &settings, &problems));
	assert_int_equal(1, problems.n);
	assert_int_equal(0, problem_format(&problems.v[0], &shown));
	assert_memory_equal(complaint, shown, strlen(complaint));
	free(shown);
	problems_done(&problems);
}

/* One mistake, one error. */
static void test_version_is_needed(void **state)
{
	refuses("backend: lsm\n", "s.yaml:1:1: the file has no version; write porthold: 1 first\n");
	refuses("portold: 1\n", "s.yaml:1:1: 'portold' is no setting; did you mean porthold?\n");
}

static void test_boot_failure(void **state)
{
	static const char fail[] = "porthold: 1\non-boot-failure: fail\n";
	struct ph_problems problems = {};
	struct ph_settings settings = {};

	assert_int_equal(0, settings_parse("s.yaml", "porthold: 1\n", 12, &settings, &problems));
	assert_false(settings.fail_at_boot);
	assert_int_equal(0, settings_parse("s.yaml", fail, strlen(fail), &settings, &problems));
	assert_true(settings.fail_at_boot);
	settings_done(&settings);
	refuses("porthold: 1\non-boot-failure: panic\n",
		"s.yaml:2:18: 'panic' is nothing to do at a failure; write continue or fail\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_shipped),
		cmocka_unit_test(test_every_key_let_in),
		cmocka_unit_test(test_version_is_needed),
		cmocka_unit_test(test_boot_failure),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
