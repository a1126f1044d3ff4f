/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CGROUPS_BPF_H
#define PH_CGROUPS_BPF_H

/*
 * The paths of cgroups, by name: an id would end with the cgroup, and enforcement with it. The names
 * on the way to the root are hashed when a cgroup is made, and kept under its id, which the kernel
 * does not use again.
 */
#include "identity.bpf.h"
#include "paths.bpf.h"

enum {
	CGROUP_STEPS = 24, /* to the root, where the cgroup above is not known */
};

static const struct ph_cgroup unknown_cgroup;

/* Cgroups of version 1 have ids of their own, and are nobody's match. */
static __always_inline bool is_cgroup2(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, root, hierarchy_id) == 0;
}

/* The hashes of a component as it is, and as a unit is called. */
static __always_inline void hash_level(struct ph_cgroup *entry, __u32 level, const char *name)
{
	char first = 0;

	if (level > PH_CGROUP_DEPTH)
		return;
	bpf_probe_read_kernel(&first, sizeof(first), name);
	entry->hash[level] = hash_component((__u64)name);
	entry->hash[PH_CGROUP_DEPTH + 1 + level] = entry->hash[level];
	if (first == '_')
		entry->hash[PH_CGROUP_DEPTH + 1 + level] = hash_component((__u64)name + 1);
}

/*
 * Fills in the path, from the cgroup upwards. One so deep that the root is not reached stays unknown, and
 * is looked for at each call.
 */
PH_SUBPROGRAM int hash_path(struct ph_cgroup *entry, struct cgroup *cgroup)
{
	__u64 path = PH_HASH_START;
	__u32 level = 1;

	if (!entry)
		return 0;
	entry->levels = BPF_CORE_READ(cgroup, level);
	for (__u32 i = 0; i < CGROUP_STEPS; i++) {
		level = BPF_CORE_READ(cgroup, level);
		if (level == 0)
			break;
		hash_level(entry, level, BPF_CORE_READ(cgroup, kn, name));
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	if (level)
		return 0;
	entry->hash[0] = path;
	for (__u32 i = 1; i <= PH_CGROUP_DEPTH; i++) {
		path = ph_hash_word(path, entry->hash[i]);
		entry->hash[i] = i <= entry->levels ? path : 0;
	}
	*(volatile __u16 *)&entry->ready = 1;
	return 0;
}

/*
 * Of a cgroup that lies deeper than PH_CGROUP_DEPTH its own name alone is kept, as a unit is called, where
 * no level has one.
 */
static __always_inline void hash_deep(struct ph_cgroup *entry, const char *name)
{
	char first = 0;

	bpf_probe_read_kernel(&first, sizeof(first), name);
	entry->hash[PH_CGROUP_DEPTH + 1] = hash_component((__u64)name + (first == '_'));
}

/* Below a cgroup that is known: its path goes on. No policy names a path that goes deeper than this. */
PH_FUNCTION int extend_path(struct ph_cgroup *entry, const struct ph_cgroup *above, __u64 name)
{
	__u64 path;
	__u32 level;

	if (!entry || !above || !above->ready)
		return 0;
	*entry = *above;
	level = above->levels + 1;
	entry->levels = level;
	if (level > PH_CGROUP_DEPTH) {
		hash_deep(entry, (const char *)name);
		return 1;
	}
	barrier_var(level);
	level &= PH_CGROUP_DEPTH; /* for the verifier */
	path = above->hash[(level - 1) & PH_CGROUP_DEPTH];
	hash_level(entry, level, (const char *)name);
	entry->hash[level] = ph_hash_word(path, entry->hash[level]);
	return 1;
}

/* Made by somebody to whom a part of the hierarchy was given. */
static __always_inline bool is_made_by_user(void)
{
	return BPF_CORE_READ(current_task(), cred, fsuid.val) != 0;
}

/*
 * Whether there is room. Whoever has a part of the hierarchy makes as many cgroups there as he likes: what he
 * leaves is for those of root, which the policies name.
 */
static __always_inline bool admits_cgroup(bool delegated)
{
	return !delegated || *(volatile __u64 *)&ph_front.delegated < PH_DELEGATED_MAX;
}

/* Says of a new entry that it counts. */
static __always_inline void count_cgroup(struct ph_cgroup *entry, bool delegated)
{
	entry->delegated = delegated;
	if (delegated)
		__sync_fetch_and_add(&ph_front.delegated, 1);
}

/* User space may take it out as well: whoever does has it to count. */
static __always_inline void forget_cgroup(__u64 id)
{
	const struct ph_cgroup *entry = bpf_map_lookup_elem(&ph_cgroups, &id);
	bool delegated = entry && entry->delegated;

	if (!bpf_map_delete_elem(&ph_cgroups, &id) && delegated)
		__sync_fetch_and_add(&ph_front.delegated, -1);
}

/* Whoever is in it is looked at with care: it brings what the nearest known cgroup above it does. */
static __always_inline void lose_cgroup(__u64 id)
{
	count_health(PH_HEALTH_CGROUP_LOST);
	forget_cgroup(id);
	*(volatile __u8 *)place_mark(0, id) = 1;
	*(volatile __u8 *)place_mark(1, id) = 1;
}

/* The first half are paths, the second names. */
static __always_inline struct ph_trait trait_of_hash(const struct ph_cgroup *cgroup, __u32 i)
{
	return ph_trait(PH_TRAIT_CGROUP + i / (PH_CGROUP_DEPTH + 1),
			cgroup->hash[i & (2 * (PH_CGROUP_DEPTH + 1) - 1)]);
}

/*
 * Of what is brought those that only watch, or the others. Where functions are verified with their callers
 * that costs too much: there, those that only watch are like the others, as in crowd_out().
 */
PH_FUNCTION int append_brought(struct ph_ids *ids, const struct ph_ids *brought, ph_tables slot,
			       bool watching)
{
	if (!ids || !brought)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 watches = SETTING(ph_has_functions) && only_watches(slot, brought->id[i]);

		watches = hide(watches, slot);
		add_id(ids, brought->id[i] & ph_mask_equal(watches, watching), PH_LAYER_BASE, 0);
	}
	mark_overfull(ids, brought->count);
	return 0;
}

