/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_ACTS_BPF_H
#define PH_ACTS_BPF_H

/*
 * What a confined task takes on by an act of its own is a further layer, and what it would leave by one is
 * held in its label. Names and programs are taken on at rename and exec; cgroups and uids are gone to
 * here: before the task goes, its label is made anew from what confines it where it is.
 */
#include "turns.bpf.h"

/*
 * Whether the policies of this label that stay with what the calling task executes, or what its cgroup and
 * its uid bring, confine it now. The label may be NULL.
 */
PH_FUNCTION int stays_confined(const struct ph_label *label, ph_tables slot)
{
	struct who who;

	enter_generation(&who, header_at(slot));
	clear_ids(&who.policies, who.generation);
	look_at(&who, current_task());
	if (label) {
		who.policies = label->policies;
		if (count_scoped(&who, PH_GRANT_LEAVE | WITHOUT_WATCHING))
			return 1;
		clear_ids(&who.policies, who.generation);
	}
	add_live(&who);
	return count_scoped(&who, WITHOUT_WATCHING);
}

/* Whether anything does under the generation in this slot. */
PH_FUNCTION int is_confined_by(ph_tables slot)
{
	struct who who;

	return identify(&who, slot) ? count_scoped(&who, WITHOUT_WATCHING) : 0;
}

/*
 * Whether anything confines the calling task now, or will when the deadline has passed; what only watches it
 * does not.
 */
static __always_inline int is_confined(const struct ph_header *header)
{
	const struct ph_header *next = next_header(header);

	if (is_confined_by(header->slot))
		return 1;
	return next && is_confined_by(next->slot);
}

/*
 * Of what a confined task takes on, which begins at this place, only what holds at once is a layer. What is
 * found to hold later, when somebody else has moved the task, adds nothing to that. The caller has been
 * looked at.
 */
PH_FUNCTION int set_unmet_apart(struct who *who, __u32 begin)
{
	if (!who)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 there = ~ph_mask_equal(who->policies.id[i], 0) &
			      (((__s64)begin - i - 1) >> 63);
		__u64 apart = there & (is_in_scope(who, i, 0) - 1ull);
		__u32 mask = (hide(apart, who->generation) & 15) << (PH_LAYER_BITS * i);

		who->policies.layers &= ~mask;
		who->policies.layers |= (PH_LAYER_UNMET << (PH_LAYER_BITS * i)) & mask;
	}
	return 0;
}

/* What a task is about to change. */
enum act {
	ACT_MOVE, /* its cgroup */
	ACT_UID, /* its uid, by its own right */
	ACT_PROGRAM_UID, /* likewise, by that of a program that the administrator lets it run */
	ACT_MOVED, /* its cgroup, and somebody whom nothing confines does it */
};

static __always_inline __u32 conditions_of(enum act act)
{
	return act == ACT_UID || act == ACT_PROGRAM_UID ? PH_GRANT_UID :
							  PH_GRANT_CGROUP | PH_GRANT_UNIT;
}

static __always_inline __u32 layer_of(enum act act)
{
	return act == ACT_UID || act == ACT_PROGRAM_UID ? PH_LAYER_UID : PH_LAYER_CGROUP;
}

static __always_inline __u32 own_of(enum act act)
{
	return act == ACT_UID || act == ACT_PROGRAM_UID ? PH_OWN_UID : PH_OWN_CGROUP;
}

/* What becomes of one policy of a label. */
enum fate {
	FATE_GONE,
	FATE_STAYS, /* as it is */
	FATE_HELD, /* its conditions held: they are asked no more */
	FATE_ASKED, /* its conditions are asked, as if it had never been held */
	FATE_AWAITED, /* its conditions do not hold; once they do, that is an act of the task's own */
};

/* Whether the cgroup where the task is looked at brings it. */
static __always_inline bool is_brought(const struct who *who, __u64 id)
{
	const struct ph_ids *brought = brought_by_cgroup(slot_of_who(who), who->cgroup);
	__u64 found = 0;

	for (__u32 i = 0; brought && i < PH_LABEL_MAX; i++)
		found |= ph_mask_equal(brought->id[i], id);
	return found;
}

