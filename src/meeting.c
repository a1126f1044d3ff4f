// SPDX-License-Identifier: GPL-2.0-or-later
#include "meeting.h"

#include <errno.h>
#include <string.h>

#include "kernel/processes.h"
#include "policy/check.h"
#include "policy/diff.h"
#include "policy/text.h"
#include "subject.h"
#include "util/cleanup.h"

#define DNS_PORT 53

DEFINE_CLEANUP_DONE(struct ph_processes, processes_done);
DEFINE_CLEANUP_DONE(struct ph_subject, subject_done);

/* --- Rules that may cover one flow, whatever their addresses */

static bool ranges_meet(const struct ph_rule *a, const struct ph_rule *b)
{
	for (size_t i = 0; i < a->n_ranges; i++)
		for (size_t j = 0; j < b->n_ranges; j++)
			if (a->ranges[i].lo <= b->ranges[j].hi &&
			    b->ranges[j].lo <= a->ranges[i].hi)
				return true;
	return false;
}

static bool covers_dns(const struct ph_rule *rule)
{
	static struct ph_range port = { DNS_PORT, DNS_PORT };
	static const struct ph_rule dns = { .ranges = &port, .n_ranges = 1 };

	return rule->kind == PH_RULE_PORTS && rule->connect && ranges_meet(rule, &dns);
}

/* Keywords: dns covers ports of resolvers, loopback all of them. */
static bool keyword_meets(const struct ph_rule *keyword, const struct ph_rule *rule)
{
	if (rule->kind == PH_RULE_SOCKET)
		return false;
	return keyword->kind == PH_RULE_LOOPBACK || rule->kind != PH_RULE_PORTS || covers_dns(rule);
}

static bool rules_meet(const struct ph_rule *a, const struct ph_rule *b)
{
	if (a->kind == PH_RULE_DNS || a->kind == PH_RULE_LOOPBACK)
		return keyword_meets(a, b);
	if (b->kind == PH_RULE_DNS || b->kind == PH_RULE_LOOPBACK)
		return keyword_meets(b, a);
	if (a->kind != b->kind)
		return false;
	if (a->kind == PH_RULE_SOCKET)
		return a->socket == b->socket;
	return a->proto == b->proto && ((a->connect && b->connect) || (a->bind && b->bind)) &&
	       ranges_meet(a, b);
}

static bool policies_meet(const struct ph_policy *a, const struct ph_policy *b)
{
	for (size_t i = 0; i < a->n_rules; i++)
		for (size_t j = 0; j < b->n_rules; j++)
			if (rules_meet(&a->rules[i], &b->rules[j]))
				return true;
	return false;
}

/* --- The policies of one process */

enum side {
	SIDE_NONE,
	SIDE_PLACE, /* by the unit or cgroup of a service: from before it executes its program */
	SIDE_PROGRAM, /* by name or path: from then on */
};

/* Where a service manager puts a process before it executes its program; into other cgroups it may come late. */
static bool is_service(const struct ph_match *match)
{
	const char *name = match->unit ? match->unit : match->cgroup;
	const char *end = name ? strstr(name, ".service") : NULL;

	return end && (!end[strlen(".service")] || end[strlen(".service")] == '/');
}

static enum side side_of(const struct ph_policy *policy)
{
	const struct ph_match *match = &policy->match;

	if (policy->mode != PH_POLICY_ENFORCE || !policy->n_rules || match->run)
		return SIDE_NONE;
	if (*match->comm || match->exe)
		return SIDE_PROGRAM;
	return is_service(match) ? SIDE_PLACE : SIDE_NONE;
}

struct meeting {
	const struct ph_policy_set *set, *known;
	const char *name; /* of the only one that is new; NULL: `known` tells */
	struct ph_problems *problems;
	const struct ph_policy **held[SIDE_PROGRAM + 1]; /* of one process */
	size_t n[SIDE_PROGRAM + 1];
	bool *told; /* of each policy of the set */
};

static void meeting_done(struct meeting *meeting)
{
	free(meeting->held[SIDE_PLACE]);
	free(meeting->held[SIDE_PROGRAM]);
	free(meeting->told);
}

DEFINE_CLEANUP_DONE(struct meeting, meeting_done);

/* Those of this side that match for certain; 0 or -ENOMEM. */
static int find_holders(struct meeting *meeting, const struct ph_subject *subject, enum side side)
{
	meeting->n[side] = 0;
	for (size_t i = 0; i < meeting->set->n; i++) {
		const struct ph_policy *policy = &meeting->set->policies[i];
		cleanup_free char *condition = NULL;
		int fit = side_of(policy) == side ?
				  subject_fits(subject, subject->comm, policy, &condition) :
				  PH_FIT_NO;

		if (fit < 0)
			return fit;
		if (fit == PH_FIT_YES)
			meeting->held[side][meeting->n[side]++] = policy;
	}
	return 0;
}

