/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SOURCES_H
#define PH_SOURCES_H
/*
 * Which policy an id means, and where it was written: a table under /run/porthold, so that events
 * of older generations still say where the policy stood that they are of.
 *
 * The file is a struct ph_sources_head, its versions sorted by id, and then the strings. It is
 * replaced as a whole and read as it lies. A version of a policy that is no longer in force stays
 * for a generation, and while an event in the slots refers to it, so that is the bound of its size.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "kernel/compile.h"
#include "kernel/load.h"

/* What the table says of a policy; the strings live until the table is refreshed or closed. */
struct ph_origin {
	const char *name;
	const char *file; /* "": it stands in no file */
	unsigned line;
};

struct ph_sources {
	const struct ph_sources_head *head; /* mapped; NULL: there is no table */
	size_t size;
	ino_t inode; /* of the file, which is not used again while it is mapped */
};

#define PH_SOURCES_PATH "/run/porthold/sources"

/* Takes the table as it is now, if it has changed. */
void sources_refresh(struct ph_sources *sources, const char *path);
void sources_close(struct ph_sources *sources);

/*
 * The policy as it stood under the generation; of one that is newer than the table, as it stood
 * last. False: nothing is known of the id.
 */
bool sources_find(const struct ph_sources *sources, uint64_t id, uint64_t generation,
		  struct ph_origin *ret);

/* That an event is told of this policy under this generation. */
struct ph_reference {
	uint64_t policy;
	uint64_t generation;
};

/*
 * Adds the image's policies as those of the generation. The references are sorted by policy and
 * generation. 0 or -errno.
 */
int sources_write(const char *path, const struct ph_image *image, uint64_t generation,
		  const struct ph_reference *references, size_t n);

/* The same at PH_SOURCES_PATH, with the references of the events in the slots. */
int sources_keep(const struct ph_kernel *kernel, const struct ph_image *image, uint64_t generation);

/* Whether something that is in force stands in this file, as far as PH_SOURCES_PATH says. */
bool sources_hold(const char *file);

/* Forgets them all. */
int sources_remove(void);

#endif
