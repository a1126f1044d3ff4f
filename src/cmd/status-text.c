// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/status.h"
#include "kernel/powers.h"
#include "policy/paths.h"
#include "policy/policy.h"
#include "policy/store.h"

#define PROBLEMS_SHOWN 10 /* of one kind */

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
		(void)printf("%lld error%s in the policy files: of a bad file its last good copy "
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
	if (!strcmp(state, status_files_words[PH_FILES_CHANGED]))
		(void)printf("not applied yet: the policy files, or the resolvers, were changed "
			     "since; porthold apply\n");
	if (!strcmp(state, status_files_words[PH_FILES_REFUSED]))
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
	if (policy)
		return;
	policy = json_string_value(json_object_get(object, "exe_replaced"));
	if (policy)
		(void)printf(
			"the exe of policy %s is another file by now: by its path it is held, under "
			"other names only once it was executed by that; porthold apply\n",
			policy);
}

/* What is wrong first: of what is not there yet there may be much. */
static void print_programs(const json_t *list)
{
	size_t shown = 0, i;
	json_t *problem;

	for (int errors = 1; errors >= 0; errors--) {
		json_array_foreach(list, i, problem) {
			if (status_is_error(problem) != errors || shown == PROBLEMS_SHOWN)
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

static void print_held(json_int_t n, const char *remedy)
{
	(void)printf("STILL ENFORCED, OUT OF REACH: %lld programs hold what was put in force, and "
		     "their pins below " PH_PIN_DIR " cannot be reached: %s\n",
		     (long long)n, *remedy ? remedy : "are they elsewhere now? findmnt -t bpf");
}

static void print_nothing(const json_t *object)
{
	json_int_t waiting = json_integer_value(json_object_get(object, "waiting"));
	json_int_t held = json_integer_value(json_object_get(object, "out_of_reach"));

	if (held)
		print_held(held, json_string_value(json_object_get(object, "remedy")));
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

void status_print(const json_t *object)
{
	if (json_object_get(object, "backend"))
		print_text(object);
	else
		print_nothing(object);
}
