// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/health.h"

#include <syslog.h>

#include "apply.h"
#include "canary.h"
#include "daemon/say.h"
#include "expected.h"
#include "guard.h"
#include "kernel/generation.h"
#include "kernel/labels.h"
#include "kernel/programs.h"
#include "trial.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_expected, expected_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

/*
 * Upgrades put other files in the place of programs, and other links: of these nobody tells the kernel
 * but we. What runs already by a link that led elsewhere is confined from here on.
 */
static void tell_programs(const struct ph_policy_set *set, struct ph_image *image)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	cleanup_(problems_donep) struct ph_problems withheld = {};
	struct ph_header header;
	struct ph_fault f = {};
	struct ph_moved moved;
	size_t missing;
	int r;

	if (!image->n_programs || kernel_open(&kernel, &(struct ph_fault){}) ||
	    generation_current(&kernel, &header) || header.hash != image->header.hash)
		return;
	if (guard_check(set, PH_GUARD_FORCED, &(struct ph_edits){}, image, &withheld, &f)) {
		say(LOG_WARNING, "the programs at their paths are not looked at: %s", f.text);
		return;
	}
	for (size_t i = 0; i < withheld.n; i++)
		say(LOG_WARNING, "%s", withheld.v[i].message);
	r = programs_moved(&kernel, image, header.slot, &moved);
	/* A failure is seen by status, which asks the same. */
	if (programs_tell(&kernel, image, header.slot, &missing) || r || !moved.links)
		return;
	for (int pass = 0; pass < 2; pass++) {
		cleanup_(labels_donep) struct ph_labels labels = {};

		(void)labels_pass(&labels);
	}
}

/* What cannot be known of the files is no fault of what is in force. */
static void find_expected(struct ph_expected *ret)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header header;
	struct ph_fault f = {};

	if (!kernel_open(&kernel, &f) && !generation_current(&kernel, &header))
		(void)expected_find(&header, ret, &f);
}

static enum ph_health_result examine(char *failed, size_t size)
{
	cleanup_(expected_donep) struct ph_expected expected = {};
	struct ph_canary canary = {};

	find_expected(&expected);
	if (expected.known)
		tell_programs(&expected.set, &expected.image);
	canary_run(expected.known ? &expected.image : NULL, &canary);
	canary_text(&canary, failed, size);
	if (canary.news.labels)
		say(LOG_WARNING,
		    "DEGRADED: labels may have been missed, as the kernel did not run a program that "
		    "keeps them (%llu times): all were made anew",
		    (unsigned long long)canary.news.labels);
	if (!canary_ok(&canary))
		return PH_HEALTH_ILL;
	return expected.files == PH_FILES_APPLIED ? PH_HEALTH_WELL : PH_HEALTH_CHANGED;
}

void health_check(const void *nothing, FILE *answer)
{
	enum ph_health_result result = PH_HEALTH_BUSY;
	char failed[1024] = "";
	struct ph_fault f = {};
	cleanup_close int lock = apply_lock_only(&f);

	if (lock >= 0)
		result = trial_settle(&f) ? PH_HEALTH_TRIAL : examine(failed, sizeof(failed));
	/* The alarm is about what was found. */
	if (result == PH_HEALTH_ILL)
		canary_put_right();
	(void)fwrite(&result, sizeof(result), 1, answer);
	(void)fputs(result == PH_HEALTH_BUSY ? f.text : failed, answer);
}
