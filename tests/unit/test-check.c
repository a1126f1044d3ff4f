// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warnings about policies, and the expectations that policies hold: each with its place. That a
 * rule adds nothing is tried on random rules against the reference model; the seed is printed, give
 * it as PH_TEST_SEED to run the same again.
 */
#include "answer.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/paths.h"
#include "policy/reference.h"
#include "policy/resolve.h"
#include "policy/rule.h"
#include "subject.h"
#include "util/cleanup.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ROUNDS 20000
#define FLOWS 64 /* for a pair of rules */

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_bench, bench_done);
DEFINE_CLEANUP_DONE(struct ph_subject, subject_done);
DEFINE_CLEANUP_DONE(struct ph_rule, rule_done);

static struct ph_cidr one_resolver[] = { { 4, 32, { 192, 0, 2, 53 } } };
static const struct ph_cidrs resolvers = { one_resolver, 1 };
static const struct ph_cidrs no_resolvers;

/* --- Sets */

static void parse(const char *text, struct ph_policy_set *set)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_free char *shown = NULL;
	int r = policy_parse_text("t.yaml", text, strlen(text), set, &problems);

	assert_int_equal(problems_format(&problems, &shown), 0);
	if (r)
		fail_msg("%d: %s", r, shown);
}

/* What is warned about in this text: all of it in one. */
static char *warnings(const char *text, const struct ph_cidrs *dns)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	char *shown;

	parse(text, &set);
	assert_int_equal(policy_set_check(&set, NULL, dns, &problems), 0);
	assert_int_equal(problems.n_errors, 0);
	assert_int_equal(problems_format(&problems, &shown), 0);
	return shown;
}

/* A file of one policy: what follows its name. */
static char *policy_warnings(const char *rest)
{
	cleanup_free char *text = NULL;

	assert_true(asprintf(&text, "porthold: 1\npolicies:\n  - name: p\n%s\n%s", rest,
			     strstr(rest, "allow:") ? "" : "    allow: []\n") > 0);
	return warnings(text, &resolvers);
}

static void check_warning(const char *rest, const char *expected)
{
	cleanup_free char *shown = policy_warnings(rest);

	if (strncmp(shown, expected, strlen(expected)))
		fail_msg("\"%s\" does not begin: %s", expected, shown);
	/* And no other one. */
	assert_ptr_equal(strchr(shown, '\n') + 1, shown + strlen(shown));
}

static void check_silence(const char *rest)
{
	cleanup_free char *shown = policy_warnings(rest);

	assert_string_equal(shown, "");
}

/* The same of one rule. */
static void check_rules(const char *rules, const char *expected)
{
	cleanup_free char *rest = NULL;

	assert_true(asprintf(&rest, "    match: {comm: x}\n    allow:\n%s", rules) > 0);
	if (expected)
		check_warning(rest, expected);
	else
		check_silence(rest);
}

/* --- Warnings */

static void test_names(void **state)
{
	cleanup_free char *own =
		warnings("porthold: 1\npolicies:\n"
			 "  - {name: porthold-test, match: {comm: x}, allow: []}\n",
			 &resolvers);

	assert_non_null(strstr(own, "t.yaml:3:5: warning: policy porthold-test: the name is that"));
	check_warning("    match: {comm: bash}", "t.yaml:3:5: warning: policy p: bash is an int");
	check_warning("    match: {comm: python3.11}", "t.yaml:3:5: warning: policy p: python3.1");
	check_warning("    match: {exe: /usr/bin/perl}", "t.yaml:3:5: warning: policy p: perl is");
	check_warning("    match: {comm: kworker}", "t.yaml:3:5: warning: policy p: kworker is");
	check_warning("    match: {comm: jbd2}", "t.yaml:3:5: warning: policy p: jbd2 is the name");
	check_warning("    match: {comm: sshd}", "t.yaml:3:5: warning: policy p: apply ref");
	check_silence("    match: {comm: sshd}\n    mode: audit");
	check_silence("    match: {comm: sshd, cgroup: /x}");
	check_silence("    match: {comm: sshd, uid: 1000}");
	check_silence("    match: {comm: bash, unit: x.service}");
	check_silence("    match: {comm: bashful}");
	check_silence("    match: {comm: kworkers}");
	check_silence("    match: {comm: '3.11'}");
}

static void test_children(void **state)
{
	check_warning("    match: {comm: x}\n    children: leave",
		      "t.yaml:3:5: warning: policy p: an open door: children: leave");
	check_silence("    match: {comm: x}\n    children: confine");
}

