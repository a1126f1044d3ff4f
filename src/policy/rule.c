// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rule grammar: text <-> struct ph_rule (rule.h has the grammar, policy.h the invariants).
 *
 * A rule is read left to right, word by word, and the first word that does not fit is the error:
 * its message names the word, its remedy what to write there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cidr.h"
#include "policy/ports.h"
#include "policy/words.h"
#include "util/cleanup.h"
#include "util/stream.h"

DEFINE_CLEANUP_DONE(struct ph_rule, rule_done);

/* In the order in which they may stand in a rule. */
enum clause {
	CLAUSE_TO,
	CLAUSE_ON,
	CLAUSE_FROM,
	CLAUSE_EXCEPT,
	CLAUSES,
};

static const char *const clause_names[CLAUSES + 1] = { "to", "on", "from", "except", NULL };

static struct ph_cidrs *clause_list(struct ph_rule *rule, enum clause clause)
{
	switch (clause) {
	case CLAUSE_TO:
		return &rule->to;
	case CLAUSE_ON:
		return &rule->on;
	case CLAUSE_FROM:
		return &rule->from;
	default:
		return &rule->except;
	}
}

static int parse_cidrs(struct ph_scanner *scanner, const char *clause, struct ph_cidrs *list)
{
	do {
		struct ph_word word = scanner_item(scanner);
		struct ph_cidr cidr, *larger;
		int r;

		if (word.len == 0) {
			text_wrong(scanner, word.offset, "an address is missing after %s",
				   list->n ? "the comma" : clause);
			return text_right(
				scanner,
				"write an address such as 10.1.2.3, or a network such as 10.0.0.0/8");
		}
		r = cidr_parse_word(scanner, &word, &cidr);
		if (r < 0)
			return r;
		if (list->n == PH_CIDRS_MAX) {
			text_wrong(scanner, word.offset, "a list holds at most %u addresses",
				   PH_CIDRS_MAX);
			return text_right(scanner, "put the rest into another rule");
		}
		/* Doubled whenever n is a power of two. */
		if ((list->n & (list->n - 1)) == 0) {
			larger = reallocarray(list->v, list->n ? list->n * 2 : 1, sizeof(cidr));
			if (!larger)
				return -ENOMEM;
			list->v = larger;
		}
		list->v[list->n++] = cidr;
	} while (scanner_comma(scanner));
	cidrs_normalize(list);
	return 0;
}

/* Whether the clause may stand in this rule at all. */
static int check_clause(struct ph_scanner *scanner, const struct ph_word *word, enum clause clause,
			const struct ph_rule *rule)
{
	const char *proto = proto_name(rule->proto);

	if (clause == CLAUSE_EXCEPT) {
		if (rule->to.n || rule->on.n || rule->from.n)
			return 0;
		text_wrong(scanner, word->offset, "except has no addresses to take away from");
		if (rule->connect && rule->bind)
			return text_right(
				scanner,
				"write connect %s ... to 0.0.0.0/0,::/0 except ..., and a bind rule apart",
				proto);
		return text_right(scanner, "write %s 0.0.0.0/0,::/0 before it",
				  rule->connect ? "to" : "from");
	}
	if (rule->connect && rule->bind) {
		text_wrong(scanner, word->offset, "%s needs %s before %s", clause_names[clause],
			   clause == CLAUSE_TO ? "connect" : "bind", proto);
		return text_right(
			scanner,
			"write %s %s ... %s ...; without it the rule means both connect and bind, and takes no address",
			clause == CLAUSE_TO ? "connect" : "bind", proto, clause_names[clause]);
	}
	if (clause == CLAUSE_TO && !rule->connect) {
		text_wrong(scanner, word->offset, "to does not go with bind");
		return text_right(
			scanner,
			"write on for the local address, or from for the peers that may reach it");
	}
	if (clause != CLAUSE_TO && !rule->bind) {
		text_wrong(scanner, word->offset, "%s does not go with connect",
			   clause_names[clause]);
		return text_right(scanner, "write to for the addresses that it may connect to");
	}
	return 0;
}

