// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/learned.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "learn/usage.h"
#include "policy/print.h"
#include "policy/resolve.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_lesson, lesson_done);
DEFINE_CLEANUP_DONE(struct ph_usage, usage_done);

/* Each line begins with `before`. */
static void print_doubts(const struct ph_learned *learned, const char *before)
{
	const struct ph_lookout_report *watched = learned->watched;
	const struct ph_seen *seen = learned->seen;

	if (watched->lost)
		(void)printf("%sINCOMPLETE: %" PRIu64 " calls were too many to be told, or were "
			     "overwritten before they could be read.\n",
			     before, watched->lost);
	if (seen->left_out)
		(void)printf("%sINCOMPLETE: %" PRIu64 " calls are left out: more than %u "
			     "different things were seen.\n",
			     before, seen->left_out, PH_SIGHTS_MAX);
	if (watched->stopped)
		(void)printf("%sINCOMPLETE: the audit policy was taken away meanwhile.\n", before);
	if (watched->backend == PH_BACKEND_CGROUP)
		(void)printf("%sThe cgroup backend does not see every call: with the lsm backend, "
			     "more may be refused.\n",
			     before);
}

/* A comment for each rule; what has been made so far is the caller's to free, also on failure. */
static int make_notes(const struct ph_lesson *lesson, char **notes)
{
	for (size_t i = 0; i < lesson->policy.n_rules; i++) {
		notes[i] = reason_text(&lesson->reasons[i]);
		if (!notes[i])
			return -ENOMEM;
	}
	return 0;
}

static int format_lesson(const struct ph_lesson *lesson, char **ret)
{
	cleanup_free char **notes = calloc(lesson->policy.n_rules + 1, sizeof(*notes));
	int r = notes ? make_notes(lesson, notes) : -ENOMEM;

	if (!r)
		r = policy_format_noted(&lesson->policy, notes, ret);
	for (size_t i = 0; notes && notes[i]; i++)
		free(notes[i]);
	return r;
}

static int print_policy(const struct ph_learned *learned, const struct ph_lesson *lesson)
{
	cleanup_free char *text = NULL;
	int r = format_lesson(lesson, &text);

	if (r)
		return r;
	(void)printf("# %" PRIu64 " call%s of processes named %s in %u s\n", learned->seen->calls,
		     learned->seen->calls == 1 ? "" : "s", lesson->policy.match.comm,
		     learned->watched->seconds);
	print_doubts(learned, "# ");
	for (size_t i = 0; i < lesson->n_remarks; i++)
		(void)printf("# %s\n", lesson->remarks[i]);
	/* A policy of nothing refuses all: that is nobody's to say but who means it. */
	if (learned->seen->calls)
		(void)fputs(text, stdout);
	return 0;
}

static json_t *rules_json(const struct ph_policy *policy, const struct ph_reason_seen *reasons,
			  const uint64_t *calls)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < policy->n_rules; i++) {
		cleanup_free char *text = NULL;
		const struct ph_rule *rule = &policy->rules[i];
		uint64_t n = reasons ? reasons[i].calls : calls[i];
		json_t *object;

		if (rule_format(rule, &text))
			continue;
		object = json_pack("{s:s, s:I}", "rule", text, "calls", (json_int_t)n);
		if (reasons)
			(void)json_object_set_new(object, "doubtful",
						  json_boolean(reasons[i].doubts));
		else
			(void)json_object_set_new(object, "line", json_integer(rule->line));
		(void)json_array_append_new(rules, object);
	}
	return rules;
}

static json_t *lesson_json(const struct ph_lesson *lesson, const char *rules_key)
{
	json_t *remarks = json_array();

	for (size_t i = 0; i < lesson->n_remarks; i++)
		(void)json_array_append_new(remarks, json_string(lesson->remarks[i]));
	return json_pack("{s:o, s:o}", rules_key,
			 rules_json(&lesson->policy, lesson->reasons, NULL), "remarks", remarks);
}

/* Takes the object over. */
static void print_json(const struct ph_learned *learned, json_t *object)
{
	const struct ph_policy *subject = learned->subject;
	const struct ph_lookout_report *watched = learned->watched;
	const struct ph_seen *seen = learned->seen;

	(void)json_object_update_new(
		object,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:s}", "name", subject->name, "comm",
			  subject->match.comm, "seconds", (json_int_t)watched->seconds, "calls",
			  (json_int_t)seen->calls, "lost", (json_int_t)watched->lost, "left_out",
			  (json_int_t)seen->left_out, "stopped", watched->stopped, "backend",
			  backend_name(watched->backend)));
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
}

