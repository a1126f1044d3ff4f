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
#include "cmd/facts.h"
#include "cmd/question.h"
#include "policy/name.h"
#include "policy/paths.h"
#include "policy/resolve.h"
#include "policy/store.h"
#include "policy/text.h"
#include "presence.h"
#include "trial.h"
#include "util/cleanup.h"
#include "util/stream.h"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_script, script_done);

struct request {
	const char *name, *exe, *pid, *resolvers;
	const char **paths; /* of policies */
	size_t n_paths;
	bool json;
};

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
	else if (ret->ended)
		(void)fprintf(stderr,
			      "porthold explain: process %ld: it has ended, and waits for its "
			      "parent to take note (a zombie)\n",
			      pid);
	return r || ret->ended ? PH_EXIT_IMPOSSIBLE : 0;
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

/* What the programs in force see, and whether the process is outside of it. */
static void look_at_cover(struct question *question)
{
	const struct ph_cover *cover = &question->cover;
	pid_t pid = question->subject.pid;

	cover_recorded(&question->cover);
	question->outside = pid && *cover->path && !cover_has_process(cover, pid);
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
		r = facts_add_flow(question, &flow, list, denied);
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
	cleanup_(json_decrefp) json_t *facts = NULL, *flows = json_array();
	bool denied = false;
	int r = explain_flows(question, text, flows, &denied);

	if (r)
		return r;
	facts = facts_of(question, flows);
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
	if (!request->n_paths)
		look_at_cover(&question);
	if (!r && (!text || question_match(&question)))
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
