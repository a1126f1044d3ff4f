// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/status.h"

static bool health_is_well(const json_t *health)
{
	json_int_t errors = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)health, name, value)
		errors += json_integer_value(value);
	return !errors;
}

/* Whether all that the files say is in force, and of the programs that they mean now. */
static bool files_are_in_force(const json_t *object)
{
	const json_t *files = json_object_get(object, "files"), *problem;
	size_t i;

	json_array_foreach(json_object_get(object, "programs"), i, problem)
		if (status_is_error(problem))
			return false;
	return !strcmp(json_string_value(json_object_get(files, "state")),
		       status_files_words[PH_FILES_APPLIED]) &&
	       !json_integer_value(json_object_get(object, "bad_files")) &&
	       json_is_null(json_object_get(object, "exe_moved"));
}

/* Nothing is in force, or what is cannot be reached. */
static int status_of_nothing(const json_t *object)
{
	bool lost = json_is_true(json_object_get(object, "gone")) ||
		    json_is_true(json_object_get(object, "in_force"));

	return lost ? PH_EXIT_CANARY : PH_EXIT_NO;
}

/* With --check, whether all is well is what was asked. */
static int status_of(const json_t *object, bool check)
{
	if (!json_object_get(object, "backend"))
		return status_of_nothing(object);
	if (!status_canary_is_well(json_object_get(object, "canary")))
		return PH_EXIT_CANARY;
	if (check && !health_is_well(json_object_get(object, "health")))
		return PH_EXIT_NO;
	return files_are_in_force(object) ? PH_EXIT_OK : PH_EXIT_NO;
}

static void print(const json_t *object, bool json)
{
	if (json) {
		(void)json_dumpf(object, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else {
		status_print(object);
	}
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "check", no_argument, NULL, 'c' },
		{},
	};
	struct status_facts facts = { .kernel = PH_KERNEL_NULL };
	bool json = false, check = false, nothing = false;
	struct ph_fault f = {};
	json_t *object;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("status");
		json |= option == 'j';
		check |= option == 'c';
	}
	if (optind != argc)
		return usage_error("status", "unexpected argument %s", argv[optind]);
	r = require_root("status");
	if (r)
		return r;
	r = status_gather(&facts, check, &nothing, &f);
	if (r) {
		status_facts_done(&facts);
		return report_failure(NULL, &f);
	}
	object = status_json(&facts, nothing);
	status_facts_done(&facts);
	print(object, json);
	r = status_of(object, check);
	json_decref(object);
	return r;
}
