/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_LEARNED_H
#define PH_LEARNED_H
/*
 * What `learn` says in the end: a policy for what was seen, or a policy held against it.
 */
#include "cmd/lookout.h"
#include "learn/lesson.h"

struct ph_learned {
	const struct ph_policy *subject; /* who was watched; its name and match are the lesson's */
	bool compare; /* against the subject's own rules */
	enum ph_addresses addresses;
	bool json;
	const struct ph_seen *seen;
	const struct ph_lookout_report *watched;
};

/* The exit status. */
int learned_print(const struct ph_learned *learned);

#endif
