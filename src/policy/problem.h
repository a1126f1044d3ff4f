/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PROBLEM_H
#define PH_PROBLEM_H
/*
 * What is wrong with a policy file, for people: a place, what is wrong, what would be right.
 * A list keeps the first PH_PROBLEMS_MAX and counts the rest, so a hopeless file costs no memory.
 * Texts hold no control characters: they may go to a terminal as they are.
 */
#include <stdbool.h>
#include <stddef.h>

#define PH_PROBLEMS_MAX 1000U
#define PH_PROBLEMS_GIVE_UP 100000U /* a file is not read on after that many */

enum ph_severity {
	PH_ERROR,
	PH_WARNING,
};

struct ph_problem {
	enum ph_severity severity;
	char *file;
	unsigned line, column; /* 0: the file as a whole; columns count characters from 1 */
	char *message;
	char *remedy; /* NULL: none */
	char *source; /* the line, or the part of it around the column; NULL: none */
	unsigned caret; /* how many characters of source stand before the column */
};

struct ph_problems {
	struct ph_problem *v;
	size_t n;
	size_t n_errors, n_warnings; /* those left out included */
	size_t n_left_out;
};

void problems_done(struct ph_problems *problems);

/* Copies what it keeps. 0 or -ENOMEM. */
int problems_add(struct ph_problems *problems, const struct ph_problem *problem);

/*
 * Of two results the one that counts: the first failure, but one that is more than -EINVAL, which
 * only says that there are problems, before all.
 */
int problems_worse(int r, int next);

/* Sorts those from the given one on by place. */
void problems_sort(struct ph_problems *problems, size_t first);

/*
 * FILE:LINE:COLUMN: what is wrong; what would be right
 *     the source line
 *     ^
 * A warning says "warning: " after the place. The texts end in a newline.
 */
int problem_format(const struct ph_problem *problem, char **ret);
int problems_format(const struct ph_problems *problems, char **ret);

#endif
