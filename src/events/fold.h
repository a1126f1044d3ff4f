/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FOLD_H
#define PH_FOLD_H
/*
 * Denials that say the same, as one. The same are: policy, door, kind, reason, protocol (TCP and UDP
 * are one each, whatever the socket), what was asked (the local or the remote end, whichever it was about), process name, leader's name,
 * program, uid. The table is bounded: the kind that was seen last the longest ago makes room.
 */
#include <stdbool.h>

#include "events/record.h"

struct ph_fold_key {
	__u64 policy;
	__u64 exe_inode;
	__u32 exe_device;
	__u32 uid;
	__u8 comm[PH_COMM_LEN];
	__u8 leader[PH_COMM_LEN];
	struct ph_address end;
	__u16 port;
	__u16 family;
	__u16 type;
	__u16 protocol;
	__u8 door;
	__u8 kind;
	__u8 reason;
	__u8 local; /* `end` is the local one */
};

/* One kind. The record's event is the first of those that are counted in it. */
struct ph_fold {
	struct ph_record record; /* count 0: all were told */
	struct ph_fold_key key;
	uint64_t number; /* of the first event counted in the record */
	uint64_t told; /* boot time when a line was told last; the caller's */
	struct ph_fold *older; /* by `last` */
	struct ph_fold *newer;
	struct ph_fold *chain; /* of the hash table */
};

struct ph_folds {
	struct ph_fold **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
	size_t max;
	struct ph_fold *oldest;
	struct ph_fold *newest;
};

/* 0 or -ENOMEM. */
int folds_init(struct ph_folds *folds, size_t max);
void folds_done(struct ph_folds *folds);

bool folds_full(const struct ph_folds *folds);

/* Counts the event in; 1: *ret is new; 0: it was there; -ENOMEM. The table must not be full. */
int folds_add(struct ph_folds *folds, const struct ph_event *event, struct ph_lookup *lookup,
	      struct ph_fold **ret);

/* What was counted has been told; the next event begins anew. */
void fold_restart(struct ph_fold *fold);

/*
 * Those become one, in the place of the last, of which all is the same but a program whose path is not
 * known: nothing that is told would tell them apart. For a table that is to be told as it is.
 */
void folds_merge_unseen(struct ph_folds *folds);

/* Takes it out of the table and frees it. */
void folds_remove(struct ph_folds *folds, struct ph_fold *fold);

#endif
