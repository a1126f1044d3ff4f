// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies -> image.
 *
 * Rules without addresses are a union of port ranges. Rules with addresses become prefixes: the
 * networks that the rules of one plane name, `except` networks included, are sorted so that each
 * comes right after those around it, and are walked with a stack of the networks around the present
 * one. A frame of the stack knows which rules cover it and which of those except it; what is left
 * is what is granted at an address for which this is the longest prefix. A prefix that would say
 * the same as the one around it is left out. Where bind rules limit their peers, the peers of each
 * different combination of such rules are a scope of their own, made by the same walk.
 *
 * Everything is made in the order of ids, and numbers are given in that order, so the same content
 * makes the same image. A function that fails leaves half-made tables behind; image_compile() alone
 * hands out or throws away.
 */
#include "kernel/compile.h"

#include "kernel/decide.h"
#include "util/cleanup.h"

#include <endian.h>
#include <stdarg.h>
#include <string.h>

#define FRAMES_MAX 130 /* no prefix, then lengths 0 to 128 */

/* An array of words, or several lists one after another. */
struct words {
	uint32_t *v;
	size_t n, n_allocated;
};

/* Lists of words, each different one once. */
struct lists {
	struct words words;
	struct list {
		size_t first, n;
		uint64_t hash;
	} *v;
	size_t n, n_allocated;
	uint32_t *index; /* hash -> position + 1; open addressing */
	size_t n_index;
};

enum side {
	SIDE_TO,
	SIDE_ON,
	SIDE_FROM,
};

enum touch_flag {
	TOUCH_COVER = 1 << 0,
	TOUCH_EXCEPT = 1 << 1,
};

#define TOUCH_BITS 2

/* A network that a rule names. */
struct touch {
	uint8_t addr[16];
	uint8_t len;
	uint8_t flag;
	uint32_t rule; /* position in the policy */
};

/* A network around the present one. */
struct frame {
	uint8_t addr[16];
	unsigned len;
	size_t state, n_state; /* in walk.states: rule << TOUCH_BITS | flags, sorted */
	struct ph_prefix value;
};

/* The making of one scope. */
struct walk {
	enum side side;
	uint32_t scope;
	struct words rules; /* those that count, by position in the policy */
	struct touch *touches;
	size_t n_touches, n_touches_allocated;
	struct frame frames[FRAMES_MAX];
	size_t n_frames;
	struct words states;
	struct words active;  /* the rules that grant at the present network */
	struct lists known;   /* sets of such rules, and what each grants */
	struct ph_prefix *values;
	size_t n_values_allocated;
};

struct builder {
	struct ph_image image;
	const struct ph_policy *policy; /* the present one */
	size_t n_chunks_allocated, n_prefixes_allocated;
	size_t n_touched;
	uint32_t last_scope;
	struct words spans; /* first << 16 | last */
	struct lists sets;  /* lists of spans: set number - 1 */
	struct walk outer;  /* the addresses of a plane */
	struct walk peers;  /* the peers in one region of it */
};

/* --- Memory */

