// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/help.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 8

struct option_help {
	const char *option; /* with its value */
	const char *what;
};

struct verb_help {
	const char *verb;
	const char *arguments;
	const struct option_help *shared; /* options of several verbs; NULL: none */
	struct option_help options[OPTIONS_MAX]; /* its own */
	const char *no; /* what exit status 1 means; NULL: never given */
	const char *example;
};

static const struct option_help apply_options[] = {
	{ "--backend auto|best|lsm|cgroup", "auto: lsm, or nothing" },
	{ "--attach PATH", "the cgroup to cover (default: all)" },
	{ "--accept-degraded DOOR,...", "lsm on a kernel that cannot close these doors" },
	{},
};

#define JSON                                      \
	{                                         \
		"--json", "as JSON, for programs" \
	}
#define RESOLVERS                                                                     \
	{                                                                             \
		"--resolvers FILE", "what dns means here (default: /etc/resolv.conf)" \
	}

#define EXISTING                                                              \
	{                                                                     \
		"--existing report|keep|kill",                                \
			"open sockets that are refused now (default: report)" \
	}
#define FORCE                                                                \
	{                                                                    \
		"--force", "also a file that people have written, or edited" \
	}
#define PERMANENT                                                              \
	{                                                                      \
		"--permanent", "into /etc/porthold/policy.d, not until reboot" \
	}
#define ENABLE                                                             \
	{                                                                  \
		"--enable", "and start porthold at boot, if it is not yet" \
	}

