// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The grammar of rules, ports, flows and names: what is accepted and how it is written back, what is
 * refused and with which words at which column.
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

#include "policy/cidr.h"
#include "policy/name.h"
#include "policy/rule.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

struct good {
	const char *text;
	const char *canonical; /* NULL: the same */
};

struct bad {
	const char *text;
	unsigned column;
	const char *message;
	const char *remedy;
};

static const struct good good_rules[] = {
	{ "tcp 4040", NULL },
	{ "udp 53", NULL },
	{ "tcp any", NULL },
	{ "tcp 1-65535", "tcp any" },
	{ "tcp 80,any", "tcp any" },
	{ "  tcp \t 4040  ", "tcp 4040" },
	{ "tcp 443,80", "tcp 80,443" },
	{ "tcp 80, 443 ,8080-8090", "tcp 80,443,8080-8090" },
	{ "tcp 80,81,82", "tcp 80-82" },
	{ "tcp 80,82", NULL }, /* what lies between is not granted */
	{ "tcp 80-82,84-86,88", NULL },
	{ "tcp 80-90,85-95,80", "tcp 80-95" },
	{ "tcp 0080", "tcp 80" },
	{ "tcp 5-5", "tcp 5" },
	{ "tcp 65535", NULL },
	{ "connect tcp 5432", NULL },
	{ "bind udp 5353", NULL },
	{ "connect tcp 5432 to 10.0.0.0/8 except 10.9.0.0/16", NULL },
	{ "bind tcp 8080-8090 on 127.0.0.1 from 10.0.0.0/8", NULL },
	{ "bind tcp 80 on ::1,127.0.0.1", "bind tcp 80 on 127.0.0.1,::1" },
	{ "bind tcp 80 from 10.0.0.0/8 except 10.1.2.3", NULL },
	{ "bind tcp 80 on 10.0.0.0/8 except 10.1.2.3", NULL },
	{ "connect udp 53 to 2001:DB8:0:0::/32", "connect udp 53 to 2001:db8::/32" },
	{ "connect tcp 1 to 10.0.0.0/8,10.1.0.0/16,10.1.2.3", "connect tcp 1 to 10.0.0.0/8" },
	{ "connect tcp 1 to 10.1.2.3,10.1.2.3/32", "connect tcp 1 to 10.1.2.3" },
	{ "connect tcp 1 to ::ffff:10.1.2.3", "connect tcp 1 to 10.1.2.3" },
	{ "connect tcp 1 to ::ffff:10.0.0.0/104", "connect tcp 1 to 10.0.0.0/8" },
	{ "connect tcp 1 to ::ffff:0:0/96", "connect tcp 1 to 0.0.0.0/0" },
	{ "connect tcp 1 to 0.0.0.0/0,::/0", NULL },
	{ "socket icmp", NULL },
	{ "socket raw", NULL },
	{ "socket packet", NULL },
	{ "socket vsock", NULL },
	{ "dns", NULL },
	{ "loopback", NULL },
};

