/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_IDENTITY_BPF_H
#define PH_IDENTITY_BPF_H

/*
 * Who is calling: names and labels.
 *
 * A task is confined by the label on itself, by that on its thread-group leader, by the names of
 * both, and by its uid and its cgroup, which are looked at anew each time. What a confined task does
 * about any of these only narrows what it may: policies that come by an act of its own are a further
 * layer, and those that it would leave so are held in its label. Labels lie in task storage
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

enum {
	TASK_EXITING = 0x4, /* PF_EXITING */
	TASK_OF_RING = 0x10, /* PF_IO_WORKER: a thread of the kernel's making in the process */
	TASK_OF_KERNEL = 0x200000, /* PF_KTHREAD */
	NAMESPACES_MAX = 33, /* of users, one in another: the kernel makes no more */
};

/* A label that is being put together: as struct ph_label, with nothing to remember yet. */
struct fresh_label {
	__u32 generation;
	__u16 own;
	__u16 layer; /* of what is being added */
	struct ph_ids policies;
};

enum who_bits {
	WHO_SLOT = 30, /* the bit that says which */
	WHO_SETTLED =
		1
		<< 29, /* the conditions held when the socket was labelled: they are not asked again */
};

/* Small, since several of them are on the stack of one call. */
struct who {
	__u64 cgroup; /* id; this and the uid only where some policy asks for them */
	__u32 features; /* of the generation; and enum who_bits */
	__u32 uid;
	__u32 owner; /* of the user namespace that it is in; else the uid */
	__u32 pad0;
	union { /* what confines it, as a label would say it */
		struct fresh_label label;
		struct {
			__u32 generation; /* its low half */
			__u16 own; /* enum ph_own */
			__u16 pad1;
			struct ph_ids policies;
		};
	};
};

static __always_inline ph_tables slot_of_who(const struct who *who)
{
	return who->features >> WHO_SLOT & PH_FRONT_SLOT;
}

/* The verifier would keep apart all that has been asked so far. */
static __always_inline bool has_feature(const struct who *who, __u64 feature)
{
	return hide(who->features, who->generation) & feature;
}

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

/* --- Sets of policies and their layers. Without branches, of which the verifier would follow all. */

static __always_inline bool are_same_ids(const struct ph_ids *ids, const struct ph_ids *others)
{
	__u64 differ = (ids->count ^ others->count) | (ids->layers ^ others->layers);

	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		differ |= ids->id[i] ^ others->id[i];
	return !differ;
}

/* Nor do they differ in whether their conditions are still asked. */
static __always_inline bool are_held_alike(const struct ph_ids *ids, const struct ph_ids *others)
{
	return !(ids->held ^ others->held) & are_same_ids(ids, others);
}

/* Whether one grant is enough: the policies are all of one layer. */
static __always_inline bool add_up(const struct ph_ids *ids)
{
	return !ids->layers || ids->count == 1;
}

/*
 * Adds an id that is not there; 0 is none. With PH_LAYER_NEW it begins a layer, and the number of that is
 * the answer. A count beyond PH_LABEL_MAX says that an id found no room.
 */
static __always_inline __u64 add_id(struct ph_ids *ids, __u64 id, __u64 layer, __u64 held)
{
	__u64 none = ph_mask_equal(id, 0), known = none, count = ids->count, added, begins;
	__u64 holds = ids->held;

	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 same = ph_mask_equal(ids->id[i], id) & ~none;

		known |= same;
		holds |= held << i & same;
	}
	added = ~known;
	begins = ph_mask_equal(layer, PH_LAYER_NEW) & added;
	layer = (layer & ~begins) | ((count + 1) & begins);
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		ids->id[i] |= id & ph_mask_equal(i, count) & added;
	/* Of what finds no room these bits are beyond the end. */
	ids->layers |= (layer & added) << (PH_LAYER_BITS * count);
	ids->held = holds | (held & added) << count;
	ids->count = count + (added & 1);
	return layer;
}

/* The numbers that the layers of one set have got in another, PH_LAYER_BITS for each. */
typedef __u64 ph_layer_map;

/* Adds an id of the layer `from` of another set; what is looked up at each call stays that. */
static __always_inline ph_layer_map carry_id(struct ph_ids *ids, __u64 id, __u64 from, __u64 held,
					     ph_layer_map map)
{
	__u64 shift = PH_LAYER_BITS * from, to = map >> shift & 15;
	__u64 live = ph_mask_equal(from, PH_LAYER_CGROUP) | ph_mask_equal(from, PH_LAYER_UID);

	to |= PH_LAYER_NEW & ph_mask_equal(to, 0) & ~ph_mask_equal(from, PH_LAYER_BASE);
	to = (to & ~live) | (from & live);
	to = add_id(ids, id, to, held);
	return map | (to & ~ph_mask_equal(to, PH_LAYER_NEW)) << shift;
}

/*
 * What did not fit elsewhere is not here either. Where no room is made any number beyond the last place says so,
 * and the verifier gets on best with the next.
 */
