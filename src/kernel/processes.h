/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PROCESSES_H
#define PH_PROCESSES_H
/*
 * The processes of this machine as /proc shows them, for the lock-out guard and for counting where
 * the host keeps no labels.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "policy/policy.h"

struct ph_process {
	pid_t pid;
	pid_t parent;
	char comm[PH_COMM_MAX + 1];
	bool leads_terminal; /* the leader of a session that has a terminal */
};

struct ph_processes {
	struct ph_process *v;
	size_t n;
};

void processes_done(struct ph_processes *processes);
int processes_read(struct ph_processes *ret);

/* Whether `ancestor` is the process `pid` or one of its ancestors. */
bool process_descends(const struct ph_processes *processes, pid_t pid, pid_t ancestor);

#endif