static const struct verb_help helps[] = {
	{
		.verb = "allow",
		.arguments = "[OPTION...] [PORTS] NAME",
		.shared = apply_options,
		.options = {
			{ "--in-cgroup PATH", "only processes below this cgroup" },
			{ "--children confine|leave",
			  "what the process executes (default: confine)" },
			EXISTING,
			PERMANENT,
			ENABLE,
			FORCE,
		},
		.no = "another file has a policy of this name, or people wrote this one's",
		.example = "sudo porthold allow 4040,8080-8090 myprocess",
	},
	{
		.verb = "remove",
		.arguments = "[OPTION...] NAME",
		.shared = apply_options,
		.options = { FORCE },
		.no = "allow made no policy of this name, or people have edited it",
		.example = "sudo porthold remove myprocess",
	},
	{
		.verb = "apply",
		.arguments = "[OPTION...] [PATH...]",
		.shared = apply_options,
		.options = {
			{ "--dry-run", "say what would change, and change nothing" },
			EXISTING,
			{ "--confirm SECONDS",
			  "take it back after that time, unless porthold confirm comes first" },
			{ "--force", "replace files of other origin; with --confirm: lock-outs too" },
			PERMANENT,
			ENABLE,
			JSON,
		},
		.no = "a policy file is wrong, or would replace another; nothing changes",
		.example = "sudo porthold apply --confirm 60 web.yaml database.yaml",
	},
	{
		.verb = "confirm",
		.arguments = "",
		.no = "nothing waits to be confirmed, or the time was up",
		.example = "sudo porthold confirm",
	},
	{
		.verb = "mode",
		.arguments = "[OPTION...] NAME audit|enforce",
		.shared = apply_options,
		.options = { EXISTING, FORCE },
		.no = "no policy has this name, or its file must be changed by hand",
		.example = "sudo porthold mode web audit",
	},
	{
		.verb = "check",
		.arguments = "[OPTION...] PATH...",
		.options = {
			{ "--elsewhere", "for another machine: not whether all is here" },
			RESOLVERS,
			JSON,
		},
		.no = "a file is wrong, or an expectation does not hold",
		.example = "porthold check /etc/porthold/policy.d",
	},
	{
		.verb = "explain",
		.arguments = "[OPTION...] (--name NAME | --exe PATH | --pid PID) FLOW[, FLOW...]",
		.options = {
			{ "--name NAME", "a process of this name" },
			{ "--exe PATH", "a process that executes this file" },
			{ "--pid PID", "this process" },
			{ "--policy PATH", "these policies, not the installed; repeatable" },
			RESOLVERS,
			JSON,
		},
		.no = "a flow is denied, or may be; or a policy file is wrong or not there",
		.example = "porthold explain --name web connect tcp 10.0.0.1:22, listen tcp 80",
	},
	{
		.verb = "status",
		.arguments = "[OPTION...]",
		.options = {
			{ "--check", "let the canary try the doors now" },
			JSON,
		},
		.no = "no policy is in force, or the files are not what is",
		.example = "sudo porthold status",
	},
	{
		.verb = "events",
		.arguments = "[OPTION...]",
		.options = {
			{ "--follow, -f", "wait for more" },
			{ "--since T", "only what is newer: 10m, 2h, or 2026-01-31T12:00:00Z" },
			{ "--until T", "only what is older" },
			{ "--unique", "the same denial once, with how often and when" },
			JSON,
		},
		.no = "nothing is in force",
		.example = "sudo porthold events --follow",
	},
	{
		.verb = "learn",
		.arguments = "[OPTION...] (--name NAME | --policy POLICY)",
		.shared = apply_options,
		.options = {
			{ "--name NAME", "the processes of this name; prints a policy for them" },
			{ "--policy POLICY", "whom this policy confines; which rules they need" },
			{ "--for T", "watch for so long: 30s, 10m, 1h, 2d (default: until Ctrl-C)" },
			{ "--addresses exact|net|any",
			  "in rules: hosts, /24 and /64, or none (default: exact)" },
			JSON,
		},
		.no = "nothing was seen",
		.example = "sudo porthold learn --name myprocess --for 10m > myprocess.yaml",
	},
	{
		.verb = "doctor",
		.arguments = "[OPTION...]",
		.options = { JSON },
		.no = "lsm with every door closed that it can close is not to be had; the remedies are printed",
		.example = "sudo porthold doctor",
	},
	{
		.verb = "run",
		.arguments = "[OPTION...] (PORTS | POLICY) -- CMD [ARGUMENT...]",
		.shared = apply_options,
		.options = { { "--keep-caps", "leave CMD what could get it around the policy" } },
		.no = "no policy of this name is in force",
		.example = "sudo porthold run 4040 -- python3 -m http.server 4040",
	},
	{
		.verb = "selftest",
		.arguments = "[OPTION...]",
		.shared = apply_options,
		.options = {
			{ "--door DOOR", "only this door" },
			JSON,
		},
		.no = "a door that is promised to be closed is open",
		.example = "sudo porthold selftest",
	},
	{
		.verb = "daemon",
		.arguments = "[--config FILE | --reload]",
		.options = {
			{ "--config FILE", "the settings (default: /etc/porthold/porthold.yaml)" },
			{ "--reload", "let the daemon that runs read everything anew; what came of it" },
		},
		.no = "the settings are wrong, or at a reload a policy file is",
		.example = "sudo porthold daemon",
	},
	{
		.verb = "stop",
		.arguments = "",
		.example = "sudo porthold stop",
	},
};

static void print_options(const struct option_help *option)
{
	for (; option && option->option; option++)
		(void)printf("  %-32s %s\n", option->option, option->what);
}

static void print_help(const struct verb_help *help, const char *what)
{
	static const struct option_help help_option[] = { { "--help", "this" }, {} };

	(void)printf("usage: porthold %s%s%s\n\n%s\n\n", help->verb, *help->arguments ? " " : "",
		     help->arguments, what);
	print_options(help->shared);
	print_options(help->options);
	print_options(help_option);
	(void)printf("\nExit status: 0 yes or done");
	if (help->no)
		(void)printf("; 1 %s", help->no);
	(void)printf(";\n2 usage; 3 not possible here; 4 refused (weaker than asked, or a "
		     "lock-out); 5 the canary failed.\n"
		     "Example: %s\nMore: man porthold\n",
		     help->example);
}

bool help_print(const char *verb, const char *what)
{
	for (size_t i = 0; i < sizeof(helps) / sizeof(helps[0]); i++) {
		if (strcmp(helps[i].verb, verb))
			continue;
		print_help(&helps[i], what);
		return true;
	}
	return false;
}
