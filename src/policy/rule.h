/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_RULE_H
#define PH_RULE_H
/*
 * The one grammar of rules and flows, the same in files, on the command line and in events.
 *
 * Rule:
 *	[connect|bind] tcp|udp PORTS [to CIDRS] [on CIDRS] [from CIDRS] [except CIDRS]
 *	socket icmp|raw|packet|vsock
 *	dns
 *	loopback
 *   PORTS   any, or a comma list of N and N-M, 1 to 65535
 *   CIDRS   a comma list of ADDRESS and ADDRESS/LEN, IPv4 and IPv6
 *   A blank may follow a comma. Without connect or bind both are meant, and no address may follow.
 *   `to` goes with connect, `on` and `from` with bind, in that order. `except` takes away from the
 *   list right before it: from `to`; from `from`; or, where there is no `from`, from `on`.
 *   ::/0 means every IPv6 address; IPv4 in its v4-mapped form is IPv4 and needs 0.0.0.0/0.
 *
 * Flow (what `explain` asks and `expect` tests):
 *	connect tcp|udp REMOTE:PORT
 *	bind    tcp|udp [LOCAL:]PORT		port 0: the kernel chooses
 *	listen  tcp     [LOCAL:]PORT
 *	accept  tcp     [LOCAL:]PORT from REMOTE[:PORT]
 *	send    tcp|udp REMOTE:PORT [on [LOCAL:]PORT]
 *	receive tcp|udp REMOTE:PORT [on [LOCAL:]PORT]
 *	socket  tcp|udp|icmp|raw|packet|vsock
 *   IPv6 with a port is [ADDRESS]:PORT. Without LOCAL, bind and listen mean the wildcard address of
 *   both families. Without `on`, send and receive use a port that the kernel chose, which
 *   no bind rule is taken to cover.
 *   `connect udp` asks whether the process may talk to REMOTE that way. (The call connect(2) itself
 *   sends nothing on UDP and passes, as making the socket does.)
 *   A REMOTE of 0.0.0.0 or :: is the host itself, as for the calls.
 */
#include "policy/policy.h"

/* What is wrong at which character of the text, and what would be right. */
struct ph_text_error {
	unsigned column; /* 1 is the first character of the text given */
	size_t offset; /* the same in bytes, from 0 */
	char message[256];
	char remedy[256];
};

/*
 * Parsers: 0, -EINVAL with *error filled, or -ENOMEM; the result is untouched on failure.
 * text needs no NUL and may hold any bytes. rule_parse leaves line and column 0.
 */
int rule_parse(const char *text, size_t len, struct ph_rule *ret, struct ph_text_error *error);
int flow_parse(const char *text, size_t len, struct ph_flow_spec *ret, struct ph_text_error *error);

/*
 * What a call reaches that names 0.0.0.0 or :: is its own host: by the local IPv4 address, or else by
 * loopback.
 */
void flow_settle(struct ph_flow_spec *flow);

/* `allow FLOW` or `deny FLOW`. */
int expect_parse(const char *text, size_t len, struct ph_expect *ret, struct ph_text_error *error);

/* PORTS alone, as in `porthold allow 4040,8080-8090 NAME`; *ret is the caller's to free. */
int ports_parse(const char *text, size_t len, struct ph_range **ret, size_t *ret_n,
		struct ph_text_error *error);

/*
 * The same with protocols: none; or a comma list of PORT, PORT-PORT and any, each alone (TCP), as
 * udp/PORT or as PORT/udp, and dns. Adds the rules, for connect and bind, to the policy.
 */
int port_rules_parse(const char *text, size_t len, struct ph_policy *policy,
		     struct ph_text_error *error);

/* Whether that is meant, right or wrong: "any" and "dns" alone may be names as well. */
bool ports_look_like(const char *text);

/* One ADDRESS or ADDRESS/LEN. */
int cidr_parse(const char *text, size_t len, struct ph_cidr *ret, struct ph_text_error *error);

/* Canonical text, the caller's to free; parsing it gives the same again. 0 or -ENOMEM. */
int rule_format(const struct ph_rule *rule, char **ret);
int flow_format(const struct ph_flow_spec *flow, char **ret);
int expect_format(const struct ph_expect *expect, char **ret);
int ports_format(const struct ph_range *ranges, size_t n, char **ret);

/* Any total order in which equal means the same meaning; ignores line, column and origin. */
int rule_compare(const struct ph_rule *a, const struct ph_rule *b);

/* Whether addr (of family 4 or 6) lies in the cidr; in one of the list. */
bool cidr_holds(const struct ph_cidr *cidr, uint8_t family, const uint8_t addr[16]);
bool cidrs_hold(const struct ph_cidrs *list, uint8_t family, const uint8_t addr[16]);

/* Sort and merge to the invariants of policy.h, in place; for rules made by hand. */
void ranges_normalize(struct ph_range *ranges, size_t *n);
void cidrs_normalize(struct ph_cidrs *list);

#endif
