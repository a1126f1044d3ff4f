// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading words out of a line, and wording what is wrong with them (text.h has the contract).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/text.h"

#define QUOTE_CHARACTERS_MAX 48

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct ph_scanner *scanner)
{
	while (scanner->pos < scanner->len && is_blank(scanner->text[scanner->pos]))
		scanner->pos++;
}

static struct ph_word take_word(struct ph_scanner *scanner, bool comma_ends)
{
	struct ph_word word;

	skip_blanks(scanner);
	word.offset = scanner->pos;
	word.text = scanner->text + scanner->pos;
	while (scanner->pos < scanner->len && !is_blank(scanner->text[scanner->pos]) &&
	       !(comma_ends && scanner->text[scanner->pos] == ','))
		scanner->pos++;
	word.len = scanner->pos - word.offset;
	return word;
}

struct ph_word scanner_word(struct ph_scanner *scanner)
{
	return take_word(scanner, false);
}

struct ph_word scanner_item(struct ph_scanner *scanner)
{
	return take_word(scanner, true);
}

bool scanner_comma(struct ph_scanner *scanner)
{
	skip_blanks(scanner);
	if (scanner->pos == scanner->len || scanner->text[scanner->pos] != ',')
		return false;
	scanner->pos++;
	return true;
}

bool scanner_at_end(struct ph_scanner *scanner)
{
	skip_blanks(scanner);
	return scanner->pos == scanner->len;
}

bool word_is(const struct ph_word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->text, text, word->len) == 0;
}

bool word_is_number(const struct ph_word *word)
{
	for (size_t i = 0; i < word->len; i++)
		if (word->text[i] < '0' || word->text[i] > '9')
			return false;
	return word->len > 0;
}

uint64_t word_number(const struct ph_word *word, uint64_t limit)
{
	uint64_t number = 0;

	for (size_t i = 0; i < word->len; i++) {
		number = number * 10 + (uint64_t)(word->text[i] - '0');
		if (number > limit)
			return limit + 1;
	}
	return number;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Letters to insert, drop, change or swap with their neighbour; capitals do not count. */
static size_t distance(const struct ph_word *word, const char *other)
{
	enum {
		MAX = 16
	};
	size_t n = strlen(other), d[MAX + 1][MAX + 1];

	if (word->len > MAX || n > MAX)
		return MAX;
	for (size_t i = 0; i <= word->len; i++) {
		for (size_t k = 0; k <= n; k++) {
			size_t best, change;

			if (i == 0 || k == 0) {
				d[i][k] = i + k;
				continue;
			}
			change = lower(word->text[i - 1]) != other[k - 1];
			best = d[i - 1][k - 1] + change;
			if (d[i - 1][k] + 1 < best)
				best = d[i - 1][k] + 1;
			if (d[i][k - 1] + 1 < best)
				best = d[i][k - 1] + 1;
			if (i > 1 && k > 1 && lower(word->text[i - 1]) == other[k - 2] &&
			    lower(word->text[i - 2]) == other[k - 1] && d[i - 2][k - 2] + 1 < best)
				best = d[i - 2][k - 2] + 1;
			d[i][k] = best;
		}
	}
	return d[word->len][n];
}

const char *word_nearest(const struct ph_word *word, const char *const *list)
{
	const char *nearest = NULL;
	size_t least = 3;

	for (; *list; list++) {
		size_t n = distance(word, *list);

		if (n < least && n * 2 < strlen(*list)) {
			least = n;
			nearest = *list;
		}
	}
	return nearest;
}

void text_wrong(struct ph_scanner *scanner, size_t offset, const char *format, ...)
{
	struct ph_text_error *error = scanner->error;
	va_list args;

	error->offset = offset;
	error->column = 1 + (unsigned)utf8_count(scanner->text, offset);
	error->remedy[0] = '\0';
	va_start(args, format);
	(void)vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
}

int text_right(struct ph_scanner *scanner, const char *format, ...)
{
	struct ph_text_error *error = scanner->error;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error->remedy, sizeof(error->remedy), format, args);
	va_end(args);
	return -EINVAL;
}

struct ph_quote quote_bare(const struct ph_word *word)
{
	struct ph_quote shown;
	size_t used = 0, from = 0, characters = 0;

	while (from < word->len) {
		uint32_t character;
		size_t n = utf8_decode(word->text + from, word->len - from, &character);

		/* 4 bytes for a character, "..." and the closing quote and NUL of quote() */
		if (characters++ == QUOTE_CHARACTERS_MAX || used + 4 + 3 + 3 > sizeof(shown.text)) {
			memcpy(shown.text + used, "...", 3);
			used += 3;
			break;
		}
		if (n == 0 || is_control(character)) {
			shown.text[used++] = '?';
			from += n ? n : 1;
			continue;
		}
		memcpy(shown.text + used, word->text + from, n);
		used += n;
		from += n;
	}
	shown.text[used] = '\0';
	return shown;
}

struct ph_quote quote(const struct ph_word *word)
{
	struct ph_quote bare = quote_bare(word), shown;

	(void)snprintf(shown.text, sizeof(shown.text), "'%.*s'", (int)sizeof(shown.text) - 3,
		       bare.text);
	return shown;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t character;
	size_t n;

	if (len == 0)
		return 0;
	if (bytes[0] < 0x80) {
		*ret = bytes[0];
		return 1;
	}
	n = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
	if (bytes[0] < 0xc0 || bytes[0] > 0xf7 || n > len)
		return 0;
	character = bytes[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	if (character < least[n] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret = character;
	return n;
}

size_t utf8_count(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; count++) {
		uint32_t character;
		size_t n = utf8_decode(text + i, len - i, &character);

		i += n ? n : 1;
	}
	return count;
}

bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character <= 0x9f) ||
	       (character >= 0x200e && character <= 0x200f) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

uint64_t text_hash(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}
