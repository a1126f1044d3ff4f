// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The compiled decision against the slow reference model: random policies and flows over a universe
 * so small that networks nest, overlap and are excepted all the time. The seed is printed; give it
 * as PH_TEST_SEED to run the same again, PH_TEST_ROUNDS for more or fewer sets.
 */
#include "kernel/decide.h"
#include "policy/reference.h"
#include "policy/rule.h"
#include "util/cleanup.h"

#include <stdarg.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define POLICIES 24 /* in a set */
#define FLOWS 256 /* for a policy */

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

/* --- Chance */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static bool one_in(uint32_t n)
{
	return !random_below(n);
}

static uint16_t random_port(void)
{
	static const uint16_t edges[] = { 1,	2,    3,     4,	    5,	   6,	  7,	 8,    9,
					  53,	510,  511,   512,   513,   514,	  1022,	 1023, 1024,
					  1025, 4040, 65022, 65023, 65024, 65533, 65534, 65535 };

	if (one_in(8))
		return 1 + random_below(65535);
	return edges[random_below(sizeof(edges) / sizeof(edges[0]))];
}

/* 16 addresses of each family, their neighbourhood, and the special ones. */
static void random_address(uint8_t family, uint8_t ret[16])
{
	memset(ret, 0, 16);
	if (one_in(10))
		return;
	if (family == 4) {
		static const uint8_t heads[][4] = { { 10, 0, 0, 0 },	    { 10, 0, 0, 0 },
						    { 10, 0, 0, 16 },	    { 127, 0, 0, 0 },
						    { 255, 255, 255, 240 }, { 0, 0, 0, 0 } };

		memcpy(ret, heads[random_below(6)], 4);
		ret[3] |= random_below(16);
	} else {
		static const uint8_t heads[][4] = { { 0x20, 1, 0xd, 0xb8 },
						    { 0x20, 1, 0xd, 0xb8 },
						    { 0, 0, 0, 0 },
						    { 0xff, 2, 0, 0 } };

		memcpy(ret, heads[random_below(4)], 4);
		ret[9] = one_in(3) << 4;
		ret[15] = random_below(16);
	}
}

static void cut(struct ph_cidr *cidr)
{
	for (unsigned bit = cidr->len; bit < 128; bit++)
		cidr->addr[bit / 8] &= ~(0x80 >> bit % 8);
}

static struct ph_cidr random_cidr(void)
{
	struct ph_cidr cidr = { .family = one_in(2) ? 4 : 6 };
	unsigned bits = cidr.family == 4 ? 32 : 128;

	random_address(cidr.family, cidr.addr);
	cidr.len = one_in(6) ? random_below(bits + 1) : bits - random_below(6);
	if (one_in(12))
		cidr.len = 0;
	cut(&cidr);
	return cidr;
}

static void random_cidrs(struct ph_cidrs *ret)
{
	ret->n = 1 + random_below(one_in(4) ? 12 : 3);
	ret->v = calloc(ret->n, sizeof(*ret->v));
	assert_non_null(ret->v);
	for (size_t i = 0; i < ret->n; i++)
		ret->v[i] = random_cidr();
	cidrs_normalize(ret);
}

static void random_ranges(struct ph_rule *rule)
{
	rule->n_ranges = one_in(6) ? 1 + random_below(12) : 1;
	rule->ranges = calloc(rule->n_ranges, sizeof(*rule->ranges));
	assert_non_null(rule->ranges);
	for (size_t i = 0; i < rule->n_ranges; i++) {
		uint16_t a = random_port(), b = one_in(2) ? a : random_port();

		rule->ranges[i].lo = a < b ? a : b;
		rule->ranges[i].hi = a < b ? b : a;
	}
	if (one_in(8))
		rule->ranges[0] = (struct ph_range){ 1, 65535 };
	ranges_normalize(rule->ranges, &rule->n_ranges);
}

static struct ph_rule random_rule(void)
{
	struct ph_rule rule = { .kind = PH_RULE_PORTS, .proto = random_below(2) };
	uint32_t what = random_below(8);

	if (one_in(20)) {
		rule.kind = rule.origin = PH_RULE_SOCKET;
		rule.socket = random_below(4);
		return rule;
	}
	random_ranges(&rule);
	rule.connect = what < 3 || what == 7;
	rule.bind = what >= 3;
	if (what == 7 || one_in(5))
		return rule;
	if (rule.connect) {
		random_cidrs(&rule.to);
	} else {
		if (!one_in(3))
			random_cidrs(&rule.on);
		if (!rule.on.n || one_in(2))
			random_cidrs(&rule.from);
	}
	if (one_in(2))
		random_cidrs(&rule.except);
	return rule;
}

