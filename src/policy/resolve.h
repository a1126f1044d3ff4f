/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_RESOLVE_H
#define PH_RESOLVE_H
/*
 * Keywords -> plain rules. `dns` becomes UDP and TCP 53 to each resolver, `loopback` becomes TCP
 * and UDP, connect and bind, on 127.0.0.0/8 and ::1. What they become keeps the place and the
 * origin of the keyword.
 */
#include "policy/policy.h"
#include "policy/problem.h"

#define PH_RESOLVERS_MAX 64U

/* What dns means, unless somebody names another file. */
#define PH_RESOLV_CONF "/etc/resolv.conf"

/*
 * The nameserver lines of a resolv.conf: what cannot be read as an address is skipped, a zone
 * (fe80::1%eth0) is dropped, a file without any means 127.0.0.1 and ::1, as the C library has it.
 * *ret is sorted, each address once, the caller's to free (ret->v). What is no file, or not there,
 * counts as an empty one.
 */
int resolvers_parse(const char *text, size_t len, struct ph_cidrs *ret);

/* *ret_none (may be NULL): what about the file has it name none, as "is a directory"; NULL: it does. */
int resolvers_read(const char *path, struct ph_cidrs *ret, const char **ret_none);

/* Warns of a rule that says dns where the file names none, the first in the set. 0 or -ENOMEM. */
int resolvers_warn(const struct ph_policy_set *set, const char *path, const char *none,
		   struct ph_problems *problems);

/* The same of PH_RESOLV_CONF as it is now; nothing where it cannot be read at this moment. */
int resolvers_warn_here(const struct ph_policy_set *set, struct ph_problems *problems);

/* A copy of the policy with plain rules only. Without resolvers, dns becomes nothing. */
int policy_resolve(const struct ph_policy *policy, const struct ph_cidrs *resolvers,
		   struct ph_policy *ret);

/* The same of a whole set, in its order; file names are borrowed from it. 0 or -errno. */
int policy_set_resolve(const struct ph_policy_set *set, const struct ph_cidrs *resolvers,
		       struct ph_policy_set *ret);

#endif
