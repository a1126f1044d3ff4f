/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CHECK_H
#define PH_CHECK_H
/*
 * What is allowed in a policy and yet most likely not meant: warnings for the person who wrote it.
 *
 * names: of an interpreter (every script of it is meant), of a thread of the kernel (nothing is),
 *	of what the lock-out guard will not let be confined; the selftest's
 * children: leave: an open door
 * except: outside of the list it takes away from, or all of it
 * addresses: one host whose address ends in zeros, as a network's does
 * rules: one that allows nothing which another one does not
 * DNS: names cannot be resolved over UDP, though connect rules lead to other hosts. Policies of the
 *	same match count together. An `expect` that denies port 53 says that this is meant.
 */
#include "policy/policy.h"
#include "policy/problem.h"

/*
 * The set as files say it, keywords included. Adds warnings, in the order of the set; 0 or -ENOMEM.
 * Nothing is said of a policy that is the same in `known` (may be NULL).
 * The work is bounded: of very many rules not all are compared with each other.
 */
int policy_set_check(const struct ph_policy_set *set, const struct ph_policy_set *known,
		     const struct ph_cidrs *resolvers, struct ph_problems *problems);

/*
 * Adds the line of the file to those problems, from the given one on, that name a place and lack
 * it. A file that cannot be read adds nothing. 0 or -ENOMEM.
 */
int problems_add_lines(struct ph_problems *problems, size_t first);

/* Adds a problem of this severity at a place; 0 or -ENOMEM. */
int problems_note(struct ph_problems *problems, enum ph_severity severity, const char *file,
		  unsigned line, unsigned column, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

/* Adds an error of the file as a whole: -EINVAL, or -ENOMEM. */
int problems_refuse(struct ph_problems *problems, const char *file, const char *remedy,
		    const char *message);

#endif
