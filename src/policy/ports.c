// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports and port ranges: text <-> sorted, merged lists of struct ph_range (policy.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/ports.h"
#include "policy/words.h"
#include "util/cleanup.h"

#define PORT_MAX 65535

int port_parse_word(struct ph_scanner *scanner, const struct ph_word *word, bool may_be_zero,
		    uint16_t *ret)
{
	uint64_t number;

	if (!word_is_number(word)) {
		text_wrong(scanner, word->offset, "%s is not a port", quote(word).text);
		return text_right(scanner, "write a number from 1 to 65535, such as 4040");
	}
	number = word_number(word, PORT_MAX);
	if (number > PORT_MAX) {
		text_wrong(scanner, word->offset, "port %s is too large", quote_bare(word).text);
		return text_right(scanner, "the largest port is 65535");
	}
	if (number == 0 && !may_be_zero) {
		text_wrong(scanner, word->offset, "port 0 does not exist");
		return text_right(scanner, "write a port from 1 to 65535, or any for all of them");
	}
	*ret = (uint16_t)number;
	return 0;
}

/* Both sides of the slash; false: there is none. */
static bool split_at_slash(const struct ph_word *word, struct ph_word *first,
			   struct ph_word *second)
{
	const char *slash = memchr(word->text, '/', word->len);

	*first = *second = *word;
	if (!slash)
		return false;
	first->len = (size_t)(slash - word->text);
	second->text = slash + 1;
	second->len = word->len - first->len - 1;
	second->offset += first->len + 1;
	return true;
}

static int wrong_item(struct ph_scanner *scanner, const struct ph_word *word)
{
	const char *colon = memchr(word->text, ':', word->len);
	struct ph_word lo = *word, hi = *word, first, second;
	enum ph_proto proto;

	if (colon) {
		lo.len = (size_t)(colon - word->text);
		hi.text = colon + 1;
		hi.len = word->len - lo.len - 1;
	}
	if (colon && word_is_number(&lo) && word_is_number(&hi)) {
		text_wrong(scanner, word->offset, "%s is not a port range", quote(word).text);
		return text_right(scanner, "write %s-%s", quote_bare(&lo).text,
				  quote_bare(&hi).text);
	}
	text_wrong(scanner, word->offset, "%s is not a port", quote(word).text);
	if (split_at_slash(word, &first, &second) && proto_parse(&second, &proto))
		return text_right(scanner, "in a rule the protocol comes first: %s %s",
				  proto_name(proto), quote_bare(&first).text);
	return text_right(
		scanner,
		"write a number from 1 to 65535 such as 4040, a range such as 8080-8090, or any");
}

static int parse_range(struct ph_scanner *scanner, const struct ph_word *word, size_t dash,
		       struct ph_range *ret)
{
	struct ph_word lo = { word->text, dash, word->offset };
	struct ph_word hi = { word->text + dash + 1, word->len - dash - 1,
			      word->offset + dash + 1 };
	struct ph_range range;
	int r;

	if (lo.len == 0 && word_is_number(&hi) && word_number(&hi, 1) == 1) {
		text_wrong(scanner, word->offset, "%s is not a port", quote(word).text);
		return text_right(scanner, "write a port from 1 to 65535, or any for all of them");
	}
	if (lo.len == 0 && word_is_number(&hi)) {
		text_wrong(scanner, word->offset, "the range %s has no first port",
			   quote(word).text);
		return text_right(scanner, "write 1-%s, or %s alone", quote_bare(&hi).text,
				  quote_bare(&hi).text);
	}
	if (hi.len == 0 && word_is_number(&lo)) {
		text_wrong(scanner, word->offset, "the range %s has no last port",
			   quote(word).text);
		return text_right(scanner, "write %s-65535, or %s alone", quote_bare(&lo).text,
				  quote_bare(&lo).text);
	}
	if (!word_is_number(&lo) || !word_is_number(&hi))
		return wrong_item(scanner, word);
	r = port_parse_word(scanner, &lo, false, &range.lo);
	if (r < 0)
		return r;
	r = port_parse_word(scanner, &hi, false, &range.hi);
	if (r < 0)
		return r;
	if (range.lo > range.hi) {
		text_wrong(scanner, word->offset, "the range %s runs backwards", quote(word).text);
		return text_right(scanner, "write %u-%u", range.hi, range.lo);
	}
	*ret = range;
	return 0;
}

