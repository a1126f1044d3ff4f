// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From events to a policy: what each kind of call becomes, what shares a rule, and that the policy
 * grants all that was seen, whatever was.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/decide.h"
#include "learn/lesson.h"
#include "learn/usage.h"
#include "policy/parse.h"
#include "policy/print.h"
#include "policy/rule.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define CHOSEN 32768, 60999
#define ROUNDS 300

/* --- Events, as the kernel programs write them */

static struct ph_address address(const char *text)
{
	struct ph_address address = {};

	if (!text)
		return address;
	address.v6 = strchr(text, ':') != NULL;
	assert_int_equal(1, inet_pton(address.v6 ? AF_INET6 : AF_INET, text, address.word));
	return address;
}

static struct ph_event event(unsigned door, unsigned question, unsigned kind)
{
	return (struct ph_event){
		.door = door,
		.question = question,
		.family = AF_INET,
		.type = kind == PH_SOCKET_UDP ? PH_DGRAM : PH_STREAM,
		.protocol = kind == PH_SOCKET_UDP ? PH_UDP : PH_TCP,
	};
}

static struct ph_event connect_to(const char *remote, uint16_t port)
{
	struct ph_event made = event(PH_DOOR_CONNECT, PH_ASK_CONNECT, PH_SOCKET_TCP);

	made.remote = address(remote);
	made.remote_port = port;
	return made;
}

static struct ph_event at_local(unsigned door, unsigned question, unsigned kind, const char *local,
				uint16_t port)
{
	struct ph_event made = event(door, question, kind);

	made.local = address(local);
	made.local_port = port;
	return made;
}

static struct ph_event bind_at(const char *local, uint16_t port)
{
	return at_local(PH_DOOR_BIND, PH_ASK_BIND, PH_SOCKET_TCP, local, port);
}

static struct ph_event listen_at(const char *local, uint16_t port)
{
	return at_local(PH_DOOR_LISTEN, PH_ASK_LISTEN, PH_SOCKET_TCP, local, port);
}

static struct ph_event traffic(unsigned kind, const char *local, uint16_t local_port,
			       const char *remote, uint16_t remote_port)
{
	struct ph_event made = at_local(PH_DOOR_SEND, PH_ASK_TRAFFIC, kind, local, local_port);

	made.remote = address(remote);
	made.remote_port = remote_port;
	return made;
}

static struct ph_event socket_of(unsigned family, unsigned type, unsigned protocol)
{
	return (struct ph_event){
		.door = PH_DOOR_SOCKET, .family = family, .type = type, .protocol = protocol
	};
}

/* --- What is learned */

static struct ph_cidr resolver = { .family = 4, .len = 32, .addr = { 192, 0, 2, 53 } };

static void learn(const struct ph_event *events, size_t n, enum ph_addresses addresses,
		  struct ph_lesson *ret)
{
	const struct ph_terms terms = { .addresses = addresses,
					.chosen = { CHOSEN },
					.resolvers = { &resolver, 1 } };
	struct ph_seen seen = { .chosen = { CHOSEN } };
	struct ph_sight *sights;
	size_t n_sights;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(0, seen_add(&seen, &events[i]));
	assert_int_equal(n, seen.calls);
	assert_int_equal(0, seen_list(&seen, &sights, &n_sights));
	assert_int_equal(seen.n, n_sights);
	assert_int_equal(0, lesson_make(sights, n_sights, &terms, ret));
	free(sights);
	seen_done(&seen);
}