static const struct bad bad_rules[] = {
	{ "", 1, "the rule is empty", "write a rule such as tcp 4040" },
	{ "   ", 4, "the rule is empty", "write a rule such as tcp 4040" },
	{ "4040", 1, "'4040' does not begin a rule",
	  "name the protocol first: tcp 4040 (between [ and ], put a rule that holds commas in "
	  "quotes)" },
	{ "tcp/80", 1, "'tcp/80' does not begin a rule", "write tcp 80" },
	{ "udp:53", 1, "'udp:53' does not begin a rule", "write udp 53" },
	{ "80/tcp", 1, "'80/tcp' does not begin a rule", "write tcp 80" },
	{ "tcp/", 1, "'tcp/' does not begin a rule", "did you mean tcp?" },
	{ "connect tcp/443", 9, "'tcp/443' is not a protocol", "write connect tcp 443" },
	{ "bind 80/udp", 6, "'80/udp' is not a protocol", "write bind udp 80" },
	{ "tcp -1", 5, "'-1' is not a port",
	  "write a port from 1 to 65535, or any for all of them" },
	{ "tpc 80", 1, "'tpc' does not begin a rule", "did you mean tcp?" },
	{ "TCP 80", 1, "'TCP' does not begin a rule", "did you mean tcp?" },
	{ "conect tcp 80", 1, "'conect' does not begin a rule", "did you mean connect?" },
	{ "http", 1, "'http' does not begin a rule",
	  "a rule begins with connect, bind, tcp, udp, socket, dns or loopback" },
	{ "listen tcp 80", 1, "'listen' does not begin a rule",
	  "write bind: it covers listen and accept" },
	{ "allow tcp 80", 1, "'allow' does not begin a rule", "leave allow out" },
	{ "deny tcp 80", 1, "'deny' does not begin a rule",
	  "leave the rule out: what no rule allows is denied" },
	{ "icmp", 1, "'icmp' does not begin a rule", "write socket icmp" },
	{ "connect", 8, "the protocol is missing after connect", "write tcp or udp" },
	{ "connect 80", 9, "'80' is not a protocol", "write connect tcp 80 or connect udp 80" },
	{ "connect bind tcp 80", 9, "'bind' is not a protocol",
	  "leave both out: without connect or bind, both are meant" },
	{ "connect sctp 80", 9, "'sctp' is not a protocol", "write tcp or udp" },
	{ "tcp", 4, "the port is missing",
	  "write a port such as 4040, a list such as 4040,8080-8090, or any" },
	{ "tcp 0", 5, "port 0 does not exist",
	  "write a port from 1 to 65535, or any for all of them" },
	{ "tcp 65536", 5, "port 65536 is too large", "the largest port is 65535" },
	{ "tcp 99999999999999999999", 5, "port 99999999999999999999 is too large",
	  "the largest port is 65535" },
	{ "tcp 80-", 5, "the range '80-' has no last port", "write 80-65535, or 80 alone" },
	{ "tcp -80", 5, "the range '-80' has no first port", "write 1-80, or 80 alone" },
	{ "tcp 90-80", 5, "the range '90-80' runs backwards", "write 80-90" },
	{ "tcp 0-80", 5, "port 0 does not exist",
	  "write a port from 1 to 65535, or any for all of them" },
	{ "tcp 80-65536", 8, "port 65536 is too large", "the largest port is 65535" },
	{ "tcp 80:90", 5, "'80:90' is not a port range", "write 80-90" },
	{ "tcp 1-2-3", 5, "'1-2-3' is not a port",
	  "write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any" },
	{ "tcp http", 5, "'http' is not a port",
	  "write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any" },
	{ "tcp 80,", 8, "a port is missing after the comma",
	  "write a port there, or leave the comma out" },
	{ "tcp 80,,90", 8, "a port is missing after the comma",
	  "write a port there, or leave the comma out" },
	{ "tcp ,80", 5, "the port is missing",
	  "write a port such as 4040, a list such as 4040,8080-8090, or any" },
	{ "tcp 80 90", 8, "'90' does not belong after the ports",
	  "separate ports with commas, as in 4040,8080-8090" },
	{ "connect tcp 80 too 10.0.0.0/8", 16, "'too' does not belong after the ports",
	  "what may follow is to, on, from or except with addresses" },
	{ "bind tcp 80 form 10.0.0.0/8", 13, "'form' does not belong after the ports",
	  "did you mean from?" },
	{ "tcp 80 to 10.0.0.0/8", 8, "to needs connect before tcp",
	  "write connect tcp ... to ...; without it the rule means both connect and bind, and takes "
	  "no address" },
	{ "udp 80 from 10.0.0.0/8", 8, "from needs bind before udp",
	  "write bind udp ... from ...; without it the rule means both connect and bind, and takes "
	  "no address" },
	{ "bind tcp 80 to 10.0.0.0/8", 13, "to does not go with bind",
	  "write on for the local address, or from for the peers that may reach it" },
	{ "connect tcp 80 on 10.0.0.0/8", 16, "on does not go with connect",
	  "write to for the addresses that it may connect to" },
	{ "connect tcp 80 from 10.0.0.0/8", 16, "from does not go with connect",
	  "write to for the addresses that it may connect to" },
	{ "connect tcp 80 except 10.0.0.0/8", 16, "except has no addresses to take away from",
	  "write to 0.0.0.0/0,::/0 before it" },
	{ "bind tcp 80 except 10.0.0.0/8", 13, "except has no addresses to take away from",
	  "write from 0.0.0.0/0,::/0 before it" },
	{ "tcp 80 except 10.0.0.0/8", 8, "except has no addresses to take away from",
	  "write connect tcp ... to 0.0.0.0/0,::/0 except ..., and a bind rule apart" },
	{ "connect tcp 80 to 10.0.0.1 to 10.0.0.2", 28, "to is given twice",
	  "write one list with commas" },
	{ "bind tcp 80 from 10.0.0.1 on 10.0.0.2", 27, "on stands too late",
	  "the order is to, on, from, except" },
	{ "connect tcp 80 to", 18, "an address is missing after to",
	  "write an address such as 10.1.2.3, or a network such as 10.0.0.0/8" },
	{ "connect tcp 80 to 10.0.0.1,", 28, "an address is missing after the comma",
	  "write an address such as 10.1.2.3, or a network such as 10.0.0.0/8" },
	{ "connect tcp 80 to 10.1.0.0/8", 19,
	  "'10.1.0.0/8' is an address inside a network, not the network",
	  "write 10.0.0.0/8 for the network, or 10.1.0.0 for the one address" },
	{ "connect tcp 80 to 2001:db8::1/32", 19,
	  "'2001:db8::1/32' is an address inside a network, not the network",
	  "write 2001:db8::/32 for the network, or 2001:db8::1 for the one address" },
	{ "connect tcp 80 to 10.0.0.0/33", 28, "'33' is not a prefix length of IPv4",
	  "write a number from 0 to 32" },
	{ "connect tcp 80 to ::/129", 22, "'129' is not a prefix length of IPv6",
	  "write a number from 0 to 128" },
	{ "connect tcp 80 to 10.0.0.0/", 28, "the prefix length after '/' is missing",
	  "write 10.0.0.0/24, or leave '/' out for this one address" },
	{ "connect tcp 80 to 10.0.0.0/-1", 28, "'-1' is not a prefix length of IPv4",
	  "write a number from 0 to 32" },
	{ "connect tcp 80 to 10.0.0.0/255.0.0.0", 28, "'255.0.0.0' is a netmask",
	  "write the prefix length, such as /8 for 255.0.0.0 and /24 for 255.255.255.0" },
	{ "connect tcp 80 to 10.0.0", 19, "'10.0.0' is not an IPv4 address",
	  "write four numbers from 0 to 255, such as 10.0.0.0/8" },
	{ "connect tcp 80 to 10.0.0.256", 19, "'10.0.0.256' is not an IPv4 address",
	  "write four numbers from 0 to 255, such as 10.0.0.0/8" },
	{ "connect tcp 80 to 10.0.0.1:80", 19, "'10.0.0.1:80' holds a port",
	  "ports stand before the addresses: write 10.0.0.1 here" },
	{ "connect tcp 80 to 1::2::3", 19, "'1::2::3' is not an IPv6 address",
	  "write it like 2001:db8::/32 or 2001:db8::1" },
	{ "connect tcp 80 to [::1]", 19, "'[::1]' has brackets", "write ::1" },
	{ "connect tcp 80 to fe80::1%eth0", 19, "'fe80::1%eth0' names an interface",
	  "leave out what follows the address: fe80::1" },
	{ "connect tcp 80 to example.com", 19, "'example.com' is not an address",
	  "names are not looked up: write an address such as 10.1.2.3 or 2001:db8::1, or a network "
	  "such as 10.0.0.0/8" },
	{ "connect tcp 80 to any", 19, "'any' is not an address",
	  "for every address write 0.0.0.0/0,::/0, or leave the addresses out" },
	{ "socket", 7, "the kind of socket is missing",
	  "write socket icmp, socket raw, socket packet or socket vsock" },
	{ "socket rew", 8, "'rew' is not a kind of socket that a rule can allow",
	  "did you mean socket raw?" },
	{ "socket tcp", 8, "'tcp' is not a kind of socket that a rule can allow",
	  "a rule for ports allows the socket too: write tcp and the ports" },
	{ "dns 53", 5, "'53' follows a rule that is complete",
	  "leave it out, or make it a rule of its own" },
	{ "t\xc3\xa9l 80", 1, "'t\xc3\xa9l' does not begin a rule",
	  "a rule begins with connect, bind, tcp, udp, socket, dns or loopback" },
	{ "tcp 80,\xc3\xa9,\xc3\xa9", 8, "'\xc3\xa9' is not a port",
	  "write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any" },
	{ "tcp \x1b[31m", 5, "'?[31m' is not a port",
	  "write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any" },
	{ "tcp \xff", 5, "'?' is not a port",
	  "write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any" },
};

