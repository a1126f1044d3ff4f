/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PROGRESS_H
#define PH_PROGRESS_H
/*
 * How far something long has come: one line on standard error, if that is a terminal, once it has
 * taken more than a second, or at once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ph_progress {
	const char *what;
	size_t total;
	size_t before; /* done in parts that are over */
	uint64_t shown; /* when it was, in ms; 0: never */
	uint64_t started;
};

#define PROGRESS_OF(text)                                 \
	{                                                 \
		.what = (text), .started = progress_now() \
	}

/* For steps that may each take long: the line is there from the start. */
#define PROGRESS_AT_ONCE(text) \
	{                      \
		.what = (text) \
	}

uint64_t progress_now(void);

/* `done` of the present part. Does nothing on NULL. */
void progress_show(struct ph_progress *progress, size_t done);

/* Clears the line. */
void progress_end(const struct ph_progress *progress);

#endif
