// SPDX-License-Identifier: GPL-2.0-or-later
#include "learn/usage.h"

#include <errno.h>
#include <stdlib.h>

#include "answer.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_bench, bench_done);
DEFINE_CLEANUP_DONE(struct ph_usage, usage_done);

void usage_done(struct ph_usage *usage)
{
	free(usage->calls);
	free(usage->missing);
	*usage = (struct ph_usage){};
}

static int prepare(const struct ph_policy *policy, const struct ph_cidrs *resolvers,
		   struct ph_bench *ret, struct ph_problems *problems)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(policy_donep) struct ph_policy copy = {};
	int r = policy_copy(policy, &copy);

	if (!r)
		r = policy_set_add(&set, &copy);
	return r ? r : bench_prepare(&set, resolvers, ret, problems);
}

/* A keyword stands for several rules, which keep its place. */
static size_t position_of(const struct ph_policy *policy, const struct ph_rule *resolved)
{
	size_t i = 0;

	while (i + 1 < policy->n_rules && (policy->rules[i].line != resolved->line ||
					   policy->rules[i].column != resolved->column))
		i++;
	return i;
}

static int weigh_sight(const struct ph_policy *policy, const struct ph_bench *bench,
		       const struct ph_sight *sight, struct ph_usage *usage)
{
	struct ph_answer answer = {};
	struct ph_flow_spec flow;
	int r = 0;

	if (sight->need != PH_NEED_NOTHING) {
		sight_flow(sight, &flow);
		r = bench_ask(bench, 0, &flow, &answer);
	}
	if (r)
		return r;
	if (!answer.allows)
		usage->missing[usage->n_missing++] = *sight;
	else if (answer.rule)
		usage->calls[position_of(policy, answer.rule)] += sight->calls;
	return 0;
}

int usage_make(const struct ph_policy *policy, const struct ph_cidrs *resolvers,
	       const struct ph_sight *sights, size_t n, struct ph_usage *ret,
	       struct ph_problems *problems)
{
	cleanup_(usage_donep) struct ph_usage usage = {};
	cleanup_(bench_donep) struct ph_bench bench = {};
	int r;

	usage.calls = calloc(policy->n_rules + 1, sizeof(*usage.calls));
	usage.missing = calloc(n + 1, sizeof(*usage.missing));
	if (!usage.calls || !usage.missing)
		return -ENOMEM;
	r = prepare(policy, resolvers, &bench, problems);
	for (size_t i = 0; !r && i < n; i++)
		r = weigh_sight(policy, &bench, &sights[i], &usage);
	if (r)
		return r;
	*ret = usage;
	usage = (struct ph_usage){};
	return 0;
}