/* The rules and reasons in lines, then the remarks. */
static char *text_of(const struct ph_lesson *lesson)
{
	static char text[4096];
	size_t used = 0;

	*text = 0;
	for (size_t i = 0; i < lesson->policy.n_rules; i++) {
		char *rule, *reason = reason_text(&lesson->reasons[i]);

		assert_int_equal(0, rule_format(&lesson->policy.rules[i], &rule));
		used += snprintf(text + used, sizeof(text) - used, "%s # %s\n", rule, reason);
		free(rule);
		free(reason);
	}
	for (size_t i = 0; i < lesson->n_remarks; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s\n", lesson->remarks[i]);
	assert_true(used < sizeof(text));
	return text;
}

static void assert_learns(const char *expected, enum ph_addresses addresses,
			  const struct ph_event *events, size_t n)
{
	struct ph_lesson lesson;

	learn(events, n, addresses, &lesson);
	assert_string_equal(expected, text_of(&lesson));
	lesson_done(&lesson);
}

#define LEARNS(expected, addresses, ...)                                        \
	do {                                                                    \
		const struct ph_event _events[] = { __VA_ARGS__ };              \
		assert_learns(expected, addresses, _events, ELEMENTS(_events)); \
	} while (0)

static void test_ports_that_share_addresses_share_a_rule(void **state)
{
	LEARNS("connect tcp 25 to 192.0.2.2 # 1 call\n"
	       "connect tcp 80,443 to 192.0.2.1,2001:db8::1 # 4 calls\n",
	       PH_ADDRESSES_EXACT, connect_to("192.0.2.1", 443), connect_to("192.0.2.1", 80),
	       connect_to("2001:db8::1", 80), connect_to("2001:db8::1", 443),
	       connect_to("192.0.2.2", 25));
}

static void test_addresses_widen_only_when_asked(void **state)
{
	LEARNS("connect tcp 80 to 192.0.2.0/24,2001:db8::/64 # 3 calls\n", PH_ADDRESSES_NET,
	       connect_to("192.0.2.1", 80), connect_to("192.0.2.9", 80),
	       connect_to("2001:db8::1", 80));
	LEARNS("connect tcp 80-81 # 2 calls\n", PH_ADDRESSES_ANY, connect_to("192.0.2.1", 80),
	       connect_to("192.0.2.9", 81));
}

static void test_data_counts_for_what_began_it(void **state)
{
	LEARNS("connect tcp 80 to 192.0.2.1 # 3 calls\n", PH_ADDRESSES_EXACT,
	       connect_to("192.0.2.1", 80),
	       traffic(PH_SOCKET_TCP, "10.0.0.1", 40000, "192.0.2.1", 80),
	       traffic(PH_SOCKET_TCP, "10.0.0.1", 40000, "192.0.2.1", 80));
	/* Of a server with no address of its own, and one with. */
	LEARNS("bind tcp 8080 # 4 calls\n", PH_ADDRESSES_EXACT, bind_at("::", 8080),
	       listen_at("::", 8080), traffic(PH_SOCKET_TCP, "10.0.0.1", 8080, "192.0.2.1", 40000),
	       traffic(PH_SOCKET_TCP, "2001:db8::1", 8080, "2001:db8::2", 80));
	LEARNS("bind tcp 8080 on 10.0.0.1 # 2 calls\n", PH_ADDRESSES_NET, bind_at("10.0.0.1", 8080),
	       traffic(PH_SOCKET_TCP, "10.0.0.1", 8080, "192.0.2.1", 40000));
}

static void test_what_was_open_before_is_a_guess(void **state)
{
	LEARNS("connect tcp 80 to 192.0.2.1 # 1 call; a guess: open before the watch\n",
	       PH_ADDRESSES_EXACT, traffic(PH_SOCKET_TCP, "10.0.0.1", 40000, "192.0.2.1", 80));
	LEARNS("bind tcp 80 on 10.0.0.1 # 1 call; a guess: open before the watch\n",
	       PH_ADDRESSES_EXACT, traffic(PH_SOCKET_TCP, "10.0.0.1", 80, "192.0.2.1", 40000));
	LEARNS("bind udp 53 on 10.0.0.1 # 1 call; a guess: open before the watch\n",
	       PH_ADDRESSES_EXACT, traffic(PH_SOCKET_UDP, "10.0.0.1", 53, "192.0.2.1", 40000));
	/* It is none any more when the call itself is seen. */
	LEARNS("connect tcp 80 to 192.0.2.1 # 2 calls\n", PH_ADDRESSES_EXACT,
	       traffic(PH_SOCKET_TCP, "10.0.0.1", 40000, "192.0.2.1", 80),
	       connect_to("192.0.2.1", 80));
}

static void test_a_port_that_the_kernel_chose(void **state)
{
	LEARNS("bind tcp 32768-60999 on 127.0.0.1 # 3 calls; the kernel chose the port\n",
	       PH_ADDRESSES_EXACT, listen_at("127.0.0.1", 40001), listen_at("127.0.0.1", 40002),
	       traffic(PH_SOCKET_TCP, "127.0.0.1", 40001, "127.0.0.1", 50000));
	LEARNS("bind tcp 40001 on 127.0.0.1 # 2 calls\n", PH_ADDRESSES_EXACT,
	       bind_at("127.0.0.1", 40001), listen_at("127.0.0.1", 40001));
}

static void test_udp(void **state)
{
	/* A socket, a connect and a bind to port 0 send nothing. */
	LEARNS("connect udp 123 to 192.0.2.1 # 1 call\n", PH_ADDRESSES_EXACT,
	       socket_of(AF_INET, PH_DGRAM, 0),
	       event(PH_DOOR_CONNECT, PH_ASK_SOCKET, PH_SOCKET_UDP),
	       at_local(PH_DOOR_BIND, PH_ASK_BIND, PH_SOCKET_UDP, "0.0.0.0", 0),
	       traffic(PH_SOCKET_UDP, "10.0.0.1", 0, "192.0.2.1", 123));
}

static void test_dns(void **state)
{
	LEARNS("dns # 2 calls\nconnect udp 53 to 192.0.2.54 # 1 call\n", PH_ADDRESSES_EXACT,
	       traffic(PH_SOCKET_UDP, "10.0.0.1", 40000, "192.0.2.53", 53),
	       connect_to("192.0.2.53", 53),
	       traffic(PH_SOCKET_UDP, "10.0.0.1", 40000, "192.0.2.54", 53));
}

static void test_loopback_only_where_it_may_be_wide(void **state)
{
	const struct ph_event events[] = { bind_at("127.0.0.1", 8080),
					   connect_to("127.0.0.1", 5432) };

	assert_learns("connect tcp 5432 to 127.0.0.1 # 1 call\n"
		      "bind tcp 8080 on 127.0.0.1 # 1 call\n",
		      PH_ADDRESSES_EXACT, events, 2);
	assert_learns("loopback # 2 calls\n", PH_ADDRESSES_NET, events, 2);
	assert_learns("bind tcp 8080 on 127.0.0.1 # 1 call\n", PH_ADDRESSES_NET, events, 1);
	/* A server for everybody is none of loopback. */
	LEARNS("loopback # 2 calls\nbind tcp 80 # 1 call\n", PH_ADDRESSES_ANY,
	       bind_at("0.0.0.0", 80), bind_at("::1", 81), connect_to("::1", 81));
}

static void test_other_sockets(void **state)
{
	struct ph_event ptrace = { .door = PH_DOOR_PTRACE };

	LEARNS("socket icmp # 1 call\nsocket packet # 2 calls\n"
	       "1 call with sockets of family 2, type 1, protocol 132; no rule can grant this\n"
	       "1 call at the door ptrace; no rule can grant this\n",
	       PH_ADDRESSES_EXACT, socket_of(AF_INET, PH_DGRAM, PH_ICMP),
	       socket_of(PH_AF_PACKET, PH_RAW, 0), socket_of(PH_AF_PACKET, PH_DGRAM, 0),
	       socket_of(AF_INET, PH_STREAM, 132), ptrace);
}

static void test_nothing(void **state)
{
	assert_learns("", PH_ADDRESSES_EXACT, NULL, 0);
}

/* --- Whatever is seen is granted */

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

static const char *some_address(bool wildcard_too)
{
	static const char *const addresses[] = { "0.0.0.0",	 "::",	      "127.0.0.1",
						 "::1",		 "10.1.2.3",  "10.1.2.4",
						 "192.0.2.53",	 "192.0.2.1", "2001:db8::7",
						 "2001:db8:1::7" };
	unsigned skip = wildcard_too ? 0 : 2;

	return addresses[skip + below(ELEMENTS(addresses) - skip)];
}

static uint16_t some_port(void)
{
	static const uint16_t ports[] = { 22, 53, 80, 443, 8080, 40000, 40001, 65535 };

	return ports[below(ELEMENTS(ports))];
}

static struct ph_event some_event(void)
{
	unsigned kind = below(3) ? PH_SOCKET_TCP : PH_SOCKET_UDP;

	switch (below(6)) {
	case 0:
		return bind_at(some_address(true), some_port());
	case 1:
		return listen_at(some_address(true), some_port());
	case 2:
		return socket_of(AF_INET, 1 + below(3), below(2));
	case 3:
		return connect_to(some_address(false), some_port());
	default:
		return traffic(kind, some_address(kind == PH_SOCKET_UDP), some_port(),
			       some_address(false), some_port());
	}
}

static bool can_be_granted(const struct ph_sight *sight)
{
	enum ph_rule_socket unused;

	return sight->need == PH_NEED_CONNECT || sight->need == PH_NEED_BIND ||
	       (sight->need == PH_NEED_SOCKET && kind_rule_socket(sight->kind, &unused));
}

static size_t count_lines(const char *text, const char *with)
{
	size_t n = 0;

	for (; (text = strstr(text, with)); text++)
		n++;
	return n;
}

/* Through the text, so that what is printed is what is held against the sights. */
static void reread(const struct ph_lesson *lesson, struct ph_policy_set *set)
{
	char **notes = calloc(lesson->policy.n_rules + 1, sizeof(*notes));
	struct ph_policy named = lesson->policy;
	struct ph_problems problems = {};
	char *text;

	for (size_t i = 0; i < named.n_rules; i++)
		notes[i] = reason_text(&lesson->reasons[i]);
	named.name = "learned";
	(void)strcpy(named.match.comm, "learned");
	assert_int_equal(0, policy_format_noted(&named, notes, &text));
	assert_int_equal(named.n_rules, count_lines(text, " # "));
	for (size_t i = 0; i < named.n_rules; i++)
		free(notes[i]);
	free(notes);
	assert_int_equal(0, policy_parse_text("learned.yaml", text, strlen(text), set, &problems));
	assert_int_equal(0, problems.n);
	free(text);
	problems_done(&problems);
}

static void hold_against(const struct ph_seen *seen, enum ph_addresses addresses)
{
	const struct ph_terms terms = { .addresses = addresses,
					.chosen = { CHOSEN },
					.resolvers = { &resolver, 1 } };
	struct ph_problems problems = {};
	struct ph_policy_set set = {};
	struct ph_lesson lesson;
	struct ph_usage usage;
	struct ph_sight *sights;
	uint64_t granted = 0, needed = 0;
	size_t n;

	assert_int_equal(0, seen_list(seen, &sights, &n));
	assert_int_equal(0, lesson_make(sights, n, &terms, &lesson));
	reread(&lesson, &set);
	assert_int_equal(0, usage_make(&set.policies[0], &terms.resolvers, sights, n, &usage,
				       &problems));
	for (size_t i = 0; i < usage.n_missing; i++)
		assert_false(can_be_granted(&usage.missing[i]));
	for (size_t i = 0; i < n; i++)
		needed += can_be_granted(&sights[i]) ? sights[i].calls : 0;
	for (size_t i = 0; i < set.policies[0].n_rules; i++)
		granted += usage.calls[i];
	assert_true(granted >= needed);
	usage_done(&usage);
	lesson_done(&lesson);
	policy_set_done(&set);
	problems_done(&problems);
	free(sights);
}

static void test_all_that_is_seen_is_granted(void **state)
{
	srandom(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct ph_seen seen = { .chosen = { CHOSEN } };

		for (unsigned n = below(40); n; n--) {
			struct ph_event made = some_event();

			assert_int_equal(0, seen_add(&seen, &made));
		}
		hold_against(&seen, PH_ADDRESSES_EXACT);
		hold_against(&seen, PH_ADDRESSES_NET);
		hold_against(&seen, PH_ADDRESSES_ANY);
		seen_done(&seen);
	}
}

static void test_rules_that_nobody_needs(void **state)
{
	static const char text[] = "porthold: 1\n"
				   "policies:\n"
				   "  - name: web\n"
				   "    match: {comm: web}\n"
				   "    allow: [tcp 80, dns, connect tcp 443 to 192.0.2.1]\n";
	const struct ph_cidrs resolvers = { &resolver, 1 };
	const struct ph_event events[] = { connect_to("192.0.2.53", 53),
					   connect_to("192.0.2.53", 53),
					   connect_to("192.0.2.1", 443),
					   connect_to("192.0.2.2", 443) };
	struct ph_seen seen = { .chosen = { CHOSEN } };
	struct ph_problems problems = {};
	struct ph_policy_set set = {};
	struct ph_sight *sights;
	struct ph_usage usage;
	size_t n;

	for (size_t i = 0; i < ELEMENTS(events); i++)
		assert_int_equal(0, seen_add(&seen, &events[i]));
	assert_int_equal(0, seen_list(&seen, &sights, &n));
	assert_int_equal(0, policy_parse_text("web.yaml", text, strlen(text), &set, &problems));
	assert_int_equal(0, usage_make(&set.policies[0], &resolvers, sights, n, &usage, &problems));
	assert_int_equal(0, usage.calls[0]);
	assert_int_equal(2, usage.calls[1]);
	assert_int_equal(1, usage.calls[2]);
	assert_int_equal(1, usage.n_missing);
	assert_int_equal(443, usage.missing[0].end.port);
	assert_int_equal(2, usage.missing[0].end.addr[3]);
	usage_done(&usage);
	policy_set_done(&set);
	problems_done(&problems);
	seen_done(&seen);
	free(sights);
}

static void test_more_than_can_be_kept(void **state)
{
	struct ph_seen seen = { .chosen = { CHOSEN } };

	for (unsigned i = 0; i < PH_SIGHTS_MAX + 5; i++) {
		struct ph_event made = connect_to("10.0.0.0", 80);

		made.remote.word[0] = htonl(0x0a000000 + i);
		assert_int_equal(0, seen_add(&seen, &made));
	}
	assert_int_equal(PH_SIGHTS_MAX, seen.n);
	assert_int_equal(5, seen.left_out);
	hold_against(&seen, PH_ADDRESSES_EXACT); /* more addresses than a rule can list */
	hold_against(&seen, PH_ADDRESSES_NET);
	seen_done(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_that_share_addresses_share_a_rule),
		cmocka_unit_test(test_addresses_widen_only_when_asked),
		cmocka_unit_test(test_data_counts_for_what_began_it),
		cmocka_unit_test(test_what_was_open_before_is_a_guess),
		cmocka_unit_test(test_a_port_that_the_kernel_chose),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_loopback_only_where_it_may_be_wide),
		cmocka_unit_test(test_other_sockets),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_all_that_is_seen_is_granted),
		cmocka_unit_test(test_rules_that_nobody_needs),
		cmocka_unit_test(test_more_than_can_be_kept),
	};

	return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
