// SPDX-License-Identifier: GPL-2.0-or-later
/* confirm: what apply --confirm has put in force stays. */
#include <stdio.h>

#include "cmd/change.h"
#include "trial.h"
#include "util/cleanup.h"

/* What was on trial is kept by now, whatever has been told of what came after. */
static int tell_unfinished(int status, const struct ph_applied *applied)
{
	if (outcome_in_force(applied->outcome))
		return status;
	(void)fprintf(stderr,
		      "porthold: confirmed, but that much could not be done; porthold apply "
		      "does the rest\n");
	return PH_EXIT_IMPOSSIBLE;
}

int cmd_confirm(int argc, char **argv)
{
	const struct ph_edits no_edits = {};
	struct ph_apply_options options = {};
	struct ph_applied applied = {};
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int r;

	if (argc != 1)
		return usage_error("confirm", "unexpected argument %s", argv[1]);
	r = require_root("confirm");
	if (r)
		return r;
	lock = apply_lock_only(&f);
	if (lock < 0 || trial_confirm(&f))
		return report_failure(NULL, &f);
	/* The same policies again: no new generation, but what apply does in the end. */
	options.force = true;
	r = apply_edits(&no_edits, PH_BAD_FILES_WARN, &options, &applied, NULL);
	if (r)
		return tell_unfinished(r, &applied);
	(void)printf("Confirmed. ");
	print_applied(&applied);
	return PH_VERB_CHANGED;
}