static void random_policy(struct ph_policy *ret, unsigned number)
{
	unsigned n_rules = random_below(one_in(5) ? 30 : 7);

	assert_true(asprintf(&ret->name, "policy-%u", number) > 0);
	snprintf(ret->match.comm, sizeof(ret->match.comm), "comm-%u", number);
	for (unsigned i = 0; i < n_rules; i++) {
		struct ph_rule rule = random_rule();

		assert_int_equal(policy_add_rule(ret, &rule), 0);
	}
}

static void random_endpoint(struct ph_endpoint *ret, bool needed, const struct ph_policy *policy)
{
	*ret = (struct ph_endpoint){ .port = random_port() };
	if (policy->n_rules && one_in(2)) {
		const struct ph_rule *rule = &policy->rules[random_below(policy->n_rules)];

		if (rule->n_ranges) {
			const struct ph_range *range = &rule->ranges[random_below(rule->n_ranges)];

			ret->port = one_in(2) ? range->lo - one_in(4) : range->hi + one_in(4);
		}
	}
	if (!needed && one_in(3))
		return;
	ret->family = one_in(2) ? 4 : 6;
	random_address(ret->family, ret->addr);
}

/* What the grammar of flows can say. */
static struct ph_flow_spec random_spec(const struct ph_policy *policy)
{
	struct ph_flow_spec spec = { .door = random_below(7), .proto = random_below(2) };

	if (spec.door == PH_FLOW_SOCKET) {
		spec.has_socket_kind = one_in(2);
		if (spec.has_socket_kind)
			spec.socket = random_below(4);
		return spec;
	}
	if (spec.door == PH_FLOW_LISTEN || spec.door == PH_FLOW_ACCEPT)
		spec.proto = PH_PROTO_TCP;
	if (spec.door != PH_FLOW_BIND && spec.door != PH_FLOW_LISTEN)
		random_endpoint(&spec.remote, true, policy);
	if (spec.door != PH_FLOW_CONNECT)
		random_endpoint(&spec.local, false, policy);
	if ((spec.door == PH_FLOW_SEND || spec.door == PH_FLOW_RECEIVE) && one_in(3))
		spec.local = (struct ph_endpoint){};
	if (one_in(12))
		spec.local.port = 0;
	return spec;
}

/* --- Comparison */

static unsigned n_allowed, n_denied;
static unsigned n_anywhere, n_somewhere; /* allowed by ports alone, and not so */

static void fail_with(const struct ph_policy *policy, const struct ph_flow_spec *spec,
		      bool compiled)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		cleanup_free char *text = NULL;

		if (!rule_format(&policy->rules[i], &text))
			print_error("  - %s\n", text);
	}
	{
		cleanup_free char *text = NULL;

		if (!flow_format(spec, &text))
			print_error("%s: compiled says %s\n", text, compiled ? "allow" : "deny");
	}
	fail();
}

static bool has_scopes(const struct ph_grant *grant)
{
	for (int plane = 0; plane < PH_PLANES; plane++)
		if (grant->scope[plane])
			return true;
	return false;
}

/* What is granted without a look at the addresses is granted, and without rules for them that is all. */
static void compare_anywhere(const struct ph_image *image, const struct ph_grant *grant,
			     const struct ph_flow_spec *spec)
{
	struct ph_flow flows[PH_SPEC_FLOWS_MAX];
	size_t n = spec_flows(spec, flows);

	for (size_t i = 0; i < n; i++) {
		bool anywhere = ph_covers_anywhere(image, grant, &flows[i]);

		if (anywhere || !has_scopes(grant))
			assert_int_equal(anywhere, decide_policy(image, grant, &flows[i]));
		if (anywhere)
			n_anywhere++;
		else
			n_somewhere += decide_policy(image, grant, &flows[i]);
	}
}

static void compare(const struct ph_image *image, const struct ph_policy *policy,
		    const struct ph_flow_spec *spec)
{
	const struct ph_grant *grant = image_find_grant(image, policy_id(policy));
	bool compiled;

	assert_non_null(grant);
	assert_ptr_equal(&image->grants[grant->index], grant);
	compare_anywhere(image, grant, spec);
	compiled = decide_spec(image, grant, spec);
	if (compiled != reference_allows(policy, spec, NULL))
		fail_with(policy, spec, compiled);
	if (compiled)
		n_allowed++;
	else
		n_denied++;
}

