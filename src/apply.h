/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_APPLY_H
#define PH_APPLY_H
/*
 * Puts in force what a set of policies says: what every verb that changes something, and the
 * daemon, do in the end. Order: whatever can be refused is refused first; then the programs; then
 * the new files are laid ready; then, in one step, the generation; then the files move into place
 * (policy/pending.h) and the running processes are labelled. A failure, or a crash, before that step
 * leaves files and kernel both as they were. What fails after it stops nothing of the rest, is told
 * as such, and is done by the next change; the canary comes last.
 */
#include "kernel/compile.h"
#include "kernel/cover.h"
#include "kernel/doors.h"
#include "kernel/labels.h"
#include "kernel/load.h"
#include "kernel/powers.h"
#include "kernel/sockets.h"
#include "policy/policy.h"
#include "policy/problem.h"
#include "policy/store.h"
#include "util/fault.h"

enum ph_backend_choice {
	PH_CHOICE_RECORDED, /* what is in force; else auto */
	PH_CHOICE_AUTO,
	PH_CHOICE_BEST,
	PH_CHOICE_LSM,
	PH_CHOICE_CGROUP,
};

struct ph_apply_options {
	enum ph_backend_choice backend;
	const char *attach; /* cgroup to hang the cgroup programs on; NULL: recorded, else the root */
	const char *accept; /* doors, "a,b"; NULL: recorded, else none */
	enum ph_existing existing;
	unsigned confirm; /* s: on trial for so long; 0: for good */
	bool force; /* also what may lock somebody out; only on trial */
	bool spare; /* of policies that no edit brings: what lies at the path of an exe is no reason to refuse */
	bool replace; /* also files that people have written */
	bool dry_run; /* whatever can be refused is; nothing is changed */
	struct ph_sockets *refused; /* gets the open sockets that are refused; NULL: nobody asks */
};

/* What became of a change. */
enum ph_apply_outcome {
	PH_IMPOSSIBLE, /* nothing has changed: it cannot be done here, or now */
	PH_UNFIT, /* nothing has changed: the policies do not compile, or the guard refuses them */
	PH_UNFINISHED, /* it is in force, but what comes after that has failed somewhere */
	PH_ILL, /* it is in force, and the canary says that it does not hold */
	PH_DONE,
};

static inline bool outcome_in_force(enum ph_apply_outcome outcome)
{
	return outcome >= PH_UNFINISHED;
}
#define PH_HOLDERS_SHOWN 8

struct ph_applied {
	enum ph_apply_outcome outcome;
	bool changed; /* a new generation was made */
	bool in_force; /* some policy is */
	bool trial; /* somebody has to confirm it */
	enum ph_backend backend;
	uint64_t generation;
	uint64_t open; /* doors, bits of ph_promises */
	bool accept_idle; /* doors were to be accepted, and this backend leaves open what it does */
	char attach[PH_PATH_LEN]; /* the cgroup, if it is not the root; else "" */
	struct ph_cover cover; /* who can be confined at all */
	size_t confined; /* processes */
	size_t holders; /* of these, those who could get around it: see kernel/powers.h */
	struct ph_holder holder[PH_HOLDERS_SHOWN]; /* the first of them */
	size_t missing; /* policies whose program is not there */
	const char *
		no_resolvers; /* why PH_RESOLV_CONF named none when dns was looked up; NULL: it did */
};

/*
 * Nobody else changes anything until the descriptor is closed; -EBUSY after some seconds, or while
 * a generation is on trial. What a crash or a deadline has left is settled.
 */
int apply_lock(struct ph_fault *f);

/* The lock alone. */
int apply_lock_only(struct ph_fault *f);

/*
 * The set is what shall be in force, as the files say it after the edits. 0 if the outcome is
 * PH_DONE, else -errno with the fault, and problems of policies that cannot be compiled. The outcome
 * is always filled in, the rest of *ret once the set is in force.
 */
int apply_policies(const struct ph_policy_set *set, const struct ph_apply_options *options,
		   const struct ph_edits *edits, struct ph_applied *ret,
		   struct ph_problems *problems, struct ph_fault *f);

/*
 * Keeps the files, which are in force, as the last good ones (store_keep()); what is on trial is not,
 * yet. That it cannot be done is told in *applied and the fault, unless something else failed before.
 */
void apply_keep(const struct ph_problems *problems, struct ph_applied *applied, struct ph_fault *f);

/*
 * Whether something is in force that stands in one of these files, and would end without a word; that
 * is the fault.
 */
bool apply_would_lose(const struct ph_lost *lost, struct ph_fault *f);

/* Whether a generation is in force, as far as can be told: what cannot be read is. */
bool apply_in_force(void);

/*
 * What the set becomes in the kernel, the canary's policy included. *ret_none (may be NULL) as by
 * resolvers_read(). 0; -EINVAL with problems; another -errno; each with the fault.
 */
int policies_compile(const struct ph_policy_set *set, struct ph_image *ret, const char **ret_none,
		     struct ph_problems *problems, struct ph_fault *f);

#endif
