// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keywords -> plain rules (resolve.h has the contract).
 *
 * The words that keywords stand for are rules in the one grammar, so that what a keyword means can
 * be read off here. An answer of a resolver comes over the flow that a connect rule allows, so dns
 * needs no bind.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/check.h"
#include "policy/cidr.h"
#include "policy/resolve.h"
#include "util/cleanup.h"
#include "util/file.h"

#define RESOLV_CONF_SIZE_MAX (1U << 20)
#define READ_TRIES 5

DEFINE_CLEANUP_DONE(struct ph_rule, rule_done);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);

static const char *const loopback_rules[] = {
	"connect tcp any to 127.0.0.0/8,::1",
	"connect udp any to 127.0.0.0/8,::1",
	"bind tcp any on 127.0.0.0/8,::1 from 127.0.0.0/8,::1",
	"bind udp any on 127.0.0.0/8,::1 from 127.0.0.0/8,::1",
	NULL,
};

static const char *const dns_rules[] = { "connect udp 53", "connect tcp 53", NULL };

static const struct ph_cidr local_resolvers[] = {
	{ 4, 32, { 127, 0, 0, 1 } },
	{ 6, 128, { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
};

/* The address of a nameserver line, as a network of one. */
static bool parse_line(const char *line, size_t len, struct ph_cidr *ret)
{
	struct ph_text_error unused;
	struct ph_scanner scanner = { line, len, 0, &unused };
	struct ph_word word = scanner_word(&scanner);
	struct ph_cidr cidr = {};
	const char *zone;

	if (!word_is(&word, "nameserver"))
		return false;
	word = scanner_word(&scanner);
	zone = memchr(word.text, '%', word.len);
	if (zone)
		word.len = (size_t)(zone - word.text);
	if (!address_parse(word.text, word.len, &cidr.family, cidr.addr))
		return false;
	(void)address_unmap(&cidr.family, cidr.addr);
	cidr.len = cidr.family == 4 ? 32 : 128;
	*ret = cidr;
	return true;
}

/* *ret_none: there is none in it. */
static int parse_lines(const char *text, size_t len, struct ph_cidrs *ret, bool *ret_none)
{
	cleanup_free struct ph_cidr *found = malloc(PH_RESOLVERS_MAX * sizeof(*found));
	struct ph_cidrs list = { found, 0 };

	if (!found)
		return -ENOMEM;
	for (size_t i = 0; i < len && list.n < PH_RESOLVERS_MAX;) {
		const char *end = memchr(text + i, '\n', len - i);
		size_t n = end ? (size_t)(end - text) - i : len - i;
		size_t shown = n && text[i + n - 1] == '\r' ? n - 1 : n;

		list.n += parse_line(text + i, shown, &found[list.n]);
		i += n + 1;
	}
	*ret_none = list.n == 0;
	if (*ret_none) {
		memcpy(found, local_resolvers, sizeof(local_resolvers));
		list.n = sizeof(local_resolvers) / sizeof(local_resolvers[0]);
	}
	cidrs_normalize(&list);
	*ret = (struct ph_cidrs){ TAKE_PTR(found), list.n };
	return 0;
}

int resolvers_parse(const char *text, size_t len, struct ph_cidrs *ret)
{
	bool none;

	return parse_lines(text, len, ret, &none);
}

/* What keeps it from being read, and will as long as it is what it is; NULL: something else does. */
static const char *unfit(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		return "is not there";
	case -ELOOP:
		return "is a link that leads nowhere";
	case -EISDIR:
		return "is a directory";
	case -ENOTSUP:
		return "is no file";
	case -EFBIG:
		return "is too large";
	default:
		return NULL;
	}
}

/* Who writes it anew does so in a moment. */
static int read_text(const char *path, char **ret, size_t *ret_len)
{
	int r = -ESTALE;

	for (int i = 0; i < READ_TRIES && r == -ESTALE; i++)
		r = file_read(path, RESOLV_CONF_SIZE_MAX, ret, ret_len);
	return r;
}

int resolvers_read(const char *path, struct ph_cidrs *ret, const char **ret_none)
{
	cleanup_free char *text = NULL;
	const char *why = NULL;
	size_t len = 0;
	bool none;
	int r = read_text(path, &text, &len);

	if (r)
		why = unfit(r);
	if (r && !why)
		return r;
	r = parse_lines(text ? text : "", len, ret, &none);
	if (ret_none)
		*ret_none = why ? why : none ? "names no nameserver" : NULL;
	return r;
}

static const struct ph_rule *find_dns(const struct ph_policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == PH_RULE_DNS)
			return &policy->rules[i];
	return NULL;
}

