// SPDX-License-Identifier: GPL-2.0-or-later
/* check: are these policies right? Needs neither root nor BPF, and changes nothing. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "answer.h"
#include "meeting.h"
#include "policy/check.h"
#include "policy/paths.h"
#include "policy/resolve.h"
#include "presence.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_bench, bench_done);

struct request {
	const char *resolvers;
	const char *none; /* why there is none among them; NULL: there is */
	bool json;
	bool elsewhere; /* the policies are for another machine */
};

struct findings {
	struct ph_problems problems;
	size_t files, policies, expects, failed;
};

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "resolvers", required_argument, NULL, 'r' },
		{ "elsewhere", no_argument, NULL, 'e' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("check");
		if (option == 'j')
			request->json = true;
		else if (option == 'e')
			request->elsewhere = true;
		else if (take_resolvers("check", optarg, &request->resolvers))
			return PH_EXIT_USAGE;
	}
	return optind < argc ? 0 : usage_error("check", "expected PATH...");
}

/*
 * Of a file with errors, too: whoever mends it does not run into the rest afterwards. What policies have
 * in common is told of all of their rules or not at all.
 */
static int check_presence(const struct ph_policy_set *set, const struct ph_policy_set *rest,
			  struct findings *findings)
{
	int r = presence_check(set, NULL, &findings->problems);

	r = problems_worse(r, presence_check(rest, NULL, &findings->problems));
	return rest->n ? r : problems_worse(r, meeting_check(set, NULL, &findings->problems));
}

/*
 * Of the policies that could be read: lints, what of them is here, then the compiler's opinion, then
 * their own tests.
 */
static int check_set(const struct ph_policy_set *set, const struct ph_policy_set *rest,
		     const struct request *request, const struct ph_cidrs *resolvers,
		     struct findings *findings)
{
	cleanup_(bench_donep) struct ph_bench bench = {};
	int r = policy_set_check(set, NULL, resolvers, &findings->problems);

	findings->policies = set->n;
	if (!r && !request->elsewhere)
		r = resolvers_warn(set, request->resolvers, request->none, &findings->problems);
	if (!r && !request->elsewhere)
		r = check_presence(set, rest, findings);
	if (!r || r == -EINVAL)
		r = bench_prepare(set, resolvers, &bench, &findings->problems);
	if (!r)
		r = bench_expect(&bench, &findings->problems, &findings->expects,
				 &findings->failed);
	return r;
}

static int check_paths(char **paths, const struct request *request,
		       const struct ph_cidrs *resolvers, struct findings *findings)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {}, rest = {};
	int r = 0;

	for (; *paths && (!r || r == -EINVAL); paths++) {
		int one = policy_path_parse(*paths, &set, &rest, &findings->problems,
					    &findings->files);

		r = problems_worse(r, one);
		r = problems_worse(r, path_warn_of_name(*paths, &findings->problems));
	}
	if (!r || r == -EINVAL)
		r = check_set(&set, &rest, request, resolvers, findings);
	if (!r || r == -EINVAL)
		r = problems_add_lines(&findings->problems, 0);
	return r;
}

static int compare_places(const void *a, const void *b)
{
	const struct ph_problem *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

static void print_json(const struct findings *findings)
{
	const struct ph_problems *problems = &findings->problems;
	json_t *list = json_array(), *object;

	for (size_t i = 0; i < problems->n; i++)
		(void)json_array_append_new(list, problem_json(&problems->v[i]));
	object = json_pack("{s:b, s:I, s:I, s:{s:I, s:I}, s:I, s:I, s:I, s:o}", "valid",
			   !problems->n_errors, "files", (json_int_t)findings->files, "policies",
			   (json_int_t)findings->policies, "expectations", "tried",
			   (json_int_t)findings->expects, "failed", (json_int_t)findings->failed,
			   "errors", (json_int_t)problems->n_errors, "warnings",
			   (json_int_t)problems->n_warnings, "left_out",
			   (json_int_t)problems->n_left_out, "problems", list);
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
}

static const char *plural(size_t n, const char *one, const char *more)
{
	return n == 1 ? one : more;
}

static int print_text(const struct findings *findings)
{
	const struct ph_problems *problems = &findings->problems;
	cleanup_free char *text = NULL;
	int r = problems_format(problems, &text);

	if (r)
		return r;
	(void)fputs(text, stdout);
	(void)printf("%zu file%s, %zu polic%s, %zu expectation%s tried", findings->files,
		     plural(findings->files, "", "s"), findings->policies,
		     plural(findings->policies, "y", "ies"), findings->expects,
		     plural(findings->expects, "", "s"));
	if (problems->n_errors || problems->n_warnings)
		(void)printf(": %zu error%s, %zu warning%s\n", problems->n_errors,
			     plural(problems->n_errors, "", "s"), problems->n_warnings,
			     plural(problems->n_warnings, "", "s"));
	else
		(void)printf(": all is well\n");
	return 0;
}

static int answer(struct findings *findings, bool json)
{
	struct ph_problems *problems = &findings->problems;
	int r = 0;

	if (problems->n)
		qsort(problems->v, problems->n, sizeof(*problems->v), compare_places);
	if (json)
		print_json(findings);
	else
		r = print_text(findings);
	if (r)
		return r;
	return problems->n_errors ? PH_EXIT_NO : PH_EXIT_OK;
}

static int complain(const char *what, int error)
{
	if (error == -ENOTRECOVERABLE)
		(void)fprintf(stderr, "porthold check: internal error: the compiled decision and "
				      "the reference differ; please report it with the policy\n");
	else
		(void)fprintf(stderr, "porthold check: %s: %s\n", what, strerror(-error));
	return PH_EXIT_IMPOSSIBLE;
}

int cmd_check(int argc, char **argv)
{
	struct request request = { .resolvers = PH_RESOLV_CONF };
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	struct findings findings = {};
	int r = parse_arguments(argc, argv, &request);

	if (r)
		return r;
	r = resolvers_read(request.resolvers, &resolvers, &request.none);
	if (r)
		return complain(request.resolvers, r);
	owned = resolvers.v;
	r = check_paths(argv + optind, &request, &resolvers, &findings);
	if (!r || r == -EINVAL)
		r = answer(&findings, request.json);
	problems_done(&findings.problems);
	return r < 0 ? complain("cannot check", r) : r;
}