static void test_except(void **state)
{
	check_rules("      - connect tcp 1 to 127.0.0.0/8 except 10.0.0.0/8\n",
		    "t.yaml:6:9: warning: except 10.0.0.0/8 takes nothing away");
	check_rules("      - connect tcp 1 to 127.0.0.0/8 except 127.1.0.0/16,::1\n",
		    "t.yaml:6:9: warning: except ::1 takes nothing away");
	check_rules("      - bind tcp 1 on 10.0.0.1 from 10.0.0.0/8 except 10.0.0.1\n", NULL);
	check_rules("      - bind tcp 1 on 10.0.0.1 from 11.0.0.0/8 except 10.0.0.1\n",
		    "t.yaml:6:9: warning: except 10.0.0.1 takes nothing away");
	check_rules("      - connect tcp 1 to 127.0.0.1,127.0.0.2 except 127.0.0.0/24\n",
		    "t.yaml:6:9: warning: the rule allows nothing");
}

/* An address that ends in zeros is a network's more often than a host's. */
static void test_hosts(void **state)
{
	check_rules("      - connect tcp 1 to 127.0.0.0\n",
		    "t.yaml:6:9: warning: to 127.0.0.0 is one host, and looks like a network; "
		    "write 127.0.0.0/8 if the network is meant");
	check_rules("      - bind tcp 1 from 10.1.0.0\n",
		    "t.yaml:6:9: warning: from 10.1.0.0 is one host, and looks like a network; "
		    "write 10.1.0.0/16 if");
	check_rules("      - bind tcp 1 from 10.0.0.0/8 except 10.1.2.0\n",
		    "t.yaml:6:9: warning: except 10.1.2.0 is one host, and looks like a network; "
		    "write 10.1.2.0/24 if");
	check_rules("      - bind tcp 1 from 2001:db8::,10.0.0.1\n",
		    "t.yaml:6:9: warning: from 2001:db8:: is one host, and looks like a network");
	check_rules("      - bind tcp 1 on 0.0.0.0 from 10.0.0.1,10.0.0.0/8,2001:db8::1\n", NULL);
}

static void test_shadows(void **state)
{
	check_rules("      - bind tcp 1-9\n      - bind tcp 3,5-9\n",
		    "t.yaml:7:9: warning: the rule adds nothing: \"bind tcp 1-9\" in line 6");
	check_rules("      - bind tcp 3 from 10.0.0.0/8\n      - bind tcp 1-9\n",
		    "t.yaml:6:9: warning: the rule adds nothing: \"bind tcp 1-9\" in line 7");
	check_rules("      - socket icmp\n      - socket icmp\n", "t.yaml:7:9: warning: the rule");
	check_rules("      - loopback\n      - connect udp 9 to 127.3.0.0/16\n",
		    "t.yaml:7:9: warning: the rule adds nothing: \"loopback\" in line 6");
	check_rules("      - dns\n      - dns\n", "t.yaml:7:9: warning: the rule adds nothing");
	check_rules("      - dns\n      - connect udp 53 to 192.0.2.53\n", NULL);
	check_rules("      - bind tcp 1-9\n      - bind udp 3\n      - bind tcp 9,10\n", NULL);
	check_rules("      - bind tcp 1 from 10.0.0.0/8 except 10.1.0.0/16\n"
		    "      - bind tcp 1 from 10.1.0.0/24\n",
		    NULL);
	check_rules("      - bind tcp 1 from 10.0.0.0/8 except 10.1.0.0/16\n"
		    "      - bind tcp 1 from 10.0.0.0/12 except 10.1.0.0/16\n",
		    "t.yaml:7:9: warning: the rule adds nothing");
}

static void test_dns(void **state)
{
	check_rules("      - tcp 80\n", "t.yaml:3:5: warning: policy p denies DNS (port 53 of");
	check_rules("      - connect tcp 80 to 10.0.0.0/8\n", "t.yaml:3:5: warning: policy p den");
	check_rules("      - connect tcp 80 to 127.0.0.1\n", NULL);
	check_rules("      - bind tcp 80\n", NULL);
	check_rules("      - tcp 80\n      - connect udp 53 to 192.0.0.0/16\n", NULL);
	check_rules("      - tcp 53,80\n",
		    "t.yaml:3:5: warning: policy p lets DNS through over TCP alone");
	check_rules("      - tcp 80\n      - connect tcp 53\n      - udp 53\n", NULL);
	check_rules("      - tcp 80\n      - dns\n", NULL);
	check_silence("    match: {comm: x}\n    allow: [tcp 80]\n"
		      "    expect: ['deny connect udp 192.0.2.53:53']");
}

