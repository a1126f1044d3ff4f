// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "canary.h"
#include "cmd/cmd.h"
#include "cmd/lookout.h"
#include "daemon/single.h"
#include "expected.h"
#include "guard.h"
#include "kernel/attached.h"
#include "kernel/counters.h"
#include "kernel/generation.h"
#include "kernel/labels.h"
#include "kernel/powers.h"
#include "kernel/processes.h"
#include "kernel/programs.h"
#include "kernel/sockets.h"
#include "policy/paths.h"
#include "policy/store.h"
#include "presence.h"
#include "sources.h"
#include "util/cleanup.h"
#include "util/clock.h"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

enum {
	LINK_ROUNDS = 20, /* for which nothing has changed */
	LINK_ROUNDS_MAX = 250,
	LINK_WAIT_US = 40000,
	PROBLEMS_SHOWN = 10, /* of one kind */
};

/* Everything the verb tells, as JSON; the text is printed from it. */
struct facts {
	struct ph_kernel kernel;
	struct ph_state state;
	struct ph_header header;
	struct ph_features features;
	struct ph_expected expected;
	bool on_trial; /* or it was, and is over, with nobody having tidied up */
	struct ph_header trial;
	uint64_t fallback; /* generation; 0: none */
	struct ph_counters counters;
	struct ph_cover cover;
	struct ph_labels labels; /* of whom is covered */
	bool has_labels;
	size_t kept; /* sockets: --existing=keep */
	struct ph_processes processes;
	struct ph_canary canary;
	int moved; /* programs that links lead to, and did not when policies were applied */
	uint64_t moved_policy; /* of one of them */
	struct ph_problems ignored; /* files in the policy directories that do not count */
	struct ph_problems programs; /* that policies in force name, and that are none */
	size_t withheld; /* others of these, that the guard keeps from being held */
	int out_of_reach; /* programs that are attached, and whose pins nobody sees */
};

static bool leader_is_labelled(const struct facts *facts, uint32_t tgid, uint64_t id)
{
	for (size_t i = 0; i < facts->labels.n; i++)
		if (facts->labels.v[i].pid == tgid && label_holds(&facts->labels.v[i], id))
			return true;
	return false;
}

/* Processes whose leader is confined, and threads that are confined alone. */
static void count_confined(const struct facts *facts, const struct ph_policy *policy,
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

static json_t *rules_json(const struct ph_policy *policy)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < policy->n_rules; i++) {
		cleanup_free char *text = NULL;

		if (!rule_format(&policy->rules[i], &text))
			(void)json_array_append_new(rules, json_string(text));
	}
	return rules;
}

/* {"attempts": {door: n}, "packets": …, "audited": …} of one policy. */
static json_t *counters_json(const struct facts *facts, uint64_t id)
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

static json_t *policy_json(const struct facts *facts, const struct ph_policy *policy)
{
	size_t processes, threads;

	count_confined(facts, policy, &processes, &threads);
	return json_pack("{s:o*, s:s?, s:s, s:s, s:s, s:o, s:s?, s:i, s:o, s:I, s:I, s:o}",
			 "overrules", overruled_json(policy), "learn", watch_state(policy), "name",
			 policy->name, "mode", policy_mode_name(policy->mode), "children",
			 policy_children_name(policy->children), "match",
			 match_json(&policy->match), "file", policy->file, "line",
			 (int)policy->line, "rules", rules_json(policy), "processes",
			 (json_int_t)processes, "threads_only", (json_int_t)threads, "counters",
			 counters_json(facts, policy_id(policy)));
}

static json_t *health_json(const struct facts *facts)
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
static json_t *unrecorded_json(const struct facts *facts)
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
static json_t *canary_facts(const struct facts *facts)
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

/* Whether anything failed, now or then. */
static bool canary_is_well(const json_t *canary)
{
	return json_is_true(json_object_get(canary, "ok")) &&
	       !json_is_false(json_object_get(json_object_get(canary, "last"), "ok"));
}

/* What comes back unless somebody confirms; NULL: nothing is on trial. */
static json_t *trial_json(const struct facts *facts)
{
	uint64_t now = boot_now(), deadline = facts->trial.deadline;

	if (!facts->on_trial)
		return json_null();
	return json_pack("{s:I, s:b, s:I, s:I}", "generation", (json_int_t)facts->trial.generation,
			 "over", now >= deadline, "seconds_left",
			 (json_int_t)(now < deadline ? (deadline - now) / PH_SECOND : 0),
			 "falls_back_to", (json_int_t)facts->fallback);
}