int resolvers_warn(const struct ph_policy_set *set, const char *path, const char *none,
		   struct ph_problems *problems)
{
	for (size_t i = 0; none && i < set->n; i++) {
		const struct ph_rule *rule = find_dns(&set->policies[i]);

		if (rule)
			return problems_note(problems, PH_WARNING, set->policies[i].file,
					     rule->line, rule->column,
					     "name one there, and porthold apply",
					     "dns means 127.0.0.1 and ::1 alone: %s %s", path,
					     none);
	}
	return 0;
}

int resolvers_warn_here(const struct ph_policy_set *set, struct ph_problems *problems)
{
	struct ph_cidrs resolvers = {};
	const char *none = NULL;

	if (!resolvers_read(PH_RESOLV_CONF, &resolvers, &none))
		free(resolvers.v);
	return resolvers_warn(set, PH_RESOLV_CONF, none, problems);
}

/* Adds the rules of the NULL-ended list, with the given remote addresses unless that is NULL. */
static int add_rules(struct ph_policy *policy, const struct ph_rule *keyword,
		     const char *const *texts, const struct ph_cidrs *to)
{
	for (; *texts; texts++) {
		cleanup_(rule_donep) struct ph_rule rule = {};
		struct ph_text_error unused;
		int r;

		r = rule_parse(*texts, strlen(*texts), &rule, &unused);
		if (r < 0)
			return r;
		if (to) {
			rule.to.v = malloc(to->n * sizeof(*to->v));
			if (!rule.to.v)
				return -ENOMEM;
			memcpy(rule.to.v, to->v, to->n * sizeof(*to->v));
			rule.to.n = to->n;
		}
		rule.origin = keyword->kind;
		rule.line = keyword->line;
		rule.column = keyword->column;
		r = policy_add_rule(policy, &rule);
		if (r < 0)
			return r;
	}
	return 0;
}

static int resolve_rule(struct ph_policy *policy, const struct ph_rule *rule,
			const struct ph_cidrs *resolvers)
{
	cleanup_(rule_donep) struct ph_rule copy = {};
	int r;

	if (rule->kind == PH_RULE_LOOPBACK)
		return add_rules(policy, rule, loopback_rules, NULL);
	if (rule->kind == PH_RULE_DNS)
		return resolvers->n ? add_rules(policy, rule, dns_rules, resolvers) : 0;
	r = rule_copy(rule, &copy);
	return r < 0 ? r : policy_add_rule(policy, &copy);
}

int policy_resolve(const struct ph_policy *policy, const struct ph_cidrs *resolvers,
		   struct ph_policy *ret)
{
	cleanup_(policy_donep) struct ph_policy resolved = {}, without_rules = *policy;
	int r;

	without_rules.rules = NULL;
	without_rules.n_rules = 0;
	r = policy_copy(&without_rules, &resolved);
	without_rules = (struct ph_policy){};
	for (size_t i = 0; r == 0 && i < policy->n_rules; i++)
		r = resolve_rule(&resolved, &policy->rules[i], resolvers);
	if (r < 0)
		return r;
	*ret = resolved;
	resolved = (struct ph_policy){};
	return 0;
}

int policy_set_resolve(const struct ph_policy_set *set, const struct ph_cidrs *resolvers,
		       struct ph_policy_set *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set resolved = {};
	int r = 0;

	for (size_t i = 0; !r && i < set->n; i++) {
		cleanup_(policy_donep) struct ph_policy policy = {};

		r = policy_resolve(&set->policies[i], resolvers, &policy);
		if (!r)
			r = policy_set_add(&resolved, &policy);
	}
	if (r)
		return r;
	*ret = resolved;
	resolved = (struct ph_policy_set){};
	return 0;
}
