/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CGROUPS_H
#define PH_CGROUPS_H
/*
 * Tells the kernel side the paths of the cgroups that are there. Those that are made later it sees
 * itself, where tracing programs load.
 */
#include "kernel/load.h"

/* Every cgroup below the root of the hierarchy; 0 or -errno. */
int cgroups_tell(const struct ph_kernel *kernel, const char *root);

#endif
