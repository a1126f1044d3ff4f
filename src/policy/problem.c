// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists of problems, and their text (problem.h has the contract).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/problem.h"
#include "policy/text.h"
#include "util/cleanup.h"
#include "util/stream.h"

static void problem_done(struct ph_problem *problem)
{
	free(problem->file);
	free(problem->message);
	free(problem->remedy);
	free(problem->source);
	*problem = (struct ph_problem){};
}

DEFINE_CLEANUP_DONE(struct ph_problem, problem_done);

void problems_done(struct ph_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		problem_done(&problems->v[i]);
	free(problems->v);
	*problems = (struct ph_problems){};
}

static int copy_fit_to_show(const char *from, char **to)
{
	size_t len, used = 0;
	char *copy;

	if (!from)
		return 0;
	len = strlen(from);
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < len;) {
		uint32_t character;
		size_t n = utf8_decode(from + i, len - i, &character);

		if (n == 0 || is_control(character)) {
			copy[used++] = from[i] == '\t' ? ' ' : '?';
		} else {
			memcpy(copy + used, from + i, n);
			used += n;
		}
		i += n ? n : 1;
	}
	copy[used] = '\0';
	*to = copy;
	return 0;
}

static int problem_copy(const struct ph_problem *problem, struct ph_problem *ret)
{
	cleanup_(problem_donep) struct ph_problem copy = *problem;

	copy.file = copy.message = copy.remedy = copy.source = NULL;
	if (copy_fit_to_show(problem->file, &copy.file) < 0 ||
	    copy_fit_to_show(problem->message, &copy.message) < 0 ||
	    copy_fit_to_show(problem->remedy, &copy.remedy) < 0 ||
	    copy_fit_to_show(problem->source, &copy.source) < 0)
		return -ENOMEM;
	*ret = copy;
	copy = (struct ph_problem){};
	return 0;
}

int problems_add(struct ph_problems *problems, const struct ph_problem *problem)
{
	if (problems->n >= PH_PROBLEMS_MAX) {
		problems->n_left_out++;
	} else {
		/* Doubled whenever n is a power of two. */
		if ((problems->n & (problems->n - 1)) == 0) {
			struct ph_problem *larger;

			larger = reallocarray(problems->v, problems->n ? problems->n * 2 : 1,
					      sizeof(*larger));
			if (!larger)
				return -ENOMEM;
			problems->v = larger;
		}
		if (problem_copy(problem, &problems->v[problems->n]) < 0)
			return -ENOMEM;
		problems->n++;
	}
	if (problem->severity == PH_ERROR)
		problems->n_errors++;
	else
		problems->n_warnings++;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct ph_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->message, y->message);
}

void problems_sort(struct ph_problems *problems, size_t first)
{
	if (problems->n > first)
		qsort(problems->v + first, problems->n - first, sizeof(*problems->v),
		      compare_places);
}

static void problem_print(FILE *stream, const struct ph_problem *problem)
{
	(void)fputs(problem->file, stream);
	if (problem->line)
		(void)fprintf(stream, ":%u:%u", problem->line, problem->column);
	(void)fprintf(stream, ": %s%s", problem->severity == PH_WARNING ? "warning: " : "",
		      problem->message);
	if (problem->remedy && *problem->remedy)
		(void)fprintf(stream, "; %s", problem->remedy);
	(void)fputc('\n', stream);
	if (problem->source)
		(void)fprintf(stream, "    %s\n    %*s^\n", problem->source, (int)problem->caret,
			      "");
}

int problem_format(const struct ph_problem *problem, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	problem_print(stream.file, problem);
	return stream_end(&stream, ret);
}

int problems_format(const struct ph_problems *problems, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	for (size_t i = 0; i < problems->n; i++)
		problem_print(stream.file, &problems->v[i]);
	if (problems->n_left_out)
		(void)fprintf(stream.file, "and %zu more problem%s%s\n", problems->n_left_out,
			      problems->n_left_out == 1 ? "" : "s",
			      problems->n_errors >= PH_PROBLEMS_GIVE_UP ? " or even more" : "");
	return stream_end(&stream, ret);
}

int problems_worse(int r, int next)
{
	return next && (!r || r == -EINVAL) && r != next ? next : r;
}
