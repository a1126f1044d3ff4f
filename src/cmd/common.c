// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "confined.h"
#include "policy/text.h"
#include "util/cleanup.h"

int usage_error(const char *verb, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "porthold %s: ", verb);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "; see porthold %s --help\n", verb);
	return PH_EXIT_USAGE;
}

int option_error(const char *verb)
{
	(void)fprintf(stderr, "porthold %s: see porthold %s --help\n", verb, verb);
	return PH_EXIT_USAGE;
}

int no_memory(const char *verb)
{
	(void)fprintf(stderr, "porthold %s: out of memory\n", verb);
	return PH_EXIT_IMPOSSIBLE;
}

static int take_backend(const char *verb, struct ph_apply_options *options, const char *value)
{
	static const char *const names[] = {
		[PH_CHOICE_AUTO] = "auto",
		[PH_CHOICE_BEST] = "best",
		[PH_CHOICE_LSM] = "lsm",
		[PH_CHOICE_CGROUP] = "cgroup",
	};

	for (unsigned i = PH_CHOICE_AUTO; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->backend = i;
		return 0;
	}
	return usage_error(verb, "--backend %s: no such backend: auto, best, lsm or cgroup", value);
}

static int take_existing(const char *verb, struct ph_apply_options *options, const char *value)
{
	static const char *const names[] = {
		[PH_EXISTING_REPORT] = "report",
		[PH_EXISTING_KEEP] = "keep",
		[PH_EXISTING_KILL] = "kill",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->existing = i;
		return 0;
	}
	return usage_error(verb, "--existing %s: report, keep or kill", value);
}

int take_apply_option(const char *verb, struct ph_apply_options *options, int option,
		      const char *value)
{
	switch (option) {
	case PH_OPTION_BACKEND:
		return take_backend(verb, options, value);
	case PH_OPTION_ATTACH:
		options->attach = value;
		return 0;
	case PH_OPTION_EXISTING:
		return take_existing(verb, options, value);
	case PH_OPTION_FORCE:
		options->replace = true;
		return 0;
	default:
		options->accept = value;
		return 0;
	}
}

int take_apply_options(const char *verb, int argc, char **argv, const char *order,
		       const struct option *options, struct ph_apply_options *ret)
{
	int option, r;

	while ((option = getopt_long(argc, argv, order, options, NULL)) != -1) {
		r = option == '?' ? option_error(verb) :
				    take_apply_option(verb, ret, option, optarg);
		if (r)
			return r;
	}
	return 0;
}

int take_resolvers(const char *verb, const char *value, const char **ret)
{
	struct stat st;

	if (stat(value, &st) || access(value, R_OK))
		return usage_error(verb, "--resolvers %s: %s", value, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return usage_error(verb, "--resolvers %s: it is no file", value);
	*ret = value;
	return 0;
}

int report_failure(const struct ph_problems *problems, const struct ph_fault *f)
{
	cleanup_free char *text = NULL;

	if (problems && problems->n && !problems_format(problems, &text))
		(void)fputs(text, stderr);
	(void)fprintf(stderr, "porthold: %s\n", f->text);
	return f->status;
}

json_t *problem_json(const struct ph_problem *problem)
{
	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s?, s:s?}", "file", problem->file, "line",
			 (int)problem->line, "column", (int)problem->column, "severity",
			 problem->severity == PH_ERROR ? "error" : "warning", "message",
			 problem->message, "remedy", problem->remedy, "source", problem->source);
}

json_t *rules_of_policy_json(const struct ph_policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < policy->n_rules; i++) {
		cleanup_free char *text = NULL;

		if (!rule_format(&policy->rules[i], &text))
			(void)json_array_append_new(list, json_string(text));
	}
	return list;
}

/* Arguments may hold anything; what could move a terminal's cursor is shown as \xXX. */
static void print_plain(const char *text, FILE *to)
{
	(void)fputc('"', to);
	for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
		if (*byte < ' ' || *byte == 0x7f)
			(void)fprintf(to, "\\x%02x", *byte);
		else
			(void)fputc(*byte, to);
	}
	(void)fputc('"', to);
}

int report_text_error(const char *verb, const char *text, const struct ph_text_error *error)
{
	(void)fprintf(stderr, "porthold %s: ", verb);
	print_plain(text, stderr);
	(void)fprintf(stderr, ": %s%s%s\n", error->message, *error->remedy ? "; " : "",
		      error->remedy);
	return PH_EXIT_USAGE;
}

int require_root(const char *verb)
{
	struct ph_fault f = {};

	if (!geteuid() && confined_check(&f)) {
		(void)fprintf(stderr, "porthold %s: %s\n", verb, f.text);
		return f.status;
	}
	if (!geteuid())
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold %s: needs root (CAP_BPF, CAP_NET_ADMIN and more); "
		      "try sudo porthold %s\n",
		      verb, verb);
	return PH_EXIT_IMPOSSIBLE;
}

void print_doors(uint64_t doors)
{
	for (size_t i = 0; i < ph_promises_n; i++)
		if (doors >> i & 1)
			(void)printf("  %-12s %s\n", ph_promises[i].name, ph_promises[i].what);
}

void print_holder(const char *name, long long pid, const char *holds)
{
	(void)printf("  privileged now: %s (%lld): %s\n", name, pid, holds);
}

void print_holders_end(size_t n)
{
	if (n > PH_HOLDERS_SHOWN)
		(void)printf("  and %zu more; porthold status --json\n", n - PH_HOLDERS_SHOWN);
	if (n)
		(void)printf(
			"  what takes it from them: User= and CapabilityBoundingSet= in the unit, "
			"or porthold run\n");
}

static void print_holders(const struct ph_applied *applied)
{
	for (size_t i = 0; i < applied->holders && i < PH_HOLDERS_SHOWN; i++) {
		const struct ph_holder *holder = &applied->holder[i];
		char text[256];

		holder_text(holder, text, sizeof(text));
		print_holder(holder->comm, holder->pid, text);
	}
	print_holders_end(applied->holders);
}

void print_applied(const struct ph_applied *applied)
{
	if (!applied->in_force) {
		(void)printf("No policy is in force; nothing is attached.\n");
		return;
	}
	(void)printf("In force: backend %s, generation %llu%s, %zu process%s confined now.\n",
		     backend_name(applied->backend), (unsigned long long)applied->generation,
		     applied->changed ? "" : " (unchanged)", applied->confined,
		     applied->confined == 1 ? "" : "es");
	if (*applied->attach)
		(void)printf("Covers only %s.\n", applied->attach);
	if (applied->open) {
		(void)printf("Open doors:\n");
		print_doors(applied->open);
	}
	if (applied->accept_idle)
		(void)printf(
			"--accept-degraded changed nothing: it is for the lsm backend, and with "
			"cgroup all of these are accepted.\n");
	print_holders(applied);
}
