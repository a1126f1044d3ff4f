/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CANARY_DOORS_H
#define PH_CANARY_DOORS_H
/*
 * The canary's child: what it tries, and what came of it.
 */
#include <stddef.h>

#include "kernel/claim.h"

#define PH_CANARY_PORT 4040 /* that its policy grants */

/*
 * Starts the child, which takes the offer, in the cgroup `cgroup` (NULL: where the caller is), and waits
 * for it. 0: every
 * door answered as it must, *ret_refused of them with a refusal; 1: not so, and *ret says which;
 * -errno: it could not be tried, and *ret says why.
 */
int canary_try_doors(enum ph_backend backend, const struct ph_claim_offer *offer,
		     const char *cgroup, size_t *ret_refused, char *ret, size_t size);

#endif
