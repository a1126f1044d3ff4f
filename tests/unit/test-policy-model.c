// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The model: random policies survive print and parse; sets, differences, keywords, and what the
 * reference says about flows.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/diff.h"
#include "policy/parse.h"
#include "policy/print.h"
#include "policy/reference.h"
#include "policy/resolve.h"
#include "policy/rule.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define SEED 20260101U

static uint64_t random_state;

static unsigned below(unsigned n)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)((random_state >> 33) % n);
}

static void random_bytes(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)below(256);
}

static struct ph_cidr random_cidr(void)
{
	struct ph_cidr cidr = { .family = below(2) ? 4 : 6 };
	unsigned bits = cidr.family == 4 ? 32 : 128;

	random_bytes(cidr.addr, bits / 8);
	cidr.len = (uint8_t)below(bits + 1);
	for (unsigned i = cidr.len; i < bits; i++)
		cidr.addr[i / 8] &= (uint8_t) ~(0x80U >> i % 8);
	return cidr;
}

static struct ph_cidrs random_cidrs(void)
{
	struct ph_cidrs list = { .n = 1 + below(5) };

	list.v = calloc(list.n, sizeof(*list.v));
	for (size_t i = 0; i < list.n; i++)
		list.v[i] = random_cidr();
	cidrs_normalize(&list);
	return list;
}

static struct ph_rule random_rule(void)
{
	struct ph_rule rule = { .kind = below(8) ? PH_RULE_PORTS : PH_RULE_SOCKET + below(3) };
	unsigned doors = below(3);

	rule.origin = rule.kind;
	if (rule.kind == PH_RULE_SOCKET)
		rule.socket = below(4);
	if (rule.kind != PH_RULE_PORTS)
		return rule;
	rule.proto = below(2);
	rule.connect = doors != 1;
	rule.bind = doors != 0;
	rule.n_ranges = 1 + below(6);
	rule.ranges = calloc(rule.n_ranges, sizeof(*rule.ranges));
	for (size_t i = 0; i < rule.n_ranges; i++) {
		rule.ranges[i].lo = (uint16_t)(1 + below(65535));
		rule.ranges[i].hi =
			(uint16_t)(rule.ranges[i].lo + below(65536U - rule.ranges[i].lo));
	}
	ranges_normalize(rule.ranges, &rule.n_ranges);
	if (doors == 0 && below(2))
		rule.to = random_cidrs();
	if (doors == 1 && below(2))
		rule.on = random_cidrs();
	if (doors == 1 && below(2))
		rule.from = random_cidrs();
	if ((rule.to.n || rule.on.n || rule.from.n) && below(2))
		rule.except = random_cidrs();
	return rule;
}

/* Characters that mean something to YAML are likely. */
static char *random_text(size_t max)
{
	static const char *const parts[] = {
		"a", "Z", "0", ":", "#", " ", "'", "\"", "\\", "-", ".",    ",",   "[",	      "{",
		"}", "&", "*", "!", "%", "@", "|", ">",	 "?",  "~", "null", "yes", "\xc3\xa9"
	};
	char *text = calloc(1, max + 2);
	size_t n = 1 + below((unsigned)max);

	while (strlen(text) < n) {
		const char *part = parts[below(ELEMENTS(parts))];

		if (strlen(text) + strlen(part) > max)
			break;
		strcat(text, part);
	}
	return text;
}

/* In a match no pattern may stand; in a policy's name they are letters as others. */
static char *random_match(size_t max)
{
	char *text = random_text(max);

	for (char *at = text; (at = strpbrk(at, "*?"));)
		*at = '_';
	return text;
}

static char *random_path(void)
{
	char *part = random_match(20), *path;

	assert_true(asprintf(&path, "/x%s/y%s", part, part) > 0);
	free(part);
	return path;
}

static void random_policy(struct ph_policy *policy, unsigned number)
{
	unsigned n = below(5);
	char *text = random_text(20);

	assert_true(asprintf(&policy->name, "%u%s", number, text) > 0);
	free(text);
	if (below(2)) {
		text = random_match(PH_COMM_MAX);
		strcpy(policy->match.comm, text);
		free(text);
	}
	if (below(3) == 0)
		policy->match.exe = random_path();
	if (below(3) == 0)
		policy->match.cgroup = random_path();
	if (below(3) == 0)
		policy->match.unit = strdup("x@y.service");
	policy->match.uid = below(UINT16_MAX);
	policy->match.has_uid = !policy->match.comm[0] || below(2);
	policy->mode = below(2);
	policy->children = below(2);
	for (unsigned i = 0; i < n; i++) {
		struct ph_rule rule = random_rule();

		assert_int_equal(policy_add_rule(policy, &rule), 0);
	}
}

