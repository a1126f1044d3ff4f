// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "daemon/daemon.h"
#include "daemon/settings.h"

int cmd_daemon(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, {} };
	const char *settings = NULL;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("daemon");
		settings = optarg;
	}
	if (optind != argc)
		return usage_error("daemon", "takes no arguments");
	r = require_root("daemon");
	if (r)
		return r;
	return daemon_run(settings ? settings : PH_SETTINGS_PATH, settings);
}
