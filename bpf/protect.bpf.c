// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LSM hooks of ways around the enforcement: a confined process, root or not, may not take itself
 * or its policies out of the kernel, nor have the kernel carry its traffic elsewhere. All of them fire
 * rarely; what makes them fire more often is asked first, and then whether anybody is confined.
 *
 *	bpf, bpf_prog_load		programs and maps
 *	tun_dev_*, file_receive		frames through a device
 *	kernel_read_file, kernel_load_data, kernel_module_request	modules, another kernel
 *	locked_down			memory, ports, debugfs, tracing
 *	capable				CAP_NET_ADMIN, CAP_SYS_BOOT; setns, mount_setattr
 *	key_alloc			a program that is to find a key
 *	sb_*, move_mount, fs_context_*	mounts
 *	inode_*				pins, and porthold's own files
 */
#include "mounts.bpf.h"
#include "refuse.bpf.h"
#include "syscall.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum {
	BPF_FILESYSTEM = 0xcafe4a11, /* BPF_FS_MAGIC */
	NET_ADMIN = 12, /* CAP_NET_ADMIN, and likewise */
	SYS_CHROOT = 18,
	SYS_ADMIN = 21,
	SYS_BOOT = 22,
	PERFMON = 38,
	BPF_ADMIN = 39,
	QUIETLY = 2, /* CAP_OPT_NOAUDIT */
	TUN_DEVICE = 10 << 20 | 200, /* of /dev/net/tun, as the kernel numbers it */
	OWN_STEPS = 4, /* directories above a file that porthold reads */
};

/* --- The kernel's own code and memory */

/* Ours do not change where anything goes. */
static __always_inline bool is_ours(const union bpf_attr *attr)
{
	return attr->prog_name[0] == PH_PROGRAM_PREFIX[0] &&
	       attr->prog_name[1] == PH_PROGRAM_PREFIX[1] &&
	       attr->prog_name[2] == PH_PROGRAM_PREFIX[2];
}

/*
 * Whether the kernel lets the caller load programs for cgroups. A token is looked at after this hook:
 * whoever loads by one is seen by ph_prog_load.
 */
static __always_inline bool may_load(void)
{
	const struct cred *cred = BPF_CORE_READ(current_task(), cred);
	__u64 held = 0;

	if (BPF_CORE_READ(cred, user_ns, level) != 0)
		return false;
	bpf_probe_read_kernel(&held, sizeof(held), &cred->cap_effective);
	return held >> SYS_ADMIN & 1 || (held >> BPF_ADMIN & held >> NET_ADMIN & 1);
}

SEC("lsm/bpf")
int BPF_PROG(ph_bpf, int command, union bpf_attr *attr)
{
	if (refuse(PH_DOOR_BPF))
		return PH_DENY;
	if (command == PH_ARE_YOU_THERE)
		return PH_ALREADY;
	/* From now on sockets remember whom they were asked to reach. */
	if (command == BPF_PROG_LOAD && attr->prog_type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR &&
	    !is_ours(attr) && may_load())
		*(volatile __u64 *)&ph_front.rewriters = 1;
	return PH_PASS;
}

/* Loaded where the kernel has tokens: behind all its questions of who may. */
SEC("lsm/bpf_prog_load")
int BPF_PROG(ph_prog_load, struct bpf_prog *prog)
{
	char name[sizeof(PH_PROGRAM_PREFIX)] = {};

	if (BPF_CORE_READ(prog, type) != BPF_PROG_TYPE_CGROUP_SOCK_ADDR)
		return PH_PASS;
	bpf_probe_read_kernel(name, sizeof(name) - 1, BPF_CORE_READ(prog, aux)->name);
	if (name[0] != PH_PROGRAM_PREFIX[0] || name[1] != PH_PROGRAM_PREFIX[1] ||
	    name[2] != PH_PROGRAM_PREFIX[2])
		*(volatile __u64 *)&ph_front.rewriters = 1;
	return PH_PASS;
}

SEC("lsm/kernel_read_file")
int BPF_PROG(ph_read_module, struct file *file, enum kernel_read_file_id id)
{
	if (id == bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE))
		return refuse(PH_DOOR_MODULE);
	if (id == bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE) ||
	    id == bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_INITRAMFS))
		return refuse(PH_DOOR_KERNEL);
	return PH_PASS;
}