static void check_bad(const struct bad *bad, int r, const struct ph_text_error *error)
{
	if (r != -EINVAL)
		fail_msg("\"%s\" gave %d", bad->text, r);
	assert_string_equal(error->message, bad->message);
	assert_string_equal(error->remedy, bad->remedy);
	if (error->column != bad->column)
		fail_msg("\"%s\": column %u", bad->text, error->column);
}

static void test_good_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(good_rules); i++) {
		const struct good *good = &good_rules[i];
		struct ph_rule rule = {}, again = {};
		struct ph_text_error error;
		char *text;

		if (rule_parse(good->text, strlen(good->text), &rule, &error) < 0)
			fail_msg("\"%s\": %s", good->text, error.message);
		assert_int_equal(rule_format(&rule, &text), 0);
		assert_string_equal(text, good->canonical ? good->canonical : good->text);
		assert_int_equal(rule_parse(text, strlen(text), &again, &error), 0);
		assert_int_equal(rule_compare(&rule, &again), 0);
		free(text);
		rule_done(&rule);
		rule_done(&again);
	}
}

static void test_bad_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(bad_rules); i++) {
		const struct bad *bad = &bad_rules[i];
		struct ph_rule rule = {};
		struct ph_text_error error = {};

		check_bad(bad, rule_parse(bad->text, strlen(bad->text), &rule, &error), &error);
		assert_null(rule.ranges);
	}
}

