/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_LESSON_H
#define PH_LESSON_H
/*
 * From what was seen to the smallest policy that covers it, with the reason for each rule.
 *
 * Ports that were used with the same addresses share a rule. `dns` stands for port 53 of the
 * resolvers. `loopback` opens every port of the machine to itself, so it stands for what was seen
 * only where exact addresses were not asked for, and only for a process that did both: connect
 * there, and serve there. A port that the kernel chose becomes the range it chooses from.
 */
#include "learn/seen.h"

enum ph_addresses {
	PH_ADDRESSES_EXACT, /* the hosts that were seen */
	PH_ADDRESSES_NET, /* the networks they are in: /24 and /64 */
	PH_ADDRESSES_ANY, /* rules of ports alone */
};

struct ph_terms {
	enum ph_addresses addresses;
	struct ph_range chosen; /* as in ph_seen */
	struct ph_cidrs resolvers; /* borrowed */
};

/* Why a rule is wider than what was seen, or less sure. */
enum ph_doubt {
	PH_DOUBT_GUESSED = 1 << 0, /* a socket that was open before the watch */
	PH_DOUBT_CHOSEN = 1 << 1, /* the kernel chose the port */
	PH_DOUBT_WIDE = 1 << 2, /* more addresses or ports than a rule can list */
};

struct ph_reason_seen {
	uint64_t calls;
	unsigned doubts;
};

struct ph_lesson {
	struct ph_policy policy; /* its rules; the rest is the caller's to fill */
	struct ph_reason_seen *reasons; /* of each rule */
	char **remarks; /* what no rule can grant, a line each */
	size_t n_remarks;
};

void lesson_done(struct ph_lesson *lesson);

/* 0; -E2BIG: it takes more than PH_RULES_MAX rules; -ENOMEM. */
int lesson_make(const struct ph_sight *sights, size_t n, const struct ph_terms *terms,
		struct ph_lesson *ret);

/* "12 calls", and what is to be said of the rule; the caller's to free, or NULL: no memory. */
char *reason_text(const struct ph_reason_seen *reason);

#endif