PH_FUNCTION int fate_of(const struct who *who, __u64 id, __u32 held, __u32 act, __u32 slots)
{
	const struct ph_grant *grant;
	__u32 asks;

	if (!who)
		return FATE_GONE;
	grant = find_known(slots, id);
	if (!grant)
		return FATE_GONE;
	if (act == ACT_MOVED && grant->flags & PH_GRANT_BY_CGROUP && !is_brought(who, id))
		return FATE_GONE;
	asks = grant->flags & conditions_of(act);
	if (!asks)
		return FATE_STAYS;
	if (act == ACT_MOVED)
		return FATE_ASKED;
	if (!in_scope(who, grant, held))
		return FATE_AWAITED;
	return act == ACT_PROGRAM_UID ? FATE_STAYS : FATE_HELD;
}

/*
 * The policies that a task has had, by their fate: `who` is where it is, and gets them. What was awaited and
 * has come is of the layer of what the last such act brought, which is the answer.
 */
PH_FUNCTION int settle_fates(struct who *who, const struct ph_label *had, __u32 act, __u32 slots)
{
	__u64 live = layer_of(act), left = act == ACT_MOVED ? live : PH_LAYER_LEFT;
	ph_layer_map map = 0;

	if (!had || !who)
		return PH_LAYER_NEW;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = had->policies.id[i], held = had->policies.held >> i & 1;
		__u64 layer = ph_layer_at(&had->policies, i), leaves = ph_mask_equal(layer, live);
		__u64 fate = hide(fate_of(who, id, held, act, slots), who->generation);
		__u64 awaited = ph_mask_equal(fate, FATE_AWAITED);

		id &= ~ph_mask_equal(fate, FATE_GONE);
		held |= ph_mask_equal(fate, FATE_HELD) & 1;
		held &= ~(awaited | ph_mask_equal(fate, FATE_ASKED));
		layer = (layer & ~leaves) | (left & leaves);
		layer = (layer & ~awaited) | (live & awaited);
		map = carry_id(&who->policies, id, layer, held, map);
	}
	mark_overfull(&who->policies, count_that_lasts(had, &who->policies));
	return (map >> PH_LAYER_BITS * PH_LAYER_LEFT & 15) ?: PH_LAYER_NEW;
}

/* Where it is or, if somebody else moves it, where it will be: what holds there stays what it is. */
static __always_inline void look_where(struct who *who, struct task_struct *from, struct cgroup *to,
				       __u32 act)
{
	look_at(who, from);
	if (act == ACT_MOVED && has_feature(who, PH_FEATURE_CGROUP))
		who->cgroup = find_known_cgroup((__u64)to);
}

/*
 * What the cgroup brings where a task is: all of it as the task leaves, and else what it brings on a condition that the
 * act changes. Such conditions hold from now on, if they do. The answer is the layer.
 */
PH_FUNCTION int hold_by_cgroup(struct who *who, const struct ph_ids *brought, __u32 act,
			       __u32 layer, ph_tables slot)
{
	__u64 number = layer;

	if (!who || !brought)
		return layer;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = brought->id[i], held = 0;
		const struct ph_grant *grant = find_grant(slot, id);

		if (grant && grant->flags & conditions_of(act)) {
			held = 1;
			if (!in_scope(who, grant, false))
				id = 0;
		} else if (act != ACT_MOVE) {
			id = 0;
		}
		number = add_id(&who->policies, hide(id, who->generation), number,
				hide(held, who->generation));
	}
	if (act == ACT_MOVE)
		return crowd_out(&who->policies, brought, layer_begun(layer, number), slot);
	mark_overfull(&who->policies, who->policies.count);
	return number;
}

/* What the uid brings. It is asked for on no other condition. The answer is the layer. */
PH_SUBPROGRAM int hold_by_uid(struct who *who, __u32 layer, ph_tables slot)
{
	layer = add_brought(who, brought_by_uid(slot, who->uid), layer);
	if (who->owner != who->uid)
		layer = add_brought(who, brought_by_uid(slot, who->owner), layer & 15);
	return layer;
}

/* What the cgroup and the uid bring under one generation that the task would leave by the act; likewise. */
static __always_inline __u32 hold_brought(struct who *who, __u32 act, __u32 layer,
					  const struct ph_header *header)
{
	const struct ph_ids *brought = NULL;
	ph_tables slot = header->slot;

	if (header->features & PH_FEATURE_BY_CGROUP &&
	    (act == ACT_MOVE || SETTING(ph_has_functions)))
		brought = brought_by_cgroup(slot, who->cgroup);
	if (brought)
		layer = hold_by_cgroup(who, brought, act, layer & 15, slot);
	if (act == ACT_UID && header->features & PH_FEATURE_BY_UID)
		layer = hold_by_uid(who, layer & 15, slot);
	return layer & 15;
}

