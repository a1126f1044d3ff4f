/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_DAEMON_H
#define PH_DAEMON_H
/*
 * The daemon: puts the policy files in force when it starts and whenever they change, and tells
 * what is refused. It holds nothing in force: its end, whichever, changes nothing in the kernel.
 *
 * What takes time or memory is done by workers (worker.h). Nothing is done while nothing happens.
 */
#include <stdbool.h>

/* Runs until it is told to end; the exit status. Complaints go to standard error. */
int daemon_run(const char *settings, bool must_exist);

#endif