static const char *const files_words[] = {
	[PH_FILES_APPLIED] = "applied",
	[PH_FILES_CHANGED] = "changed",
	[PH_FILES_REFUSED] = "refused",
};

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
static json_t *files_json(const struct facts *facts)
{
	const struct ph_expected *expected = &facts->expected;

	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:b}", "state",
			 files_words[expected->files], "why", expected->why, "waiting",
			 (json_int_t)expected->waiting, "lost", lost_json(&expected->lost, false),
			 "unreadable", lost_json(&expected->lost, true), "ignored",
			 problems_json(&facts->ignored), "left_out",
			 problems_json(&expected->left_out), "kept", expected->kept);
}

/* The name of a policy whose exe leads elsewhere now; NULL: there is none. */
static const char *moved_policy(const struct facts *facts)
{
	for (size_t i = 0; facts->moved > 0 && i < facts->expected.set.n; i++)
		if (policy_id(&facts->expected.set.policies[i]) == facts->moved_policy)
			return facts->expected.set.policies[i].name;
	return NULL;
}

/* Not those whom audit policies alone watch. */
static bool is_held(const struct facts *facts, const struct ph_labelled *label)
{
	for (size_t i = 0; i < facts->expected.set.n; i++)
		if (facts->expected.set.policies[i].mode == PH_POLICY_ENFORCE &&
		    label_holds(label, policy_id(&facts->expected.set.policies[i])))
			return true;
	return false;
}

