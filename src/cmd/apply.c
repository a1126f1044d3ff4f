// SPDX-License-Identifier: GPL-2.0-or-later
/* apply: puts in force what lies in the two policy directories. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "policy/store.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static int apply_directories(const struct ph_apply_options *options)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_edit nothing = {};
	struct ph_applied applied = {};
	struct ph_fault f = {};
	int r = store_load(NULL, &set, &problems);

	if (r) {
		(void)fault(&f, r, PH_EXIT_NO,
			    "the policy files cannot be read (%s); what was in "
			    "force stays",
			    strerror(-r));
		return report_failure(&problems, &f);
	}
	if (apply_policies(&set, options, &nothing, &applied, &problems, &f))
		return report_failure(&problems, &f);
	(void)store_keep(&problems);
	print_applied(&applied);
	return PH_EXIT_OK;
}

int cmd_apply(int argc, char **argv)
{
	static const struct option options[] = { PH_APPLY_OPTIONS, {} };
	struct ph_apply_options apply = {};
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return usage_error("apply", "unknown option or missing value");
		r = take_apply_option(&apply, option, optarg);
		if (r)
			return r;
	}
	if (optind != argc)
		return usage_error("apply", "takes no arguments: files lie in " PH_ETC_POLICIES
					    " and " PH_RUN_POLICIES);
	r = require_root("apply");
	if (r)
		return r;
	lock = apply_lock(&f);
	return lock < 0 ? report_failure(NULL, &f) : apply_directories(&apply);
}
