/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_MARK_H
#define PH_MARK_H
/*
 * Whose a policy file is. What porthold writes carries a mark in its first line, with a hash of the
 * rest: as long as that fits, nobody else has written in it, and it may be replaced or removed. A file
 * without, or one that was edited since, is a person's.
 */
#include <stdbool.h>

/* The text, a policy file as print.h makes it or a marked one that was changed, with its mark. */
int mark_text(const char *text, char **ret); /* 0 or -ENOMEM */

bool mark_fits(const char *text);

/* The same of a file: 1, 0; -ENOENT; another -errno: it cannot be read. */
int mark_fits_file(const char *path);

#endif
