// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * YAML as a stream of items (yaml.h has the contract).
 */
#include <errno.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/yaml.h"
#include "util/cleanup.h"
#include "util/stream.h"

#define DEPTH_MAX 16 /* policies nest to 4 */
#define LINES_MAX 1000 /* of one value */
#define PORTION 4096

/* An item may take two lines of the longest, with much more of comments before it. */
#define COMMENT_WEIGHT 1
#define CONTENT_WEIGHT 16
#define PENDING_MAX (2 * PH_LINE_SIZE_MAX * CONTENT_WEIGHT)

DEFINE_CLEANUP(struct fy_token_iter *, fy_token_iter_destroy);

/* What libfyaml would print is dropped: errors are collected. */
static void drop(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)len;
}

static size_t weigh(struct ph_yaml *yaml, const char *text, size_t n)
{
	size_t weight = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			yaml->line_blank = true;
			yaml->line_comment = false;
		} else if (yaml->line_blank && text[i] != ' ') {
			yaml->line_blank = false;
			yaml->line_comment = text[i] == '#';
		}
		weight += yaml->line_comment ? COMMENT_WEIGHT : CONTENT_WEIGHT;
	}
	return weight;
}

/* libfyaml asks for more text. */
static ssize_t give(void *user, void *buffer, size_t size)
{
	struct ph_yaml *yaml = user;
	const char *text = yaml->source->text + yaml->given;
	size_t n = yaml->source->len - yaml->given;

	if (n > size)
		n = size;
	if (n > PORTION)
		n = PORTION;
	yaml->pending += weigh(yaml, text, n);
	/* The end of the text: libfyaml would ask for ever after an error. */
	if (yaml->pending > PENDING_MAX)
		return 0;
	memcpy(buffer, text, n);
	yaml->given += n;
	return (ssize_t)n;
}

void yaml_done(struct ph_yaml *yaml)
{
	if (yaml->event)
		fy_parser_event_free(yaml->parser, yaml->event);
	if (yaml->parser)
		fy_parser_destroy(yaml->parser);
	if (yaml->diag)
		fy_diag_destroy(yaml->diag);
	free(yaml->unfolded);
	*yaml = (struct ph_yaml){};
}

int yaml_open(struct ph_yaml *yaml, struct ph_source *source)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg parse_cfg = {};

	*yaml = (struct ph_yaml){
		.source = source,
		.last = { 0, 1, 1 },
		.cursor = { 0, 1, 1 },
		.line_blank = true,
	};
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = drop;
	diag_cfg.level = FYET_ERROR;
	diag_cfg.colorize = false;
	yaml->diag = fy_diag_create(&diag_cfg);
	parse_cfg.diag = yaml->diag;
	if (yaml->diag) {
		/* Also because its display of a source line overruns the stack, as of 0.7.12. */
		fy_diag_set_collect_errors(yaml->diag, true);
		yaml->parser = fy_parser_create(&parse_cfg);
	}
	if (!yaml->parser || fy_parser_set_input_callback(yaml->parser, yaml, give) != 0) {
		yaml_done(yaml);
		return -ENOMEM;
	}
	return 0;
}

