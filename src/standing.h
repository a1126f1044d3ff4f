/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_STANDING_H
#define PH_STANDING_H
/*
 * How a set of policies stands to what is in force: for who tells what the set means, and must not pass
 * for telling what holds.
 */
#include "kernel/compile.h"
#include "kernel/load.h"

enum ph_standing_state {
	PH_STANDING_UNKNOWN, /* nobody may look, or asks */
	PH_STANDING_NOTHING, /* nothing is in force */
	PH_STANDING_OTHER, /* something else is */
	PH_STANDING_IN_FORCE, /* the set is: the rest is filled */
};

struct ph_standing {
	enum ph_standing_state state;
	struct ph_kernel kernel;
	struct ph_header header;
	struct ph_image image;
};

#define PH_STANDING_NULL                  \
	{                                 \
		.kernel = PH_KERNEL_NULL, \
	}

void standing_done(struct ph_standing *standing);

/* Of the set as files say it; *ret is PH_STANDING_NULL before. Wants no lock. */
void standing_find(const struct ph_policy_set *set, struct ph_standing *ret);

#endif