/* Policies of one match count together, those in audit mode apart. */
static void test_dns_of_several(void **state)
{
	static const char together[] =
		"porthold: 1\npolicies:\n"
		"  - {name: a, match: {comm: x}, allow: [tcp 80]}\n"
		"  - {name: b, match: {comm: x}, allow: [tcp 81]}\n"
		"  - {name: c, match: {comm: x}, allow: [dns], mode: audit}\n";
	static const char settled[] = "porthold: 1\npolicies:\n"
				      "  - {name: a, match: {comm: x}, allow: [tcp 80]}\n"
				      "  - {name: b, match: {comm: x}, allow: [dns]}\n";
	cleanup_free char *one = warnings(together, &resolvers);
	cleanup_free char *none = warnings(settled, &resolvers);
	cleanup_free char *unknown = warnings(together, &no_resolvers);

	assert_non_null(strstr(one, "t.yaml:3:5: warning: policy a denies DNS"));
	assert_null(strstr(one, "policy b"));
	assert_string_equal(none, "");
	assert_string_equal(unknown, "");
}

/* --- Rules that add nothing, by chance */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static const char *pick_list(void)
{
	static const char *const lists[] = {
		"10.0.0.0/8",	"10.1.0.0/16",	  "10.1.1.1",
		"0.0.0.0/0",	"0.0.0.0/0,::/0", "10.0.0.0/9,10.128.0.0/9",
		"10.1.1.1,::1", "::/0",		  "10.1.0.0/16,11.0.0.0/8",
	};

	return lists[random_below(sizeof(lists) / sizeof(lists[0]))];
}

static void append_list(char *text, const char *word, unsigned chance)
{
	if (random_below(chance))
		return;
	strcat(strcat(text, word), pick_list());
}

static void random_rule(struct ph_rule *ret)
{
	static const char *const ports[] = { "1", "2", "1-2", "1-3", "2,4", "any" };
	static const char *const doors[] = { "", "connect ", "bind " };
	unsigned door = random_below(3);
	struct ph_text_error error;
	char text[256] = "";

	strcat(text, doors[door]);
	strcat(text, random_below(4) ? "tcp " : "udp ");
	strcat(text, ports[random_below(6)]);
	if (door == 1)
		append_list(text, " to ", 2);
	if (door == 2)
		append_list(text, " on ", 2);
	if (door == 2)
		append_list(text, " from ", 2);
	if (strchr(text, '.') || strchr(text, ':'))
		append_list(text, " except ", 2);
	if (rule_parse(text, strlen(text), ret, &error))
		fail_msg("%s: %s", text, error.message);
}

static void random_endpoint(struct ph_endpoint *ret)
{
	static const struct ph_endpoint endpoints[] = {
		{ 4, { 10, 1, 1, 1 }, 0 }, { 4, { 10, 1, 1, 2 }, 0 },	{ 4, { 10, 2, 0, 0 }, 0 },
		{ 4, { 11, 0, 0, 1 }, 0 }, { 4, { 192, 0, 2, 1 }, 0 },	{ 6, { [15] = 1 }, 0 },
		{ 6, { 0x20, 1 }, 0 },	   { 4, { 10, 200, 0, 0 }, 0 },
	};

	*ret = endpoints[random_below(8)];
	ret->port = 1 + random_below(5);
}

static void random_flow(struct ph_flow_spec *ret)
{
	*ret = (struct ph_flow_spec){ .door = random_below(PH_FLOW_SOCKET) };
	ret->proto = random_below(4) ? PH_PROTO_TCP : PH_PROTO_UDP;
	do {
		random_endpoint(&ret->local);
		random_endpoint(&ret->remote);
	} while (ret->local.family != ret->remote.family);
}

static void check_pair(const struct ph_policy *policy, size_t inner)
{
	struct ph_policy one = { .rules = &policy->rules[inner], .n_rules = 1 };
	struct ph_policy other = { .rules = &policy->rules[!inner], .n_rules = 1 };

	for (int i = 0; i < FLOWS; i++) {
		cleanup_free char *a = NULL, *b = NULL, *text = NULL;
		struct ph_flow_spec flow;

		random_flow(&flow);
		if (!reference_allows(&one, &flow, NULL) || reference_allows(&other, &flow, NULL))
			continue;
		(void)rule_format(one.rules, &a);
		(void)rule_format(other.rules, &b);
		(void)flow_format(&flow, &text);
		fail_msg("\"%s\" adds %s to \"%s\"", a, text, b);
	}
}

