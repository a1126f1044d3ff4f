// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "util/clock.h"

#define FIRST_AFTER 1000 /* ms */
#define EVERY 200

uint64_t progress_now(void)
{
	return clock_now(CLOCK_MONOTONIC) / 1000000;
}

void progress_show(struct ph_progress *progress, size_t done)
{
	uint64_t now;

	if (!progress || !progress->total)
		return;
	now = progress_now();
	if (now - progress->started < FIRST_AFTER || now - progress->shown < EVERY ||
	    !isatty(STDERR_FILENO))
		return;
	progress->shown = now;
	(void)fprintf(stderr, "\r\033[Kporthold: %s: %zu %%", progress->what,
		      (progress->before + done) * 100 / progress->total);
}

void progress_end(const struct ph_progress *progress)
{
	if (progress->shown)
		(void)fputs("\r\033[K", stderr);
}
