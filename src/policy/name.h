/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_NAME_H
#define PH_NAME_H
/*
 * What may stand as a process name, a policy's name, a path, a cgroup or a unit in a policy.
 * The checks look at the text alone, never at the system. 0, or -EINVAL with *error filled.
 */
#include "policy/rule.h"

int comm_check(const char *text, size_t len, struct ph_text_error *error);
int policy_name_check(const char *text, size_t len, struct ph_text_error *error);
int exe_check(const char *text, size_t len, struct ph_text_error *error);
int cgroup_check(const char *text, size_t len, struct ph_text_error *error);
int unit_check(const char *text, size_t len, struct ph_text_error *error);
/*
 * Whose name this is, if to confine it could lock somebody out of the machine; else NULL. Such a name
 * is never anybody else's, whether or not it runs now.
 */
const char *comm_guarded(const char *comm);

/*
 * The same of a match: by a name or the system's program alone, for in a part of the machine a name may be
 * somebody else's; and by the unit or the cgroup of the SSH server.
 */
const char *match_guarded(const struct ph_match *match);

/* Whether the first len bytes of the name are on the list, with or without what ends it of the tail. */
bool name_is_listed(const char *const *list, const char *name, size_t len, const char *tail);

/* Whether threads of the kernel are called so, also as ps shows them: [kworker/0:1]. */
bool comm_is_of_kernel(const char *name, size_t len);

int uid_parse(const char *text, size_t len, uint32_t *ret, struct ph_text_error *error);

#endif