/* Start and n different ports or addresses. */
static char *long_list(const char *start, bool ports, unsigned n)
{
	char *text = malloc(strlen(start) + n * 24 + 1);
	size_t used = (size_t)sprintf(text, "%s", start);

	for (unsigned i = 0; i < n; i++) {
		used += (size_t)sprintf(text + used, "%s", i ? "," : "");
		if (ports)
			used += (size_t)sprintf(text + used, "%u", i * 2 + 1);
		else
			used += (size_t)sprintf(text + used, "10.0.%u.%u", i / 128, i % 128 * 2);
	}
	return text;
}

static void test_limits(void **state)
{
	static const struct {
		const char *start;
		bool ports;
		unsigned max;
		const char *message;
	} lists[] = {
		{ "tcp ", true, PH_RANGES_MAX, "a rule holds at most 4096 ports and ranges" },
		{ "connect tcp 1 to ", false, PH_CIDRS_MAX, "a list holds at most 4096 addresses" },
	};
	struct ph_text_error error;
	struct ph_rule rule = {};
	char *text;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(lists); i++) {
		text = long_list(lists[i].start, lists[i].ports, lists[i].max);
		assert_int_equal(rule_parse(text, strlen(text), &rule, &error), 0);
		rule_done(&rule);
		free(text);
		text = long_list(lists[i].start, lists[i].ports, lists[i].max + 1);
		assert_int_equal(rule_parse(text, strlen(text), &rule, &error), -EINVAL);
		assert_string_equal(error.message, lists[i].message);
		assert_string_equal(error.remedy, "put the rest into another rule");
		free(text);
	}
	text = calloc(1, PH_RULE_TEXT_MAX + 1);
	assert_int_equal(rule_parse(text, PH_RULE_TEXT_MAX + 1, &rule, &error), -EINVAL);
	assert_string_equal(error.message, "the rule is longer than 256 KiB");
	free(text);
}

static void test_ports(void **state)
{
	static const struct bad bad_ports[] = {
		{ "", 1, "the port is missing",
		  "write a port such as 4040, a list such as 4040,8080-8090, or any" },
		{ "0", 1, "port 0 does not exist",
		  "write a port from 1 to 65535, or any for all of them" },
		{ "65536", 1, "port 65536 is too large", "the largest port is 65535" },
		{ "80-", 1, "the range '80-' has no last port", "write 80-65535, or 80 alone" },
		{ "90-80", 1, "the range '90-80' runs backwards", "write 80-90" },
		{ "abc", 1, "'abc' is not a port",
		  "write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any" },
		{ "4040 80", 6, "'80' follows the ports",
		  "separate ports with commas, as in 4040,8080-8090" },
	};
	struct ph_text_error error;
	struct ph_range *ranges;
	char *text;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(bad_ports); i++)
		check_bad(&bad_ports[i],
			  ports_parse(bad_ports[i].text, strlen(bad_ports[i].text), &ranges, &n,
				      &error),
			  &error);
	assert_int_equal(ports_parse("8080-8090,4040", 14, &ranges, &n, &error), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ports_format(ranges, n, &text), 0);
	assert_string_equal(text, "4040,8080-8090");
	free(text);
	free(ranges);
}