static int wrong_clause(struct ph_scanner *scanner, const struct ph_word *word)
{
	const char *nearest = word_nearest(word, clause_names);

	text_wrong(scanner, word->offset, "%s does not belong after the ports", quote(word).text);
	if (nearest)
		return text_right(scanner, "did you mean %s?", nearest);
	if (word_is_number(word))
		return text_right(scanner, "separate ports with commas, as in 4040,8080-8090");
	return text_right(scanner, "what may follow is to, on, from or except with addresses");
}

static int parse_clauses(struct ph_scanner *scanner, struct ph_rule *rule)
{
	enum clause next = CLAUSE_TO;

	while (!scanner_at_end(scanner)) {
		struct ph_word word = scanner_word(scanner);
		enum clause clause = CLAUSE_TO;
		int r;

		while (clause < CLAUSES && !word_is(&word, clause_names[clause]))
			clause++;
		if (clause == CLAUSES)
			return wrong_clause(scanner, &word);
		r = check_clause(scanner, &word, clause, rule);
		if (r < 0)
			return r;
		if (clause_list(rule, clause)->n) {
			text_wrong(scanner, word.offset, "%s is given twice", clause_names[clause]);
			return text_right(scanner, "write one list with commas");
		}
		if (clause < next) {
			text_wrong(scanner, word.offset, "%s stands too late",
				   clause_names[clause]);
			return text_right(scanner, "the order is to, on, from, except");
		}
		r = parse_cidrs(scanner, clause_names[clause], clause_list(rule, clause));
		if (r < 0)
			return r;
		next = clause + 1;
	}
	return 0;
}

bool proto_parse(const struct ph_word *word, enum ph_proto *ret)
{
	if (word_is(word, "tcp"))
		*ret = PH_PROTO_TCP;
	else if (word_is(word, "udp"))
		*ret = PH_PROTO_UDP;
	else
		return false;
	return true;
}

/* tcp/80, tcp:80, 80/tcp: as others write it. */
static bool is_joined(const struct ph_word *word, enum ph_proto *ret, struct ph_word *ret_ports)
{
	struct ph_word first = *word, second = *word;
	size_t n = 0;

	while (n < word->len && !strchr("/:=", word->text[n]))
		n++;
	if (n == word->len)
		return false;
	first.len = n;
	second.text += n + 1;
	second.len -= n + 1;
	*ret_ports = proto_parse(&first, ret) ? second : first;
	return ret_ports->len && (proto_parse(&first, ret) || proto_parse(&second, ret));
}

static int wrong_proto(struct ph_scanner *scanner, const struct ph_word *word, const char *before)
{
	static const char *const protos[] = { "tcp", "udp", NULL };
	const char *nearest = word_nearest(word, protos);
	struct ph_word ports;
	enum ph_proto proto;

	if (word->len == 0)
		text_wrong(scanner, word->offset, "the protocol is missing after %s", before);
	else
		text_wrong(scanner, word->offset, "%s is not a protocol", quote(word).text);
	if (word_is(word, "connect") || word_is(word, "bind"))
		return text_right(scanner,
				  "leave both out: without connect or bind, both are meant");
	if (is_joined(word, &proto, &ports))
		return text_right(scanner, "write %s %s %s", before, proto_name(proto),
				  quote_bare(&ports).text);
	if (nearest)
		return text_right(scanner, "did you mean %s?", nearest);
	if (word_is_number(word))
		return text_right(scanner, "write %s tcp %s or %s udp %s", before,
				  quote_bare(word).text, before, quote_bare(word).text);
	return text_right(scanner, "write tcp or udp");
}

static int parse_ports_rule(struct ph_scanner *scanner, const struct ph_word *first,
			    struct ph_rule *rule)
{
	bool connect = word_is(first, "connect"), bind = word_is(first, "bind");
	struct ph_word word = *first;
	int r;

	if (connect || bind)
		word = scanner_word(scanner);
	rule->kind = rule->origin = PH_RULE_PORTS;
	rule->connect = !bind;
	rule->bind = !connect;
	if (!proto_parse(&word, &rule->proto))
		return wrong_proto(scanner, &word, connect ? "connect" : "bind");
	r = ports_parse_list(scanner, &rule->ranges, &rule->n_ranges);
	if (r < 0)
		return r;
	return parse_clauses(scanner, rule);
}

