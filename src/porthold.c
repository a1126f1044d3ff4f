// SPDX-License-Identifier: GPL-2.0-or-later
/* The verb table and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/help.h"
#include "policy/text.h"
#include "probe/probe.h"

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *what;
} verbs[] = {
	{ "allow", cmd_allow, "[PORTS] NAME", "hold the process NAME to TCP PORTS (default 4040)" },
	{ "remove", cmd_remove, "NAME", "drop what allow made" },
	{ "apply", cmd_apply, "[PATH...]", "install policy files; put in force all that are" },
	{ "confirm", cmd_confirm, "", "keep what apply --confirm made" },
	{ "mode", cmd_mode, "NAME audit|enforce", "switch one policy, whatever file it is in" },
	{ "check", cmd_check, "PATH...", "are these policy files right, and do their tests hold?" },
	{ "explain", cmd_explain, "--name N FLOW...", "may N do this, and why?" },
	{ "status", cmd_status, "[--json]", "what is in force, whom it confines, what it refused" },
	{ "events", cmd_events, "[--follow] [--json]",
	  "what was refused, and the rule that would allow it" },
	{ "learn", cmd_learn, "--name N [--for T]",
	  "what N does, as a policy that allows just that" },
	{ "doctor", cmd_doctor, "[--json]", "what this kernel and this boot offer" },
	{ "run", cmd_run, "PORTS|POLICY -- CMD",
	  "execute CMD confined from its first instruction" },
	{ "selftest", cmd_selftest, "[--door DOOR]", "try every way out on this host, harmlessly" },
	{ "daemon", cmd_daemon, "[--config FILE]", "keep the policy files in force, tell denials" },
	{ "stop", cmd_stop, "", "end enforcement and remove every trace from the kernel" },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int help(FILE *to)
{
	(void)fprintf(to, "porthold holds a process to its port.\n\n");
	for (size_t i = 0; i < VERBS; i++)
		(void)fprintf(to, "  porthold %-8s %-20s %s\n", verbs[i].name, verbs[i].arguments,
			      verbs[i].what);
	(void)fprintf(to, "\nporthold VERB --help says which options a verb takes.\n"
			  "\nExit status: 0 yes or done, 1 no, 2 usage, 3 not possible here,\n"
			  "4 refused (weaker than asked, or a lock-out), 5 the canary failed.\n");
	return PH_EXIT_OK;
}

static int unknown_verb(const char *name)
{
	const struct ph_word word = { .text = name, .len = strlen(name) };
	const char *names[VERBS + 1] = {};
	const char *nearest;

	for (size_t i = 0; i < VERBS; i++)
		names[i] = verbs[i].name;
	nearest = word_nearest(&word, names);
	(void)fprintf(stderr, "porthold: no verb is called %s; ", quote_bare(&word).text);
	if (nearest)
		(void)fprintf(stderr, "did you mean %s?\n", nearest);
	else
		(void)fprintf(stderr, "see porthold --help\n");
	return PH_EXIT_USAGE;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static bool is_version(const char *word)
{
	return !strcmp(word, "--version") || !strcmp(word, "-V") || !strcmp(word, "version");
}

/* Behind -- stands somebody else's command. */
static bool asks_for_help(char **words)
{
	for (; *words && strcmp(*words, "--"); words++)
		if (is_help(*words))
			return true;
	return false;
}

/* --- Whether the answer is whole */

static bool memory_was_short; /* for a part of what is told */

/* Answers are put together as JSON, a part after the other: one that found no room would be missing. */
static void *take_memory(size_t size)
{
	void *memory = malloc(size);

	memory_was_short |= !memory;
	return memory;
}

/* What is worse than that stays the exit status. */
static int complain(int status, bool changed, const char *what, const char *why)
{
	(void)fprintf(stderr, "porthold: %s%s%s%s\n", changed ? "it is done, but " : "", what,
		      *why ? ": " : "", why);
	return status > PH_EXIT_USAGE ? status : PH_EXIT_IMPOSSIBLE;
}

/* An answer that nobody could read is none, but what it would have told is done all the same. */
static int end_output(int status)
{
	bool failed = ferror(stdout), changed = status == PH_VERB_CHANGED;

	errno = 0;
	failed |= fclose(stdout) != 0;
	if (changed)
		status = PH_EXIT_OK;
	if (failed)
		return complain(status, changed, "the output cannot be written",
				errno ? strerror(errno) : "");
	if (memory_was_short)
		return complain(status, changed, "memory was short, and the answer is not whole",
				"");
	return status;
}

/*
 * A file that is opened later must not be taken for an output that was closed: what is written there
 * fails, as it would without.
 */
static void fill_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDONLY);
}

static int run(int argc, char **argv)
{
	const struct verb *verb;
	char title[32];
	bool wants_help;

	if (argc < 2) {
		(void)help(stderr);
		return PH_EXIT_USAGE;
	}
	wants_help = is_help(argv[1]) || !strcmp(argv[1], "help");
	if (wants_help && argc == 2)
		return help(stdout);
	if (is_version(argv[1])) {
		(void)printf("porthold %s\n", PH_VERSION);
		return PH_EXIT_OK;
	}
	verb = find_verb(argv[1 + wants_help]);
	if (!verb)
		return unknown_verb(argv[1 + wants_help]);
	if ((wants_help || asks_for_help(argv + 2)) && help_print(verb->name, verb->what))
		return PH_EXIT_OK;
	(void)snprintf(title, sizeof(title), "porthold %s", verb->name);
	argv[1] = title; /* getopt_long() begins its complaints with it */
	/* What the daemon tells is not an answer to whoever ends it. */
	if (verb->run != cmd_daemon)
		json_set_alloc_funcs(take_memory, free);
	return verb->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	fill_standard_files();
	if (argc > 1 && !strcmp(argv[1], PROBE_ATTEMPT_VERB))
		return probe_attempt_main(argc, argv);
	return end_output(run(argc, argv));
}
