/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_WORKER_H
#define PH_WORKER_H
/*
 * Work that takes time or memory, done by a child that ends with it: the daemon itself stays small
 * and never blocks. A child holds no descriptor of the daemon's but the standard ones, so it is in
 * nobody's way should the daemon die first.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* In the child: what it writes is the answer. */
typedef void (*ph_worker_job)(const void *argument, FILE *answer);

/* In the daemon, once the child has ended. The answer, with a NUL behind it; NULL: it failed. */
typedef void (*ph_worker_done)(void *user, const char *answer, size_t length);

struct ph_worker {
	pid_t pid; /* 0: none is at work */
	int fd;
	char *answer;
	size_t length, allocated;
	bool complete;
	ph_worker_done done;
	void *user;
	sd_event_source *io, *child, *limit;
};

/* -EBUSY: the last one is still at work; 0 or another -errno. *worker must stay where it is. */
int worker_start(struct ph_worker *worker, sd_event *event, ph_worker_job job, const void *argument,
		 ph_worker_done done, void *user);

bool worker_busy(const struct ph_worker *worker);

/* Ends the child, if one is at work, without calling done. */
void worker_cancel(struct ph_worker *worker);

#endif
