/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_MOUNTS_BPF_H
#define PH_MOUNTS_BPF_H

/*
 * Which mounts a process may make, move and take away though it is confined: those that the first
 * process, among whose mounts the pins lie, never sees.
 *
 * In the mount namespace of the first process there are none. In others the kernel carries what
 * happens to a mount on to its peers and their slaves, so there it is asked whether somebody else has one of
 * them: the first process, or a service that reads the policies from mounts of its own.
 * Where the namespace belongs to the first user namespace, it has to be a file system that talks to
 * nobody and starts nothing: not NFS, and not the old cgroups, which start programs.
 */
#include "identity.bpf.h"

const volatile struct ph_around ph_around = {};

enum {
	PEER_STEPS = 32,
	TREE_STEPS = 128, /* each mount below takes up to two */
	MOUNT_REMOUNT = 32, /* MS_REMOUNT */
	MOUNT_BIND = 4096, /* MS_BIND */
	MOUNT_MOVE = 8192, /* MS_MOVE */
	MOUNT_SHARING = 0x1e0000, /* MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED */
	MADE_BY_KERNEL = 0x4400000, /* SB_SUBMOUNT, SB_KERNMOUNT */
	FIRST_CGROUPS = 0xeffffffb, /* PROC_CGROUP_INIT_INO */
};

#define MOUNT_OF(pointer, field) \
	((struct mount *)((void *)(pointer)-bpf_core_field_offset(struct mount, field)))

static __always_inline bool is_first(struct mnt_namespace *namespace)
{
	return !ph_around.mounts || BPF_CORE_READ(namespace, ns.inum) == ph_around.mounts;
}

static __always_inline struct mnt_namespace *mounts_of_caller(void)
{
	return BPF_CORE_READ(current_task(), nsproxy, mnt_ns);
}

/* Whether there are mounts to which it is carried on from here; a list or, in newer kernels, one of hlists. */
static __always_inline bool has_slaves(struct mount *mount)
{
	void *list = (void *)mount + bpf_core_field_offset(struct mount, mnt_slave_list);
	void *next = NULL;

	bpf_probe_read_kernel(&next, sizeof(next), list);
	return next && next != list;
}

/*
 * Whether what happens to the mount happens elsewhere as well: in the first namespace or, where `own` names one,
 * in any other than that. So does what nobody knows, and where there are slaves nobody looks whose.
 * Takes addresses: kernels before 5.12 hand no pointers to functions that are verified by themselves.
 */
PH_FUNCTION int reaches_others(__u64 address, __u64 own)
{
	struct mount *mount = (struct mount *)address, *peer = mount;

	for (__u64 i = 0; i < PEER_STEPS; i++) {
		struct mnt_namespace *namespace;

		peer = MOUNT_OF(BPF_CORE_READ(peer, mnt_share.next), mnt_share);
		namespace = BPF_CORE_READ(peer, mnt_ns);
		if (is_first(namespace) || (own && (__u64) namespace != own) || has_slaves(peer))
			return 1;
		if (peer == mount)
			return 0;
	}
	return 1;
}

/* The mount that comes after this one in the tree below `top`: down, else aside, else up. */
static __always_inline struct mount *next_below(struct mount *mount, struct mount *top, bool *down)
{
	void *next = BPF_CORE_READ(mount, mnt_mounts.next);
	struct mount *parent;

	if (*down && next != (void *)mount + bpf_core_field_offset(struct mount, mnt_mounts))
		return MOUNT_OF(next, mnt_child);
	if (mount == top)
		return NULL;
	next = BPF_CORE_READ(mount, mnt_child.next);
	parent = BPF_CORE_READ(mount, mnt_parent);
	*down = next != (void *)parent + bpf_core_field_offset(struct mount, mnt_mounts);
	return *down ? MOUNT_OF(next, mnt_child) : parent;
}

/* A lazy umount takes all that lies below with it, and each of these from the peers of where it lies. */
PH_FUNCTION int tree_reaches_others(__u64 address, __u64 own)
{
	struct mount *top = (struct mount *)address, *mount = top;
	bool down = true;

	for (__u64 i = 0; i < TREE_STEPS; i++) {
		if (BPF_CORE_READ(mount, mnt_group_id) && reaches_others((__u64)mount, own))
			return 1;
		mount = next_below(mount, top, &down);
		if (!mount)
			return 0;
	}
	return 1;
}

