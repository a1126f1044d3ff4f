// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whom policies confine -> the trait table: for each trait, the policies that it brings.
 */
#include "kernel/compile-internal.h"

#include <string.h>

#include "kernel/decide.h"
#include "util/cleanup.h"

/* A trait of one policy. */
struct bringer {
	struct ph_trait trait;
	uint64_t id;
	const struct ph_policy *policy;
};

/* --- The traits of one policy */

/* What sticks comes first: it is found once, and the others are asked only then. */
enum ph_trait_kind primary_trait(const struct ph_match *match)
{
	if (match->comm[0])
		return match->exe ? PH_TRAIT_NAMED_PATH : PH_TRAIT_COMM;
	if (match->exe)
		return PH_TRAIT_PATH;
	if (match->unit)
		return PH_TRAIT_UNIT;
	return match->cgroup ? PH_TRAIT_CGROUP : PH_TRAIT_UID;
}

struct ph_trait name_trait(const char *comm)
{
	struct ph_trait trait = {};

	memcpy(&trait, comm, strnlen(comm, PH_COMM_MAX));
	return trait;
}

static struct ph_trait trait_of(const struct ph_match *match)
{
	struct ph_trait name = name_trait(match->comm);
	unsigned levels;

	switch (primary_trait(match)) {
	case PH_TRAIT_COMM:
		return name;
	case PH_TRAIT_NAMED_PATH:
		return ph_trait(PH_TRAIT_NAMED_PATH,
				ph_with_name(exe_path_hash(match->exe, &levels), &name));
	case PH_TRAIT_PATH:
		return ph_trait(PH_TRAIT_PATH, exe_path_hash(match->exe, &levels));
	case PH_TRAIT_UNIT:
		return ph_trait(PH_TRAIT_UNIT, component_hash(match->unit, strlen(match->unit)));
	case PH_TRAIT_CGROUP:
		return ph_trait(PH_TRAIT_CGROUP, cgroup_path_hash(match->cgroup, &levels));
	default:
		break;
	}
	return ph_trait(PH_TRAIT_UID, match->uid);
}

/* --- The table */

static int compare_traits(const struct ph_trait *x, const struct ph_trait *y)
{
	for (size_t i = 0; i < PH_COMM_LEN / 8; i++)
		if (x->word[i] != y->word[i])
			return x->word[i] < y->word[i] ? -1 : 1;
	return 0;
}

static int compare_bringers(const void *a, const void *b)
{
	const struct bringer *x = a, *y = b;
	int order = compare_traits(&x->trait, &y->trait);

	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static uint32_t feature_of(const struct ph_trait *trait)
{
	static const uint32_t features[] = {
		[PH_TRAIT_COMM] = PH_FEATURE_COMM,
		[PH_TRAIT_UID] = PH_FEATURE_UID | PH_FEATURE_BY_UID,
		[PH_TRAIT_CGROUP] = PH_FEATURE_CGROUP | PH_FEATURE_BY_CGROUP,
		[PH_TRAIT_UNIT] = PH_FEATURE_CGROUP | PH_FEATURE_BY_CGROUP,
		[PH_TRAIT_PATH] = PH_FEATURE_EXE,
		[PH_TRAIT_NAMED_PATH] = PH_FEATURE_EXE | PH_FEATURE_NAMED_EXE,
	};

	return features[trait->word[1] >> 56];
}

static void print_trait(FILE *stream, const struct ph_match *match)
{
	switch (primary_trait(match)) {
	case PH_TRAIT_COMM:
		(void)fprintf(stream, "the name %s", match->comm);
		break;
	case PH_TRAIT_NAMED_PATH:
		(void)fprintf(stream, "the name %s and the program %s", match->comm, match->exe);
		break;
	case PH_TRAIT_PATH:
		(void)fprintf(stream, "the program %s", match->exe);
		break;
	case PH_TRAIT_UNIT:
		(void)fprintf(stream, "the unit %s", match->unit);
		break;
	case PH_TRAIT_CGROUP:
		(void)fprintf(stream, "the cgroup %s", match->cgroup);
		break;
	default:
		(void)fprintf(stream, "the uid %u", match->uid);
		break;
	}
}

static int complain_crowd(const struct bringer *crowd, size_t n, struct ph_problems *problems)
{
	size_t shown = PH_LABEL_MAX + 1;
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *stream;

	stream = open_memstream(&text, &len);
	if (!stream)
		return -ENOMEM;
	print_trait(stream, &crowd->policy->match);
	for (size_t i = 0; i < shown; i++) {
		const struct ph_policy *policy = crowd[i].policy;

		fprintf(stream, "%s%s", i ? ", " : ": ", policy->name);
		if (policy->file)
			fprintf(stream, " (%s:%u)", policy->file, policy->line);
	}
	if (n > shown)
		fprintf(stream, " and %zu more", n - shown);
	if (fclose(stream))
		return -ENOMEM;
	return complain(problems, crowd[shown - 1].policy, "put their rules into fewer policies",
			"more than %d policies match %s", PH_LABEL_MAX, text);
}

static void add_trait(struct ph_image *image, const struct bringer *bringers, size_t n)
{
	struct ph_image_trait *trait = &image->traits[image->n_traits++];
	uint64_t hash = ph_trait_hash(&bringers->trait);

	*trait = (struct ph_image_trait){ .key = bringers->trait, .value.count = n };
	for (size_t i = 0; i < n; i++)
		trait->value.id[i] = bringers[i].id;
	image->filter[ph_filter_word(hash)] |= ph_filter_bits(hash);
	image->header.features |= feature_of(&bringers->trait);
}

/* Takes what is sorted by trait. */
static int make_table(struct ph_image *image, const struct bringer *bringers, size_t n_bringers,
		      struct ph_problems *problems)
{
	int r, answer = 0;

	image->filter = calloc(PH_FILTER_WORDS, sizeof(*image->filter));
	image->traits = calloc(n_bringers + 1, sizeof(*image->traits));
	if (!image->filter || !image->traits)
		return -ENOMEM;
	for (size_t i = 0, n; i < n_bringers; i += n) {
		for (n = 1; i + n < n_bringers; n++)
			if (compare_traits(&bringers[i].trait, &bringers[i + n].trait))
				break;
		if (n <= PH_LABEL_MAX) {
			add_trait(image, &bringers[i], n);
			continue;
		}
		r = complain_crowd(&bringers[i], n, problems);
		if (r == -ENOMEM)
			return r;
		answer = r;
	}
	return answer;
}

int traits_make(struct ph_image *image, const struct member *members, size_t n,
		struct ph_problems *problems)
{
	cleanup_free struct bringer *bringers = calloc(n + 1, sizeof(*bringers));
	size_t n_bringers = 0;

	if (!bringers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!members[i].policy->match.run)
			bringers[n_bringers++] = (struct bringer){
				.trait = trait_of(&members[i].policy->match),
				.id = members[i].id,
				.policy = members[i].policy,
			};
	if (n_bringers)
		qsort(bringers, n_bringers, sizeof(*bringers), compare_bringers);
	return make_table(image, bringers, n_bringers, problems);
}
