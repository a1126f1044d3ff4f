/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_USAGE_H
#define PH_USAGE_H
/*
 * What a policy grants against what was asked: which of its rules were needed, and what no rule of
 * it covers. A call counts for the first rule that allows it.
 */
#include "learn/seen.h"
#include "policy/problem.h"

struct ph_usage {
	uint64_t *calls; /* of each rule of the policy */
	struct ph_sight *missing; /* in the order of the sights given; also what no rule can grant */
	size_t n_missing;
};

void usage_done(struct ph_usage *usage);

/* 0, -EINVAL with problems, -ENOTRECOVERABLE as bench_ask(), -ENOMEM. */
int usage_make(const struct ph_policy *policy, const struct ph_cidrs *resolvers,
	       const struct ph_sight *sights, size_t n, struct ph_usage *ret,
	       struct ph_problems *problems);

#endif
