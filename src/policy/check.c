// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warnings about policies (check.h says which).
 *
 * Lists of networks are sorted and none of their networks holds another (policy.h), so the only one
 * that can hold a given network is the last that does not come after it.
 */
#include "policy/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cidr.h"
#include "policy/diff.h"
#include "policy/name.h"
#include "policy/reference.h"
#include "policy/resolve.h"
#include "policy/rule.h"
#include "policy/source.h"
#include "util/cleanup.h"
#include "util/file.h"

#define COMPARED_MAX (1U << 27) /* pairs of rules in a set, each with its ports and networks */
#define DNS_PORT 53

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

struct check {
	const struct ph_policy_set *known;
	const struct ph_cidrs *resolvers;
	struct ph_problems *problems;
	size_t compared;
};

/* --- Problems */

int problems_note(struct ph_problems *problems, enum ph_severity severity, const char *file,
		  unsigned line, unsigned column, const char *remedy, const char *format, ...)
{
	struct ph_problem problem = {
		.severity = severity,
		.file = (char *)(file ? file : "policy"),
		.line = line,
		.column = column,
		.remedy = (char *)remedy,
	};
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = vasprintf(&problem.message, format, arguments);
	va_end(arguments);
	if (r < 0)
		return -ENOMEM;
	r = problems_add(problems, &problem);
	free(problem.message);
	return r;
}

/* The line of one problem, made by what makes it for the parser. */
static int add_line(const struct ph_source *source, struct ph_place *place,
		    struct ph_problem *problem)
{
	cleanup_(problems_donep) struct ph_problems scratch = {};
	struct ph_source noting = *source;
	int r;

	noting.problems = &scratch;
	source_move(&noting, place, problem->line, problem->column);
	r = source_error(&noting, place, problem->message, NULL);
	if (r)
		return r;
	problem->source = TAKE_PTR(scratch.v[0].source);
	problem->caret = scratch.v[0].caret;
	return 0;
}

/* Adds the lines of one file, whose first problem is given. */
static int add_file_lines(struct ph_problems *problems, size_t first)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_free char *text = NULL;
	struct ph_place place = { .line = 1, .column = 1 };
	struct ph_source source = { .name = problems->v[first].file, .problems = &ignored };
	int r = file_read(source.name, PH_FILE_SIZE_MAX, &text, &source.len);

	if (r)
		return r == -ENOMEM ? r : 0;
	source.text = text;
	r = source_check(&source);
	for (size_t i = first; !r && i < problems->n; i++) {
		struct ph_problem *problem = &problems->v[i];

		if (problem->line && !problem->source && !strcmp(problem->file, source.name))
			r = add_line(&source, &place, problem);
	}
	return r == -ENOMEM ? r : 0;
}

int problems_add_lines(struct ph_problems *problems, size_t first)
{
	const char *file = NULL;

	for (size_t i = first; i < problems->n; i++) {
		const struct ph_problem *problem = &problems->v[i];
		int r;

		if (!problem->line || problem->source || (file && !strcmp(file, problem->file)))
			continue;
		file = problem->file;
		r = add_file_lines(problems, i);
		if (r)
			return r;
	}
	return 0;
}

#define WARN_POLICY(check, policy, remedy, ...)                                      \
	problems_note((check)->problems, PH_WARNING, (policy)->file, (policy)->line, \
		      (policy)->column, remedy, __VA_ARGS__)

#define WARN_RULE(check, policy, rule, remedy, ...)                                                \
	problems_note((check)->problems, PH_WARNING, (policy)->file, (rule)->line, (rule)->column, \
		      remedy, __VA_ARGS__)

/* --- Networks */

static bool cidr_covers(const struct ph_cidr *outer, const struct ph_cidr *inner)
{
	return outer->len <= inner->len && cidr_holds(outer, inner->family, inner->addr);
}

/* How many of the list do not come after the network. */
static size_t list_floor(const struct ph_cidrs *list, const struct ph_cidr *cidr)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cidr_compare(&list->v[middle], cidr) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the network lies in one of the list. */
static bool list_covers(const struct ph_cidrs *list, const struct ph_cidr *cidr)
{
	size_t n = list_floor(list, cidr);

	return n > 0 && cidr_covers(&list->v[n - 1], cidr);
}