static const struct ph_image_prefix *longest_prefix(const struct ph_image *image,
						    const struct ph_prefix_key *key)
{
	const struct ph_image_prefix *found = NULL;

	for (size_t i = 0; i < image->n_prefixes; i++) {
		const struct ph_image_prefix *entry = &image->prefixes[i];
		struct ph_cidr cidr = { .family = 6, .len = entry->key.prefixlen - 32 };
		uint8_t addr[16];

		memcpy(cidr.addr, entry->key.word, 16);
		memcpy(addr, key->word, 16);
		if (entry->key.scope == key->scope && entry->key.prefixlen <= key->prefixlen &&
		    cidr_holds(&cidr, 6, addr) &&
		    (!found || entry->key.prefixlen > found->key.prefixlen))
			found = entry;
	}
	return found;
}

/* As the kernel's trie would: by trying every entry. */
static void compare_prefix_lookup(const struct ph_image *image)
{
	struct ph_prefix_key key = {};
	const struct ph_image_prefix *slow;
	uint8_t addr[16];
	uint8_t family = one_in(2) ? 4 : 6;

	if (!image->n_prefixes)
		return;
	key.scope = image->prefixes[random_below(image->n_prefixes)].key.scope & ~1u;
	key.scope |= family == 6;
	key.prefixlen = 32 + (family == 6 ? 128 : 32);
	random_address(family, addr);
	memcpy(key.word, addr, 16);
	slow = longest_prefix(image, &key);
	assert_ptr_equal(image_find_prefix(image, &key), slow ? &slow->value : NULL);
}

static void check_image(const struct ph_image *image)
{
	for (size_t i = 1; i < image->n_grants; i++)
		assert_true(image->grants[i - 1].id < image->grants[i].id);
	for (size_t i = 0; i < image->n_prefixes; i++) {
		const struct ph_prefix_key *key = &image->prefixes[i].key;

		assert_true(key->prefixlen >= 32);
		assert_true(key->prefixlen <= (key->scope & 1 ? 160 : 64));
		assert_true(key->scope >= 2);
		assert_int_equal(image->prefixes[i].value.peers & 1, 0);
	}
}

static void random_set(struct ph_policy_set *set)
{
	for (unsigned i = 0; i < POLICIES; i++) {
		struct ph_policy policy = {};

		random_policy(&policy, i);
		assert_int_equal(policy_set_add(set, &policy), 0);
	}
}

static void compile(const struct ph_policy_set *set, struct ph_image *ret)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	int r = image_compile(set, ret, &problems);

	if (r) {
		cleanup_free char *text = NULL;

		if (!problems_format(&problems, &text))
			print_error("%s", text);
	}
	assert_int_equal(r, 0);
}

static void test_random(void **state)
{
	const char *seed = getenv("PH_TEST_SEED"), *rounds = getenv("PH_TEST_ROUNDS");
	unsigned n_rounds = rounds ? strtoul(rounds, NULL, 0) : 200;

	random_state = seed ? strtoull(seed, NULL, 0) : 20261123;
	print_message("PH_TEST_SEED=%llu\n", (unsigned long long)random_state);
	for (unsigned round = 0; round < n_rounds; round++) {
		cleanup_(policy_set_donep) struct ph_policy_set set = {};
		cleanup_(image_donep) struct ph_image image = {};

		random_set(&set);
		compile(&set, &image);
		check_image(&image);
		for (size_t i = 0; i < set.n; i++) {
			for (unsigned j = 0; j < FLOWS; j++) {
				struct ph_flow_spec spec = random_spec(&set.policies[i]);

				compare(&image, &set.policies[i], &spec);
			}
		}
		for (unsigned i = 0; i < 100; i++)
			compare_prefix_lookup(&image);
	}
	print_message("%u policies, %u flows allowed, %u denied\n", n_rounds * POLICIES, n_allowed,
		      n_denied);
	/* Neither answer may be so rare that the test says nothing. */
	assert_true(n_allowed > (n_allowed + n_denied) / 10);
	assert_true(n_denied > (n_allowed + n_denied) / 10);
	assert_true(n_anywhere > n_allowed / 100 && n_somewhere > n_allowed / 100);
}