static int parse_item(struct ph_scanner *scanner, const struct ph_word *word, bool first,
		      struct ph_range *ret)
{
	const char *dash = memchr(word->text, '-', word->len);
	int r;

	if (word->len == 0 && first) {
		text_wrong(scanner, word->offset, "the port is missing");
		return text_right(
			scanner,
			"write a port such as 4040, a list such as 4040,8080-8090, or any");
	}
	if (word->len == 0) {
		text_wrong(scanner, word->offset, "a port is missing after the comma");
		return text_right(scanner, "write a port there, or leave the comma out");
	}
	if (word_is(word, "any")) {
		*ret = (struct ph_range){ 1, PORT_MAX };
		return 0;
	}
	if (dash)
		return parse_range(scanner, word, (size_t)(dash - word->text), ret);
	if (!word_is_number(word))
		return wrong_item(scanner, word);
	r = port_parse_word(scanner, word, false, &ret->lo);
	if (r < 0)
		return r;
	ret->hi = ret->lo;
	return 0;
}

/* Doubled whenever n is a power of two. */
static int append_range(struct ph_scanner *scanner, const struct ph_word *word,
			const struct ph_range *range, struct ph_range **v, size_t *n)
{
	if (*n == PH_RANGES_MAX) {
		text_wrong(scanner, word->offset, "a rule holds at most %u ports and ranges",
			   PH_RANGES_MAX);
		return text_right(scanner, "put the rest into another rule");
	}
	if ((*n & (*n - 1)) == 0) {
		struct ph_range *larger = reallocarray(*v, *n ? *n * 2 : 1, sizeof(**v));

		if (!larger)
			return -ENOMEM;
		*v = larger;
	}
	(*v)[(*n)++] = *range;
	return 0;
}

int ports_parse_list(struct ph_scanner *scanner, struct ph_range **ret, size_t *ret_n)
{
	cleanup_free struct ph_range *ranges = NULL;
	size_t n = 0;

	do {
		struct ph_word word = scanner_item(scanner);
		struct ph_range range;
		int r = parse_item(scanner, &word, n == 0, &range);

		if (!r)
			r = append_range(scanner, &word, &range, &ranges, &n);
		if (r < 0)
			return r;
	} while (scanner_comma(scanner));
	ranges_normalize(ranges, &n);
	*ret = TAKE_PTR(ranges);
	*ret_n = n;
	return 0;
}

static int expect_end(struct ph_scanner *scanner)
{
	struct ph_word word;

	if (scanner_at_end(scanner))
		return 0;
	word = scanner_word(scanner);
	text_wrong(scanner, word.offset, "%s follows the ports", quote(&word).text);
	return text_right(scanner, "separate ports with commas, as in 4040,8080-8090");
}

int ports_parse(const char *text, size_t len, struct ph_range **ret, size_t *ret_n,
		struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	cleanup_free struct ph_range *ranges = NULL;
	size_t n;
	int r;

	r = ports_parse_list(&scanner, &ranges, &n);
	if (!r)
		r = expect_end(&scanner);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(ranges);
	*ret_n = n;
	return 0;
}

/* --- Ports with their protocols, as on the command line */

/* What is gathered of each protocol. */
struct port_words {
	struct ph_range *ranges[2]; /* by enum ph_proto */
	size_t n[2];
	bool dns;
};

static void port_words_done(struct port_words *words)
{
	free(words->ranges[PH_PROTO_TCP]);
	free(words->ranges[PH_PROTO_UDP]);
}

DEFINE_CLEANUP_DONE(struct port_words, port_words_done);

/* udp/123 and 123/udp: the word becomes 123. TCP is meant where nothing is said. */
static int take_proto(struct ph_scanner *scanner, struct ph_word *word, enum ph_proto *ret)
{
	struct ph_word first, second;

	*ret = PH_PROTO_TCP;
	if (!split_at_slash(word, &first, &second))
		return 0;
	if (proto_parse(&first, ret))
		*word = second;
	else if (proto_parse(&second, ret))
		*word = first;
	else {
		text_wrong(scanner, word->offset, "%s names no protocol", quote(word).text);
		return text_right(scanner, "write tcp or udp with the port, such as udp/123");
	}
	return 0;
}

