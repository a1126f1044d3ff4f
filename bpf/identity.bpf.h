/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_IDENTITY_BPF_H
#define PH_IDENTITY_BPF_H

/*
 * Who is calling: names and labels.
 *
 * A task is confined by the label on itself, by that on its thread-group leader, by the names of
 * both, and by its uid and its cgroup, which are looked at anew each time. Labels lie in task storage and, for programs that cannot read task storage and for the
 * moments in which it is busy, in a mirror by thread id.
 *
 * Hooks that judge only read labels. Labels are written where names change, tasks are made and
 * programs are executed, and by the pass over all tasks that follows each new generation. So a
 * label of the generation in force tells all; under an older one, or none, the live names count
 * as well. Ids that no table knows any more are harmless: there is nothing to find for them.
 */
#include "state.bpf.h"

/* Of kernels with task storage: NULL says at once that there is no label. */
struct task_struct___storage {
	void *bpf_storage;
} __attribute__((preserve_access_index));

struct who {
	__u64 generation;
	ph_tables slot;
	__u32 features;
	__u64 cgroup; /* id; this and the uid only where some policy asks for them */
	__u32 uid;
	bool settled; /* the conditions held when the socket was labelled: they are not asked again */
	struct ph_ids *label; /* that tells all, not copied as yet; NULL: the next does */
	struct ph_ids policies;
};

