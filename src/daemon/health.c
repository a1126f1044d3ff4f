// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/health.h"

#include "apply.h"
#include "canary.h"
#include "expected.h"
#include "kernel/generation.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_expected, expected_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

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
	canary_run(expected.known ? &expected.image : NULL, &canary);
	canary_text(&canary, failed, size);
	if (!canary_ok(&canary))
		return PH_HEALTH_ILL;
	return expected.files == PH_FILES_APPLIED ? PH_HEALTH_WELL : PH_HEALTH_CHANGED;
}

void health_check(const void *nothing, FILE *answer)
{
	enum ph_health_result result = PH_HEALTH_BUSY;
	char failed[1024] = "";
	struct ph_fault f = {};
	cleanup_close int lock = apply_lock(&f);

	if (lock >= 0)
		result = examine(failed, sizeof(failed));
	/* The alarm is about what was found. */
	if (result == PH_HEALTH_ILL)
		canary_put_right();
	(void)fwrite(&result, sizeof(result), 1, answer);
	(void)fputs(failed, answer);
}