/* --- Hand cases */

static void make_set(struct ph_policy_set *set, const char *const *rules)
{
	struct ph_policy policy = { .name = strdup("p"), .match.comm = "p" };

	for (; *rules; rules++) {
		struct ph_text_error error;
		struct ph_rule rule;

		if (rule_parse(*rules, strlen(*rules), &rule, &error))
			fail_msg("%s: %s", *rules, error.message);
		assert_int_equal(policy_add_rule(&policy, &rule), 0);
	}
	assert_int_equal(policy_set_add(set, &policy), 0);
}

/* Every port of every plane: what fits the spans and bitmaps is what the ranges say. */
static void check_all_ports(const char *text)
{
	const char *const rules[] = { text, NULL };
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_flow_spec spec = { .door = PH_FLOW_CONNECT,
				     .remote = { .family = 4, .addr = { 10, 0, 0, 1 } } };

	make_set(&set, rules);
	compile(&set, &image);
	for (unsigned port = 1; port <= 65535; port++) {
		spec.remote.port = port;
		compare(&image, &set.policies[0], &spec);
	}
}

static void test_all_ports(void **state)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *stream;

	check_all_ports("tcp any");
	check_all_ports("tcp 1");
	check_all_ports("tcp 65535");
	check_all_ports("tcp 511");
	check_all_ports("tcp 512");
	check_all_ports("tcp 513");
	check_all_ports("tcp 511-513");
	check_all_ports("tcp 1,3,5,7,511,513,65535");
	check_all_ports("tcp 1,3,5,7,512,1023-1025,2000-40000,65535");
	check_all_ports("tcp 1,63-64,127-128,191,255-257,511-512,1023-1535,65024-65535");
	stream = open_memstream(&text, &len);
	assert_non_null(stream);
	fprintf(stream, "tcp 1");
	for (unsigned i = 1; i < 1000; i++)
		fprintf(stream, ",%u-%u", i * 65, i * 65 + i % 7);
	assert_int_equal(fclose(stream), 0);
	check_all_ports(text);
}

static bool ask(const char *const *rules, const char *flow)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_text_error error;
	struct ph_flow_spec spec;

	make_set(&set, rules);
	compile(&set, &image);
	if (flow_parse(flow, strlen(flow), &spec, &error))
		fail_msg("%s: %s", flow, error.message);
	compare(&image, &set.policies[0], &spec);
	return decide_spec(&image, &image.grants[0], &spec);
}

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_addresses(void **state)
{
	const char *const *rules = RULES("connect tcp 5432 to 10.0.0.0/8 except 10.9.0.0/16",
					 "connect tcp 80 to 10.9.0.0/16",
					 "connect tcp 443 to ::/0");

	assert_true(ask(rules, "connect tcp 10.1.2.3:5432"));
	assert_false(ask(rules, "connect tcp 10.9.2.3:5432"));
	assert_true(ask(rules, "connect tcp 10.9.2.3:80"));
	assert_false(ask(rules, "connect tcp 10.1.2.3:80"));
	assert_false(ask(rules, "connect tcp 11.1.2.3:5432"));
	assert_true(ask(rules, "connect tcp [2001:db8::1]:443"));
	/* IPv4 in its v4-mapped form is IPv4. */
	assert_true(ask(rules, "connect tcp [::ffff:10.1.2.3]:5432"));
	assert_false(ask(rules, "connect tcp [::ffff:10.1.2.3]:443"));
	assert_false(ask(rules, "connect udp 10.1.2.3:5432"));
}

static void test_peers(void **state)
{
	const char *const *rules = RULES("bind tcp 8080 on 127.0.0.1 from 10.0.0.0/8 "
					 "except 10.9.0.1",
					 "bind tcp 9090 from 10.0.0.0/8",
					 "bind tcp 7070 on 127.0.0.0/8");

	assert_true(ask(rules, "bind tcp 127.0.0.1:8080"));
	assert_false(ask(rules, "bind tcp 127.0.0.2:8080"));
	assert_false(ask(rules, "bind tcp 8080"));
	assert_true(ask(rules, "bind tcp 9090"));
	assert_true(ask(rules, "listen tcp 127.0.0.1:9090"));
	assert_true(ask(rules, "accept tcp 127.0.0.1:8080 from 10.1.1.1"));
	assert_false(ask(rules, "accept tcp 127.0.0.1:8080 from 10.9.0.1"));
	assert_true(ask(rules, "accept tcp 127.0.0.1:9090 from 10.9.0.1"));
	assert_false(ask(rules, "accept tcp 127.0.0.1:9090 from 11.0.0.1"));
	assert_false(ask(rules, "accept tcp 127.0.0.1:9090 from ::1"));
	assert_true(ask(rules, "accept tcp 127.0.0.1:7070 from 11.0.0.1"));
	assert_true(ask(rules, "accept tcp 127.0.0.1:7070 from 2001:db8::1"));
	assert_true(ask(rules, "accept tcp [2001:db8::1]:9090 from 10.0.0.1"));
	assert_true(ask(rules, "bind tcp 0"));
}