SEC("lsm/kernel_load_data")
int BPF_PROG(ph_load_module, enum kernel_load_data_id id)
{
	if (id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE))
		return refuse(PH_DOOR_MODULE);
	if (id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
		return refuse(PH_DOOR_KERNEL);
	return PH_PASS;
}

/* Whoever asks now without privilege may have written before, as root, what modprobe obeys. */
SEC("lsm/kernel_module_request")
int BPF_PROG(ph_want_module, char *name)
{
	return refuse(PH_DOOR_MODULE);
}

/* As kernels before 5.14 call it, and as the others do. */
enum lockdown_reason___old {
	LOCKDOWN_BPF_READ___old,
};

enum lockdown_reason___new {
	LOCKDOWN_BPF_READ_KERNEL___new,
};

/* Kernels have asked this one at each probing read of ours, and so without end. */
static __always_inline bool is_asked_for_us(enum lockdown_reason why)
{
	if (bpf_core_enum_value_exists(enum lockdown_reason___old, LOCKDOWN_BPF_READ___old))
		return why ==
		       bpf_core_enum_value(enum lockdown_reason___old, LOCKDOWN_BPF_READ___old);
	return why ==
	       bpf_core_enum_value(enum lockdown_reason___new, LOCKDOWN_BPF_READ_KERNEL___new);
}

SEC("lsm/locked_down")
int BPF_PROG(ph_locked_down, enum lockdown_reason why)
{
	return is_asked_for_us(why) ? PH_PASS : refuse(PH_DOOR_KERNEL);
}

/* --- The network below the sockets */

SEC("lsm/tun_dev_create")
int BPF_PROG(ph_tun_create)
{
	return refuse(PH_DOOR_TUN);
}

SEC("lsm/tun_dev_open")
int BPF_PROG(ph_tun_open)
{
	return refuse(PH_DOOR_TUN);
}

SEC("lsm/tun_dev_attach")
int BPF_PROG(ph_tun_attach)
{
	return refuse(PH_DOOR_TUN);
}

SEC("lsm/tun_dev_attach_queue")
int BPF_PROG(ph_tun_queue)
{
	return refuse(PH_DOOR_TUN);
}

/* Reading and writing it asks nobody any more. */
SEC("lsm/file_receive")
int BPF_PROG(ph_receive_tun, struct file *file)
{
	if (file->f_inode->i_rdev != TUN_DEVICE)
		return PH_PASS;
	return refuse(PH_DOOR_TUN);
}

/* --- Calls that no hook tells of but that for the capability */

/*
 * Only chroot(2) and setns(2) ask for it. Nobody who is confined enters a mount namespace of the first
 * users: the first process's, or that of a daemon which obeys the files it sees there.
 */