/* Whether the network has an address in common with one of the list. */
static bool list_touches(const struct ph_cidrs *list, const struct ph_cidr *cidr)
{
	size_t n = list_floor(list, cidr);

	return list_covers(list, cidr) || (n < list->n && cidr_covers(cidr, &list->v[n]));
}

/* An empty list is every address. */
static const struct ph_cidrs *list_written(const struct ph_cidrs *list)
{
	static struct ph_cidr all[] = { { .family = 4 }, { .family = 6 } };
	static const struct ph_cidrs every = { all, 2 };

	return list->n ? list : &every;
}

/*
 * Whether (inner without inner_except) surely lies in (outer without outer_except). No for some
 * that do, where several networks together would be needed.
 */
static bool lists_nest(const struct ph_cidrs *inner, const struct ph_cidrs *inner_except,
		       const struct ph_cidrs *outer, const struct ph_cidrs *outer_except)
{
	inner = list_written(inner);
	outer = list_written(outer);
	for (size_t i = 0; i < inner->n; i++)
		if (!list_covers(outer, &inner->v[i]) && !list_covers(inner_except, &inner->v[i]))
			return false;
	for (size_t i = 0; i < outer_except->n; i++)
		if (list_touches(inner, &outer_except->v[i]) &&
		    !list_covers(inner_except, &outer_except->v[i]))
			return false;
	return true;
}

/* --- Names */

static const char *const interpreters[] = {
	"ash",	  "awk",  "bash",   "beam.smp", "bun",	  "busybox", "dash", "deno",
	"dotnet", "erl",  "fish",   "gawk",	"guile",  "java",    "ksh",  "lua",
	"luajit", "mawk", "mono",   "node",	"nodejs", "perl",    "php",  "php-fpm",
	"pwsh",	  "pypy", "python", "ruby",	"sh",	  "tclsh",   "zsh",  NULL,
};

/* python3.11, ruby3.1, php8.2: the number does not count. */
static bool is_interpreter(const char *name)
{
	return name_is_listed(interpreters, name, strlen(name), "0123456789.");
}

static int check_interpreter(struct check *check, const struct ph_policy *policy)
{
	const struct ph_match *match = &policy->match;
	const char *name = match->exe ? strrchr(match->exe, '/') + 1 : match->comm;

	if (match->cgroup || match->unit || !is_interpreter(name))
		return 0;
	return WARN_POLICY(check, policy,
			   "add a cgroup or unit to the match if only one of them is meant",
			   "policy %s: %s is an interpreter: every script that it runs is confined",
			   policy->name, name);
}

static int check_name(struct check *check, const struct ph_policy *policy)
{
	const struct ph_match *match = &policy->match;
	const char *guarded = match_guarded(match);

	if (!strcmp(policy->name, PH_TEST_NAME))
		return WARN_POLICY(
			check, policy, "take another name",
			"policy %s: the name is that of porthold's selftest, whose denials "
			"no event tells",
			policy->name);
	if (comm_is_of_kernel(match->comm, strlen(match->comm)))
		return WARN_POLICY(check, policy, "name a program",
				   "policy %s: %s is the name of a thread of the kernel, which no "
				   "policy confines",
				   policy->name, match->comm);
	if (policy->mode == PH_POLICY_ENFORCE && guarded)
		return WARN_POLICY(
			check, policy, "match something else, or a part of the machine alone",
			"policy %s: apply refuses to confine %s, but with --force --confirm: that "
			"can lock you out of the machine",
			policy->name, guarded);
	return check_interpreter(check, policy);
}

static int check_children(struct check *check, const struct ph_policy *policy)
{
	if (policy->children != PH_CHILDREN_LEAVE)
		return 0;
	return WARN_POLICY(check, policy, "write children: confine, or nothing, to close it",
			   "policy %s: an open door: children: leave lets out whatever the process "
			   "executes",
			   policy->name);
}

/* --- Rules */