static int take_port_word(struct ph_scanner *scanner, struct ph_word word, struct port_words *words,
			  bool first)
{
	struct ph_range range;
	enum ph_proto proto;
	int r;

	if (word_is(&word, "none")) {
		text_wrong(scanner, word.offset, "'none' stands beside ports");
		return text_right(scanner, "write none alone, for no network at all");
	}
	if (word_is(&word, "dns")) {
		words->dns = true;
		return 0;
	}
	r = take_proto(scanner, &word, &proto);
	if (!r)
		r = parse_item(scanner, &word, first, &range);
	return r ? r :
		   append_range(scanner, &word, &range, &words->ranges[proto], &words->n[proto]);
}

static int add_port_rule(struct port_words *words, enum ph_proto proto, struct ph_policy *policy)
{
	struct ph_rule rule = {
		.proto = proto,
		.connect = true,
		.bind = true,
		.ranges = words->ranges[proto],
		.n_ranges = words->n[proto],
	};
	int r;

	if (!rule.n_ranges)
		return 0;
	ranges_normalize(rule.ranges, &rule.n_ranges);
	r = policy_add_rule(policy, &rule);
	if (!r)
		words->ranges[proto] = NULL;
	return r;
}

int port_rules_parse(const char *text, size_t len, struct ph_policy *policy,
		     struct ph_text_error *error)
{
	cleanup_(port_words_donep) struct port_words words = {};
	struct ph_rule dns = { .kind = PH_RULE_DNS, .origin = PH_RULE_DNS };
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word whole = { text, len, 0 };
	bool first = true;
	int r;

	if (word_is(&whole, "none"))
		return 0;
	do {
		r = take_port_word(&scanner, scanner_item(&scanner), &words, first);
		if (r)
			return r;
		first = false;
	} while (scanner_comma(&scanner));
	r = expect_end(&scanner);
	if (!r)
		r = add_port_rule(&words, PH_PROTO_TCP, policy);
	if (!r)
		r = add_port_rule(&words, PH_PROTO_UDP, policy);
	return r || !words.dns ? r : policy_add_rule(policy, &dns);
}

/* Of one item between commas; *ret_sure says that it is nothing else. */
static bool is_port_word(const struct ph_word *word, bool *ret_sure)
{
	struct ph_word first, second;
	enum ph_proto proto;

	if (split_at_slash(word, &first, &second))
		*ret_sure = proto_parse(&first, &proto) || proto_parse(&second, &proto);
	else
		*ret_sure = word_is(word, "none") || strspn(word->text, "0123456789-") >= word->len;
	return *ret_sure || word_is(word, "any") || word_is(word, "dns");
}

bool ports_look_like(const char *text)
{
	bool sure = false, one;

	if (!*text)
		return false;
	for (const char *at = text;; at++) {
		struct ph_word word = { .text = at, .len = strcspn(at, ",") };

		if (!is_port_word(&word, &one))
			return false;
		sure |= one;
		at += word.len;
		if (!*at)
			return sure;
	}
}

/* --- Lists of ranges */

static int compare_ranges(const void *a, const void *b)
{
	const struct ph_range *x = a, *y = b;

	return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

void ranges_normalize(struct ph_range *ranges, size_t *n)
{
	size_t kept = 0;

	if (*n == 0)
		return;
	qsort(ranges, *n, sizeof(*ranges), compare_ranges);
	for (size_t i = 1; i < *n; i++) {
		if (ranges[i].lo > ranges[kept].hi + 1)
			ranges[++kept] = ranges[i];
		else if (ranges[i].hi > ranges[kept].hi)
			ranges[kept].hi = ranges[i].hi;
	}
	*n = kept + 1;
}

void ports_print(FILE *stream, const struct ph_range *ranges, size_t n)
{
	if (n == 1 && ranges[0].lo == 1 && ranges[0].hi == PORT_MAX) {
		(void)fputs("any", stream);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		(void)fprintf(stream, "%s%u", i ? "," : "", ranges[i].lo);
		if (ranges[i].hi != ranges[i].lo)
			(void)fprintf(stream, "-%u", ranges[i].hi);
	}
}
