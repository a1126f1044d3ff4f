/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_WAKE_H
#define PH_WAKE_H
/*
 * Waiting for events without asking again and again. Any number of processes may wait; each must
 * call wake_clear() before it reads the slots, never after.
 */
#include <linux/types.h>

#include "kernel/load.h"

struct ph_wake {
	int fd; /* readable, level-triggered: there may be events */
	unsigned long *consumed; /* positions in the ring, mapped */
	const unsigned long *produced;
};

#define PH_WAKE_NULL     \
	{                \
		.fd = -1 \
	}

/* 0 or -errno. */
int wake_open(const struct ph_kernel *kernel, struct ph_wake *ret);
void wake_close(struct ph_wake *wake);

/* From now on the next event makes the descriptor readable again. */
void wake_clear(struct ph_wake *wake);

#endif
