// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explain: what may this process do, and why? The policies are those of the files, whether or not
 * they are in force. Everything that is told is gathered as JSON; the text is printed from it.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/explained.h"
#include "answer.h"
#include "kernel/cover.h"
#include "kernel/decide.h"
#include "kernel/labels.h"
#include "kernel/programs.h"
#include "policy/name.h"
#include "policy/paths.h"
#include "policy/resolve.h"
#include "policy/store.h"
#include "policy/text.h"
#include "presence.h"
#include "standing.h"
#include "subject.h"
#include "trial.h"
#include "util/cleanup.h"
#include "util/stream.h"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_script, script_done);

struct request {
	const char *name, *exe, *pid, *resolvers;
	const char **paths; /* of policies */
	size_t n_paths;
	bool json;
};

/* A policy that matches, or may. */
struct matching {
	size_t position; /* in the set */
	unsigned layer; /* enum ph_layer: each has to grant */
	char *condition; /* NULL: it does match */
};

struct question {
	struct ph_policy_set set;
	struct ph_bench bench;
	struct ph_subject subject;
	struct ph_cover cover;
	bool outside; /* the process is not covered: no policy holds it */
	struct matching *matching;
	size_t n_matching;
	struct ph_standing standing; /* of the set, unless files were named */
	uint64_t *brought; /* policies that the kernel has the subject's program bring */
	size_t n_brought;
	bool asked; /* it was asked for these */
	bool labelled; /* it is the kernel that says which they are */
	bool unasked; /* it may know of layers, and does not tell us */
};

static void question_done(struct question *question)
{
	for (size_t i = 0; i < question->n_matching; i++)
		free(question->matching[i].condition);
	free(question->matching);
	subject_done(&question->subject);
	bench_done(&question->bench);
	standing_done(&question->standing);
	free(question->brought);
	policy_set_done(&question->set);
}

DEFINE_CLEANUP_DONE(struct question, question_done);

/* --- Arguments */

static int add_path(struct request *request, const char *path)
{
	const char **more = reallocarray(request->paths, request->n_paths + 1, sizeof(*more));

	if (!more)
		return no_memory("explain");
	request->paths = more;
	more[request->n_paths++] = path;
	return 0;
}

static int take_option(struct request *request, int option)
{
	switch (option) {
	case 'n':
		request->name = optarg;
		return 0;
	case 'e':
		request->exe = optarg;
		return 0;
	case 'p':
		request->pid = optarg;
		return 0;
	case 'P':
		return add_path(request, optarg);
	case 'r':
		return take_resolvers("explain", optarg, &request->resolvers);
	case 'j':
		request->json = true;
		return 0;
	default:
		return option_error("explain");
	}
}

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "exe", required_argument, NULL, 'e' },
		{ "pid", required_argument, NULL, 'p' },
		{ "policy", required_argument, NULL, 'P' },
		{ "resolvers", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(request, option);
		if (r)
			return r;
	}
	if (!request->name + !request->exe + !request->pid != 2)
		return usage_error("explain", "expected one of --name, --exe and --pid");
	if (optind == argc)
		return usage_error("explain", "expected FLOW, such as connect tcp 10.0.0.1:22");
	return 0;
}

/*
 * The words joined by blanks; an argument that holds a blank is a flow of its own. Commas part the
 * flows. The text is the caller's to free.
 */
static char *join_flows(char **words)
{
	cleanup_(stream_donep) struct ph_stream stream = {};
	char *text;

	if (stream_begin(&stream))
		return NULL;
	for (; *words; words++)
		(void)fprintf(stream.file, strchr(*words, ' ') ? ",%s," : "%s ", *words);
	return stream_end(&stream, &text) ? NULL : text;
}

/* --- Whom, and which policies */

static int name_subject(const char *name, struct ph_subject *ret)
{
	struct ph_text_error error;

	if (comm_check(name, strlen(name), &error))
		return report_text_error("explain", name, &error);
	(void)snprintf(ret->comm, sizeof(ret->comm), "%s", name);
	return 0;
}

/* Policies match by the file that executes, under whatever path: of none, only by its path. */
static void warn_of_exe(const struct ph_subject *subject)
{
	const struct ph_word word = { .text = subject->exe, .len = strlen(subject->exe) };

	if (subject->exe_error)
		(void)fprintf(stderr,
			      "porthold explain: warning: --exe %s: %s; only policies that name "
			      "this very path are taken to match\n",
			      quote_bare(&word).text, strerror(subject->exe_error));
}