/* The list that `except` takes away from. */
static const struct ph_cidrs *excepted_list(const struct ph_rule *rule)
{
	if (rule->from.n)
		return &rule->from;
	return rule->bind ? &rule->on : &rule->to;
}

static const struct ph_cidrs *except_of(const struct ph_rule *rule, const struct ph_cidrs *list)
{
	static const struct ph_cidrs none;

	return excepted_list(rule) == list ? &rule->except : &none;
}

static int check_except(struct check *check, const struct ph_policy *policy,
			const struct ph_rule *rule)
{
	const struct ph_cidrs *list = list_written(excepted_list(rule));
	char text[PH_CIDR_TEXT_MAX];
	size_t left = 0;

	if (rule->kind != PH_RULE_PORTS || !rule->except.n)
		return 0;
	for (size_t i = 0; i < rule->except.n; i++) {
		if (list_touches(list, &rule->except.v[i]))
			continue;
		cidr_format(&rule->except.v[i], text);
		return WARN_RULE(check, policy, rule, "correct it or leave it out",
				 "except %s takes nothing away: the list before it has none of it",
				 text);
	}
	for (size_t i = 0; i < list->n; i++)
		left += !list_covers(&rule->except, &list->v[i]);
	if (left)
		return 0;
	return WARN_RULE(check, policy, rule, "narrow the except, or drop the rule",
			 "the rule allows nothing: except takes all of its list away");
}

/* How many bits at the end of the address are zero. */
static unsigned zero_bits(const struct ph_cidr *cidr)
{
	unsigned bytes = cidr->family == 4 ? 4 : 16, n = 0;

	while (n < bytes && !cidr->addr[bytes - 1 - n])
		n++;
	return 8 * n;
}

/* The prefix that the zeros at the end of a lone address speak of; 0: it is a host's. */
static unsigned meant_prefix(const struct ph_cidr *cidr)
{
	unsigned bits = cidr->family == 4 ? 32 : 128, zeros = zero_bits(cidr);

	if (cidr->len < bits || zeros == bits)
		return 0;
	if (cidr->family == 6)
		return zeros >= 64 ? bits - zeros : 0;
	return zeros ? bits - zeros : 0;
}

static int check_hosts(struct check *check, const struct ph_policy *policy,
		       const struct ph_rule *rule, const char *clause, const struct ph_cidrs *list)
{
	char text[PH_CIDR_TEXT_MAX], remedy[PH_CIDR_TEXT_MAX + 64];

	for (size_t i = 0; i < list->n; i++) {
		unsigned prefix = meant_prefix(&list->v[i]);

		if (!prefix)
			continue;
		cidr_format(&list->v[i], text);
		(void)snprintf(remedy, sizeof(remedy), "write %s/%u if the network is meant", text,
			       prefix);
		return WARN_RULE(check, policy, rule, remedy,
				 "%s %s is one host, and looks like a network", clause, text);
	}
	return 0;
}

static int check_lists(struct check *check, const struct ph_policy *policy,
		       const struct ph_rule *rule)
{
	int r = check_hosts(check, policy, rule, "to", &rule->to);

	if (!r)
		r = check_hosts(check, policy, rule, "from", &rule->from);
	return r ? r : check_hosts(check, policy, rule, "except", &rule->except);
}

static bool ranges_nest(const struct ph_rule *inner, const struct ph_rule *outer)
{
	size_t j = 0;

	for (size_t i = 0; i < inner->n_ranges; i++) {
		while (j < outer->n_ranges && outer->ranges[j].hi < inner->ranges[i].lo)
			j++;
		if (j == outer->n_ranges || outer->ranges[j].lo > inner->ranges[i].lo ||
		    outer->ranges[j].hi < inner->ranges[i].hi)
			return false;
	}
	return true;
}

#define SIDE_NESTS(inner, outer, side)                                               \
	lists_nest(&(inner)->side, except_of(inner, &(inner)->side), &(outer)->side, \
		   except_of(outer, &(outer)->side))

