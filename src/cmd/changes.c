// SPDX-License-Identifier: GPL-2.0-or-later
/* What an apply changes: found as JSON, of which the text is printed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "cmd/change.h"
#include "kernel/decide.h"
#include "kernel/labels.h"
#include "policy/diff.h"
#include "policy/resolve.h"
#include "policy/text.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_diff, diff_done);

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* --- Policies */

static json_t *rules_json(const struct ph_rule *const *rules, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *text = NULL;

		if (!rule_format(rules[i], &text))
			(void)json_array_append_new(list, json_string(text));
	}
	return list;
}

/* [before, after], where they differ. */
static void add_pair(json_t *object, const char *key, const char *before, const char *after)
{
	(void)json_object_set_new(object, key, json_pack("[s, s]", before, after));
}

/* Of a policy that comes: the place of another one of its name, which does not count. */
static json_t *overruled_json(const struct ph_policy *policy)
{
	return policy->overruled_file ?
		       json_sprintf("%s:%u", policy->overruled_file, policy->overruled_line) :
		       NULL;
}

static json_t *changed_json(const struct ph_change *change)
{
	json_t *object = json_pack("{s:s, s:s, s:o*, s:s?, s:i, s:b, s:o, s:o}", "name",
				   change->after->name, "change", "changed", "overrules",
				   overruled_json(change->after), "file", change->after->file,
				   "line", (int)change->after->line, "match_changed",
				   (change->changed & PH_CHANGED_MATCH) != 0, "rules_added",
				   rules_json(change->added, change->n_added), "rules_removed",
				   rules_json(change->removed, change->n_removed));

	if (change->changed & PH_CHANGED_MODE)
		add_pair(object, "mode", policy_mode_name(change->before->mode),
			 policy_mode_name(change->after->mode));
	if (change->changed & PH_CHANGED_CHILDREN)
		add_pair(object, "children", policy_children_name(change->before->children),
			 policy_children_name(change->after->children));
	return object;
}

static json_t *change_json(const struct ph_change *change)
{
	const struct ph_policy *one = change->after ? change->after : change->before;

	if (change->before && change->after)
		return changed_json(change);
	return json_pack("{s:s, s:s, s:o*, s:s?, s:i, s:s, s:o}", "name", one->name, "change",
			 change->after ? "added" : "removed", "overrules",
			 change->after ? overruled_json(one) : NULL, "file", one->file, "line",
			 (int)one->line, "mode", policy_mode_name(one->mode),
			 change->after ? "rules_added" : "rules_removed",
			 rules_of_policy_json(one));
}

/* --- Processes */

struct side {
	struct ph_bench bench;
	struct ph_labels labels; /* by pid */
};

struct ids {
	uint64_t *v;
	size_t n;
};

static void ids_done(struct ids *ids)
{
	free(ids->v);
}

static void side_done(struct side *side)
{
	bench_done(&side->bench);
	labels_done(&side->labels);
}

