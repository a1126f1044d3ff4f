// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Model -> the canonical text of a policy file (print.h has the contract).
 *
 * Text goes without quotes only where no reader of YAML, of whatever version, could take it for
 * anything else than that text.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "policy/print.h"
#include "policy/words.h"
#include "util/cleanup.h"
#include "util/stream.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Words that some readers take for a truth value or for nothing. */
static bool is_reserved(const char *text)
{
	static const char *const words[] = { "y",   "n",    "yes",   "no",   "on",
					     "off", "true", "false", "null", NULL };

	for (const char *const *word = words; *word; word++)
		if (strcasecmp(text, *word) == 0)
			return true;
	return false;
}

static bool is_plain(const char *text)
{
	if ((!is_letter(text[0]) && text[0] != '/') || is_reserved(text))
		return false;
	for (const char *c = text; *c; c++)
		if (!is_letter(*c) && !(*c >= '0' && *c <= '9') && !strchr("/._-+@", *c))
			return false;
	return true;
}

/* Names hold no control characters, so quotes and backslashes are all there is to escape. */
static void print_text(FILE *stream, const char *text)
{
	if (is_plain(text)) {
		(void)fputs(text, stream);
		return;
	}
	(void)fputc('"', stream);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			(void)fputc('\\', stream);
		(void)fputc(*text, stream);
	}
	(void)fputc('"', stream);
}

static void print_match(FILE *stream, const struct ph_match *match)
{
	const struct {
		const char *key, *text;
	} texts[] = {
		{ "comm", match->comm[0] ? match->comm : NULL },
		{ "exe", match->exe },
		{ "cgroup", match->cgroup },
		{ "unit", match->unit },
	};
	const char *separator = "";

	(void)fputs("    match: {", stream);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!texts[i].text)
			continue;
		(void)fprintf(stream, "%s%s: ", separator, texts[i].key);
		print_text(stream, texts[i].text);
		separator = ", ";
	}
	if (match->has_uid)
		(void)fprintf(stream, "%suid: %u", separator, match->uid);
	if (match->run)
		(void)fputs("run: true", stream);
	(void)fputs("}\n", stream);
}

/* notes: of each rule, or NULL. */
static void print_policy(FILE *stream, const struct ph_policy *policy, char *const *notes)
{
	(void)fputs("  - name: ", stream);
	print_text(stream, policy->name);
	(void)fputc('\n', stream);
	print_match(stream, &policy->match);
	if (policy->mode != PH_POLICY_ENFORCE)
		(void)fprintf(stream, "    mode: %s\n", policy_mode_name(policy->mode));
	if (policy->children != PH_CHILDREN_CONFINE)
		(void)fprintf(stream, "    children: %s\n", policy_children_name(policy->children));
	(void)fputs(policy->n_rules ? "    allow:\n" : "    allow: []\n", stream);
	for (size_t i = 0; i < policy->n_rules; i++) {
		(void)fputs("      - ", stream);
		rule_print(stream, &policy->rules[i]);
		if (notes)
			(void)fprintf(stream, " # %s", notes[i]);
		(void)fputc('\n', stream);
	}
	if (policy->n_expects)
		(void)fputs("    expect:\n", stream);
	for (size_t i = 0; i < policy->n_expects; i++) {
		(void)fputs("      - ", stream);
		expect_print(stream, &policy->expects[i]);
		(void)fputc('\n', stream);
	}
}

static int format_policies(const struct ph_policy *policies, size_t n, char *const *notes,
			   char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	(void)fprintf(stream.file, "porthold: 1\npolicies:%s\n", n ? "" : " []");
	for (size_t i = 0; i < n; i++)
		print_policy(stream.file, &policies[i], notes);
	return stream_end(&stream, ret);
}

int policy_format(const struct ph_policy *policy, char **ret)
{
	return format_policies(policy, 1, NULL, ret);
}

int policy_format_noted(const struct ph_policy *policy, char *const *notes, char **ret)
{
	return format_policies(policy, 1, notes, ret);
}

int policy_set_format(const struct ph_policy_set *set, char **ret)
{
	return format_policies(set->policies, set->n, NULL, ret);
}
