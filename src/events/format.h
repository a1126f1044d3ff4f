/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FORMAT_H
#define PH_FORMAT_H
/*
 * A record as a line of text, and as JSON. Both hold valid UTF-8 and no line break; no control
 * character either, but for colours where they are asked for.
 */
#include <jansson.h>
#include <stdbool.h>

#include "events/record.h"

enum ph_record_text {
	PH_TEXT_TIME = 1 << 0, /* begins with it */
	PH_TEXT_COLOURS = 1 << 1, /* for a terminal: the verdict's */
};

/* `how` is of enum ph_record_text. *ret is the caller's to free. 0 or -ENOMEM. */
int record_text(const struct ph_record *record, unsigned how, char **ret);

/* NULL: out of memory. */
json_t *record_json(const struct ph_record *record);

/* "deny" or "audit": what became of the call. */
const char *record_verdict(const struct ph_record *record);
/* "enforce" or "audit": the mode that the policy had. */
const char *record_mode(const struct ph_record *record);

/* A process name as valid UTF-8: a byte that is none becomes U+FFFD. The caller's; NULL: no memory. */
char *comm_text(const __u8 comm[PH_COMM_LEN]);

#define PH_ENDPOINT_SIZE 64
/* "127.0.0.1:80" or "[::1]:80". */
const char *endpoint_text(const struct ph_address *address, unsigned port,
			  char ret[PH_ENDPOINT_SIZE]);
const char *address_text(const struct ph_address *address, char ret[PH_ENDPOINT_SIZE]);

#endif
