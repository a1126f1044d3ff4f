// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of a policy file, and problems at places in it (source.h has the contract).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/source.h"

#define SHOWN_CHARACTERS_MAX 100 /* of a source line */
#define SHOWN_BEFORE_CARET 60

const char ph_no_anchors[] = "policy files have no anchors (&)";
const char ph_no_aliases[] = "policy files have no aliases (*)";
const char ph_no_tags[] = "policy files have no tags (!)";
const char ph_quote_marks[] = "write the text out; put text that begins with &, * or ! in quotes";

static size_t line_start(const struct ph_source *source, size_t offset)
{
	while (offset > 0 && source->text[offset - 1] != '\n')
		offset--;
	return offset;
}

static size_t line_end(const struct ph_source *source, size_t offset)
{
	const char *end = memchr(source->text + offset, '\n', source->len - offset);
	size_t n = end ? (size_t)(end - source->text) : source->len;

	return n > offset && source->text[n - 1] == '\r' ? n - 1 : n;
}

/* The offset n characters on, at most at the end. */
static size_t skip_characters(const struct ph_source *source, size_t offset, size_t end, size_t n)
{
	while (n-- && offset < end) {
		uint32_t character;
		size_t bytes = utf8_decode(source->text + offset, end - offset, &character);

		offset += bytes ? bytes : 1;
	}
	return offset;
}

void source_move(const struct ph_source *source, struct ph_place *place, unsigned line,
		 unsigned column)
{
	size_t moved;

	if (line != place->line || column < place->column) {
		place->offset = line_start(source, place->offset);
		place->column = 1;
	}
	while (place->line > line && place->offset > 0) {
		place->offset = line_start(source, place->offset - 1);
		place->line--;
	}
	while (place->line < line) {
		const char *end =
			memchr(source->text + place->offset, '\n', source->len - place->offset);

		if (!end)
			break;
		place->offset = (size_t)(end - source->text) + 1;
		place->line++;
	}
	moved = place->offset;
	place->offset =
		skip_characters(source, moved, line_end(source, moved), column - place->column);
	place->column += (unsigned)utf8_count(source->text + moved, place->offset - moved);
}

/* The part of the line that is shown; a NUL byte in it would cut it short. */
static void excerpt(const struct ph_source *source, const struct ph_place *place, char *ret,
		    size_t size, unsigned *ret_caret)
{
	size_t start = line_start(source, place->offset), end = line_end(source, place->offset);
	unsigned skipped = 0;
	size_t used = 0;

	if (place->column - 1 > SHOWN_BEFORE_CARET) {
		skipped = place->column - 1 - SHOWN_BEFORE_CARET;
		used = (size_t)snprintf(ret, size, "...");
	}
	start = skip_characters(source, start, end, skipped + used);
	end = skip_characters(source, start, end, SHOWN_CHARACTERS_MAX - used);
	for (; start < end && used < size - 1; start++)
		ret[used++] = source->text[start] ? source->text[start] : '?';
	ret[used] = '\0';
	*ret_caret = place->column - 1 - skipped;
}

int source_error(struct ph_source *source, const struct ph_place *place, const char *message,
		 const char *remedy)
{
	struct ph_problem problem = {
		.severity = PH_ERROR,
		.file = (char *)source->name,
		.message = (char *)message,
		.remedy = (char *)remedy,
	};
	char shown[SHOWN_CHARACTERS_MAX * 4 + 1];

	/* A file full of errors is only counted past the limit. */
	if (place && source->problems->n < PH_PROBLEMS_MAX) {
		problem.line = place->line;
		problem.column = place->column;
		excerpt(source, place, shown, sizeof(shown), &problem.caret);
		problem.source = shown;
	}
	return problems_add(source->problems, &problem);
}

int source_text_error(struct ph_source *source, const struct ph_place *place,
		      const struct ph_text_error *error)
{
	return source_error(source, place, error->message, error->remedy);
}

/* Notes the error and ends the reading. */
static int refuse(struct ph_source *source, size_t offset, unsigned line, const char *message,
		  const char *remedy)
{
	size_t start = line_start(source, offset);
	struct ph_place place = {
		.offset = offset,
		.line = line,
		.column = 1 + (unsigned)utf8_count(source->text + start, offset - start),
	};
	int r = source_error(source, &place, message, remedy);

	return r < 0 ? r : -EINVAL;
}

static int refuse_character(struct ph_source *source, size_t offset, unsigned line,
			    uint32_t character)
{
	char message[64];

	if (character == '\r')
		return refuse(source, offset, line, "a carriage return without a line feed",
			      "end lines with LF or CR LF");
	if (character == 0)
		return refuse(source, offset, line, "a zero byte",
			      "a policy file is plain text: is this the right file?");
	(void)snprintf(message, sizeof(message), "the control character U+%04X", character);
	return refuse(source, offset, line, message, "remove it");
}

/* What a line may not begin with, after blanks. */
static int check_first(struct ph_source *source, size_t offset, unsigned line, bool at_column_1)
{
	char c = source->text[offset];
	char next = offset + 1 < source->len ? source->text[offset + 1] : '\n';

	if ((c == '&' || c == '*') && next != ' ' && next != '\n' && next != '\r')
		return refuse(source, offset, line, c == '&' ? ph_no_anchors : ph_no_aliases,
			      ph_quote_marks);
	if (c == '!')
		return refuse(source, offset, line, ph_no_tags, ph_quote_marks);
	if (c == '%' && at_column_1)
		return refuse(source, offset, line, "policy files have no directives (%)",
			      "leave the line out");
	return 0;
}

static bool begins_with(const struct ph_source *source, const char *bytes, size_t n)
{
	return source->len >= n && memcmp(source->text, bytes, n) == 0;
}

/* The line from *offset on; leaves *offset behind it. */
static int check_line(struct ph_source *source, size_t *offset, unsigned line)
{
	size_t start = *offset, i = start;
	bool blank = true;

	while (i < source->len && source->text[i] != '\n') {
		uint32_t character;
		size_t n = utf8_decode(source->text + i, source->len - i, &character);
		int r;

		if (n == 0)
			return refuse(source, i, line, "this is not UTF-8 text",
				      "save the file as UTF-8");
		if (character == '\r' && i + 1 < source->len && source->text[i + 1] == '\n')
			break;
		if (is_control(character) && character != '\t')
			return refuse_character(source, i, line, character);
		if (blank && character != ' ' && character != '\t') {
			blank = false;
			r = check_first(source, i, line, i == start);
			if (r < 0)
				return r;
		}
		i += n;
		if (i - start > PH_LINE_SIZE_MAX)
			return refuse(source, start, line, "the line is longer than 256 KiB",
				      "break it into several lines or rules");
	}
	while (i < source->len && source->text[i] != '\n')
		i++;
	*offset = i + 1;
	return 0;
}

int source_check(struct ph_source *source)
{
	unsigned line = 1;

	if (source->len > PH_FILE_SIZE_MAX) {
		int r = source_error(source, NULL, "the file is larger than 64 MiB",
				     "split it into several files");

		return r < 0 ? r : -EINVAL;
	}
	if (begins_with(source, "\xff\xfe", 2) || begins_with(source, "\xfe\xff", 2))
		return refuse(source, 0, line, "this is UTF-16 text", "save the file as UTF-8");
	if (begins_with(source, "\xef\xbb\xbf", 3)) {
		source->text += 3;
		source->len -= 3;
	}
	for (size_t offset = 0; offset < source->len; line++) {
		int r = check_line(source, &offset, line);

		if (r < 0)
			return r;
	}
	return 0;
}
