/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROOF_H
#define PROOF_H
/* The words of proofs: what may be anything, what is taken for granted, and what has to follow. */

#define ANY(object) __CPROVER_havoc_object(&(object))
#define ASSUME(what) __CPROVER_assume(what)
#define PROVE(what, words) __CPROVER_assert(what, words)

/* Of these the prover has bodies by their names in C alone. */
void *memcpy(void *to, const void *from, __SIZE_TYPE__ size);
void *memset(void *to, int with, __SIZE_TYPE__ size);
#define __builtin_memcpy memcpy
#define __builtin_memset memset

#endif