bool rule_socket_parse(const struct ph_word *word, enum ph_rule_socket *ret)
{
	for (enum ph_rule_socket kind = PH_KIND_ICMP; kind <= PH_KIND_VSOCK; kind++) {
		if (word_is(word, rule_socket_name(kind))) {
			*ret = kind;
			return true;
		}
	}
	return false;
}

static int parse_socket_rule(struct ph_scanner *scanner, struct ph_rule *rule)
{
	static const char *const kinds[] = { "icmp", "raw", "packet", "vsock", NULL };
	struct ph_word word = scanner_word(scanner);
	enum ph_proto proto;
	const char *nearest;

	rule->kind = rule->origin = PH_RULE_SOCKET;
	if (rule_socket_parse(&word, &rule->socket))
		return 0;
	if (word.len == 0)
		text_wrong(scanner, word.offset, "the kind of socket is missing");
	else
		text_wrong(scanner, word.offset, "%s is not a kind of socket that a rule can allow",
			   quote(&word).text);
	nearest = word_nearest(&word, kinds);
	if (nearest)
		return text_right(scanner, "did you mean socket %s?", nearest);
	if (proto_parse(&word, &proto))
		return text_right(scanner,
				  "a rule for ports allows the socket too: write %s and the ports",
				  proto_name(proto));
	return text_right(scanner, "write socket icmp, socket raw, socket packet or socket vsock");
}

/* What somebody may have meant who began a rule like this. */
static int wrong_start(struct ph_scanner *scanner, const struct ph_word *word)
{
	static const char *const starts[] = { "connect", "bind", "tcp",	     "udp",
					      "socket",	 "dns",	 "loopback", NULL };
	const char *nearest = word_nearest(word, starts);
	enum ph_rule_socket kind;
	struct ph_word ports;
	enum ph_proto proto;

	if (word->len == 0) {
		text_wrong(scanner, word->offset, "the rule is empty");
		return text_right(scanner, "write a rule such as tcp 4040");
	}
	text_wrong(scanner, word->offset, "%s does not begin a rule", quote(word).text);
	if (is_joined(word, &proto, &ports))
		return text_right(scanner, "write %s %s", proto_name(proto),
				  quote_bare(&ports).text);
	if (word->text[0] >= '0' && word->text[0] <= '9')
		return text_right(
			scanner,
			"name the protocol first: tcp %s (between [ and ], put a rule that holds commas in quotes)",
			quote_bare(word).text);
	if (word_is(word, "listen") || word_is(word, "accept"))
		return text_right(scanner, "write bind: it covers listen and accept");
	if (word_is(word, "send") || word_is(word, "receive"))
		return text_right(scanner,
				  "write connect or bind: data flows both ways on what they allow");
	if (word_is(word, "allow"))
		return text_right(scanner, "leave allow out");
	if (word_is(word, "deny"))
		return text_right(scanner, "leave the rule out: what no rule allows is denied");
	if (rule_socket_parse(word, &kind))
		return text_right(scanner, "write socket %s", rule_socket_name(kind));
	if (nearest)
		return text_right(scanner, "did you mean %s?", nearest);
	return text_right(scanner,
			  "a rule begins with connect, bind, tcp, udp, socket, dns or loopback");
}

static int parse_rest(struct ph_scanner *scanner, const struct ph_word *first, struct ph_rule *rule)
{
	enum ph_proto proto;

	if (word_is(first, "connect") || word_is(first, "bind") || proto_parse(first, &proto))
		return parse_ports_rule(scanner, first, rule);
	if (word_is(first, "socket"))
		return parse_socket_rule(scanner, rule);
	if (word_is(first, "dns"))
		rule->kind = rule->origin = PH_RULE_DNS;
	else if (word_is(first, "loopback"))
		rule->kind = rule->origin = PH_RULE_LOOPBACK;
	else
		return wrong_start(scanner, first);
	return 0;
}

