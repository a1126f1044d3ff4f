// SPDX-License-Identifier: GPL-2.0-or-later
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kernel/cover.h"
#include "util/cleanup.h"

/* --- Which backend */

static int lsm_missing(const struct ph_features *features, struct ph_fault *f)
{
	const char *list = features->lsm_list;

	if (!features->lsm_programs)
		return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
			     "this kernel refuses BPF LSM programs (CONFIG_BPF_LSM); boot a kernel "
			     "that has them, or accept the weaker cgroup hooks: --backend best");
	/* What lsm= does not name is off: the rest of the list has to be known. */
	if (!*list)
		return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
			     "/sys/kernel/security/lsm cannot be read, which says whether the BPF "
			     "LSM is active; mount -t securityfs securityfs /sys/kernel/security, "
			     "or accept the weaker cgroup hooks: --backend best");
	return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
		     "the BPF LSM is not active: the active list is %s. LSM programs would load "
		     "and do nothing. Add lsm=%s,bpf to the kernel's command line and boot; "
		     "until then accept the weaker cgroup hooks: --backend best",
		     list, list);
}

/* Both backends look at what tasks and sockets are. */
static int unreadable(const struct ph_features *features, struct ph_fault *f)
{
	if (*features->lockdown)
		return fault(f, -EPERM, PH_EXIT_IMPOSSIBLE,
			     "the kernel is locked down (lockdown=%s): no BPF program may read its "
			     "memory, and those of porthold must; boot with lockdown=integrity, or "
			     "without lockdown=",
			     features->lockdown);
	return fault(f, -EOPNOTSUPP, PH_EXIT_IMPOSSIBLE,
		     "this kernel lets no BPF program read its memory, and those of porthold must; "
		     "boot one with CONFIG_BPF_EVENTS");
}

static void name_doors(uint64_t doors, char *ret, size_t size)
{
	size_t used = 0;

	*ret = 0;
	for (size_t i = 0; i < ph_promises_n && used < size; i++)
		if (doors >> i & 1)
			used += snprintf(ret + used, size - used, "%s%s", used ? "," : "",
					 ph_promises[i].name);
}

static enum ph_backend_choice recorded_choice(const struct ph_state *recorded)
{
	switch (recorded->backend) {
	case PH_BACKEND_LSM:
		return PH_CHOICE_LSM;
	case PH_BACKEND_CGROUP:
		return PH_CHOICE_CGROUP;
	default:
		return PH_CHOICE_AUTO;
	}
}

int backend_choose(const struct ph_apply_options *options, const struct ph_features *features,
		   const struct ph_state *recorded, enum ph_backend *ret, uint64_t *ret_accepted,
		   struct ph_fault *f)
{
	enum ph_backend_choice choice = options->backend;
	bool lsm = features->lsm_programs && features->lsm_active;
	uint64_t accepted = recorded->accepted, open;
	char names[256];

	if (!features->cgroup_programs)
		return fault(f, -EOPNOTSUPP, PH_EXIT_IMPOSSIBLE,
			     "this kernel refuses BPF programs to us (not root, a container, or no "
			     "CONFIG_CGROUP_BPF); see porthold doctor");
	if (!features->btf)
		return fault(f, -EOPNOTSUPP, PH_EXIT_IMPOSSIBLE,
			     "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing); "
			     "boot one with CONFIG_DEBUG_INFO_BTF");
	if (!features->reads_kernel)
		return unreadable(features, f);
	if (options->accept && doors_parse(options->accept, &accepted, names, sizeof(names)))
		return fault(f, -EINVAL, PH_EXIT_USAGE, "no door is called %s; see porthold doctor",
			     names);
	if (choice == PH_CHOICE_RECORDED)
		choice = recorded_choice(recorded);
	if (choice == PH_CHOICE_CGROUP || (choice == PH_CHOICE_BEST && !lsm)) {
		*ret = PH_BACKEND_CGROUP;
		*ret_accepted = doors_open(*ret, features);
		return 0;
	}
	if (!lsm)
		return lsm_missing(features, f);
	open = doors_open(PH_BACKEND_LSM, features) & ~doors_optional();
	if (choice == PH_CHOICE_BEST)
		accepted |= open;
	if (open & ~accepted) {
		name_doors(open & ~accepted, names, sizeof(names));
		return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
			     "this kernel leaves doors open: %s; to accept that: "
			     "--accept-degraded=%s",
			     names, names);
	}
	*ret = PH_BACKEND_LSM;
	*ret_accepted = accepted;
	return 0;
}

/* --- Where */

int cgroup_open(const char *path, struct ph_fault *f)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return fault(f, -errno, PH_EXIT_USAGE,
			     "%s: %s; name a directory of the cgroup2 "
			     "hierarchy",
			     path, strerror(errno));
	if (fstatfs(fd, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		return fault(f, -EINVAL, PH_EXIT_USAGE,
			     "%s is no cgroup; name a directory of the "
			     "cgroup2 hierarchy",
			     path);
	return TAKE_FD(fd);
}

int attach_choose(const struct ph_apply_options *options, const struct ph_features *features,
		  const struct ph_state *recorded, char ret[PH_PATH_LEN], struct ph_fault *f)
{
	const char *path = options->attach;
	char real[PATH_MAX];
	size_t size;

	if (!path && *recorded->attach)
		path = recorded->attach;
	if (!path && !*features->cgroup_root)
		return fault(
			f, -ENOENT, PH_EXIT_IMPOSSIBLE,
			"no cgroup2 hierarchy is mounted; mount -t cgroup2 none /sys/fs/cgroup");
	/* The cgroup namespace shows only a part of the hierarchy: nothing system-wide starts there. */
	if (!path && !cgroups_are_all_seen())
		return fault(f, -EXDEV, PH_EXIT_REFUSED,
			     "this is a cgroup namespace: a policy made here would cover only its "
			     "part of the machine; say so with --attach %s",
			     features->cgroup_root);
	if (!path)
		path = features->cgroup_root;
	/* Two spellings of the root are both the root. */
	if (realpath(path, real))
		path = real;
	size = strlen(path) + 1;
	if (size > PH_PATH_LEN)
		return fault(f, -ENAMETOOLONG, PH_EXIT_USAGE, "%s: the path is too long", path);
	memcpy(ret, path, size);
	return 0;
}
