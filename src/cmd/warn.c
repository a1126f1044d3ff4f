// SPDX-License-Identifier: GPL-2.0-or-later
/* What `check` would warn of, told by the verbs that put policies in force. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/change.h"
#include "meeting.h"
#include "policy/check.h"
#include "policy/paths.h"
#include "policy/resolve.h"
#include "presence.h"
#include "util/cleanup.h"

#define WARNINGS_SHOWN 20u
#define DNS_PORT 53

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
	(void)fflush(stdout);
	if (problems_add_lines(&first, 0) || problems_format(&first, &text))
		return;
	(void)fputs(text, stderr);
	if (problems->n_warnings > first.n)
		(void)fprintf(stderr, "and %zu more warnings; porthold check tells them\n",
			      problems->n_warnings - first.n);
}

int find_remarks(const struct ph_policy_set *set, const struct ph_policy_set *known,
		 const struct ph_edits *edits, struct ph_problems *ret)
{
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	const char *none = NULL;
	int r, presence;

	/* Without resolvers nothing is said of DNS. */
	if (!resolvers_read(PH_RESOLV_CONF, &resolvers, &none))
		owned = resolvers.v;
	presence = presence_check(set, known, ret);
	r = meeting_check(set, known, ret);
	if (!r)
		r = policy_set_check(set, known, &resolvers, ret);
	/* Also of policies that are the same: what the word in them means is not. */
	if (!r)
		r = resolvers_warn(set, PH_RESOLV_CONF, none, ret);
	for (size_t i = 0; !r && i < PH_DIRECTORIES; i++)
		r = paths_warn_of_others(ph_directories[i], ret);
	if (!r)
		r = name_origins(edits, ret);
	return r ? r : presence;
}

static bool has_port(const struct ph_rule *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->n_ranges; i++)
		if (rule->ranges[i].lo <= port && port <= rule->ranges[i].hi)
			return true;
	return false;
}

enum ph_dns ports_reach_dns(const struct ph_policy *policy)
{
	enum ph_dns reach = PH_DNS_NONE;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct ph_rule *rule = &policy->rules[i];

		if (rule->kind == PH_RULE_DNS ||
		    (rule->proto == PH_PROTO_UDP && has_port(rule, DNS_PORT)))
			return PH_DNS_UDP;
		if (has_port(rule, DNS_PORT))
			reach = PH_DNS_TCP;
	}
	return reach;
}
