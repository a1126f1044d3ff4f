/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_LOOKOUT_H
#define PH_LOOKOUT_H
/*
 * An audit policy for a time, beside whatever is in force: the eyes of `learn`. It grants nothing,
 * so that every call of the processes is an event, and it refuses nothing.
 *
 * Its file is locked while somebody watches. One that nobody has locked is left from a process that
 * was killed: it does no harm, the next watch of the same name takes it over, and `porthold remove`
 * drops it.
 */
#include <signal.h>

#include "cmd/cmd.h"
#include "events/slots.h"
#include "events/wake.h"
#include "kernel/load.h"
#include "learn/seen.h"

struct ph_lookout {
	struct ph_kernel kernel;
	struct ph_slots slots;
	struct ph_wake wake;
	struct ph_policy policy;
	char *path;
	int file; /* locked */
	bool adopted; /* the file was there */
	bool stopped; /* the file is gone */
	enum ph_backend backend;
	uint64_t id;
	uint64_t since, until; /* boot time, ns */
	uint64_t counted; /* calls of an earlier watch */
	uint64_t withheld; /* events, of whomever, before this watch */
};

#define PH_LOOKOUT_NULL                                                    \
	{                                                                  \
		.kernel = PH_KERNEL_NULL, .wake = PH_WAKE_NULL, .file = -1 \
	}

/* What became of it. */
struct ph_lookout_report {
	unsigned seconds;
	uint64_t lost; /* calls of which nothing is known: overwritten unread, or withheld */
	bool stopped; /* somebody else ended it */
	enum ph_backend backend;
};

/*
 * Begins to watch whom the subject matches. 0, or an exit status after a complaint; then nothing is
 * left to end.
 */
int lookout_begin(struct ph_lookout *lookout, const struct ph_policy *subject,
		  const struct ph_apply_options *options);

/*
 * Adds what is seen until one of the signals, which must be blocked, or the time comes (0: no
 * time). 0, or an exit status after a complaint.
 */
int lookout_run(struct ph_lookout *lookout, const sigset_t *signals, unsigned seconds,
		struct ph_seen *seen);

/* Drops the policy, adds the last, and releases all. The same. */
int lookout_end(struct ph_lookout *lookout, struct ph_seen *seen, struct ph_lookout_report *ret);

/* Whether this is the policy of a watch; *ret_left: that nobody watches any more. */
bool lookout_is(const struct ph_policy *policy, bool *ret_left);

/*
 * PH_EXIT_OK, or complains that an edit would replace the policy of somebody who watches. Dropping
 * it is fine: that ends the watch.
 */
int lookout_spare(const struct ph_edits *edits);

#endif
