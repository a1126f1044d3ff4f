/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_JSON_H
#define PH_JSON_H
/* JSON that was read from a file. */
#include <errno.h>
#include <jansson.h>

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

#endif
