// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policy files -> model (parse.h has the contract).
 *
 * The file is read item by item. Every mapping is described by a table of its keys, each with the
 * function that reads its value. Such a function notes what is wrong with the value, passes over
 * all of it in any case, and returns 0, so that reading goes on behind it; only the end of the
 * stream (-EINVAL, noted already) and lack of memory end the reading. All policies, also those with
 * errors, gather in a set of their own, which is handed over or dropped as a whole.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/name.h"
#include "policy/parse.h"
#include "policy/yaml.h"
#include "util/cleanup.h"
#include "util/file.h"

#define FIELDS_MAX 8

static const char file_remedy[] = "write porthold: 1, then policies: and a list of policies";

struct parser {
	struct ph_source source;
	struct ph_yaml yaml;
	const struct ph_policy_set *known; /* the policies of earlier files */
	struct ph_policy_set set;
	const char *file; /* borrowed from set */
	bool full; /* of policies; noted once */
};

struct field {
	const char *name;
	int (*parse)(struct parser *parser, const struct ph_yaml_item *value, void *object);
	const char *missing; /* what would be right if the key is not there; NULL: optional */
	const char *alias; /* what people write in its place; NULL: nothing that is known */
};

/* The keys of one mapping, as bits of its fields. */
struct keys {
	unsigned seen;
	unsigned meant; /* and misspelled */
};

DEFINE_CLEANUP_DONE(struct ph_rule, rule_done);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);

static void parser_done(struct parser *parser)
{
	yaml_done(&parser->yaml);
	policy_set_done(&parser->set);
}

DEFINE_CLEANUP_DONE(struct parser, parser_done);

