/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_ANSWER_H
#define PH_ANSWER_H
/*
 * What policies answer to a flow, and why, without a kernel: `explain` and the `expect` of policy
 * files. The verdict is the compiled decision, which the kernel takes too; the rule comes from the
 * plain reference (policy/reference.h). The two must agree.
 */
#include "kernel/compile.h"
#include "policy/policy.h"
#include "policy/problem.h"

/* A set, ready to be asked. */
struct ph_bench {
	struct ph_policy_set resolved; /* its policies stand in the order of the set */
	struct ph_image image;
};

struct ph_answer {
	bool allows;
	const struct ph_rule *rule; /* in bench->resolved; NULL: none allows, or none is needed */
	unsigned door; /* enum ph_door, the first that decides */
};

void bench_done(struct ph_bench *bench);

/*
 * The set, from which file names are borrowed, with its keywords expanded. 0; -EINVAL with
 * problems; -ENOMEM.
 */
int bench_prepare(const struct ph_policy_set *set, const struct ph_cidrs *resolvers,
		  struct ph_bench *ret, struct ph_problems *problems);

/*
 * What the policy at this position says alone; its mode and conditions are not looked at.
 * -ENOTRECOVERABLE: decision and reference differ, which is a fault of porthold.
 */
int bench_ask(const struct ph_bench *bench, size_t position, const struct ph_flow_spec *flow,
	      struct ph_answer *ret);

/* The smallest rule that allows the flow, the caller's to free; NULL: it takes more than a rule. */
int flow_rule(const struct ph_flow_spec *flow, char **ret);

/*
 * Tries the `expect` of every policy; what does not hold is an error at its place. *ret_failed of
 * *ret_tried (may be NULL). 0, or as bench_ask().
 */
int bench_expect(const struct ph_bench *bench, struct ph_problems *problems, size_t *ret_tried,
		 size_t *ret_failed);

#endif
