/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_STORE_H
#define PH_STORE_H
/*
 * The policy directories. The files are the truth: what is in force is the union of both
 * directories, and a name that stands in both means the one in /run.
 */
#include "policy/policy.h"
#include "policy/problem.h"

#define PH_RUN_DIR "/run/porthold"
#define PH_RUN_POLICIES PH_RUN_DIR "/policy.d"
#define PH_ETC_POLICIES "/etc/porthold/policy.d"

/* Where the files are kept as they were when they were last put in force. */
#define PH_GOOD_POLICIES "/var/lib/porthold/good"

/*
 * Every *.yaml of both directories but the file `without` (NULL: all); 0, -EINVAL with problems, or
 * another -errno.
 */
int store_load(const char *without, struct ph_policy_set *ret, struct ph_problems *problems);

/*
 * The same for a change that has nothing to do with a bad file: of that one its last good form
 * counts, or nothing if it was never in force. 0 with the problems of what was passed over.
 */
int store_load_good(const char *without, struct ph_policy_set *ret, struct ph_problems *problems);

/* Keeps every file of both directories that has no error among the problems. 0 or -errno. */
int store_keep(const struct ph_problems *problems);

/* Where `allow` keeps the policy of this name: *ret is the caller's to free. */
int store_path(const char *directory, const char *name, char **ret);

#endif