/* Now and when the deadline has passed: in the base, or of the last such act. */
static __always_inline void hold_all_brought(struct who *who, __u32 act, __u32 left,
					     const struct ph_header *header)
{
	__u32 layer = who->own & own_of(act) ? left : PH_LAYER_BASE;
	const struct ph_header *next = next_header(header);

	layer = hold_brought(who, act, layer, header);
	if (SETTING(ph_has_functions) && next)
		hold_brought(who, act, layer, next);
}

/* A thread may be confined where its process is not: what it does to the process counts for itself. */
static __always_inline bool is_of_caller(struct task_struct *task)
{
	return TASK_READ(task, tgid) == (__s32)(bpf_get_current_pid_tgid() >> 32);
}

/* What one label has; the answer is as of settle_fates(), or what it was before. */
static __always_inline __u32 settle_label(struct who *who, const struct ph_label *had, __u32 act,
					  __u32 slots, __u32 left)
{
	__u32 layer;

	if (!had)
		return left;
	who->own |= had->own;
	layer = settle_fates(who, had, act, slots) & 15;
	return layer == PH_LAYER_NEW ? left : layer;
}

/* The label of the process, which confines a thread where that is; NULL: it has none, or goes itself. */
static __always_inline const struct ph_label *label_of_process(struct task_struct *task, __u32 act)
{
	struct task_struct *leader = TASK_READ(task, group_leader);

	return act == ACT_MOVED || leader == task ? NULL : any_label_of(leader);
}

/*
 * The generation of a label that is made without a look at the name: the one under which that was last looked
 * at, or the present one if the name brings nothing. Kernels without such functions would follow too much.
 */
static __always_inline __u32 generation_by_name(struct task_struct *task,
						const struct ph_label *had,
						const struct ph_header *header)
{
	struct ph_trait name;

	if (had)
		return had->generation;
	if (!SETTING(ph_has_functions))
		return 0;
	read_name(&name, task);
	return may_bring(header, &name) ? 0 : header->generation;
}

/* Of a task without a label, the name that it has `from` there may have been taken when nobody saw it. */
PH_SUBPROGRAM int goes_unseen(const struct ph_label *had, struct task_struct *from,
			      const struct ph_header *header)
{
	return !had && may_be_unseen(from, header) && matches_by_name(header->slot, from);
}

/* Whether what a thread would have in a label is in that of its process. */
static __always_inline bool says_all(const struct ph_label *of_process,
				     const struct fresh_label *fresh)
{
	return !(fresh->own & ~of_process->own) && of_process->generation == fresh->generation &&
	       are_held_alike(&of_process->policies, &fresh->policies);
}

/*
 * The label of a task that is about to go elsewhere, from the one that it has had, if any: `from` is where
 * it is, be it its parent that is there, and `to` the cgroup where it goes. A task that is being made has no
 * number yet, and no entry in the mirror. Nonzero: it could not be stored.
 */
static __always_inline int renew_elsewhere(struct task_struct *task, struct task_struct *from,
					   struct cgroup *to, const struct ph_header *header,
					   __u32 act, bool has_number)
{
	const struct ph_label *had = any_label_of(task), *of_process = label_of_process(task, act);
	struct who who;
	__u32 left;

	if (act == ACT_MOVED && !had)
		return 0;
	enter_generation(&who, header);
	who.features |= features_of(header) & (PH_FEATURE_UID | PH_FEATURE_CGROUP);
	clear_ids(&who.policies, header->generation);
	who.label.generation = hide(generation_by_name(task, had, header), who.generation);
	look_where(&who, from, to, act);
	left = settle_label(&who, of_process, act, slots_of(header), PH_LAYER_NEW);
	left = settle_label(&who, had, act, slots_of(header), left);
	if (act == ACT_MOVE || act == ACT_UID)
		hold_all_brought(&who, act, left, header);
	if (act != ACT_MOVED)
		who.own |= own_of(act);
	if (goes_unseen(had, from, header))
		who.own |= PH_OWN_NAME;
	if (!who.policies.count && !had && !of_process && !is_held_by_place(from, header) &&
	    !is_of_caller(task))
		return 0;
	if (!had && of_process && says_all(of_process, &who.label))
		return 0;
	return has_number ? set_label(task, &who.label) : store_label(task, &who.label);
}

PH_SUBPROGRAM int go_from(struct task_struct *task, struct task_struct *from, struct cgroup *to,
			  const struct ph_header *header, __u32 act)
{
	return renew_elsewhere(task, from, to, header, act, true);
}

#endif
