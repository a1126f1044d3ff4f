/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_ATTACHED_H
#define PH_ATTACHED_H
/*
 * The record of what is attached: made when a program is attached and pinned, and compared ever
 * after with what the pins lead to. A pin that is gone, a link that was detached under it and a pin
 * that leads to another program are all found by it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "kernel/load.h"

/* Records that the link, a file descriptor, is pinned under this name. 0 or -errno. */
int attached_record(const struct ph_kernel *kernel, const char *name, int link);

/* Removes every pin, and every record, whose name `wanted` does not know. 0 or -errno. */
int attached_keep(const struct ph_kernel *kernel, bool (*wanted)(const char *name, const void *of),
		  const void *of);

/* How many are recorded; -errno. */
int attached_count(const struct ph_kernel *kernel);

/*
 * How often the kernel has not run a program, since it was attached, for a task that was preempted in it
 * on the same CPU (bpf_prog_inc_misses_counter()). Programs of cgroups and, but for Linux 5.12 to 6.1 as
 * they were first released, of LSM hooks are always run; those of tracepoints are since these can be
 * preempted themselves.
 */
struct ph_missed {
	uint64_t labels; /* of what keeps labels: one may be missing */
	uint64_t calls; /* of what judges: a call passed that nobody looked at */
};

/*
 * Whether all that was recorded is attached as it was: 0; 1: not, and *ret says what is amiss;
 * -errno. What has been missed is told also of what is not, so far as it was looked at.
 */
int attached_check(const struct ph_kernel *kernel, const struct ph_state *state, char *ret,
		   size_t size, struct ph_missed *ret_missed);

/* The same of all that is on record, whether or not it is as it was; what cannot be read adds nothing. */
void attached_missed(const struct ph_kernel *kernel, struct ph_missed *ret);

/* Whether the kernel runs the LSM programs that are attached: kernel.ftrace_enabled stops all of them. */
bool attached_is_run(void);

/* How many programs of ours are attached, whatever is pinned and whoever sees the pins; -errno. */
int attached_anywhere(void);

#endif
