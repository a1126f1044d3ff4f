// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What differs in meaning between two sets of policies (diff.h has the contract).
 *
 * The rules of a policy are compared as sorted lists of pointers. A rule that is written twice
 * means the same as once, so doubles are dropped first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"
#include "policy/rule.h"
#include "util/cleanup.h"

static void change_done(struct ph_change *change)
{
	free(change->added);
	free(change->removed);
	*change = (struct ph_change){};
}

DEFINE_CLEANUP_DONE(struct ph_change, change_done);
DEFINE_CLEANUP_DONE(struct ph_diff, diff_done);

void diff_done(struct ph_diff *diff)
{
	for (size_t i = 0; i < diff->n; i++)
		change_done(&diff->v[i]);
	free(diff->v);
	*diff = (struct ph_diff){};
}

static int compare_pointers(const void *a, const void *b)
{
	const struct ph_rule *const *x = a, *const *y = b;

	return rule_compare(*x, *y);
}

/* The rules in order, each once. */
static int sort_rules(const struct ph_policy *policy, const struct ph_rule ***ret, size_t *ret_n)
{
	const struct ph_rule **sorted;
	size_t n = 0;

	sorted = malloc((policy->n_rules + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_rules; i++)
		sorted[i] = &policy->rules[i];
	qsort(sorted, policy->n_rules, sizeof(*sorted), compare_pointers);
	for (size_t i = 0; i < policy->n_rules; i++)
		if (n == 0 || rule_compare(sorted[n - 1], sorted[i]) != 0)
			sorted[n++] = sorted[i];
	*ret = sorted;
	*ret_n = n;
	return 0;
}

/* Fills change->added and ->removed. */
static int compare_rules(const struct ph_policy *before, const struct ph_policy *after,
			 struct ph_change *change)
{
	cleanup_free const struct ph_rule **old = NULL, **new = NULL;
	size_t n_old, n_new, i = 0, k = 0;

	if (sort_rules(before, &old, &n_old) < 0 || sort_rules(after, &new, &n_new) < 0)
		return -ENOMEM;
	change->removed = malloc((n_old + 1) * sizeof(*change->removed));
	change->added = malloc((n_new + 1) * sizeof(*change->added));
	if (!change->removed || !change->added)
		return -ENOMEM;
	while (i < n_old || k < n_new) {
		int r = i == n_old ? 1 : k == n_new ? -1 : rule_compare(old[i], new[k]);

		if (r < 0)
			change->removed[change->n_removed++] = old[i];
		if (r > 0)
			change->added[change->n_added++] = new[k];
		i += r <= 0;
		k += r >= 0;
	}
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_match(const struct ph_match *a, const struct ph_match *b)
{
	return strcmp(a->comm, b->comm) == 0 && same_text(a->exe, b->exe) &&
	       same_text(a->cgroup, b->cgroup) && same_text(a->unit, b->unit) && a->run == b->run &&
	       a->has_uid == b->has_uid && (!a->has_uid || a->uid == b->uid);
}

static bool same_endpoint(const struct ph_endpoint *a, const struct ph_endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static bool same_expect(const struct ph_expect *a, const struct ph_expect *b)
{
	const struct ph_flow_spec *x = &a->flow, *y = &b->flow;

	return a->allow == b->allow && x->door == y->door && x->proto == y->proto &&
	       x->has_socket_kind == y->has_socket_kind && x->socket == y->socket &&
	       same_endpoint(&x->local, &y->local) && same_endpoint(&x->remote, &y->remote);
}

static bool same_expects(const struct ph_policy *a, const struct ph_policy *b)
{
	if (a->n_expects != b->n_expects)
		return false;
	for (size_t i = 0; i < a->n_expects; i++)
		if (!same_expect(&a->expects[i], &b->expects[i]))
			return false;
	return true;
}

static int compare_policies(const struct ph_policy *before, const struct ph_policy *after,
			    struct ph_change *ret)
{
	cleanup_(change_donep) struct ph_change change = { .before = before, .after = after };
	int r = compare_rules(before, after, &change);

	if (r < 0)
		return r;
	if (!same_match(&before->match, &after->match))
		change.changed |= PH_CHANGED_MATCH;
	if (before->mode != after->mode)
		change.changed |= PH_CHANGED_MODE;
	if (before->children != after->children)
		change.changed |= PH_CHANGED_CHILDREN;
	if (change.n_added || change.n_removed)
		change.changed |= PH_CHANGED_RULES;
	if (!same_expects(before, after))
		change.changed |= PH_CHANGED_EXPECTS;
	*ret = change;
	change = (struct ph_change){};
	return 0;
}

int policy_changes(const struct ph_policy *a, const struct ph_policy *b)
{
	cleanup_(change_donep) struct ph_change change = {};
	int r = compare_policies(a, b, &change);

	return r < 0 ? r : (int)change.changed;
}

bool policy_equal(const struct ph_policy *a, const struct ph_policy *b)
{
	return strcmp(a->name, b->name) == 0 && policy_changes(a, b) == 0;
}

int policy_set_diff(const struct ph_policy_set *before, const struct ph_policy_set *after,
		    struct ph_diff *ret)
{
	cleanup_(diff_donep) struct ph_diff diff = {};

	diff.v = calloc(before->n + after->n + 1, sizeof(*diff.v));
	if (!diff.v)
		return -ENOMEM;
	for (size_t i = 0; i < before->n; i++) {
		const struct ph_policy *old = &before->policies[i];
		const struct ph_policy *new = policy_set_find(after, old->name);

		if (!new) {
			diff.v[diff.n++].before = old;
			continue;
		}
		if (compare_policies(old, new, &diff.v[diff.n]) < 0)
			return -ENOMEM;
		if (diff.v[diff.n].changed)
			diff.n++;
		else
			change_done(&diff.v[diff.n]);
	}
	for (size_t i = 0; i < after->n; i++)
		if (!policy_set_find(before, after->policies[i].name))
			diff.v[diff.n++].after = &after->policies[i];
	*ret = diff;
	diff = (struct ph_diff){};
	return 0;
}
