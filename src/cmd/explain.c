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
#include "answer.h"
#include "kernel/cover.h"
#include "kernel/decide.h"
#include "kernel/labels.h"
#include "policy/name.h"
#include "policy/paths.h"
#include "policy/resolve.h"
#include "policy/store.h"
#include "policy/text.h"
#include "presence.h"
#include "subject.h"
#include "util/cleanup.h"
#include "util/stream.h"

#define RESOLV_CONF "/etc/resolv.conf"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
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
	bool labelled; /* it is the kernel that says which they are */
};

static void question_done(struct question *question)
{
	for (size_t i = 0; i < question->n_matching; i++)
		free(question->matching[i].condition);
	free(question->matching);
	subject_done(&question->subject);
	bench_done(&question->bench);
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
		if (access(optarg, R_OK))
			return usage_error("explain", "--resolvers %s: %s", optarg,
					   strerror(errno));
		request->resolvers = optarg;
		return 0;
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

static int load_policies(const struct request *request, struct ph_policy_set *ret,
			 struct ph_problems *problems)
{
	int r = 0;

	if (!request->n_paths)
		return store_load(NULL, ret, problems);
	for (size_t i = 0; i < request->n_paths && (!r || r == -EINVAL); i++) {
		int one = policy_path_parse(request->paths[i], ret, problems, NULL);

		r = one ? one : r;
	}
	return r;
}

static int prepare(const struct request *request, struct question *question)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	struct ph_fault f = {};
	int r = load_policies(request, &question->set, &problems);

	if (!r)
		r = resolvers_read(request->resolvers, &resolvers);
	owned = resolvers.v;
	if (!r)
		r = bench_prepare(&question->set, &resolvers, &question->bench, &problems);
	if (!r)
		return 0;
	(void)fault(&f, r, PH_EXIT_IMPOSSIBLE, "the policies cannot be used%s%s",
		    r == -EINVAL ? "; see porthold check" : ": ", r == -EINVAL ? "" : strerror(-r));
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

	if (!question->subject.pid || labels_pass(&labels))
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

static int find_matching(struct question *question)
{
	question->matching = calloc(question->set.n + PH_LABEL_MAX, sizeof(*question->matching));
	if (!question->matching)
		return -ENOMEM;
	question->labelled = !question->outside && find_labelled(question);
	if (question->labelled)
		return 0;
	for (size_t i = 0; !question->outside && i < question->set.n; i++) {
		struct matching *matching = &question->matching[question->n_matching];
		int fit = subject_fits(&question->subject, question->subject.comm,
				       &question->set.policies[i], &matching->condition);

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

/* What the enforcing policies say together; of layers there is a bit for each. */
struct verdict {
	size_t judges; /* how many there are */
	size_t sure; /* how many of them certainly match */
	unsigned asked, granting; /* layers */
	unsigned sure_asked, sure_granting; /* by those that certainly match */
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

static bool surely_allows(const struct verdict *verdict)
{
	return !(verdict->sure_asked & ~verdict->sure_granting);
}

static const char *verdict_name(size_t judges, bool allows)
{
	return !judges ? "not confined" : allows ? "allow" : "deny";
}

static void add_grant(struct verdict *verdict, const struct matching *matching,
		      const struct ph_policy *policy, const struct ph_answer *answer)
{
	unsigned layer = 1u << matching->layer;

	if (!matching->condition)
		verdict->sure_granting |= layer;
	verdict->granting |= layer;
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
	verdict->sure += !matching->condition;
	verdict->asked |= layer;
	if (!matching->condition)
		verdict->sure_asked |= layer;
	if (answer->allows) {
		add_grant(verdict, matching, policy, answer);
		return;
	}
	if (verdict->refusing || verdict->granting & layer)
		return;
	verdict->refusing = policy;
	verdict->refusing_layer = matching->layer;
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

static json_t *audit_json(const struct ph_policy *policy, const struct ph_answer *answer)
{
	json_t *object = policy_json(policy);

	set(object, "verdict", json_string(answer->allows ? "allow" : "deny"));
	return object;
}

/* The verdict holds if all conditions do; what holds if none does is said where it differs. */
static void set_verdict(json_t *object, const struct question *question,
			const struct verdict *verdict, const struct ph_flow_spec *flow)
{
	const char *name = verdict_name(verdict->judges, allows(verdict));
	const char *otherwise = verdict_name(verdict->sure, surely_allows(verdict));
	cleanup_free char *missing = NULL;

	set(object, "verdict", json_string(name));
	if (strcmp(name, otherwise))
		set(object, "otherwise", json_string(otherwise));
	if (!verdict->judges) {
		set(object, "reason",
		    json_string(question->outside ? "the process is not covered" :
						    "no enforcing policy matches"));
		return;
	}
	set(object, "door", json_string(door_name(verdict->door)));
	if (allows(verdict)) {
		set_policy(object, verdict->allowing);
		set_rule(object, "rule", verdict->rule);
		set(object, "reason",
		    json_string(verdict->rule ? "a rule covers it" :
						"it passes under every policy"));
		return;
	}
	set(object, "reason", json_string("no rule covers it"));
	if (verdict->allowing && verdict->refusing)
		set_policy(object, verdict->refusing);
	if (!flow_rule(flow, &missing))
		set(object, "missing_rule", missing ? json_string(missing) : json_null());
}

/* One flow: 0 with the verdict added, or an error of bench_ask(). */
static int explain_flow(const struct question *question, const struct ph_flow_spec *flow,
			json_t *list, bool *denied)
{
	cleanup_(json_decrefp) json_t *object = json_object(), *audit = json_array();
	cleanup_free char *text = NULL;
	struct verdict verdict = {};

	for (size_t i = 0; i < question->n_matching; i++) {
		const struct matching *matching = &question->matching[i];
		const struct ph_policy *policy = &question->set.policies[matching->position];
		struct ph_answer answer;
		int r = bench_ask(&question->bench, matching->position, flow, &answer);

		if (r)
			return r;
		if (policy->mode == PH_POLICY_ENFORCE)
			add_answer(&verdict, matching, policy, &answer);
		else
			(void)json_array_append_new(audit, audit_json(policy, &answer));
	}
	if (flow_format(flow, &text))
		return -ENOMEM;
	set(object, "flow", json_string(text));
	set_verdict(object, question, &verdict, flow);
	(void)json_object_set(object, "audit", audit);
	(void)json_array_append(list, object);
	*denied |= verdict.judges && !allows(&verdict);
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

/* --- Text */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* NAME (FILE:LINE) */
static void print_policy(const json_t *object)
{
	(void)printf("%s (%s:%lld)", text_of(object, "policy"), text_of(object, "file"),
		     (long long)json_integer_value(json_object_get(object, "line")));
}

/* A further layer is what a confined process took on itself: it narrows what the others grant. */
static void print_layer(json_int_t layer)
{
	if (layer == PH_LAYER_CGROUP)
		(void)printf(", a layer of its own by the cgroup that it went to");
	else if (layer == PH_LAYER_UID)
		(void)printf(", a layer of its own by the uid that it took");
	else if (layer)
		(void)printf(", layer %lld: it took that on itself", (long long)layer);
}

static void print_subject(const json_t *facts)
{
	const json_t *subject = json_object_get(facts, "subject"), *object;
	const json_t *policies = json_object_get(facts, "policies");
	json_int_t pid = json_integer_value(json_object_get(subject, "pid"));
	size_t i;

	if (pid)
		(void)printf("process %lld, ", (long long)pid);
	(void)printf("%s", text_of(subject, "comm"));
	if (*text_of(subject, "exe"))
		(void)printf(" (%s)", text_of(subject, "exe"));
	if (*text_of(facts, "covers_only"))
		(void)printf(": it is outside of the cgroup %s, and nothing else is covered\n",
			     text_of(facts, "covers_only"));
	else
		(void)printf(": %s\n", json_array_size(policies) ? "these policies match" :
								   "no policy matches");
	json_array_foreach(policies, i, object) {
		(void)printf("  ");
		print_policy(object);
		(void)printf(", %s", text_of(object, "mode"));
		if (*text_of(object, "if"))
			(void)printf(", if %s", text_of(object, "if"));
		print_layer(json_integer_value(json_object_get(object, "layer")));
		(void)putchar('\n');
	}
	json_array_foreach(json_object_get(facts, "threads"), i, object) {
		(void)printf("  thread %lld, %s, alone: ",
			     (long long)json_integer_value(json_object_get(object, "tid")),
			     text_of(object, "comm"));
		print_policy(object);
		(void)putchar('\n');
	}
	if (pid && !json_is_true(json_object_get(facts, "labelled")))
		(void)printf("  (by what it is now; what holds it was not asked of the kernel)\n");
}

static void print_allowed(const json_t *flow)
{
	(void)printf("  policy ");
	print_policy(flow);
	if (!*text_of(flow, "rule"))
		(void)printf(": %s\n", text_of(flow, "reason"));
	else if (*text_of(flow, "keyword"))
		(void)printf(": %s, which means %s\n", text_of(flow, "keyword"),
			     text_of(flow, "rule"));
	else
		(void)printf(": %s\n", text_of(flow, "rule"));
}

/* What a rule grants besides what was asked about. */
static const char *remark_of(const char *rule)
{
	if (!strncmp(rule, "bind tcp", strlen("bind tcp")))
		return " (to listen there, too; no rule grants a client's own port alone)";
	if (!strncmp(rule, "bind udp", strlen("bind udp")))
		return " (to send from there to anybody, too; with from, to these peers alone)";
	return "";
}

static void print_flow(const json_t *flow)
{
	const char *verdict = text_of(flow, "verdict"), *missing = text_of(flow, "missing_rule");
	json_t *object;
	size_t i;

	(void)printf("\n%s: %s\n", text_of(flow, "flow"), verdict);
	if (!strcmp(verdict, "allow")) {
		print_allowed(flow);
	} else {
		(void)printf("  %s", text_of(flow, "reason"));
		if (*text_of(flow, "policy")) {
			(void)printf(" in policy ");
			print_policy(flow);
			(void)printf(", which has to grant it as well");
		}
		(void)putchar('\n');
	}
	if (*text_of(flow, "door"))
		(void)printf("  decided at the door %s\n", text_of(flow, "door"));
	if (*text_of(flow, "otherwise"))
		(void)printf("  where no condition holds: %s\n", text_of(flow, "otherwise"));
	if (!strcmp(verdict, "deny"))
		(void)printf("  to allow it, add: %s%s\n",
			     *missing ? missing : "a rule that names udp", remark_of(missing));
	json_array_foreach(json_object_get(flow, "audit"), i, object) {
		(void)printf("  audit policy ");
		print_policy(object);
		(void)printf(" would %s\n", text_of(object, "verdict"));
	}
}

static void print_facts(const json_t *facts, bool json)
{
	json_t *flow;
	size_t i;

	if (json) {
		(void)json_dumpf(facts, stdout, JSON_INDENT(2));
		(void)putchar('\n');
		return;
	}
	print_subject(facts);
	json_array_foreach(json_object_get(facts, "flows"), i, flow)
		print_flow(flow);
}

/* --- The verb */

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
	(void)json_object_set(facts, "flows", flows);
	print_facts(facts, json);
	return denied ? PH_EXIT_NO : PH_EXIT_OK;
}

static int explain(const struct request *request, char **words)
{
	cleanup_(question_donep) struct question question = {};
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
	struct request request = { .resolvers = RESOLV_CONF };
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = explain(&request, argv + optind);
	free(request.paths);
	return r;
}