static __always_inline struct task_struct *current_task(void)
{
	if (ph_has_task_btf)
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

/* Direct loads where the pointer is typed, probing reads where it is a number. */
#define TASK_READ(task, field) (ph_has_task_btf ? (task)->field : BPF_CORE_READ(task, field))

/* The bytes before the first NUL. */
static __always_inline __u64 up_to_nul(__u64 word)
{
	__u64 zeros = (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;

	return word & (((zeros & -zeros) >> 7) - 1);
}

/* The kernel leaves what it likes behind the NUL. */
static __always_inline void mask_name(struct ph_trait *name)
{
	__u64 head = up_to_nul(name->word[0]);

	name->word[0] = head;
	name->word[1] = up_to_nul(name->word[1]) & ~ph_mask_equal(head >> 56, 0);
}

/* The loads are wider than comm's type, which the verifier allows inside of an array. */
static __always_inline void read_name(struct ph_trait *name, struct task_struct *task)
{
	if (ph_has_task_btf)
		*name = *(struct ph_trait *)((void *)task + bpf_core_field_offset(task->comm));
	else
		bpf_core_read(name, sizeof(*name), &task->comm);
	mask_name(name);
}

static __always_inline bool in_filter(const struct ph_header *header, const struct ph_trait *trait)
{
	__u32 bit = ph_trait_bit(trait);

	return header->filter[bit / 64 & (PH_FILTER_WORDS - 1)] >> (bit % 64) & 1;
}

/*
 * Adds an id that is not there; 0 is none. A count beyond PH_LABEL_MAX says that one found no room.
 * Ids behind the count are 0, here and everywhere.
 */
static __always_inline void add_id(struct ph_ids *ids, __u64 id)
{
	__u64 known = ph_mask_equal(id, 0), count = ids->count;

	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		known |= ph_mask_equal(ids->id[i], id);
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		ids->id[i] |= id & ph_mask_equal(i, count) & ~known;
	ids->count = count + (~known & 1);
}

/* What did not fit elsewhere is not here either. */
static __always_inline void mark_overfull(struct ph_ids *ids, __u64 count)
{
	__u64 over = (__s64)(PH_LABEL_MAX - count) >> 63;

	asm volatile("" : "+r"(over)); /* or clang branches, and the verifier follows both sides */
	ids->count = (ids->count & ~over) | ((PH_LABEL_MAX + 1) & over);
}

/* None; hidden from the verifier, for which there would be a state for each that is still known. */
static __always_inline void clear_ids(struct ph_ids *ids, __u64 unknown)
{
	__builtin_memset(ids, 0, sizeof(*ids));
	ids->count = hide(0, unknown);
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		ids->id[i] = hide(0, unknown);
}

PH_SUBPROGRAM int add_ids(struct ph_ids *ids, const struct ph_ids *more)
{
	if (!ids || !more)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		add_id(ids, more->id[i]);
	mark_overfull(ids, more->count);
	return 0;
}

/*
 * Those of `from` that the tables still know; not those whose grant has a flag of `without`.
 */
PH_SUBPROGRAM int add_known(struct ph_ids *ids, const struct ph_ids *from, ph_tables slot,
			    __u8 without)
{
	if (!ids || !from)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = from->id[i];
		const struct ph_grant *grant = find_grant(slot, id);

		if (!grant || grant->flags & without)
			id = 0;
		id = hide(id, slot);
		add_id(ids, id);
	}
	mark_overfull(ids, from->count);
	return 0;
}

static __always_inline struct ph_label *mirrored_label(__u32 pid)
{
	return bpf_map_lookup_elem(&ph_mirror, &pid);
}

/* The label of a task, or NULL. `task` is typed where ph_has_task_btf says so. */
static __always_inline struct ph_label *label_of(struct task_struct *task)
{
	struct ph_label *label;

	if (!ph_has_labels)
		return NULL;
	if (ph_has_task_storage) {
		if (!((struct task_struct___storage *)task)->bpf_storage)
			return NULL;
		label = bpf_task_storage_get(&ph_labels, task, NULL, 0);
		if (label)
			return label;
	}
	/* No label, or a busy storage: the mirror knows. */
	label = mirrored_label(TASK_READ(task, pid));
	if (ph_has_task_storage && label)
		count_health(PH_HEALTH_STORAGE_BUSY);
	return label;
}

/* The same, also of a task that was labelled while the mirror was all there was. */
static __always_inline struct ph_label *any_label_of(struct task_struct *task)
{
	struct ph_label *label = label_of(task);

	return label || !ph_has_labels ? label : mirrored_label(TASK_READ(task, pid));
}

/*
 * Ids before their number, the generation last: a reader that meets a label half written finds
 * every policy that both states have, and makes it anew itself.
 */
static __always_inline void write_label(struct ph_label *label, const struct ph_label *value)
{
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		*(volatile __u64 *)&label->policies.id[i] = value->policies.id[i];
	*(volatile __u32 *)&label->policies.count = value->policies.count;
	*(volatile __u64 *)&label->generation = value->generation;
}

static __always_inline int mirror_label(__u32 pid, const struct ph_label *value)
{
	if (!bpf_map_update_elem(&ph_mirror, &pid, value, PH_ANY))
		return 0;
	count_health(PH_HEALTH_LABEL_FAILED);
	return -1;
}

/* Task storage only; the mirror follows when the task has a pid. Nonzero: it could not be stored. */
static __always_inline int store_label(struct task_struct *task, const struct ph_label *value)
{
	struct ph_label *label;

	if (!ph_has_task_storage)
		return 0;
	label = bpf_task_storage_get(&ph_labels, task, (void *)value, PH_STORAGE_CREATE);
	if (!label) {
		count_health(PH_HEALTH_LABEL_FAILED);
		return -1;
	}
	write_label(label, value);
	return 0;
}

static __always_inline int set_label(struct task_struct *task, const struct ph_label *value)
{
	int stored = store_label(task, value);
	int mirrored = mirror_label(TASK_READ(task, pid), value);

	return ph_has_task_storage ? stored : mirrored;
}

static __always_inline void drop_label(struct task_struct *task)
{
	__u32 pid = TASK_READ(task, pid);

	if (ph_has_task_storage)
		bpf_task_storage_delete(&ph_labels, task);
	bpf_map_delete_elem(&ph_mirror, &pid);
}

/* Adds the policies that a trait brings. */
static __always_inline void add_by_trait(struct ph_ids *ids, const struct ph_header *header,
					 const struct ph_trait *trait)
{
	const struct ph_ids *brought;

	if (!in_filter(header, trait))
		return;
	brought = find_trait(header->slot, trait);
	if (brought)
		add_ids(ids, brought);
}

/* Those of a label that still hold, now or when the deadline has passed. */
static __always_inline void keep_known(struct ph_ids *ids, const struct ph_ids *from,
				       const struct ph_header *header, __u8 without)
{
	const struct ph_header *next = next_header(header);

	add_known(ids, from, header->slot, without);
	if (next)
		add_known(ids, from, next->slot, without);
}

/* What a name brings, likewise. */
static __always_inline void add_sticky(struct ph_ids *ids, const struct ph_header *header,
				       const struct ph_trait *name)
{
	const struct ph_header *next = next_header(header);

	add_by_trait(ids, header, name);
	if (next)
		add_by_trait(ids, next, name);
}

/* Whether it may bring anything: all do while there are two tables to ask. */
static __always_inline bool may_bring(const struct ph_header *header, const struct ph_trait *name)
{
	return header->deadline || in_filter(header, name);
}

/*
 * Makes a task's label anew: what of it still holds, and what `name` matches. The result stays in
 * `fresh`, whether or not it can be stored. Nonzero: it could not.
 */
PH_SUBPROGRAM int relabel(struct task_struct *task, const struct ph_trait *name,
			  const struct ph_header *header, struct ph_label *fresh)
{
	struct ph_label *label = any_label_of(task);

	if (label)
		keep_known(&fresh->policies, &label->policies, header, 0);
	add_sticky(&fresh->policies, header, name);
	fresh->generation = header->generation;
	if (fresh->policies.count)
		return set_label(task, fresh);
	if (label)
		drop_label(task);
	return 0;
}

/* --- What is asked anew at each call */

/* What a uid or a cgroup alone brings; NULL: nothing. */
static __always_inline const struct ph_ids *brought_by_uid(const struct who *who,
							   const struct ph_header *header)
{
	struct ph_trait trait = ph_trait(PH_TRAIT_UID, who->uid);

	if (!(header->features & PH_FEATURE_BY_UID) || !in_filter(header, &trait))
		return NULL;
	return find_trait(header->slot, &trait);
}

static __always_inline const struct ph_ids *brought_by_cgroup(const struct who *who,
							      const struct ph_header *header)
{
	if (!(header->features & PH_FEATURE_BY_CGROUP))
		return NULL;
	return find_place(header->slot, who->cgroup);
}

static __always_inline void add_live(struct who *who, const struct ph_ids *by_uid,
				     const struct ph_ids *by_cgroup)
{
	if (by_uid)
		add_ids(&who->policies, by_uid);
	if (by_cgroup)
		add_ids(&who->policies, by_cgroup);
}

static __always_inline void enter_generation(struct who *who, const struct ph_header *header)
{
	who->generation = header->generation;
	who->slot = header->slot;
	who->features = header->features;
	who->cgroup = 0;
	who->uid = 0;
	who->settled = false;
	who->label = NULL;
}

/* The policies of a labelled socket; false: nothing is in force, or the socket is exempt. */
static __always_inline bool identify_label(struct who *who, struct ph_sock_label *label)
{
	const struct ph_header *header;

	if (!label->policies.count || label->flags & PH_SOCK_EXEMPT)
		return false;
	header = current_header();
	if (!header)
		return false;
	enter_generation(who, header);
	who->settled = true;
	who->label = &label->policies;
	return true;
}

/* Adds what the live name of a task matches. */
static __always_inline void add_by_name(struct ph_ids *ids, struct task_struct *task,
					const struct ph_header *header)
{
	struct ph_trait name;

	read_name(&name, task);
	add_by_trait(ids, header, &name);
}

/* Labels are old, or there are none and a name may be a policy's: all that can be said counts. */
PH_SUBPROGRAM int identify_slowly(struct who *who, const struct ph_header *header,
				  struct task_struct *task, struct task_struct *leader)
{
	struct ph_label *label = label_of(leader);

	if (label)
		who->policies = label->policies;
	add_by_name(&who->policies, leader, header);
	if (task != leader) {
		label = label_of(task);
		if (label)
			add_ids(&who->policies, &label->policies);
		add_by_name(&who->policies, task, header);
	}
	return who->policies.count;
}

/* Whether the name of the task may be one that a policy matches. */
static __always_inline bool may_match(const struct ph_header *header, struct task_struct *task)
{
	struct ph_trait name;

	read_name(&name, task);
	return in_filter(header, &name);
}

static __always_inline bool find_policies(struct who *who, const struct ph_header *header,
					  struct task_struct *task)
{
	struct task_struct *leader = TASK_READ(task, group_leader);
	struct ph_label *label, *own;

	label = label_of(leader);
	if (task == leader) {
		if (label && label->generation == header->generation) {
			who->label = &label->policies;
			return true;
		}
		if (!label && !may_match(header, leader))
			return false;
	} else if (!label) {
		own = label_of(task);
		if (!own && !may_match(header, leader) && !may_match(header, task))
			return false;
	}
	who->label = NULL;
	__builtin_memset(&who->policies, 0, sizeof(who->policies));
	return identify_slowly(who, header, task, leader);
}

/* Afterwards who->policies says all. */
static __always_inline void copy_label(struct who *who)
{
	if (who->label)
		who->policies = *who->label;
	who->label = NULL;
}

/* Fills `who` with the policies that match the calling task; false: none does. */
static __always_inline bool identify(struct who *who)
{
	const struct ph_header *header = current_header();
	struct task_struct *task;
	const struct ph_ids *by_uid, *by_cgroup;
	bool found;

	if (!header)
		return false;
	enter_generation(who, header);
	task = current_task();
	if (who->features & PH_FEATURE_UID)
		who->uid = bpf_get_current_uid_gid();
	if (who->features & PH_FEATURE_CGROUP)
		who->cgroup = bpf_get_current_cgroup_id();
	by_uid = brought_by_uid(who, header);
	by_cgroup = brought_by_cgroup(who, header);
	found = find_policies(who, header, task);
	/* One after the other: clang would compute with the pointers. */
	if (!by_uid) {
		barrier_var(by_cgroup);
		if (!by_cgroup)
			return found;
	}
	if (found) {
		copy_label(who);
	} else {
		who->label = NULL;
		clear_ids(&who->policies, who->generation);
	}
	add_live(who, by_uid, by_cgroup);
	return who->policies.count;
}

/* Whether the caller is in the cgroup of the grant, or below; a cgroup of unknown path may be it. */
static __always_inline bool in_cgroup(const struct ph_cgroup *cgroup, const struct ph_grant *grant)
{
	__u32 level = grant->cgroup_level;

	return level > PH_CGROUP_DEPTH || cgroup->hash[level] == grant->cgroup;
}

/* Without a branch, of which the verifier would follow both sides for each level. */
static __always_inline bool in_unit(const struct ph_cgroup *cgroup, const struct ph_grant *grant)
{
	__u64 all_differ = ~0ull;

	for (__u32 i = PH_CGROUP_DEPTH + 2; i < 2 * (PH_CGROUP_DEPTH + 1); i++) {
		__u64 differ = cgroup->hash[i] ^ grant->unit;

		all_differ &= differ | -differ;
	}
	return !(all_differ >> 63);
}

/* The conditions that are tested at each call. */
static __always_inline bool in_scope(const struct who *who, const struct ph_grant *grant)
{
	struct ph_cgroup *cgroup;

	if (who->settled)
		return true;
	if (grant->flags & PH_GRANT_UID && grant->uid != who->uid)
		return false;
	if (!(grant->flags & (PH_GRANT_CGROUP | PH_GRANT_UNIT)))
		return true;
	cgroup = bpf_map_lookup_elem(&ph_cgroups, &who->cgroup);
	if (!cgroup || !cgroup->ready)
		return true;
	if (grant->flags & PH_GRANT_CGROUP && !in_cgroup(cgroup, grant))
		return false;
	return !(grant->flags & PH_GRANT_UNIT) || in_unit(cgroup, grant);
}

static __always_inline const struct ph_grant *grant_of(const struct who *who, __u64 id)
{
	const struct ph_grant *grant = guess_grant(who->slot, id, who->policies.guess);

	return grant ? grant : find_grant(who->slot, id);
}

/* The policies of the caller whose conditions hold now: what a socket it makes is labelled with. */
PH_SUBPROGRAM int add_scoped(struct ph_ids *ids, struct who *who)
{
	if (!ids || !who)
		return 0;
	copy_label(who);
	ids->guess = who->policies.guess;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = who->policies.id[i];
		const struct ph_grant *grant = grant_of(who, id);

		if (!grant || !in_scope(who, grant))
			id = 0;
		id = hide(id, who->generation);
		add_id(ids, id);
	}
	return 0;
}

/* What identify() asks of the caller, of another task. */
static __always_inline void look_around(struct who *who, struct task_struct *task)
{
	if (who->features & PH_FEATURE_UID)
		who->uid = BPF_CORE_READ(task, cred, uid.val);
	if (who->features & PH_FEATURE_CGROUP)
		who->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

#endif
