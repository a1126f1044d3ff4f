// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies -> image: the set as a whole and its sources. Whom a policy confines is in
 * compile-traits.c, how it becomes a grant in compile-grants.c, ports are in compile-ports.c,
 * addresses in compile-prefixes.c.
 *
 * Everything is made in the order of ids, and numbers are given in that order, so the same content
 * makes the same image. A function that fails leaves half-made tables behind; image_compile() alone
 * hands out or throws away.
 */
#include "kernel/compile-internal.h"

#include <stdarg.h>
#include <string.h>

#include "kernel/decide.h"
#include "util/cleanup.h"

static void builder_done(struct builder *builder)
{
	image_done(&builder->image);
	free(builder->spans.v);
	lists_done(&builder->sets);
	free(builder->placed);
	walk_done(&builder->outer);
	walk_done(&builder->peers);
}

DEFINE_CLEANUP_DONE(struct builder, builder_done);

void image_done(struct ph_image *image)
{
	free(image->filter);
	free(image->traits);
	free(image->grants);
	free(image->chunks);
	free(image->prefixes);
	free(image->sources);
	free(image->programs);
	free(image->strings);
	*image = (struct ph_image){};
}

/* --- Problems */

int complain(struct ph_problems *problems, const struct ph_policy *policy, const char *remedy,
	     const char *format, ...)
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

/* --- Policies */

/* Of what begins with its id. */
static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int check_policy(const struct ph_policy *policy, struct ph_problems *problems)
{
	unsigned levels = 0, components = 0;

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
	if (policy->match.exe)
		(void)exe_path_hash(policy->match.exe, &components);
	if (components > PH_EXE_DEPTH)
		return complain(problems, policy, "put the program further up",
				"policy %s: the program lies %u folders deep, more than %d",
				policy->name, components, PH_EXE_DEPTH);
	return 0;
}

/* Every policy with its id, by id. */
static int list_policies(const struct ph_policy_set *set, struct ph_problems *problems,
			 struct member *members)
{
	int r, answer = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];

		members[i] = (struct member){ .id = policy_id(policy), .policy = policy };
		r = check_policy(policy, problems);
		if (r == -ENOMEM)
			return r;
		answer = r ? r : answer;
	}
	if (set->n)
		qsort(members, set->n, sizeof(*members), compare_ids);
	for (size_t i = 1; i < set->n; i++) {
		if (members[i].id != members[i - 1].id)
			continue;
		r = complain(problems, members[i].policy, "rename one of them",
			     "policies %s and %s have the same id %016llx",
			     members[i - 1].policy->name, members[i].policy->name,
			     (unsigned long long)members[i].id);
		if (r == -ENOMEM)
			return r;
		answer = r;
	}
	return answer;
}

struct ph_image_program policy_program(const struct ph_policy *policy)
{
	return (struct ph_image_program){
		.exe = policy->match.exe,
		.name = name_trait(policy->match.comm),
		.id = policy_id(policy),
	};
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
		size += policy->match.exe ? strlen(policy->match.exe) + 1 : 0;
		if (policy->file && policy->file != file)
			size += strlen(policy->file) + 1;
		file = policy->file;
	}
	image->sources = calloc(set->n + 1, sizeof(*image->sources));
	image->programs = calloc(set->n + 1, sizeof(*image->programs));
	image->strings = malloc(size);
	if (!image->sources || !image->programs || !image->strings)
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
		if (!policy->match.exe)
			continue;
		image->programs[image->n_programs] = policy_program(policy);
		image->programs[image->n_programs++].exe = take_string(&space, policy->match.exe);
	}
	if (set->n)
		qsort(image->sources, set->n, sizeof(*image->sources), compare_ids);
	return 0;
}

static int make_grants(struct builder *builder, const struct member *members, size_t n,
		       struct ph_problems *problems)
{
	struct ph_image *image = &builder->image;

	image->grants = calloc(n + 1, sizeof(*image->grants));
	if (!image->grants)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = grant_make(builder, members[i].policy, members[i].id, &image->grants[i]);

		if (r == -E2BIG)
			return complain(problems, members[i].policy,
					"use fewer or wider networks and port ranges",
					"policy %s does not fit: the tables hold %u networks and "
					"%u blocks of ports in all",
					members[i].policy->name, PH_IMAGE_PREFIXES_MAX,
					PH_IMAGE_CHUNKS_MAX);
		if (r < 0)
			return r;
		image->grants[i].index = image->n_grants++;
	}
	prefixes_sort(image);
	return 0;
}

int image_compile(const struct ph_policy_set *set, struct ph_image *ret,
		  struct ph_problems *problems)
{
	cleanup_(builder_donep) struct builder builder = {};
	cleanup_free struct member *members = NULL;
	int r;

	members = calloc(set->n + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	r = list_policies(set, problems, members);
	if (r < 0)
		return r;
	r = make_sources(&builder.image, set);
	if (r < 0)
		return r;
	r = make_grants(&builder, members, set->n, problems);
	if (r < 0)
		return r;
	r = traits_make(&builder.image, members, set->n, problems);
	if (r < 0)
		return r;
	image_hash(&builder.image);
	*ret = builder.image;
	builder.image = (struct ph_image){};
	return 0;
}
