// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/places.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/decide.h"
#include "kernel/features.h"
#include "kernel/front.h"
#include "util/cleanup.h"

DEFINE_CLEANUP(struct ph_front *, front_close);

void cgroup_describe(const char *path, struct ph_cgroup *ret)
{
	uint64_t hash = PH_HASH_START;

	*ret = (struct ph_cgroup){ .ready = 1, .hash[0] = hash };
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		uint64_t component = component_hash(path, len), unit = component;

		if (*path == '_')
			unit = component_hash(path + 1, len - 1);
		hash = ph_hash_word(hash, component);
		path += len;
		if (++ret->levels > PH_CGROUP_DEPTH) {
			ret->hash[PH_CGROUP_DEPTH + 1] = unit;
			continue;
		}
		ret->hash[ret->levels] = hash;
		ret->hash[PH_CGROUP_DEPTH + 1 + ret->levels] = unit;
	}
}

void cgroup_brings(const struct ph_image *image, const struct ph_cgroup *cgroup, struct ph_ids *ret)
{
	*ret = (struct ph_ids){};
	if (!(image->header.features & PH_FEATURE_BY_CGROUP))
		return;
	for (unsigned i = 0; i <= PH_CGROUP_DEPTH; i++) {
		struct ph_trait path = ph_trait(PH_TRAIT_CGROUP, cgroup->hash[i]);
		struct ph_trait unit =
			ph_trait(PH_TRAIT_UNIT, cgroup->hash[PH_CGROUP_DEPTH + 1 + i]);

		image_add_trait(image, ret, &path);
		image_add_trait(image, ret, &unit);
	}
}

struct telling {
	const struct ph_kernel *kernel;
	const struct ph_image *image;
	int places; /* the place table of the image's slot */
	struct ph_front *front;
	struct ph_filter *filter; /* of the image's slot */
};

/*
 * What is there as it should be stays: a call may be writing to its memos, and what is replaced may
 * become another's at once.
 */
static int put(const struct telling *telling, __u64 key, const struct ph_ids *brought)
{
	struct ph_brought place = { .policies = *brought }, there;

	if (!bpf_map_lookup_elem(telling->places, &key, &there) &&
	    !memcmp(&there.policies, brought, sizeof(*brought)))
		return 0;
	return bpf_map_update_elem(telling->places, &key, &place, BPF_ANY) ? -errno : 0;
}

/* Of a path that goes deeper than hashes do: what its other components bring as units, but for the last. */
static void add_deep_units(const struct ph_image *image, const char *path, struct ph_ids *ids)
{
	unsigned level = 0;

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		bool prefixed = *path == '_';
		struct ph_trait unit =
			ph_trait(PH_TRAIT_UNIT, component_hash(path + prefixed, len - prefixed));

		path += len;
		if (++level > PH_CGROUP_DEPTH && *path)
			image_add_trait(image, ids, &unit);
	}
}

static void mark_place(const struct telling *telling, __u64 id)
{
	__atomic_store_n(&telling->filter->place[id % PH_FILTER_PLACES], 1, __ATOMIC_RELEASE);
}

static bool is_entered(const struct telling *telling, __u64 id)
{
	struct ph_cgroup there;

	return !bpf_map_lookup_elem(telling->kernel->map[PH_MAP_CGROUPS], &id, &there) &&
	       there.ready;
}

/* Its removal before it was entered was not seen to be that of an entry. */
static void leave_unless_there(const struct telling *telling, const FTSENT *entry, bool delegated)
{
	__u64 id = entry->fts_statp->st_ino;
	struct stat now;

	if (!stat(entry->fts_path, &now) && now.st_ino == id)
		return;
	if (!bpf_map_delete_elem(telling->kernel->map[PH_MAP_CGROUPS], &id))
		__atomic_fetch_sub(&telling->front->delegated, delegated, __ATOMIC_RELAXED);
}

/*
 * As the kernel programs do it for cgroups that are made from now on: admits_cgroup() of bpf/cgroups.bpf.h.
 * What they have entered stays. 0, -E2BIG: there is no room, or another errno.
 */
static int enter_cgroup(const struct telling *telling, const FTSENT *entry,
			struct ph_cgroup *cgroup)
{
	__u64 id = entry->fts_statp->st_ino, *count = &telling->front->delegated;
	bool delegated = entry->fts_statp->st_uid != 0;

	if (is_entered(telling, id))
		return 0;
	if (delegated && __atomic_load_n(count, __ATOMIC_RELAXED) >= PH_DELEGATED_MAX)
		return -E2BIG;
	cgroup->delegated = delegated;
	__atomic_fetch_add(count, delegated, __ATOMIC_RELAXED);
	if (bpf_map_update_elem(telling->kernel->map[PH_MAP_CGROUPS], &id, cgroup, BPF_ANY)) {
		__atomic_fetch_sub(count, delegated, __ATOMIC_RELAXED);
		return -errno;
	}
	leave_unless_there(telling, entry, delegated);
	return 0;
}

static int tell_cgroup(const struct telling *telling, const FTSENT *entry, const char *path)
{
	__u64 id = entry->fts_statp->st_ino;
	struct ph_cgroup cgroup;
	struct ph_ids brought;
	int r;

	cgroup_describe(path, &cgroup);
	r = enter_cgroup(telling, entry, &cgroup);
	if (r && r != -E2BIG)
		return r;
	if (r) {
		/* Found no room: the kernel looks for the nearest above it at each call. */
		mark_place(telling, id);
		return 0;
	}
	cgroup_brings(telling->image, &cgroup, &brought);
	if (cgroup.levels > PH_CGROUP_DEPTH)
		add_deep_units(telling->image, path, &brought);
	if (!brought.count)
		return 0;
	r = put(telling, id, &brought);
	if (r)
		return r;
	mark_place(telling, id);
	return 0;
}

/* The id of a cgroup is the inode number of its directory. */
static int tell_cgroups(const struct telling *telling)
{
	char root[PATH_MAX], *const roots[] = { root, NULL };
	int r = cgroup_root_find(root, sizeof(root));
	FTS *tree;

	if (r)
		return r;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	if (!tree)
		return -errno;
	for (FTSENT *entry; !r && (entry = fts_read(tree));)
		if (entry->fts_info == FTS_D)
			r = tell_cgroup(telling, entry, entry->fts_path + strlen(root));
	(void)fts_close(tree);
	return r;
}

static int tell_users(const struct telling *telling)
{
	const struct ph_image *image = telling->image;

	int r = 0;

	for (size_t i = 0; !r && i < image->n_traits; i++) {
		const struct ph_trait *trait = &image->traits[i].key;

		if (trait->word[1] >> 56 == PH_TRAIT_UID)
			r = put(telling, PH_PLACE_UID | trait->word[0], &image->traits[i].value);
	}
	return r;
}

int places_tell(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot)
{
	struct telling telling = { .kernel = kernel, .image = image };
	cleanup_close int places = kernel_table(kernel, PH_MAP_PLACES, slot);
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	int r = 0;

	if (places < 0)
		return places;
	if (!front)
		return -errno;
	telling.places = places;
	telling.front = front;
	telling.filter = &front->filter[slot];
	if (image->header.features & PH_FEATURE_BY_UID)
		r = tell_users(&telling);
	if (!r && image->header.features & PH_FEATURE_CGROUP)
		r = tell_cgroups(&telling);
	return r;
}
