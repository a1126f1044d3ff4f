/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SOURCES_H
#define PH_SOURCES_H
/*
 * Which policy an id means, and where it was written: kept under /run/porthold for events and
 * counters that outlive the policy.
 */
#include "kernel/compile.h"

struct ph_source {
	char name[PH_POLICY_NAME_MAX + 1];
	char file[512];
	unsigned line;
};

/* Adds the image's policies to the table. 0 or -errno. */
int sources_write(const struct ph_image *image);

/* Forgets them all. */
void sources_remove(void);

typedef struct json_t json_t;

/* The table, to be released with json_decref(); NULL: there is none. */
json_t *sources_read(void);

/* What the table says of an id; false: nothing, and *ret says so. */
bool sources_find(const json_t *sources, uint64_t id, struct ph_source *ret);

#endif
