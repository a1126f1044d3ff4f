// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpffs.h"
#include "util/cleanup.h"

#define STATE_SIZE_MAX 65536 /* of any version */

static const struct {
	const char *name;
	__u32 key_size;
	__u32 value_size;
} layouts[PH_MAPS] = {
	[PH_MAP_FRONT] = { "ph_front", 4, sizeof(struct ph_front) },
	[PH_MAP_TRAITS] = { "ph_traits", 4, 4 },
	[PH_MAP_PLACES] = { "ph_places", 4, 4 },
	[PH_MAP_FILES] = { "ph_files", 4, 4 },
	[PH_MAP_INDEX] = { "ph_index", 4, 4 },
	[PH_MAP_GRANTS] = { "ph_grants", 4, 4 },
	[PH_MAP_CHUNKS] = { "ph_chunks", 4, 4 },
	[PH_MAP_PREFIXES] = { "ph_prefixes", 4, 4 },
	[PH_MAP_MIRROR] = { "ph_mirror", 4, sizeof(struct ph_label) },
	[PH_MAP_COUNTERS] = { "ph_counters", sizeof(struct ph_counter_key), 8 },
	[PH_MAP_HEALTH] = { "ph_health", 4, 8 },
	[PH_MAP_EVENTS] = { "ph_events", 4, sizeof(struct ph_event) },
	[PH_MAP_EVENT_HEAD] = { "ph_event_head", 4, sizeof(struct ph_event_head) },
	[PH_MAP_STATE] = { "ph_state", 4, sizeof(struct ph_state) },
	[PH_MAP_CGROUPS] = { "ph_cgroups", 8, sizeof(struct ph_cgroup) },
	[PH_MAP_WAKE] = { "ph_wake", 0, 0 },
	[PH_MAP_GONE] = { "ph_gone", 8, PH_PATH_LEN },
	[PH_MAP_ATTACHED] = { "ph_attached", sizeof(struct ph_attached_name),
			      sizeof(struct ph_attached) },
};

static int map_info(int fd, struct bpf_map_info *ret)
{
	__u32 size = sizeof(*ret);

	*ret = (struct bpf_map_info){};
	return bpf_obj_get_info_by_fd(fd, ret, &size) ? -errno : 0;
}

/* A descriptor or -errno. */
static int open_pin(const char *directory, const char *name)
{
	char path[PH_PATH_LEN];
	int fd;

	pin_path(path, sizeof(path), directory, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* --- Versions */

/* The state in use, whatever version's: all of it, at least as large as ours. 0 or -errno. */
static int read_in_use(int fd, char **ret)
{
	cleanup_free char *value = NULL;
	struct bpf_map_info info;
	__u32 zero = 0;
	int r = fd < 0 ? fd : map_info(fd, &info);

	if (r)
		return r;
	if (info.key_size != sizeof(zero) || info.value_size > STATE_SIZE_MAX)
		return -EPROTO;
	value = calloc(1, info.value_size + sizeof(struct ph_state));
	if (!value)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, value))
		return -errno;
	*ret = TAKE_PTR(value);
	return 0;
}

int state_peek(struct ph_state *ret)
{
	cleanup_close int fd = open_pin(PH_MAPS_DIR, layouts[PH_MAP_STATE].name);
	cleanup_free char *value = NULL;
	int r = read_in_use(fd, &value);

	if (!r)
		memcpy(ret, value, sizeof(*ret));
	return r;
}

int state_find(struct ph_state *ret, struct ph_fault *f)
{
	int r = state_peek(ret);

	if (!r)
		return 0;
	*ret = (struct ph_state){};
	if (r == -ENOENT)
		return r;
	return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read what is pinned: %s", strerror(-r));
}

int state_count(uint64_t generation)
{
	cleanup_close int fd = open_pin(PH_MAPS_DIR, layouts[PH_MAP_STATE].name);
	cleanup_free char *value = NULL;
	int r = read_in_use(fd, &value);
	__u32 zero = 0;

	if (r)
		return r == -ENOENT ? 0 : r;
	memcpy(value + offsetof(struct ph_state, generation), &generation, sizeof(generation));
	return bpf_map_update_elem(fd, &zero, value, BPF_ANY) ? -errno : 0;
}

/* The one with the programs' variables is that of struct ph_front. */
const char *map_name(const struct bpf_map *map)
{
	if (!bpf_map__is_internal(map))
		return bpf_map__name(map);
	return strstr(bpf_map__name(map), ".bss") ? layouts[PH_MAP_FRONT].name : NULL;
}

/*
 * Where the kernel did not take a map with its types, libbpf makes it without: programs that take a lock in
 * it are then refused, for as long as it is pinned.
 */
static bool has_types(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return strcmp(map_name(map), "ph_event_head") || info->btf_id;
}

bool map_fits(const struct bpf_map *map)
{
	cleanup_close int fd = open_pin(PH_MAPS_DIR, map_name(map));
	struct bpf_map_info info;

	if (fd < 0)
		return fd == -ENOENT;
	return !map_info(fd, &info) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map) && has_types(map, &info);
}

