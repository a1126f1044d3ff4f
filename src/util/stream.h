/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_STREAM_H
#define PH_STREAM_H
/*
 * Text of any length, written as to a file:
 *
 *	cleanup_(stream_donep) struct ph_stream stream = {};
 *
 *	if (stream_begin(&stream))
 *		return -ENOMEM;
 *	(void)fprintf(stream.file, …);
 *	return stream_end(&stream, ret);
 *
 * What could not be written for want of memory shows at the end.
 */
#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"

struct ph_stream {
	FILE *file;
	char *text;
	size_t len; /* known when it has ended */
};

static inline void stream_done(struct ph_stream *stream)
{
	if (stream->file)
		(void)fclose(stream->file);
	free(stream->text);
	stream->file = NULL;
	stream->text = NULL;
}

DEFINE_CLEANUP_DONE(struct ph_stream, stream_done);

static inline int stream_begin(struct ph_stream *stream)
{
	stream->file = open_memstream(&stream->text, &stream->len);
	return stream->file ? 0 : -ENOMEM;
}

/* *ret, the text, is the caller's to free. 0 or -ENOMEM. */
static inline int stream_end(struct ph_stream *stream, char **ret)
{
	bool failed = ferror(stream->file);

	failed |= fclose(TAKE_PTR(stream->file)) != 0;
	/* The last of it may have found no room without a word. */
	if (failed || !stream->text)
		return -ENOMEM;
	*ret = TAKE_PTR(stream->text);
	return 0;
}

#endif
