// SPDX-License-Identifier: GPL-2.0-or-later
#include "learn/lesson.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/decide.h"
#include "kernel/doors.h"
#include "policy/rule.h"
#include "util/cleanup.h"

#define NET_BITS_V4 24
#define NET_BITS_V6 64
#define DNS_PORT 53

DEFINE_CLEANUP_DONE(struct ph_rule, rule_done);
DEFINE_CLEANUP_DONE(struct ph_lesson, lesson_done);

/* A set of ports that are all needed at the same addresses: a rule to be. */
struct item {
	bool bind;
	enum ph_proto proto;
	struct ph_range range;
	struct ph_cidrs where; /* none: anywhere */
	struct ph_reason_seen reason;
};

struct items {
	struct item *v;
	size_t n;
};

static void items_done(struct items *items)
{
	for (size_t i = 0; i < items->n; i++)
		free(items->v[i].where.v);
	free(items->v);
}
DEFINE_CLEANUP_DONE(struct items, items_done);

void lesson_done(struct ph_lesson *lesson)
{
	for (size_t i = 0; i < lesson->n_remarks; i++)
		free(lesson->remarks[i]);
	free(lesson->remarks);
	free(lesson->reasons);
	policy_done(&lesson->policy);
	*lesson = (struct ph_lesson){};
}

/* --- Rules */

/* Takes the rule over. */
static int add_rule(struct ph_lesson *lesson, struct ph_rule *rule,
		    const struct ph_reason_seen *reason)
{
	size_t n = lesson->policy.n_rules;
	struct ph_reason_seen *grown;

	if (n == PH_RULES_MAX)
		return -E2BIG;
	grown = reallocarray(lesson->reasons, n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	lesson->reasons = grown;
	grown[n] = *reason;
	return policy_add_rule(&lesson->policy, rule);
}

static int add_keyword(struct ph_lesson *lesson, enum ph_rule_kind kind,
		       const struct ph_reason_seen *reason)
{
	struct ph_rule rule = { .kind = kind, .origin = kind };

	return add_rule(lesson, &rule, reason);
}

/* --- Keywords, which cover several sights at once */

static bool is_loopback(const struct ph_endpoint *end)
{
	static const uint8_t v6_loopback[16] = { [15] = 1 };

	return end->family == 4 ? end->addr[0] == 127 :
				  !memcmp(end->addr, v6_loopback, sizeof(v6_loopback));
}

static bool is_dns(const struct ph_sight *sight, const struct ph_terms *terms)
{
	return sight->need == PH_NEED_CONNECT && sight->end.port == DNS_PORT &&
	       cidrs_hold(&terms->resolvers, sight->end.family, sight->end.addr);
}

static bool is_on_loopback(const struct ph_sight *sight, const struct ph_terms *terms)
{
	return (sight->need == PH_NEED_CONNECT || sight->need == PH_NEED_BIND) &&
	       is_loopback(&sight->end);
}

typedef bool (*sight_test)(const struct ph_sight *sight, const struct ph_terms *terms);

/* One rule for all sights of this kind that no rule covers yet. */
static int cover_by_keyword(struct ph_lesson *lesson, enum ph_rule_kind kind, sight_test test,
			    const struct ph_terms *terms, const struct ph_sight *sights, size_t n,
			    bool *covered)
{
	struct ph_reason_seen reason = {};

	for (size_t i = 0; i < n; i++) {
		if (covered[i] || !test(&sights[i], terms))
			continue;
		covered[i] = true;
		reason.calls += sights[i].calls;
	}
	return reason.calls ? add_keyword(lesson, kind, &reason) : 0;
}

static bool uses_loopback_both_ways(const struct ph_sight *sights, size_t n)
{
	bool connects = false, serves = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_on_loopback(&sights[i], NULL))
			continue;
		connects |= sights[i].need == PH_NEED_CONNECT;
		serves |= sights[i].need == PH_NEED_BIND;
	}
	return connects && serves;
}

static int cover_by_keywords(struct ph_lesson *lesson, const struct ph_terms *terms,
			     const struct ph_sight *sights, size_t n, bool *covered)
{
	int r = cover_by_keyword(lesson, PH_RULE_DNS, is_dns, terms, sights, n, covered);

	if (!r && terms->addresses != PH_ADDRESSES_EXACT && uses_loopback_both_ways(sights, n))
		r = cover_by_keyword(lesson, PH_RULE_LOOPBACK, is_on_loopback, terms, sights, n,
				     covered);
	return r;
}

/* --- Ports and addresses */

static struct ph_cidr cidr_of(const struct ph_endpoint *end, enum ph_addresses addresses)
{
	struct ph_cidr cidr = { .family = end->family, .len = end->family == 4 ? 32 : 128 };

	if (addresses == PH_ADDRESSES_NET)
		cidr.len = end->family == 4 ? NET_BITS_V4 : NET_BITS_V6;
	memcpy(cidr.addr, end->addr, cidr.len / 8);
	return cidr;
}