/* Of what stands just so in the known set nothing is said; DNS is a matter of all of a match. */
static void test_known(void **state)
{
	static const char before[] =
		"porthold: 1\npolicies:\n  - {name: a, match: {comm: sh}, allow: [connect tcp 1]}\n"
		"  - {name: b, match: {comm: perl}, allow: [bind tcp 1]}\n";
	static const char after[] =
		"porthold: 1\npolicies:\n  - {name: a, match: {comm: sh}, allow: [connect tcp 1]}\n"
		"  - {name: b, match: {comm: perl}, allow: [bind tcp 2]}\n"
		"  - {name: c, match: {comm: sh}, allow: [bind tcp 3]}\n";
	cleanup_(policy_set_donep) struct ph_policy_set known = {}, set = {};
	cleanup_(problems_donep) struct ph_problems same = {}, problems = {};
	cleanup_free char *shown = NULL;

	parse(before, &known);
	parse(after, &set);
	assert_int_equal(policy_set_check(&known, &known, &resolvers, &same), 0);
	assert_int_equal(same.n, 0);
	assert_int_equal(policy_set_check(&set, &known, &resolvers, &problems), 0);
	assert_int_equal(problems_format(&problems, &shown), 0);
	assert_null(strstr(shown, "policy a: sh is an interpreter"));
	assert_non_null(strstr(shown, "policy b: perl is an interpreter"));
	assert_non_null(strstr(shown, "policy c: sh is an interpreter"));
	assert_non_null(strstr(shown, "policy a denies DNS"));
	assert_int_equal(problems.n, 3);
}

static void test_random_shadows(void **state)
{
	const char *seed = getenv("PH_TEST_SEED");
	unsigned found = 0;

	random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("# seed %llu\n", (unsigned long long)random_state);
	for (int round = 0; round < ROUNDS; round++) {
		cleanup_(policy_set_donep) struct ph_policy_set set = {};
		cleanup_(problems_donep) struct ph_problems problems = {};
		struct ph_policy policy = { .name = strdup("p"), .match.comm = "x" };

		for (unsigned i = 0; i < 2; i++) {
			cleanup_(rule_donep) struct ph_rule rule = {};

			random_rule(&rule);
			rule.line = i + 1;
			assert_int_equal(policy_add_rule(&policy, &rule), 0);
		}
		assert_int_equal(policy_set_add(&set, &policy), 0);
		assert_int_equal(policy_set_check(&set, NULL, &no_resolvers, &problems), 0);
		for (size_t i = 0; i < problems.n; i++) {
			if (!strstr(problems.v[i].message, "adds nothing"))
				continue;
			check_pair(&set.policies[0], problems.v[i].line - 1);
			found++;
		}
	}
	assert_true(found > ROUNDS / 100);
}

/* --- Expectations */

static const char expecting[] = "porthold: 1\n"
				"policies:\n"
				"  - name: p\n"
				"    match: {comm: x}\n"
				"    mode: audit\n"
				"    allow:\n"
				"      - tcp 80\n"
				"      - dns\n"
				"    expect:\n"
				"      - allow connect tcp 10.0.0.1:80\n"
				"      - deny connect tcp 10.0.0.1:81\n"
				"      - allow connect udp 192.0.2.53:53\n"
				"      - allow connect tcp 10.0.0.1:81\n"
				"      - deny listen tcp 80\n"
				"      - deny bind tcp 0\n"
				"      - allow socket icmp\n";

static void check_problem(const struct ph_problem *problem, unsigned line, const char *message,
			  const char *remedy)
{
	assert_int_equal(problem->severity, PH_ERROR);
	assert_string_equal(problem->file, "t.yaml");
	assert_int_equal(problem->line, line);
	assert_int_equal(problem->column, 9);
	assert_string_equal(problem->message, message);
	assert_string_equal(problem->remedy, remedy);
}

