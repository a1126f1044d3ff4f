/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SEAL_H
#define PH_SEAL_H
/*
 * A copy that tells whether it is still what was written. Behind the text stands a line with its hash;
 * it keeps out what a disk or an editor does to a copy, and nobody who writes the line anew.
 */
#include <stdbool.h>
#include <stddef.h>

#define PH_SEAL_SIZE 38U /* the line, and the line break before it */

/* The text with its seal, *ret_len bytes in all, the caller's to free. 0 or -ENOMEM. */
int seal_text(const char *text, char **ret, size_t *ret_len);

/* Whether any of it may be a seal, whole or not: builds before there were seals have written none. */
bool seal_is_near(const char *text);

/* Cuts the seal off, and shortens *len by it. 0, or -EINVAL: there is none, or the text is another. */
int seal_open(char *text, size_t *len);

#endif