/* As execvp() finds it; NULL: it does not. */
static char *find_program(const char *name)
{
	const char *variable = getenv("PATH");
	cleanup_free char *folders = strdup(variable ? variable : "");
	char *rest = folders, *folder, *path;

	while (rest && (folder = strsep(&rest, ":"))) {
		if (asprintf(&path, "%s/%s", folder, name) < 0)
			return NULL;
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	return NULL;
}

/* What runs is the interpreter, under the name of the script; by way of env, under its own. */
static int script_subject(const char *exe, const struct ph_script *script, struct ph_subject *ret)
{
	const char *runs = script->runs ? script->runs : script->interpreter;
	const struct ph_word words[] = {
		{ .text = exe, .len = strlen(exe) },
		{ .text = runs, .len = strlen(runs) },
	};
	cleanup_free char *path = NULL;
	char comm[sizeof(ret->comm)];

	(void)fprintf(stderr,
		      "porthold explain: %s is a script: the program that runs is its interpreter, "
		      "%s, and no policy by exe matches the script itself\n",
		      quote_bare(&words[0]).text, quote_bare(&words[1]).text);
	memcpy(comm, ret->comm, sizeof(comm));
	subject_done(ret);
	if (script->runs)
		path = find_program(runs);
	if (subject_of_exe(path ? path : runs, ret))
		return no_memory("explain");
	if (!script->runs)
		memcpy(ret->comm, comm, sizeof(comm));
	return 0;
}

static int exe_subject(const char *exe, struct ph_subject *ret)
{
	cleanup_(script_donep) struct ph_script script = {};
	struct ph_text_error error;

	if (exe_check(exe, strlen(exe), &error))
		return report_text_error("explain", exe, &error);
	if (subject_of_exe(exe, ret))
		return no_memory("explain");
	script_read(exe, &script);
	if (script.interpreter)
		return script_subject(exe, &script, ret);
	warn_of_exe(ret);
	return 0;
}

static int pid_subject(const char *text, struct ph_subject *ret)
{
	char *end;
	long pid = strtol(text, &end, 10);
	int r;

	if (*end || pid <= 0 || pid > INT_MAX)
		return usage_error("explain", "--pid %s: not a process number", text);
	r = subject_of_pid((pid_t)pid, ret);
	if (r)
		(void)fprintf(stderr, "porthold explain: process %ld: %s\n", pid,
			      r == -ENOENT ? "it does not run" : strerror(-r));
	return r ? PH_EXIT_IMPOSSIBLE : 0;
}

static int find_subject(const struct request *request, struct ph_subject *ret)
{
	if (request->name)
		return name_subject(request->name, ret);
	return request->exe ? exe_subject(request->exe, ret) : pid_subject(request->pid, ret);
}

/* Those that wait for their place among them: what is on trial is in force. */
static int load_files(struct ph_policy_set *ret, struct ph_problems *problems)
{
	cleanup_(edits_donep) struct ph_edits edits = {};
	int r = trial_edits(&edits);

	return r ? r : store_load(&edits, ret, problems);
}

static int load_policies(const struct request *request, struct ph_policy_set *ret,
			 struct ph_problems *problems)
{
	int r = 0;

	if (!request->n_paths)
		return load_files(ret, problems);
	for (size_t i = 0; i < request->n_paths && (!r || r == -EINVAL); i++) {
		int one = policy_path_parse(request->paths[i], ret, NULL, problems, NULL);

		r = one ? one : r;
	}
	return r;
}

/* Whoever may not look does not learn it, and asks about files. */
static void warn_of_standing(const struct question *question)
{
	if (question->standing.state == PH_STANDING_OTHER)
		(void)fprintf(stderr,
			      "porthold explain: warning: the policy files were changed since they "
			      "were applied: this is what they say, and not what is in force; "
			      "porthold apply\n");
	if (question->standing.state == PH_STANDING_NOTHING && question->set.n)
		(void)fprintf(stderr, "porthold explain: warning: no policy is in force: this is "
				      "what the policy files say; porthold apply\n");
}

static int prepare(const struct request *request, struct question *question)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	struct ph_fault f = {};
	int r = load_policies(request, &question->set, &problems);

	if (!r)
		r = resolvers_read(request->resolvers, &resolvers, NULL);
	owned = resolvers.v;
	if (!r)
		r = bench_prepare(&question->set, &resolvers, &question->bench, &problems);
	if (!r && !request->n_paths)
		standing_find(&question->set, &question->standing);
	warn_of_standing(question);
	if (!r)
		return 0;
	(void)fault(&f, r, r == -EINVAL ? PH_EXIT_NO : PH_EXIT_IMPOSSIBLE,
		    "the policies cannot be used%s%s", r == -EINVAL ? "; see porthold check" : ": ",
		    r == -EINVAL ? "" : strerror(-r));
	return report_failure(&problems, &f);
}

