// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/decide.h"
#include "kernel/doors.h"
#include "policy/text.h"
#include "util/cleanup.h"

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

/* What came from a process or a path may hold anything: where it does it is quoted, and cut. */
static json_t *shown(const char *text)
{
	struct ph_word word = { .text = text, .len = strlen(text) };
	uint32_t character;
	size_t n;

	for (size_t i = 0; i < word.len; i += n) {
		n = utf8_decode(text + i, word.len - i, &character);
		if (!n || is_control(character))
			return json_string(quote_bare(&word).text);
	}
	return json_string(text);
}

static void set_policy(json_t *object, const struct ph_policy *policy)
{
	set(object, "policy", json_string(policy->name));
	set(object, "file", shown(policy->file ? policy->file : ""));
	set(object, "line", json_integer(policy->line));
	set(object, "mode", json_string(policy_mode_name(policy->mode)));
}

static json_t *policy_json(const struct ph_policy *policy)
{
	json_t *object = json_object();

	set_policy(object, policy);
	return object;
}

static json_t *subject_json(const struct ph_subject *subject)
{
	json_t *object = json_object();

	set(object, "comm", shown(subject->comm));
	if (subject->pid)
		set(object, "pid", json_integer(subject->pid));
	if (subject->exe)
		set(object, "exe", shown(subject->exe));
	if (subject->exe_error)
		set(object, "exe_error", json_string(strerror(subject->exe_error)));
	if (subject->has_uid)
		set(object, "uid", json_integer(subject->uid));
	if (subject->cgroup)
		set(object, "cgroup", shown(subject->cgroup));
	return object;
}

static json_t *matching_json(const struct question *question)
{
	json_t *list = json_array();

	for (size_t i = 0; i < question->n_matching; i++) {
		const struct matching *matching = &question->matching[i];
		json_t *object = policy_json(&question->set.policies[matching->position]);

		if (matching->condition)
			set(object, "if", json_string(matching->condition));
		set(object, "layer", json_integer(matching->layer));
		(void)json_array_append_new(list, object);
	}
	return list;
}

/* Whether the set is what is in force; null where nobody knows, or files were named. */
static json_t *standing_json(const struct ph_standing *standing)
{
	return standing->state == PH_STANDING_UNKNOWN ?
		       json_null() :
		       json_boolean(standing->state == PH_STANDING_IN_FORCE);
}

static json_t *thread_json(pid_t tid, const char *comm)
{
	json_t *object = json_object();

	set(object, "tid", json_integer(tid));
	set(object, "comm", shown(comm));
	return object;
}

/* What the kernel holds threads to, and not their process. */
static json_t *held_threads_json(const struct question *question)
{
	json_t *list = json_array();

	for (size_t i = 0; i < question->n_threads; i++) {
		const struct held_thread *held = &question->threads[i];
		json_t *object = thread_json(held->tid, held->comm);

		if (held->overfull) {
			set(object, "overfull", json_true());
		} else {
			set_policy(object, &question->set.policies[held->position]);
			set(object, "layer", json_integer(held->layer));
		}
		(void)json_array_append_new(list, object);
	}
	return list;
}

/* Threads that policies confine which do not confine their process. */
static json_t *threads_json(const struct question *question)
{
	const struct ph_subject *subject = &question->subject;
	json_t *list;

	if (question->basis == BASIS_KERNEL)
		return held_threads_json(question);
	list = json_array();
	for (size_t i = 0; i < subject->n_threads; i++) {
		for (size_t j = 0; j < question->set.n; j++) {
			const struct ph_policy *policy = &question->set.policies[j];
			cleanup_free char *condition = NULL;
			json_t *object;

			if (!*policy->match.comm || subject_fits(subject, subject->threads[i].comm,
								 policy, &condition) <= PH_FIT_NO)
				continue;
			object = thread_json(subject->threads[i].tid, subject->threads[i].comm);
			set_policy(object, policy);
			(void)json_array_append_new(list, object);
		}
	}
	return list;
}

/* What some of the enforcing policies say together; of layers there is a bit for each. */
struct verdict {
	size_t judges; /* how many there are */
	unsigned asked, granting; /* layers */
	const struct ph_policy *allowing;
	const struct ph_policy *refusing; /* the first in a layer where none has granted so far */
	unsigned refusing_layer;
	const struct ph_rule *rule;
	unsigned door;
};

static bool allows(const struct verdict *verdict)
{
	return !(verdict->asked & ~verdict->granting);
}

