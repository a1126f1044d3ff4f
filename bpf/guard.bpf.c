// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LSM hooks of tasks, and of ways around the enforcement: labels follow tasks, and a confined
 * process, root or not, may not take itself or its policies out of the kernel.
 */
#include "exe.bpf.h"
#include "judge.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum {
	CLONE_SAME_PROCESS = 0x00010000, /* CLONE_THREAD */
	PTRACE_ATTACH = 0x02, /* PTRACE_MODE_ATTACH: more than reading what /proc tells */
	BPF_FILESYSTEM = 0xcafe4a11, /* BPF_FS_MAGIC */
};

/* --- Labels follow tasks */

/* The label of the calling task's process and of its thread; false: it has none. */
static __always_inline bool collect_labels(struct fresh_label *into, struct task_struct *task,
					   struct task_struct *leader)
{
	struct ph_label *label = label_of(leader);

	if (label) {
		into->generation = label->generation;
		into->policies = label->policies;
	}
	if (task != leader) {
		label = label_of(task);
		if (label) {
			add_ids(&into->policies, &label->policies);
			into->generation = label->generation;
		}
	}
	return into->policies.count;
}

/* A child without its parent's label must not be. It has no pid yet: the mirror follows later. */
SEC("lsm/task_alloc")
int BPF_PROG(ph_task_alloc, struct task_struct *child, unsigned long clone_flags)
{
	struct task_struct *task = current_task(), *leader = TASK_READ(task, group_leader);
	struct fresh_label label = {};

	/* A thread is confined by its leader's label as it is, and by its parent thread's. */
	if (clone_flags & CLONE_SAME_PROCESS) {
		if (task == leader)
			return PH_PASS;
		leader = task;
	}
	if (!collect_labels(&label, task, leader))
		return PH_PASS;
	return store_label(child, &label) ? PH_NO_MEMORY : PH_PASS;
}

/*
 * A thread that executes becomes the leader, and the old leader's label goes with the old leader:
 * it is taken over before.
 */
SEC("lsm/bprm_check_security")
int BPF_PROG(ph_exec_check, struct linux_binprm *bprm)
{
	struct task_struct *task = current_task(), *leader = TASK_READ(task, group_leader);
	struct fresh_label label = {};

	if (task == leader || !collect_labels(&label, task, leader))
		return PH_PASS;
	return set_label(task, &label) ? PH_NO_MEMORY : PH_PASS;
}

/*
 * The new program, and policies that let go of what a process executes, unless the new name or program
 * is theirs as well. There is no way back from here but the end.
 */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(ph_committed, struct linux_binprm *bprm)
{
	const struct ph_header *header = current_header();
	struct task_struct *task = current_task();
	struct ph_label *label = label_of(task);
	struct fresh_label fresh = {};
	struct ph_trait name;
	__u32 before;

	if (!header || (!label && !asks_for(header, PH_FEATURE_EXE)))
		return PH_PASS;
	fresh.generation = header->generation;
	clear_ids(&fresh.policies, header->generation);
	if (label)
		keep_known(&fresh.policies, &label->policies, header, PH_GRANT_LEAVE);
	read_name(&name, task);
	add_sticky(&fresh.policies, header, &name);
	before = fresh.policies.count;
	add_by_exe(&fresh.policies, header, BPF_CORE_READ(bprm, file), &name);
	if (!fresh.policies.count) {
		if (label)
			drop_label(task);
		return PH_PASS;
	}
	if (set_label(task, &fresh) && fresh.policies.count != before)
		must_not_run();
	return PH_PASS;
}

/* --- No way around */

/* A caller that may be confined is refused what no rule can grant. */
PH_FUNCTION int refuse_caller(__u8 door, ph_tables slot)
{
	struct attempt attempt;
	struct who who;

	if (!identify(&who, slot))
		return 0;
	attempt = (struct attempt){ .door = door };
	return judge(&who, &attempt, NULL);
}

