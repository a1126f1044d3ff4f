/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PRINT_H
#define PH_PRINT_H
/*
 * Model -> the canonical text of a policy file: what parse.h reads back as an equal model.
 * Defaults are left out. The text is the caller's to free. 0 or -ENOMEM.
 */
#include "policy/policy.h"

/* Where the policy stands in that file. */
#define PH_ONE_POLICY_LINE 3
#define PH_ONE_POLICY_COLUMN 5

int policy_format(const struct ph_policy *policy, char **ret); /* a whole file with this policy */
/* The same, with notes[i] (without line breaks) as a comment behind rule i. */
int policy_format_noted(const struct ph_policy *policy, char *const *notes, char **ret);

int policy_set_format(const struct ph_policy_set *set, char **ret);

#endif
