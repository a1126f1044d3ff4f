// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/mark.h"

#include <inttypes.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/text.h"
#include "util/cleanup.h"
#include "util/file.h"

#define FIRST_LINE "porthold: 1"
#define MARK_SIZE 128

static void write_mark(const char *rest, char ret[MARK_SIZE])
{
	(void)snprintf(ret, MARK_SIZE,
		       FIRST_LINE " # written by porthold (%016" PRIx64
				  "); once you edit it, it is yours\n",
		       text_hash(rest));
}

/* What stands behind the first line. */
static const char *rest_of(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : text + strlen(text);
}

int mark_text(const char *text, char **ret)
{
	const char *rest = rest_of(text);
	char mark[MARK_SIZE];

	write_mark(rest, mark);
	return asprintf(ret, "%s%s", mark, rest) < 0 ? -ENOMEM : 0;
}

bool mark_fits(const char *text)
{
	const char *rest = rest_of(text);
	char mark[MARK_SIZE];

	write_mark(rest, mark);
	return (size_t)(rest - text) == strlen(mark) && !strncmp(text, mark, strlen(mark));
}

int mark_fits_file(const char *path)
{
	cleanup_free char *text = NULL;
	size_t length;
	int r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);

	return r ? r : strlen(text) == length && mark_fits(text);
}
