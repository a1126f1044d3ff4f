/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_DIFF_H
#define PH_DIFF_H
/*
 * What differs in meaning between two sets of policies. Order of policies and rules, spelling,
 * comments and places do not count.
 */
#include "policy/policy.h"

enum {
	PH_CHANGED_MATCH = 1 << 0,
	PH_CHANGED_MODE = 1 << 1,
	PH_CHANGED_CHILDREN = 1 << 2,
	PH_CHANGED_RULES = 1 << 3,
	PH_CHANGED_EXPECTS = 1 << 4, /* changes nothing that is enforced */
	PH_CHANGED_ENFORCED = PH_CHANGED_MATCH | PH_CHANGED_MODE | PH_CHANGED_CHILDREN |
			      PH_CHANGED_RULES,
};

/* Policies and rules are borrowed from the two sets. */
struct ph_change {
	const struct ph_policy *before; /* NULL: added */
	const struct ph_policy *after; /* NULL: removed */
	unsigned changed; /* PH_CHANGED_*; 0 for added and removed */
	const struct ph_rule **added; /* of changed policies: rules that before lacks */
	size_t n_added;
	const struct ph_rule **removed;
	size_t n_removed;
};

struct ph_diff {
	struct ph_change *v; /* removed and changed in the order of before, then added */
	size_t n;
};

void diff_done(struct ph_diff *diff);
int policy_set_diff(const struct ph_policy_set *before, const struct ph_policy_set *after,
		    struct ph_diff *ret);

/* PH_CHANGED_* bits; 0: equal. The names are not compared. -ENOMEM. */
int policy_changes(const struct ph_policy *a, const struct ph_policy *b);

/* Equal in name and everything above; false also when memory ran out. */
bool policy_equal(const struct ph_policy *a, const struct ph_policy *b);

#endif