/* What to do about the messages of libfyaml that people meet most. */
static const char *syntax_remedy(const char *message)
{
	static const struct {
		const char *part, *remedy;
	} table[] = {
		{ "tab character", "indent with spaces" },
		{ "without a closing bracket", "close every [ with ] and every { with }" },
		{ "without closing quote", "close the quote" },
		{ "quoted scalar", "close the quote on the line where it opens" },
		{ "invalid nested block mapping", "put a value that holds ': ' in quotes" },
		{ "multiline plain key",
		  "put a colon and a space after the key, and indent the keys of one mapping alike" },
		{ "wrongly indented", "indent it further than the key that it belongs to" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strstr(message, table[i].part))
			return table[i].remedy;
	return "check the indentation, the quotes and the '- ' and ': ' marks here";
}

/* At the place that libfyaml names, or else the last one known. */
static int note_syntax_error(struct ph_yaml *yaml)
{
	struct ph_place place = yaml->last;
	struct fy_diag_error *error;
	const char *said = "";
	void *previous = NULL;
	char message[256];

	do {
		error = fy_diag_errors_iterate(yaml->diag, &previous);
	} while (error && error->type < FYET_ERROR);
	if (error) {
		said = error->msg;
		if (error->line > 0 && error->column > 0)
			source_move(yaml->source, &place, (unsigned)error->line,
				    (unsigned)error->column);
	}
	(void)snprintf(message, sizeof(message), "this is not YAML%s%s", *said ? ": " : "", said);
	return source_error(yaml->source, &place, message, syntax_remedy(said));
}

static int refuse(struct ph_yaml *yaml, const struct ph_place *place, const char *message,
		  const char *remedy)
{
	int r = source_error(yaml->source, place, message, remedy);

	return r < 0 ? r : -EINVAL;
}

/* Empty values have no mark: they are where the last item is. */
static struct ph_place place_of(struct ph_yaml *yaml, const struct fy_mark *mark)
{
	if (!mark || mark->line < 0 || mark->column < 0)
		return yaml->last;
	source_move(yaml->source, &yaml->cursor, (unsigned)mark->line + 1,
		    (unsigned)mark->column + 1);
	return yaml->cursor;
}

/* The next event that says something, with its place in yaml->last. */
static int next_event(struct ph_yaml *yaml)
{
	for (;;) {
		if (yaml->event)
			fy_parser_event_free(yaml->parser, yaml->event);
		yaml->pending = 0;
		errno = 0;
		yaml->event = fy_parser_parse(yaml->parser);
		/* libfyaml goes on with half a word then, or takes the text to end there. */
		if (errno == ENOMEM)
			return -ENOMEM;
		if (yaml->pending > PENDING_MAX)
			return refuse(yaml, &yaml->last,
				      "what comes after this has no end in sight",
				      "close every quote, [ and {");
		if (!yaml->event && !fy_parser_get_stream_error(yaml->parser))
			return 0;
		if (!yaml->event) {
			int r = note_syntax_error(yaml);

			return r < 0 ? r : -EINVAL;
		}
		yaml->last = place_of(yaml, fy_event_start_mark(yaml->event));
		switch (yaml->event->type) {
		case FYET_NONE:
		case FYET_STREAM_START:
		case FYET_DOCUMENT_END:
		case FYET_STREAM_END:
			continue;
		case FYET_DOCUMENT_START:
			if (yaml->had_document)
				return refuse(
					yaml, &yaml->last, "a second document begins here",
					"a policy file holds one: leave out the line with --- or ...");
			yaml->had_document = true;
			continue;
		default:
			return 0;
		}
	}
}

/* The mark of an anchor, alias or tag is the character before its name. */
static struct ph_place mark_place(struct ph_yaml *yaml, struct fy_token *token)
{
	struct ph_place place = place_of(yaml, fy_token_start_mark(token));
	const char *text = yaml->source->text;

	if (place.column > 1 && (text[place.offset - 1] == '&' || text[place.offset - 1] == '*')) {
		place.offset--;
		place.column--;
	}
	return place;
}

/* Notes anchors and tags; the item itself is read all the same. */
static int note_properties(struct ph_yaml *yaml)
{
	struct fy_token *anchor = fy_event_get_anchor_token(yaml->event);
	struct fy_token *tag = fy_event_get_tag_token(yaml->event);
	struct ph_place place;
	int r = 0;

	/* An alias is its own anchor token. */
	if (anchor && yaml->event->type != FYET_ALIAS) {
		place = mark_place(yaml, anchor);
		r = source_error(yaml->source, &place, ph_no_anchors, ph_quote_marks);
	}
	if (r == 0 && tag) {
		place = mark_place(yaml, tag);
		r = source_error(yaml->source, &place, ph_no_tags, ph_quote_marks);
	}
	return r;
}

/* Whether the source from the start to the end of a scalar is its text, letter by letter. */
static bool is_direct(const struct ph_yaml *yaml, const struct ph_place *start,
		      const struct ph_place *end, enum fy_scalar_style style)
{
	const char *raw = yaml->source->text + start->offset;
	size_t len = end->offset - start->offset;

	if (start->line != end->line)
		return false;
	if (style == FYSS_SINGLE_QUOTED)
		return !memchr(raw, '\'', len);
	if (style == FYSS_DOUBLE_QUOTED)
		return !memchr(raw, '\\', len);
	return style == FYSS_PLAIN;
}

/*
 * The text of a scalar that is written in any other way. (fy_token_get_text() leaks memory for texts
 * with many escapes or lines, and fy_token_iter_read() mixes them up, as of libfyaml 0.7.12.)
 */
static int unfold(struct ph_yaml *yaml, struct fy_token *token, struct ph_yaml_item *item)
{
	cleanup_(fy_token_iter_destroyp) struct fy_token_iter *iter = NULL;
	cleanup_(stream_donep) struct ph_stream stream = {};
	const struct fy_iter_chunk *chunk = NULL;
	int r = 0;

	iter = fy_token_iter_create(token);
	if (!iter || stream_begin(&stream))
		return -ENOMEM;
	while ((chunk = fy_token_iter_chunk_next(iter, chunk, &r)))
		(void)fwrite(chunk->str, 1, chunk->len, stream.file);
	if (r < 0)
		return -ENOMEM;
	free(TAKE_PTR(yaml->unfolded));
	r = stream_end(&stream, &yaml->unfolded);
	item->text = yaml->unfolded;
	item->len = stream.len;
	return r;
}

static int refuse_value(struct ph_yaml *yaml, struct ph_yaml_item *item, const char *message)
{
	item->type = PH_YAML_REFUSED;
	return source_error(yaml->source, &item->place, message, "write it on one line");
}

static int fill_scalar(struct ph_yaml *yaml, struct ph_yaml_item *item)
{
	struct fy_token *token = yaml->event->scalar.value;
	enum fy_scalar_style style = FYSS_PLAIN;
	struct ph_place end;
	int r = 0;

	item->text = "";
	/* An empty value has no token, or one without a place. */
	if (token && fy_token_start_mark(token)) {
		style = fy_token_scalar_style(token);
		/* libfyaml takes time in the square of the lines of these. */
		if (style == FYSS_LITERAL || style == FYSS_FOLDED)
			return refuse_value(yaml, item,
					    "policy files have no blocks of text (| >)");
		end = place_of(yaml, fy_token_end_mark(token));
		if (end.line - item->place.line > LINES_MAX)
			return refuse_value(yaml, item, "this value has too many lines");
		item->direct = is_direct(yaml, &item->place, &end, style);
		if (item->direct) {
			item->text = yaml->source->text + item->place.offset;
			item->len = end.offset - item->place.offset;
		} else {
			r = unfold(yaml, token, item);
		}
	}
	item->null = style == FYSS_PLAIN &&
		     (item->len == 0 || (item->len == 1 && item->text[0] == '~') ||
		      (item->len == 4 && memcmp(item->text, "null", 4) == 0));
	return r;
}

static int enter(struct ph_yaml *yaml)
{
	if (++yaml->depth <= DEPTH_MAX)
		return 0;
	return refuse(yaml, &yaml->last, "lists and mappings are nested too deep here",
		      "check the brackets and the indentation");
}

int yaml_next(struct ph_yaml *yaml, struct ph_yaml_item *ret)
{
	struct ph_yaml_item item = { .type = PH_YAML_END_OF_TEXT };
	int r;

	if (yaml->source->problems->n_errors >= PH_PROBLEMS_GIVE_UP)
		return -EINVAL;
	r = next_event(yaml);
	if (r < 0)
		return r;
	item.place = yaml->last;
	if (yaml->event) {
		r = note_properties(yaml);
		if (r < 0)
			return r;
		switch (yaml->event->type) {
		case FYET_SCALAR:
			item.type = PH_YAML_SCALAR;
			r = fill_scalar(yaml, &item);
			break;
		case FYET_SEQUENCE_START:
			item.type = PH_YAML_SEQUENCE;
			r = enter(yaml);
			break;
		case FYET_MAPPING_START:
			item.type = PH_YAML_MAPPING;
			r = enter(yaml);
			break;
		case FYET_ALIAS:
			item.type = PH_YAML_REFUSED;
			item.place = mark_place(yaml, yaml->event->alias.anchor);
			r = source_error(yaml->source, &item.place, ph_no_aliases, ph_quote_marks);
			break;
		default:
			item.type = PH_YAML_END;
			yaml->depth--;
			break;
		}
		if (r < 0)
			return r;
	}
	*ret = item;
	return 0;
}

int yaml_skip(struct ph_yaml *yaml, const struct ph_yaml_item *item)
{
	unsigned outside = yaml->depth - 1;

	if (item->type != PH_YAML_SEQUENCE && item->type != PH_YAML_MAPPING)
		return 0;
	while (yaml->depth > outside) {
		struct ph_yaml_item inner;
		int r = yaml_next(yaml, &inner);

		if (r < 0)
			return r;
	}
	return 0;
}
