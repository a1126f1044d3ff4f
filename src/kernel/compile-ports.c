// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports: spans of several rules -> the spans of a grant or prefix, and the port table for what does
 * not fit there.
 */
#include "kernel/compile-internal.h"

#include <string.h>

#include "kernel/decide.h" /* verdict.h: where a chunk lies */

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

/* The chunks of a set, by their number. */
struct chunks {
	uint64_t bits[PH_CHUNKS];
	unsigned n; /* those that hold a port */
};

static void spread(const struct words *spans, struct chunks *ret)
{
	*ret = (struct chunks){};
	for (size_t i = 0; i < spans->n; i++)
		for (uint32_t port = span_first(spans->v[i]); port <= span_last(spans->v[i]);
		     port++)
			ret->bits[port / PH_CHUNK_PORTS] |= 1ull << (port % PH_CHUNK_PORTS);
	for (unsigned i = 0; i < PH_CHUNKS; i++)
		ret->n += ret->bits[i] != 0;
}

/* Whether each chunk gets a place of its own. */
static bool fits_apart(const struct chunks *chunks, const struct ph_ports *ports)
{
	bool taken[PH_CHUNKS] = {};

	for (unsigned i = 0; i < PH_CHUNKS; i++) {
		bool *place = &taken[ph_chunk_at(ports, i)];

		if (!chunks->bits[i])
			continue;
		if (*place)
			return false;
		*place = true;
	}
	return true;
}

/* The smallest table found without a long search; the largest has a place for every chunk. */
static void choose_places(const struct chunks *chunks, struct ph_ports *ret)
{
	enum {
		AS_THEY_ARE = 64, /* the mix that leaves neighbours beside each other */
		TRIES = 64,
	};

	ret->set = 1;
	for (unsigned places = 1; places <= PH_CHUNKS; places *= 2) {
		if (places < chunks->n)
			continue;
		ret->mask = places - 1;
		ret->mix = AS_THEY_ARE;
		for (unsigned i = 0; i < TRIES; i++) {
			if (fits_apart(chunks, ret))
				return;
			ret->mix = ret->mix * 25173u + 13849; /* any order that meets them all */
		}
	}
}

/* Lays a set into the port table; *ret tells where. */
static int place_set(struct builder *builder, const struct words *spans, struct ph_ports *ret)
{
	struct ph_image *image = &builder->image;
	struct chunks chunks;
	size_t n;

	spread(spans, &chunks);
	choose_places(&chunks, ret);
	n = image->n_chunks + ret->mask + 1;
	if (n > PH_IMAGE_CHUNKS_MAX)
		return -E2BIG;
	if (RESERVE(image->chunks, builder->n_chunks_allocated, n) < 0)
		return -ENOMEM;
	memset(&image->chunks[image->n_chunks], 0, (n - image->n_chunks) * sizeof(*image->chunks));
	ret->set = image->n_chunks + 1;
	image->n_chunks = n;
	for (unsigned i = 0; i < PH_CHUNKS; i++)
		if (chunks.bits[i])
			image->chunks[ph_chunk_at(ret, i)] =
				(struct ph_chunk){ .bits = chunks.bits[i], .chunk = i };
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

/* Sets `ret` to the set of these spans, which is made if it is the first of its kind. */
static int add_set(struct builder *builder, const struct words *spans, struct ph_ports *ret)
{
	struct ph_ports *placed;
	size_t position;
	int r;

	r = lists_add(&builder->sets, spans->v, spans->n, &position);
	if (r < 0)
		return r;
	if (RESERVE(builder->placed, builder->n_placed_allocated, position + 1) < 0)
		return -ENOMEM;
	placed = &builder->placed[position];
	if (r > 0) {
		*placed = (struct ph_ports){};
		r = place_set(builder, spans, placed);
		if (r < 0)
			return r;
	}
	ret->set = placed->set;
	ret->mix = placed->mix;
	ret->mask = placed->mask;
	return 0;
}

void ports_init(struct ph_ports *ports)
{
	*ports = (struct ph_ports){};
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
		r = add_set(builder, spans, &ports);
		if (r < 0)
			return r;
	}
	spans->n = 0;
	*ret = ports;
	return 0;
}
