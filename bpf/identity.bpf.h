/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_IDENTITY_BPF_H
#define PH_IDENTITY_BPF_H

/*
 * Who is calling: names and labels.
 *
 * A task is confined by the label on itself, by that on its thread-group leader, by the names of
 * both, and by its uid and its cgroup, which are looked at anew each time. Labels lie in task storage
 * and, for programs that cannot read task storage and for the moments in which it is busy, in a mirror
 * by thread id.
 *
 * Hooks that judge only read labels. Labels are written where names change, tasks are made and
 * programs are executed, and by the pass over all tasks that follows each new generation. So a
 * label of the generation in force tells all; under an older one, or none, the live names count
 * as well. Ids that no table knows any more are harmless: there is nothing to find for them.
 *
 * Nearly every call is of nobody's, and a glance() tells. Most others are of a task whose label tells
 * all, or whose uid or cgroup does. Only for the rest identify() puts together what there is.
 */
#include "state.bpf.h"

/* Of kernels with task storage: NULL says at once that there is no label. */
struct task_struct___storage {
	void *bpf_storage;
} __attribute__((preserve_access_index));

struct who {
	__u64 generation;
	__u64 cgroup; /* id; this and the uid only where some policy asks for them */
	ph_tables slot;
	__u32 features;
	__u32 uid;
	__u32 settled; /* the conditions held when the socket was labelled: they are not asked again */
	struct ph_ids policies;
};