static __always_inline int refuse(__u8 door)
{
	struct glance seen;

	if (glance(&seen) && refuse_caller(door, slot_of(seen.front)))
		return PH_DENY;
	return PH_PASS;
}

/* Ours do not change where anything goes. */
static __always_inline bool is_ours(const union bpf_attr *attr)
{
	return attr->prog_name[0] == PH_PROGRAM_PREFIX[0] &&
	       attr->prog_name[1] == PH_PROGRAM_PREFIX[1] &&
	       attr->prog_name[2] == PH_PROGRAM_PREFIX[2];
}

SEC("lsm/bpf")
int BPF_PROG(ph_bpf, int command, union bpf_attr *attr)
{
	if (refuse(PH_DOOR_BPF))
		return PH_DENY;
	/* From now on sockets remember whom they were asked to reach. */
	if (command == BPF_PROG_LOAD && attr->prog_type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR &&
	    !is_ours(attr))
		*(volatile __u64 *)&ph_front.rewriters = 1;
	return PH_PASS;
}

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

SEC("lsm/kernel_read_file")
int BPF_PROG(ph_read_module, struct file *file, enum kernel_read_file_id id)
{
	if (id != bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE))
		return PH_PASS;
	return refuse(PH_DOOR_MODULE);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(ph_load_module, enum kernel_load_data_id id)
{
	if (id != bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE))
		return PH_PASS;
	return refuse(PH_DOOR_MODULE);
}

/* All that confines the target, be it by its uid or its cgroup. */
static __always_inline void find_other(struct who *other, struct task_struct *target,
				       const struct ph_header *header)
{
	struct fresh_label label = {};

	enter_generation(other, header);
	look_at(other, target);
	collect_labels(&label, target, target->group_leader);
	other->policies = label.policies;
	add_live(other);
}

/* Whether every policy that confines the caller confines the target too. */
PH_FUNCTION int is_among(const struct ph_ids *ids, const struct ph_ids *others)
{
	__u64 missing = 0;

	if (!ids || !others)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 known = ph_mask_equal(ids->id[i], 0);

		for (__u32 j = 0; j < PH_LABEL_MAX; j++)
			known |= ph_mask_equal(ids->id[i], others->id[j]);
		missing |= ~known;
	}
	return !missing;
}

/* Has a stack of its own. */
PH_SUBPROGRAM int is_confined_alike(const struct who *who, struct task_struct *target,
				    ph_tables slot)
{
	struct who other;

	find_other(&other, target, header_at(slot));
	return is_among(&who->policies, &other.policies);
}

/* Who may write another's memory may do with its sockets what it likes. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ph_ptrace, struct task_struct *target, unsigned int mode)
{
	struct glance seen;
	struct who who;

	if (!(mode & PTRACE_ATTACH) || !glance(&seen))
		return PH_PASS;
	recognize(&who, &seen);
	if (!is_confined_alike(&who, target, slot_of(seen.front)) &&
	    refuse_caller(PH_DOOR_PTRACE, slot_of(seen.front)))
		return PH_DENY;
	return PH_PASS;
}

static __always_inline int refuse_on_bpffs(struct super_block *sb)
{
	return sb->s_magic == BPF_FILESYSTEM ? refuse(PH_DOOR_PINS) : PH_PASS;
}

SEC("lsm/inode_unlink")
int BPF_PROG(ph_unlink, struct inode *directory, struct dentry *dentry)
{
	return refuse_on_bpffs(directory->i_sb);
}

SEC("lsm/inode_rename")
int BPF_PROG(ph_rename_pin, struct inode *directory, struct dentry *dentry)
{
	return refuse_on_bpffs(directory->i_sb);
}

SEC("lsm/sb_umount")
int BPF_PROG(ph_umount, struct vfsmount *mount, int flags)
{
	return refuse_on_bpffs(mount->mnt_sb);
}