int rule_parse(const char *text, size_t len, struct ph_rule *ret, struct ph_text_error *error)
{
	cleanup_(rule_donep) struct ph_rule rule = {};
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word first;
	int r;

	if (len > PH_RULE_TEXT_MAX) {
		text_wrong(&scanner, 0, "the rule is longer than %u KiB", PH_RULE_TEXT_MAX >> 10);
		return text_right(&scanner, "split it into several rules");
	}
	first = scanner_word(&scanner);
	r = parse_rest(&scanner, &first, &rule);
	if (r < 0)
		return r;
	if (!scanner_at_end(&scanner)) {
		struct ph_word word = scanner_word(&scanner);

		text_wrong(&scanner, word.offset, "%s follows a rule that is complete",
			   quote(&word).text);
		return text_right(&scanner, "leave it out, or make it a rule of its own");
	}
	*ret = rule;
	rule = (struct ph_rule){};
	return 0;
}

static void print_clause(FILE *stream, const char *name, const struct ph_cidrs *list)
{
	for (size_t i = 0; i < list->n; i++) {
		char text[PH_CIDR_TEXT_MAX];

		cidr_format(&list->v[i], text);
		if (i == 0)
			(void)fprintf(stream, " %s ", name);
		(void)fprintf(stream, "%s%s", i ? "," : "", text);
	}
}

void rule_print(FILE *stream, const struct ph_rule *rule)
{
	switch (rule->kind) {
	case PH_RULE_SOCKET:
		(void)fprintf(stream, "socket %s", rule_socket_name(rule->socket));
		return;
	case PH_RULE_DNS:
		(void)fputs("dns", stream);
		return;
	case PH_RULE_LOOPBACK:
		(void)fputs("loopback", stream);
		return;
	case PH_RULE_PORTS:
		break;
	}
	if (!rule->bind)
		(void)fputs("connect ", stream);
	if (!rule->connect)
		(void)fputs("bind ", stream);
	(void)fprintf(stream, "%s ", proto_name(rule->proto));
	ports_print(stream, rule->ranges, rule->n_ranges);
	print_clause(stream, "to", &rule->to);
	print_clause(stream, "on", &rule->on);
	print_clause(stream, "from", &rule->from);
	print_clause(stream, "except", &rule->except);
}

int rule_format(const struct ph_rule *rule, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	rule_print(stream.file, rule);
	return stream_end(&stream, ret);
}

int ports_format(const struct ph_range *ranges, size_t n, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	ports_print(stream.file, ranges, n);
	return stream_end(&stream, ret);
}

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare_cidrs(const struct ph_cidrs *a, const struct ph_cidrs *b)
{
	int r = compare_numbers(a->n, b->n);

	for (size_t i = 0; r == 0 && i < a->n; i++)
		r = cidr_compare(&a->v[i], &b->v[i]);
	return r;
}

static int compare_ports_rules(const struct ph_rule *a, const struct ph_rule *b)
{
	int r = compare_numbers(a->proto, b->proto);

	if (r == 0)
		r = compare_numbers(a->connect, b->connect);
	if (r == 0)
		r = compare_numbers(a->bind, b->bind);
	if (r == 0)
		r = compare_numbers(a->n_ranges, b->n_ranges);
	for (size_t i = 0; r == 0 && i < a->n_ranges; i++) {
		r = compare_numbers(a->ranges[i].lo, b->ranges[i].lo);
		if (r == 0)
			r = compare_numbers(a->ranges[i].hi, b->ranges[i].hi);
	}
	if (r == 0)
		r = compare_cidrs(&a->to, &b->to);
	if (r == 0)
		r = compare_cidrs(&a->on, &b->on);
	if (r == 0)
		r = compare_cidrs(&a->from, &b->from);
	if (r == 0)
		r = compare_cidrs(&a->except, &b->except);
	return r;
}

int rule_compare(const struct ph_rule *a, const struct ph_rule *b)
{
	if (a->kind != b->kind)
		return compare_numbers(a->kind, b->kind);
	if (a->kind == PH_RULE_SOCKET)
		return compare_numbers(a->socket, b->socket);
	if (a->kind == PH_RULE_PORTS)
		return compare_ports_rules(a, b);
	return 0;
}