static bool is_news(const struct meeting *meeting, const struct ph_policy *policy)
{
	const struct ph_policy *same =
		meeting->known ? policy_set_find(meeting->known, policy->name) : NULL;

	if (meeting->name)
		return !strcmp(policy->name, meeting->name);
	return !same || !policy_equal(same, policy);
}

/* A new policy that was not spoken of, and one of the other side; false: there is none. */
static bool choose_pair(const struct meeting *meeting, const struct ph_policy **ret,
			const struct ph_policy **ret_other)
{
	for (enum side side = SIDE_PROGRAM; side > SIDE_NONE; side--) {
		for (size_t i = 0; i < meeting->n[side]; i++) {
			*ret = meeting->held[side][i];
			*ret_other = meeting->held[SIDE_PROGRAM + SIDE_PLACE - side][0];
			if (!meeting->told[*ret - meeting->set->policies] && is_news(meeting, *ret))
				return true;
		}
	}
	return false;
}

static bool share_nothing(const struct meeting *meeting)
{
	for (size_t i = 0; i < meeting->n[SIDE_PLACE]; i++)
		for (size_t j = 0; j < meeting->n[SIDE_PROGRAM]; j++)
			if (policies_meet(meeting->held[SIDE_PLACE][i],
					  meeting->held[SIDE_PROGRAM][j]))
				return false;
	return true;
}

static int look_at(struct meeting *meeting, const struct ph_process *process)
{
	cleanup_(subject_donep) struct ph_subject subject = {};
	const struct ph_word comm = { .text = process->comm, .len = strlen(process->comm) };
	const struct ph_policy *policy, *other;
	int r = subject_of_pid(process->pid, &subject);

	if (r)
		return r == -ENOMEM ? r : 0;
	r = find_holders(meeting, &subject, SIDE_PLACE);
	if (!r && meeting->n[SIDE_PLACE])
		r = find_holders(meeting, &subject, SIDE_PROGRAM);
	if (r || !meeting->n[SIDE_PLACE] || !meeting->n[SIDE_PROGRAM] || !share_nothing(meeting) ||
	    !choose_pair(meeting, &policy, &other))
		return r;
	meeting->told[policy - meeting->set->policies] = true;
	return problems_note(
		meeting->problems, PH_WARNING, policy->file, policy->line, policy->column,
		"give both the rules that it needs, or match by one of the two",
		"policy %s: policy %s (%s:%u) holds process %d, %s, too, and they share no rule: from its next start each is a layer of its own, and nothing passes both",
		policy->name, other->name, other->file ? other->file : "", other->line,
		(int)process->pid, quote_bare(&comm).text);
}

static bool has_both(const struct ph_policy_set *set)
{
	bool has[SIDE_PROGRAM + 1] = {};

	for (size_t i = 0; i < set->n; i++)
		has[side_of(&set->policies[i])] = true;
	return has[SIDE_PLACE] && has[SIDE_PROGRAM];
}

static int look_at_all(struct meeting *meeting)
{
	cleanup_(processes_donep) struct ph_processes processes = {};
	size_t n = meeting->set->n;
	int r = 0;

	if (!has_both(meeting->set) || processes_read(&processes))
		return 0;
	meeting->held[SIDE_PLACE] = calloc(n, sizeof(*meeting->held[0]));
	meeting->held[SIDE_PROGRAM] = calloc(n, sizeof(*meeting->held[0]));
	meeting->told = calloc(n, sizeof(*meeting->told));
	if (!meeting->held[SIDE_PLACE] || !meeting->held[SIDE_PROGRAM] || !meeting->told)
		return -ENOMEM;
	for (size_t i = 0; !r && i < processes.n; i++)
		r = look_at(meeting, &processes.v[i]);
	return r;
}

int meeting_check(const struct ph_policy_set *set, const struct ph_policy_set *known,
		  struct ph_problems *problems)
{
	cleanup_(meeting_donep) struct meeting meeting = {
		.set = set,
		.known = known,
		.problems = problems,
	};

	return look_at_all(&meeting);
}

int meeting_check_of(const struct ph_policy_set *set, const char *name,
		     struct ph_problems *problems)
{
	cleanup_(meeting_donep) struct meeting meeting = {
		.set = set,
		.name = name,
		.problems = problems,
	};

	return look_at_all(&meeting);
}
