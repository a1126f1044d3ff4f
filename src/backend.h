/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_BACKEND_H
#define PH_BACKEND_H
/*
 * Which backend the options mean on this machine, and which part of it they cover.
 */
#include "apply.h"

/* The backend, and the doors that are accepted open with it. 0 or -errno with the fault. */
int backend_choose(const struct ph_apply_options *options, const struct ph_features *features,
		   const struct ph_state *recorded, enum ph_backend *ret, uint64_t *ret_accepted,
		   struct ph_fault *f);

/* The path of the cgroup that the cgroup programs hang on. 0 or -errno with the fault. */
int attach_choose(const struct ph_apply_options *options, const struct ph_features *features,
		  const struct ph_state *recorded, char ret[PH_PATH_LEN], struct ph_fault *f);

/* Opens a cgroup2 directory: a descriptor, or -errno with the fault. */
int cgroup_open(const char *path, struct ph_fault *f);

#endif
