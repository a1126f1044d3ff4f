// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "daemon/daemon.h"
#include "daemon/outcome.h"
#include "daemon/settings.h"
#include "daemon/single.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define ANSWER_SECONDS 240 /* less than systemd gives a reload */
#define ANSWER_PAUSE_NS (50 * 1000 * 1000)

DEFINE_CLEANUP_DONE(struct ph_outcome, outcome_done);

struct request {
	const char *settings;
	bool reload;
};

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "reload", no_argument, NULL, 'r' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("daemon");
		if (option == 'c')
			request->settings = optarg;
		else
			request->reload = true;
	}
	if (optind != argc)
		return usage_error("daemon", "unexpected argument %s", argv[optind]);
	if (request->reload && request->settings)
		return usage_error("daemon", "--reload takes the settings that the daemon was "
					     "started with: leave out --config");
	return 0;
}

/* --- --reload */

/* What began before it was asked for answers somebody else. */
static bool is_answered(uint64_t asked, struct ph_outcome *ret)
{
	cleanup_(outcome_donep) struct ph_outcome outcome = {};

	if (outcome_read(&outcome) || outcome.began < asked)
		return false;
	*ret = outcome;
	outcome = (struct ph_outcome){};
	return true;
}

/* Whether it answers before it ends, or time is up. */
static bool wait_for_answer(pid_t daemon, uint64_t asked, struct ph_outcome *ret)
{
	const struct timespec pause = { .tv_nsec = ANSWER_PAUSE_NS };

	while (!is_answered(asked, ret)) {
		if (single_pid() != daemon || boot_now() > asked + ANSWER_SECONDS * PH_SECOND)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static int reload(void)
{
	cleanup_(outcome_donep) struct ph_outcome outcome = {};
	uint64_t asked = boot_now();
	pid_t daemon = single_pid();

	if (!daemon || kill(daemon, SIGHUP)) {
		(void)fprintf(stderr, "porthold daemon: none runs; porthold apply puts the policy "
				      "files in force\n");
		return PH_EXIT_IMPOSSIBLE;
	}
	if (!wait_for_answer(daemon, asked, &outcome)) {
		(void)fprintf(stderr,
			      "porthold daemon: process %d has not said what came of it; see its "
			      "log\n",
			      (int)daemon);
		return PH_EXIT_IMPOSSIBLE;
	}
	(void)fputs(outcome.text, stderr);
	return outcome.status;
}

int cmd_daemon(int argc, char **argv)
{
	struct request request = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("daemon");
	if (r)
		return r;
	if (request.reload)
		return reload();
	return daemon_run(request.settings ? request.settings : PH_SETTINGS_PATH, request.settings);
}
