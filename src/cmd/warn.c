// SPDX-License-Identifier: GPL-2.0-or-later
/* What `check` would warn of, told by the verbs that put policies in force. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/change.h"
#include "policy/check.h"
#include "policy/resolve.h"
#include "util/cleanup.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define WARNINGS_SHOWN 20u
#define DNS_PORT 53

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

/* Where the text was read, which whoever is warned can change. */
static const char *origin_of(const struct ph_edits *edits, const char *path)
{
	for (size_t i = 0; i < edits->n; i++)
		if (edits->v[i].origin && !strcmp(edits->v[i].path, path))
			return edits->v[i].origin;
	return NULL;
}

static int name_origins(const struct ph_edits *edits, struct ph_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		const char *origin = origin_of(edits, problems->v[i].file);
		char *copy = origin ? strdup(origin) : NULL;

		if (origin && !copy)
			return -ENOMEM;
		if (!copy)
			continue;
		free(problems->v[i].file);
		problems->v[i].file = copy;
	}
	return 0;
}

void print_warnings(const struct ph_problems *problems)
{
	struct ph_problems first = *problems;
	cleanup_free char *text = NULL;

	if (first.n > WARNINGS_SHOWN)
		first.n = WARNINGS_SHOWN;
	first.n_left_out = 0;
	if (problems_add_lines(&first, 0) || problems_format(&first, &text))
		return;
	(void)fputs(text, stderr);
	if (problems->n_warnings > first.n)
		(void)fprintf(stderr, "and %zu more warnings; porthold check tells them\n",
			      problems->n_warnings - first.n);
}

void warn_of_policies(const struct ph_policy_set *set, const struct ph_policy_set *known,
		      const struct ph_edits *edits)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};

	/* Without resolvers nothing is said of DNS. */
	if (!resolvers_read(RESOLV_CONF, &resolvers))
		owned = resolvers.v;
	if (!policy_set_check(set, known, &resolvers, &problems) && !name_origins(edits, &problems))
		print_warnings(&problems);
}

bool ports_allow_dns(const struct ph_policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t j = 0; j < policy->rules[i].n_ranges; j++)
			if (policy->rules[i].ranges[j].lo <= DNS_PORT &&
			    DNS_PORT <= policy->rules[i].ranges[j].hi)
				return true;
	return false;
}
