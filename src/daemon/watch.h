/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_WATCH_H
#define PH_WATCH_H
/*
 * Whether something changed in the policy directories, in the settings or in /etc/resolv.conf.
 *
 * Directories may be missing, go and come, and be links; so may what leads to them. All watches are
 * made anew whenever something changed: before the files are read, so that no change is missed.
 */
#include <stdbool.h>
#include <stddef.h>

#define PH_WATCH_MAX 10

struct ph_watched {
	int id; /* of the watch */
	char *directory;
	char *name; /* of the one entry that counts; NULL: all */
};

struct ph_watch {
	int fd;
	struct ph_watched watched[PH_WATCH_MAX];
	size_t n;
};

#define PH_WATCH_NULL    \
	{                \
		.fd = -1 \
	}

void watch_done(struct ph_watch *watch);

/* Watches what is there now. 0 or -errno, and *ret is as it was. */
int watch_open(const char *settings, struct ph_watch *ret);

/* Takes what the descriptor tells; whether some of it counts. */
bool watch_changed(struct ph_watch *watch);

#endif
