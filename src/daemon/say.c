// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "util/cleanup.h"
#include "util/clock.h"

/* Whether standard error is what $JOURNAL_STREAM says: it may have been redirected since. */
static bool journal_reads(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(2, &st) &&
	       st.st_dev == device && st.st_ino == inode;
}

static void say_line(int priority, const char *line, size_t length)
{
	if (journal_reads())
		(void)fprintf(stderr, "<%d>%.*s\n", priority, (int)length, line);
	else
		(void)fprintf(stderr, "porthold: %.*s\n", (int)length, line);
}

void say_lines(int priority, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		if (length)
			say_line(priority, text, length);
		text += length + (text[length] == '\n');
	}
}

/* NULL: no memory. */
static char *__attribute__((format(printf, 1, 0)))
format_text(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

void say(int priority, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	if (text)
		say_lines(priority, text);
}

void say_status(const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	if (text)
		(void)sd_notifyf(false, "STATUS=%s", text);
}

void say_ready(void)
{
	(void)sd_notify(false, "READY=1");
}

void say_reloading(void)
{
	(void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			 clock_now(CLOCK_MONOTONIC) / 1000);
}

void say_stopping(void)
{
	(void)sd_notify(false, "STOPPING=1");
}