static void test_expectations(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(bench_donep) struct ph_bench bench = {};
	size_t tried, failed;

	parse(expecting, &set);
	assert_int_equal(bench_prepare(&set, &resolvers, &bench, &problems), 0);
	assert_int_equal(bench_expect(&bench, &problems, &tried, &failed), 0);
	assert_int_equal(tried, 7);
	assert_int_equal(failed, 4);
	assert_int_equal(problems.n, 4);
	check_problem(&problems.v[0], 13,
		      "policy p denies connect tcp 10.0.0.1:81: no rule covers it",
		      "this rule would allow it: connect tcp 81 to 10.0.0.1");
	check_problem(&problems.v[1], 14, "policy p allows listen tcp 80 by \"tcp 80\" in line 7",
		      "narrow that rule, or expect allow");
	check_problem(&problems.v[2], 15,
		      "policy p allows bind tcp 0: it passes under every policy", "expect allow");
	check_problem(&problems.v[3], 16, "policy p denies socket icmp: no rule covers it",
		      "this rule would allow it: socket icmp");
}

/* The rule that is named for a denied flow allows it. */
static void test_missing_rule(void **state)
{
	static const char *const flows[][2] = {
		{ "connect tcp 10.0.0.1:22", "connect tcp 22 to 10.0.0.1" },
		{ "connect udp [2001:db8::1]:53", "connect udp 53 to 2001:db8::1" },
		{ "bind tcp 80", "bind tcp 80" },
		{ "listen tcp 127.0.0.1:80", "bind tcp 80 on 127.0.0.1" },
		{ "listen tcp 0.0.0.0:80", "bind tcp 80" },
		{ "accept tcp 10.0.0.1:80 from 10.0.0.2", "bind tcp 80 on 10.0.0.1 from 10.0.0.2" },
		{ "send udp 10.0.0.1:53", "connect udp 53 to 10.0.0.1" },
		{ "send udp 10.0.0.1:53 on 99", "connect udp 53 to 10.0.0.1" },
		{ "receive udp 10.0.0.1:53 on 99", "bind udp 99 from 10.0.0.1" },
		{ "socket vsock", "socket vsock" },
	};

	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		cleanup_(rule_donep) struct ph_rule rule = {};
		struct ph_policy policy = { .rules = &rule, .n_rules = 1 };
		cleanup_free char *text = NULL;
		struct ph_text_error error;
		struct ph_flow_spec flow;

		assert_int_equal(flow_parse(flows[i][0], strlen(flows[i][0]), &flow, &error), 0);
		assert_int_equal(flow_rule(&flow, &text), 0);
		assert_string_equal(text, flows[i][1]);
		assert_int_equal(rule_parse(text, strlen(text), &rule, &error), 0);
		assert_true(reference_allows(&policy, &flow, NULL));
	}
}

static void test_doors(void **state)
{
	static const struct {
		const char *flow;
		bool allows;
		unsigned door;
	} rows[] = {
		{ "connect tcp 10.0.0.1:80", true, PH_DOOR_CONNECT },
		{ "connect udp 192.0.2.53:53", true, PH_DOOR_SEND },
		{ "connect udp 192.0.2.54:53", false, PH_DOOR_SEND },
		{ "socket icmp", false, PH_DOOR_SOCKET },
		{ "listen tcp 81", false, PH_DOOR_LISTEN },
	};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(bench_donep) struct ph_bench bench = {};

	parse(expecting, &set);
	assert_int_equal(bench_prepare(&set, &resolvers, &bench, &problems), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ph_text_error error;
		struct ph_flow_spec flow;
		struct ph_answer answer;

		assert_int_equal(flow_parse(rows[i].flow, strlen(rows[i].flow), &flow, &error), 0);
		assert_int_equal(bench_ask(&bench, 0, &flow, &answer), 0);
		assert_int_equal(answer.allows, rows[i].allows);
		assert_int_equal(answer.door, rows[i].door);
		assert_int_equal(answer.rule != NULL, rows[i].allows);
	}
}

/* --- Files */

static void test_lines(void **state)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	char path[] = "/tmp/porthold-test-XXXXXX";
	cleanup_close int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\xef\xbb\xbfone\n  two\n", 13), 13);
	assert_int_equal(problems_note(&problems, PH_WARNING, path, 2, 3, NULL, "x"), 0);
	assert_int_equal(problems_note(&problems, PH_WARNING, "/nowhere", 2, 3, NULL, "x"), 0);
	assert_int_equal(problems_note(&problems, PH_WARNING, path, 1, 1, NULL, "x"), 0);
	assert_int_equal(problems_note(&problems, PH_WARNING, path, 0, 0, NULL, "x"), 0);
	assert_int_equal(problems_add_lines(&problems, 0), 0);
	(void)unlink(path);
	assert_string_equal(problems.v[0].source, "  two");
	assert_int_equal(problems.v[0].caret, 2);
	assert_null(problems.v[1].source);
	assert_string_equal(problems.v[2].source, "one");
	assert_int_equal(problems.v[2].caret, 0);
	assert_null(problems.v[3].source);
}