enum {
	TRAITS = 2 * (PH_CGROUP_DEPTH + 1), /* of a cgroup; what is above it comes after them */
};

/* What the cgroup brings by itself, and, of one that lies deeper than paths go, what is above it does. */
static __always_inline void append_all(struct ph_ids *ids, const struct ph_cgroup *cgroup,
				       __u64 above, ph_tables slot, bool watching)
{
	void *traits = bpf_map_lookup_elem(&ph_traits, &slot);
	__u64 deep = hide(cgroup->levels > PH_CGROUP_DEPTH, above);

	for (__u32 i = 0; traits && i <= TRAITS; i++) {
		struct ph_trait trait = trait_of_hash(cgroup, i);
		const struct ph_ids *brought = NULL;

		if (i == TRAITS)
			brought = deep ? find_place(slot, above) : NULL;
		else if (!deep || i == PH_CGROUP_DEPTH + 1) /* its own name */
			brought = bpf_map_lookup_elem(traits, &trait);
		if (brought)
			append_brought(ids, brought, slot, watching);
	}
}

/* Those that only watch come last, and may be left out: too many are only those that do more. */
static __always_inline void fill_place(struct ph_ids *ids, const struct ph_cgroup *cgroup,
				       __u64 above, ph_tables slot)
{
	append_all(ids, cgroup, above, slot, false);
	if (ids->count > PH_LABEL_MAX) {
		ids->count = PH_OVERFULL;
		return;
	}
	if (!SETTING(ph_has_functions))
		return;
	append_all(ids, cgroup, above, slot, true);
	if (ids->count <= PH_LABEL_MAX)
		return;
	count_health(PH_HEALTH_AUDIT_LOST);
	ids->count = PH_LABEL_MAX;
}

/*
 * Enters the cgroup into a place table, and marks it in the filter. Nobody is in it yet. One that lies
 * deeper than paths go brings what the one above it does, and what its own name does.
 */
PH_FUNCTION int place_cgroup(__u64 id, const struct ph_cgroup *cgroup, ph_tables slot, __u64 above)
{
	const struct ph_brought none = {};
	struct ph_ids *ids;
	void *places;

	if (!cgroup)
		return 0;
	places = bpf_map_lookup_elem(&ph_places, &slot);
	if (!places)
		return 0;
	bpf_map_update_elem(places, &id, &none, PH_ANY);
	ids = find_place(slot, id);
	if (!ids) {
		lose_cgroup(id);
		return 0;
	}
	fill_place(ids, cgroup, above, slot);
	if (ids->count)
		*(volatile __u8 *)place_mark(slot, id) = 1;
	else
		bpf_map_delete_elem(places, &id);
	return 0;
}

/* Where the generation, if there is one, asks for cgroups. */
static __always_inline void place_for(__u64 id, const struct ph_cgroup *cgroup,
				      const struct ph_header *header, __u64 above)
{
	if (header && header->features & PH_FEATURE_BY_CGROUP)
		place_cgroup(id, cgroup, header->slot, above);
}

static __always_inline void unplace_cgroup(ph_tables slot, __u64 id)
{
	void *places = bpf_map_lookup_elem(&ph_places, &slot);

	if (places)
		bpf_map_delete_elem(places, &id);
}

#endif
