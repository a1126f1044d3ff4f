// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "apply.h"
#include "cmd/cmd.h"
#include "cmd/lookout.h"
#include "cmd/status.h"
#include "kernel/generation.h"
#include "kernel/powers.h"
#include "sources.h"
#include "util/cleanup.h"
#include "util/clock.h"

const char *const status_files_words[] = {
	[PH_FILES_APPLIED] = "applied",
	[PH_FILES_CHANGED] = "changed",
	[PH_FILES_REFUSED] = "refused",
};

static bool leader_is_labelled(const struct status_facts *facts, uint32_t tgid, uint64_t id)
{
	for (size_t i = 0; i < facts->labels.n; i++)
		if (facts->labels.v[i].pid == tgid && label_holds(&facts->labels.v[i], id))
			return true;
	return false;
}

/* Processes whose leader is confined, and threads that are confined alone. */
static void count_confined(const struct status_facts *facts, const struct ph_policy *policy,
			   size_t *ret_processes, size_t *ret_threads)
{
	uint64_t id = policy_id(policy);

	*ret_processes = *ret_threads = 0;
	for (size_t i = 0; facts->has_labels && i < facts->labels.n; i++) {
		const struct ph_labelled *label = &facts->labels.v[i];

		if (!label_holds(label, id))
			continue;
		if (label->pid == label->tgid)
			++*ret_processes;
		else if (!leader_is_labelled(facts, label->tgid, id))
			++*ret_threads;
	}
	for (size_t i = 0; !facts->has_labels && i < facts->processes.n; i++)
		*ret_processes += !strcmp(facts->processes.v[i].comm, policy->match.comm);
}

/* {"attempts": {door: n}, "packets": …, "audited": …} of one policy. */
static json_t *counters_json(const struct status_facts *facts, uint64_t id)
{
	json_t *counts[PH_COUNT_MAX];
	const struct ph_counter *list;
	size_t n;

	for (unsigned i = 0; i < PH_COUNT_MAX; i++)
		counts[i] = json_object();
	list = counters_of(&facts->counters, id, &n);
	for (size_t i = 0; i < n; i++)
		if (list[i].key.count < PH_COUNT_MAX)
			(void)json_object_set_new(counts[list[i].key.count],
						  door_name(list[i].key.door),
						  json_integer((json_int_t)list[i].value));
	return json_pack("{s:o, s:o, s:o}", "attempts", counts[PH_COUNT_ATTEMPT], "packets",
			 counts[PH_COUNT_PACKET], "audited", counts[PH_COUNT_AUDIT]);
}

/* Of the audit policy of a learn: "working", or "left" where that was killed; else NULL. */
static const char *watch_state(const struct ph_policy *policy)
{
	bool left;

	if (!lookout_is(policy, &left))
		return NULL;
	return left ? "left" : "working";
}

/* The policy of the same name that this one keeps from being in force: its place, or NULL. */
static json_t *overruled_json(const struct ph_policy *policy)
{
	if (!policy->overruled_file)
		return NULL;
	return json_sprintf("%s:%u", policy->overruled_file, policy->overruled_line);
}

/* What is given of it, in the words of a policy file. */
static json_t *match_json(const struct ph_match *match)
{
	json_t *object = json_pack("{s:s*, s:s*, s:s*, s:s*}", "comm",
				   *match->comm ? match->comm : NULL, "exe", match->exe, "cgroup",
				   match->cgroup, "unit", match->unit);

	if (match->has_uid)
		(void)json_object_set_new(object, "uid", json_integer(match->uid));
	if (match->run)
		(void)json_object_set_new(object, "run", json_true());
	return object;
}

static json_t *policy_json(const struct status_facts *facts, const struct ph_policy *policy)
{
	size_t processes, threads;

	count_confined(facts, policy, &processes, &threads);
	return json_pack("{s:o*, s:s?, s:s, s:s, s:s, s:o, s:s?, s:i, s:o, s:I, s:I, s:o}",
			 "overrules", overruled_json(policy), "learn", watch_state(policy), "name",
			 policy->name, "mode", policy_mode_name(policy->mode), "children",
			 policy_children_name(policy->children), "match",
			 match_json(&policy->match), "file", policy->file, "line",
			 (int)policy->line, "rules", rules_of_policy_json(policy), "processes",
			 (json_int_t)processes, "threads_only", (json_int_t)threads, "counters",
			 counters_json(facts, policy_id(policy)));
}