bool map_is_derived(const char *name)
{
	static const enum ph_map_id derived[] = {
		PH_MAP_FRONT,	PH_MAP_TRAITS, PH_MAP_PLACES,	PH_MAP_FILES,
		PH_MAP_INDEX,	PH_MAP_GRANTS, PH_MAP_CHUNKS,	PH_MAP_PREFIXES,
		PH_MAP_CGROUPS, PH_MAP_STATE,  PH_MAP_ATTACHED,
	};

	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		if (!strcmp(name, layouts[derived[i]].name))
			return true;
	return false;
}

bool map_is_fresh(const char *name)
{
	char path[PH_PATH_LEN];

	pin_path(path, sizeof(path), PH_FRESH_DIR, name);
	return !access(path, F_OK);
}

static int check_version(struct ph_fault *f)
{
	struct ph_state state;
	int r = state_find(&state, f);

	if (r)
		return r;
	if (state.abi > PH_ABI_VERSION)
		return fault(f, -EPROTONOSUPPORT, PH_EXIT_REFUSED,
			     "what is in force was put there by a newer porthold (its maps are of "
			     "version %u, mine of %u): use that one; nothing was changed",
			     state.abi, PH_ABI_VERSION);
	return 0;
}

static int stale(struct ph_fault *f)
{
	return fault(f, -ESTALE, PH_EXIT_IMPOSSIBLE,
		     "what is in force was put there by another porthold, and stays; "
		     "porthold apply puts this one in its place");
}

/* --- Opening */

void kernel_close(struct ph_kernel *kernel)
{
	for (int i = 0; i < PH_MAPS; i++)
		fd_close(TAKE_FD(kernel->map[i]));
}

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

/* Where the kernel was short of memory when libbpf asked whether it has such maps, there is one without. */
static bool can_be_mapped(const struct bpf_map_info *info)
{
	return info->map_flags & BPF_F_MMAPABLE;
}

/* What an apply has left that failed for it is not in force, and the next one makes another. */
static int unmapped(bool fresh, struct ph_fault *f)
{
	if (fresh)
		return fault(f, -ENOMEM, PH_EXIT_IMPOSSIBLE,
			     "the kernel made a map that cannot be mapped: %s", strerror(ENOMEM));
	return kernel_attached() ? stale(f) : -ENOENT;
}

static int open_one(enum ph_map_id id, bool fresh, struct ph_fault *f)
{
	cleanup_close int fd = -ENOENT;
	struct bpf_map_info info;
	int r;

	if (fresh)
		fd = open_pin(PH_FRESH_DIR, layouts[id].name);
	if (fd == -ENOENT)
		fd = open_pin(PH_MAPS_DIR, layouts[id].name);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return fault(f, fd, PH_EXIT_IMPOSSIBLE, "cannot open the map %s: %s",
			     layouts[id].name, strerror(-fd));
	/* Before anything is read: the kernel writes as much as the map holds. */
	r = map_info(fd, &info);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot look at the map %s: %s",
			     layouts[id].name, strerror(-r));
	if (info.key_size != layouts[id].key_size || info.value_size != layouts[id].value_size)
		return stale(f);
	return id == PH_MAP_FRONT && !can_be_mapped(&info) ? unmapped(fresh, f) : TAKE_FD(fd);
}

static int open_all(struct ph_kernel *ret, bool fresh, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;

	for (int i = 0; i < PH_MAPS; i++) {
		int fd = open_one(i, fresh, f);

		if (fd < 0)
			return fd;
		kernel.map[i] = fd;
	}
	*ret = kernel;
	kernel = (struct ph_kernel)PH_KERNEL_NULL;
	return 0;
}

int kernel_open(struct ph_kernel *ret, struct ph_fault *f)
{
	int r = check_version(f);

	return r ? r : open_all(ret, false, f);
}

int maps_open_fresh(struct ph_kernel *ret, struct ph_fault *f)
{
	return open_all(ret, true, f);
}

int kernel_table(const struct ph_kernel *kernel, enum ph_map_id outer, __u32 slot)
{
	__u32 id;
	int fd;

	if (bpf_map_lookup_elem(kernel->map[outer], &slot, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

/* --- State */

int kernel_state_read(const struct ph_kernel *kernel, struct ph_state *ret)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(kernel->map[PH_MAP_STATE], &zero, ret) ? -errno : 0;
}

int kernel_state_write(const struct ph_kernel *kernel, const struct ph_state *state)
{
	__u32 zero = 0;

	return bpf_map_update_elem(kernel->map[PH_MAP_STATE], &zero, state, BPF_ANY) ? -errno : 0;
}

/* --- The change of version */

static int promote(const char *path, const char *name, const void *with)
{
	char target[PH_PATH_LEN];

	if (!strcmp(name, layouts[PH_MAP_STATE].name) != *(const bool *)with)
		return 0;
	pin_path(target, sizeof(target), PH_MAPS_DIR, name);
	return rename(path, target);
}

/* A crash before the state is promoted has the next attempt do the rest. */
int maps_promote(void)
{
	const bool state = true, others = false;
	int n = pins_each(PH_FRESH_DIR, promote, &others);

	if (n >= 0)
		n = pins_remove(PH_OLD_DIR);
	if (n >= 0)
		n = pins_each(PH_FRESH_DIR, promote, &state);
	return n < 0 ? n : 0;
}