static void add_by_id(struct question *question, uint64_t id, unsigned layer)
{
	for (size_t i = 0; i < question->set.n; i++)
		if (policy_id(&question->set.policies[i]) == id)
			question->matching[question->n_matching++] =
				(struct matching){ .position = i, .layer = layer };
}

/* What the kernel holds the process to now, if it does and these are the policies in force. */
static bool find_labelled(struct question *question)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r = question->subject.pid ? labels_pass(&labels) : -ENOENT;

	question->unasked = r && r != -ENOENT;
	if (r)
		return false;
	for (size_t i = 0; i < labels.n; i++) {
		const struct ph_ids *ids = &labels.v[i].policies;

		if ((pid_t)labels.v[i].pid != question->subject.pid)
			continue;
		for (unsigned j = 0; j < PH_LABEL_MAX; j++)
			if (ids->id[j])
				add_by_id(question, ids->id[j], ph_layer_at(ids, j));
	}
	return question->n_matching;
}

/* Whether the programs in force do not see the process; *ret: what they see. */
static bool is_outside(const struct ph_subject *subject, struct ph_cover *ret)
{
	cover_recorded(ret);
	return subject->pid && *ret->path && !cover_has_process(ret, subject->pid);
}

/* By links and by what was there when it last looked, the kernel may know a program otherwise. */
static void ask_of_program(struct question *question)
{
	const struct ph_subject *subject = &question->subject;
	struct ph_standing *standing = &question->standing;
	char own[64];

	/* That of a process may be gone from its path. */
	(void)snprintf(own, sizeof(own), "/proc/%d/exe", (int)subject->pid);
	if (standing->state != PH_STANDING_IN_FORCE || !standing->image.n_programs ||
	    !subject->exe || subject->exe_error)
		return;
	question->asked = !programs_of_path(&standing->kernel, &standing->image,
					    standing->header.slot,
					    subject->pid ? own : subject->exe, &question->brought,
					    &question->n_brought);
}

static bool is_brought(const struct question *question, const struct ph_policy *policy)
{
	for (size_t i = 0; i < question->n_brought; i++)
		if (question->brought[i] == policy_id(policy))
			return true;
	return false;
}

static void tell_unheld(const struct ph_policy *policy)
{
	(void)fprintf(
		stderr,
		"porthold explain: policy %s names %s, which is this file by now; that is held "
		"after porthold apply\n",
		policy->name, policy->match.exe);
}

/* subject_fits(), of the program by what the kernel knows of it, if it was asked. */
static int fits(const struct question *question, const struct ph_policy *policy, char **ret_if)
{
	static char nowhere[] = "";
	const struct ph_subject *subject = &question->subject;
	struct ph_policy as_known = *policy;
	int fit, by_files;

	if (!question->asked || !policy->match.exe)
		return subject_fits(subject, subject->comm, policy, ret_if);
	by_files = subject_fits(subject, subject->comm, policy, ret_if);
	free(*ret_if);
	as_known.match.exe = is_brought(question, policy) ? subject->exe : nowhere;
	fit = by_files < 0 ? by_files : subject_fits(subject, subject->comm, &as_known, ret_if);
	if (by_files != PH_FIT_NO && fit == PH_FIT_NO)
		tell_unheld(policy);
	return fit;
}

static int find_matching(struct question *question)
{
	question->matching = calloc(question->set.n + PH_LABEL_MAX, sizeof(*question->matching));
	if (!question->matching)
		return -ENOMEM;
	question->labelled = !question->outside && find_labelled(question);
	if (question->labelled)
		return 0;
	ask_of_program(question);
	for (size_t i = 0; !question->outside && i < question->set.n; i++) {
		struct matching *matching = &question->matching[question->n_matching];
		int fit = fits(question, &question->set.policies[i], &matching->condition);

		if (fit < 0)
			return fit;
		matching->position = i;
		question->n_matching += fit != PH_FIT_NO;
	}
	return 0;
}

/* --- Facts */

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

