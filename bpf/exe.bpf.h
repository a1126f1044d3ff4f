/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EXE_BPF_H
#define PH_EXE_BPF_H

/*
 * Which program a task runs: by the path of the file in its mount namespace, and by the file itself
 * as the kernel numbers it. The path holds over another file in its place, the file over another
 * name for it.
 */
#include "acts.bpf.h"
#include "paths.bpf.h"

enum {
	PATH_STEPS = PH_EXE_DEPTH + 6, /* components, and mounts that are crossed */
	SIGNAL_KILL = 9,
	OTHERS_WRITE = 022, /* group and others, of a folder's mode */
};

/* 0: nothing that a policy could name, as a file in memory, or one that lies too deep. */
PH_SUBPROGRAM __u64 hash_file_path(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry), *parent;
	void *in_mount = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = in_mount - bpf_core_field_offset(struct mount, mnt), *above;
	__u64 hash = hide(PH_HASH_START, (__u64)dentry), reached = 0;

	for (__u32 i = 0; i < PATH_STEPS; i++) {
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			above = BPF_CORE_READ(mount, mnt_parent);
			reached = ph_mask_equal((__u64)above, (__u64)mount);
			if (reached)
				break;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			break;
		hash = ph_hash_word(hash,
				    hash_component((__u64)BPF_CORE_READ(dentry, d_name.name)));
		dentry = parent;
	}
	return hide(hash & reached, (__u64)dentry);
}

/*
 * The size is there for file systems that give a number twice: btrfs has one row of them for each
 * subvolume, and overlayfs none that tells a file from the next that gets its number.
 */
static __always_inline __u64 hash_file(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u64 hash = ph_hash_word(PH_HASH_START, BPF_CORE_READ(inode, i_sb, s_dev));

	hash = ph_hash_word(hash, BPF_CORE_READ(inode, i_ino));
	hash = ph_hash_word(hash, BPF_CORE_READ(inode, i_generation));
	return ph_hash_word(hash, BPF_CORE_READ(inode, i_size));
}

/* In the trait table or, where only the kernel's own view of the file says it, in that of files. */
PH_FUNCTION int add_by_program(struct fresh_label *fresh, ph_tables slot, __u64 kind, __u64 value)
{
	const struct ph_ids *brought = NULL;
	struct ph_trait trait = ph_trait(kind, value);
	void *files;

	if (!fresh)
		return 0;
	if (in_filter(slot, &trait))
		brought = find_trait(slot, &trait);
	if (!brought) {
		files = bpf_map_lookup_elem(&ph_files, &slot);
		brought = files ? bpf_map_lookup_elem(files, &trait) : NULL;
	}
	if (brought)
		fresh->layer = add_ids(&fresh->policies, brought, fresh->layer, slot);
	return 0;
}

/* Inode number of the first mount namespace; 0: it is not known, and no file is learnt. */
const volatile __u32 ph_mount_namespace = 0;

/*
 * Whether the path is that of the machine, where root alone says which file lies there. In a mount
 * namespace of their own, or in a folder of theirs, others could put any file there and so have it
 * confined for everybody.
 */
static __always_inline bool is_roots_path(struct file *file)
{
	void *in_mount = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = in_mount - bpf_core_field_offset(struct mount, mnt);
	struct inode *folder = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode);

	return BPF_CORE_READ(mount, mnt_ns, ns.inum) == ph_mount_namespace &&
	       !BPF_CORE_READ(folder, i_uid.val) && !(BPF_CORE_READ(folder, i_mode) & OTHERS_WRITE);
}

/*
 * An upgrade has put another file at the path of a program: from now on that one is known under
 * every name. A full table keeps it out, and the path holds alone, until user space looks.
 */
PH_FUNCTION int learn_file(ph_tables slot, __u64 kind, __u64 path, __u64 file)
{
	struct ph_trait by_path = ph_trait(kind, path);
	struct ph_trait by_file = ph_trait(kind + PH_TRAIT_FILE - PH_TRAIT_PATH, file);
	void *files = bpf_map_lookup_elem(&ph_files, &slot);
	const struct ph_ids *brought = NULL;

	if (!files)
		return 0;
	if (in_filter(slot, &by_path))
		brought = find_trait(slot, &by_path);
	if (!brought)
		brought = bpf_map_lookup_elem(files, &by_path);
	if (brought)
		bpf_map_update_elem(files, &by_file, brought, PH_IF_NEW);
	return 0;
}

struct program {
	__u64 path;
	__u64 file;
};

