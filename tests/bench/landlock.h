/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BENCH_LANDLOCK_H
#define BENCH_LANDLOCK_H
/* The kernel's own way for a process to confine itself: what porthold is measured against. */

/*
 * From now on this process may bind and connect TCP to `port`, and to the rules - 1 ports from
 * 10,000 on. 0 or -errno; errno is set.
 */
int landlock_confine(unsigned port, unsigned rules);

#endif
