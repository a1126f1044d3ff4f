/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_JSON_H
#define PH_JSON_H
/* JSON that is read from files, and written to them. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

/* The object is the caller's. 0, -EBADMSG, or -ENOMEM, by which nothing is known of the text. */
static inline int json_from_text(const char *text, size_t length, json_t **ret)
{
	errno = 0;
	*ret = json_loadb(text, length, 0, NULL);
	if (errno != ENOMEM)
		return *ret ? 0 : -EBADMSG;
	/* What there is may lack some of it. */
	json_decref(*ret);
	*ret = NULL;
	return -ENOMEM;
}

/*
 * As one line, or, with `flags` of json_dumps(), several; to be freed, and NULL for want of memory: jansson leaves out
 * what finds none, and goes on.
 */
static inline char *json_to_text(const json_t *value, size_t flags)
{
	char *text;

	errno = 0;
	text = json_dumps(value, flags);
	if (errno != ENOMEM)
		return text;
	free(text);
	return NULL;
}

#endif