/* Confined processes that could get around it. */
static json_t *holders_json(const struct facts *facts)
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
static json_t *degraded_json(const struct facts *facts, uint64_t open, const json_t *canary)
{
	const struct {
		bool is;
		const char *why;
	} reasons[] = {
		{ open & ~doors_optional(), "open doors" },
		{ !canary_is_well(canary), "the canary failed" },
		{ facts->expected.bad_files, "bad policy files" },
		{ !facts->expected.kept, "no copy of the files" },
		{ health_errors(&facts->kernel), "errors in the kernel" },
		{ facts->canary.news.labels, "labels may have been missed" },
		{ facts->moved > 0, "the link of an exe was moved" },
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

static json_t *facts_json(const struct facts *facts)
{
	uint64_t open = doors_open_at(facts->state.backend, &facts->features, facts->state.attach);
	json_t *policies = json_array(), *canary = canary_facts(facts);
	json_t *degraded = degraded_json(facts, open, canary);
	bool whole = attach_is_whole(facts->state.attach, facts->features.cgroup_root);

	for (size_t i = 0; i < facts->expected.set.n; i++)
		(void)json_array_append_new(policies,
					    policy_json(facts, &facts->expected.set.policies[i]));
	return json_pack(
		"{s:o, s:s?, s:o, s:o, s:b, s:s, s:I, s:b, s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"files", files_json(facts), "exe_moved", moved_policy(facts), "programs",
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

static void print_counts(const json_t *counters, const char *kind, const char *what)
{
	const char *door;
	json_t *value;

	json_object_foreach(json_object_get(counters, kind), door, value)
		(void)printf("    %s at %s: %lld\n", what, door,
			     (long long)json_integer_value(value));
}

static void print_watch(const json_t *policy)
{
	const char *state = json_string_value(json_object_get(policy, "learn"));

	if (state && !strcmp(state, "working"))
		(void)printf("    refuses nothing; there while a learn is at work\n");
	else if (state)
		(void)printf("    refuses nothing; left by a learn that was killed: porthold "
			     "remove %s\n",
			     json_string_value(json_object_get(policy, "name")));
}

static void print_match(const json_t *match)
{
	const char *key, *separator = "";
	json_t *value;

	(void)printf("    matches ");
	json_object_foreach((json_t *)match, key, value) {
		if (json_is_true(value))
			(void)printf("what porthold %s starts", key);
		else if (json_is_string(value))
			(void)printf("%s%s %s", separator, key, json_string_value(value));
		else
			(void)printf("%s%s %lld", separator, key,
				     (long long)json_integer_value(value));
		separator = ", ";
	}
	(void)printf("; ");
}

static void print_policy(const json_t *policy)
{
	const json_t *counters = json_object_get(policy, "counters");
	json_int_t processes = json_integer_value(json_object_get(policy, "processes"));
	json_int_t threads = json_integer_value(json_object_get(policy, "threads_only"));
	const char *mode = json_string_value(json_object_get(policy, "mode"));
	bool is_audit = !strcmp(mode, policy_mode_name(PH_POLICY_AUDIT));
	size_t i;
	json_t *rule;

	(void)printf("\n%s (%s:%lld), %s, children %s\n",
		     json_string_value(json_object_get(policy, "name")),
		     json_string_value(json_object_get(policy, "file")),
		     (long long)json_integer_value(json_object_get(policy, "line")), mode,
		     json_string_value(json_object_get(policy, "children")));
	print_match(json_object_get(policy, "match"));
	(void)printf("%s %lld process%s now", is_audit ? "watches" : "confines",
		     (long long)processes, processes == 1 ? "" : "es");
	if (threads)
		(void)printf(", and %lld thread%s of others (thread only)", (long long)threads,
			     threads == 1 ? "" : "s");
	(void)putchar('\n');
	if (json_object_get(policy, "overrules"))
		(void)printf("    overrules %s, until the next boot or porthold stop\n",
			     json_string_value(json_object_get(policy, "overrules")));
	print_watch(policy);
	json_array_foreach(json_object_get(policy, "rules"), i, rule)
		(void)printf("    allow %s\n", json_string_value(rule));
	print_counts(counters, "attempts", "refused");
	print_counts(counters, "packets", "packets dropped");
	print_counts(counters, "audited", "would refuse");
}

/* The failed ones; how many. */
static int print_failed_checks(const json_t *canary, const char *when)
{
	const char *name;
	json_t *check;
	int n = 0;

	json_object_foreach(json_object_get(canary, "checks"), name, check) {
		if (strcmp(json_string_value(json_object_get(check, "outcome")), "failed"))
			continue;
		(void)printf("CANARY FAILED%s: %s: %s\n", when, name,
			     json_string_value(json_object_get(check, "detail")));
		n++;
	}
	return n;
}

static void print_canary(const json_t *canary)
{
	json_t *last = json_object_get(canary, "last");
	char when[64] = "";
	int failed = print_failed_checks(canary, "");

	if (json_is_null(last)) {
		(void)printf("canary: it has not tried the doors; porthold status --check\n");
		return;
	}
	(void)snprintf(when, sizeof(when), " %lld s ago",
		       (long long)json_integer_value(json_object_get(last, "age")));
	if (!json_equal(json_object_get(last, "time"), json_object_get(canary, "time")))
		failed += print_failed_checks(last, when);
	if (!failed)
		(void)printf("canary: ok%s\n", when);
}

static void print_trial(const json_t *trial)
{
	json_int_t fallback = json_integer_value(json_object_get(trial, "falls_back_to"));
	json_int_t left = json_integer_value(json_object_get(trial, "seconds_left"));

	if (!json_is_object(trial))
		return;
	if (json_is_true(json_object_get(trial, "over")))
		(void)printf("nobody confirmed generation %lld: %s\n",
			     (long long)json_integer_value(json_object_get(trial, "generation")),
			     fallback ? "what was in force before is so again" :
					"nothing is in force, as before");
	else if (fallback)
		(void)printf("on trial: in %lld s generation %lld comes back; porthold confirm\n",
			     (long long)left, (long long)fallback);
	else
		(void)printf(
			"on trial: in %lld s nothing is in force, as before; porthold confirm\n",
			(long long)left);
}

static void print_ignored(const json_t *list)
{
	json_t *problem;
	size_t i;

	json_array_foreach(list, i, problem)
		if (i < PROBLEMS_SHOWN)
			(void)printf("%s: %s; %s\n",
				     json_string_value(json_object_get(problem, "file")),
				     json_string_value(json_object_get(problem, "message")),
				     json_string_value(json_object_get(problem, "remedy")));
	if (i > PROBLEMS_SHOWN)
		(void)printf("and %zu more such files; porthold status --json\n",
			     i - PROBLEMS_SHOWN);
}

static void print_lost(const json_t *files)
{
	const json_t *path;
	size_t i;

	json_array_foreach(json_object_get(files, "lost"), i, path)
		(void)printf("NOT ENFORCED: what %s said; it is bad, and no good copy is kept\n",
			     json_string_value(path));
	json_array_foreach(json_object_get(files, "unreadable"), i, path)
		(void)printf(
			"in force still, but to end at the next boot: what %s said; it is bad, "
			"and no good copy is kept: mend it, and porthold apply\n",
			json_string_value(path));
}

static void print_files(const json_t *object)
{
	const json_t *files = json_object_get(object, "files");
	json_int_t waiting = json_integer_value(json_object_get(files, "waiting"));
	const char *state = json_string_value(json_object_get(files, "state"));
	json_int_t n = json_integer_value(json_object_get(object, "bad_files"));

	if (n)
		(void)printf(
			"%lld error%s in the policy files: of bad files, what was in force last "
			"counts; porthold check " PH_ETC_POLICIES " " PH_RUN_POLICIES "\n",
			(long long)n, n == 1 ? "" : "s");
	print_lost(files);
	print_ignored(json_object_get(files, "ignored"));
	print_ignored(json_object_get(files, "left_out"));
	if (waiting && !json_is_object(json_object_get(object, "trial")))
		(void)printf("%lld policy file%s of what is in force wait%s for %s place; porthold "
			     "apply\n",
			     (long long)waiting, waiting == 1 ? "" : "s", waiting == 1 ? "s" : "",
			     waiting == 1 ? "its" : "their");
	if (!strcmp(state, files_words[PH_FILES_CHANGED]))
		(void)printf("not applied yet: the policy files, or the resolvers, were changed "
			     "since; porthold apply\n");
	if (!strcmp(state, files_words[PH_FILES_REFUSED]))
		(void)printf("not applied: the policy files were changed since, and are refused: "
			     "%s\n",
			     json_string_value(json_object_get(files, "why")));
	if (json_is_false(json_object_get(files, "kept")))
		(void)printf("no copy of these policy files is kept for the next boot, at which a "
			     "bad file would count for nothing; porthold apply tries again\n");
}

/* Told once: whoever looks with --check, as the daemon does each minute, makes the labels anew. */
static void print_missed(json_int_t n)
{
	if (n)
		(void)printf("label_missed: %lld times since the canary last looked: labels may "
			     "have been missed, as the kernel does not run a program while another "
			     "task is preempted in it; porthold status --check makes them anew\n",
			     (long long)n);
}

static void print_health(const json_t *health)
{
	for (unsigned i = 0; i < PH_HEALTH_ERRORS; i++) {
		json_int_t n = json_integer_value(json_object_get(health, health_name(i)));

		if (n)
			(void)printf("%s: %lld times since porthold was started: %s\n",
				     health_name(i), (long long)n, health_meaning(i));
	}
	print_missed(json_integer_value(json_object_get(health, "label_missed")));
}

static bool health_is_well(const json_t *health)
{
	json_int_t errors = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)health, name, value)
		errors += json_integer_value(value);
	return !errors;
}

static void print_unrecorded(const json_t *unrecorded)
{
	json_int_t folded = json_integer_value(json_object_get(unrecorded, "folded"));
	json_int_t withheld = json_integer_value(json_object_get(unrecorded, "withheld"));

	if (folded)
		(void)printf("denials without an event of their own: %lld were folded, as the same "
			     "was told a moment before\n",
			     (long long)folded);
	if (withheld)
		(void)printf("denials without an event: %lld were withheld, as one policy or user "
			     "had too many\n",
			     (long long)withheld);
}

static void print_moved(const json_t *object)
{
	const char *policy = json_string_value(json_object_get(object, "exe_moved"));

	if (policy)
		(void)printf(
			"the exe of policy %s is a link that leads elsewhere now: what is there "
			"is not held; porthold apply\n",
			policy);
}

static bool is_error(const json_t *problem)
{
	return !strcmp(json_string_value(json_object_get(problem, "severity")), "error");
}

/* What is wrong first: of what is not there yet there may be much. */
static void print_programs(const json_t *list)
{
	size_t shown = 0, i;
	json_t *problem;

	for (int errors = 1; errors >= 0; errors--) {
		json_array_foreach(list, i, problem) {
			if (is_error(problem) != errors || shown == PROBLEMS_SHOWN)
				continue;
			(void)printf("%s%s; %s\n", errors ? "NOT HELD: " : "",
				     json_string_value(json_object_get(problem, "message")),
				     json_string_value(json_object_get(problem, "remedy")));
			shown++;
		}
	}
	if (json_array_size(list) > shown)
		(void)printf("and %zu more; porthold status --json\n",
			     json_array_size(list) - shown);
}

/* By name, as the last of the doors. */
static void print_holders_of(const json_t *list)
{
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry) {
		if (i == PH_HOLDERS_SHOWN)
			break;
		print_holder(json_string_value(json_object_get(entry, "name")),
			     json_integer_value(json_object_get(entry, "pid")),
			     json_string_value(json_object_get(entry, "holds")));
	}
	print_holders_end(json_array_size(list));
}

/* DEGRADED (WHY, WHY): */
static void print_degraded(const json_t *list)
{
	json_t *why;
	size_t i;

	json_array_foreach(list, i, why)
		(void)printf("%s%s", i ? ", " : "DEGRADED (", json_string_value(why));
	(void)printf("%s", i ? "): " : "");
}

static void print_text(const json_t *object)
{
	const char *covers = json_string_value(json_object_get(object, "covers"));
	json_int_t kept = json_integer_value(json_object_get(object, "kept_sockets"));
	json_int_t rewritten = json_integer_value(json_object_get(object, "rewritten_sockets"));
	json_t *list = json_object_get(object, "open_doors"), *entry;
	size_t i;

	print_degraded(json_object_get(object, "degraded_by"));
	(void)printf("backend %s, generation %lld\n",
		     json_string_value(json_object_get(object, "backend")),
		     (long long)json_integer_value(json_object_get(object, "generation")));
	print_trial(json_object_get(object, "trial"));
	print_files(object);
	print_moved(object);
	print_programs(json_object_get(object, "programs"));
	print_canary(json_object_get(object, "canary"));
	print_health(json_object_get(object, "health"));
	if (*covers)
		(void)printf("covers only %s\n", covers);
	if (rewritten)
		(void)printf("reached another peer than they asked for, by a load balancer: "
			     "%lld sockets\n",
			     (long long)rewritten);
	if (kept)
		(void)printf("exempt until they close: %lld open sockets\n", (long long)kept);
	print_unrecorded(json_object_get(object, "unrecorded"));
	if (json_array_size(list))
		(void)printf("open doors:\n");
	json_array_foreach(list, i, entry)
		(void)printf("  %-12s %s\n", json_string_value(json_object_get(entry, "door")),
			     json_string_value(json_object_get(entry, "what")));
	print_holders_of(json_object_get(object, "privileged"));
	json_array_foreach(json_object_get(object, "policies"), i, entry)
		print_policy(entry);
}

/* What was put in force and not taken away has a result of the canary. */
static json_t *nothing_json(const struct facts *facts)
{
	const struct ph_expected *expected = &facts->expected;
	json_t *last = canary_last();
	bool gone = last && !facts->on_trial, held = facts->out_of_reach > 0;

	json_decref(last);
	return json_pack("{s:o, s:I, s:b, s:b, s:b, s:I, s:I, s:o}", "files", files_json(facts),
			 "bad_files", (json_int_t)expected->bad_files, "in_force", held, "gone",
			 gone && !held, "degraded", gone || held || expected->lost.n,
			 "out_of_reach", (json_int_t)facts->out_of_reach, "waiting",
			 held ? 0 : (json_int_t)expected->set.n, "trial", trial_json(facts));
}

static void print_nothing(const json_t *object)
{
	json_int_t waiting = json_integer_value(json_object_get(object, "waiting"));
	json_int_t held = json_integer_value(json_object_get(object, "out_of_reach"));

	if (held)
		(void)printf(
			"STILL ENFORCED, OUT OF REACH: %lld programs hold what was put in force, "
			"and their pins below " PH_PIN_DIR " are not to be seen; is something "
			"mounted over them? umount /sys/fs/bpf\n",
			(long long)held);
	else if (json_is_true(json_object_get(object, "gone")))
		(void)printf("NOTHING IS ENFORCED: what was put in force is gone from the kernel; "
			     "porthold apply\n");
	else
		(void)printf("%sNo policy is in force.\n",
			     json_is_true(json_object_get(object, "degraded")) ? "DEGRADED: " : "");
	print_trial(json_object_get(object, "trial"));
	if (json_integer_value(json_object_get(object, "bad_files")))
		print_files(object);
	else
		print_ignored(json_object_get(json_object_get(object, "files"), "ignored"));
	if (waiting)
		(void)printf("Policies in the files that are not in force: %lld; porthold apply\n",
			     (long long)waiting);
}

/* Whether all that the files say is in force, and of the programs that they mean now. */
static bool files_are_in_force(const json_t *object)
{
	const json_t *files = json_object_get(object, "files"), *problem;
	size_t i;

	json_array_foreach(json_object_get(object, "programs"), i, problem)
		if (is_error(problem))
			return false;
	return !strcmp(json_string_value(json_object_get(files, "state")),
		       files_words[PH_FILES_APPLIED]) &&
	       !json_integer_value(json_object_get(object, "bad_files")) &&
	       json_is_null(json_object_get(object, "exe_moved"));
}

/* Nothing is in force, or what is cannot be reached. */
static int status_of_nothing(const json_t *object)
{
	bool lost = json_is_true(json_object_get(object, "gone")) ||
		    json_is_true(json_object_get(object, "in_force"));

	return lost ? PH_EXIT_CANARY : PH_EXIT_NO;
}

/* With --check, whether all is well is what was asked. */
static int status_of(const json_t *object, bool check)
{
	if (!json_object_get(object, "backend"))
		return status_of_nothing(object);
	if (!canary_is_well(json_object_get(object, "canary")))
		return PH_EXIT_CANARY;
	if (check && !health_is_well(json_object_get(object, "health")))
		return PH_EXIT_NO;
	return files_are_in_force(object) ? PH_EXIT_OK : PH_EXIT_NO;
}

static void facts_done(struct facts *facts)
{
	kernel_close(&facts->kernel);
	expected_done(&facts->expected);
	counters_done(&facts->counters);
	labels_done(&facts->labels);
	processes_done(&facts->processes);
	problems_done(&facts->programs);
	problems_done(&facts->ignored);
	*facts = (struct facts){ .kernel = PH_KERNEL_NULL };
}

static void look_for_trial(struct facts *facts)
{
	struct ph_header fallback;

	facts->on_trial = !generation_trial(&facts->kernel, &facts->trial);
	if (facts->on_trial && !generation_fallback(&facts->kernel, &fallback))
		facts->fallback = fallback.generation;
}

static int read_what_is_in_force(struct facts *facts, struct ph_fault *f)
{
	int r = kernel_open(&facts->kernel, f);

	if (!r && !kernel_attached())
		r = -ENOENT;
	if (r)
		return r;
	r = kernel_state_read(&facts->kernel, &facts->state);
	if (!r)
		r = generation_current(&facts->kernel, &facts->header);
	look_for_trial(facts);
	/* What should be there and is not is the canary's to tell; after a first trial nothing is. */
	if (r == -ENOENT && !facts->on_trial)
		r = 0;
	return r && r != -ENOENT ? fault(f, r, PH_EXIT_IMPOSSIBLE,
					 "cannot read what is in force: %s", strerror(-r)) :
				   r;
}

/* Whom it confines, and what it refused. */
static int count(struct facts *facts, struct ph_fault *f)
{
	int r = counters_read(&facts->kernel, &facts->counters);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read the counters: %s",
			     strerror(-r));
	cover_recorded(&facts->cover);
	facts->has_labels = !labels_pass(&facts->labels);
	if (!facts->has_labels && processes_read(&facts->processes))
		return fault(f, -EIO, PH_EXIT_IMPOSSIBLE, "cannot read /proc");
	cover_labels(&facts->cover, &facts->labels);
	cover_processes(&facts->cover, &facts->processes);
	if (facts->header.features & PH_FEATURE_KEEP && labels_know_pid())
		(void)sockets_count_kept(&facts->labels, &facts->kept);
	return 0;
}

