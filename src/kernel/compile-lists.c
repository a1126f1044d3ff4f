// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of the compiler: arrays that grow, and lists of words, each different one kept once.
 */
#include "kernel/compile-internal.h"

#include <string.h>

int array_reserve(void **array, size_t *n_allocated, size_t n, size_t size)
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

int words_push(struct words *words, uint32_t word)
{
	if (RESERVE(words->v, words->n_allocated, words->n + 1) < 0)
		return -ENOMEM;
	words->v[words->n++] = word;
	return 0;
}

int words_append(struct words *words, const uint32_t *v, size_t n)
{
	if (RESERVE(words->v, words->n_allocated, words->n + n) < 0)
		return -ENOMEM;
	if (n)
		memcpy(words->v + words->n, v, n * sizeof(*v));
	words->n += n;
	return 0;
}

void lists_done(struct lists *lists)
{
	free(lists->words.v);
	free(lists->v);
	free(lists->index);
	*lists = (struct lists){};
}

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
int lists_add(struct lists *lists, const uint32_t *v, size_t n, size_t *ret)
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
void lists_clear(struct lists *lists)
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
