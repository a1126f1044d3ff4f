/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PARSE_H
#define PH_PARSE_H
/*
 * Policy files -> model. Every problem of a file is found in one run.
 *
 * 0: all policies of the text were added to the set (problems may have got warnings);
 * -EINVAL: problems got at least one error, the set is as before;
 * other -errno (-ENOMEM): the set is as before.
 * All may be called again with the same set and problems for the next file. A name that the set
 * already holds is an error, so policies of one directory belong in one set.
 */
#include "policy/policy.h"
#include "policy/problem.h"

int policy_parse_file(const char *path, struct ph_policy_set *set, struct ph_problems *problems);

/* But with -EINVAL *rest has what could be read nonetheless: to speak of it, never to put it in force. */
int policy_parse_file_rest(const char *path, struct ph_policy_set *set, struct ph_policy_set *rest,
			   struct ph_problems *problems);

/* The text alone, the caller's to free; what keeps it from being read is an error of the file. */
int policy_read_file(const char *path, char **ret, size_t *ret_len, struct ph_problems *problems);

/* name stands for the file in messages and in policy->file. */
int policy_parse_text(const char *name, const char *text, size_t len, struct ph_policy_set *set,
		      struct ph_problems *problems);

#endif