/* Whether all that inner allows is surely allowed by outer. Neither is a keyword. */
static bool rule_nests(const struct ph_rule *inner, const struct ph_rule *outer)
{
	if (inner->kind != outer->kind)
		return false;
	if (inner->kind == PH_RULE_SOCKET)
		return inner->socket == outer->socket;
	if (inner->proto != outer->proto || inner->connect > outer->connect ||
	    inner->bind > outer->bind || !ranges_nest(inner, outer))
		return false;
	if (inner->connect && !SIDE_NESTS(inner, outer, to))
		return false;
	return !inner->bind || (SIDE_NESTS(inner, outer, on) && SIDE_NESTS(inner, outer, from));
}

/* A rule as written, with the plain rules that it stands for: [first, first + n) of resolved. */
struct written {
	const struct ph_rule *rule;
	size_t first, n;
};

static bool same_place(const struct ph_rule *a, const struct ph_rule *b)
{
	return a->line == b->line && a->column == b->column && a->kind == b->origin;
}

static void find_written(const struct ph_policy *policy, const struct ph_policy *resolved,
			 struct written *written)
{
	size_t at = 0;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct ph_rule *rule = &policy->rules[i];
		bool keyword = rule->kind == PH_RULE_DNS || rule->kind == PH_RULE_LOOPBACK;

		written[i] = (struct written){ .rule = rule, .first = at };
		do {
			if (at == resolved->n_rules || !same_place(rule, &resolved->rules[at]))
				break;
			written[i].n++;
			at++;
		} while (keyword);
	}
}

static bool written_nests(const struct ph_policy *resolved, const struct written *inner,
			  const struct written *outer)
{
	for (size_t i = 0; i < inner->n; i++) {
		bool found = false;

		for (size_t j = 0; j < outer->n && !found; j++)
			found = rule_nests(&resolved->rules[inner->first + i],
					   &resolved->rules[outer->first + j]);
		if (!found)
			return false;
	}
	return inner->n > 0;
}

/*
 * The resolvers of tomorrow may be others, so nothing is called superfluous beside dns. Of two
 * rules that say the same it is the later one.
 */
static bool is_shadowed(const struct ph_policy *resolved, const struct written *written,
			size_t inner, size_t outer)
{
	if (inner == outer)
		return false;
	if (written[outer].rule->kind == PH_RULE_DNS)
		return inner > outer && written[inner].rule->kind == PH_RULE_DNS;
	return written_nests(resolved, &written[inner], &written[outer]) &&
	       (inner > outer || !written_nests(resolved, &written[outer], &written[inner]));
}

static int warn_shadowed(struct check *check, const struct ph_policy *policy,
			 const struct ph_rule *inner, const struct ph_rule *outer)
{
	cleanup_free char *text = NULL;
	int r = rule_format(outer, &text);

	if (r)
		return r;
	return WARN_RULE(check, policy, inner, "leave it out",
			 "the rule adds nothing: \"%.200s\" in line %u allows all of it", text,
			 outer->line);
}

static size_t weight_of(const struct ph_rule *rule)
{
	return 1 + rule->n_ranges + rule->to.n + rule->on.n + rule->from.n + rule->except.n;
}

static int check_shadows(struct check *check, const struct ph_policy *policy,
			 const struct ph_policy *resolved)
{
	cleanup_free struct written *written = calloc(policy->n_rules + 1, sizeof(*written));
	int r = 0;

	if (!written)
		return -ENOMEM;
	find_written(policy, resolved, written);
	for (size_t i = 0; !r && i < policy->n_rules; i++) {
		for (size_t j = 0; j < policy->n_rules; j++) {
			check->compared += weight_of(written[i].rule);
			if (check->compared > COMPARED_MAX)
				return 0;
			if (!is_shadowed(resolved, written, i, j))
				continue;
			r = warn_shadowed(check, policy, written[i].rule, written[j].rule);
			break;
		}
	}
	return r;
}

/* --- DNS */

static bool is_loopback(const struct ph_cidr *cidr)
{
	static const struct ph_cidr loopback[] = {
		{ 4, 8, { 127 } },
		{ 6, 128, { [15] = 1 } },
	};

	return cidr_covers(&loopback[0], cidr) || cidr_covers(&loopback[1], cidr);
}

