// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a policy file. What is accepted must survive print and parse unchanged; what is
 * refused must come with an error that can be shown.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"
#include "policy/parse.h"
#include "policy/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct ph_policy_set *set)
{
	struct ph_policy_set again = {};
	struct ph_problems problems = {};
	char *text, *text_again;

	assert(policy_set_format(set, &text) == 0);
	assert(policy_parse_text("again", text, strlen(text), &again, &problems) == 0);
	assert(again.n == set->n);
	for (size_t i = 0; i < set->n; i++)
		assert(policy_equal(&set->policies[i], &again.policies[i]));
	assert(policy_set_format(&again, &text_again) == 0);
	assert(strcmp(text, text_again) == 0);
	free(text);
	free(text_again);
	policy_set_done(&again);
	problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	char *text;
	int r;

	r = policy_parse_text("fuzz", (const char *)data, size, &set, &problems);
	assert(r == 0 || r == -EINVAL);
	assert((r == 0) == (problems.n_errors == 0));
	assert(problems_format(&problems, &text) == 0);
	for (const char *c = text; *c; c++)
		assert(*c == '\n' || (unsigned char)*c >= ' ');
	free(text);
	if (r == 0)
		check_round_trip(&set);
	else
		assert(set.n == 0);
	policy_set_done(&set);
	problems_done(&problems);
	return 0;
}
