/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CGROUPS_BPF_H
#define PH_CGROUPS_BPF_H

/*
 * The paths of cgroups, by name: an id would end with the cgroup, and enforcement with it. The names
 * on the way to the root are hashed when a cgroup is made, and kept under its id, which the kernel
 * does not use again.
 */
#include "state.bpf.h"

enum {
	NAME_CHUNKS = 5, /* a name has up to 255 bytes */
	CGROUP_STEPS = 24, /* a cgroup that lies deeper is in no policy's */
};

static const struct ph_cgroup unknown_cgroup;

PH_SUBPROGRAM __u64 hash_component(__u32 level, const char *name)
{
	__u64 hash = ph_cgroup_word(PH_CGROUP_ROOT, level), length = 0;

	for (__u32 i = 0; i < NAME_CHUNKS; i++) {
		__u64 word[PH_CGROUP_CHUNK / 8 + 1] = {};
		long got = bpf_probe_read_kernel_str(word, PH_CGROUP_CHUNK + 1,
						     name + i * PH_CGROUP_CHUNK);

		for (__u32 j = 0; j < PH_CGROUP_CHUNK / 8; j++)
			hash = ph_cgroup_word(hash, word[j]);
		if (got > 0)
			length += got - 1;
		if (got <= PH_CGROUP_CHUNK)
			break;
	}
	return ph_cgroup_word(hash, length);
}

/*
 * Fills in the path, from the cgroup upwards; levels deeper than a match can name are left out. Two
 * CPUs may do it at once: both write the same. A cgroup so deep that the root is not reached stays
 * unknown.
 */
PH_SUBPROGRAM int hash_path(struct ph_cgroup *entry, struct cgroup *cgroup)
{
	__u64 path = PH_CGROUP_ROOT;
	__u32 level = 1;

	if (!entry)
		return 0;
	entry->levels = BPF_CORE_READ(cgroup, level);
	for (__u32 i = 0; i < CGROUP_STEPS; i++) {
		level = BPF_CORE_READ(cgroup, level);
		if (level == 0)
			break;
		if (level <= PH_CGROUP_DEPTH)
			entry->component[level] =
				hash_component(level, BPF_CORE_READ(cgroup, kn, name));
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	if (level)
		return 0;
	entry->path[0] = path;
	for (__u32 i = 1; i <= PH_CGROUP_DEPTH; i++) {
		path ^= entry->component[i];
		entry->path[i] = path;
	}
	*(volatile __u32 *)&entry->ready = 1;
	return 0;
}

#endif
