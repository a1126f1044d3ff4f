// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/edit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/diff.h"
#include "policy/parse.h"
#include "policy/yaml.h"
#include "util/cleanup.h"

#define NAME "(edited)" /* of the text, in messages that nobody reads */

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

/* A value in the text, from its first character to behind its last, quotes included. */
struct span {
	size_t begin, end;
};

/* Where a policy stands. */
struct found {
	bool is_there;
	bool in_braces; /* {name: NAME, ...} */
	unsigned indent; /* characters before its first key */
	struct span name;
	struct span mode; /* empty: it has none */
};

struct search {
	struct ph_source source;
	struct ph_yaml yaml;
	const char *policy;
	struct found found;
};

static void search_done(struct search *search)
{
	yaml_done(&search->yaml);
}

DEFINE_CLEANUP_DONE(struct search, search_done);

/* --- Finding it */

static bool item_is(const struct ph_yaml_item *item, const char *word)
{
	return item->type == PH_YAML_SCALAR && item->len == strlen(word) &&
	       !memcmp(item->text, word, item->len);
}

/* The place of a quoted one is behind the quote. */
static struct span span_of(const struct search *search, const struct ph_yaml_item *item)
{
	const char *text = search->source.text, *at = text + item->place.offset, *end;
	char before = item->place.offset ? at[-1] : 0;

	if (before != '"' && before != '\'')
		return (struct span){ item->place.offset, item->place.offset + item->len };
	end = strchr(at, before);
	return (struct span){ item->place.offset - 1, end ? (size_t)(end + 1 - text) : 0 };
}

static int read_field(struct search *search, const struct ph_yaml_item *key, struct found *policy)
{
	bool is_name = item_is(key, "name"), is_mode = item_is(key, "mode");
	struct ph_yaml_item value;
	int r;

	if (!policy->indent)
		policy->indent = key->place.column - 1;
	r = yaml_next(&search->yaml, &value);
	if (r)
		return r;
	if (is_name) {
		policy->name = span_of(search, &value);
		policy->is_there = item_is(&value, search->policy);
	}
	if (is_mode)
		policy->mode = span_of(search, &value);
	return yaml_skip(&search->yaml, &value);
}

static int read_policy(struct search *search, const struct ph_yaml_item *item)
{
	struct found policy = { .in_braces = search->source.text[item->place.offset] == '{' };
	struct ph_yaml_item key;
	int r;

	if (item->type != PH_YAML_MAPPING)
		return yaml_skip(&search->yaml, item);
	while (!(r = yaml_next(&search->yaml, &key)) && key.type != PH_YAML_END) {
		r = read_field(search, &key, &policy);
		if (r)
			return r;
	}
	if (policy.is_there)
		search->found = policy;
	return r;
}

static int read_policies(struct search *search, const struct ph_yaml_item *list)
{
	struct ph_yaml_item item;
	int r;

	if (list->type != PH_YAML_SEQUENCE)
		return yaml_skip(&search->yaml, list);
	while (!(r = yaml_next(&search->yaml, &item)) && item.type != PH_YAML_END) {
		r = read_policy(search, &item);
		if (r)
			return r;
	}
	return r;
}

static int read_file(struct search *search)
{
	struct ph_yaml_item item, value;
	bool wanted;
	int r = yaml_next(&search->yaml, &item);

	if (r || item.type != PH_YAML_MAPPING)
		return r ? r : -EINVAL;
	while (!(r = yaml_next(&search->yaml, &item)) && item.type != PH_YAML_END) {
		wanted = item_is(&item, "policies");
		r = yaml_next(&search->yaml, &value);
		if (!r)
			r = wanted ? read_policies(search, &value) :
				     yaml_skip(&search->yaml, &value);
		if (r)
			return r;
	}
	return r;
}

/* *ret_skipped: what the source has left out at the text's begin, a byte order mark. */
static int find(const char *text, const char *policy, struct found *ret, size_t *ret_skipped)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_(search_donep) struct search search = {
		.source = { NAME, text, strlen(text), &ignored },
		.policy = policy,
	};
	int r = source_check(&search.source);

	if (!r)
		r = yaml_open(&search.yaml, &search.source);
	if (!r)
		r = read_file(&search);
	if (r)
		return r;
	*ret = search.found;
	*ret_skipped = (size_t)(search.source.text - text);
	return 0;
}

/* --- Changing it */

static int replace(const char *text, struct span span, const char *by, char **ret)
{
	return asprintf(ret, "%.*s%s%s", (int)span.begin, text, by, text + span.end) < 0 ? -ENOMEM :
											   0;
}

/* Behind the name: in the same braces, or in a line of its own. */
static int insert_mode(const char *text, const struct found *found, const char *mode, char **ret)
{
	const char *end = text + found->name.end;
	cleanup_free char *line = NULL;
	const char *line_end;
	struct span here;

	if (!found->in_braces)
		end += strcspn(end, "\r\n");
	line_end = strncmp(end, "\r\n", 2) ? "\n" : "\r\n";
	here = (struct span){ (size_t)(end - text), (size_t)(end - text) };
	if (found->in_braces ?
		    asprintf(&line, ", mode: %s", mode) < 0 :
		    asprintf(&line, "%s%*smode: %s", line_end, (int)found->indent, "", mode) < 0)
		return -ENOMEM;
	return replace(text, here, line, ret);
}

static int parse(const char *text, struct ph_policy_set *ret)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};

	return policy_parse_text(NAME, text, strlen(text), ret, &ignored);
}

/* Whether the one text says what the other says, but for that mode. */
static int compare(const char *old, const char *new, const char *policy, enum ph_policy_mode mode)
{
	cleanup_(policy_set_donep) struct ph_policy_set before = {}, after = {};
	int r = parse(old, &before);

	if (!r)
		r = parse(new, &after);
	if (r)
		return r == -EINVAL ? -EOPNOTSUPP : r;
	if (before.n != after.n || !policy_set_find(&before, policy))
		return -EOPNOTSUPP;
	policy_set_find(&before, policy)->mode = mode;
	for (size_t i = 0; i < before.n; i++)
		if (!policy_equal(&before.policies[i], &after.policies[i]))
			return -EOPNOTSUPP;
	return 0;
}

int edit_mode(const char *text, const char *policy, enum ph_policy_mode mode, char **ret)
{
	cleanup_free char *new = NULL;
	struct found found = {};
	size_t skipped = 0;
	int r = find(text, policy, &found, &skipped);

	if (r)
		return r;
	if (!found.is_there)
		return -ENOENT;
	found.name.end += skipped;
	found.mode.begin += skipped;
	found.mode.end += skipped;
	r = found.mode.end > found.mode.begin ?
		    replace(text, found.mode, policy_mode_name(mode), &new) :
		    insert_mode(text, &found, policy_mode_name(mode), &new);
	if (!r)
		r = compare(text, new, policy, mode);
	if (!r)
		*ret = TAKE_PTR(new);
	return r;
}