/* What the programs of policies in force are by now. */
static int look_at_programs(struct facts *facts, struct ph_fault *f)
{
	cleanup_(problems_donep) struct ph_problems withheld = {};
	struct ph_expected *expected = &facts->expected;
	struct ph_image *image = expected->known ? &expected->image : NULL;
	int r = 0;

	if (image && image->n_programs)
		r = guard_check(&expected->set, PH_GUARD_FORCED, &(struct ph_edits){}, image,
				&withheld, f);
	if (r)
		return r;
	facts->withheld = withheld.n;
	for (size_t i = 0; !r && i < withheld.n; i++) {
		withheld.v[i].severity = PH_ERROR;
		r = problems_add(&facts->programs, &withheld.v[i]);
	}
	if (image && image->n_programs)
		facts->moved = programs_moved(&facts->kernel, image, facts->header.slot,
					      &facts->moved_policy);
	if (!r)
		r = presence_check_programs(&expected->set, &facts->programs);
	return r ? fault(f, r, PH_EXIT_IMPOSSIBLE, "%s", strerror(-r)) : 0;
}

/* *ret_nothing: nothing is in force. */
static int gather(struct facts *facts, bool check, bool *ret_nothing, struct ph_fault *f)
{
	const struct ph_image *image;
	int r = read_what_is_in_force(facts, f), found;

	*ret_nothing = r == -ENOENT;
	if (r && !*ret_nothing)
		return r;
	*f = (struct ph_fault){};
	for (size_t i = 0; i < PH_DIRECTORIES; i++)
		(void)paths_warn_of_others(ph_directories[i], &facts->ignored);
	found = expected_find(facts->header.generation ? &facts->header : NULL, &facts->expected,
			      f);
	if (found || *ret_nothing)
		return found;
	r = features_probe(&facts->features, f);
	if (r)
		return r;
	image = facts->expected.known ? &facts->expected.image : NULL;
	if (check)
		canary_run(image, &facts->canary);
	else
		canary_look(image, &facts->canary);
	r = look_at_programs(facts, f);
	return r ? r : count(facts, f);
}

