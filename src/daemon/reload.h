/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_RELOAD_H
#define PH_RELOAD_H
/*
 * Puts the policy files in force: the job of a worker, so that what it takes (the model of all
 * policies, compiled tables) is given back when it ends.
 */
#include <stdio.h>

#include "apply.h"
#include "daemon/settings.h"

struct ph_reload_order {
	const struct ph_settings *settings;
	bool first; /* at start: of a bad file its last good form counts */
	const char *other; /* a file that is another one for the first process; NULL: none is */
};

/* The answer: this, then text for people, if there is something to say. */
struct ph_reload_report {
	enum ph_exit status;
	enum ph_apply_outcome outcome;
	bool busy; /* somebody else is at work: the same may succeed soon */
	bool locked; /* busy: another porthold is at work, and nothing is on trial */
	bool elsewhere; /* the files are not those that the first process sees */
	bool bad_files; /* some files, or all, count in their last good form, or not at all */
	size_t lost; /* files of which nothing counts, at start */
	bool in_force; /* some generation is, also after a failure */
	bool changed;
	enum ph_backend backend;
	bool degraded; /* doors are open that need not be */
	uint64_t generation;
	uint64_t open; /* doors, bits of ph_promises */
	size_t policies;
	size_t confined; /* processes */
	bool covers_part; /* of the machine */
};

void reload(const void *order, FILE *answer);

#endif
