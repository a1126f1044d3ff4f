// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies -> image: the set as a whole, its names and its sources. How a policy becomes a grant is
 * in compile-grants.c, ports are in compile-ports.c, addresses in compile-prefixes.c.
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

/* --- Policies and names */

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
		int r = grant_make(builder, named[i].policy, named[i].id, &image->grants[i]);

		if (r == -E2BIG)
			return complain(problems, named[i].policy,
					"use fewer or wider networks and port ranges",
					"policy %s does not fit: the tables hold %u networks and "
					"%u blocks of ports in all",
					named[i].policy->name, PH_IMAGE_PREFIXES_MAX,
					PH_IMAGE_CHUNKS_MAX);
		if (r < 0)
			return r;
		image->n_grants++;
	}
	prefixes_sort(image);
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
	image_hash(&builder.image);
	*ret = builder.image;
	builder.image = (struct ph_image){};
	return 0;
}