/* Of an apply that is at work the same could be said. */
static bool is_doubtful(const struct facts *facts, bool nothing)
{
	json_t *last = nothing ? canary_last() : NULL;
	bool gone = last;

	json_decref(last);
	return gone || facts->expected.files != PH_FILES_APPLIED || !facts->expected.kept ||
	       (!nothing && !canary_ok(&facts->canary));
}

/* The daemon loads its programs for a while when it starts. */
static int wait_for_others(struct ph_fault *f)
{
	int lock = apply_lock_only(f);
	pid_t daemon = lock == -EBUSY ? single_pid() : 0;

	if (daemon)
		return fault(f, -EBUSY, PH_EXIT_IMPOSSIBLE,
			     "loading: the daemon, process %d, or another porthold is putting "
			     "policies in force; ask again in a moment",
			     (int)daemon);
	return lock;
}

/* With nothing in between, if need be. */
static int gather_surely(struct facts *facts, bool check, bool *ret_nothing, struct ph_fault *f)
{
	cleanup_close int lock = check ? wait_for_others(f) : -1;
	int r = check && lock < 0 ? lock : gather(facts, check, ret_nothing, f);

	if (check || (!r && !is_doubtful(facts, *ret_nothing)))
		return r;
	lock = wait_for_others(f);
	if (lock < 0)
		return lock;
	facts_done(facts);
	return gather(facts, check, ret_nothing, f);
}