static const char *verdict_name(const struct verdict *verdict)
{
	return !verdict->judges ? "not confined" : allows(verdict) ? "allow" : "deny";
}

static void add_grant(struct verdict *verdict, const struct matching *matching,
		      const struct ph_policy *policy, const struct ph_answer *answer)
{
	verdict->granting |= 1u << matching->layer;
	if (verdict->refusing && verdict->refusing_layer == matching->layer)
		verdict->refusing = NULL;
	if (verdict->allowing)
		return;
	verdict->allowing = policy;
	verdict->rule = answer->rule;
	verdict->door = answer->door;
}

static void add_answer(struct verdict *verdict, const struct matching *matching,
		       const struct ph_policy *policy, const struct ph_answer *answer)
{
	unsigned layer = 1u << matching->layer;

	/* Rules add up: the socket stops what no policy lets through there. */
	if (!verdict->judges || (!verdict->allowing && verdict->door == PH_DOOR_SOCKET))
		verdict->door = answer->door;
	verdict->judges++;
	verdict->asked |= layer;
	if (answer->allows) {
		add_grant(verdict, matching, policy, answer);
		return;
	}
	if (verdict->refusing || verdict->granting & layer)
		return;
	verdict->refusing = policy;
	verdict->refusing_layer = matching->layer;
}

/* The enforcing policies that certainly match, and with `all` those that may. */
static struct verdict judge(const struct question *question, const struct ph_answer *answers,
			    bool all)
{
	struct verdict verdict = {};

	for (size_t i = 0; i < question->n_matching; i++)
		if (question_policy(question, i)->mode == PH_POLICY_ENFORCE &&
		    (all || !question->matching[i].condition))
			add_answer(&verdict, &question->matching[i], question_policy(question, i),
				   &answers[i]);
	return verdict;
}

static void set_rule(json_t *object, const char *key, const struct ph_rule *rule)
{
	static const char *const keywords[] = {
		[PH_RULE_DNS] = "dns",
		[PH_RULE_LOOPBACK] = "loopback",
	};
	cleanup_free char *text = NULL;

	if (!rule || rule_format(rule, &text))
		return;
	set(object, key, json_string(text));
	set(object, "line", json_integer(rule->line));
	if (rule->origin == PH_RULE_DNS || rule->origin == PH_RULE_LOOPBACK)
		set(object, "keyword", json_string(keywords[rule->origin]));
}

static json_t *audit_json(const struct question *question, const struct ph_answer *answers)
{
	json_t *list = json_array(), *object;

	for (size_t i = 0; i < question->n_matching; i++) {
		if (question_policy(question, i)->mode != PH_POLICY_AUDIT)
			continue;
		object = policy_json(question_policy(question, i));
		set(object, "verdict", json_string(answers[i].allows ? "allow" : "deny"));
		(void)json_array_append_new(list, object);
	}
	return list;
}

/*
 * Who has to bring the condition about, where others match for certain. What a confined process takes on by
 * an act of its own is a further layer, which refuses and grants nothing. A policy by name or program comes
 * at the same moment as those others; a place or a uid holds the process before it executes, and what
 * that brings is such an act.
 */
static const char *manner_of(const struct ph_match *match, bool grants)
{
	if (*match->comm || match->exe)
		return grants ? ", by no act of its own" : ", by an act of its own";
	if (!grants)
		return "";
	return match->cgroup || match->unit ?
		       ", and is moved there, or the policies are applied, while it runs" :
		       ", and the policies are applied while it runs";
}

/* The condition on which this policy makes another verdict than the certain ones; NULL: it makes none. */
static json_t *condition_json(const struct question *question, size_t i, const struct verdict *sure,
			      bool grants)
{
	const struct ph_policy *policy = question_policy(question, i);
	const char *condition = question->matching[i].condition;

	if (policy->mode != PH_POLICY_ENFORCE || (sure->judges && allows(sure) == grants))
		return NULL;
	if (condition)
		return json_sprintf("%s%s", condition,
				    sure->judges ? manner_of(&policy->match, grants) : "");
	return question->unasked && !grants && allows(sure) ?
		       json_string("it came to that policy by an act of its own") :
		       NULL;
}

/* What each condition would come to; *ret_denies: there is a case that refuses. */
static json_t *cases_json(const struct question *question, const struct ph_answer *answers,
			  const struct verdict *sure, bool *ret_denies)
{
	json_t *list = json_array(), *object, *condition;

	*ret_denies = !allows(sure);
	for (size_t i = 0; i < question->n_matching; i++) {
		condition = condition_json(question, i, sure, answers[i].allows);
		if (!condition)
			continue;
		object = policy_json(question_policy(question, i));
		set(object, "if", condition);
		set(object, "verdict", json_string(answers[i].allows ? "allow" : "deny"));
		set_rule(object, "rule", answers[i].rule);
		(void)json_array_append_new(list, object);
		*ret_denies |= !answers[i].allows;
	}
	return list;
}