static __always_inline void mark_overfull(struct ph_ids *ids, __u64 count)
{
	__u64 over = (__s64)(PH_LABEL_MAX - count) >> 63;
	__u64 mark =
		PH_LABEL_MAX + 1 + SETTING(ph_has_functions) * (PH_OVERFULL - PH_LABEL_MAX - 1);

	asm volatile("" : "+r"(over)); /* or clang branches, and the verifier follows both sides */
	ids->count = (ids->count & ~over) | (mark & over);
}

/* None; hidden from the verifier, for which there would be a state for each that is still known. */
static __always_inline void clear_ids(struct ph_ids *ids, __u64 unknown)
{
	__builtin_memset(ids, 0, sizeof(*ids));
	ids->count = hide(0, unknown);
	ids->held = hide(0, unknown);
	ids->layers = hide(0, unknown);
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		ids->id[i] = hide(0, unknown);
}

/* Whether the policy only watches; one that no table knows may be of the tables to come. */
static __always_inline bool only_watches(ph_tables slot, __u64 id)
{
	const struct ph_grant *grant = find_grant(slot, id);

	return grant && grant->mode == PH_MODE_AUDIT;
}

static __always_inline bool has_layer(const struct ph_ids *ids, __u64 layer)
{
	__u64 has = 0;

	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		has |= ph_mask_equal(ph_layer_at(ids, i), layer);
	return has;
}

/*
 * Of a policy that found no room. One that only watches may be left out, and gives its place to one that
 * does more: it may refuse nothing, be it by its number. The answer is the layer, as of add_id().
 */
PH_FUNCTION int evict_for(struct ph_ids *ids, __u64 id, __u32 layer, ph_tables slot)
{
	if (!ids)
		return layer;
	if (only_watches(slot, id)) {
		count_health(PH_HEALTH_AUDIT_LOST);
		return layer;
	}
	if (layer == PH_LAYER_NEW)
		layer = has_layer(ids, PH_LAYER_EVICTED) ? PH_LAYER_NEW : PH_LAYER_EVICTED;
	for (__u32 i = 0; i < PH_LABEL_MAX && layer != PH_LAYER_NEW; i++) {
		if (!only_watches(slot, ids->id[i]))
			continue;
		count_health(PH_HEALTH_AUDIT_LOST);
		ids->id[i] = id;
		ids->held &= ~(1 << i);
		ids->layers &= ~(15u << (PH_LAYER_BITS * i));
		ids->layers |= layer << (PH_LAYER_BITS * i);
		return layer;
	}
	ids->count = PH_OVERFULL;
	return layer;
}

/*
 * Not all of these found room. What was overfull before stays so, and so is what would put more layers than one
 * into that of the evicted.
 */
PH_FUNCTION int make_room(struct ph_ids *ids, const struct ph_ids *more, __u32 layer,
			  ph_tables slot)
{
	__u64 from = PH_LAYER_NEW, apart = ph_mask_equal(layer, PH_LAYER_NEW);

	if (!ids || !more)
		return layer;
	ids->count = ids->count < PH_OVERFULL ? PH_LABEL_MAX : PH_OVERFULL;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = more->id[i], known = ph_mask_equal(id, 0);

		for (__u32 j = 0; j < PH_LABEL_MAX; j++)
			known |= ph_mask_equal(ids->id[j], id);
		if (known)
			continue;
		if (apart && from != PH_LAYER_NEW && from != ph_layer_at(more, i)) {
			ids->count = PH_OVERFULL;
			continue;
		}
		layer = evict_for(ids, id, layer & 15, slot);
		if (layer != PH_LAYER_NEW && from == PH_LAYER_NEW)
			from = ph_layer_at(more, i);
	}
	if (more->count > PH_LABEL_MAX)
		ids->count = PH_OVERFULL;
	return layer;
}

/*
 * If not all of these have found room. Where functions are verified with their callers that costs more than
 * the verifier allows: there, those that only watch count like the others.
 */
static __always_inline __u32 crowd_out(struct ph_ids *ids, const struct ph_ids *more, __u32 layer,
				       ph_tables slot)
{
	if (!SETTING(ph_has_functions)) {
		mark_overfull(ids, more->count);
		mark_overfull(ids, ids->count);
		return layer;
	}
	if (ids->count <= PH_LABEL_MAX && more->count <= PH_LABEL_MAX)
		return layer;
	return make_room(ids, more, layer & 15, slot);
}

PH_FUNCTION int append_ids(struct ph_ids *ids, const struct ph_ids *more, __u32 layer)
{
	__u64 number = layer;

	if (!ids || !more)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		number = add_id(ids, more->id[i], number, 0);
	return number;
}

/* A layer that would begin where there is no room has not begun. */
static __always_inline __u32 layer_begun(__u32 layer, __u32 number)
{
	return layer == PH_LAYER_NEW && number > PH_LABEL_MAX ? PH_LAYER_NEW : number;
}

/* All in one layer, or in the base; the answer is its number, or PH_LAYER_NEW if nothing began it. */
static __always_inline __u32 add_ids(struct ph_ids *ids, const struct ph_ids *more, __u32 layer,
				     ph_tables slot)
{
	__u32 number = append_ids(ids, more, layer);

	if (SETTING(ph_has_functions))
		number = layer_begun(layer, number);
	return crowd_out(ids, more, number, slot);
}

