// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a rule, a flow, a list of ports, a name. What is accepted must survive print and
 * parse unchanged; what is refused must say why, and where inside the text.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/name.h"
#include "policy/reference.h"
#include "policy/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(int r, const struct ph_text_error *error, size_t size)
{
	assert(r == -EINVAL);
	assert(error->message[0] && error->remedy[0]);
	assert(error->offset <= size && error->column >= 1 && error->column <= size + 1);
}

static void check_rule(const char *text, size_t size)
{
	struct ph_rule rule = {}, again = {};
	struct ph_text_error error = {};
	char *printed;
	int r = rule_parse(text, size, &rule, &error);

	if (r < 0) {
		check_error(r, &error, size);
		return;
	}
	assert(rule_format(&rule, &printed) == 0);
	assert(rule_parse(printed, strlen(printed), &again, &error) == 0);
	assert(rule_compare(&rule, &again) == 0);
	free(printed);
	rule_done(&rule);
	rule_done(&again);
}

static void check_flow(const char *text, size_t size)
{
	struct ph_policy nothing = {};
	struct ph_flow_spec flow, again;
	struct ph_text_error error = {};
	char *printed, *printed_again;
	int r = flow_parse(text, size, &flow, &error);

	if (r < 0) {
		check_error(r, &error, size);
		return;
	}
	assert(flow_format(&flow, &printed) == 0);
	assert(flow_parse(printed, strlen(printed), &again, &error) == 0);
	assert(flow_format(&again, &printed_again) == 0);
	assert(strcmp(printed, printed_again) == 0);
	(void)reference_allows(&nothing, &flow, NULL);
	free(printed);
	free(printed_again);
}

static void check_ports(const char *text, size_t size)
{
	struct ph_text_error error = {};
	struct ph_range *ranges;
	size_t n;
	int r = ports_parse(text, size, &ranges, &n, &error);

	if (r < 0) {
		check_error(r, &error, size);
		return;
	}
	assert(n > 0 && ranges[0].lo > 0);
	for (size_t i = 1; i < n; i++)
		assert(ranges[i].lo > ranges[i - 1].hi + 1 && ranges[i].lo <= ranges[i].hi);
	free(ranges);
}

/* Each rule that they become is one that can be written and read. */
static void check_port_rules(const char *text, size_t size)
{
	struct ph_policy policy = {};
	struct ph_text_error error = {};
	int r = port_rules_parse(text, size, &policy, &error);

	if (r < 0)
		check_error(r, &error, size);
	for (size_t i = 0; !r && i < policy.n_rules; i++) {
		char *printed;

		assert(rule_format(&policy.rules[i], &printed) == 0);
		check_rule(printed, strlen(printed));
		free(printed);
	}
	policy_done(&policy);
}

static void check_names(const char *text, size_t size)
{
	static int (*const checks[])(const char *, size_t, struct ph_text_error *) = {
		comm_check, policy_name_check, exe_check, cgroup_check, unit_check,
	};
	struct ph_text_error error = {};
	uint32_t uid;
	int r;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		r = checks[i](text, size, &error);
		if (r < 0)
			check_error(r, &error, size);
	}
	r = uid_parse(text, size, &uid, &error);
	if (r < 0)
		check_error(r, &error, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_rule(text, size);
	check_flow(text, size);
	check_ports(text, size);
	check_port_rules(text, size);
	check_names(text, size);
	return 0;
}
