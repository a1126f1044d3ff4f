/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SINGLE_H
#define PH_SINGLE_H
/*
 * One daemon at a time. The lock is a record lock: it ends with the process, its children do not
 * hold it, and whoever finds it taken learns by whom.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "util/fault.h"

/* A descriptor that holds the lock, or -errno with the fault: -EBUSY, another daemon runs. */
int single_lock(struct ph_fault *f);

/* Whether the lock file is still the one that is locked: it may have been removed. */
bool single_is_current(int fd);

/* The daemon that runs; 0: none does. */
pid_t single_pid(void);

/*
 * Ends the daemon that runs, if one does, and waits for its end, which is told where it takes long. 0;
 * -EBUSY: it does not end; another -errno with the fault.
 */
int single_stop(struct ph_fault *f);

#endif