/* What the words mean, as the rules of a policy; what is wrong with others. */
static void test_port_rules(void **state)
{
	static const struct good good[] = {
		{ "4040", "tcp 4040" },
		{ "443,80", "tcp 80,443" },
		{ "udp/123", "udp 123" },
		{ "123/udp", "udp 123" },
		{ "udp/123,tcp/443,8080-8090", "tcp 443,8080-8090; udp 123" },
		{ "any/udp,any", "tcp any; udp any" },
		{ "443,dns", "tcp 443; dns" },
		{ "none", "" },
	};
	static const struct bad bad[] = {
		{ "sctp/80", 1, "'sctp/80' names no protocol",
		  "write tcp or udp with the port, such as udp/123" },
		{ "443,none", 5, "'none' stands beside ports",
		  "write none alone, for no network at all" },
		{ "udp/", 5, "the port is missing",
		  "write a port such as 4040, a list such as 4040,8080-8090, or any" },
		{ "80,udp/70000", 8, "port 70000 is too large", "the largest port is 65535" },
		{ "80 443", 4, "'443' follows the ports",
		  "separate ports with commas, as in 4040,8080-8090" },
	};
	struct ph_text_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(good); i++) {
		struct ph_policy policy = {};
		char joined[200] = "";

		assert_int_equal(
			port_rules_parse(good[i].text, strlen(good[i].text), &policy, &error), 0);
		for (size_t j = 0; j < policy.n_rules; j++) {
			char *text;

			assert_int_equal(rule_format(&policy.rules[j], &text), 0);
			strcat(strcat(joined, j ? "; " : ""), text);
			free(text);
		}
		assert_string_equal(joined, good[i].canonical);
		policy_done(&policy);
	}
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		struct ph_policy policy = {};

		check_bad(&bad[i],
			  port_rules_parse(bad[i].text, strlen(bad[i].text), &policy, &error),
			  &error);
		policy_done(&policy);
	}
}

static void test_looks_like_ports(void **state)
{
	static const char *const ports[] = { "4040",	"80,443", "80-",  "-80",
					     "udp/123", "80,",	  "none", "x/udp",
					     "443,dns", "any,80", NULL };
	static const char *const names[] = { "",    "web",  "dns",    "any",   "any,dns", "80a",
					     "a/b", "80,a", "p.yaml", "nginx", NULL };

	(void)state;
	for (size_t i = 0; ports[i]; i++)
		assert_true(ports_look_like(ports[i]));
	for (size_t i = 0; names[i]; i++)
		assert_false(ports_look_like(names[i]));
}

static const struct good good_flows[] = {
	{ "connect tcp 10.1.2.3:5432", NULL },
	{ "connect udp [2001:db8::1]:53", NULL },
	{ "connect tcp [::ffff:10.1.2.3]:80", "connect tcp 10.1.2.3:80" },
	{ "bind tcp 8080", NULL },
	{ "bind tcp 0", NULL },
	{ "bind udp 127.0.0.1:8080", NULL },
	{ "bind udp [::]:0", NULL },
	{ "listen tcp [::1]:8080", NULL },
	{ "listen  tcp\t8080", "listen tcp 8080" },
	{ "accept tcp 8080 from 10.1.2.3", NULL },
	{ "accept tcp 127.0.0.1:8080 from [::1]:99", NULL },
	{ "accept tcp 8080 from ::1", NULL },
	{ "accept tcp 8080 from [::1]", "accept tcp 8080 from ::1" },
	{ "send udp 10.1.2.3:53", NULL },
	{ "send udp 10.1.2.3:53 on 5353", NULL },
	{ "receive tcp [::1]:1 on [::1]:2", NULL },
	{ "socket tcp", NULL },
	{ "socket udp", NULL },
	{ "socket raw", NULL },
};