static int note(struct parser *parser, const struct ph_place *place, const char *remedy,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static int note(struct parser *parser, const struct ph_place *place, const char *remedy,
		const char *format, ...)
{
	char message[400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return source_error(&parser->source, place, message, remedy);
}

/* An error inside the text of a value: at the very character, where the source shows it. */
static int note_in_value(struct parser *parser, const struct ph_yaml_item *value,
			 const struct ph_text_error *error)
{
	struct ph_place place = value->place;

	if (value->direct) {
		place.offset += error->offset;
		place.column += error->column - 1;
	}
	return source_text_error(&parser->source, &place, error);
}

static const char *type_name(const struct ph_yaml_item *value)
{
	switch (value->type) {
	case PH_YAML_SEQUENCE:
		return "a list";
	case PH_YAML_MAPPING:
		return "a mapping";
	default:
		return value->null ? "nothing" : "text";
	}
}

/*
 * 0 and *ret says whether the value is of the type; where not, that is noted and the value passed.
 */
static int want(struct parser *parser, const struct ph_yaml_item *value, enum ph_yaml_type type,
		const char *key, const char *remedy, bool *ret)
{
	static const char *const wanted[] = {
		[PH_YAML_SCALAR] = "text",
		[PH_YAML_SEQUENCE] = "a list",
		[PH_YAML_MAPPING] = "a mapping",
	};
	int r;

	*ret = value->type == type && !(type == PH_YAML_SCALAR && value->null);
	if (*ret)
		return 0;
	if (value->type != PH_YAML_REFUSED) {
		r = note(parser, &value->place, remedy, "%s must be %s, and this is %s", key,
			 wanted[type], type_name(value));
		if (r < 0)
			return r;
	}
	return yaml_skip(&parser->yaml, value);
}

static bool is_called(const struct field *field, const char *name)
{
	return name == field->name || name == field->alias;
}

/* The field that the key comes nearest to; NULL: none. */
static const struct field *nearest_field(const struct ph_word *key, const struct field *fields,
					 size_t n)
{
	const char *names[2 * FIELDS_MAX + 1] = {};
	const char *nearest;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		names[used++] = fields[i].name;
		if (fields[i].alias)
			names[used++] = fields[i].alias;
	}
	nearest = word_nearest(key, names);
	for (size_t i = 0; nearest && i < n; i++)
		if (is_called(&fields[i], nearest))
			return &fields[i];
	return NULL;
}

/* What people expect there and porthold has in another form; NULL: nothing that is known. */
static const char *remedy_of_stranger(const struct ph_word *key)
{
	static const struct {
		const char *key, *remedy;
	} strangers[] = {
		{ "gid", "groups are not matched; uid: is the user, cgroup: and unit: are places" },
		{ "group",
		  "groups are not matched; uid: is the user, cgroup: and unit: are places" },
		{ "user", "write uid: and the number; id -u NAME shows it" },
		{ "pid", "write comm: and the name of the process; ps -o comm PID shows it" },
		{ "process", "write comm: and the name of the process" },
		{ "path", "write exe: and the path of the program" },
		{ "binary", "write exe: and the path of the program" },
		{ "service", "write unit: and the name, such as unit: web.service" },
		{ "deny", "leave it out: what no rule allows is denied" },
	};

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (word_is(key, strangers[i].key))
			return strangers[i].remedy;
	return NULL;
}

static int note_unknown_key(struct parser *parser, const struct ph_yaml_item *key,
			    const struct field *fields, size_t n, const char *what,
			    struct keys *keys)
{
	struct ph_word word = { key->text, key->len, 0 };
	const char *known = remedy_of_stranger(&word);
	const struct field *nearest = known ? NULL : nearest_field(&word, fields, n);
	char remedy[160];
	size_t used;

	if (known) {
		(void)snprintf(remedy, sizeof(remedy), "%s", known);
	} else if (nearest) {
		keys->meant |= 1U << (nearest - fields);
		(void)snprintf(remedy, sizeof(remedy), "did you mean %s?", nearest->name);
	} else {
		used = (size_t)snprintf(remedy, sizeof(remedy), "the keys of %s are", what);
		for (size_t i = 0; i < n; i++)
			used += (size_t)snprintf(remedy + used, sizeof(remedy) - used, "%s %s",
						 i ? "," : "", fields[i].name);
	}
	return note(parser, &key->place, remedy, "unknown key %s", quote(&word).text);
}

/* The field of a key, or NULL with what is wrong noted. */
static int find_field(struct parser *parser, const struct ph_yaml_item *key,
		      const struct field *fields, size_t n, const char *what, struct keys *keys,
		      const struct field **ret)
{
	struct ph_word word = { key->text, key->len, 0 };

	*ret = NULL;
	if (key->type == PH_YAML_REFUSED)
		return 0;
	if (key->type != PH_YAML_SCALAR) {
		int r = note(parser, &key->place, "write KEY: VALUE", "a key must be a word");

		return r < 0 ? r : yaml_skip(&parser->yaml, key);
	}
	for (size_t i = 0; i < n; i++) {
		if (!word_is(&word, fields[i].name))
			continue;
		if (keys->seen & (1U << i))
			return note(parser, &key->place, "leave one of them out",
				    "the key %s stands here twice", fields[i].name);
		keys->seen |= 1U << i;
		*ret = &fields[i];
		return 0;
	}
	return note_unknown_key(parser, key, fields, n, what, keys);
}

/* Reads a whole mapping; `what` names it with its article. */
static int parse_mapping(struct parser *parser, const struct ph_yaml_item *mapping,
			 const struct field *fields, size_t n, const char *what, void *object)
{
	struct keys keys = {};

	for (;;) {
		struct ph_yaml_item key, value;
		const struct field *field;
		int r;

		r = yaml_next(&parser->yaml, &key);
		if (r < 0)
			return r;
		if (key.type == PH_YAML_END)
			break;
		r = find_field(parser, &key, fields, n, what, &keys, &field);
		if (r < 0)
			return r;
		r = yaml_next(&parser->yaml, &value);
		if (r < 0)
			return r;
		r = field ? field->parse(parser, &value, object) : yaml_skip(&parser->yaml, &value);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (fields[i].missing && !((keys.seen | keys.meant) & (1U << i)))
			r = note(parser, &mapping->place, fields[i].missing, "%s has no %s", what,
				 fields[i].name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_text(const struct ph_yaml_item *value, char **ret)
{
	char *copy = strndup(value->text, value->len);

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

/* A text value that the check accepts goes to *ret. */
static int parse_text(struct parser *parser, const struct ph_yaml_item *value, const char *key,
		      const char *remedy,
		      int (*check)(const char *text, size_t len, struct ph_text_error *error),
		      char **ret)
{
	struct ph_text_error error;
	bool fits;
	int r;

	r = want(parser, value, PH_YAML_SCALAR, key, remedy, &fits);
	if (r < 0 || !fits)
		return r;
	if (check(value->text, value->len, &error) < 0)
		return note_in_value(parser, value, &error);
	return copy_text(value, ret);
}

/* --- match: */

static int parse_comm(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;
	cleanup_free char *text = NULL;
	int r;

	r = parse_text(parser, value, "comm", "write a process name, such as comm: nginx",
		       comm_check, &text);
	if (r == 0 && text)
		memcpy(policy->match.comm, text, strlen(text) + 1);
	return r;
}

static int parse_exe(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;

	return parse_text(parser, value, "exe", "write a path, such as exe: /usr/bin/curl",
			  exe_check, &policy->match.exe);
}

static int parse_cgroup(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;

	return parse_text(parser, value, "cgroup",
			  "write a path, such as cgroup: /system.slice/web.service", cgroup_check,
			  &policy->match.cgroup);
}

static int parse_unit(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;

	return parse_text(parser, value, "unit", "write a name, such as unit: web.service",
			  unit_check, &policy->match.unit);
}

static int parse_uid(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;
	struct ph_text_error error;
	bool fits;
	int r;

	r = want(parser, value, PH_YAML_SCALAR, "uid", "write a number, such as uid: 1000", &fits);
	if (r < 0 || !fits)
		return r;
	if (uid_parse(value->text, value->len, &policy->match.uid, &error) < 0)
		return note_in_value(parser, value, &error);
	policy->match.has_uid = true;
	return 0;
}

/* It stands alone: what run starts is labelled by the policy's id, whatever it is otherwise. */
static int parse_run(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	static const char remedy[] = "write run: true, and nothing else in the match";
	struct ph_policy *policy = object;
	bool fits;
	int r;

	r = want(parser, value, PH_YAML_SCALAR, "run", remedy, &fits);
	if (r < 0 || !fits)
		return r;
	policy->match.run = true;
	if (value->len == strlen("true") && !memcmp(value->text, "true", value->len))
		return 0;
	return note(parser, &value->place, remedy, "run says true or is left out");
}

static const struct field match_fields[] = {
	{ "comm", parse_comm, NULL, NULL },	{ "exe", parse_exe, NULL, NULL },
	{ "cgroup", parse_cgroup, NULL, NULL }, { "unit", parse_unit, NULL, NULL },
	{ "uid", parse_uid, NULL, NULL },	{ "run", parse_run, NULL, NULL },
};

static bool asks_for_nothing(const struct ph_match *match)
{
	return !match->comm[0] && !match->exe && !match->cgroup && !match->unit && !match->has_uid;
}

static int parse_match(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	static const char remedy[] =
		"write match: and below it, indented, comm: and a process name; or exe:, cgroup:, unit:, uid:";
	size_t n_errors = parser->source.problems->n_errors;
	struct ph_policy *policy = object;
	bool fits;
	int r;

	r = want(parser, value, PH_YAML_MAPPING, "match", remedy, &fits);
	if (r < 0 || !fits)
		return r;
	r = parse_mapping(parser, value, match_fields,
			  sizeof(match_fields) / sizeof(match_fields[0]), "match", policy);
	if (r || n_errors != parser->source.problems->n_errors ||
	    policy->match.run == asks_for_nothing(&policy->match))
		return r;
	if (policy->match.run)
		return note(parser, &value->place, "leave run: out, or all the others",
			    "run matches what porthold run starts, and nothing else goes with it");
	return note(parser, &value->place, "name at least one of comm, exe, cgroup, unit and uid",
		    "match is empty, which would confine every process");
}

/* --- a policy */

static int parse_name(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;

	return parse_text(parser, value, "name", "write a name, such as name: web-backend",
			  policy_name_check, &policy->name);
}

/* One of two words; *ret says whether it is the second. */
static int parse_choice(struct parser *parser, const struct ph_yaml_item *value, const char *key,
			const char *first, const char *second, bool *ret)
{
	struct ph_word word = { value->text, value->len, 0 };
	char remedy[64];
	bool fits;
	int r;

	(void)snprintf(remedy, sizeof(remedy), "write %s: %s or %s: %s", key, first, key, second);
	r = want(parser, value, PH_YAML_SCALAR, key, remedy, &fits);
	if (r < 0 || !fits)
		return r;
	*ret = word_is(&word, second);
	if (*ret || word_is(&word, first))
		return 0;
	return note(parser, &value->place, remedy, "%s cannot be %s", key, quote(&word).text);
}

static int parse_mode(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;
	bool audit = false;
	int r = parse_choice(parser, value, "mode", "enforce", "audit", &audit);

	policy->mode = audit ? PH_POLICY_AUDIT : PH_POLICY_ENFORCE;
	return r;
}

static int parse_children(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_policy *policy = object;
	bool leave = false;
	int r = parse_choice(parser, value, "children", "confine", "leave", &leave);

	policy->children = leave ? PH_CHILDREN_LEAVE : PH_CHILDREN_CONFINE;
	return r;
}

/* Adds one text of a list; sets *full where there is no room. */
typedef int (*add_text_fn)(struct parser *parser, const struct ph_yaml_item *value,
			   struct ph_policy *policy, bool *full);

static int add_rule(struct parser *parser, const struct ph_yaml_item *value,
		    struct ph_policy *policy, bool *full)
{
	cleanup_(rule_donep) struct ph_rule rule = {};
	struct ph_text_error error;
	int r;

	if (policy->n_rules == PH_RULES_MAX) {
		*full = true;
		return note(parser, &value->place,
			    "put the rest into another policy with the same match",
			    "a policy holds at most %u rules", PH_RULES_MAX);
	}
	r = rule_parse(value->text, value->len, &rule, &error);
	if (r == -EINVAL)
		return note_in_value(parser, value, &error);
	if (r < 0)
		return r;
	rule.line = value->place.line;
	rule.column = value->place.column;
	return policy_add_rule(policy, &rule);
}

static int add_expect(struct parser *parser, const struct ph_yaml_item *value,
		      struct ph_policy *policy, bool *full)
{
	struct ph_text_error error;
	struct ph_expect expect;
	int r;

	if (policy->n_expects == PH_EXPECTS_MAX) {
		*full = true;
		return note(parser, &value->place, "leave some out",
			    "a policy holds at most %u expectations", PH_EXPECTS_MAX);
	}
	r = expect_parse(value->text, value->len, &expect, &error);
	if (r < 0)
		return note_in_value(parser, value, &error);
	expect.line = value->place.line;
	expect.column = value->place.column;
	return policy_add_expect(policy, &expect);
}

static int parse_text_list(struct parser *parser, const struct ph_yaml_item *list,
			   struct ph_policy *policy, const char *key, const char *list_remedy,
			   const char *item_remedy, add_text_fn add)
{
	bool fits, full = false;
	char what[32];
	int r;

	r = want(parser, list, PH_YAML_SEQUENCE, key, list_remedy, &fits);
	if (r < 0 || !fits)
		return r;
	(void)snprintf(what, sizeof(what), "each line of %s", key);
	for (;;) {
		struct ph_yaml_item item;

		r = yaml_next(&parser->yaml, &item);
		if (r < 0 || item.type == PH_YAML_END)
			return r;
		r = want(parser, &item, PH_YAML_SCALAR, what, item_remedy, &fits);
		if (r == 0 && fits && !full)
			r = add(parser, &item, policy, &full);
		if (r < 0)
			return r;
	}
}

static int parse_allow(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	return parse_text_list(
		parser, value, object, "allow",
		"write each rule on its own line, as in '- tcp 4040'; to allow nothing, write allow: []",
		"write a rule such as tcp 4040; put one that holds ': ' in quotes", add_rule);
}

static int parse_expect(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	return parse_text_list(
		parser, value, object, "expect",
		"write each on its own line, as in '- deny connect tcp 10.1.2.3:22'",
		"write allow or deny and a flow, such as deny connect tcp 10.1.2.3:22", add_expect);
}

static const struct field policy_fields[] = {
	{ "name", parse_name, "add name: and a name of your choice", NULL },
	{ "match", parse_match, "add match: {comm: PROCESS} to say whom it confines", NULL },
	{ "mode", parse_mode, NULL, NULL },
	{ "children", parse_children, NULL, NULL },
	{ "allow", parse_allow, "add allow: and a list of rules; to allow nothing, write allow: []",
	  "rules" },
	{ "expect", parse_expect, NULL, NULL },
};

static int note_duplicate(struct parser *parser, const struct ph_place *place,
			  const struct ph_policy *other)
{
	char where[300] = "";

	if (other->file)
		(void)snprintf(where, sizeof(where), " (%.200s:%u)", other->file, other->line);
	return note(parser, place, "give one of them another name",
		    "there is a policy %s already%s", other->name, where);
}

static int keep_policy(struct parser *parser, const struct ph_place *place,
		       struct ph_policy *policy)
{
	const struct ph_policy *other;
	int r;

	/* The missing or bad name was noted. */
	if (!policy->name || parser->full)
		return 0;
	other = policy_set_find(&parser->set, policy->name);
	if (!other && parser->known)
		other = policy_set_find(parser->known, policy->name);
	if (other)
		return note_duplicate(parser, place, other);
	r = policy_set_add(&parser->set, policy);
	if (r != -E2BIG)
		return r;
	parser->full = true;
	return note(parser, place, "fewer policies with more rules each do the same",
		    "more than %u policies", PH_POLICIES_MAX);
}

static int parse_policy(struct parser *parser, const struct ph_yaml_item *value)
{
	cleanup_(policy_donep) struct ph_policy policy = {};
	bool fits;
	int r;

	r = want(parser, value, PH_YAML_MAPPING, "a policy",
		 "write '- name: NAME', and match: and allow: below name:", &fits);
	if (r < 0 || !fits)
		return r;
	policy.file = parser->file;
	policy.line = value->place.line;
	policy.column = value->place.column;
	r = parse_mapping(parser, value, policy_fields,
			  sizeof(policy_fields) / sizeof(policy_fields[0]), "a policy", &policy);
	return r < 0 ? r : keep_policy(parser, &value->place, &policy);
}

/* --- the file */

static int parse_version(struct parser *parser, const struct ph_yaml_item *value, void *object)
{
	struct ph_word word = { value->text, value->len, 0 };
	bool fits;
	int r;

	(void)object;
	r = want(parser, value, PH_YAML_SCALAR, "porthold", "write porthold: 1", &fits);
	if (r < 0 || !fits || word_is(&word, "1"))
		return r;
	return note(parser, &value->place, "write porthold: 1",
		    "this porthold does not know version %s of policy files", quote(&word).text);
}

static int parse_policies(struct parser *parser, const struct ph_yaml_item *list, void *object)
{
	bool fits;
	int r;

	(void)object;
	r = want(parser, list, PH_YAML_SEQUENCE, "policies",
		 "begin each policy with '- name: NAME'; for none, write policies: []", &fits);
	if (r < 0 || !fits)
		return r;
	for (;;) {
		struct ph_yaml_item item;

		r = yaml_next(&parser->yaml, &item);
		if (r < 0 || item.type == PH_YAML_END)
			return r;
		r = parse_policy(parser, &item);
		if (r < 0)
			return r;
	}
}

static const struct field file_fields[] = {
	{ "porthold", parse_version, "begin the file with porthold: 1", NULL },
	{ "policies", parse_policies, "add policies: and a list of policies", NULL },
};

static int parse_document(struct parser *parser)
{
	struct ph_yaml_item item;
	bool fits;
	int r;

	r = yaml_next(&parser->yaml, &item);
	if (r < 0)
		return r;
	if (item.type == PH_YAML_END_OF_TEXT || item.null)
		return note(parser, NULL, file_remedy, "the file is empty");
	r = want(parser, &item, PH_YAML_MAPPING, "a policy file", file_remedy, &fits);
	if (r == 0 && fits)
		r = parse_mapping(parser, &item, file_fields,
				  sizeof(file_fields) / sizeof(file_fields[0]), "a policy file",
				  NULL);
	if (r < 0)
		return r;
	/* What is behind the document is read too: it may be a second one. */
	return yaml_next(&parser->yaml, &item);
}

/* Hands the policies over to the set of the caller. */
static int deliver(struct parser *parser, struct ph_policy_set *set)
{
	int r = policy_set_merge(set, &parser->set);

	if (r != -E2BIG)
		return r;
	r = note(parser, NULL, "fewer policies with more rules each do the same",
		 "with this file there are more than %u policies", PH_POLICIES_MAX);
	return r < 0 ? r : -EINVAL;
}

static int parse_text_rest(const char *name, const char *text, size_t len,
			   struct ph_policy_set *set, struct ph_policy_set *rest,
			   struct ph_problems *problems)
{
	cleanup_(parser_donep) struct parser parser = {
		.source = { name, text, len, problems },
		.known = set,
	};
	size_t n_errors = problems->n_errors, first = problems->n;
	int r;

	r = source_check(&parser.source);
	if (r == 0)
		r = policy_set_add_file(&parser.set, name, &parser.file);
	if (r == 0)
		r = yaml_open(&parser.yaml, &parser.source);
	if (r == 0)
		r = parse_document(&parser);
	problems_sort(problems, first);
	if (!r && problems->n_errors > n_errors)
		r = -EINVAL;
	if (r == -EINVAL && rest)
		(void)policy_set_merge(rest, &parser.set);
	return r ? r : deliver(&parser, set);
}

int policy_parse_text(const char *name, const char *text, size_t len, struct ph_policy_set *set,
		      struct ph_problems *problems)
{
	return parse_text_rest(name, text, len, set, NULL, problems);
}

static const char *file_error(int error, const char **ret_remedy)
{
	switch (error) {
	case -EISDIR:
		*ret_remedy = "name the policy files in it";
		return "this is a directory";
	case -ENOTSUP:
		*ret_remedy = "put the policy into a regular file";
		return "this is a pipe, socket or device, not a file";
	case -EFBIG:
		*ret_remedy = "split it into several files of at most 64 MiB";
		return "the file is larger than 64 MiB";
	case -ESTALE:
		*ret_remedy = "try again when it is complete; best, move it into place when it is";
		return "the file changed while it was read";
	case -ENOENT:
		*ret_remedy = "check the path";
		return "there is no such file";
	case -ENOTDIR:
		*ret_remedy = "check the path";
		return "a part of the path is not a directory";
	case -EACCES:
	case -EPERM:
		*ret_remedy = "try again as root, or make it readable";
		return "the file cannot be read: permission denied";
	case -ELOOP:
		*ret_remedy = "check where the links lead";
		return "the path is a loop of symbolic links";
	default:
		*ret_remedy = "check the path and the disk";
		return NULL;
	}
}

int policy_read_file(const char *path, char **ret, size_t *ret_len, struct ph_problems *problems)
{
	struct ph_source source = { path, "", 0, problems };
	const char *message, *remedy;
	char other[100];
	int r = file_read(path, PH_FILE_SIZE_MAX, ret, ret_len);

	if (!r || r == -ENOMEM)
		return r;
	message = file_error(r, &remedy);
	if (!message) {
		(void)snprintf(other, sizeof(other), "the file cannot be read: %s", strerror(-r));
		message = other;
	}
	r = source_error(&source, NULL, message, remedy);
	return r < 0 ? r : -EINVAL;
}

int policy_parse_file_rest(const char *path, struct ph_policy_set *set, struct ph_policy_set *rest,
			   struct ph_problems *problems)
{
	cleanup_free char *text = NULL;
	size_t len;
	int r = policy_read_file(path, &text, &len, problems);

	return r ? r : parse_text_rest(path, text, len, set, rest, problems);
}

int policy_parse_file(const char *path, struct ph_policy_set *set, struct ph_problems *problems)
{
	return policy_parse_file_rest(path, set, NULL, problems);
}