/* Whether the policy lets its processes talk to other machines of their own accord. */
static bool reaches_out(const struct ph_policy *resolved)
{
	for (size_t i = 0; i < resolved->n_rules; i++) {
		const struct ph_rule *rule = &resolved->rules[i];

		if (rule->kind != PH_RULE_PORTS || !rule->connect)
			continue;
		if (!rule->to.n)
			return true;
		for (size_t j = 0; j < rule->to.n; j++)
			if (!is_loopback(&rule->to.v[j]))
				return true;
	}
	return false;
}

/* Over UDP, where names are asked for; TCP alone serves those who were told to ask again. */
static bool resolves_names(const struct ph_policy *resolved, const struct ph_cidrs *resolvers,
			   enum ph_proto proto)
{
	for (size_t i = 0; i < resolvers->n; i++) {
		struct ph_flow_spec flow = {
			.door = PH_FLOW_CONNECT,
			.proto = proto,
			.remote = { .family = resolvers->v[i].family, .port = DNS_PORT },
		};

		memcpy(flow.remote.addr, resolvers->v[i].addr, sizeof(flow.remote.addr));
		if (reference_allows(resolved, &flow, NULL))
			return true;
	}
	return false;
}

/* dns without a resolver, or an expectation that port 53 is denied: the author thought of it. */
static bool speaks_of_dns(const struct ph_policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == PH_RULE_DNS)
			return true;
	for (size_t i = 0; i < policy->n_expects; i++)
		if (!policy->expects[i].allow && policy->expects[i].flow.remote.port == DNS_PORT)
			return true;
	return false;
}

/* What is known of one policy, for those of the same match. */
struct names {
	const struct ph_policy *policy;
	bool is_known;
	bool reaches_out;
	bool settled; /* DNS passes, or is spoken of */
	bool by_tcp; /* it passes there alone */
	bool warn;
};

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_matches(const struct ph_policy *x, const struct ph_policy *y)
{
	const struct ph_match *a = &x->match, *b = &y->match;
	int order = strcmp(a->comm, b->comm);

	if (!order)
		order = compare_texts(a->exe, b->exe);
	if (!order)
		order = compare_texts(a->cgroup, b->cgroup);
	if (!order)
		order = compare_texts(a->unit, b->unit);
	if (!order)
		order = a->run - b->run;
	if (!order)
		order = a->has_uid - b->has_uid;
	if (!order)
		order = (a->uid > b->uid) - (a->uid < b->uid);
	return order ? order : (int)x->mode - (int)y->mode;
}

/* Those of one match together, in the order of the set. */
static int compare_names(const void *a, const void *b)
{
	const struct names *x = *(struct names *const *)a, *y = *(struct names *const *)b;
	int order = compare_matches(x->policy, y->policy);

	return order ? order : (x > y) - (x < y);
}

static int warn_dns(struct check *check, const struct ph_policy *policy, bool by_tcp)
{
	char address[PH_ADDRESS_TEXT_MAX], remedy[200];
	const struct ph_cidr *first = check->resolvers->v;

	address_format(first->family, first->addr, address);
	(void)snprintf(remedy, sizeof(remedy),
		       "add dns to the rules; or say under expect: that it is meant: "
		       "deny connect udp %s%s%s:53",
		       first->family == 6 ? "[" : "", address, first->family == 6 ? "]" : "");
	if (by_tcp)
		return WARN_POLICY(check, policy, remedy,
				   "policy %s lets DNS through over TCP alone: names are asked for "
				   "over UDP (port 53 of %s%s), so most cannot be resolved",
				   policy->name, address,
				   check->resolvers->n > 1 ? " and others" : "");
	return WARN_POLICY(check, policy, remedy,
			   "policy %s denies DNS (port 53 of %s%s): no name can be resolved",
			   policy->name, address, check->resolvers->n > 1 ? " and others" : "");
}

