/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_TRIAL_H
#define PH_TRIAL_H
/*
 * Commit and confirm: a generation on trial is in force until its deadline, and its files wait
 * (policy/pending.h). The kernel falls back by itself; what is left to do here is tidying up.
 *
 * What changes something wants the lock.
 */
#include "policy/store.h"
#include "util/fault.h"

/*
 * Finishes or undoes what a crash or a deadline has left. 0; -EBUSY: a generation is on trial and
 * somebody has to confirm it first; other -errno.
 */
int trial_settle(struct ph_fault *f);

/* Whether a generation is on trial, in the words of trial_settle(). Wants no lock. 0, or -EBUSY. */
int trial_look(struct ph_fault *f);

/* pending_finish(), and what has to stay out of its place is told on standard error. 0 or -errno. */
int trial_finish_files(void);

/* The edits that wait, if what they make is in force now; else none. Wants no lock. 0 or -errno. */
int trial_edits(struct ph_edits *ret);

/*
 * The generation on trial stays, and its files move into place. 0; -ENOENT: there is none, or not any
 * more; another -errno: it is still on trial; PH_UNFINISHED_TRIAL: it stays, but the files are not in
 * their place.
 */
#define PH_UNFINISHED_TRIAL 1
int trial_confirm(struct ph_fault *f);

#endif