static __always_inline struct task_struct *current_task(void)
{
	if (SETTING(ph_has_task_btf))
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

/* Direct loads where the pointer is typed, probing reads where it is a number. */
#define TASK_READ(task, field) \
	(SETTING(ph_has_task_btf) ? (task)->field : BPF_CORE_READ(task, field))

/* Nonzero: there is a NUL in it. The lowest bit is the highest of the first NUL. */
static __always_inline __u64 find_nul(__u64 word)
{
	return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
}

/* The kernel leaves what it likes behind the NUL. */
static __always_inline void mask_name(struct ph_trait *name)
{
	__u64 nul = find_nul(name->word[0]);

	name->word[0] &= nul ^ (nul - 1);
	if (nul) {
		name->word[1] = 0;
		return;
	}
	nul = find_nul(name->word[1]);
	name->word[1] &= nul ^ (nul - 1);
}

/* The loads are wider than comm's type, which the verifier allows inside of an array. */
static __always_inline void read_name(struct ph_trait *name, struct task_struct *task)
{
	const __u64 *comm = (void *)task + bpf_core_field_offset(task->comm);
	struct ph_trait probed;

	if (SETTING(ph_has_task_btf)) {
		name->word[0] = comm[0];
		name->word[1] = comm[1];
	} else {
		bpf_probe_read_kernel(&probed, sizeof(probed), comm);
		*name = probed;
	}
	mask_name(name);
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

PH_FUNCTION int add_ids(struct ph_ids *ids, const struct ph_ids *more)
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
PH_FUNCTION int add_known(struct ph_ids *ids, const struct ph_ids *from, ph_tables slot,
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
	if (!*(volatile __u8 *)mirror_mark(pid))
		return NULL;
	return bpf_map_lookup_elem(&ph_mirror, &pid);
}

/* In task storage; where that has none, or is busy, the mirror knows. */
static __always_inline struct ph_label *stored_label(struct task_struct *task)
{
	struct ph_label *label;

	if (!((struct task_struct___storage *)task)->bpf_storage)
		return NULL;
	label = bpf_task_storage_get(&ph_labels, task, NULL, 0);
	if (label)
		return label;
	label = mirrored_label(TASK_READ(task, pid));
	if (label)
		count_health(PH_HEALTH_STORAGE_BUSY);
	return label;
}

/* The label of a task, or NULL. `task` is typed where ph_has_task_btf says so. */
static __always_inline struct ph_label *label_of(struct task_struct *task)
{
	if (SETTING(ph_has_task_storage))
		return stored_label(task);
	return SETTING(ph_has_labels) ? mirrored_label(TASK_READ(task, pid)) : NULL;
}

/* The same, also of a task that was labelled while the mirror was all there was. */
static __always_inline struct ph_label *any_label_of(struct task_struct *task)
{
	struct ph_label *label = label_of(task);

	return label || !SETTING(ph_has_labels) ? label : mirrored_label(TASK_READ(task, pid));
}

/* A label that is being put together: as struct ph_label, with nothing to remember yet. */
struct fresh_label {
	__u64 generation;
	struct ph_ids policies;
};

static const struct ph_label no_label;

/*
 * Ids before their number, the generation last: a reader that meets a label half written finds
 * every policy that both states have, and makes it anew itself. What was remembered of the old ones
 * goes first.
 */
static __always_inline void write_label(struct ph_label *label, const struct fresh_label *value)
{
	for (__u32 i = 0; i < PH_MEMOS; i++)
		*(volatile __u64 *)&label->memos.port[i] = 0;
	*(volatile __u64 *)&label->memos.kinds = 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		*(volatile __u64 *)&label->policies.id[i] = value->policies.id[i];
	*(volatile __u32 *)&label->policies.count = value->policies.count;
	*(volatile __u64 *)&label->generation = value->generation;
}

static __always_inline int mirror_label(__u32 pid, const struct fresh_label *value)
{
	struct ph_label *label;

	*(volatile __u8 *)mirror_mark(pid) = 1;
	label = mirrored_label(pid);
	if (!label) {
		bpf_map_update_elem(&ph_mirror, &pid, &no_label, PH_NOEXIST);
		label = mirrored_label(pid);
	}
	if (!label) {
		count_health(PH_HEALTH_LABEL_FAILED);
		return -1;
	}
	write_label(label, value);
	return 0;
}

/* Task storage only; the mirror follows when the task has a pid. Nonzero: it could not be stored. */
static __always_inline int store_label(struct task_struct *task, const struct fresh_label *value)
{
	struct ph_label *label;

	if (!SETTING(ph_has_task_storage))
		return 0;
	label = bpf_task_storage_get(&ph_labels, task, NULL, PH_STORAGE_CREATE);
	if (!label) {
		count_health(PH_HEALTH_LABEL_FAILED);
		return -1;
	}
	write_label(label, value);
	return 0;
}

static __always_inline int set_label(struct task_struct *task, const struct fresh_label *value)
{
	int stored = store_label(task, value);
	int mirrored = mirror_label(TASK_READ(task, pid), value);

	return SETTING(ph_has_task_storage) ? stored : mirrored;
}

static __always_inline void drop_label(struct task_struct *task)
{
	__u32 pid = TASK_READ(task, pid);

	if (SETTING(ph_has_task_storage))
		bpf_task_storage_delete(&ph_labels, task);
	bpf_map_delete_elem(&ph_mirror, &pid);
}

/* Adds the policies that a trait brings. */
static __always_inline void add_by_trait(struct ph_ids *ids, const struct ph_header *header,
					 const struct ph_trait *trait)
{
	const struct ph_ids *brought;

	if (!in_filter(header->slot, trait))
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
	return header->deadline || in_filter(header->slot, name);
}

/*
 * Makes a task's label anew: what of it still holds, and what `name` matches. The result stays in
 * `fresh`, whether or not it can be stored. Nonzero: it could not.
 */
PH_SUBPROGRAM int relabel(struct task_struct *task, const struct ph_trait *name,
			  const struct ph_header *header, struct fresh_label *fresh)
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

/* --- A first look */

/*
 * What a glance at the caller, or at the label of a socket, found. Without ids it found that there is
 * more to be asked: identify() does.
 */
struct glance {
	__u64 front; /* what is in force */
	struct ph_ids *ids; /* all that confines, in a label or a place */
	bool settled; /* as in struct who */
};

/* They follow the ids, in labels and in places. NULL: there are none. */
static __always_inline struct ph_memos *memos_of(struct ph_ids *ids)
{
	return ids ? (struct ph_memos *)(ids + 1) : NULL;
}

/* The helper translates between namespaces, for as many instructions as all the rest has. */
static __always_inline __u32 uid_of_caller(struct task_struct *task)
{
	if (SETTING(ph_has_task_btf))
		return task->cred->uid.val;
	return bpf_get_current_uid_gid();
}

/* What a uid or a cgroup alone brings; NULL: nothing. */
static __always_inline struct ph_ids *brought_by_uid(ph_tables slot, __u32 uid)
{
	struct ph_trait trait = ph_trait(PH_TRAIT_UID, uid);

	return in_filter(slot, &trait) ? find_place(slot, PH_PLACE_UID | uid) : NULL;
}

static __always_inline struct ph_ids *brought_by_cgroup(ph_tables slot, __u64 cgroup)
{
	return *(volatile __u8 *)place_mark(slot, cgroup) ? find_place(slot, cgroup) : NULL;
}

/* Whether the task's uid or its cgroup may bring a policy. */
static __always_inline bool may_be_brought_live(__u64 front, struct task_struct *task)
{
	struct ph_trait uid;

	if (front & PH_FRONT_UID) {
		uid = ph_trait(PH_TRAIT_UID, uid_of_caller(task));
		if (in_filter(slot_of(front), &uid))
			return true;
	}
	return front & PH_FRONT_CGROUP &&
	       *(volatile __u8 *)place_mark(slot_of(front), bpf_get_current_cgroup_id());
}

/* Whether the name of the task may be one that a policy matches. */
static __always_inline bool may_match(ph_tables slot, struct task_struct *task)
{
	struct ph_trait name;

	read_name(&name, task);
	return in_filter(slot, &name);
}

/* The ids of thread and process need no look into the task, where that has to be probed for. */
static __always_inline struct ph_label *glance_at_label(struct task_struct *task, bool leader)
{
	__u64 pid_tgid;

	if (SETTING(ph_has_task_storage))
		return stored_label(task);
	if (!SETTING(ph_has_labels))
		return NULL;
	pid_tgid = bpf_get_current_pid_tgid();
	return mirrored_label(leader ? pid_tgid >> 32 : pid_tgid);
}

static __always_inline struct task_struct *leader_of_current(struct task_struct *task)
{
	__u64 pid_tgid;

	if (SETTING(ph_has_task_btf))
		return task->group_leader;
	pid_tgid = bpf_get_current_pid_tgid();
	return (__u32)pid_tgid == pid_tgid >> 32 ? task : BPF_CORE_READ(task, group_leader);
}

static __always_inline bool glance_at_names(struct glance *seen, struct task_struct *task)
{
	struct task_struct *leader = leader_of_current(task);
	struct ph_label *label = glance_at_label(leader, true);
	ph_tables slot = slot_of(seen->front);

	if (task != leader && (glance_at_label(task, false) || may_match(slot, task)))
		return true;
	if (!label)
		return may_match(slot, leader);
	if (label->generation == generation_of(seen->front))
		seen->ids = &label->policies;
	return true;
}

/* What confines the calling task, if its uid or its cgroup does and nothing else; NULL: more may. */
PH_SUBPROGRAM struct ph_ids *brought_alone(__u64 front, struct task_struct *task)
{
	struct ph_ids *by_uid = NULL, *by_cgroup = NULL;
	struct glance seen = { .front = front };

	if (glance_at_names(&seen, task))
		return NULL;
	if (front & PH_FRONT_UID)
		by_uid = brought_by_uid(slot_of(front), uid_of_caller(task));
	if (front & PH_FRONT_CGROUP)
		by_cgroup = brought_by_cgroup(slot_of(front), bpf_get_current_cgroup_id());
	if (by_uid && by_cgroup)
		return NULL;
	return by_uid ? by_uid : by_cgroup;
}

/* False: no policy confines the calling task. */
static __always_inline bool glance(struct glance *seen)
{
	__u64 front = *(volatile __u64 *)&ph_front.current;
	struct task_struct *task = current_task();

	seen->settled = false;
	seen->ids = NULL;
	if (front & PH_FRONT_MIND) {
		front = front_after(front);
		seen->front = front;
		if (may_be_brought_live(front, task)) {
			seen->ids = brought_alone(front, task);
			return true;
		}
	}
	if (!front)
		return false;
	seen->front = front;
	/* Twice the same, so that clang knows in each what the setting is. */
	if (SETTING(ph_has_task_btf))
		return glance_at_names(seen, task);
	return glance_at_names(seen, task);
}

/* The same of a labelled socket; also false if it is exempt. */
static __always_inline bool glance_at_socket(struct glance *seen, struct ph_sock_label *label)
{
	__u64 front;

	if (!label->policies.count || label->past.flags & PH_SOCK_EXEMPT)
		return false;
	front = front_in_force();
	seen->front = front;
	seen->settled = true;
	seen->ids = &label->policies;
	return front;
}

/* --- What is asked anew at each call */

static __always_inline void add_live(struct who *who)
{
	const struct ph_ids *brought = NULL;

	if (who->features & PH_FEATURE_BY_UID)
		brought = brought_by_uid(who->slot, who->uid);
	if (brought)
		add_ids(&who->policies, brought);
	brought = NULL;
	if (who->features & PH_FEATURE_BY_CGROUP)
		brought = brought_by_cgroup(who->slot, who->cgroup);
	if (brought)
		add_ids(&who->policies, brought);
}

static __always_inline void enter_generation(struct who *who, const struct ph_header *header)
{
	who->generation = header->generation;
	who->slot = header->slot;
	who->features = header->features;
	who->cgroup = 0;
	who->uid = 0;
	who->settled = false;
}

/* Adds what the live name of a task matches. */
static __always_inline void add_by_name(struct ph_ids *ids, struct task_struct *task,
					const struct ph_header *header)
{
	struct ph_trait name;

	read_name(&name, task);
	add_by_trait(ids, header, &name);
}

/* What the label of a task and, unless that tells all, its name bring. */
static __always_inline void add_by_task(struct ph_ids *ids, struct task_struct *task,
					const struct ph_header *header)
{
	struct ph_label *label = label_of(task);

	if (label)
		add_ids(ids, &label->policies);
	if (!label || label->generation != header->generation)
		add_by_name(ids, task, header);
}

/* What conditions ask of the caller. */
static __always_inline void look_at_caller(struct who *who, struct task_struct *task)
{
	if (who->features & PH_FEATURE_UID)
		who->uid = uid_of_caller(task);
	if (who->features & PH_FEATURE_CGROUP)
		who->cgroup = bpf_get_current_cgroup_id();
}

/*
 * Fills `who` with the policies that match the calling task, under the generation in the slot; 0: none
 * does.
 */
PH_FUNCTION int identify(struct who *who, ph_tables slot)
{
	const struct ph_header *header = header_at(slot);
	struct task_struct *task, *leader;

	if (!who)
		return 0;
	enter_generation(who, header);
	clear_ids(&who->policies, who->generation);
	task = current_task();
	leader = TASK_READ(task, group_leader);
	look_at_caller(who, task);
	add_by_task(&who->policies, leader, header);
	if (task != leader)
		add_by_task(&who->policies, task, header);
	add_live(who);
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
	__u64 id = who->cgroup; /* on the stack, where kernels before 6.2 want a key */
	struct ph_cgroup *cgroup;

	if (who->settled)
		return true;
	if (grant->flags & PH_GRANT_UID && grant->uid != who->uid)
		return false;
	if (!(grant->flags & (PH_GRANT_CGROUP | PH_GRANT_UNIT)))
		return true;
	cgroup = bpf_map_lookup_elem(&ph_cgroups, &id);
	if (!cgroup || !cgroup->ready)
		return true;
	if (grant->flags & PH_GRANT_CGROUP && !in_cgroup(cgroup, grant))
		return false;
	return !(grant->flags & PH_GRANT_UNIT) || in_unit(cgroup, grant);
}

/* The policies of the caller whose conditions hold now: what a socket it makes is labelled with. */
PH_FUNCTION int add_scoped(struct ph_ids *ids, const struct who *who)
{
	if (!ids || !who)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = who->policies.id[i];
		const struct ph_grant *grant = find_grant(who->slot, id);

		if (!grant || !in_scope(who, grant))
			id = 0;
		id = hide(id, who->generation);
		add_id(ids, id);
	}
	return 0;
}

/* The same of another task. */
static __always_inline void look_at(struct who *who, struct task_struct *task)
{
	if (who->features & PH_FEATURE_UID)
		who->uid = BPF_CORE_READ(task, cred, uid.val);
	if (who->features & PH_FEATURE_CGROUP)
		who->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

#endif