static json_t *health_json(const struct status_facts *facts)
{
	json_t *health = json_object();

	for (unsigned i = 0; i < PH_HEALTH_ERRORS; i++)
		(void)json_object_set_new(health, health_name(i),
					  json_integer((json_int_t)health_read(&facts->kernel, i)));
	(void)json_object_set_new(health, "label_missed",
				  json_integer((json_int_t)facts->canary.news.labels));
	return health;
}

/* Denials that the counters have, and that no event tells of. */
static json_t *unrecorded_json(const struct status_facts *facts)
{
	return json_pack("{s:I, s:I}", "folded",
			 (json_int_t)health_read(&facts->kernel, PH_HEALTH_FOLDED), "withheld",
			 (json_int_t)health_read(&facts->kernel, PH_HEALTH_WITHHELD));
}

static json_t *doors_json(uint64_t doors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ph_promises_n; i++)
		if (doors >> i & 1)
			(void)json_array_append_new(list, json_pack("{s:s, s:s}", "door",
								    ph_promises[i].name, "what",
								    ph_promises[i].what));
	return list;
}

/* What is seen now, and what came of it when the canary last tried the doors. */
static json_t *canary_facts(const struct status_facts *facts)
{
	json_t *now = canary_json(&facts->canary), *last = canary_last();
	json_int_t then = last ? json_integer_value(json_object_get(last, "time")) : 0;

	if (last)
		(void)json_object_set_new(
			last, "age",
			json_integer(((json_int_t)facts->canary.time - then) / 1000000000));
	(void)json_object_set_new(now, "last", last ?: json_null());
	return now;
}

bool status_canary_is_well(const json_t *canary)
{
	return json_is_true(json_object_get(canary, "ok")) &&
	       !json_is_false(json_object_get(json_object_get(canary, "last"), "ok"));
}

/* What comes back unless somebody confirms; NULL: nothing is on trial. */
static json_t *trial_json(const struct status_facts *facts)
{
	uint64_t now = boot_now(), deadline = facts->trial.deadline;

	if (!facts->on_trial)
		return json_null();
	return json_pack("{s:I, s:b, s:I, s:I}", "generation", (json_int_t)facts->trial.generation,
			 "over", now >= deadline, "seconds_left",
			 (json_int_t)(now < deadline ? (deadline - now) / PH_SECOND : 0),
			 "falls_back_to", (json_int_t)facts->fallback);
}

/* Of which nothing can be read: those that the kernel holds nonetheless, or those that are not in force. */
static json_t *lost_json(const struct ph_lost *lost, bool in_force)
{
	json_t *list = json_array();

	for (size_t i = 0; i < lost->n; i++)
		if ((apply_in_force() && sources_hold(lost->paths[i])) == in_force)
			(void)json_array_append_new(list, json_string(lost->paths[i]));
	return list;
}

/* In the words of check. */
static json_t *problems_json(const struct ph_problems *problems)
{
	json_t *list = json_array();

	for (size_t i = 0; i < problems->n; i++)
		(void)json_array_append_new(list, problem_json(&problems->v[i]));
	return list;
}

/* How the policy files stand to what is in force. */
static json_t *files_json(const struct status_facts *facts)
{
	const struct ph_expected *expected = &facts->expected;

	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:b}", "state",
			 status_files_words[expected->files], "why", expected->why, "waiting",
			 (json_int_t)expected->waiting, "lost", lost_json(&expected->lost, false),
			 "unreadable", lost_json(&expected->lost, true), "ignored",
			 problems_json(&facts->ignored), "left_out",
			 problems_json(&expected->left_out), "kept", expected->kept);
}

/* The name of a policy of which this has moved; NULL: there is none. */
static const char *moved_policy(const struct status_facts *facts, size_t n, uint64_t id)
{
	for (size_t i = 0; n && i < facts->expected.set.n; i++)
		if (policy_id(&facts->expected.set.policies[i]) == id)
			return facts->expected.set.policies[i].name;
	return NULL;
}

/* Not those whom audit policies alone watch. */
static bool is_held(const struct status_facts *facts, const struct ph_labelled *label)
{
	for (size_t i = 0; i < facts->expected.set.n; i++)
		if (facts->expected.set.policies[i].mode == PH_POLICY_ENFORCE &&
		    label_holds(label, policy_id(&facts->expected.set.policies[i])))
			return true;
	return false;
}

