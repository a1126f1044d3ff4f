/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_DENIALS_H
#define PH_DENIALS_H
/*
 * Denials, told as the settings say for as long as the daemon runs.
 */
#include <systemd/sd-event.h>

#include "daemon/settings.h"
#include "events/log.h"
#include "kernel/load.h"

struct ph_denials {
	struct ph_kernel kernel; /* the log borrows its maps */
	struct ph_eventlog *log; /* NULL: not open, as nothing was ever put in force */
	struct ph_sinks {
		bool journal, text;
		char *json; /* path; NULL: none */
	} sinks;
	FILE *json;
	sd_event_source *io, *timer;
	struct ph_eventlog_counts before; /* of logs that are closed */
};

#define PH_DENIALS_NULL                   \
	{                                 \
		.kernel = PH_KERNEL_NULL, \
	}

/* Tells what is still to be told. */
void denials_close(struct ph_denials *denials);

/*
 * Opens the log if it is not open, and anew if the maps were replaced or the settings want it told
 * elsewhere. *denials must stay where it is. What fails is said.
 */
void denials_follow(struct ph_denials *denials, sd_event *event,
		    const struct ph_settings *settings);

/* What was read, told and lost since the daemon began. */
void denials_counts(const struct ph_denials *denials, struct ph_eventlog_counts *ret);

#endif