static bool is_wildcard(const struct ph_endpoint *end)
{
	static const uint8_t zero[16];

	return !memcmp(end->addr, zero, sizeof(zero));
}

/* Adds where the sight was to the item, in which there is room for it. */
static void widen_item(struct item *item, const struct ph_sight *sight,
		       const struct ph_terms *terms, bool *anywhere)
{
	/* A server's own address is no matter of networks. */
	enum ph_addresses addresses = item->bind && terms->addresses == PH_ADDRESSES_NET ?
					      PH_ADDRESSES_EXACT :
					      terms->addresses;

	item->reason.calls += sight->calls;
	if (!sight->asked && !sight->served)
		item->reason.doubts |= PH_DOUBT_GUESSED;
	if (addresses == PH_ADDRESSES_ANY || (item->bind && is_wildcard(&sight->end)))
		*anywhere = true;
	else
		item->where.v[item->where.n++] = cidr_of(&sight->end, addresses);
}

static bool same_item(const struct ph_sight *a, const struct ph_sight *b,
		      const struct ph_terms *terms)
{
	return a->need == b->need && a->proto == b->proto && a->end.port == b->end.port &&
	       sight_is_chosen(a, &terms->chosen) == sight_is_chosen(b, &terms->chosen);
}

/* From sights of one port: `n` of them, of which those that are covered do not count. */
static int add_item(struct items *items, const struct ph_terms *terms,
		    const struct ph_sight *sights, size_t n)
{
	struct item item = { .bind = sights->need == PH_NEED_BIND, .proto = sights->proto };
	bool anywhere = false;

	item.range = (struct ph_range){ sights->end.port, sights->end.port };
	if (sight_is_chosen(sights, &terms->chosen)) {
		item.range = terms->chosen;
		item.reason.doubts |= PH_DOUBT_CHOSEN;
	}
	item.where.v = calloc(n, sizeof(*item.where.v));
	if (!item.where.v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		widen_item(&item, &sights[i], terms, &anywhere);
	cidrs_normalize(&item.where);
	if (item.where.n > PH_CIDRS_MAX) {
		item.reason.doubts |= PH_DOUBT_WIDE;
		anywhere = true;
	}
	if (anywhere)
		item.where.n = 0;
	items->v[items->n++] = item;
	return 0;
}

/* The sights that rules of ports are for and that are not covered, in their order. */
static size_t pick_sights(const struct ph_sight *sights, size_t n, const bool *covered,
			  struct ph_sight *ret)
{
	size_t picked = 0;

	for (size_t i = 0; i < n; i++)
		if (!covered[i] &&
		    (sights[i].need == PH_NEED_CONNECT || sights[i].need == PH_NEED_BIND))
			ret[picked++] = sights[i];
	return picked;
}

static int make_items(const struct ph_terms *terms, const struct ph_sight *sights, size_t n,
		      const bool *covered, struct items *ret)
{
	cleanup_free struct ph_sight *picked = calloc(n + 1, sizeof(*picked));
	size_t n_picked, first = 0;
	int r = 0;

	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!picked || !ret->v)
		return -ENOMEM;
	n_picked = pick_sights(sights, n, covered, picked);
	for (size_t i = 1; !r && i <= n_picked; i++) {
		if (i < n_picked && same_item(&picked[first], &picked[i], terms))
			continue;
		r = add_item(ret, terms, &picked[first], i - first);
		first = i;
	}
	return r;
}

static int compare_items(const void *first, const void *second)
{
	const struct item *a = first, *b = second;
	size_t size = a->where.n * sizeof(*a->where.v);
	int r;

	if (a->bind != b->bind)
		return a->bind - b->bind;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->where.n != b->where.n)
		return a->where.n < b->where.n ? -1 : 1;
	r = size ? memcmp(a->where.v, b->where.v, size) : 0;
	return r;
}

/* One rule for `n` items that differ in ports alone. */
static int add_items(struct ph_lesson *lesson, struct item *items, size_t n)
{
	cleanup_(rule_donep) struct ph_rule rule = {
		.kind = PH_RULE_PORTS,
		.origin = PH_RULE_PORTS,
		.proto = items->proto,
		.connect = !items->bind,
		.bind = items->bind,
	};
	struct ph_cidrs *where = items->bind ? &rule.on : &rule.to;
	struct ph_reason_seen reason = {};

	rule.ranges = calloc(n, sizeof(*rule.ranges));
	if (!rule.ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		rule.ranges[rule.n_ranges++] = items[i].range;
		reason.calls += items[i].reason.calls;
		reason.doubts |= items[i].reason.doubts;
	}
	ranges_normalize(rule.ranges, &rule.n_ranges);
	if (rule.n_ranges > PH_RANGES_MAX) {
		rule.ranges[0] = (struct ph_range){ 1, UINT16_MAX };
		rule.n_ranges = 1;
		reason.doubts |= PH_DOUBT_WIDE;
	}
	if (items->where.n)
		*where = items->where;
	if (items->where.n)
		items->where = (struct ph_cidrs){};
	return add_rule(lesson, &rule, &reason);
}

