// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/cgroups.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/compile.h"

/* The path as hashes, level by level, as bpf/cgroups.bpf.h has it. */
static void describe(const char *path, struct ph_cgroup *ret)
{
	char prefix[PATH_MAX];
	const char *end = path;
	unsigned level = 0;

	*ret = (struct ph_cgroup){ .ready = 1 };
	ret->path[0] = cgroup_path_hash("/", &level);
	while (*(end += strspn(end, "/"))) {
		end += strcspn(end, "/");
		(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(end - path), path);
		ret->levels++;
		if (ret->levels <= PH_CGROUP_DEPTH)
			ret->path[ret->levels] = cgroup_path_hash(prefix, &level);
	}
}

/* The id of a cgroup is the inode number of its directory. */
int cgroups_tell(const struct ph_kernel *kernel, const char *root)
{
	char *const roots[] = { (char *)root, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	size_t length = strlen(root);
	int r = 0;

	if (!tree)
		return -errno;
	for (FTSENT *entry; !r && (entry = fts_read(tree));) {
		struct ph_cgroup cgroup;
		__u64 id;

		if (entry->fts_info != FTS_D)
			continue;
		id = entry->fts_statp->st_ino;
		describe(entry->fts_path + length, &cgroup);
		if (bpf_map_update_elem(kernel->map[PH_MAP_CGROUPS], &id, &cgroup, BPF_ANY))
			r = -errno;
	}
	(void)fts_close(tree);
	return r;
}
