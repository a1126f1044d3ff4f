/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_WRITERS_H
#define PH_WRITERS_H
/*
 * Who besides root may say what lies at a path: by writing the file, or by putting another in its
 * place, in any of the directories on the way there, also by way of links. By owners and modes, as they
 * are at this moment.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum ph_writers {
	PH_WRITERS_NONE,
	PH_WRITERS_OWNER,
	PH_WRITERS_GROUP,
	PH_WRITERS_ALL,
};

struct ph_writer {
	enum ph_writers who;
	unsigned id; /* of the owner or the group */
	char path[PATH_MAX]; /* what they may write */
};

/* By its owner, and if that is root, by its mode. */
enum ph_writers writers_of(const struct stat *st);

/*
 * Of an absolute path; false: root alone, as far as can be seen. In a sticky directory on the way nobody
 * takes away what root has there. In the last one it counts for nothing: whoever may write there has
 * the name as soon as it is free.
 */
bool writers_find(const char *path, struct ph_writer *ret);

/* "uid 1000, who owns /d", "group 20, which may write /d", "everybody, who may write /d" */
void writer_text(const struct ph_writer *writer, char *ret, size_t size);

#endif
