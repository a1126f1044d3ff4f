/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_POWERS_H
#define PH_POWERS_H
/*
 * The capabilities by which a process could get around its confinement where no hook sees it, and the
 * confined processes that hold one now.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/labels.h"

/* One process that holds some of them. */
struct ph_holder {
	pid_t pid;
	char comm[PH_COMM_LEN]; /* fit to be shown */
	uint64_t held; /* 1 << CAP_…, of those in question */
	bool root; /* one of its users is root, whom policy files belong to */
};

/*
 * Whether a labelled process, by any of its threads, holds one, or is root. In another user namespace than
 * the first only who may set a network with a device counts; who has ended does not.
 */
bool holder_is(const struct ph_labelled *label, struct ph_holder *ret);

/* The same of the calling process, which is about to execute the program of this path. */
bool holder_is_self(const char *path, struct ph_holder *ret);

/* "root, net_admin, …" */
void holder_text(const struct ph_holder *holder, char *ret, size_t size);

/* Whether capabilities let the calling process use BPF: what refuses it is something else. */
bool powers_reach_bpf(void);

/*
 * For the calling process and what it executes, which types nothing for others on its terminal either.
 * How many it had of them, or -errno.
 */
int powers_drop(void);

#endif