static __always_inline int guard_entry(const struct cred *cred)
{
	__u32 call;

	if (cred->user_ns->level || !may_be_confined())
		return PH_PASS;
	call = current_syscall();
	if (call == SYSCALL_CHROOT || call == SYSCALL_CHROOT_32)
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

static __always_inline bool is_setns(__u32 call)
{
	return call == SYSCALL_SETNS || call == SYSCALL_SETNS_32;
}

/*
 * Of the first users' rights: no namespace that the caller is not in, for in another network the same
 * address is another host. mount_setattr(2) makes what is mounted read-only, and separates it from its peers.
 */
static __always_inline int guard_administration(void)
{
	__u32 call;

	if (!may_be_confined())
		return PH_PASS;
	call = current_syscall();
	if (is_setns(call))
		return refuse(PH_DOOR_NET_ADMIN);
	if (call == SYSCALL_PERF_EVENT_OPEN || call == SYSCALL_PERF_EVENT_OPEN_32)
		return refuse(PH_DOOR_KERNEL);
	if ((call != SYSCALL_MOUNT_SETATTR && call != SYSCALL_OPEN_TREE_ATTR) ||
	    !is_first(mounts_of_caller()))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

/*
 * Nor a user namespace that it is not in, nor what belongs to one: whose network that is, nobody knows,
 * and as its root the caller could send packets elsewhere.
 */
static __always_inline int guard_foreign(void)
{
	return may_be_confined() && is_setns(current_syscall()) ? refuse(PH_DOOR_NET_ADMIN) :
								  PH_PASS;
}

/*
 * What watches other programs can write to them: a probe counts in a word of theirs, and is an instruction. Whoever
 * lacks this right is asked for that of administration instead, and whoever is refused it; told once.
 */
static __always_inline int guard_probes(const struct cred *cred)
{
	__u64 held = 0;

	if (cred->user_ns->level)
		return PH_PASS;
	bpf_probe_read_kernel(&held, sizeof(held), &cred->cap_effective);
	return held >> SYS_ADMIN & 1 ? refuse_quietly(PH_DOOR_KERNEL) : refuse(PH_DOOR_KERNEL);
}

/*
 * Asked only when the kernel has found that the caller has the capability. What a user namespace lets
 * its own people do ends there. The kernel asks quietly where it only wants to know how much to offer,
 * as at each look at a setting of the network.
 */
SEC("lsm/capable")
int BPF_PROG(ph_capable, const struct cred *cred, struct user_namespace *namespace, int capability,
	     unsigned int options)
{
	if (capability == SYS_CHROOT)
		return guard_entry(cred);
	if (capability == PERFMON)
		return guard_probes(cred);
	if (capability == SYS_ADMIN) {
		if (namespace != cred->user_ns)
			return guard_foreign();
		return namespace->level ? PH_PASS : guard_administration();
	}
	if ((capability != NET_ADMIN && capability != SYS_BOOT) || cred->user_ns->level)
		return PH_PASS;
	if (options & QUIETLY)
		return refuse_quietly(PH_DOOR_NET_ADMIN);
	return refuse(capability == NET_ADMIN ? PH_DOOR_NET_ADMIN : PH_DOOR_KERNEL);
}

/* --- Programs that the kernel starts for somebody */

/* Such a key goes to the program that is to find another one. */
static __always_inline bool is_for_program(struct key *key)
{
	static const char wanted[16] = ".request_key_aut";
	__u64 name[2] = {};

	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(key, type, name));
	return name[0] == *(const __u64 *)wanted && name[1] == *(const __u64 *)(wanted + 8);
}

/* Where the kernel itself wants a key, for a file system, it does so in another's name. */
static __always_inline bool is_own_act(struct task_struct *task)
{
	return BPF_CORE_READ(task, cred) == BPF_CORE_READ(task, real_cred);
}

SEC("lsm/key_alloc")
int BPF_PROG(ph_key, struct key *key)
{
	if (!is_for_program(key) || !is_own_act(current_task()))
		return PH_PASS;
	return refuse(PH_DOOR_UPCALL);
}

/* --- Mounts */

SEC("lsm/sb_mount")
int BPF_PROG(ph_mount, const char *device, const struct path *at, const char *type,
	     unsigned long flags)
{
	if (!may_be_confined() || may_mount(at, type, flags))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

SEC("lsm/sb_umount")
int BPF_PROG(ph_umount, struct vfsmount *mount)
{
	if (!may_be_confined() || may_umount(mount))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

SEC("lsm/move_mount")
int BPF_PROG(ph_move_mount, const struct path *from, const struct path *to)
{
	if (!may_be_confined() || may_move(from, to))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(ph_pivot)
{
	if (!may_be_confined() || !is_first(mounts_of_caller()))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

/* A file system of the first users is everybody's, wherever it is mounted, and read-only for all then. */
SEC("lsm/sb_remount")
int BPF_PROG(ph_remount, struct super_block *sb)
{
	if (!may_be_confined() || BPF_CORE_READ(sb, s_user_ns, level))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

SEC("lsm/fs_context_parse_param")
int BPF_PROG(ph_mount_option, struct fs_context *context)
{
	if (!may_be_confined() || may_prepare(context))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

/* What was prepared without an option: no other hook tells of it before it can be used. */
SEC("lsm/sb_set_mnt_opts")
int BPF_PROG(ph_mount_ready, struct super_block *sb)
{
	if (!may_be_confined() || current_syscall() != SYSCALL_FSCONFIG ||
	    may_have_type(mounts_of_caller(), BPF_CORE_READ(sb, s_type, name)))
		return PH_PASS;
	return refuse(PH_DOOR_MOUNT);
}

/* --- Pins, and porthold's own files */

/*
 * The highest bit is clear if it is one of the first `count` files that are listed. Without a branch,
 * of which the verifier would follow both sides for each.
 */
static __always_inline __u64 differs_from_listed(struct inode *inode, __u32 count)
{
	__u64 number = BPF_CORE_READ(inode, i_ino), all_differ = ~0ull;
	__u32 device = BPF_CORE_READ(inode, i_sb, s_dev);

	for (__u32 i = 0; i < count; i++) {
		__u64 differ = (number ^ ph_around.file[i].inode) |
			       (device ^ ph_around.file[i].device);

		all_differ &= differ | -differ;
	}
	return all_differ;
}

/*
 * A file of porthold's, or what lies in a directory of its own. Takes addresses, as kernels before 5.12
 * hand no pointers to functions: of the inode, and of the directory's dentry.
 */
PH_FUNCTION int is_own_file(__u64 inode, __u64 directory)
{
	struct dentry *dentry = (struct dentry *)directory;
	__u64 all_differ = differs_from_listed((struct inode *)inode, PH_AROUND_FILES);

	/* Unrolled: clang would keep the counter beside what a probe writes, where the verifier loses it. */
#pragma unroll
	for (__u32 i = 0; i < OWN_STEPS; i++) {
		all_differ &= differs_from_listed(BPF_CORE_READ(dentry, d_inode), PH_AROUND_WITHIN);
		dentry = BPF_CORE_READ(dentry, d_parent);
	}
	return !(all_differ >> 63);
}

/* Pins go by their file system; all that is porthold's lies in directories of root's. */
static __always_inline int guard_file(struct inode *directory, struct dentry *dentry)
{
	if (directory->i_sb->s_magic == BPF_FILESYSTEM)
		return refuse(PH_DOOR_PINS);
	if (directory->i_uid.val || !may_be_confined() ||
	    !is_own_file((__u64)BPF_CORE_READ(dentry, d_inode),
			 (__u64)BPF_CORE_READ(dentry, d_parent)))
		return PH_PASS;
	return refuse(PH_DOOR_FILES);
}

SEC("lsm/inode_create")
int BPF_PROG(ph_f_create, struct inode *directory, struct dentry *dentry)
{
	return guard_file(directory, dentry);
}

SEC("lsm/inode_mknod")
int BPF_PROG(ph_f_mknod, struct inode *directory, struct dentry *dentry)
{
	return guard_file(directory, dentry);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(ph_f_mkdir, struct inode *directory, struct dentry *dentry)
{
	return guard_file(directory, dentry);
}

SEC("lsm/inode_symlink")
int BPF_PROG(ph_f_symlink, struct inode *directory, struct dentry *dentry)
{
	return guard_file(directory, dentry);
}

SEC("lsm/inode_unlink")
int BPF_PROG(ph_f_unlink, struct inode *directory, struct dentry *dentry)
{
	return guard_file(directory, dentry);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(ph_f_rmdir, struct inode *directory, struct dentry *dentry)
{
	return guard_file(directory, dentry);
}

/* Another name for a file of porthold's is no harm by itself, but writing by it would be. */
SEC("lsm/inode_link")
int BPF_PROG(ph_f_link, struct dentry *old, struct inode *directory, struct dentry *dentry)
{
	int r = guard_file(directory, dentry);

	return r ? PH_DENY : guard_file(directory, old);
}

SEC("lsm/inode_rename")
int BPF_PROG(ph_f_rename, struct inode *from, struct dentry *old, struct inode *to,
	     struct dentry *dentry)
{
	int r = guard_file(from, old);

	return r ? PH_DENY : guard_file(to, dentry);
}

/* Mode, owner, size. */
static __always_inline int guard_attributes(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return inode ? guard_file(inode, dentry) : PH_PASS;
}

SEC("lsm/inode_setattr")
int BPF_PROG(ph_f_setattr, void *map, struct dentry *dentry)
{
	return guard_attributes(dentry);
}

/* Before 6.8 there is no map. */
SEC("lsm/inode_setattr")
int BPF_PROG(ph_f_setattr0, struct dentry *dentry)
{
	return guard_attributes(dentry);
}
