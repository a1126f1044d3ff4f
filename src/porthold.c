// SPDX-License-Identifier: GPL-2.0-or-later
/* The verb table and nothing else. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/help.h"
#include "probe/probe.h"

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
	{ "selftest", cmd_selftest, "[--door NAME]", "try every way out on this host, harmlessly" },
	{ "daemon", cmd_daemon, "[--config FILE]", "keep the policy files in force, tell denials" },
	{ "stop", cmd_stop, "", "end enforcement and remove every trace from the kernel" },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int help(FILE *to)
{
	(void)fprintf(to, "porthold holds a process to its port.\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		(void)fprintf(to, "  porthold %-8s %-20s %s\n", verbs[i].name, verbs[i].arguments,
			      verbs[i].what);
	(void)fprintf(to, "\nporthold VERB --help says which options a verb takes.\n"
			  "\nExit status: 0 yes or done, 1 no, 2 usage, 3 not possible here,\n"
			  "4 refused (weaker than asked, or a lock-out), 5 the canary failed.\n");
	return PH_EXIT_OK;
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc > 1 && !strcmp(argv[1], PROBE_ATTEMPT_VERB))
		return probe_attempt_main(argc, argv);
	if (argc < 2) {
		(void)help(stderr);
		return PH_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(stdout);
	if (!strcmp(argv[1], "--version")) {
		(void)printf("porthold %s\n", PH_VERSION);
		return PH_EXIT_OK;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		(void)fprintf(stderr, "porthold: no verb is called %s; see porthold --help\n",
			      argv[1]);
		return PH_EXIT_USAGE;
	}
	if (argc > 2 && !strcmp(argv[2], "--help") && help_print(verb->name, verb->what))
		return PH_EXIT_OK;
	return verb->run(argc - 1, argv + 1);
}
