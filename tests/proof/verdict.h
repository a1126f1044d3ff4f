/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROOF_VERDICT_H
#define PROOF_VERDICT_H
/*
 * bpf/verdict.h over tables of a few entries, of which nothing else is known. The look-ups are the two
 * that whoever includes it has to bring.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi.h"
#include "proof.h"

#ifndef CHUNKS
#define CHUNKS 4
#endif
#ifndef PREFIXES
#define PREFIXES 3
#endif

struct proof_tables {
	struct ph_chunk chunk[CHUNKS + 1];
	struct {
		struct ph_prefix_key key;
		struct ph_prefix value;
	} prefix[PREFIXES];
};

typedef const struct proof_tables *ph_tables;

#include "../../bpf/verdict.h"

static inline const struct ph_chunk *ph_find_chunk(ph_tables tables, __u32 place)
{
	return CHUNKS && place < CHUNKS ? &tables->chunk[place] : NULL;
}

static bool is_same(const struct ph_prefix_key *a, const struct ph_prefix_key *b)
{
	return a->prefixlen == b->prefixlen && a->scope == b->scope && a->word[0] == b->word[0] &&
	       a->word[1] == b->word[1] && a->word[2] == b->word[2] && a->word[3] == b->word[3];
}

/*
 * What the longest network around an address carries is some function of scope and address: which one
 * is the trie's matter. No flow asks for more than three.
 */
static inline const struct ph_prefix *ph_find_prefix(ph_tables tables,
						     const struct ph_prefix_key *key)
{
	static struct ph_prefix found; /* one place: a pointer that may lead to several is dear */
	bool any = false;

	for (unsigned i = 0; i < PREFIXES; i++)
		if (is_same(&tables->prefix[i].key, key)) {
			found = tables->prefix[i].value;
			any = true;
		}
	return any ? &found : NULL;
}

#endif
