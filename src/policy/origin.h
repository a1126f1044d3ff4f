/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_ORIGIN_H
#define PH_ORIGIN_H
/*
 * Where `apply` has read what it installed, kept in /var/lib/porthold/origins.json: which file
 * (`origin`), what it said, and where the copy went. The same file again is a new form of it and takes
 * the place of its copy; another one of the same name, or a copy that somebody has edited, does not.
 */
#include "policy/store.h"

#define PH_ORIGINS PH_STATE_DIR "/origins.json"

struct json_t;

struct ph_origins {
	struct json_t *list;
	const char *lost; /* why nothing is known: "is not there", "is damaged"; NULL: it is */
	bool damaged;
};

void origins_done(struct ph_origins *origins);

/* What is not there, or is no list, is not known. 0, or -errno: it cannot be read at this moment. */
int origins_read(struct ph_origins *ret);

/*
 * Whether the file at `path`, with this text, is what was read from `origin`, and nobody wrote in it
 * since. *ret_other, if it is not NULL, gets the file that it was read from instead, if that is known.
 */
bool origins_know(const struct ph_origins *origins, const char *path, const char *text,
		  const char *origin, const char **ret_other);

#define PH_BAD_ORIGINS PH_ORIGINS ".bad" /* a damaged list, for whoever wants to know */

/*
 * Notes the edits that were read somewhere, and those that change nothing. Until the files are in
 * their place, what they replace is known as well. 0 or -errno.
 */
int origins_note(struct ph_origins *origins, const struct ph_edits *edits,
		 const struct ph_edits *unchanged);

/* porthold itself changes the file: it still comes from there. 0 or -errno. */
int origins_carry(const char *path, const char *old, const char *text);

#endif
