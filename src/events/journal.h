/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_JOURNAL_H
#define PH_JOURNAL_H
/*
 * Records for the systemd journal: a readable MESSAGE, and every field of its own as PORTHOLD_…
 *
 *	journalctl MESSAGE_ID=PH_DENIAL_MESSAGE PORTHOLD_POLICY=web
 */
#include "events/record.h"

#define PH_DENIAL_MESSAGE "83d42e9ef47745a2b302f59b8ed8a96c"
#define PH_LOST_MESSAGE "641479cd1424431e8b208dc75e2e7fb6"

/* 0; -ENOENT: there is no journal; another -errno. */
int journal_record(const struct ph_record *record);

/* That this many denials are told nowhere, and why. */
int journal_lost(uint64_t count, const char *why);

#endif