static int reserve(void **array, size_t *n_allocated, size_t n, size_t size)
{
	size_t wanted = *n_allocated ? *n_allocated : 16;
	void *larger;

	if (n <= *n_allocated)
		return 0;
	while (wanted < n)
		wanted *= 2;
	larger = reallocarray(*array, wanted, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*n_allocated = wanted;
	return 0;
}

#define RESERVE(array, n_allocated, n) \
	reserve((void **)&(array), &(n_allocated), (n), sizeof(*(array)))

static int words_push(struct words *words, uint32_t word)
{
	if (RESERVE(words->v, words->n_allocated, words->n + 1) < 0)
		return -ENOMEM;
	words->v[words->n++] = word;
	return 0;
}

static int words_append(struct words *words, const uint32_t *v, size_t n)
{
	if (RESERVE(words->v, words->n_allocated, words->n + n) < 0)
		return -ENOMEM;
	if (n)
		memcpy(words->v + words->n, v, n * sizeof(*v));
	words->n += n;
	return 0;
}

static void lists_done(struct lists *lists)
{
	free(lists->words.v);
	free(lists->v);
	free(lists->index);
	*lists = (struct lists){};
}

static void walk_done(struct walk *walk)
{
	free(walk->rules.v);
	free(walk->touches);
	free(walk->states.v);
	free(walk->active.v);
	free(walk->values);
	lists_done(&walk->known);
}

static void builder_done(struct builder *builder)
{
	image_done(&builder->image);
	free(builder->spans.v);
	lists_done(&builder->sets);
	walk_done(&builder->outer);
	walk_done(&builder->peers);
}

DEFINE_CLEANUP_DONE(struct builder, builder_done);

void image_done(struct ph_image *image)
{
	free(image->names);
	free(image->grants);
	free(image->chunks);
	free(image->prefixes);
	free(image->sources);
	free(image->strings);
	*image = (struct ph_image){};
}

/* --- Hashes */

static uint64_t rotated(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotated(v[1], 13) ^ v[0];
	v[0] = rotated(v[0], 32);
	v[2] += v[3];
	v[3] = rotated(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotated(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotated(v[1], 17) ^ v[2];
	v[2] = rotated(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

/* SipHash-2-4 under a fixed key and what was hashed before: parts cannot run into each other. */
static uint64_t hash_more(uint64_t before, const void *data, size_t len)
{
	uint64_t v[4] = { before ^ 0x736f6d6570736575, 0x646f72616e646f6d ^ 0x706f7274686f6c64,
			  before ^ 0x6c7967656e657261, 0x7465646279746573 ^ 0x706f7274686f6c64 };
	const uint8_t *bytes = data;
	uint64_t word;

	for (size_t left = len; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sip_word(v, word);
		bytes += sizeof(word);
	}
	word = 0;
	if (len % sizeof(word))
		memcpy(&word, bytes, len % sizeof(word));
	sip_word(v, word);
	sip_word(v, len);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t hash_text(uint64_t before, const char *text)
{
	return hash_more(before, text, text ? strlen(text) : 0);
}

uint64_t policy_id(const struct ph_policy *policy)
{
	const struct ph_match *match = &policy->match;
	uint64_t hash = hash_text(0, policy->name);

	hash = hash_text(hash, match->comm);
	hash = hash_text(hash, match->exe);
	hash = hash_text(hash, match->cgroup);
	hash = hash_text(hash, match->unit);
	hash = hash_more(hash, &match->uid, match->has_uid ? sizeof(match->uid) : 0);
	return hash ? hash : 1;
}

static uint64_t cgroup_step(uint64_t parent, const char *name, size_t len)
{
	uint64_t hash = parent, word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		size_t n = len - i < sizeof(word) ? len - i : sizeof(word);

		word = 0;
		memcpy(&word, name + i, n);
		hash = ph_cgroup_word(hash, le64toh(word));
	}
	return ph_cgroup_word(hash, len);
}

uint64_t cgroup_path_hash(const char *path, unsigned *ret_levels)
{
	uint64_t hash = PH_CGROUP_ROOT;
	unsigned levels = 0;

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");

		hash = cgroup_step(hash, path, len);
		levels++;
		path += len;
	}
	*ret_levels = levels;
	return hash;
}

static void hash_image(struct ph_image *image)
{
	uint64_t hash = hash_more(PH_ABI_VERSION, &image->header, sizeof(image->header));

	hash = hash_more(hash, image->names, image->n_names * sizeof(*image->names));
	hash = hash_more(hash, image->grants, image->n_grants * sizeof(*image->grants));
	hash = hash_more(hash, image->chunks, image->n_chunks * sizeof(*image->chunks));
	image->hash = hash_more(hash, image->prefixes,
				image->n_prefixes * sizeof(*image->prefixes));
}

/* --- Problems */

/* Adds an error at the policy; -EINVAL, or -ENOMEM. */
__attribute__((format(printf, 4, 5))) static int complain(struct ph_problems *problems,
							  const struct ph_policy *policy,
							  const char *remedy, const char *format,
							  ...)
{
	cleanup_free char *message = NULL;
	struct ph_problem problem = { .severity = PH_ERROR };
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&message, format, args);
	va_end(args);
	if (n < 0) {
		message = NULL;
		return -ENOMEM;
	}
	problem.file = (char *)policy->file;
	problem.line = policy->line;
	problem.column = policy->column;
	problem.message = message;
	problem.remedy = (char *)remedy;
	return problems_add(problems, &problem) < 0 ? -ENOMEM : -EINVAL;
}

/* --- Lists */

static bool list_equal(const struct lists *lists, const struct list *list, const uint32_t *v,
		       size_t n)
{
	return list->n == n && (!n || !memcmp(lists->words.v + list->first, v, n * sizeof(*v)));
}

/* The place in the index of this list, or the free one where it belongs. */
static size_t lists_place(const struct lists *lists, uint64_t hash, const uint32_t *v, size_t n)
{
	size_t place = hash & (lists->n_index - 1);

	for (; lists->index[place]; place = (place + 1) & (lists->n_index - 1)) {
		const struct list *list = &lists->v[lists->index[place] - 1];

		if (list->hash == hash && list_equal(lists, list, v, n))
			break;
	}
	return place;
}

static int lists_reindex(struct lists *lists)
{
	size_t n_index = lists->n_index ? lists->n_index * 2 : 64;
	uint32_t *index = calloc(n_index, sizeof(*index));

	if (!index)
		return -ENOMEM;
	for (size_t i = 0; i < lists->n; i++) {
		size_t place = lists->v[i].hash & (n_index - 1);

		while (index[place])
			place = (place + 1) & (n_index - 1);
		index[place] = i + 1;
	}
	free(lists->index);
	lists->index = index;
	lists->n_index = n_index;
	return 0;
}

/* The list's position in *ret; 1: it is new, 0: it was known. v may not lie in `lists`. */
static int lists_add(struct lists *lists, const uint32_t *v, size_t n, size_t *ret)
{
	uint64_t hash = hash_more(0, v, n * sizeof(*v));
	size_t place;

	if (lists->n * 2 >= lists->n_index && lists_reindex(lists) < 0)
		return -ENOMEM;
	place = lists_place(lists, hash, v, n);
	if (lists->index[place]) {
		*ret = lists->index[place] - 1;
		return 0;
	}
	if (RESERVE(lists->v, lists->n_allocated, lists->n + 1) < 0 ||
	    words_append(&lists->words, v, n) < 0)
		return -ENOMEM;
	lists->v[lists->n] = (struct list){ lists->words.n - n, n, hash };
	*ret = lists->n++;
	lists->index[place] = lists->n;
	return 1;
}

/* In time that depends on what was in use, not on what once was. */
static void lists_clear(struct lists *lists)
{
	for (size_t i = 0; i < lists->n; i++) {
		size_t place = lists->v[i].hash & (lists->n_index - 1);

		while (lists->index[place] != i + 1)
			place = (place + 1) & (lists->n_index - 1);
		lists->index[place] = 0;
	}
	lists->n = 0;
	lists->words.n = 0;
}

/* --- Ports */

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

static int add_rule_spans(struct builder *builder, const struct ph_rule *rule)
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

	for (uint32_t i = span_first(span) / PH_CHUNK_PORTS;
	     i <= span_last(span) / PH_CHUNK_PORTS; i++) {
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

static void ports_init(struct ph_ports *ports)
{
	ports->set = 0;
	for (int i = 0; i < PH_SPANS; i++)
		ports->span[i] = (struct ph_span){ .first = 1, .last = 0 };
}

/* What builder->spans hold, which it uses up. */
static int make_ports(struct builder *builder, struct ph_ports *ret)
{
	struct words *spans = &builder->spans;
	struct ph_ports ports;

	ports_init(&ports);
	normalize_spans(spans);
	if (spans->n <= PH_SPANS) {
		for (size_t i = 0; i < spans->n; i++)
			ports.span[i] = (struct ph_span){ span_first(spans->v[i]),
							  span_last(spans->v[i]) };
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

/* --- Addresses */

static const struct ph_cidrs *side_list(const struct ph_rule *rule, enum side side)
{
	return side == SIDE_TO ? &rule->to : side == SIDE_ON ? &rule->on : &rule->from;
}

/* `except` takes away from the list right before it. */
static enum side except_side(const struct ph_rule *rule)
{
	if (rule->from.n)
		return SIDE_FROM;
	return rule->on.n || !rule->connect ? SIDE_ON : SIDE_TO;
}

static int add_touch(struct walk *walk, uint32_t rule, const struct ph_cidr *cidr, uint8_t flag)
{
	struct touch *touch;

	if (RESERVE(walk->touches, walk->n_touches_allocated, walk->n_touches + 1) < 0)
		return -ENOMEM;
	touch = &walk->touches[walk->n_touches++];
	*touch = (struct touch){ .len = cidr->len, .flag = flag, .rule = rule };
	memcpy(touch->addr, cidr->addr, sizeof(touch->addr));
	return 0;
}

static int add_touches(struct walk *walk, uint32_t rule, const struct ph_cidrs *list,
		       uint8_t family, uint8_t flag)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].family == family &&
		    add_touch(walk, rule, &list->v[i], flag) < 0)
			return -ENOMEM;
	return 0;
}

/* The networks that a rule names on this side; without a list, the network of all addresses. */
static int touch_rule(struct builder *builder, struct walk *walk, uint32_t position,
		      uint8_t family)
{
	const struct ph_rule *rule = &builder->policy->rules[position];
	const struct ph_cidrs *list = side_list(rule, walk->side);
	const struct ph_cidr all = { .family = family };
	int r;

	if (list->n)
		r = add_touches(walk, position, list, family, TOUCH_COVER);
	else
		r = add_touch(walk, position, &all, TOUCH_COVER);
	if (r < 0)
		return r;
	if (except_side(rule) != walk->side)
		return 0;
	return add_touches(walk, position, &rule->except, family, TOUCH_EXCEPT);
}

static int compare_touches(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	if (order)
		return order;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

static bool frame_holds(const struct frame *frame, const struct touch *touch)
{
	unsigned bytes = frame->len / 8, bits = frame->len % 8;

	if (touch->len < frame->len || memcmp(frame->addr, touch->addr, bytes))
		return false;
	return !bits || !((frame->addr[bytes] ^ touch->addr[bytes]) >> (8 - bits));
}

/* A frame for the network of these touches, on top of those that are around it. */
static int push_frame(struct walk *walk, const struct touch *touches, size_t n_touches)
{
	struct frame *parent, *frame;
	size_t i, end, j = 0;

	while (!frame_holds(&walk->frames[walk->n_frames - 1], touches))
		walk->n_frames--;
	parent = &walk->frames[walk->n_frames - 1];
	frame = &walk->frames[walk->n_frames++];
	i = parent->state;
	end = parent->state + parent->n_state;
	walk->states.n = end;
	if (RESERVE(walk->states.v, walk->states.n_allocated,
		    end + parent->n_state + n_touches) < 0)
		return -ENOMEM;
	*frame = (struct frame){ .len = touches->len, .state = end };
	memcpy(frame->addr, touches->addr, sizeof(frame->addr));
	while (i < end || j < n_touches) {
		uint32_t known = i < end ? walk->states.v[i] : UINT32_MAX;
		uint32_t rule = known >> TOUCH_BITS;
		uint32_t flags = 0;

		if (j < n_touches && (i == end || touches[j].rule < rule))
			rule = touches[j].rule;
		else
			flags = walk->states.v[i++] & (TOUCH_COVER | TOUCH_EXCEPT);
		for (; j < n_touches && touches[j].rule == rule; j++)
			flags |= touches[j].flag;
		walk->states.v[walk->states.n++] = rule << TOUCH_BITS | flags;
	}
	frame->n_state = walk->states.n - end;
	return 0;
}

static void value_init(struct ph_prefix *value)
{
	ports_init(&value->ports);
	value->peers = 0;
}

static int make_scope(struct builder *builder, struct walk *walk);

static uint32_t new_scope(struct builder *builder)
{
	return builder->last_scope += 2;
}

/* The scope of the peers of these bind rules; 0: any of them takes any peer, or there is none. */
static int make_peers(struct builder *builder, const struct words *rules, uint32_t *ret)
{
	struct walk *peers = &builder->peers;
	bool limited = false;
	int r;

	for (size_t i = 0; i < rules->n; i++)
		limited |= builder->policy->rules[rules->v[i]].from.n > 0;
	if (!limited) {
		*ret = 0;
		return 0;
	}
	peers->side = SIDE_FROM;
	peers->scope = new_scope(builder);
	peers->rules.n = 0;
	if (words_append(&peers->rules, rules->v, rules->n) < 0)
		return -ENOMEM;
	r = make_scope(builder, peers);
	if (r < 0)
		return r;
	*ret = peers->scope;
	return 0;
}

/* What the rules in walk->active grant together. */
static int make_value(struct builder *builder, struct walk *walk, struct ph_prefix *ret)
{
	size_t position;
	int r;

	r = lists_add(&walk->known, walk->active.v, walk->active.n, &position);
	if (r < 0)
		return r;
	if (r > 0) {
		struct ph_prefix value;

		if (RESERVE(walk->values, walk->n_values_allocated, position + 1) < 0)
			return -ENOMEM;
		value_init(&value);
		for (size_t i = 0; i < walk->active.n; i++)
			if (add_rule_spans(builder, &builder->policy->rules[walk->active.v[i]]) < 0)
				return -ENOMEM;
		r = make_ports(builder, &value.ports);
		if (r >= 0 && walk->side == SIDE_ON)
			r = make_peers(builder, &walk->active, &value.peers);
		if (r < 0)
			return r;
		walk->values[position] = value;
	}
	*ret = walk->values[position];
	return 0;
}

static int add_prefix(struct builder *builder, const struct walk *walk, const struct frame *frame,
		      uint8_t family)
{
	struct ph_image *image = &builder->image;
	struct ph_image_prefix *prefix;

	if (image->n_prefixes >= PH_IMAGE_PREFIXES_MAX)
		return -E2BIG;
	if (RESERVE(image->prefixes, builder->n_prefixes_allocated, image->n_prefixes + 1) < 0)
		return -ENOMEM;
	prefix = &image->prefixes[image->n_prefixes++];
	*prefix = (struct ph_image_prefix){ .value = frame->value };
	prefix->key.prefixlen = 32 + frame->len;
	prefix->key.scope = walk->scope | (family == 6);
	memcpy(prefix->key.word, frame->addr, sizeof(prefix->key.word));
	return 0;
}

/* The entry for one network, unless it would say what the network around it says. */
static int visit(struct builder *builder, struct walk *walk, const struct touch *touches,
		 size_t n_touches, uint8_t family)
{
	struct frame *frame;
	int r;

	r = push_frame(walk, touches, n_touches);
	if (r < 0)
		return r;
	frame = &walk->frames[walk->n_frames - 1];
	walk->active.n = 0;
	for (size_t i = 0; i < frame->n_state; i++) {
		uint32_t state = walk->states.v[frame->state + i];

		if (!(state & TOUCH_EXCEPT) && words_push(&walk->active, state >> TOUCH_BITS) < 0)
			return -ENOMEM;
	}
	r = make_value(builder, walk, &frame->value);
	if (r < 0)
		return r;
	if (!memcmp(&frame->value, &frame[-1].value, sizeof(frame->value)))
		return 0;
	return add_prefix(builder, walk, frame, family);
}

static int make_family(struct builder *builder, struct walk *walk, uint8_t family)
{
	walk->n_touches = 0;
	for (size_t i = 0; i < walk->rules.n; i++)
		if (touch_rule(builder, walk, walk->rules.v[i], family) < 0)
			return -ENOMEM;
	builder->n_touched += walk->n_touches;
	if (builder->n_touched > PH_IMAGE_TOUCHES_MAX)
		return -E2BIG;
	if (walk->n_touches)
		qsort(walk->touches, walk->n_touches, sizeof(*walk->touches), compare_touches);
	walk->n_frames = 1;
	walk->frames[0] = (struct frame){};
	value_init(&walk->frames[0].value);
	for (size_t i = 0, n; i < walk->n_touches; i += n) {
		const struct touch *first = &walk->touches[i];
		int r;

		for (n = 1; i + n < walk->n_touches; n++)
			if (first[n].len != first->len ||
			    memcmp(first[n].addr, first->addr, sizeof(first->addr)))
				break;
		r = visit(builder, walk, first, n, family);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_scope(struct builder *builder, struct walk *walk)
{
	int r;

	lists_clear(&walk->known);
	r = make_family(builder, walk, 4);
	if (r < 0)
		return r;
	return make_family(builder, walk, 6);
}

/* --- Policies */

static bool is_bind(enum ph_plane plane)
{
	return plane == PH_PLANE_BIND_TCP || plane == PH_PLANE_BIND_UDP;
}

static bool in_plane(const struct ph_rule *rule, enum ph_plane plane)
{
	bool udp = plane == PH_PLANE_CONNECT_UDP || plane == PH_PLANE_BIND_UDP;

	if (rule->kind != PH_RULE_PORTS || udp != (rule->proto == PH_PROTO_UDP))
		return false;
	return is_bind(plane) ? rule->bind : rule->connect;
}

static bool has_addresses(const struct ph_rule *rule, enum ph_plane plane)
{
	bool excepts = rule->except.n && (except_side(rule) == SIDE_TO) == !is_bind(plane);

	return excepts || (is_bind(plane) ? rule->on.n || rule->from.n : rule->to.n > 0);
}

static int make_plane(struct builder *builder, enum ph_plane plane, struct ph_grant *grant)
{
	struct walk *walk = &builder->outer;
	int r;

	builder->spans.n = 0;
	walk->rules.n = 0;
	for (size_t i = 0; i < builder->policy->n_rules; i++) {
		const struct ph_rule *rule = &builder->policy->rules[i];

		if (!in_plane(rule, plane))
			continue;
		r = has_addresses(rule, plane) ? words_push(&walk->rules, i) :
						 add_rule_spans(builder, rule);
		if (r < 0)
			return r;
	}
	r = make_ports(builder, &grant->plain[plane]);
	if (r < 0 || !walk->rules.n)
		return r;
	walk->side = is_bind(plane) ? SIDE_ON : SIDE_TO;
	walk->scope = new_scope(builder);
	grant->scope[plane] = walk->scope;
	return make_scope(builder, walk);
}

static uint16_t sockets_of(const struct ph_policy *policy)
{
	static const uint16_t kinds[] = {
		[PH_KIND_ICMP] = PH_SOCKET_ICMP,
		[PH_KIND_RAW] = PH_SOCKET_RAW,
		[PH_KIND_PACKET] = PH_SOCKET_PACKET,
		[PH_KIND_VSOCK] = PH_SOCKET_VSOCK,
	};
	uint16_t sockets = PH_SOCKET_TCP;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct ph_rule *rule = &policy->rules[i];

		if (rule->kind == PH_RULE_SOCKET)
			sockets |= kinds[rule->socket];
		else if (rule->proto == PH_PROTO_UDP)
			sockets |= PH_SOCKET_UDP;
	}
	return sockets;
}

static void make_conditions(const struct ph_policy *policy, struct ph_grant *grant)
{
	const struct ph_match *match = &policy->match;

	grant->mode = policy->mode == PH_POLICY_AUDIT ? PH_MODE_AUDIT : PH_MODE_ENFORCE;
	if (policy->children == PH_CHILDREN_LEAVE)
		grant->flags |= PH_GRANT_LEAVE;
	if (!strcmp(policy->name, PH_CANARY_NAME))
		grant->flags |= PH_GRANT_RESERVED;
	if (match->has_uid) {
		grant->flags |= PH_GRANT_UID;
		grant->uid = match->uid;
	}
	if (match->cgroup) {
		grant->flags |= PH_GRANT_CGROUP;
		grant->cgroup = cgroup_path_hash(match->cgroup, &grant->cgroup_level);
	}
}

static int make_grant(struct builder *builder, const struct ph_policy *policy, uint64_t id,
		      struct ph_grant *grant)
{
	*grant = (struct ph_grant){ .id = id };
	make_conditions(policy, grant);
	grant->sockets = sockets_of(policy);
	if (grant->flags & PH_GRANT_CGROUP)
		builder->image.header.features |= PH_FEATURE_CGROUP;
	if (grant->mode == PH_MODE_AUDIT)
		builder->image.header.features |= PH_FEATURE_AUDIT;
	builder->policy = policy;
	for (int plane = 0; plane < PH_PLANES; plane++) {
		int r = make_plane(builder, plane, grant);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- The set */

struct named {
	uint64_t id;
	struct ph_name name;
	const struct ph_policy *policy;
};

/* Of what begins with its id. */
static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int compare_names(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	for (size_t i = 0; i < PH_COMM_LEN / 8; i++)
		if (x->name.word[i] != y->name.word[i])
			return x->name.word[i] < y->name.word[i] ? -1 : 1;
	return compare_ids(a, b);
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct ph_prefix_key *x = &((const struct ph_image_prefix *)a)->key;
	const struct ph_prefix_key *y = &((const struct ph_image_prefix *)b)->key;
	int order;

	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	order = memcmp(x->word, y->word, sizeof(x->word));
	return order ? order : (int)x->prefixlen - (int)y->prefixlen;
}

/* What the kernel side cannot do as yet; in one place, to be lifted. */
static int check_supported(const struct ph_policy *policy, struct ph_problems *problems)
{
	const struct ph_match *match = &policy->match;

	if (match->exe || match->unit)
		return complain(problems, policy, "match by comm",
				"policy %s: a match by %s is not supported yet", policy->name,
				match->exe ? "exe" : "unit");
	if (!match->comm[0])
		return complain(problems, policy, "add a comm to the match",
				"policy %s: a match without comm is not supported yet",
				policy->name);
	return 0;
}

static int check_policy(const struct ph_policy *policy, struct ph_problems *problems)
{
	unsigned levels = 0;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind != PH_RULE_PORTS &&
		    policy->rules[i].kind != PH_RULE_SOCKET)
			return complain(problems, policy, "resolve the policy before",
					"policy %s: a keyword was not expanded", policy->name);
	if (policy->match.cgroup)
		(void)cgroup_path_hash(policy->match.cgroup, &levels);
	if (levels > PH_CGROUP_DEPTH)
		return complain(problems, policy, "name a cgroup further up",
				"policy %s: the cgroup lies %u levels deep, more than %d",
				policy->name, levels, PH_CGROUP_DEPTH);
	return check_supported(policy, problems);
}

/* Every policy with its id and name, by id. */
static int list_policies(const struct ph_policy_set *set, struct ph_problems *problems,
			 struct named *named)
{
	int r, answer = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];

		named[i] = (struct named){ .id = policy_id(policy), .policy = policy };
		memcpy(&named[i].name, policy->match.comm,
		       strnlen(policy->match.comm, PH_COMM_MAX));
		r = check_policy(policy, problems);
		if (r == -ENOMEM)
			return r;
		answer = r ? r : answer;
	}
	if (set->n)
		qsort(named, set->n, sizeof(*named), compare_ids);
	for (size_t i = 1; i < set->n; i++) {
		if (named[i].id != named[i - 1].id)
			continue;
		r = complain(problems, named[i].policy, "rename one of them",
			     "policies %s and %s have the same id %016llx",
			     named[i - 1].policy->name, named[i].policy->name,
			     (unsigned long long)named[i].id);
		if (r == -ENOMEM)
			return r;
		answer = r;
	}
	return answer;
}

static int complain_crowd(const struct named *crowd, size_t n, struct ph_problems *problems)
{
	size_t shown = PH_LABEL_MAX + 1;
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *stream;

	stream = open_memstream(&text, &len);
	if (!stream)
		return -ENOMEM;
	for (size_t i = 0; i < shown; i++) {
		const struct ph_policy *policy = crowd[i].policy;

		fprintf(stream, "%s%s", i ? ", " : "", policy->name);
		if (policy->file)
			fprintf(stream, " (%s:%u)", policy->file, policy->line);
	}
	if (n > shown)
		fprintf(stream, " and %zu more", n - shown);
	if (fclose(stream))
		return -ENOMEM;
	return complain(problems, crowd[shown - 1].policy, "put their rules into fewer policies",
			"more than %d policies match the name %s: %s", PH_LABEL_MAX,
			crowd->policy->match.comm, text);
}

static void add_name(struct ph_image *image, const struct named *named, size_t n)
{
	struct ph_image_name *name = &image->names[image->n_names++];
	uint32_t bit = ph_name_bit(named->name.word);

	*name = (struct ph_image_name){ .key = named->name, .value.count = n };
	for (size_t i = 0; i < n; i++)
		name->value.id[i] = named[i].id;
	image->header.names[bit / 64] |= 1ull << (bit % 64);
	image->header.features |= PH_FEATURE_COMM;
}

/* Reorders `named`. */
static int make_names(struct ph_image *image, struct named *named, size_t n_named,
		      struct ph_problems *problems)
{
	int r, answer = 0;

	image->names = calloc(n_named + 1, sizeof(*image->names));
	if (!image->names)
		return -ENOMEM;
	if (n_named)
		qsort(named, n_named, sizeof(*named), compare_names);
	for (size_t i = 0, n; i < n_named; i += n) {
		for (n = 1; i + n < n_named; n++)
			if (memcmp(&named[i].name, &named[i + n].name, sizeof(named->name)))
				break;
		if (n <= PH_LABEL_MAX) {
			add_name(image, &named[i], n);
			continue;
		}
		r = complain_crowd(&named[i], n, problems);
		if (r == -ENOMEM)
			return r;
		answer = r;
	}
	return answer;
}

static char *take_string(char **space, const char *text)
{
	char *copy = *space;

	*space = stpcpy(copy, text) + 1;
	return copy;
}

/* Policies of one file come one after another and share its name. */
static int make_sources(struct ph_image *image, const struct ph_policy_set *set)
{
	const char *file = NULL, *copy = NULL;
	size_t size = 1;
	char *space;

	for (size_t i = 0; i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];

		size += strlen(policy->name) + 1;
		if (policy->file && policy->file != file)
			size += strlen(policy->file) + 1;
		file = policy->file;
	}
	image->sources = calloc(set->n + 1, sizeof(*image->sources));
	image->strings = malloc(size);
	if (!image->sources || !image->strings)
		return -ENOMEM;
	space = image->strings;
	file = NULL;
	for (size_t i = 0; i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];

		if (policy->file && policy->file != file)
			copy = take_string(&space, policy->file);
		file = policy->file;
		image->sources[image->n_sources++] = (struct ph_image_source){
			.id = policy_id(policy),
			.name = take_string(&space, policy->name),
			.file = file ? copy : NULL,
			.line = policy->line,
		};
	}
	if (set->n)
		qsort(image->sources, set->n, sizeof(*image->sources), compare_ids);
	return 0;
}

static int make_grants(struct builder *builder, const struct named *named, size_t n,
		       struct ph_problems *problems)
{
	struct ph_image *image = &builder->image;

	image->grants = calloc(n + 1, sizeof(*image->grants));
	if (!image->grants)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = make_grant(builder, named[i].policy, named[i].id, &image->grants[i]);

		if (r == -E2BIG)
			return complain(problems, named[i].policy,
					"use fewer or wider networks and port ranges",
					"policy %s does not fit: the tables hold %u networks and "
					"%u blocks of ports in all", named[i].policy->name,
					PH_IMAGE_PREFIXES_MAX, PH_IMAGE_CHUNKS_MAX);
		if (r < 0)
			return r;
		image->n_grants++;
	}
	if (image->n_prefixes)
		qsort(image->prefixes, image->n_prefixes, sizeof(*image->prefixes),
		      compare_prefixes);
	return 0;
}

int image_compile(const struct ph_policy_set *set, struct ph_image *ret,
		  struct ph_problems *problems)
{
	cleanup_(builder_donep) struct builder builder = {};
	cleanup_free struct named *named = NULL;
	int r;

	named = calloc(set->n + 1, sizeof(*named));
	if (!named)
		return -ENOMEM;
	r = list_policies(set, problems, named);
	if (r < 0)
		return r;
	r = make_sources(&builder.image, set);
	if (r < 0)
		return r;
	r = make_grants(&builder, named, set->n, problems);
	if (r < 0)
		return r;
	r = make_names(&builder.image, named, set->n, problems);
	if (r < 0)
		return r;
	hash_image(&builder.image);
	*ret = builder.image;
	builder.image = (struct ph_image){};
	return 0;
}
