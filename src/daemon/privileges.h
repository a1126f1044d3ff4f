/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PRIVILEGES_H
#define PH_PRIVILEGES_H
/*
 * Gives up, for this process and its children, every capability that the daemon has no use for.
 * 0 or -errno.
 */
int privileges_drop(void);

#endif
