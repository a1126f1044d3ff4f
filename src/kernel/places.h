/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PLACES_H
#define PH_PLACES_H
/*
 * What a cgroup or a uid brings by itself, and the paths of the cgroups that are there. Those that are
 * made later the kernel side sees itself, where tracing programs load.
 */
#include "kernel/compile.h"
#include "kernel/load.h"

/* The path below the root of the hierarchy, as hash_path() in bpf/cgroups.bpf.h describes it. */
void cgroup_describe(const char *path, struct ph_cgroup *ret);

/* Which policies such a cgroup brings upon those in it. */
void cgroup_brings(const struct ph_image *image, const struct ph_cgroup *cgroup,
		   struct ph_ids *ret);

/*
 * Fills the place table of the image, whose other tables lie in this slot, as far as its policies ask
 * for cgroups or uids. 0 or -errno.
 */
int places_tell(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot);

#endif
