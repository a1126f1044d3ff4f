// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	as-old
 *
 * Attaches porthold's programs with no policy in force, on any kernel as on Linux 5.10. But the functions that
 * newer kernels verify by themselves stay such: with their callers they are too much for these.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/bpffs.h"
#include "kernel/features.h"
#include "kernel/load.h"

int __real_bpf_object__load(struct bpf_object *object);
int __wrap_bpf_object__load(struct bpf_object *object);

/* Where the variable lies in the section, or -1. */
static long find_variable(const struct btf *btf, const char *section, const char *name)
{
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	const struct btf_var_secinfo *variables = type ? btf_var_secinfos(type) : NULL;

	for (unsigned i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_type *variable = btf__type_by_id(btf, variables[i].type);

		if (!strcmp(btf__name_by_offset(btf, variable->name_off), name))
			return variables[i].offset;
	}
	return -1;
}

static int forget_functions(struct bpf_object *object)
{
	long at = find_variable(bpf_object__btf(object), ".rodata", "ph_has_functions");
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		size_t size = 0;
		char *value = (char *)bpf_map__initial_value(map, &size);

		if (!strstr(bpf_map__name(map), ".rodata") || !value)
			continue;
		if (at < 0 || (size_t)at >= size)
			return -ENOENT;
		value[at] = 0;
		return 0;
	}
	return -ENOENT;
}

int __wrap_bpf_object__load(struct bpf_object *object)
{
	int r = forget_functions(object);

	return r ? r : __real_bpf_object__load(object);
}

static void grow_old(struct ph_features *features)
{
	features->task_storage = false;
	features->lsm_task_btf = false;
	features->cgroup_task_btf = false;
	features->socket_from_file = false;
	features->lsm_spin_lock = false;
	features->tracepoints_preempted = false;
}

int main(void)
{
	struct ph_features features;
	struct ph_plan plan = { .features = &features, .backend = PH_BACKEND_LSM };
	struct ph_fault f = {};
	int r = features_probe(&features, &f);

	grow_old(&features);
	if (!r)
		r = bpffs_ready(&f);
	if (!r) {
		plan.cgroup = open(features.cgroup_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = plan.cgroup < 0 ? -errno : kernel_attach(&plan, &f);
	}
	if (r)
		(void)fprintf(stderr, "as-old: %s: %s\n", strerror(-r), f.text);
	return r ? 1 : 0;
}