/* The shipped examples are right, say nothing superfluous, and their tests hold. */
static void test_examples(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(bench_donep) struct ph_bench bench = {};
	const char *path = PH_SOURCE_ROOT "/tools/examples";
	cleanup_free char *shown = NULL;
	size_t files = 0, tried = 0;

	assert_int_equal(policy_path_parse(path, &set, NULL, &problems, &files), 0);
	assert_int_equal(policy_set_check(&set, NULL, &resolvers, &problems), 0);
	assert_int_equal(bench_prepare(&set, &resolvers, &bench, &problems), 0);
	assert_int_equal(bench_expect(&bench, &problems, &tried, NULL), 0);
	assert_int_equal(problems_format(&problems, &shown), 0);
	assert_string_equal(shown, "");
	assert_int_equal(files, 10);
	assert_true(tried >= 5 * files);
}

/* --- Processes that are asked about */

static void check_fit(const struct ph_subject *subject, struct ph_match match, int expected,
		      const char *expected_if)
{
	const struct ph_policy policy = { .match = match };
	cleanup_free char *condition = NULL;

	assert_int_equal(subject_fits(subject, subject->comm, &policy, &condition), expected);
	if (expected_if)
		assert_string_equal(condition, expected_if);
	else
		assert_null(condition);
}

static void test_subjects(void **state)
{
	struct ph_subject named = { .comm = "web" };
	struct ph_subject running = { .comm = "web",
				      .exe = "/x/web",
				      .has_uid = true,
				      .uid = 7,
				      .cgroup = "/a.slice/b.service/c" };

	check_fit(&named, (struct ph_match){ .comm = "web" }, PH_FIT_YES, NULL);
	check_fit(&named, (struct ph_match){ .comm = "we" }, PH_FIT_NO, NULL);
	check_fit(&named,
		  (struct ph_match){ .comm = "web", .has_uid = true, .uid = 7, .unit = "u" },
		  PH_FIT_MAYBE, "its uid is 7 and it runs in the unit u");
	check_fit(&running, (struct ph_match){ .has_uid = true, .uid = 7 }, PH_FIT_YES, NULL);
	check_fit(&running, (struct ph_match){ .has_uid = true, .uid = 8 }, PH_FIT_NO, NULL);
	check_fit(&running, (struct ph_match){ .exe = "/x/web" }, PH_FIT_YES, NULL);
	check_fit(&running, (struct ph_match){ .exe = "/y/web" }, PH_FIT_NO, NULL);
	check_fit(&running, (struct ph_match){ .cgroup = "/a.slice/b.service" }, PH_FIT_YES, NULL);
	check_fit(&running, (struct ph_match){ .cgroup = "/a.slice/b.service/c" }, PH_FIT_YES,
		  NULL);
	check_fit(&running, (struct ph_match){ .cgroup = "/a.slice/b" }, PH_FIT_NO, NULL);
	check_fit(&running, (struct ph_match){ .unit = "b.service" }, PH_FIT_YES, NULL);
	check_fit(&running, (struct ph_match){ .unit = "service" }, PH_FIT_NO, NULL);
}

static void test_own_process(void **state)
{
	cleanup_(subject_donep) struct ph_subject self = {}, nobody = {};

	assert_int_equal(subject_of_pid(getpid(), &self), 0);
	assert_string_equal(self.comm, "test-check");
	assert_true(self.has_uid && self.uid == getuid());
	assert_int_equal(self.n_threads, 0);
	assert_int_equal(subject_of_pid(0x7ffffff0, &nobody), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	       cmocka_unit_test(test_children),
		cmocka_unit_test(test_except),	       cmocka_unit_test(test_shadows),
		cmocka_unit_test(test_hosts),	       cmocka_unit_test(test_dns),
		cmocka_unit_test(test_dns_of_several), cmocka_unit_test(test_known),
		cmocka_unit_test(test_random_shadows), cmocka_unit_test(test_expectations),
		cmocka_unit_test(test_missing_rule),   cmocka_unit_test(test_doors),
		cmocka_unit_test(test_lines),	       cmocka_unit_test(test_examples),
		cmocka_unit_test(test_subjects),       cmocka_unit_test(test_own_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