static __always_inline bool is_named(const __u64 name[2], const char wanted[8])
{
	__u64 word;

	__builtin_memcpy(&word, wanted, sizeof(word));
	return name[0] == word && !name[1];
}

/* From here, what a mount of cgroups is made with changes them for all. */
static __always_inline bool is_in_first_cgroups(void)
{
	return BPF_CORE_READ(current_task(), nsproxy, cgroup_ns, ns.inum) == FIRST_CGROUPS;
}

static __always_inline bool is_harmless_type(const char *type)
{
	__u64 name[2] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), type);
	return is_named(name, "tmpfs\0\0") || is_named(name, "ramfs\0\0") ||
	       is_named(name, "proc\0\0\0") || is_named(name, "sysfs\0\0") ||
	       is_named(name, "devpts\0") || is_named(name, "mqueue\0") ||
	       is_named(name, "overlay") || is_named(name, "fuse\0\0\0") ||
	       is_named(name, "bpf\0\0\0\0") ||
	       (is_named(name, "cgroup2") && !is_in_first_cgroups());
}

/*
 * The kernel itself sees to what those in another user namespace may mount; who has come into their
 * mount namespace alone has the first one's rights there.
 */
static __always_inline bool may_have_type(struct mnt_namespace *namespace, const char *type)
{
	return (BPF_CORE_READ(namespace, user_ns, level) &&
		BPF_CORE_READ(current_task(), cred, user_ns, level)) ||
	       is_harmless_type(type);
}

PH_SUBPROGRAM bool may_mount(const struct path *at, const char *type, __u64 flags)
{
	struct mount *mount = MOUNT_OF(BPF_CORE_READ(at, mnt), mnt);
	struct mnt_namespace *namespace = mounts_of_caller();

	if (is_first(namespace))
		return false;
	if (flags & MOUNT_REMOUNT)
		return true; /* of a file system there is another hook */
	/* By a descriptor this is done to others' mounts as well: the kernel asks for rights there alone, if at all. */
	if (!(flags & MOUNT_BIND) && flags & MOUNT_SHARING)
		return BPF_CORE_READ(mount, mnt_ns) == namespace;
	if (!(flags & (MOUNT_BIND | MOUNT_MOVE)) && !may_have_type(namespace, type))
		return false;
	return !reaches_others((__u64)mount, (__u64) namespace);
}

/* What is moved may be in no namespace yet. To have it carry on what happens to another is a move as well. */
static __always_inline bool may_move(const struct path *from, const struct path *to)
{
	struct mnt_namespace *namespace = mounts_of_caller();

	return !is_first(namespace) &&
	       !reaches_others((__u64)MOUNT_OF(BPF_CORE_READ(from, mnt), mnt), 0) &&
	       !reaches_others((__u64)MOUNT_OF(BPF_CORE_READ(to, mnt), mnt), (__u64) namespace);
}

/* What is typed to the verifier is read back from the list that it stands in. */
static __always_inline bool may_umount(struct vfsmount *vfsmount)
{
	struct mount *typed = MOUNT_OF(vfsmount, mnt);
	struct mount *mount = MOUNT_OF(BPF_CORE_READ(typed, mnt_share.next, prev), mnt_share);
	struct mnt_namespace *namespace = mounts_of_caller();

	return !is_first(namespace) &&
	       !reaches_others((__u64)BPF_CORE_READ(mount, mnt_parent), (__u64) namespace) &&
	       !tree_reaches_others((__u64)mount, (__u64) namespace);
}

/* An option of a file system that is about to be mounted, its source among them. */
static __always_inline bool may_prepare(struct fs_context *context)
{
	if (BPF_CORE_READ_BITFIELD_PROBED(context, purpose) ==
		    bpf_core_enum_value(enum fs_context_purpose, FS_CONTEXT_FOR_SUBMOUNT) ||
	    BPF_CORE_READ(context, sb_flags) & MADE_BY_KERNEL)
		return true;
	return may_have_type(mounts_of_caller(), BPF_CORE_READ(context, fs_type, name));
}

#endif
