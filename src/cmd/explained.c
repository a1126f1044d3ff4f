// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/explained.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernel/doors.h"

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

/* What its process has not. False: it is not known to be a layer of its own. */
static bool print_thread(const json_t *thread)
{
	json_int_t layer = json_integer_value(json_object_get(thread, "layer"));

	(void)printf("  thread %lld, %s",
		     (long long)json_integer_value(json_object_get(thread, "tid")),
		     text_of(thread, "comm"));
	if (json_is_true(json_object_get(thread, "overfull"))) {
		(void)printf(": " PH_OVERFULL_MEANING ": it is refused everything\n");
		return false;
	}
	(void)printf(", %s: ", layer ? "besides" : "alone");
	print_policy(thread);
	print_layer(layer);
	(void)putchar('\n');
	return layer;
}

static void print_threads(const json_t *facts)
{
	const json_t *thread;
	bool layers = false;
	size_t i;

	json_array_foreach(json_object_get(facts, "threads"), i, thread)
		layers |= print_thread(thread);
	if (layers)
		(void)printf("  (the verdicts are those of the process: what a thread has besides, "
			     "its own calls need as well)\n");
}

static void print_basis(const char *basis)
{
	static const struct {
		const char *basis, *what;
	} words[] = {
		{ "unasked", "what holds it was not asked of the kernel" },
		{ "nothing", "nothing is in force" },
		{ "files", "of what these files say, the kernel holds it to nothing" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(basis, words[i].basis))
			(void)printf("  (by what it is now; %s)\n", words[i].what);
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
	if (json_is_true(json_object_get(facts, "outside")))
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
	if (!pid && json_array_size(policies) && *text_of(facts, "covers_only"))
		(void)printf("  of processes in the cgroup %s alone: nothing else is covered\n",
			     text_of(facts, "covers_only"));
	print_threads(facts);
	print_basis(text_of(facts, "basis"));
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

static void print_denied(const json_t *flow)
{
	(void)printf("  %s", text_of(flow, "reason"));
	if (*text_of(flow, "policy")) {
		(void)printf(" in policy ");
		print_policy(flow);
		(void)printf(", which has to grant it as well");
	}
	(void)putchar('\n');
}

/* What each condition would make of it, and what comes where none holds. */
static void print_cases(const json_t *flow)
{
	const json_t *object;
	size_t i;

	json_array_foreach(json_object_get(flow, "cases"), i, object) {
		(void)printf("  %s, if %s: policy ", text_of(object, "verdict"),
			     text_of(object, "if"));
		print_policy(object);
		if (*text_of(object, "rule"))
			(void)printf(": %s", text_of(object, "rule"));
		(void)putchar('\n');
	}
	if (*text_of(flow, "otherwise"))
		(void)printf("  where no condition holds: %s\n", text_of(flow, "otherwise"));
}

static void print_missing(const json_t *flow, bool depends)
{
	const char *missing = text_of(flow, "missing_rule");

	if (json_object_get(flow, "missing_rule"))
		(void)printf("  to allow it%s, add: %s%s\n", depends ? " in every case" : "",
			     *missing ? missing : "a rule that names udp", remark_of(missing));
}

static void print_flow(const json_t *flow)
{
	const char *verdict = text_of(flow, "verdict");
	bool depends = !strcmp(verdict, "depends");
	json_t *object;
	size_t i;

	(void)printf("\n%s: %s\n", text_of(flow, "flow"),
		     depends ? "it depends on what is not known" : verdict);
	if (!strcmp(verdict, "allow"))
		print_allowed(flow);
	else if (!depends)
		print_denied(flow);
	if (*text_of(flow, "door"))
		(void)printf("  decided at the door %s\n", text_of(flow, "door"));
	print_cases(flow);
	print_missing(flow, depends);
	json_array_foreach(json_object_get(flow, "audit"), i, object) {
		(void)printf("  audit policy ");
		print_policy(object);
		(void)printf(" would %s\n", text_of(object, "verdict"));
	}
}

void explained_print(const json_t *facts)
{
	json_t *flow;
	size_t i;

	print_subject(facts);
	json_array_foreach(json_object_get(facts, "flows"), i, flow)
		print_flow(flow);
}