static void set_reason(json_t *object, const struct question *question,
		       const struct verdict *verdict)
{
	const char *reason = "no rule covers it";

	if (!verdict->judges)
		reason = question->outside ? "the process is not covered" :
					     "no enforcing policy matches";
	else if (allows(verdict))
		reason = verdict->rule ? "a rule covers it" : "it passes under every policy";
	set(object, "reason", json_string(reason));
	if (!verdict->judges)
		return;
	set(object, "door", json_string(door_name(verdict->door)));
	set(object, "code",
	    json_string(reason_name(allows(verdict) ? PH_REASON_RULE : PH_REASON_NO_RULE)));
	if (allows(verdict)) {
		set_policy(object, verdict->allowing);
		set_rule(object, "rule", verdict->rule);
	} else if (verdict->allowing && verdict->refusing) {
		set_policy(object, verdict->refusing);
	}
}

/* Plain is only what holds in every case; whether there is one that refuses. */
static bool set_verdict(json_t *object, const struct question *question,
			const struct ph_answer *answers, const struct ph_flow_spec *flow)
{
	struct verdict sure = judge(question, answers, false), all = judge(question, answers, true);
	cleanup_free char *missing = NULL;
	bool denies;
	json_t *cases = cases_json(question, answers, &sure, &denies);
	bool depends = denies && json_array_size(cases);

	set(object, "verdict", json_string(depends ? "depends" : verdict_name(&all)));
	set(object, "cases", cases);
	if (depends)
		set(object, "reason", json_string("conditions decide"));
	else
		set_reason(object, question, &all);
	if (json_array_size(cases))
		set(object, "otherwise", json_string(verdict_name(&sure)));
	if (denies && !flow_rule(flow, &missing))
		set(object, "missing_rule", missing ? json_string(missing) : json_null());
	return denies;
}

/* Whatever the policies grant, and whatever rules are added. */
static bool set_overfull(json_t *object)
{
	set(object, "verdict", json_string("deny"));
	set(object, "reason", json_string(PH_OVERFULL_MEANING ": it is refused everything"));
	set(object, "code", json_string(reason_name(PH_REASON_OVERFULL)));
	return true;
}

int facts_add_flow(const struct question *question, const struct ph_flow_spec *flow, json_t *list,
		   bool *denied)
{
	cleanup_free struct ph_answer *answers = calloc(question->n_matching + 1, sizeof(*answers));
	cleanup_free char *text = NULL;
	json_t *object;

	if (!answers)
		return -ENOMEM;
	for (size_t i = 0; i < question->n_matching; i++) {
		int r = bench_ask(&question->bench, question->matching[i].position, flow,
				  &answers[i]);

		if (r)
			return r;
	}
	if (flow_format(flow, &text))
		return -ENOMEM;
	object = json_object();
	set(object, "flow", json_string(text));
	*denied |= question->overfull ? set_overfull(object) :
					set_verdict(object, question, answers, flow);
	set(object, "audit", audit_json(question, answers));
	(void)json_array_append_new(list, object);
	return 0;
}

static const char *const bases[] = {
	[BASIS_UNASKED] = "unasked",
	[BASIS_NOTHING] = "nothing",
	[BASIS_FILES] = "files",
	[BASIS_KERNEL] = "kernel",
};

json_t *facts_of(const struct question *question, json_t *flows)
{
	json_t *facts = json_object();

	set(facts, "subject", subject_json(&question->subject));
	set(facts, "policies", matching_json(question));
	set(facts, "threads", question->outside ? json_array() : threads_json(question));
	set(facts, "outside", json_boolean(question->outside));
	set(facts, "covers_only",
	    !question->cover.whole && *question->cover.path ? shown(question->cover.path) :
							      json_null());
	set(facts, "basis",
	    question->subject.pid && !question->outside ? json_string(bases[question->basis]) :
							  json_null());
	set(facts, "labelled", json_boolean(question->basis == BASIS_KERNEL));
	set(facts, "overfull", json_boolean(question->overfull));
	set(facts, "in_force", standing_json(&question->standing));
	(void)json_object_set(facts, "flows", flows);
	return facts;
}
