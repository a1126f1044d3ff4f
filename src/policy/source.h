/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SOURCE_H
#define PH_SOURCE_H
/*
 * The text of a policy file, and problems at places in it.
 *
 * Invariant after source_check(): the text is UTF-8, in lines of bearable length that end in LF or
 * CR LF, without other control characters than tab; no line begins with the mark of an anchor,
 * alias, tag or directive. What reads the text then takes time and memory in proportion to it.
 */
#include <stdint.h>

#include "policy/problem.h"
#include "policy/text.h"

struct ph_source {
	const char *name;
	const char *text;
	size_t len;
	struct ph_problems *problems;
};

/* What is said about the marks of YAML that a policy file must not hold. */
extern const char ph_no_anchors[], ph_no_aliases[], ph_no_tags[], ph_quote_marks[];

/* A place in the text: a byte, and the line and column that it is in, in characters from 1. */
struct ph_place {
	size_t offset;
	unsigned line, column;
};

/* 0, -EINVAL with the first problem noted, or -ENOMEM. A byte order mark of UTF-8 is cut off. */
int source_check(struct ph_source *source);

/* Notes an error at the place, or of the file as a whole if place is NULL. 0 or -ENOMEM. */
int source_error(struct ph_source *source, const struct ph_place *place, const char *message,
		 const char *remedy);
int source_text_error(struct ph_source *source, const struct ph_place *place,
		      const struct ph_text_error *error);

/*
 * Moves the place to a line and column: to the end of the line or of the text at the most. The work
 * is the way between, so a place that follows the reading costs nothing to keep.
 */
void source_move(const struct ph_source *source, struct ph_place *place, unsigned line,
		 unsigned column);

#endif
