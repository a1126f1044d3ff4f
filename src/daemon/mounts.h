/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_MOUNTS_H
#define PH_MOUNTS_H
/*
 * Whether the daemon reads the files that the administrator writes. A service has mounts of its own,
 * and whoever comes among them can mount something else over the policies: the daemon would obey that,
 * and nobody else would see it. So each file is looked up twice, here and from the root directory of the
 * machine's first process, and must be one and the same. A sandbox passes: it mounts the same files anew.
 */

/*
 * The root directory of the first process, as a descriptor to be kept: what is mounted over /proc later
 * has no bearing on it. -EXDEV: that of this process is another, as in a container, whose files are its
 * own; another -errno: it cannot be seen.
 */
int mounts_first_root(void);

/*
 * The first of the policy files, settings and directories that is another one from that root; *ret is
 * NULL if there is none, else the caller's to free. 0 or -ENOMEM.
 */
int mounts_find_other(int first_root, const char *settings, char **ret);

#endif
