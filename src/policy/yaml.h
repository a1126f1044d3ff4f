/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_YAML_H
#define PH_YAML_H
/*
 * YAML as a stream of items, over the event parser of libfyaml, which prints nothing.
 *
 * Memory does not grow with the file: libfyaml gets the text in small portions, and only so much of
 * it for one item. (Of an endless quote or bracket it would keep hundreds of bytes for each byte.)
 *
 * What a policy file must not hold (anchors, aliases, tags, blocks of text, a second document, deep
 * nesting) is noted as an error here; the stream goes on behind it where it can, so that the other
 * errors of the file are found too. The source must have passed source_check().
 */
#include "policy/source.h"

struct fy_parser;
struct fy_event;
struct fy_diag;

enum ph_yaml_type {
	PH_YAML_END_OF_TEXT,
	PH_YAML_SCALAR,
	PH_YAML_SEQUENCE, /* its items follow, up to its PH_YAML_END */
	PH_YAML_MAPPING, /* keys and values follow in turn, up to its PH_YAML_END */
	PH_YAML_END,
	PH_YAML_REFUSED, /* stands for a value that was noted as an error already */
};

struct ph_yaml_item {
	enum ph_yaml_type type;
	struct ph_place place;
	const char *text; /* of a scalar; valid until the next item */
	size_t len;
	bool null; /* a scalar that says nothing: empty, ~ or null, without quotes */
	bool direct; /* the source at place is the text, letter by letter */
};

struct ph_yaml {
	struct ph_source *source;
	struct fy_diag *diag;
	struct fy_parser *parser;
	struct fy_event *event;
	char *unfolded; /* the text of the last scalar, if it is not in the source as it is */
	struct ph_place last; /* where the last item begins */
	struct ph_place cursor; /* moves along with the marks of libfyaml */
	unsigned depth;
	bool had_document;
	size_t given; /* how much of the text libfyaml got */
	size_t pending; /* the weight of what it got for the item that it reads now */
	bool line_blank; /* nothing but blanks so far in the line that it got last */
	bool line_comment;
};

void yaml_done(struct ph_yaml *yaml);

/* *yaml must stay where it is. 0 or -ENOMEM. */
int yaml_open(struct ph_yaml *yaml, struct ph_source *source);

/*
 * 0; -EINVAL: the stream has ended, because of what was noted as an error or because there are
 * PH_PROBLEMS_GIVE_UP of them; -ENOMEM.
 */
int yaml_next(struct ph_yaml *yaml, struct ph_yaml_item *ret);

/* Passes over the rest of an item: what is in it, if it is a sequence or mapping. */
int yaml_skip(struct ph_yaml *yaml, const struct ph_yaml_item *item);

#endif
