/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PATHS_H
#define PH_PATHS_H
/*
 * Policy files that somebody names: a file, or a directory for the *.yaml in it.
 */
#include "policy/policy.h"
#include "policy/problem.h"

/* Whether a directory's entry of this name is a policy file: *.yaml, and not hidden. */
bool is_policy_file(const char *name);

/* Whether root alone may write it, or it is not there. */
bool path_is_ours(const char *path);

/*
 * Refuses what others than root may write: they would decide whom policies confine, and free
 * themselves. 0, -EINVAL with a problem, or -ENOMEM. What is not there is not refused.
 */
int path_check_owner(const char *path, struct ph_problems *problems);

/*
 * Warns of entries of a directory of policies that are called almost so, and do not count. A
 * directory that cannot be read has none. 0 or -ENOMEM.
 */
int paths_warn_of_others(const char *directory, struct ph_problems *problems);

/* The same of one file, by its name. */
int path_warn_of_name(const char *path, struct ph_problems *problems);

/* path_check_owner() of what lies in a policy directory, or is one; elsewhere it is copied from, and free. */
int path_check_place(const char *path, struct ph_problems *problems);

struct ph_paths {
	char **v;
	size_t n;
};

void paths_done(struct ph_paths *paths);

/*
 * Adds the file, or the policy files of the directory. 0; -EINVAL with problems (a directory that
 * cannot be read or holds no policy file); -ENOMEM.
 */
int paths_add(struct ph_paths *paths, const char *path, struct ph_problems *problems);

/*
 * Adds what is there to the set; *files (may be NULL) counts up. 0; -EINVAL with problems, and what
 * was right is in the set, what could be read of the others in *rest (may be NULL); another -errno. A
 * directory without a policy file is a problem.
 */
int policy_path_parse(const char *path, struct ph_policy_set *set, struct ph_policy_set *rest,
		      struct ph_problems *problems, size_t *files);

#endif
