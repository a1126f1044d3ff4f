// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses -> prefixes.
 *
 * The networks that the rules of one plane name, `except` networks included, are sorted so that
 * each comes right after those around it, and are walked with a stack of the networks around the
 * present one. A frame of the stack knows which rules cover it and which of those except it; what
 * is left is what is granted at an address for which this is the longest prefix. A prefix that
 * would say the same as the one around it is left out. Where bind rules limit their peers, the
 * peers of each different combination of such rules are a scope of their own, made by the same
 * walk.
 */
#include "kernel/compile-internal.h"

#include <string.h>

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

void walk_done(struct walk *walk)
{
	free(walk->rules.v);
	free(walk->touches);
	free(walk->states.v);
	free(walk->active.v);
	free(walk->values);
	lists_done(&walk->known);
}

static const struct ph_cidrs *side_list(const struct ph_rule *rule, enum side side)
{
	return side == SIDE_TO ? &rule->to : side == SIDE_ON ? &rule->on : &rule->from;
}

/* `except` takes away from the list right before it. */
enum side rule_except_side(const struct ph_rule *rule)
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
		if (list->v[i].family == family && add_touch(walk, rule, &list->v[i], flag) < 0)
			return -ENOMEM;
	return 0;
}

/* The networks that a rule names on this side; without a list, the network of all addresses. */
static int touch_rule(struct builder *builder, struct walk *walk, uint32_t position, uint8_t family)
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
	if (rule_except_side(rule) != walk->side)
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
	if (RESERVE(walk->states.v, walk->states.n_allocated, end + parent->n_state + n_touches) <
	    0)
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

uint32_t scope_new(struct builder *builder)
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
	peers->scope = scope_new(builder);
	peers->rules.n = 0;
	if (words_append(&peers->rules, rules->v, rules->n) < 0)
		return -ENOMEM;
	r = scope_make(builder, peers);
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
			if (spans_add_rule(builder, &builder->policy->rules[walk->active.v[i]]) < 0)
				return -ENOMEM;
		r = ports_make(builder, &value.ports);
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

int scope_make(struct builder *builder, struct walk *walk)
{
	int r;

	lists_clear(&walk->known);
	r = make_family(builder, walk, 4);
	if (r < 0)
		return r;
	return make_family(builder, walk, 6);
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

void prefixes_sort(struct ph_image *image)
{
	if (image->n_prefixes)
		qsort(image->prefixes, image->n_prefixes, sizeof(*image->prefixes),
		      compare_prefixes);
}