PH_FUNCTION int carry_ids(struct ph_ids *ids, const struct ph_ids *more)
{
	ph_layer_map map = 0;

	if (!ids || !more)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		map = carry_id(ids, more->id[i], ph_layer_at(more, i), more->held >> i & 1, map);
	return 0;
}

/* Each in the layer that it has there. */
static __always_inline void merge_ids(struct ph_ids *ids, const struct ph_ids *more, ph_tables slot)
{
	carry_ids(ids, more);
	crowd_out(ids, more, PH_LAYER_NEW, slot);
}

/* The slots of the generation in force and, while that has a deadline, of the one that comes after. */
enum {
	SLOT_NEXT = 2, /* likewise */
	SLOT_HAS_NEXT = 4,
};

static __always_inline const struct ph_grant *find_known(__u32 slots, __u64 id)
{
	const struct ph_grant *grant = find_grant(slots & PH_FRONT_SLOT, id);

	if (grant || !(slots & SLOT_HAS_NEXT))
		return grant;
	return find_grant(slots / SLOT_NEXT & PH_FRONT_SLOT, id);
}

/* Those of `from` that the tables still know, in their layers; not those that have a flag of `without`. */
PH_FUNCTION int add_known(struct ph_ids *ids, const struct ph_ids *from, __u32 slots, __u8 without)
{
	ph_layer_map map = 0;

	if (!ids || !from)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = from->id[i];
		const struct ph_grant *grant = find_known(slots, id);

		if (!grant || grant->flags & without)
			id = 0;
		id = hide(id, slots);
		map = carry_id(ids, id, ph_layer_at(from, i), from->held >> i & 1, map);
	}
	return 0;
}

/* Be it that of another thread that had this number before. */
static __always_inline struct ph_label *mirrored_at(__u32 pid)
{
	if (!*(volatile __u8 *)mirror_mark(pid))
		return NULL;
	return bpf_map_lookup_elem(&ph_mirror, &pid);
}

/*
 * When a task was started, which no two of one number have in common; 0: that is not asked. Kernels that can leave
 * out the program that sees a thread end, or its successor begin, have what it takes to ask.
 */
static __always_inline __u64 start_of(struct task_struct *task)
{
	return SETTING(ph_has_task_btf) ? task->start_boottime : 0;
}

/* Whether an entry of the mirror is of whoever had the number of this task before. */
static __always_inline bool is_of_another(const struct ph_label *label, struct task_struct *task)
{
	return SETTING(ph_has_task_btf) && label->born && label->born != start_of(task);
}

static __always_inline struct ph_label *mirrored_label(struct task_struct *task)
{
	struct ph_label *label = mirrored_at(TASK_READ(task, pid));

	return label && !is_of_another(label, task) ? label : NULL;
}

/* 0: the task has no storage, and so no label. */
static __always_inline __u64 has_storage(struct task_struct *task)
{
	__u64 storage = (__u64)((struct task_struct___storage *)task)->bpf_storage;

	asm volatile("" : "+r"(storage)); /* where it is said, and once */
	return storage;
}

/* In task storage; where that has none, or is busy, the mirror knows. */
static __always_inline struct ph_label *stored_label(struct task_struct *task)
{
	struct ph_label *label;

	label = bpf_task_storage_get(&ph_labels, task, NULL, 0);
	if (label)
		return label;
	label = mirrored_label(task);
	/* What user space has put there is nowhere else as yet. */
	if (label && label->generation)
		count_health(PH_HEALTH_STORAGE_BUSY);
	return label;
}

/* The label of a task, or NULL. `task` is typed where ph_has_task_btf says so. */
static __always_inline struct ph_label *label_of(struct task_struct *task)
{
	if (SETTING(ph_has_task_storage))
		return stored_label(task);
	return mirrored_label(task);
}

/* The same, where nearly nobody has one. Whatever is asked seldom is spared the read: see struct caller. */
static __always_inline struct ph_label *rare_label_of(struct task_struct *task)
{
	if (SETTING(ph_has_task_storage) && !has_storage(task))
		return mirrored_label(task);
	return label_of(task);
}

/* The same, also of a task that was labelled while the mirror was all there was. */
static __always_inline struct ph_label *any_label_of(struct task_struct *task)
{
	struct ph_label *label = label_of(task);

	return label ? label : mirrored_label(task);
}

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
	*(volatile __u32 *)&label->policies.layers = value->policies.layers;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		*(volatile __u64 *)&label->policies.id[i] = value->policies.id[i];
	*(volatile __u16 *)&label->policies.held = value->policies.held;
	*(volatile __u16 *)&label->policies.count = value->policies.count;
	*(volatile __u16 *)&label->own = value->own;
	*(volatile __u32 *)&label->generation = value->generation;
}

/* The mirror forgets a thread: where it has no mark there is nothing to look for. */
static __always_inline void unmirror(__u32 pid)
{
	if (*(volatile __u8 *)mirror_mark(pid))
		bpf_map_delete_elem(&ph_mirror, &pid);
}

