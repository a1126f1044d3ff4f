// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/when.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "policy/text.h"
#include "util/clock.h"

#define AGO_MAX 1000000u /* of any unit */

static int wrong(const char *text, struct ph_text_error *error)
{
	struct ph_scanner scanner = { .text = text, .len = strlen(text), .error = error };
	struct ph_word word = { .text = text, .len = scanner.len };

	text_wrong(&scanner, 0, "%s is not a point in time", quote(&word).text);
	return text_right(&scanner, "write 10m, 2h, 1d, boot, or 2026-11-23T10:00");
}

static uint64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 60 * 60;
	case 'd':
		return 24 * 60 * 60;
	case 'w':
		return 7 * 24 * 60 * 60;
	default:
		return 0;
	}
}

/* "10m": that long ago. */
static bool parse_ago(const char *text, uint64_t *ret)
{
	struct ph_word number = { .text = text, .len = strlen(text) };
	uint64_t count, seconds, now = boot_now();

	if (number.len < 2)
		return false;
	seconds = unit_seconds(text[--number.len]);
	if (!seconds || !word_is_number(&number))
		return false;
	count = word_number(&number, AGO_MAX);
	if (count > AGO_MAX)
		return false;
	count *= seconds * PH_SECOND;
	*ret = now > count ? now - count : 0;
	return true;
}

/* mktime() would take the 31st of February for a day in March. */
static bool is_on_calendar(const struct tm *asked, const struct tm *made)
{
	return asked->tm_year == made->tm_year && asked->tm_mon == made->tm_mon &&
	       asked->tm_mday == made->tm_mday;
}

static bool parse_date(const char *text, uint64_t *ret)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
					       "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm parts = { .tm_isdst = -1 }, asked;
		const char *end = strptime(text, formats[i], &parts);
		time_t seconds;

		if (!end || (*end && strcmp(end, "Z")))
			continue;
		asked = parts;
		seconds = *end ? timegm(&parts) : mktime(&parts);
		if (!is_on_calendar(&asked, &parts))
			return false;
		*ret = seconds > 0 ? wall_to_boot((uint64_t)seconds * PH_SECOND) : 0;
		return true;
	}
	return false;
}

int when_parse(const char *text, uint64_t *ret, struct ph_text_error *error)
{
	if (!strcmp(text, "boot"))
		*ret = 0;
	else if (!strcmp(text, "now"))
		*ret = boot_now();
	else if (!parse_ago(text, ret) && !parse_date(text, ret))
		return wrong(text, error);
	return 0;
}

const char *when_format(uint64_t boot, char ret[PH_WHEN_SIZE])
{
	uint64_t wall = boot_to_wall(boot);
	time_t seconds = (time_t)(wall / PH_SECOND);
	size_t length;
	struct tm parts;

	(void)gmtime_r(&seconds, &parts);
	length = strftime(ret, PH_WHEN_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(ret + length, PH_WHEN_SIZE - length, ".%03uZ",
		       (unsigned)(wall % PH_SECOND / 1000000));
	return ret;
}
