/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EDIT_H
#define PH_EDIT_H
/*
 * A policy file changed in its place: all that people wrote around it, comments and layout, stays as
 * it is.
 */
#include <stddef.h>

#include "policy/policy.h"

/*
 * The text with this mode for the policy of that name. 0; -ENOENT: it has no such policy;
 * -EOPNOTSUPP: it is written in a way that this cannot change; -EINVAL: it is no policy file;
 * -ENOMEM.
 */
int edit_mode(const char *text, const char *policy, enum ph_policy_mode mode, char **ret);

#endif
