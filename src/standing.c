// SPDX-License-Identifier: GPL-2.0-or-later
#include "standing.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "kernel/generation.h"
#include "policy/problem.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

void standing_done(struct ph_standing *standing)
{
	kernel_close(&standing->kernel);
	image_done(&standing->image);
}

static enum ph_standing_state compare(const struct ph_policy_set *set, struct ph_standing *standing)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	struct ph_fault f = {};

	if (policies_compile(set, &standing->image, NULL, &ignored, &f))
		return PH_STANDING_UNKNOWN;
	return standing->image.header.hash == standing->header.hash ? PH_STANDING_IN_FORCE :
								      PH_STANDING_OTHER;
}

void standing_find(const struct ph_policy_set *set, struct ph_standing *ret)
{
	struct ph_fault f = {};
	/* What others than root do not see may be there. */
	int r = geteuid() ? -EPERM : kernel_open(&ret->kernel, &f);

	if (!r)
		r = generation_current(&ret->kernel, &ret->header);
	if (!r)
		ret->state = compare(set, ret);
	else
		ret->state = r == -ENOENT ? PH_STANDING_NOTHING : PH_STANDING_UNKNOWN;
}
