// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports: spans of several rules -> the spans of a grant or prefix, and the port table for what does
 * not fit there.
 */
#include "kernel/compile-internal.h"

#include <string.h>

static uint32_t span_first(uint32_t span)
{
	return span >> 16;
}

static uint32_t span_last(uint32_t span)
{
	return span & 0xffff;
}

static uint32_t span_width(uint32_t span)
{
	return span_last(span) - span_first(span);
}

static int compare_words(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int spans_add_rule(struct builder *builder, const struct ph_rule *rule)
{
	for (size_t i = 0; i < rule->n_ranges; i++) {
		const struct ph_range *range = &rule->ranges[i];

		if (words_push(&builder->spans, (uint32_t)range->lo << 16 | range->hi) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Sorts, and joins what overlaps or touches. */
static void normalize_spans(struct words *spans)
{
	size_t n = 0;

	if (spans->n < 2)
		return;
	qsort(spans->v, spans->n, sizeof(*spans->v), compare_words);
	for (size_t i = 1; i < spans->n; i++) {
		uint32_t here = spans->v[i], before = spans->v[n];

		if (span_first(here) > span_last(before) + 1)
			spans->v[++n] = here;
		else if (span_last(here) > span_last(before))
			spans->v[n] = span_first(before) << 16 | span_last(here);
	}
	spans->n = n + 1;
}

static void set_bits(struct ph_chunk *chunk, unsigned first, unsigned last)
{
	for (unsigned port = first; port <= last; port++)
		chunk->bits[port % PH_CHUNK_PORTS / 64] |= 1ull << (port % 64);
}

static struct ph_image_chunk *last_chunk(struct builder *builder)
{
	return &builder->image.chunks[builder->image.n_chunks - 1];
}

/* Spans are sorted and sets are numbered upwards, so the table is sorted. */
static int add_chunks(struct builder *builder, uint32_t set, uint32_t span)
{
	struct ph_image *image = &builder->image;

	for (uint32_t i = span_first(span) / PH_CHUNK_PORTS; i <= span_last(span) / PH_CHUNK_PORTS;
	     i++) {
		uint32_t base = i * PH_CHUNK_PORTS, end = base + PH_CHUNK_PORTS - 1;
		struct ph_chunk_key key = { .set = set, .chunk = i };

		if (!image->n_chunks || memcmp(&last_chunk(builder)->key, &key, sizeof(key))) {
			if (image->n_chunks >= PH_IMAGE_CHUNKS_MAX)
				return -E2BIG;
			if (RESERVE(image->chunks, builder->n_chunks_allocated,
				    image->n_chunks + 1) < 0)
				return -ENOMEM;
			image->chunks[image->n_chunks++] = (struct ph_image_chunk){ .key = key };
		}
		set_bits(&last_chunk(builder)->value,
			 span_first(span) > base ? span_first(span) : base,
			 span_last(span) < end ? span_last(span) : end);
	}
	return 0;
}

/* Moves the widest span out: it would fill the most chunks. */
static struct ph_span take_widest(struct words *spans)
{
	struct ph_span span;
	size_t widest = 0;

	for (size_t i = 1; i < spans->n; i++)
		if (span_width(spans->v[i]) > span_width(spans->v[widest]))
			widest = i;
	span.first = span_first(spans->v[widest]);
	span.last = span_last(spans->v[widest]);
	memmove(&spans->v[widest], &spans->v[widest + 1],
		(--spans->n - widest) * sizeof(*spans->v));
	return span;
}

static int add_set(struct builder *builder, const struct words *spans, uint32_t *ret)
{
	size_t position;
	int r;

	r = lists_add(&builder->sets, spans->v, spans->n, &position);
	if (r < 0)
		return r;
	for (size_t i = 0; r && i < spans->n; i++) {
		int failed = add_chunks(builder, position + 1, spans->v[i]);

		if (failed < 0)
			return failed;
	}
	*ret = position + 1;
	return 0;
}

void ports_init(struct ph_ports *ports)
{
	ports->set = 0;
	for (int i = 0; i < PH_SPANS; i++)
		ports->span[i] = (struct ph_span){ .first = 1, .last = 0 };
}

/* What builder->spans hold, which it uses up. */
int ports_make(struct builder *builder, struct ph_ports *ret)
{
	struct words *spans = &builder->spans;
	struct ph_ports ports;

	ports_init(&ports);
	normalize_spans(spans);
	if (spans->n <= PH_SPANS) {
		for (size_t i = 0; i < spans->n; i++)
			ports.span[i] =
				(struct ph_span){ span_first(spans->v[i]), span_last(spans->v[i]) };
	} else {
		int r;

		for (int i = 0; i < PH_SPANS; i++)
			ports.span[i] = take_widest(spans);
		r = add_set(builder, spans, &ports.set);
		if (r < 0)
			return r;
	}
	spans->n = 0;
	*ret = ports;
	return 0;
}