static void parse_set(const char *text, struct ph_policy_set *set)
{
	struct ph_problems problems = {};
	char *shown;

	if (policy_parse_text("f", text, strlen(text), set, &problems) < 0) {
		assert_int_equal(problems_format(&problems, &shown), 0);
		fail_msg("%s", shown);
	}
	problems_done(&problems);
}

static void test_round_trip(void **state)
{
	enum {
		POLICIES = 5000
	};
	struct ph_policy_set set = {}, again = {};
	char *text, *text_again;

	(void)state;
	random_state = SEED;
	print_message("seed %u\n", SEED);
	for (unsigned i = 0; i < POLICIES; i++) {
		struct ph_policy policy = {};

		random_policy(&policy, i);
		assert_int_equal(policy_set_add(&set, &policy), 0);
	}
	assert_int_equal(policy_set_format(&set, &text), 0);
	parse_set(text, &again);
	assert_int_equal(again.n, set.n);
	for (size_t i = 0; i < set.n; i++)
		if (!policy_equal(&set.policies[i], &again.policies[i]))
			fail_msg("policy %zu", i);
	assert_int_equal(policy_set_format(&again, &text_again), 0);
	assert_string_equal(text, text_again);
	free(text);
	free(text_again);
	policy_set_done(&set);
	policy_set_done(&again);
}

#define HEAD "porthold: 1\npolicies:\n"

static void test_sets(void **state)
{
	struct ph_policy_set set = {}, other = {};
	struct ph_policy copy = {};

	(void)state;
	parse_set(HEAD "- {name: a, match: {comm: a}, allow: [tcp 1]}\n"
		       "- {name: b, match: {comm: b}, allow: [tcp 1]}\n"
		       "- {name: c, match: {comm: c}, allow: [tcp 1]}\n",
		  &set);
	parse_set(HEAD "- {name: b, match: {comm: b}, allow: [tcp 2]}\n"
		       "- {name: d, match: {comm: d}, allow: []}\n",
		  &other);
	assert_int_equal(policy_copy(&other.policies[0], &copy), 0);
	assert_true(policy_equal(&copy, &other.policies[0]));
	assert_int_equal(policy_set_add(&set, &copy), -EEXIST);
	assert_int_equal(policy_set_merge(&set, &other), 0);
	assert_int_equal(other.n, 0);
	assert_int_equal(set.n, 4);
	assert_true(policy_equal(&set.policies[1], &copy));
	assert_string_equal(set.policies[1].overruled_file, "f");
	assert_int_equal(set.policies[1].overruled_line, 4);
	assert_null(set.policies[0].overruled_file);
	assert_null(set.policies[3].overruled_file);
	assert_string_equal(set.policies[3].name, "d");
	assert_int_equal(policy_set_remove(&set, "x"), -ENOENT);
	assert_int_equal(policy_set_remove(&set, "a"), 0);
	assert_int_equal(set.n, 3);
	assert_null(policy_set_find(&set, "a"));
	assert_ptr_equal(policy_set_find(&set, "b"), &set.policies[0]);
	assert_int_equal(policy_set_remove(&set, "b"), 0);
	assert_int_equal(policy_set_add(&set, &copy), 0);
	assert_ptr_equal(policy_set_find(&set, "b"), &set.policies[2]);
	policy_set_done(&set);
	policy_set_done(&other);
}