/* --- Observed against granted */

static void print_usage(const struct ph_policy *policy, const struct ph_usage *usage)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		cleanup_free char *text = NULL;

		if (!rule_format(&policy->rules[i], &text))
			(void)printf("  %8" PRIu64 "  %s%s\n", usage->calls[i], text,
				     usage->calls[i] ? "" : "   (never used)");
	}
}

static void print_missing(const struct ph_lesson *missing)
{
	if (missing->policy.n_rules || missing->n_remarks)
		(void)printf("Asked for, and granted by no rule:\n");
	for (size_t i = 0; i < missing->policy.n_rules; i++) {
		cleanup_free char *text = NULL, *reason = reason_text(&missing->reasons[i]);

		if (reason && !rule_format(&missing->policy.rules[i], &text))
			(void)printf("  %s # %s\n", text, reason);
	}
	for (size_t i = 0; i < missing->n_remarks; i++)
		(void)printf("  # %s\n", missing->remarks[i]);
}

static int say_usage(const struct ph_learned *learned, const struct ph_usage *usage,
		     const struct ph_lesson *missing)
{
	const struct ph_policy *policy = learned->subject;
	json_t *object;

	if (learned->json) {
		object = lesson_json(missing, "missing");
		(void)json_object_set_new(object, "rules", rules_json(policy, NULL, usage->calls));
		print_json(learned, object);
		return 0;
	}
	(void)printf("%s (%s:%u): %" PRIu64 " calls in %u s\n", policy->name, policy->file,
		     policy->line, learned->seen->calls, learned->watched->seconds);
	print_doubts(learned, "");
	print_usage(policy, usage);
	print_missing(missing);
	return 0;
}

static int report_usage(const struct ph_learned *learned, const struct ph_sight *sights, size_t n,
			const struct ph_terms *terms)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(usage_donep) struct ph_usage usage = {};
	cleanup_(lesson_donep) struct ph_lesson missing = {};
	int r = usage_make(learned->subject, &terms->resolvers, sights, n, &usage, &problems);

	if (!r)
		r = lesson_make(usage.missing, usage.n_missing, terms, &missing);
	return r ? r : say_usage(learned, &usage, &missing);
}

static int report_lesson(const struct ph_learned *learned, const struct ph_sight *sights, size_t n,
			 const struct ph_terms *terms)
{
	cleanup_(lesson_donep) struct ph_lesson lesson = {};
	int r = lesson_make(sights, n, terms, &lesson);

	if (r)
		return r;
	if (learned->json) {
		print_json(learned, lesson_json(&lesson, "rules"));
		return 0;
	}
	lesson.policy.match = learned->subject->match;
	lesson.policy.name = learned->subject->name;
	r = print_policy(learned, &lesson);
	/* They are the subject's. */
	lesson.policy.match = (struct ph_match){};
	lesson.policy.name = NULL;
	return r;
}

static int complain(int error)
{
	if (error == -E2BIG)
		(void)fprintf(stderr,
			      "porthold learn: what was seen takes more than %u rules; try "
			      "--addresses net or any\n",
			      PH_RULES_MAX);
	else
		(void)fprintf(stderr, "porthold learn: %s\n", strerror(-error));
	return PH_EXIT_IMPOSSIBLE;
}

static int report_nothing(const struct ph_learned *learned)
{
	(void)fprintf(stderr,
		      "porthold learn: nothing was seen%s; does it run, and under this name? See "
		      "porthold status\n",
		      learned->compare ? "" : ", so no policy is given");
	if (!learned->compare && *learned->subject->match.comm)
		(void)fprintf(stderr,
			      "porthold learn: if it shall use nothing on the network: porthold "
			      "allow none %s\n",
			      learned->subject->name);
	return PH_EXIT_NO;
}

int learned_print(const struct ph_learned *learned)
{
	struct ph_terms terms = { .addresses = learned->addresses,
				  .chosen = learned->seen->chosen };
	cleanup_free struct ph_sight *sights = NULL;
	cleanup_free struct ph_cidr *owned = NULL;
	size_t n = 0;
	int r = resolvers_read(PH_RESOLV_CONF, &terms.resolvers, NULL);

	if (r)
		return complain(r);
	owned = terms.resolvers.v;
	r = seen_list(learned->seen, &sights, &n);
	if (!r && learned->compare)
		r = report_usage(learned, sights, n, &terms);
	else if (!r)
		r = report_lesson(learned, sights, n, &terms);
	if (r)
		return complain(r);
	return learned->seen->calls ? PH_EXIT_OK : report_nothing(learned);
}