/* A port that the kernel is yet to choose fits no rule, not even one for any port. */
static void test_chosen_port(void **state)
{
	assert_false(ask(RULES("bind udp any from 10.0.0.0/8"), "send udp 10.0.0.1:99"));
	assert_true(ask(RULES("bind udp any from 10.0.0.0/8"), "send udp 10.0.0.1:99 on 1"));
	assert_true(ask(RULES("connect udp any"), "send udp 10.0.0.1:99"));
	assert_true(ask(RULES("bind udp 4040"), "bind udp 0"));
	assert_true(ask(RULES("bind tcp 4040"), "bind tcp 0"));
	assert_true(ask(RULES("bind udp 4040"), "bind tcp 0"));
	assert_true(ask(RULES("bind tcp any"), "bind udp 0"));
}

/* Flows as the programs make them: ports in host order, addresses in network order. */
static void test_raw_flows(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	const uint8_t mapped[16] = { [10] = 0xff, 0xff, 10, 1, 2, 3 };
	struct ph_flow flow = { .question = PH_ASK_CONNECT, .kind = PH_SOCKET_TCP };
	uint32_t word[4];

	make_set(&set, RULES("connect tcp 4040 to 10.0.0.0/8", "connect tcp any to 10.1.2.4"));
	compile(&set, &image);
	memcpy(word, mapped, 16);
	ph_address(&flow.remote, PH_AF_INET6, 0, word);
	assert_int_equal(flow.remote.v6, 0);
	flow.remote_port = 4040;
	assert_true(decide_policy(&image, &image.grants[0], &flow));
	flow.remote_port = __builtin_bswap16(4040);
	assert_false(decide_policy(&image, &image.grants[0], &flow));
	flow.remote_port = 4040;
	flow.remote.word[0] = __builtin_bswap32(flow.remote.word[0]);
	assert_false(decide_policy(&image, &image.grants[0], &flow));
	memcpy(&flow.remote.word[0], "\x0a\x01\x02\x04", 4);
	flow.remote_port = 65535;
	assert_true(decide_policy(&image, &image.grants[0], &flow));
	flow.remote_port = 0;
	assert_false(decide_policy(&image, &image.grants[0], &flow));
	flow.kind = PH_SOCKET_OTHER;
	flow.question = PH_ASK_SOCKET;
	assert_false(decide_policy(&image, &image.grants[0], &flow));
	flow.kind = PH_SOCKET_LOCAL;
	assert_true(decide_policy(&image, &image.grants[0], &flow));
}

/* A datagram whose peer cannot be read: what is granted anywhere is granted, what is to ::/0 is not. */
static void test_unread_peer(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_flow flow = {
		.question = PH_ASK_TRAFFIC,
		.kind = PH_SOCKET_UDP,
		.udp = 1,
		.remote.v6 = 1,
		.local.v6 = 1,
	};

	make_set(&set,
		 RULES("bind udp 4040", "bind udp 5050 from ::/0", "connect udp any to ::/0"));
	compile(&set, &image);
	for (flow.local_port = 4040; flow.local_port <= 5050; flow.local_port += 1010) {
		flow.nowhere = 0;
		assert_true(decide_policy(&image, &image.grants[0], &flow));
		flow.nowhere = 1;
		assert_int_equal(decide_policy(&image, &image.grants[0], &flow),
				 flow.local_port == 4040);
	}
}

static bool covers(const char *const *rules, const struct ph_flow *flow)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};

	make_set(&set, rules);
	compile(&set, &image);
	return decide_policy(&image, &image.grants[0], flow);
}

