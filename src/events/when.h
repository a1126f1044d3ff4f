/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_WHEN_H
#define PH_WHEN_H
/*
 * Points in time as people write them: "10m" (ago; s, m, h, d, w), "boot", "now",
 * "2026-11-23", "2026-11-23T10:00", "2026-11-23T10:00:30", each with or without a Z at the end:
 * UTC, else the time zone of the caller. A blank may stand for the T.
 */
#include <stdint.h>

#include "policy/rule.h"

/* *ret is boot time, ns; 0 for what was before the boot. 0, or -EINVAL with *error filled. */
int when_parse(const char *text, uint64_t *ret, struct ph_text_error *error);

#define PH_WHEN_SIZE 32

/* Boot time as wall-clock time in UTC: "2026-11-23T10:00:30.123Z". */
const char *when_format(uint64_t boot, char ret[PH_WHEN_SIZE]);

#endif