/* Confined processes that could get around it. */
static json_t *holders_json(const struct status_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; facts->has_labels && i < facts->labels.n; i++) {
		struct ph_holder holder;
		char text[256];

		if (!holder_is(&facts->labels.v[i], &holder) ||
		    !is_held(facts, &facts->labels.v[i]))
			continue;
		holder_text(&holder, text, sizeof(text));
		(void)json_array_append_new(list,
					    json_pack("{s:i, s:s, s:s}", "pid", (int)holder.pid,
						      "name", holder.comm, "holds", text));
	}
	return list;
}

/* Why what is in force is less than it should be; empty: it is not. */
static json_t *degraded_json(const struct status_facts *facts, uint64_t open, const json_t *canary)
{
	const struct {
		bool is;
		const char *why;
	} reasons[] = {
		{ open & ~doors_optional(), "open doors" },
		{ !status_canary_is_well(canary), "the canary failed" },
		{ facts->expected.bad_files, "bad policy files" },
		{ !facts->expected.kept, "no copy of the files" },
		{ health_errors(&facts->kernel), "errors in the kernel" },
		{ facts->canary.news.labels, "labels may have been missed" },
		{ facts->moved.links, "the link of an exe was moved" },
		{ facts->programs.n_errors > facts->withheld, "an exe is no program" },
		{ facts->withheld, "an exe leads to a guarded program" },
		{ facts->expected.left_out.n, "policies are left out" },
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].is)
			(void)json_array_append_new(list, json_string(reasons[i].why));
	return list;
}

static json_t *facts_json(const struct status_facts *facts)
{
	uint64_t open = doors_open_at(facts->state.backend, &facts->features, facts->state.attach);
	json_t *policies = json_array(), *canary = canary_facts(facts);
	json_t *degraded = degraded_json(facts, open, canary);
	bool whole = attach_is_whole(facts->state.attach, facts->features.cgroup_root);
	const struct ph_moved *moved = &facts->moved;

	for (size_t i = 0; i < facts->expected.set.n; i++)
		(void)json_array_append_new(policies,
					    policy_json(facts, &facts->expected.set.policies[i]));
	return json_pack(
		"{s:o, s:s?, s:s?, s:o, s:o, s:b, s:s, s:I, s:b, s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"files", files_json(facts), "exe_moved",
		moved_policy(facts, moved->links, moved->led), "exe_replaced",
		moved_policy(facts, moved->files, moved->replaced), "programs",
		problems_json(&facts->programs), "privileged", holders_json(facts), "in_force", 1,
		"backend", backend_name(facts->state.backend), "generation",
		(json_int_t)facts->header.generation, "degraded", json_array_size(degraded) > 0,
		"degraded_by", degraded, "covers", whole ? "" : facts->state.attach, "kept_sockets",
		(json_int_t)facts->kept, "rewritten_sockets",
		(json_int_t)health_read(&facts->kernel, PH_HEALTH_REWRITTEN), "bad_files",
		(json_int_t)facts->expected.bad_files, "trial", trial_json(facts), "canary", canary,
		"open_doors", doors_json(open), "policies", policies, "health", health_json(facts),
		"unrecorded", unrecorded_json(facts));
}

bool status_is_error(const json_t *problem)
{
	return !strcmp(json_string_value(json_object_get(problem, "severity")), "error");
}

/* What was put in force and not taken away has a result of the canary. */
static json_t *nothing_json(const struct status_facts *facts)
{
	const struct ph_expected *expected = &facts->expected;
	json_t *last = canary_last();
	bool gone = last && !facts->on_trial, held = facts->out_of_reach > 0;

	json_decref(last);
	return json_pack("{s:o, s:I, s:b, s:b, s:b, s:I, s:s, s:I, s:o}", "files",
			 files_json(facts), "bad_files", (json_int_t)expected->bad_files,
			 "in_force", held, "gone", gone && !held, "degraded",
			 gone || held || expected->lost.n, "out_of_reach",
			 (json_int_t)facts->out_of_reach, "remedy", held ? facts->remedy : "",
			 "waiting", held ? 0 : (json_int_t)expected->set.n, "trial",
			 trial_json(facts));
}

json_t *status_json(const struct status_facts *facts, bool nothing)
{
	return nothing ? nothing_json(facts) : facts_json(facts);
}