static const struct bad bad_flows[] = {
	{ "", 1, "the flow is missing",
	  "write what the process would do, such as connect tcp 10.1.2.3:5432 or bind tcp 8080" },
	{ "tcp 80", 1, "'tcp' does not begin a flow",
	  "write connect or bind before it, as in connect tcp 10.1.2.3:5432" },
	{ "conect tcp 1.2.3.4:80", 1, "'conect' does not begin a flow", "did you mean connect?" },
	{ "connect", 8, "the protocol is missing after connect",
	  "write it like connect tcp 10.1.2.3:5432" },
	{ "connect icmp 1.2.3.4", 9, "'icmp' is not a protocol",
	  "write it like connect tcp 10.1.2.3:5432" },
	{ "listen udp 53", 8, "UDP has no listen", "write it like listen tcp 8080" },
	{ "connect tcp", 12, "the address is missing",
	  "write it like 10.1.2.3:5432 or [2001:db8::1]:5432" },
	{ "connect tcp 80", 13, "'80' has no address",
	  "write it like 10.1.2.3:5432 or [2001:db8::1]:5432" },
	{ "connect tcp 10.1.2.3", 13, "'10.1.2.3' has no port",
	  "write it like 10.1.2.3:5432 or [2001:db8::1]:5432" },
	{ "connect tcp 2001:db8::1", 13, "'2001:db8::1' has no port",
	  "write it like 10.1.2.3:5432 or [2001:db8::1]:5432" },
	{ "connect tcp example.com:80", 13, "'example.com:80' is not an address with a port",
	  "write it like 10.1.2.3:5432 or [2001:db8::1]:5432" },
	{ "connect tcp 10.1.2.3:0", 22, "port 0 does not exist",
	  "write a port from 1 to 65535, or any for all of them" },
	{ "connect tcp 10.1.2.3:http", 22, "'http' is not a port",
	  "write a number from 1 to 65535, such as 4040" },
	{ "connect tcp 10.1.2.3:80 on 5", 25, "'on' follows a flow that is complete",
	  "leave it out" },
	{ "bind tcp", 9, "the port is missing",
	  "write a port such as 8080, or an address with a port such as 127.0.0.1:8080 or "
	  "[::1]:8080" },
	{ "listen tcp 0", 12, "port 0 does not exist",
	  "write a port from 1 to 65535, or any for all of them" },
	{ "accept tcp 80", 14, "the peer is missing",
	  "write it like accept tcp 8080 from 10.1.2.3" },
	{ "send udp 10.1.2.3:53 from 80", 22, "'from' does not belong here",
	  "write it like send udp 10.1.2.3:53, with on and the local port behind it if that "
	  "matters" },
	{ "socket sctp", 8, "'sctp' is not a kind of socket",
	  "write socket tcp, udp, icmp, raw, packet or vsock" },
};

static void test_flows(void **state)
{
	struct ph_text_error error;
	struct ph_flow_spec flow;
	struct ph_expect expect;
	char *text;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(good_flows); i++) {
		const struct good *good = &good_flows[i];

		if (flow_parse(good->text, strlen(good->text), &flow, &error) < 0)
			fail_msg("\"%s\": %s", good->text, error.message);
		assert_int_equal(flow_format(&flow, &text), 0);
		assert_string_equal(text, good->canonical ? good->canonical : good->text);
		free(text);
	}
	for (size_t i = 0; i < ELEMENTS(bad_flows); i++)
		check_bad(&bad_flows[i],
			  flow_parse(bad_flows[i].text, strlen(bad_flows[i].text), &flow, &error),
			  &error);
	assert_int_equal(expect_parse("deny socket raw", 15, &expect, &error), 0);
	assert_int_equal(expect_format(&expect, &text), 0);
	assert_string_equal(text, "deny socket raw");
	free(text);
	assert_int_equal(expect_parse("socket raw", 10, &expect, &error), -EINVAL);
	assert_string_equal(error.message, "'socket' does not begin an expectation");
	assert_int_equal(expect_parse("allow bind tcp x", 16, &expect, &error), -EINVAL);
	assert_int_equal(error.column, 16);
}

typedef int (*check_fn)(const char *text, size_t len, struct ph_text_error *error);