/* Takes in what the policy, of which this is the resolved form, means for names. */
static void learn_names(const struct check *check, const struct ph_policy *resolved,
			struct names *names)
{
	names->reaches_out = reaches_out(resolved);
	names->settled = speaks_of_dns(names->policy) ||
			 resolves_names(resolved, check->resolvers, PH_PROTO_UDP);
	names->by_tcp = resolves_names(resolved, check->resolvers, PH_PROTO_TCP);
}

/* Of what is known that is only asked for what stands beside it. */
static int learn_known_names(const struct check *check, struct names *names)
{
	cleanup_(policy_donep) struct ph_policy resolved = {};
	int r = policy_resolve(names->policy, check->resolvers, &resolved);

	if (!r)
		learn_names(check, &resolved, names);
	return r;
}

/*
 * Of one match: the first that reaches out is warned about, unless one of them settles DNS, or all
 * are known.
 */
static int choose_warning(const struct check *check, struct names **names, size_t n)
{
	struct names *first = NULL;
	bool settled = false, by_tcp = false, known = true;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		known &= names[i]->is_known;
	for (size_t i = 0; !r && !known && i < n; i++) {
		if (names[i]->is_known)
			r = learn_known_names(check, names[i]);
		settled |= names[i]->settled;
		by_tcp |= names[i]->by_tcp;
		if (!first && names[i]->reaches_out)
			first = names[i];
	}
	if (first) {
		first->warn = !settled;
		first->by_tcp = by_tcp;
	}
	return r;
}

static int choose_warnings(const struct check *check, struct names *names, size_t n)
{
	cleanup_free struct names **sorted = calloc(n + 1, sizeof(*sorted));
	int r = sorted ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < n; i++)
		sorted[i] = &names[i];
	if (!r)
		qsort(sorted, n, sizeof(struct names *), compare_names);
	for (size_t i = 0, end; !r && i < n; i = end) {
		for (end = i + 1; end < n; end++)
			if (compare_matches(sorted[i]->policy, sorted[end]->policy))
				break;
		r = choose_warning(check, sorted + i, end - i);
	}
	return r;
}

/* --- All of it */

static bool is_known(const struct check *check, const struct ph_policy *policy)
{
	const struct ph_policy *same = check->known ? policy_set_find(check->known, policy->name) :
						      NULL;

	return same && policy_equal(same, policy);
}

static int check_policy(struct check *check, const struct ph_policy *policy, struct names *names)
{
	cleanup_(policy_donep) struct ph_policy resolved = {};
	int r = policy_resolve(policy, check->resolvers, &resolved);

	if (!r)
		r = check_name(check, policy);
	if (!r)
		r = check_children(check, policy);
	for (size_t i = 0; !r && i < policy->n_rules; i++) {
		r = check_except(check, policy, &policy->rules[i]);
		if (!r)
			r = check_lists(check, policy, &policy->rules[i]);
	}
	if (!r)
		r = check_shadows(check, policy, &resolved);
	learn_names(check, &resolved, names);
	return r;
}

int policy_set_check(const struct ph_policy_set *set, const struct ph_policy_set *known,
		     const struct ph_cidrs *resolvers, struct ph_problems *problems)
{
	cleanup_free struct names *names = calloc(set->n + 1, sizeof(*names));
	struct check check = { .known = known, .resolvers = resolvers, .problems = problems };
	int r = names ? 0 : -ENOMEM;
	size_t n_new = 0;

	for (size_t i = 0; !r && i < set->n; i++) {
		names[i].policy = &set->policies[i];
		names[i].is_known = is_known(&check, names[i].policy);
		n_new += !names[i].is_known;
		if (!names[i].is_known)
			r = check_policy(&check, names[i].policy, &names[i]);
	}
	if (!r && n_new && resolvers->n)
		r = choose_warnings(&check, names, set->n);
	for (size_t i = 0; !r && i < set->n; i++)
		if (names[i].warn)
			r = warn_dns(&check, names[i].policy, names[i].by_tcp);
	return r;
}

int problems_refuse(struct ph_problems *problems, const char *file, const char *remedy,
		    const char *message)
{
	int r = problems_note(problems, PH_ERROR, file, 0, 0, remedy, "%s", message);

	return r ? r : -EINVAL;
}