/* A datagram socket may be there whatever the rules; that it waits for answers takes one of UDP. */
static void test_silent_sockets(void **state)
{
	struct ph_flow flow = { .question = PH_ASK_SOCKET, .kind = PH_SOCKET_UDP, .udp = 1 };

	assert_true(covers(RULES("tcp 1"), &flow));
	flow.kind = PH_SOCKET_UDP_ANSWERS;
	assert_false(covers(RULES("tcp 1"), &flow));
	assert_true(covers(RULES("connect udp 53"), &flow));
	assert_true(covers(RULES("bind udp 53 from 10.0.0.0/8"), &flow));
	flow.kind = PH_SOCKET_UDP;
	flow.question = PH_ASK_TRAFFIC;
	assert_false(covers(RULES("udp any"), &flow));
}

/* What the kernel chooses may be any port, so that all of them have to be granted. */
static void test_listeners_without_a_port(void **state)
{
	struct ph_flow flow = { .question = PH_ASK_LISTEN, .kind = PH_SOCKET_TCP };

	assert_true(covers(RULES("bind tcp any"), &flow));
	assert_true(covers(RULES("bind tcp 1-99", "bind tcp 100-65535"), &flow));
	assert_false(covers(RULES("bind tcp 1-65534"), &flow));
	assert_false(covers(RULES("bind tcp 2-65535"), &flow));
	assert_false(covers(RULES("connect tcp any", "bind udp any"), &flow));
	assert_false(covers(RULES("bind tcp any on 127.0.0.1"), &flow));
	memcpy(&flow.local.word[0], "\x7f\x00\x00\x01", 4);
	assert_true(covers(RULES("bind tcp any on 127.0.0.1"), &flow));
	flow.question = PH_ASK_TRAFFIC;
	assert_false(covers(RULES("bind tcp any"), &flow));
}

static void test_spec_flows(void **state)
{
	struct ph_flow_spec spec = { .door = PH_FLOW_BIND, .local.port = 80 };
	struct ph_flow flows[PH_SPEC_FLOWS_MAX];
	size_t n;

	n = spec_flows(&spec, flows);
	assert_int_equal(n, 2);
	assert_int_equal(flows[0].local.v6, 0);
	assert_int_equal(flows[1].local.v6, 1);
	assert_int_equal(flows[1].local_port, 80);
	assert_int_equal(flows[1].question, PH_ASK_BIND);
	assert_int_equal(flows[1].kind, PH_SOCKET_TCP);
	spec.local.family = 4;
	assert_int_equal(spec_flows(&spec, flows), 1);
	spec.door = PH_FLOW_SOCKET;
	spec.local.family = 0;
	assert_int_equal(spec_flows(&spec, flows), 1);
	spec.door = PH_FLOW_SEND;
	spec.proto = PH_PROTO_UDP;
	spec.remote = (struct ph_endpoint){ .family = 6, .addr = { 0x20, 1 }, .port = 53 };
	assert_int_equal(spec_flows(&spec, flows), 1);
	assert_int_equal(flows[0].question, PH_ASK_TRAFFIC);
	assert_int_equal(flows[0].local.v6, 1);
	assert_int_equal(flows[0].remote.v6, 1);
	assert_int_equal(flows[0].remote_port, 53);
	assert_int_equal(flows[0].kind, PH_SOCKET_UDP);
	assert_int_equal(flows[0].udp, 1);
}

/* 1,000 networks in one rule and in 1,000 rules. */
static void test_many_cidrs(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_policy policy = { .name = strdup("p"), .match.comm = "p" };

	for (unsigned i = 0; i < 1000; i++) {
		char text[128];
		struct ph_text_error error;
		struct ph_rule rule;

		snprintf(text, sizeof(text), "connect tcp %u to 10.%u.%u.0/24,2001:db8:%x::/%u%s",
			 i % 8 + 1, i / 250, i % 250, i, 48 + i % 3,
			 i % 2 ? " except 10.0.0.128/25" : "");
		assert_int_equal(rule_parse(text, strlen(text), &rule, &error), 0);
		assert_int_equal(policy_add_rule(&policy, &rule), 0);
	}
	assert_int_equal(policy_set_add(&set, &policy), 0);
	compile(&set, &image);
	for (unsigned i = 0; i < 4000; i++) {
		struct ph_flow_spec spec = { .door = PH_FLOW_CONNECT };
		unsigned at = random_below(1003);

		spec.remote.port = 1 + random_below(9);
		if (one_in(2)) {
			spec.remote.family = 4;
			memcpy(spec.remote.addr, (uint8_t[4]){ 10, at / 250, at % 250, i }, 4);
		} else {
			spec.remote.family = 6;
			memcpy(spec.remote.addr,
			       (uint8_t[8]){ 0x20, 1, 0xd, 0xb8, at >> 8, at, i << 6 }, 8);
		}
		compare(&image, &set.policies[0], &spec);
	}
}