/* Taken as they stand they would match nothing, and nobody would be told. */
static void test_patterns(void **state)
{
#define THEM_ALL "or match what holds them all: unit:, cgroup: or uid:"
	static const struct {
		check_fn check;
		const char *text;
		unsigned column;
		const char *remedy; /* NULL: it is none */
	} patterns[] = {
		{ comm_check, "nginx*", 6, "write one policy for each name, " THEM_ALL },
		{ comm_check, "?ginx", 1, "write one policy for each name, " THEM_ALL },
		{ comm_check, "w[0-9]", 2, "write one policy for each name, " THEM_ALL },
		{ comm_check, "[", 0, NULL },
		{ comm_check, "a]b[c", 0, NULL },
		{ exe_check, "/usr/bin/[", 0, NULL },
		{ exe_check, "/d/app/*", 8, "write one policy for each program, " THEM_ALL },
		{ unit_check, "docker-*.scope", 8,
		  "a slice holds all units in it: write unit: and its name, such as "
		  "system.slice, or cgroup: and the path above them" },
		{ cgroup_check, "/system.slice/docker-*", 22,
		  "write /system.slice, which means all below it" },
		{ cgroup_check, "/a/b*/c", 5, "write /a, which means all below it" },
		{ cgroup_check, "/*", 2, "write the path of one cgroup, which means all below it" },
	};
#undef THEM_ALL
	struct ph_text_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(patterns); i++) {
		const char *text = patterns[i].text;
		int r = patterns[i].check(text, strlen(text), &error);

		assert_int_equal(r, patterns[i].remedy ? -EINVAL : 0);
		if (!r)
			continue;
		assert_non_null(strstr(error.message, text));
		assert_non_null(strstr(error.message, "is a pattern, and patterns are not"));
		assert_int_equal(error.column, patterns[i].column);
		assert_string_equal(error.remedy, patterns[i].remedy);
	}
}