/* Threads that policies confine which do not confine their process. */
static json_t *threads_json(const struct question *question)
{
	const struct ph_subject *subject = &question->subject;
	json_t *list = json_array();

	for (size_t i = 0; i < subject->n_threads; i++) {
		for (size_t j = 0; j < question->set.n; j++) {
			const struct ph_policy *policy = &question->set.policies[j];
			cleanup_free char *condition = NULL;
			json_t *object;

			if (!*policy->match.comm || subject_fits(subject, subject->threads[i].comm,
								 policy, &condition) <= PH_FIT_NO)
				continue;
			object = policy_json(policy);
			set(object, "tid", json_integer(subject->threads[i].tid));
			set(object, "comm", shown(subject->threads[i].comm));
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

static const struct ph_policy *policy_at(const struct question *question, size_t i)
{
	return &question->set.policies[question->matching[i].position];
}

/* The enforcing policies that certainly match, and with `all` those that may. */
static struct verdict judge(const struct question *question, const struct ph_answer *answers,
			    bool all)
{
	struct verdict verdict = {};

	for (size_t i = 0; i < question->n_matching; i++)
		if (policy_at(question, i)->mode == PH_POLICY_ENFORCE &&
		    (all || !question->matching[i].condition))
			add_answer(&verdict, &question->matching[i], policy_at(question, i),
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
		if (policy_at(question, i)->mode != PH_POLICY_AUDIT)
			continue;
		object = policy_json(policy_at(question, i));
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
	const struct ph_policy *policy = policy_at(question, i);
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
		object = policy_json(policy_at(question, i));
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

/* One flow: 0 with the verdict added, or an error of bench_ask(). */
static int explain_flow(const struct question *question, const struct ph_flow_spec *flow,
			json_t *list, bool *denied)
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
	*denied |= set_verdict(object, question, answers, flow);
	set(object, "audit", audit_json(question, answers));
	(void)json_array_append_new(list, object);
	return 0;
}

/* All flows of the text, which commas part; usage errors before anything is judged. */
static int explain_flows(const struct question *question, char *text, json_t *list, bool *denied)
{
	char *rest = text, *one;
	int r = 0;

	while (!r && (one = strsep(&rest, ","))) {
		struct ph_text_error error;
		struct ph_flow_spec flow;

		one += strspn(one, " \t");
		for (size_t n = strlen(one); n && strchr(" \t", one[n - 1]); n--)
			one[n - 1] = 0;
		if (!*one)
			continue;
		if (flow_parse(one, strlen(one), &flow, &error))
			return report_text_error("explain", one, &error);
		r = explain_flow(question, &flow, list, denied);
	}
	if (r)
		(void)fprintf(stderr, "porthold explain: %s\n",
			      r == -ENOTRECOVERABLE ?
				      "internal error: the compiled decision and the reference "
				      "differ; please report it with the policy" :
				      strerror(-r));
	else if (!json_array_size(list))
		return usage_error("explain", "expected FLOW, such as connect tcp 10.0.0.1:22");
	return r ? PH_EXIT_IMPOSSIBLE : 0;
}

/* --- The verb */

static void print_facts(const json_t *facts, bool json)
{
	if (!json) {
		explained_print(facts);
		return;
	}
	(void)json_dumpf(facts, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

static int answer(const struct question *question, char *text, bool json)
{
	cleanup_(json_decrefp) json_t *facts = json_object(), *flows = json_array();
	bool denied = false;
	int r = explain_flows(question, text, flows, &denied);

	if (r)
		return r;
	set(facts, "subject", subject_json(&question->subject));
	set(facts, "policies", matching_json(question));
	set(facts, "threads", question->outside ? json_array() : threads_json(question));
	set(facts, "covers_only", question->outside ? shown(question->cover.path) : json_null());
	set(facts, "labelled", json_boolean(question->labelled));
	set(facts, "in_force", standing_json(&question->standing));
	(void)json_object_set(facts, "flows", flows);
	print_facts(facts, json);
	return denied ? PH_EXIT_NO : PH_EXIT_OK;
}

static int explain(const struct request *request, char **words)
{
	cleanup_(question_donep) struct question question = { .standing = PH_STANDING_NULL };
	cleanup_free char *text = join_flows(words);
	int r = find_subject(request, &question.subject);

	if (!r)
		r = prepare(request, &question);
	question.outside = !request->n_paths && is_outside(&question.subject, &question.cover);
	if (!r && (!text || find_matching(&question)))
		r = no_memory("explain");
	return r ? r : answer(&question, text, request->json);
}

int cmd_explain(int argc, char **argv)
{
	struct request request = { .resolvers = PH_RESOLV_CONF };
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = explain(&request, argv + optind);
	free(request.paths);
	return r;
}
