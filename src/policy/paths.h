/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PATHS_H
#define PH_PATHS_H
/*
 * Policy files that somebody names: a file, or a directory for the *.yaml in it.
 */
#include "policy/policy.h"
#include "policy/problem.h"

/*
 * Adds what is there to the set; *files (may be NULL) counts up. 0; -EINVAL with problems, and what
 * was right is in the set; another -errno. A directory without a policy file is a problem.
 */
int policy_path_parse(const char *path, struct ph_policy_set *set, struct ph_problems *problems,
		      size_t *files);

#endif
