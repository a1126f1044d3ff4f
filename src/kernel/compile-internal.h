/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_COMPILE_INTERNAL_H
#define PH_COMPILE_INTERNAL_H
/*
 * What the files of the compiler (compile*.c) share. All functions that can fail return -ENOMEM,
 * or -E2BIG where a table is full.
 */
#include "kernel/compile.h"

#include <errno.h>
#include <stdlib.h>

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
	} * v;
	size_t n, n_allocated;
	uint32_t *index; /* hash -> position + 1; open addressing */
	size_t n_index;
};

enum side {
	SIDE_TO,
	SIDE_ON,
	SIDE_FROM,
};

/* A network around the present one: see compile-prefixes.c. */
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
	struct words active; /* the rules that grant at the present network */
	struct lists known; /* sets of such rules, and what each grants */
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
	struct lists sets; /* lists of spans */
	struct ph_ports *placed; /* where each of them lies */
	size_t n_placed_allocated;
	struct walk outer; /* the addresses of a plane */
	struct walk peers; /* the peers in one region of it */
};

/* A policy of the set. */
struct member {
	uint64_t id;
	const struct ph_policy *policy;
};

/* --- compile.c */

/* Adds an error at the policy; -EINVAL, or -ENOMEM. */
__attribute__((format(printf, 4, 5))) int complain(struct ph_problems *problems,
						   const struct ph_policy *policy,
						   const char *remedy, const char *format, ...);

/* --- compile-lists.c */

#define RESERVE(array, n_allocated, n) \
	array_reserve((void **)&(array), &(n_allocated), (n), sizeof(*(array)))

int array_reserve(void **array, size_t *n_allocated, size_t n, size_t size);
int words_push(struct words *words, uint32_t word);
int words_append(struct words *words, const uint32_t *v, size_t n);

void lists_done(struct lists *lists);
void lists_clear(struct lists *lists);

/* The list's position in *ret; 1: it is new, 0: it was known. v may not lie in `lists`. */
int lists_add(struct lists *lists, const uint32_t *v, size_t n, size_t *ret);

/* --- compile-hash.c */

void image_hash(struct ph_image *image);

/* --- compile-ports.c: builder->spans collects, ports_make() uses it up */

int spans_add_rule(struct builder *builder, const struct ph_rule *rule);
void ports_init(struct ph_ports *ports); /* none */
int ports_make(struct builder *builder, struct ph_ports *ret);

/* --- compile-prefixes.c */

void walk_done(struct walk *walk);

/* `except` takes away from the list right before it. */
enum side rule_except_side(const struct ph_rule *rule);

/* The prefixes of walk->rules on walk->side, under walk->scope. */
uint32_t scope_new(struct builder *builder);
int scope_make(struct builder *builder, struct walk *walk);
void prefixes_sort(struct ph_image *image);

/* --- compile-traits.c */

/* By which of the things it asks for a policy is found; the others are its conditions. */
enum ph_trait_kind primary_trait(const struct ph_match *match);

struct ph_trait name_trait(const char *comm);

/* The trait table, and what of it the header says. */
int traits_make(struct ph_image *image, const struct member *members, size_t n,
		struct ph_problems *problems);

/* --- compile-grants.c */

int grant_make(struct builder *builder, const struct ph_policy *policy, uint64_t id,
	       struct ph_grant *grant);

#endif