/* What a kind is called is what a rule for it says, where there is one. */
static void test_kinds(void **state)
{
	static const struct {
		unsigned kind;
		const char *name;
		bool has_rule;
	} cases[] = {
		{ PH_SOCKET_TCP, "tcp", false },      { PH_SOCKET_UDP, "udp", false },
		{ PH_SOCKET_ICMP, "icmp", true },     { PH_SOCKET_RAW, "raw", true },
		{ PH_SOCKET_PACKET, "packet", true }, { PH_SOCKET_VSOCK, "vsock", true },
		{ PH_SOCKET_OTHER, "other", false },
	};
	enum ph_rule_socket socket;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(socket_kind_name(cases[i].kind), cases[i].name);
		assert_int_equal(kind_rule_socket(cases[i].kind, &socket), cases[i].has_rule);
		if (cases[i].has_rule)
			assert_int_equal(rule_socket_kind(socket), cases[i].kind);
	}
}

/* What is not TCP, UDP or a kind that a rule can name is of no kind that any rule admits. */
static void test_socket_kinds(void **state)
{
	static const struct {
		unsigned family, type, protocol, kind;
	} cases[] = {
		{ AF_INET, SOCK_STREAM, 0, PH_SOCKET_TCP },
		{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, PH_SOCKET_TCP },
		{ AF_INET, SOCK_STREAM, 262, PH_SOCKET_OTHER }, /* MPTCP */
		{ AF_INET, SOCK_STREAM, 132, PH_SOCKET_OTHER }, /* SCTP */
		{ AF_INET6, SOCK_STREAM, 256, PH_SOCKET_OTHER }, /* SMC */
		{ AF_INET, SOCK_STREAM, IPPROTO_UDP, PH_SOCKET_OTHER },
		{ AF_INET, SOCK_DGRAM, 0, PH_SOCKET_UDP },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP, PH_SOCKET_UDP },
		{ AF_INET, SOCK_DGRAM, 136, PH_SOCKET_OTHER }, /* UDP-Lite */
		{ AF_INET, SOCK_DGRAM, IPPROTO_TCP, PH_SOCKET_OTHER },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, PH_SOCKET_ICMP },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, PH_SOCKET_ICMP },
		{ AF_INET, SOCK_RAW, IPPROTO_TCP, PH_SOCKET_RAW },
		{ AF_INET, SOCK_RAW, IPPROTO_RAW, PH_SOCKET_RAW },
		{ AF_INET, SOCK_SEQPACKET, 132, PH_SOCKET_OTHER },
		{ AF_PACKET, SOCK_RAW, 0, PH_SOCKET_PACKET },
		{ AF_PACKET, SOCK_DGRAM, 0, PH_SOCKET_PACKET },
		{ AF_VSOCK, SOCK_STREAM, 0, PH_SOCKET_VSOCK },
		{ AF_UNIX, SOCK_STREAM, 0, PH_SOCKET_LOCAL },
		{ AF_NETLINK, SOCK_RAW, 0, PH_SOCKET_LOCAL },
		{ AF_ALG, SOCK_SEQPACKET, 0, PH_SOCKET_LOCAL },
		{ AF_SMC, SOCK_STREAM, 0, PH_SOCKET_OTHER },
		{ AF_XDP, SOCK_RAW, 0, PH_SOCKET_OTHER },
		{ AF_BLUETOOTH, SOCK_RAW, 0, PH_SOCKET_OTHER },
		{ AF_CAN, SOCK_RAW, 1, PH_SOCKET_OTHER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ph_socket_kind(cases[i].family, cases[i].type, cases[i].protocol),
				 cases[i].kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_all_ports),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_chosen_port),
		cmocka_unit_test(test_raw_flows),
		cmocka_unit_test(test_unread_peer),
		cmocka_unit_test(test_spec_flows),
		cmocka_unit_test(test_many_cidrs),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_socket_kinds),
		cmocka_unit_test(test_silent_sockets),
		cmocka_unit_test(test_listeners_without_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
