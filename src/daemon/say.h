/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SAY_H
#define PH_SAY_H
/*
 * What the daemon tells: lines on standard error, with their priority before them if the journal
 * reads there, and the state for the service manager, if there is one.
 */

/* Priorities are those of <syslog.h>. */
void say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each line of the text by itself. */
void say_lines(int priority, const char *text);

/* The line that `systemctl status` shows. */
void say_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The service manager's READY=1, RELOADING=1 and STOPPING=1. */
void say_ready(void);
void say_reloading(void);
void say_stopping(void);

#endif