static int compare_pids(const void *a, const void *b)
{
	const struct ph_labelled *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int side_make(const struct ph_policy_set *set, const struct ph_cidrs *resolvers,
		     struct side *side)
{
	struct ph_problems problems = {};
	int r = bench_prepare(set, resolvers, &side->bench, &problems);

	problems_done(&problems);
	if (!r)
		r = labels_expect(&side->bench.image, &side->labels);
	if (!r && side->labels.n)
		qsort(side->labels.v, side->labels.n, sizeof(*side->labels.v), compare_pids);
	return r;
}

static bool holds(const struct ph_ids *ids, uint64_t id)
{
	for (__u32 i = 0; i < ids->count && i < PH_LABEL_MAX; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}

static bool same_ids(const struct ph_ids *a, const struct ph_ids *b)
{
	if (a->count != b->count)
		return false;
	for (__u32 i = 0; i < a->count && i < PH_LABEL_MAX; i++)
		if (!holds(b, a->id[i]))
			return false;
	return true;
}

static bool has_altered(const struct ph_ids *ids, const struct ids *altered)
{
	for (__u32 i = 0; i < ids->count && i < PH_LABEL_MAX; i++)
		if (bsearch(&ids->id[i], altered->v, altered->n, sizeof(*altered->v), compare_ids))
			return true;
	return false;
}

static json_t *names_json(const struct side *side, const struct ph_labelled *label)
{
	json_t *names = json_array();

	for (__u32 i = 0; label && i < label->policies.count && i < PH_LABEL_MAX; i++) {
		const struct ph_image_source *source =
			image_find_source(&side->bench.image, label->policies.id[i]);

		if (source)
			(void)json_array_append_new(names, json_string(source->name));
	}
	return names;
}

/* Or is a zombie, which calls nothing any more. */
static bool has_ended(uint32_t pid)
{
	cleanup_fclose FILE *file = NULL;
	char path[64], stat[512] = "";
	const char *at;

	(void)snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file || !fread(stat, 1, sizeof(stat) - 1, file))
		return true;
	/* The name may hold what it likes; behind its last parenthesis stands the state. */
	at = strrchr(stat, ')');
	return !at || strchr("ZX", at[1] ? at[2] : 'Z');
}

/* One process; either label may be NULL. */
static void compare_process(const struct side *before, const struct ph_labelled *was,
			    const struct side *after, const struct ph_labelled *is,
			    const struct ids *altered, json_t *list)
{
	const struct ph_labelled *one = is ? is : was;
	struct ph_word comm = { .text = (const char *)one->comm,
				.len = strnlen((const char *)one->comm, PH_COMM_LEN) };

	if (!is && has_ended(was->tgid))
		return;
	if (was && is && same_ids(&was->policies, &is->policies) &&
	    !has_altered(&is->policies, altered))
		return;
	if (has_ended(one->tgid))
		return;
	(void)json_array_append_new(list, json_pack("{s:i, s:s, s:o, s:o}", "pid", (int)one->tgid,
						    "comm", quote_bare(&comm).text, "before",
						    names_json(before, was), "after",
						    names_json(after, is)));
}

static void compare_processes(const struct side *before, const struct side *after,
			      const struct ids *altered, json_t *list)
{
	const struct ph_labels *a = &before->labels, *b = &after->labels;
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		const struct ph_labelled *was = i < a->n ? &a->v[i] : NULL;
		const struct ph_labelled *is = k < b->n ? &b->v[k] : NULL;
		int order = was && is ? compare_pids(was, is) : was ? -1 : 1;

		compare_process(before, order <= 0 ? was : NULL, after, order >= 0 ? is : NULL,
				altered, list);
		i += order <= 0;
		k += order >= 0;
	}
}

static int find_altered(const struct ph_diff *diff, struct ids *ret)
{
	ret->v = calloc(diff->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < diff->n; i++)
		if (diff->v[i].changed & PH_CHANGED_ENFORCED)
			ret->v[ret->n++] = policy_id(diff->v[i].after);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_ids);
	return 0;
}

static json_t *processes_json(const struct ph_policy_set *before, const struct ph_policy_set *after,
			      const struct ph_diff *diff)
{
	cleanup_(side_done) struct side was = {}, is = {};
	cleanup_(ids_done) struct ids altered = {};
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	json_t *list = json_array();

	if (!diff->n)
		return list;
	if (!resolvers_read(PH_RESOLV_CONF, &resolvers, NULL)) {
		owned = resolvers.v;
		/* Policies that cannot be compiled confine nobody, and apply will say why. */
		if (!side_make(before, &resolvers, &was) && !side_make(after, &resolvers, &is) &&
		    !find_altered(diff, &altered))
			compare_processes(&was, &is, &altered, list);
	}
	return list;
}

json_t *changes_find(const struct ph_policy_set *before, const struct ph_policy_set *after,
		     size_t most)
{
	cleanup_(diff_donep) struct ph_diff diff = {};
	json_t *policies = json_array();

	if (policy_set_diff(before, after, &diff)) {
		json_decref(policies);
		return NULL;
	}
	for (size_t i = 0; i < diff.n && i < most; i++)
		(void)json_array_append_new(policies, change_json(&diff.v[i]));
	return json_pack("{s:o, s:I, s:o}", "policies", policies, "policies_changed",
			 (json_int_t)diff.n, "processes", processes_json(before, after, &diff));
}