/* Whose it is comes last: until then it is of whoever had the number before, if anybody's. */
static __always_inline int mirror_label(struct task_struct *task, const struct fresh_label *value)
{
	__u32 pid = TASK_READ(task, pid);
	struct ph_label *label;

	*(volatile __u8 *)mirror_mark(pid) = 1;
	label = mirrored_at(pid);
	if (!label) {
		bpf_map_update_elem(&ph_mirror, &pid, &no_label, PH_NOEXIST);
		label = mirrored_at(pid);
	}
	if (!label) {
		count_health(PH_HEALTH_LABEL_FAILED);
		return -1;
	}
	write_label(label, value);
	*(volatile __u64 *)&label->born = start_of(task);
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

/*
 * Whether nobody asks for the label of the task any more: the thread has ended, or, as that of a leader
 * speaks for the process, the last thread has. Its entry in the mirror is, or was, taken away.
 */
static __always_inline bool has_ended(struct task_struct *task)
{
	if (TASK_READ(task, group_leader) == task)
		return BPF_CORE_READ(task, signal, live.counter) == 0;
	return TASK_READ(task, flags) & TASK_EXITING;
}

/*
 * A glance does not look into the mirror for a task without storage, but for whatever its name may bring more is
 * asked, and the mirror is: so the name of one whose label is there alone is among those that may bring something.
 */
PH_SUBPROGRAM int let_name_tell(struct task_struct *task)
{
	struct ph_trait name;
	__u64 hash;

	read_name(&name, task);
	hash = ph_trait_hash(&name);
	for (__u32 slot = 0; slot < PH_SLOTS; slot++)
		*(volatile __u64 *)&ph_front.filter[slot].trait[ph_filter_word(hash)] |=
			ph_filter_bits(hash);
	return 0;
}

/*
 * Of any task. One that ends meanwhile takes its entry of the mirror away before it is there; whoever
 * gets its number next must not find it: so it is looked at once more.
 */
static __always_inline int set_label(struct task_struct *task, const struct fresh_label *value)
{
	int stored = store_label(task, value), mirrored = mirror_label(task, value);

	if (has_ended(task))
		unmirror(TASK_READ(task, pid));
	if (SETTING(ph_has_task_storage) && stored)
		let_name_tell(task);
	return SETTING(ph_has_task_storage) ? stored : mirrored;
}

static __always_inline void drop_label(struct task_struct *task)
{
	if (SETTING(ph_has_task_storage))
		bpf_task_storage_delete(&ph_labels, task);
	unmirror(TASK_READ(task, pid));
}

/* Adds the policies that a trait brings, as the layer that is being added. */
static __always_inline void add_by_trait(struct fresh_label *fresh, const struct ph_header *header,
					 const struct ph_trait *trait)
{
	const struct ph_ids *brought;

	if (!in_filter(header->slot, trait))
		return;
	brought = find_trait(header->slot, trait);
	if (brought)
		fresh->layer = add_ids(&fresh->policies, brought, fresh->layer, header->slot);
}

static __always_inline __u32 slots_of(const struct ph_header *header)
{
	const struct ph_header *next = next_header(header);
	__u32 slots = header->slot & PH_FRONT_SLOT;

	return next ? slots | SLOT_HAS_NEXT | (next->slot & PH_FRONT_SLOT) * SLOT_NEXT : slots;
}

/* Of a label of which these are left: one that was too full is empty when none is, unless it was shut in. */
static __always_inline __u64 count_that_lasts(const struct ph_label *had, const struct ph_ids *left)
{
	__u64 none = ph_mask_equal(left->count, 0);

	return had->policies.count & ~(none & ph_mask_equal(had->own & PH_OWN_SHUT_IN, 0));
}

/* Those of a label that still hold, now or when the deadline has passed. */
static __always_inline void keep_known(struct fresh_label *fresh, const struct ph_label *label,
				       const struct ph_header *header, __u8 without)
{
	fresh->own |= label->own;
	add_known(&fresh->policies, &label->policies, slots_of(header), without);
	mark_overfull(&fresh->policies, count_that_lasts(label, &fresh->policies));
	mark_overfull(&fresh->policies, fresh->policies.count);
}

/* What a name brings, likewise. */
static __always_inline void add_sticky(struct fresh_label *fresh, const struct ph_header *header,
				       const struct ph_trait *name)
{
	const struct ph_header *next = next_header(header);

	add_by_trait(fresh, header, name);
	if (next)
		add_by_trait(fresh, next, name);
}

/* Whether it may bring anything: all do while there are two tables to ask. */
static __always_inline bool may_bring(const struct ph_header *header, const struct ph_trait *name)
{
	return header->deadline || in_filter(header->slot, name);
}

/* Of the generation that is in force, and of that which will be. */
static __always_inline __u32 features_of(const struct ph_header *header)
{
	const struct ph_header *next = next_header(header);

	return header->features | (next ? next->features : 0);
}

/* Whether one of these asks for it. */
static __always_inline bool asks_for(const struct ph_header *header, __u32 feature)
{
	return features_of(header) & feature;
}

/*
 * Stores the label that was made anew of `old`, or of none. Nonzero: it could not be stored. What a task has
 * taken by an act of its own is kept where only its uid or its cgroup confines it: there may come a policy
 * for it.
 */
static __always_inline int renew_label(struct task_struct *task, const struct ph_label *old,
				       const struct fresh_label *fresh)
{
	if (fresh->policies.count || fresh->own)
		return set_label(task, fresh);
	if (old)
		drop_label(task);
	return 0;
}

/* --- A first look */

enum {
	GLANCE_SETTLED = 1 << 6, /* WHO_SETTLED; no bit of ph_front.current */
};

/*
 * What a glance at the caller, or at the label of a socket, found. Without ids it found that there is
 * more to be asked: identify() does.
 */
struct glance {
	__u64 front; /* what is in force; and, of a socket, GLANCE_SETTLED */
	struct ph_ids *ids; /* all that confines, in a label or a place */
};

/* They follow the ids, in labels and in places. NULL: there are none. */
static __always_inline struct ph_memos *memos_of(struct ph_ids *ids)
{
	return ids ? (struct ph_memos *)(ids + 1) : NULL;
}

/*
 * The credentials that a task has, not those that are laid on it for a call: a ring may keep some of before.
 * The threads that a ring has in a process count as the process. Before there were such, threads of the
 * kernel served it, with the owner's credentials laid on.
 */
static __always_inline const struct cred *creds_of_old(struct task_struct *task)
{
	__u64 own =
		ph_mask_equal(TASK_READ(task, flags) & TASK_OF_KERNEL, 0); /* without a branch */

	return (void *)((own & (__u64)BPF_CORE_READ(task, real_cred)) |
			(~own & (__u64)BPF_CORE_READ(task, cred)));
}

static __always_inline const struct cred *creds_of(struct task_struct *task)
{
	if (!SETTING(ph_has_task_btf))
		return creds_of_old(task);
	if (TASK_READ(task, flags) & TASK_OF_RING)
		task = TASK_READ(task, group_leader);
	return BPF_CORE_READ(task, real_cred);
}

static __always_inline __u32 uid_by_creds(struct task_struct *task)
{
	return BPF_CORE_READ(creds_of(task), uid.val);
}

/* The namespace's address; 0: it is the first. */
static __always_inline __u64 namespace_by_creds(struct task_struct *task)
{
	const struct user_namespace *namespace = BPF_CORE_READ(creds_of(task), user_ns);

	return BPF_CORE_READ(namespace, level) ? (__u64) namespace : 0;
}

PH_FUNCTION __u32 uid_of_ring(void)
{
	return uid_by_creds(current_task());
}

PH_FUNCTION __u64 namespace_of_ring(void)
{
	return namespace_by_creds(current_task());
}

static __always_inline __u32 uid_of_caller(struct task_struct *task)
{
	if (!SETTING(ph_has_task_btf))
		return uid_by_creds(task);
	return task->flags & TASK_OF_RING ? uid_of_ring() : task->real_cred->uid.val;
}

/* The user namespace of the calling task, unless it is the first; a number. */
static __always_inline __u64 namespace_of_caller(struct task_struct *task)
{
	const struct user_namespace *namespace;

	if (!SETTING(ph_has_task_btf))
		return namespace_by_creds(task);
	if (task->flags & TASK_OF_RING)
		return namespace_of_ring();
	namespace = task->real_cred->user_ns;
	return namespace->level ? (__u64) namespace : 0;
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

/* Whether the task's uid or its cgroup may bring a policy. Who owns its user namespace counts as well. */
PH_SUBPROGRAM bool may_be_brought_live(__u64 front, struct task_struct *task)
{
	struct ph_trait uid;

	if (front & PH_FRONT_UID) {
		uid = ph_trait(PH_TRAIT_UID, uid_of_caller(task));
		if (in_filter(slot_of(front), &uid) || namespace_of_caller(task))
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

/* Whether it is: the filter lets others through as well. */
static __always_inline bool matches_by_name(ph_tables slot, struct task_struct *task)
{
	struct ph_trait name;

	read_name(&name, task);
	return in_filter(slot, &name) && find_trait(slot, &name);
}

/* A thread begins with the name of another of its process: that was no act. */
static __always_inline bool has_name_of_its_own(struct task_struct *task)
{
	struct task_struct *leader = TASK_READ(task, group_leader);
	struct ph_trait name, of_leader;

	read_name(&name, task);
	read_name(&of_leader, leader);
	return (name.word[0] ^ of_leader.word[0]) | (name.word[1] ^ of_leader.word[1]) |
	       ph_mask_equal(TASK_READ(task, pid), TASK_READ(task, tgid));
}

/*
 * Whether the name of a task, unless its label knows what that brings, was taken when nobody saw it. Kernels without
 * such functions leave out no program.
 */
static __always_inline bool may_be_unseen(struct task_struct *task, const struct ph_header *header)
{
	return SETTING(ph_has_functions) && header->features & PH_FEATURE_LABELLED &&
	       has_name_of_its_own(task);
}

/*
 * The calling task as far as a glance asks for it, read before anything is asked: where a pointer is read by its
 * type, the verifier looks through all types of the kernel, on each way that leads there.
 */
struct caller {
	struct task_struct *task, *leader;
	__u64 labelled; /* 0: the leader has no label */
};

static __always_inline struct task_struct *leader_of_current(struct task_struct *task)
{
	__u64 pid_tgid;

	if (SETTING(ph_has_task_btf))
		return task->group_leader;
	pid_tgid = bpf_get_current_pid_tgid();
	return (__u32)pid_tgid == pid_tgid >> 32 ? task : BPF_CORE_READ(task, group_leader);
}

static __always_inline void look_for_caller(struct caller *caller, struct task_struct *task)
{
	caller->task = task;
	caller->leader = leader_of_current(task);
	caller->labelled = SETTING(ph_has_task_storage) ? has_storage(caller->leader) : 0;
}

/* The ids of thread and process need no look into the task, where that has to be probed for. */
static __always_inline struct ph_label *glance_at_label(const struct caller *caller, bool leader)
{
	struct task_struct *task = leader ? caller->leader : caller->task;
	struct ph_label *label;
	__u64 pid_tgid;

	if (SETTING(ph_has_task_storage))
		return (leader ? caller->labelled : has_storage(task)) ? stored_label(task) : NULL;
	pid_tgid = bpf_get_current_pid_tgid();
	label = mirrored_at(leader ? pid_tgid >> 32 : pid_tgid);
	return label && !is_of_another(label, task) ? label : NULL;
}

/*
 * Whether the name of a thread may bring what its leader's does not. What a label of the leader's is worth
 * that is not of this generation is for the caller to see.
 */
static __always_inline bool may_add_by_name(struct task_struct *task, struct task_struct *leader,
					    ph_tables slot)
{
	struct ph_trait name, of_leader;

	read_name(&name, task);
	if (!in_filter(slot, &name))
		return false;
	read_name(&of_leader, leader);
	return (name.word[0] ^ of_leader.word[0]) | (name.word[1] ^ of_leader.word[1]);
}

/* Whether a thread has what its leader has, and nothing else: what is remembered of one holds of both. */
static __always_inline bool adds_nothing(const struct ph_label *label,
					 const struct ph_label *of_leader)
{
	return of_leader && label->generation == of_leader->generation &&
	       are_held_alike(&label->policies, &of_leader->policies);
}

/*
 * Whether a thread's own label or its name may confine it further than its leader is. Kernels without such
 * functions would follow too much of what comes after.
 */
static __always_inline bool may_add(const struct caller *caller, const struct ph_label *of_leader,
				    __u64 front)
{
	const struct ph_label *label = glance_at_label(caller, false);
	__u64 may = label && !(SETTING(ph_has_functions) && adds_nothing(label, of_leader));

	return hide(may || may_add_by_name(caller->task, caller->leader, slot_of(front)), front);
}

static __always_inline bool glance_at_names(struct glance *seen, const struct caller *caller)
{
	struct ph_label *label = glance_at_label(caller, true);

	if (caller->task != caller->leader && may_add(caller, label, seen->front))
		return true;
	if (!label)
		return may_match(slot_of(seen->front), caller->leader);
	if (label->generation == (__u32)generation_of(seen->front))
		seen->ids = &label->policies;
	return true;
}

/* Whether the label tells of acts alone, and that the names bring nothing. */
static __always_inline bool has_acts_alone(const struct glance *seen)
{
	return seen->ids && !seen->ids->count;
}

/* What confines the calling task, if its uid or its cgroup does and nothing else; NULL: more may. */
PH_SUBPROGRAM struct ph_ids *brought_alone(__u64 front, struct task_struct *task)
{
	struct ph_ids *by_uid = NULL, *by_cgroup = NULL;
	struct glance seen = { .front = front };
	struct caller caller;
	__u64 cgroup;

	look_for_caller(&caller, task);
	if (glance_at_names(&seen, &caller) && !has_acts_alone(&seen))
		return NULL;
	if (front & PH_FRONT_UID) {
		if (namespace_of_caller(task))
			return NULL;
		by_uid = brought_by_uid(slot_of(front), uid_of_caller(task));
	}
	cgroup = bpf_get_current_cgroup_id();
	if (front & PH_FRONT_CGROUP && *(volatile __u8 *)place_mark(slot_of(front), cgroup)) {
		by_cgroup = find_place(slot_of(front), cgroup);
		/* With the mark alone it is one that found no room, or looks like one that brings. */
		if (!by_cgroup || by_uid)
			return NULL;
	}
	return by_uid ? by_uid : by_cgroup;
}

/* False: no policy confines the calling task. */
static __always_inline bool glance(struct glance *seen)
{
	__u64 front = *(volatile __u64 *)&ph_front.current;
	struct caller caller;

	look_for_caller(&caller, current_task());
	seen->ids = NULL;
	if (front & PH_FRONT_MIND) {
		front = front_after(front);
		seen->front = front;
		if (may_be_brought_live(front, caller.task)) {
			seen->ids = brought_alone(front, caller.task);
			return true;
		}
	}
	if (!front)
		return false;
	seen->front = front;
	/* Twice the same, so that clang knows in each what the setting is. */
	if (SETTING(ph_has_task_btf))
		return glance_at_names(seen, &caller);
	return glance_at_names(seen, &caller);
}

/* The same of a labelled socket; also false if it is exempt. */
static __always_inline bool glance_at_socket(struct glance *seen, struct ph_sock_label *label)
{
	__u64 front;

	if (!label->policies.count || label->past.flags & PH_SOCK_EXEMPT)
		return false;
	front = front_in_force();
	seen->front = front | GLANCE_SETTLED;
	seen->ids = &label->policies;
	return front;
}

/* --- What is asked anew at each call */

/* As add_ids(). */
static __always_inline __u32 add_brought(struct who *who, const struct ph_ids *brought, __u32 layer)
{
	return brought ? add_ids(&who->policies, brought, layer, slot_of_who(who)) : layer;
}

/*
 * The uid of whoever made the outermost of the user namespaces that this one is in: as another's uid in
 * what a user made, a task is still that user's. In the first namespace it is the uid itself.
 */
PH_FUNCTION __u32 owner_of(__u64 namespace, __u32 uid)
{
	const struct user_namespace *at = (const struct user_namespace *)namespace, *above;

	if (!BPF_CORE_READ(at, level))
		return uid;
	for (__u32 i = 0; i < NAMESPACES_MAX; i++) {
		above = BPF_CORE_READ(at, parent);
		if (!above || !BPF_CORE_READ(above, level))
			break;
		at = above;
	}
	return BPF_CORE_READ(at, owner.val);
}

/* Newer kernels keep pointers to the cgroups above, others their ids. */
struct cgroup___ids {
	__u64 ancestor_ids[1];
} __attribute__((preserve_access_index));

struct cgroup___pointers {
	struct cgroup *ancestors[1];
} __attribute__((preserve_access_index));

/* The id of the cgroup at this level above one; 0: there is none. */
static __always_inline __u64 id_above(struct cgroup *cgroup, __u32 level)
{
	void *at = cgroup;
	struct cgroup *above = NULL;
	__u64 id = 0;

	if (bpf_core_field_exists(struct cgroup___pointers, ancestors)) {
		at += bpf_core_field_offset(struct cgroup___pointers, ancestors);
		bpf_probe_read_kernel(&above, sizeof(above), at + level * sizeof(above));
		return above ? BPF_CORE_READ(above, kn, id) : 0;
	}
	at += bpf_core_field_offset(struct cgroup___ids, ancestor_ids);
	bpf_probe_read_kernel(&id, sizeof(id), at + level * sizeof(id));
	return id;
}

static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, cgroups, dfl_cgrp);
}

/*
 * The id of a cgroup. One that found no room in the tables is where the nearest one above it is that did:
 * policies name none that lies deeper than PH_CGROUP_DEPTH.
 */
PH_FUNCTION __u64 find_known_cgroup(__u64 address)
{
	struct cgroup *cgroup = (struct cgroup *)address;
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	__u32 level = BPF_CORE_READ(cgroup, level);

	if (bpf_map_lookup_elem(&ph_cgroups, &id))
		return id;
	for (__u32 i = 0; i <= PH_CGROUP_DEPTH; i++) {
		__u32 at = PH_CGROUP_DEPTH - i;

		if (at > level)
			continue;
		id = id_above(cgroup, at);
		if (bpf_map_lookup_elem(&ph_cgroups, &id))
			return id;
	}
	return 0;
}

static __always_inline void look_at_cgroup(struct who *who, struct task_struct *task)
{
	who->cgroup = find_known_cgroup((__u64)cgroup_of(task));
}

static __always_inline void look_at_uid(struct who *who, struct task_struct *task)
{
	const struct cred *cred = creds_of(task);

	who->uid = BPF_CORE_READ(cred, uid.val);
	who->owner = owner_of((__u64)BPF_CORE_READ(cred, user_ns), who->uid);
}

/* What is asked of a task, be it the calling one or another. */
static __always_inline void look_at(struct who *who, struct task_struct *task)
{
	if (has_feature(who, PH_FEATURE_UID))
		look_at_uid(who, task);
	if (has_feature(who, PH_FEATURE_CGROUP))
		look_at_cgroup(who, task);
}

/* With a stack of its own. */
PH_FUNCTION int look_at_caller(struct who *who)
{
	if (who)
		look_at(who, current_task());
	return 0;
}

static __always_inline void add_by_uid(struct who *who, __u32 layer)
{
	if (!has_feature(who, PH_FEATURE_BY_UID))
		return;
	layer = add_brought(who, brought_by_uid(slot_of_who(who), who->uid), layer);
	if (who->owner != who->uid)
		add_brought(who, brought_by_uid(slot_of_who(who), who->owner), layer);
}

static __always_inline void add_by_cgroup(struct who *who, __u32 layer)
{
	if (has_feature(who, PH_FEATURE_BY_CGROUP))
		add_brought(who, brought_by_cgroup(slot_of_who(who), who->cgroup), layer);
}

/* This layer, or the base. Without a branch. */
static __always_inline __u32 layer_if(__u64 own, __u32 layer)
{
	return layer & ~ph_mask_equal(own, 0);
}

/* In the base, unless the task went there itself. */
static __always_inline void add_live(struct who *who)
{
	add_by_uid(who, layer_if(who->own & PH_OWN_UID, PH_LAYER_UID));
	add_by_cgroup(who, layer_if(who->own & PH_OWN_CGROUP, PH_LAYER_CGROUP));
}

static __always_inline void enter_generation(struct who *who, const struct ph_header *header)
{
	__u64 unknown = header->generation;

	who->generation = unknown;
	who->features = header->features | (header->slot & PH_FRONT_SLOT) << WHO_SLOT;
	who->cgroup = hide(0, unknown);
	who->owner = hide(0, unknown);
	who->uid = hide(0, unknown);
	who->label.layer = hide(0, unknown);
	who->own = hide(0, unknown);
}

/* Adds what the live name of a task matches. */
PH_SUBPROGRAM int add_by_name(struct who *who, struct task_struct *task, __u32 layer)
{
	const struct ph_ids *brought;
	struct ph_trait name;

	read_name(&name, task);
	if (!in_filter(slot_of_who(who), &name))
		return 0;
	brought = find_trait(slot_of_who(who), &name);
	if (brought)
		add_ids(&who->policies, brought, layer, slot_of_who(who));
	return 0;
}

/*
 * What the label of a task and, unless that tells all, its name bring. The name of a thread without a
 * label in a process that has one would have brought the thread a label: it counts as its own act. So does
 * every name that is in no label after all have been labelled: it was taken, and nobody saw it.
 */
static __always_inline void add_by_task(struct who *who, struct task_struct *task)
{
	struct ph_label *label = label_of(task);
	__u64 own = who->policies.count;

	if (label) {
		merge_ids(&who->policies, &label->policies, slot_of_who(who));
		who->own |= label->own;
		if (label->generation == who->generation)
			return;
		own = label->own & PH_OWN_NAME;
	}
	own |= who->features & PH_FEATURE_LABELLED;
	add_by_name(who, task, layer_if(own, PH_LAYER_NEW));
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
	look_at_caller(who);
	add_by_task(who, leader);
	if (task != leader)
		add_by_task(who, task);
	add_live(who);
	return who->policies.count;
}

/* Whether a task in this cgroup is in that of the grant, or below; one of unknown path may be. */
static __always_inline bool in_cgroup(const struct ph_cgroup *cgroup, const struct ph_grant *grant)
{
	__u32 level = grant->cgroup_level;

	return level > PH_CGROUP_DEPTH || cgroup->hash[level] == grant->cgroup;
}

/* Without a branch, of which the verifier would follow both sides for each level. */
static __always_inline bool in_unit(const struct ph_cgroup *cgroup, const struct ph_grant *grant)
{
	__u64 all_differ = ~0ull;

	for (__u32 i = PH_CGROUP_DEPTH + 1; i < 2 * (PH_CGROUP_DEPTH + 1); i++) {
		__u64 differ = cgroup->hash[i] ^ grant->unit;

		all_differ &= differ | -differ;
	}
	return !(all_differ >> 63);
}

/* The conditions that are tested at each call. */
static __always_inline bool in_scope(const struct who *who, const struct ph_grant *grant, bool held)
{
	__u64 id = who->cgroup; /* on the stack, where kernels before 6.2 want a key */
	struct ph_cgroup *cgroup;

	if (has_feature(who, WHO_SETTLED) || held)
		return true;
	if (grant->flags & PH_GRANT_UID &&
	    !(ph_mask_equal(grant->uid, who->uid) | ph_mask_equal(grant->uid, who->owner)))
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

enum {
	WITHOUT_WATCHING = 1 << 7, /* those that only watch; no flag of a grant */
};

/* Whether the policy at this place among those of a task confines it now, but for those `without`. */
static __always_inline bool is_in_scope(const struct who *who, __u32 i, __u8 without)
{
	const struct ph_grant *grant = find_grant(slot_of_who(who), who->policies.id[i]);

	if (!grant || (without & WITHOUT_WATCHING && grant->mode == PH_MODE_AUDIT))
		return false;
	return !(grant->flags & without) && in_scope(who, grant, who->policies.held >> i & 1);
}

/* The policies of the caller whose conditions hold now: what a socket it makes is labelled with. */
PH_FUNCTION int add_scoped(struct ph_ids *ids, const struct who *who)
{
	ph_layer_map map = 0;

	if (!ids || !who)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = is_in_scope(who, i, 0) ? who->policies.id[i] : 0;

		id = hide(id, who->generation);
		map = carry_id(ids, id, ph_layer_at(&who->policies, i), who->policies.held >> i & 1,
			       map);
	}
	mark_overfull(ids, who->policies.count);
	return ids->count;
}

/* How many there are, but for those whose grant has a flag of `without`, or WITHOUT_WATCHING. */
PH_FUNCTION int count_scoped(const struct who *who, __u8 without)
{
	__u64 count = 0;

	if (!who)
		return 0;
	if (who->policies.count > PH_LABEL_MAX)
		return who->policies.count;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		count = hide(count + is_in_scope(who, i, without), who->generation);
	return count;
}

#endif