/* Links come before their pins and end some time after them: what changes yet is waited for. */
static int count_at_rest(void)
{
	int n = attached_anywhere(), same = 0;

	for (int i = 0; n > 0 && same < LINK_ROUNDS && i < LINK_ROUNDS_MAX; i++) {
		int before = n;

		(void)usleep(LINK_WAIT_US);
		n = attached_anywhere();
		same = n == before ? same + 1 : 0;
	}
	return n;
}

/* Of what was put in force from here and not taken away. Elsewhere another may hold its own, as in a container. */
static void look_beyond_pins(struct facts *facts)
{
	json_t *last = canary_last();
	int n = last && !facts->on_trial ? count_at_rest() : 0;

	json_decref(last);
	facts->out_of_reach = n > 0 && !kernel_attached() ? n : 0;
}

static void print(const json_t *object, bool json)
{
	if (json) {
		(void)json_dumpf(object, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else if (json_object_get(object, "backend")) {
		print_text(object);
	} else {
		print_nothing(object);
	}
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "check", no_argument, NULL, 'c' },
		{},
	};
	struct facts facts = { .kernel = PH_KERNEL_NULL };
	bool json = false, check = false, nothing = false;
	struct ph_fault f = {};
	json_t *object;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("status");
		json |= option == 'j';
		check |= option == 'c';
	}
	if (optind != argc)
		return usage_error("status", "unexpected argument %s", argv[optind]);
	r = require_root("status");
	if (r)
		return r;
	r = gather_surely(&facts, check, &nothing, &f);
	if (!r && nothing)
		look_beyond_pins(&facts);
	if (r) {
		facts_done(&facts);
		return report_failure(NULL, &f);
	}
	object = nothing ? nothing_json(&facts) : facts_json(&facts);
	facts_done(&facts);
	print(object, json);
	r = status_of(object, check);
	json_decref(object);
	return r;
}