/* What a program brings, alone or together with the name. */
static __always_inline void add_program(struct fresh_label *fresh, const struct ph_header *header,
					const struct program *program, const struct ph_trait *name)
{
	ph_tables slot;

	if (!header || !(header->features & PH_FEATURE_EXE))
		return;
	slot = header->slot;
	add_by_program(fresh, slot, PH_TRAIT_PATH, program->path);
	add_by_program(fresh, slot, PH_TRAIT_FILE, program->file);
	if (!(header->features & PH_FEATURE_NAMED_EXE))
		return;
	add_by_program(fresh, slot, PH_TRAIT_NAMED_PATH, ph_with_name(program->path, name));
	add_by_program(fresh, slot, PH_TRAIT_NAMED_FILE, ph_with_name(program->file, name));
}

static __always_inline void learn_program(const struct ph_header *header,
					  const struct program *program,
					  const struct ph_trait *name)
{
	ph_tables slot;

	if (!header || !(header->features & PH_FEATURE_EXE))
		return;
	slot = header->slot;
	learn_file(slot, PH_TRAIT_PATH, program->path, program->file);
	if (header->features & PH_FEATURE_NAMED_EXE)
		learn_file(slot, PH_TRAIT_NAMED_PATH, ph_with_name(program->path, name),
			   ph_with_name(program->file, name));
}

/* Now and when the deadline has passed. */
static __always_inline void add_by_exe(struct fresh_label *fresh, const struct ph_header *header,
				       struct file *file, const struct ph_trait *name)
{
	struct program program;

	if (!file || !asks_for(header, PH_FEATURE_EXE))
		return;
	program.path = hash_file_path(file);
	program.file = hash_file(file);
	add_program(fresh, header, &program, name);
	add_program(fresh, next_header(header), &program, name);
	if (!fresh->policies.count || !is_roots_path(file))
		return;
	learn_program(header, &program, name);
	learn_program(next_header(header), &program, name);
}

/*
 * Of a label that could not be stored: a name can be looked at again at each call, a program cannot,
 * so what it brings would be lost.
 */
static __always_inline void must_not_run(void)
{
	count_health(PH_HEALTH_LABEL_FAILED);
	bpf_send_signal(SIGNAL_KILL);
}

/*
 * The label of a task that executes: of what it has, what stays with the program; and what the new name and
 * the new program bring, which is one act, and one layer if what stays confines it. There is no way back
 * from here but the end.
 */
PH_SUBPROGRAM int take_program(struct task_struct *task, const struct ph_label *label,
			       struct file *file, const struct ph_header *header, bool confined)
{
	struct ph_trait name;
	__u32 kept, before;
	struct who who;

	enter_generation(&who, header);
	clear_ids(&who.policies, header->generation);
	if (label)
		keep_known(&who.label, label, header, PH_GRANT_LEAVE);
	kept = who.policies.count;
	who.own &= ~PH_OWN_NAME;
	if (confined) {
		who.own |= PH_OWN_NAME;
		who.label.layer = PH_LAYER_NEW;
	}
	read_name(&name, task);
	add_sticky(&who.label, header, &name);
	before = who.policies.count;
	add_by_exe(&who.label, header, file, &name);
	if (confined) {
		look_at_caller(&who);
		set_unmet_apart(&who, kept);
	}
	if (renew_label(task, label, &who.label) && who.policies.count != before)
		must_not_run();
	return 0;
}

/*
 * Of an exec that nobody could wait for: what names and places bring is looked at again at each call, what the
 * program does is not.
 */
PH_SUBPROGRAM int brings_by_program(struct task_struct *task, struct file *file,
				    const struct ph_header *header)
{
	struct fresh_label fresh = {};
	struct ph_trait name;

	clear_ids(&fresh.policies, header->generation);
	read_name(&name, task);
	add_by_exe(&fresh, header, file, &name);
	return fresh.policies.count;
}

/* The turn is the caller's. */
static __always_inline void execute(struct task_struct *task, struct file *file,
				    const struct ph_header *header)
{
	const struct ph_header *next = next_header(header);
	struct ph_label *label = label_of(task);
	bool confined = stays_confined(label, header->slot) ||
			(next && stays_confined(label, next->slot));

	take_program(task, label, file, header, confined);
}

/* Whether the task has anything, or may get it by its name or its program. */
static __always_inline bool is_of_note(struct task_struct *task, const struct ph_label *label,
				       const struct ph_header *header)
{
	struct ph_trait name;

	if (label || asks_for(header, PH_FEATURE_EXE))
		return true;
	read_name(&name, task);
	return may_bring(header, &name);
}

#endif
