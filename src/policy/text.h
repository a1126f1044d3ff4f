/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_TEXT_H
#define PH_TEXT_H
/*
 * Reading words out of a line, and wording what is wrong with them.
 *
 * A scanner walks over text that needs no NUL and may hold any bytes. Blanks are space and tab.
 * What a message quotes from the text is cut to a bearable length and holds no control character.
 */
#include "policy/rule.h"

struct ph_scanner {
	const char *text;
	size_t len;
	size_t pos;
	struct ph_text_error *error;
};

struct ph_word {
	const char *text; /* inside the scanner's text; no NUL behind it */
	size_t len;
	size_t offset;
};

/* Skips blanks, then takes what stands before the next blank or end; len 0 at the end. */
struct ph_word scanner_word(struct ph_scanner *scanner);
/* The same, and a comma ends it too. */
struct ph_word scanner_item(struct ph_scanner *scanner);
/* Skips blanks and then, if one is next, a comma. */
bool scanner_comma(struct ph_scanner *scanner);
/* Skips blanks; whether nothing is left. */
bool scanner_at_end(struct ph_scanner *scanner);

bool word_is(const struct ph_word *word, const char *text);
bool word_is_number(const struct ph_word *word); /* one digit or more, and nothing else */

/* The number, or limit + 1 if it is larger than limit. */
uint64_t word_number(const struct ph_word *word, uint64_t limit);

/* The one of the NULL-ended list that word is a likely misspelling of, or NULL. */
const char *word_nearest(const struct ph_word *word, const char *const *list);

/*
 * First what is wrong and where, then what would be right, which returns -EINVAL:
 *	text_wrong(scanner, word.offset, "%s is not a port", quote(&word).text);
 *	return text_right(scanner, "write a number from 1 to 65535");
 */
void text_wrong(struct ph_scanner *scanner, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int text_right(struct ph_scanner *scanner, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The word in single quotes, fit to be shown. */
struct ph_quote {
	char text[100];
};
struct ph_quote quote(const struct ph_word *word);
/* Without the quotes. */
struct ph_quote quote_bare(const struct ph_word *word);

/*
 * Decodes one character; returns its bytes, or 0 where the text is not UTF-8 (overlong forms,
 * surrogates and what lies past U+10FFFF are not).
 */
size_t utf8_decode(const char *text, size_t len, uint32_t *ret);
size_t utf8_count(const char *text, size_t len); /* characters; a stray byte counts as one */

/* Line breaks, controls of both kinds, and marks that reorder or hide text on a terminal. */
bool is_control(uint32_t character);

/* Tells one text from another, but not against somebody who wants them alike. */
uint64_t text_hash(const char *text);

#endif
