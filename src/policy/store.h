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

/* Both of them; what stands in the first overrules what stands in the second. */
#define PH_DIRECTORIES 2
extern const char *const ph_directories[PH_DIRECTORIES];

/* Where the files are kept as they were when they were last put in force, each with a seal (policy/seal.h). */
#define PH_STATE_DIR "/var/lib/porthold"
#define PH_GOOD_POLICIES PH_STATE_DIR "/good"
#define PH_SEALED \
	PH_STATE_DIR "/sealed" /* there once all of them have one: older builds gave none */

/* Files on their way into the directories (policy/pending.h). */
#define PH_PENDING PH_RUN_DIR "/pending"

/* What shall become of a policy file. */
struct ph_edit {
	char *path; /* in one of the directories */
	char *text; /* NULL: the file goes */
	char *origin; /* where the text was read, for messages; NULL: it was made here */
};

struct ph_edits {
	struct ph_edit *v;
	size_t n;
};

void edits_done(struct ph_edits *edits);

/* Takes over text; on failure it stays the caller's. origin may be NULL. 0 or -ENOMEM. */
int edits_add(struct ph_edits *edits, const char *path, char *text, const char *origin);

/* Moves those that would make a file what it is over into *ret, which is empty. 0 or -ENOMEM. */
int edits_part_unchanged(struct ph_edits *edits, struct ph_edits *ret);

/*
 * Every *.yaml of both directories as they will be after the edits (NULL: none); 0, -EINVAL with
 * problems, or another -errno. Problems are told at the origin of an edit, the policies have its
 * path.
 */
int store_load(const struct ph_edits *edits, struct ph_policy_set *ret,
	       struct ph_problems *problems);

/*
 * The same for a change that has nothing to do with a bad file: of that one its last good form
 * counts, or nothing if it was never in force. So does every file of a directory that others than root
 * may write, or that is gone, and no edit may touch one there. 0 with the problems of what was passed
 * over; what is wrong with an edit is not passed over.
 */
int store_load_good(const struct ph_edits *edits, struct ph_policy_set *ret,
		    struct ph_problems *problems);

/* Files of which nothing counts: they are bad, and no good copy of them is kept. */
struct ph_lost {
	char **paths;
	size_t n;
};

void lost_done(struct ph_lost *lost);

/* store_load_good() that tells which these are; of each there is an error among the problems. */
int store_load_best(const struct ph_edits *edits, struct ph_policy_set *ret,
		    struct ph_problems *problems, struct ph_lost *lost);

/*
 * Every file as it was when it was last in force; one that never was is left out, and lost. For a set
 * that cannot be put in force as a whole. 0 or -errno.
 */
int store_load_last(struct ph_policy_set *ret, struct ph_lost *lost);

/* One of the directories alone, as store_load_good() reads it. */
int store_load_directory(const char *directory, struct ph_policy_set *ret,
			 struct ph_problems *problems);

/* What was kept when it was last put in force: the text of what is in force now, if something is. */
int store_load_kept(struct ph_policy_set *ret);

/*
 * After a change: keeps every file of both directories that has no error among the problems, and
 * forgets those that are gone; but not of a directory that others may write, or that is gone. 0 or
 * -errno.
 */
int store_keep(const struct ph_problems *problems);

/* Whether a copy of every file is kept that is whole and not older than the file: 1, 0 or -errno. */
int store_is_kept(void);

/*
 * Whether nothing was written since, by the times and sizes of files and copies: 1, 0 or -errno. Also 0
 * where a copy is left of a file that is gone.
 */
int store_is_current(void);

/* Under the lock: removes what a crash has left half written. What others write without it, they may still. */
void store_tidy(void);

/* Where `allow` keeps the policy of this name: *ret is the caller's to free. */
int store_path(const char *directory, const char *name, char **ret);

#endif
