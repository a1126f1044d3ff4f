/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FORMAT_H
#define PH_FORMAT_H
/* An event as a line of text, and as JSON. Strings are the caller's to free; NULL: out of memory. */
#include <jansson.h>

#include "kernel/load.h"

char *event_text(const struct ph_event *event, const json_t *sources);
json_t *event_json(const struct ph_event *event, const json_t *sources);

/* The rule that would have allowed it, in the grammar of policy files; NULL: none could. */
char *event_rule(const struct ph_event *event);

#endif