static void test_names(void **state)
{
	static const struct {
		check_fn check;
		const char *text;
		const char *message; /* NULL: good */
		const char *remedy;
	} names[] = {
		{ comm_check, "myprocess", NULL, NULL },
		{ comm_check, "123456789012345", NULL, NULL },
		{ comm_check, "(sd-pam)", NULL, NULL },
		{ comm_check, "", "the process name is empty", "write a process name there" },
		{ comm_check, "1234567890123456",
		  "the process name '1234567890123456' is 16 bytes long, and the kernel keeps 15",
		  "write '123456789012345', which is what the kernel would hold, or match the program "
		  "file with exe: /path/to/1234567890123456" },
		{ comm_check, "/usr/bin/curl", "'/usr/bin/curl' is a path, not a process name",
		  "write curl for the process name, or exe: /usr/bin/curl for the program file" },
		{ comm_check, "bin/curl", "'bin/curl' is a path, not a process name",
		  "write curl for the process name, or exe: /its/whole/path for the program file" },
		{ comm_check, "bin/", "'bin/' is a path, not a process name",
		  "write the name of the process, or exe: and the path of its program" },
		{ comm_check, "[kworker/0:1]",
		  "'[kworker/0:1]' is a thread of the kernel, which no policy confines",
		  "name a program" },
		{ comm_check, "kworker/u8:3-events",
		  "'kworker/u8:3-events' is a thread of the kernel, which no policy confines",
		  "name a program" },
		{ comm_check, "[ksoftirqd/11]",
		  "'[ksoftirqd/11]' is a thread of the kernel, which no policy confines",
		  "name a program" },
		{ comm_check, "[kswapd0]",
		  "'[kswapd0]' is a thread of the kernel, which no policy confines",
		  "name a program" },
		{ comm_check, "kworkers/curl", "'kworkers/curl' is a path, not a process name",
		  "write curl for the process name, or exe: /its/whole/path for the program file" },
		{ comm_check, "[a-z]",
		  "the process name '[a-z]' is a pattern, and patterns are not supported",
		  "write one policy for each name, or match what holds them all: unit:, cgroup: or "
		  "uid:" },
		{ comm_check, "a\nb", "the process name holds a line break", "write it without" },
		{ comm_check, "a\x1b[1m", "the process name holds a control character",
		  "write it without" },
		{ comm_check, "a\xff", "the process name is not UTF-8 text",
		  "a policy can only hold UTF-8" },
		{ comm_check, "porthold-canary",
		  "'porthold-canary' is the name of porthold's own watchdog",
		  "choose another name" },
		{ policy_name_check, "web backend", NULL, NULL },
		{ policy_name_check, "a/b", "the policy name holds a slash",
		  "write - in its place" },
		{ policy_name_check,
		  "1234567890123456789012345678901234567890123456789012345678901234",
		  "the policy name is 64 bytes long", "63 bytes are the most" },
		{ exe_check, "/usr/bin/curl", NULL, NULL },
		{ exe_check, "curl", "the path of the program does not begin with a slash",
		  "write the whole path, such as /usr/bin/curl" },
		{ exe_check, "/usr/../bin/curl", "the path of the program holds '..'",
		  "write the path that it leads to" },
		{ exe_check, "/usr//bin", "the path of the program has a slash too many",
		  "leave it out" },
		{ exe_check, "/usr/bin/", "the path of the program has a slash too many",
		  "leave it out" },
		{ cgroup_check, "/system.slice/web.service", NULL, NULL },
		{ cgroup_check, "/sys/fs/cgroup/a",
		  "the cgroup holds the place where cgroups are mounted",
		  "write it from there on: /a" },
		{ cgroup_check, "/sys/fs/cgroup/unified/a/b",
		  "the cgroup holds the place where cgroups are mounted",
		  "write it from there on: /a/b" },
		{ cgroup_check, "/sys/fs/cgroup/unified",
		  "the cgroup holds the place where cgroups are mounted",
		  "name one below it, such as /system.slice/web.service" },
		{ cgroup_check, "/sys/fs/cgroup",
		  "the cgroup holds the place where cgroups are mounted",
		  "name one below it, such as /system.slice/web.service" },
		{ cgroup_check, "/sys/fs/cgroups/a", NULL, NULL },
		{ cgroup_check, "/", "every process is in the cgroup '/'",
		  "name one below it, such as /system.slice/web.service" },
		{ unit_check, "web.service", NULL, NULL },
		{ unit_check, "web", "the unit 'web' does not end in .service, .scope or .slice",
		  "write its whole name, such as web.service" },
		{ unit_check, "dbus.socket",
		  "'dbus.socket' is a socket unit, in which no service runs",
		  "name the unit that it starts, most often dbus.service" },
		{ unit_check, "apt-daily.timer",
		  "'apt-daily.timer' is a timer unit, in which no service runs",
		  "name the unit that it starts, most often apt-daily.service" },
		{ unit_check, "x@1.path", "'x@1.path' is a path unit, in which no service runs",
		  "name the unit that it starts, most often x@1.service" },
		{ unit_check, "multi-user.target",
		  "'multi-user.target' is a target unit, in which no service runs",
		  "name a service, a scope, or a slice that holds several" },
		{ unit_check, "srv.mount", "'srv.mount' is a mount unit, in which no service runs",
		  "name a service, a scope, or a slice that holds several" },
		{ unit_check, "my.app",
		  "the unit 'my.app' does not end in .service, .scope or .slice",
		  "write its whole name, such as my.app.service" },
		{ unit_check, "web@.service",
		  "'web@.service' is a template, and no process runs in one",
		  "write an instance of it, such as web@1.service, or the slice that its instances "
		  "run in" },
		{ unit_check, "web@1.service", NULL, NULL },
		{ unit_check, "/web.service", "the unit '/web.service' holds a slash",
		  "write the unit's name, such as web.service, or cgroup: and the path" },
	};
	struct ph_text_error error;
	uint32_t uid;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		int r = names[i].check(names[i].text, strlen(names[i].text), &error);

		if ((r < 0) != (names[i].message != NULL))
			fail_msg("\"%s\" gave %d", names[i].text, r);
		if (r < 0) {
			assert_string_equal(error.message, names[i].message);
			assert_string_equal(error.remedy, names[i].remedy);
		}
	}
	assert_int_equal(comm_check("a\0b", 3, &error), -EINVAL);
	assert_int_equal(uid_parse("4294967294", 10, &uid, &error), 0);
	assert_int_equal(uid, 4294967294U);
	assert_int_equal(uid_parse("4294967295", 10, &uid, &error), -EINVAL);
	assert_string_equal(error.message, "the user id 4294967295 is too large");
	assert_int_equal(uid_parse("bob", 3, &uid, &error), -EINVAL);
	assert_string_equal(error.message, "'bob' is not a user id");
}

/* Of every length: all bits of the prefix count, and none after it. */
static void test_prefix_bits(void **state)
{
	(void)state;
	for (unsigned family = 4; family <= 6; family += 2) {
		unsigned bits = family == 4 ? 32 : 128;

		for (unsigned i = 0; i < bits * (bits + 1); i++) {
			struct ph_cidr cidr = { .family = family, .len = i / bits };
			uint8_t addr[16] = {};

			addr[i % bits / 8] = 0x80 >> i % 8;
			assert_int_equal(cidr_holds(&cidr, family, addr), i % bits >= cidr.len);
			assert_false(cidr_holds(&cidr, 10 - family, addr));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_rules), cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_ports),
		cmocka_unit_test(test_port_rules), cmocka_unit_test(test_looks_like_ports),
		cmocka_unit_test(test_patterns),   cmocka_unit_test(test_flows),
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_prefix_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