static void check_rule_text(const struct ph_rule *rule, const char *expected)
{
	char *text;

	assert_int_equal(rule_format(rule, &text), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void test_diff(void **state)
{
	struct ph_policy_set before = {}, after = {};
	struct ph_diff diff = {};

	(void)state;
	parse_set(HEAD
		  "- {name: gone, match: {comm: a}, allow: []}\n"
		  "- {name: same, match: {comm: a, uid: 1}, allow: [\"tcp 1,2\", udp 3, udp 3]}\n"
		  "- {name: rules, match: {comm: a}, allow: [tcp 1, tcp 2, dns]}\n"
		  "- {name: rest, match: {comm: a}, allow: []}\n",
		  &before);
	parse_set(HEAD "- {name: new, match: {comm: a}, allow: []}\n"
		       "- {name: rest, match: {uid: 1}, mode: audit, children: leave, allow: [],\n"
		       "   expect: [deny socket raw]}\n"
		       "- {name: rules, match: {comm: a}, allow: [tcp 3, dns, tcp 2]}\n"
		       "- {name: same, match: {uid: 1, comm: a}, allow: [udp 3, tcp 1-2]}\n",
		  &after);
	assert_int_equal(policy_set_diff(&before, &after, &diff), 0);
	assert_int_equal(diff.n, 4);
	assert_string_equal(diff.v[0].before->name, "gone");
	assert_null(diff.v[0].after);
	assert_int_equal(diff.v[1].changed, PH_CHANGED_RULES);
	assert_int_equal(diff.v[1].n_added, 1);
	check_rule_text(diff.v[1].added[0], "tcp 3");
	assert_int_equal(diff.v[1].n_removed, 1);
	check_rule_text(diff.v[1].removed[0], "tcp 1");
	assert_int_equal(diff.v[2].changed, PH_CHANGED_MATCH | PH_CHANGED_MODE |
						    PH_CHANGED_CHILDREN | PH_CHANGED_EXPECTS);
	assert_null(diff.v[3].before);
	assert_string_equal(diff.v[3].after->name, "new");
	diff_done(&diff);
	policy_set_done(&before);
	policy_set_done(&after);
}

static void test_resolve(void **state)
{
	static const char *const expected[] = {
		"tcp 1",
		"connect udp 53 to 10.0.0.1,fe80::1",
		"connect tcp 53 to 10.0.0.1,fe80::1",
		"connect tcp any to 127.0.0.0/8,::1",
		"connect udp any to 127.0.0.0/8,::1",
		"bind tcp any on 127.0.0.0/8,::1 from 127.0.0.0/8,::1",
		"bind udp any on 127.0.0.0/8,::1 from 127.0.0.0/8,::1",
	};
	static const char conf[] =
		"# x\nsearch a\nnameserver fe80::1%eth0\r\n nameserver 10.0.0.1\n"
		"nameserver bad\nnameserver ::ffff:10.0.0.1\nnameserver";
	struct ph_policy_set set = {};
	struct ph_policy resolved = {};
	struct ph_cidrs resolvers = {}, none = {};

	(void)state;
	parse_set(HEAD "- {name: a, match: {comm: a}, allow: [tcp 1, dns, loopback]}\n", &set);
	assert_int_equal(resolvers_parse(conf, sizeof(conf) - 1, &resolvers), 0);
	assert_int_equal(resolvers.n, 2);
	assert_int_equal(policy_resolve(&set.policies[0], &resolvers, &resolved), 0);
	assert_int_equal(resolved.n_rules, ELEMENTS(expected));
	for (size_t i = 0; i < ELEMENTS(expected); i++)
		check_rule_text(&resolved.rules[i], expected[i]);
	assert_int_equal(resolved.rules[1].origin, PH_RULE_DNS);
	assert_int_equal(resolved.rules[1].column, set.policies[0].rules[1].column);
	assert_int_equal(resolved.rules[6].origin, PH_RULE_LOOPBACK);
	policy_done(&resolved);
	assert_int_equal(policy_resolve(&set.policies[0], &none, &resolved), 0);
	assert_int_equal(resolved.n_rules, ELEMENTS(expected) - 2);
	policy_done(&resolved);
	free(resolvers.v);
	assert_int_equal(resolvers_read("/nonexistent/resolv.conf", &resolvers, NULL), 0);
	assert_int_equal(resolvers.n, 2);
	free(resolvers.v);
	policy_set_done(&set);
}

static const struct {
	const char *rules;
	const char *flow;
	int rule; /* the position of the rule that allows; -1 none is needed; -2 denied */
} verdicts[] = {
	{ "tcp 4040", "connect tcp 10.0.0.1:4040", 0 },
	{ "tcp 4040", "connect tcp [::1]:4041", -2 },
	{ "tcp 4040", "connect udp 10.0.0.1:4040", -2 },
	{ "tcp 4040", "bind tcp 4040", 0 },
	{ "tcp 4040", "listen tcp 4041", -2 },
	{ "tcp 4040", "accept tcp 4040 from 10.1.1.1", 0 },
	{ "udp 1, tcp 4040-4050", "listen tcp [::1]:4050", 1 },
	{ "bind tcp 80", "connect tcp 10.0.0.1:80", -2 },
	{ "connect tcp 80", "bind tcp 80", -2 },
	{ "connect tcp 80 to 10.0.0.0/8 except 10.9.0.0/16", "connect tcp 10.1.0.1:80", 0 },
	{ "connect tcp 80 to 10.0.0.0/8 except 10.9.0.0/16", "connect tcp 10.9.0.1:80", -2 },
	{ "connect tcp 80 to 10.0.0.0/8 except 10.9.0.0/16", "connect tcp 11.0.0.1:80", -2 },
	{ "connect tcp 80 to 10.0.0.0/8", "connect tcp [::ffff:10.0.0.1]:80", 0 },
	{ "connect tcp 80 to ::/0", "connect tcp [::ffff:10.0.0.1]:80", -2 },
	{ "connect tcp 80 to ::/0", "connect tcp [2001:db8::1]:80", 0 },
	{ "bind tcp 80 on 127.0.0.1", "bind tcp 127.0.0.1:80", 0 },
	{ "bind tcp 80 on 127.0.0.1", "bind tcp 80", -2 },
	{ "bind tcp 80 on 0.0.0.0", "bind tcp 80", -2 },
	{ "bind tcp 80 on 0.0.0.0, bind tcp 80 on ::", "bind tcp 80", 0 },
	{ "bind tcp 80 from 10.0.0.0/8", "bind tcp 80", 0 },
	{ "bind tcp 80 from 10.0.0.0/8", "accept tcp 80 from 10.1.2.3", 0 },
	{ "bind tcp 80 from 10.0.0.0/8", "accept tcp 80 from 11.1.2.3", -2 },
	{ "bind tcp 80 on 127.0.0.1 from ::1", "accept tcp 80 from ::1", -2 },
	{ "bind tcp 80 on ::/0 except ::1", "listen tcp [::1]:80", -2 },
	{ "bind tcp 80 on ::/0 from ::/0 except ::1", "listen tcp [::1]:80", 0 },
	{ "bind tcp 80 on ::/0 from ::/0 except ::1", "accept tcp [::2]:80 from ::1", -2 },
	{ "tcp 80", "bind tcp 0", -1 },
	{ "tcp 80", "bind udp 0", -1 },
	{ "udp 80", "bind udp 0", -1 },
	{ "connect tcp 80 to 127.0.0.1", "connect tcp 0.0.0.0:80", 0 },
	{ "connect tcp 80 to 0.0.0.0", "connect tcp 0.0.0.0:80", -2 },
	{ "connect tcp 80 to 0.0.0.0/0 except 127.0.0.0/8", "connect tcp 0.0.0.0:80", -2 },
	{ "connect tcp 80 to 0.0.0.0/0 except 127.0.0.0/8", "connect tcp [::ffff:0.0.0.0]:80", -2 },
	{ "connect tcp 80 to 127.0.0.1", "connect tcp [::]:80", -2 },
	{ "connect tcp 80 to ::1", "connect tcp [::]:80", 0 },
	{ "connect tcp 80 to ::/0 except ::1", "connect tcp [::]:80", -2 },
	{ "connect udp 80 to 127.0.0.1", "send udp 0.0.0.0:80", 0 },
	{ "connect udp 80 to 127.0.0.1", "send udp 0.0.0.0:80 on 10.0.0.1:9", -2 },
	{ "connect udp 80 to 10.0.0.1", "send udp 0.0.0.0:80 on 10.0.0.1:9", 0 },
	{ "connect udp 80 to 127.0.0.1", "send udp [::]:80 on 10.0.0.1:9", 0 },
	{ "bind udp 67 from 127.0.0.0/8", "receive udp 0.0.0.0:68 on 67", -2 },
	{ "tcp any", "listen tcp 65535", 0 },
	{ "connect udp 53", "send udp 10.0.0.1:53", 0 },
	{ "bind udp 53", "send udp 10.0.0.1:99", -2 },
	{ "bind udp 53", "send udp 10.0.0.1:99 on 53", 0 },
	{ "bind udp 53 from 10.0.0.0/8", "receive udp 11.0.0.1:99 on 53", -2 },
	{ "bind udp 53 from 10.0.0.0/8, connect udp 99", "receive udp 11.0.0.1:99 on 53", 1 },
	{ "bind udp any", "send udp 10.0.0.1:99", -2 },
	{ "tcp 1", "socket tcp", -1 },
	{ "tcp 1", "socket udp", -1 },
	{ "tcp 1, connect udp 5", "socket udp", -1 },
	{ "socket raw", "socket raw", 0 },
	{ "socket raw", "socket packet", -2 },
	{ "dns", "connect udp 10.0.0.1:53", -2 },
};

static void add_rules(struct ph_policy *policy, const char *rules)
{
	while (*rules) {
		size_t n = strcspn(rules, ",");
		struct ph_text_error error;
		struct ph_rule rule = {};

		assert_int_equal(rule_parse(rules, n, &rule, &error), 0);
		assert_int_equal(policy_add_rule(policy, &rule), 0);
		rules += n + (rules[n] == ',');
	}
}

static void test_reference(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(verdicts); i++) {
		struct ph_policy policy = {};
		struct ph_flow_spec flow;
		struct ph_text_error error;
		const struct ph_rule *rule = NULL;
		bool allowed;

		add_rules(&policy, verdicts[i].rules);
		assert_int_equal(
			flow_parse(verdicts[i].flow, strlen(verdicts[i].flow), &flow, &error), 0);
		allowed = reference_allows(&policy, &flow, &rule);
		if (allowed != (verdicts[i].rule != -2) ||
		    rule != (verdicts[i].rule >= 0 ? &policy.rules[verdicts[i].rule] : NULL))
			fail_msg("\"%s\": %s", verdicts[i].rules, verdicts[i].flow);
		policy_done(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_sets),
		cmocka_unit_test(test_diff),	   cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
