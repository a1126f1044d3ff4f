// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/health.h"

#include "apply.h"
#include "canary.h"
#include "util/cleanup.h"

void health_check(const void *nothing, FILE *answer)
{
	enum ph_health_result result = PH_HEALTH_BUSY;
	struct ph_canary canary = {};
	char failed[1024] = "";
	struct ph_fault f = {};
	cleanup_close int lock = apply_lock(&f);

	if (lock >= 0) {
		canary_run(NULL, &canary);
		result = canary_ok(&canary) ? PH_HEALTH_WELL : PH_HEALTH_ILL;
		canary_text(&canary, failed, sizeof(failed));
		/* The alarm is about what was found. */
		if (result == PH_HEALTH_ILL)
			canary_put_right();
	}
	(void)fwrite(&result, sizeof(result), 1, answer);
	(void)fputs(failed, answer);
}