void changes_leave_out(json_t *changes, const struct ph_edits *edits)
{
	json_t *list = json_object_get(changes, "policies");

	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *file = text_of(json_array_get(list, i), "file");
		bool edited = false;

		for (size_t k = 0; k < edits->n; k++)
			edited |= !strcmp(edits->v[k].path, file);
		if (edited)
			(void)json_array_remove(list, i);
	}
	(void)json_object_set_new(changes, "policies_changed",
				  json_integer((json_int_t)json_array_size(list)));
	(void)json_object_del(changes, "processes");
}

/* Who is not covered is free, whatever matches. */
static void cover_side(json_t *process, const char *side, bool covered)
{
	if (!covered)
		(void)json_array_clear(json_object_get(process, side));
}

void changes_cover(json_t *changes, const struct ph_cover *before, const struct ph_cover *after)
{
	json_t *list = json_object_get(changes, "processes");

	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *process = json_array_get(list, i);
		pid_t pid = (pid_t)json_integer_value(json_object_get(process, "pid"));

		cover_side(process, "before", cover_has_process(before, pid));
		cover_side(process, "after", cover_has_process(after, pid));
		if (!json_array_size(json_object_get(process, "before")) &&
		    !json_array_size(json_object_get(process, "after")))
			(void)json_array_remove(list, i);
	}
}

/* --- As text */

static void print_rules(const json_t *policy, const char *key, char sign)
{
	size_t i;
	json_t *rule;

	json_array_foreach(json_object_get(policy, key), i, rule)
		(void)printf("    %c %s\n", sign, json_string_value(rule));
}

static void print_pair(const json_t *policy, const char *key)
{
	const json_t *pair = json_object_get(policy, key);

	if (json_is_array(pair))
		(void)printf("    %s: %s -> %s\n", key, json_string_value(json_array_get(pair, 0)),
			     json_string_value(json_array_get(pair, 1)));
}

static void print_change(const json_t *policy)
{
	const char *change = text_of(policy, "change");
	char sign = *change == 'a' ? '+' : *change == 'r' ? '-' : '~';
	const json_t *mode = json_object_get(policy, "mode");

	(void)printf("%c %s (%s:%lld)%s%s\n", sign, text_of(policy, "name"),
		     text_of(policy, "file"),
		     (long long)json_integer_value(json_object_get(policy, "line")),
		     json_is_string(mode) ? ", " : "",
		     json_is_string(mode) ? json_string_value(mode) : "");
	if (*text_of(policy, "overrules"))
		(void)printf("    overrules %s, until the next boot or porthold stop\n",
			     text_of(policy, "overrules"));
	if (json_is_true(json_object_get(policy, "match_changed")))
		(void)printf("    matches other processes\n");
	print_pair(policy, "mode");
	print_pair(policy, "children");
	print_rules(policy, "rules_removed", '-');
	print_rules(policy, "rules_added", '+');
}

static void print_names(const json_t *names)
{
	size_t i;
	json_t *name;

	if (!json_array_size(names))
		(void)printf("free");
	json_array_foreach(names, i, name)
		(void)printf("%s%s", i ? "+" : "", json_string_value(name));
}

static void print_process(const json_t *process)
{
	(void)printf(
		"  pid %lld, %s: ", (long long)json_integer_value(json_object_get(process, "pid")),
		text_of(process, "comm"));
	print_names(json_object_get(process, "before"));
	(void)printf(" -> ");
	print_names(json_object_get(process, "after"));
	(void)putchar('\n');
}

void changes_print(const json_t *changes)
{
	const json_t *policies = json_object_get(changes, "policies");
	const json_t *processes = json_object_get(changes, "processes");
	size_t n = json_integer_value(json_object_get(changes, "policies_changed")), i;
	json_t *one;

	json_array_foreach(policies, i, one)
		print_change(one);
	if (n > json_array_size(policies))
		(void)printf("and %zu more policies; --json tells all\n",
			     n - json_array_size(policies));
	if (json_array_size(processes))
		(void)printf("Running processes whose policies change:\n");
	json_array_foreach(processes, i, one)
		print_process(one);
}