static int add_port_rules(struct ph_lesson *lesson, const struct ph_terms *terms,
			  const struct ph_sight *sights, size_t n, const bool *covered)
{
	cleanup_(items_donep) struct items items = {};
	size_t first = 0;
	int r = make_items(terms, sights, n, covered, &items);

	if (r || !items.n)
		return r;
	qsort(items.v, items.n, sizeof(*items.v), compare_items);
	for (size_t i = 1; !r && i <= items.n; i++) {
		if (i < items.n && !compare_items(&items.v[first], &items.v[i]))
			continue;
		r = add_items(lesson, &items.v[first], i - first);
		first = i;
	}
	return r;
}

/* --- Sockets, and what no rule grants */

static int add_remark(struct ph_lesson *lesson, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int add_remark(struct ph_lesson *lesson, const char *format, ...)
{
	char **grown = reallocarray(lesson->remarks, lesson->n_remarks + 1, sizeof(*grown));
	va_list arguments;
	char *text = NULL;
	int r;

	if (!grown)
		return -ENOMEM;
	lesson->remarks = grown;
	va_start(arguments, format);
	r = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (r < 0)
		return -ENOMEM;
	grown[lesson->n_remarks++] = text;
	return 0;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static bool names_udp(const struct ph_lesson *lesson)
{
	for (size_t i = 0; i < lesson->policy.n_rules; i++) {
		const struct ph_rule *rule = &lesson->policy.rules[i];

		if (rule->kind == PH_RULE_DNS || rule->kind == PH_RULE_LOOPBACK ||
		    (rule->kind == PH_RULE_PORTS && rule->proto == PH_PROTO_UDP))
			return true;
	}
	return false;
}

static int add_socket(struct ph_lesson *lesson, const struct ph_sight *sight)
{
	struct ph_rule rule = { .kind = PH_RULE_SOCKET, .origin = PH_RULE_SOCKET };
	struct ph_reason_seen reason = { .calls = sight->calls };

	if (kind_rule_socket(sight->kind, &rule.socket))
		return add_rule(lesson, &rule, &reason);
	if (sight->kind == PH_SOCKET_UDP && !names_udp(lesson))
		return add_remark(lesson,
				  "%" PRIu64 " call%s waited for datagrams on UDP sockets that had "
				  "sent nothing; any udp rule admits that",
				  sight->calls, plural(sight->calls));
	return 0;
}

static int add_forbidden(struct ph_lesson *lesson, const struct ph_sight *sight)
{
	if (sight->door != PH_DOOR_SOCKET)
		return add_remark(lesson,
				  "%" PRIu64 " call%s at the door %s; no rule can grant this",
				  sight->calls, plural(sight->calls), door_name(sight->door));
	return add_remark(lesson,
			  "%" PRIu64 " call%s with sockets of family %u, type %u, protocol %u; no "
			  "rule can grant this",
			  sight->calls, plural(sight->calls), sight->family, sight->type,
			  sight->protocol);
}

static int add_others(struct ph_lesson *lesson, const struct ph_sight *sights, size_t n)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		if (sights[i].need == PH_NEED_SOCKET)
			r = add_socket(lesson, &sights[i]);
		else if (sights[i].need == PH_NEED_NOTHING)
			r = add_forbidden(lesson, &sights[i]);
	}
	return r;
}

int lesson_make(const struct ph_sight *sights, size_t n, const struct ph_terms *terms,
		struct ph_lesson *ret)
{
	cleanup_(lesson_donep) struct ph_lesson lesson = {};
	cleanup_free bool *covered = calloc(n + 1, sizeof(*covered));
	int r;

	if (!covered)
		return -ENOMEM;
	r = cover_by_keywords(&lesson, terms, sights, n, covered);
	if (!r)
		r = add_port_rules(&lesson, terms, sights, n, covered);
	if (!r)
		r = add_others(&lesson, sights, n);
	if (r)
		return r;
	*ret = lesson;
	lesson = (struct ph_lesson){};
	return 0;
}

char *reason_text(const struct ph_reason_seen *reason)
{
	char *text = NULL;

	if (asprintf(&text, "%" PRIu64 " call%s%s%s%s", reason->calls, plural(reason->calls),
		     reason->doubts & PH_DOUBT_GUESSED ? "; a guess: open before the watch" : "",
		     reason->doubts & PH_DOUBT_CHOSEN ? "; the kernel chose the port" : "",
		     reason->doubts & PH_DOUBT_WIDE ? "; too many to list" : "") < 0)
		return NULL;
	return text;
}
