// SPDX-License-Identifier: GPL-2.0-or-later
#include "tables.h"

#include <assert.h>
#include <string.h>

#include "kernel/decide.h"
#include "policy/parse.h"

static struct ph_image image;
static uint64_t ids[PH_LABEL_MAX];

void tables_open(const char *policies)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};

	assert(policy_parse_text("words", policies, strlen(policies), &set, &problems) == 0);
	assert(image_compile(&set, &image, &problems) == 0);
	for (size_t i = 0; i < set.n; i++)
		ids[i] = policy_id(&set.policies[i]);
	policy_set_done(&set);
	problems_done(&problems);
}

unsigned long long tables_id(unsigned i)
{
	return ids[i];
}

const void *tables_grant(unsigned index)
{
	return index < image.n_grants ? &image.grants[index] : NULL;
}

const void *tables_index(unsigned long long id)
{
	const struct ph_grant *grant = image_find_grant(&image, id);

	return grant ? &grant->index : NULL;
}

const void *tables_chunk(unsigned place)
{
	return ph_find_chunk(&image, place);
}

const void *tables_prefix(const void *key)
{
	return image_find_prefix(&image, key);
}
