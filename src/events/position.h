/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_POSITION_H
#define PH_POSITION_H
/*
 * How far the events have been told, kept in a file over the life of a process. It is worth nothing
 * once the slots are others (`porthold stop`, a boot): then all that is there is new.
 */
#include "kernel/load.h"
#include "policy/store.h"

#define PH_EVENTS_POSITION PH_RUN_DIR "/events.position"

/* The number of the first event that was not told; 0: none was, or nothing is known. */
uint64_t position_read(const char *path, const struct ph_kernel *kernel);

/* 0 or -errno. */
int position_write(const char *path, const struct ph_kernel *kernel, uint64_t number);

int position_remove(const char *path);

#endif
