// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/fold.h"

#include <errno.h>
#include <string.h>

#include "events/rule.h"
#include "util/cleanup.h"

int folds_init(struct ph_folds *folds, size_t max)
{
	size_t n = 16;

	while (n < max)
		n *= 2;
	*folds = (struct ph_folds){ .max = max, .n_buckets = n };
	folds->buckets = calloc(n, sizeof(struct ph_fold *));
	return folds->buckets ? 0 : -ENOMEM;
}

void folds_done(struct ph_folds *folds)
{
	while (folds->oldest)
		folds_remove(folds, folds->oldest);
	free(folds->buckets);
	*folds = (struct ph_folds){};
}

bool folds_full(const struct ph_folds *folds)
{
	return folds->n >= folds->max;
}

/* A number that may be left to the kernel, or a v4 address on a v6 socket, makes no other protocol. */
static void set_protocol(const struct ph_event *event, struct ph_fold_key *key)
{
	unsigned kind = event_socket_kind(event);

	if (kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)) {
		key->type = kind;
		return;
	}
	key->family = event->family;
	key->type = event->type;
	key->protocol = event->protocol;
}

/* Padding is zero: keys are compared as bytes. */
static void make_key(const struct ph_event *event, struct ph_fold_key *ret)
{
	struct ph_fold_key *key = memset(ret, 0, sizeof(*ret));

	key->policy = event->policy;
	key->exe_inode = event->exe_inode;
	key->exe_device = event->exe_device;
	key->uid = event->uid;
	memcpy(key->comm, event->comm, sizeof(key->comm));
	memcpy(key->leader, event->leader, sizeof(key->leader));
	key->local = event_is_local(event);
	key->end = key->local ? event->local : event->remote;
	key->port = key->local ? event->local_port : event->remote_port;
	set_protocol(event, key);
	key->door = event->door;
	key->kind = event->kind;
	key->reason = event->reason;
}

static struct ph_fold **bucket_of(const struct ph_folds *folds, const struct ph_fold_key *key)
{
	const unsigned char *bytes = (const unsigned char *)key;
	uint64_t hash = 14695981039346656037ull;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ bytes[i]) * 1099511628211ull;
	return &folds->buckets[(hash ^ hash >> 32) & (folds->n_buckets - 1)];
}

static void unlink_age(struct ph_folds *folds, struct ph_fold *fold)
{
	*(fold->older ? &fold->older->newer : &folds->oldest) = fold->newer;
	*(fold->newer ? &fold->newer->older : &folds->newest) = fold->older;
}

static void link_newest(struct ph_folds *folds, struct ph_fold *fold)
{
	fold->older = folds->newest;
	fold->newer = NULL;
	*(folds->newest ? &folds->newest->newer : &folds->oldest) = fold;
	folds->newest = fold;
}

static struct ph_fold *find(const struct ph_folds *folds, const struct ph_fold_key *key)
{
	struct ph_fold *fold = *bucket_of(folds, key);

	while (fold && memcmp(&fold->key, key, sizeof(*key)))
		fold = fold->chain;
	return fold;
}

static int insert(struct ph_folds *folds, const struct ph_fold_key *key,
		  const struct ph_event *event, struct ph_lookup *lookup, struct ph_fold **ret)
{
	struct ph_fold **bucket = bucket_of(folds, key);
	cleanup_free struct ph_fold *fold = calloc(1, sizeof(*fold));
	int r = fold ? record_make(event, lookup, &fold->record) : -ENOMEM;

	if (r)
		return r;
	fold->key = *key;
	fold->number = event->seq - 1;
	fold->chain = *bucket;
	*bucket = fold;
	folds->n++;
	link_newest(folds, fold);
	*ret = TAKE_PTR(fold);
	return 1;
}

int folds_add(struct ph_folds *folds, const struct ph_event *event, struct ph_lookup *lookup,
	      struct ph_fold **ret)
{
	struct ph_fold_key key;
	struct ph_fold *fold;

	make_key(event, &key);
	fold = find(folds, &key);
	if (!fold)
		return insert(folds, &key, event, lookup, ret);
	if (!fold->record.count++) {
		fold->record.event = *event;
		fold->number = event->seq - 1;
	}
	fold->record.last = event->time;
	unlink_age(folds, fold);
	link_newest(folds, fold);
	*ret = fold;
	return 0;
}

void fold_restart(struct ph_fold *fold)
{
	fold->record.count = 0;
}

static void unlink_bucket(struct ph_folds *folds, struct ph_fold *fold)
{
	struct ph_fold **at = bucket_of(folds, &fold->key);

	while (*at != fold)
		at = &(*at)->chain;
	*at = fold->chain;
}

/* The later one takes in what is counted in the earlier. */
static void absorb(struct ph_folds *folds, struct ph_fold *fold, struct ph_fold *earlier)
{
	fold->record.count += earlier->record.count;
	if (earlier->record.event.time < fold->record.event.time) {
		fold->record.event = earlier->record.event;
		fold->number = earlier->number;
	}
	folds_remove(folds, earlier);
}

void folds_merge_unseen(struct ph_folds *folds)
{
	for (struct ph_fold *fold = folds->oldest, *next; fold; fold = next) {
		struct ph_fold_key key = fold->key;
		struct ph_fold *earlier, **bucket;

		next = fold->newer;
		if (fold->record.exe)
			continue;
		key.exe_inode = 0;
		key.exe_device = 0;
		earlier = find(folds, &key);
		if (earlier == fold)
			continue;
		if (earlier)
			absorb(folds, fold, earlier);
		unlink_bucket(folds, fold);
		fold->key = key;
		bucket = bucket_of(folds, &key);
		fold->chain = *bucket;
		*bucket = fold;
	}
}

void folds_remove(struct ph_folds *folds, struct ph_fold *fold)
{
	unlink_bucket(folds, fold);
	unlink_age(folds, fold);
	folds->n--;
	record_done(&fold->record);
	free(fold);
}
