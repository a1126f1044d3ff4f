// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/generation.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

#define SAMPLE 64 /* entries of each table, or one more */
#define VALUE_MAX 512 /* bytes of a value */

/* One table of an image: entries of `stride` bytes, the key first, the value at `value`. */
struct table {
	const char *name;
	enum ph_map_id outer;
	enum bpf_map_type type;
	__u32 flags;
	__u32 key_size;
	__u32 value_size;
	const void *entries;
	size_t n;
	size_t stride;
	size_t value;
};

static int make_inner(const struct table *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = table->flags);
	__u32 entries = table->n ? table->n : 1;
	int fd = bpf_map_create(table->type, table->name, table->key_size, table->value_size,
				entries, &options);

	return fd < 0 ? -errno : fd;
}

static int fill_table(int fd, const struct table *table)
{
	const char *entry = table->entries;

	for (size_t i = 0; i < table->n; i++, entry += table->stride)
		if (bpf_map_update_elem(fd, entry, entry + table->value, BPF_ANY))
			return -errno;
	return bpf_map_freeze(fd) ? -errno : 0;
}

/* Makes the table and lays it into the slot. */
static int place_table(const struct ph_kernel *kernel, const struct table *table, __u32 slot)
{
	cleanup_close int fd = make_inner(table);
	int r;

	if (fd < 0)
		return fd;
	r = fill_table(fd, table);
	if (r)
		return r;
	return bpf_map_update_elem(kernel->map[table->outer], &slot, &fd, BPF_ANY) ? -errno : 0;
}

static int place_header(const struct ph_kernel *kernel, const struct ph_header *header)
{
	struct {
		__u32 key;
		__u32 pad0;
		struct ph_header value;
	} entry = { .value = *header };
	const struct table table = {
		.name = "ph_header",
		.outer = PH_MAP_CURRENT,
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(entry.key),
		.value_size = sizeof(entry.value),
		.entries = &entry,
		.n = 1,
		.stride = sizeof(entry),
		.value = offsetof(typeof(entry), value),
	};

	return place_table(kernel, &table, PH_CURRENT);
}

#define HASH_TABLE(label, map, array, count, key_type, value_type, value_offset)                  \
	{                                                                                         \
		.name = label, .outer = map, .type = BPF_MAP_TYPE_HASH,                           \
		.key_size = sizeof(key_type), .value_size = sizeof(value_type), .entries = array, \
		.n = count, .stride = sizeof(*(array)), .value = value_offset,                    \
	}

enum {
	TABLES = 4
};

static void list_tables(const struct ph_image *image, struct table ret[TABLES])
{
	const struct table tables[TABLES] = {
		HASH_TABLE("ph_name", PH_MAP_NAMES, image->names, image->n_names, struct ph_name,
			   struct ph_ids, offsetof(struct ph_image_name, value)),
		HASH_TABLE("ph_grant", PH_MAP_GRANTS, image->grants, image->n_grants, __u64,
			   struct ph_grant, 0),
		HASH_TABLE("ph_chunk", PH_MAP_CHUNKS, image->chunks, image->n_chunks,
			   struct ph_chunk_key, struct ph_chunk,
			   offsetof(struct ph_image_chunk, value)),
		{ .name = "ph_prefix",
		  .outer = PH_MAP_PREFIXES,
		  .type = BPF_MAP_TYPE_LPM_TRIE,
		  .flags = BPF_F_NO_PREALLOC,
		  .key_size = sizeof(struct ph_prefix_key),
		  .value_size = sizeof(struct ph_prefix),
		  .entries = image->prefixes,
		  .n = image->n_prefixes,
		  .stride = sizeof(*image->prefixes),
		  .value = offsetof(struct ph_image_prefix, value) },
	};

	memcpy(ret, tables, sizeof(tables));
}

static int place_tables(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot)
{
	struct table tables[TABLES];
	int r = 0;

	list_tables(image, tables);
	for (size_t i = 0; !r && i < TABLES; i++)
		r = place_table(kernel, &tables[i], slot);
	return r;
}

/* --- Looking it up again */

/* Evenly spread, the first and so the canary's always. */
static bool sample_fits(int fd, const struct table *table)
{
	size_t step = table->n / SAMPLE + 1;
	const char *entries = table->entries;
	char value[VALUE_MAX];

	if (table->value_size > sizeof(value))
		return false;
	for (size_t i = 0; i < table->n; i += step) {
		const char *entry = entries + i * table->stride;

		if (bpf_map_lookup_elem(fd, entry, value) ||
		    memcmp(value, entry + table->value, table->value_size))
			return false;
	}
	return true;
}

/* Of what may be anybody's map by now: its sizes come before its content. */
static bool table_fits(int fd, const struct table *table)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == table->type &&
	       info.key_size == table->key_size && info.value_size == table->value_size &&
	       info.max_entries == (table->n ?: 1) && sample_fits(fd, table);
}

int generation_check(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		     const char **ret_table)
{
	struct table tables[TABLES];

	list_tables(image, tables);
	for (size_t i = 0; i < TABLES; i++) {
		cleanup_close int fd = -1;
		__u32 id;

		*ret_table = tables[i].name;
		if (bpf_map_lookup_elem(kernel->map[tables[i].outer], &slot, &id))
			return errno == ENOENT ? 1 : -errno;
		fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			return -errno;
		if (!table_fits(fd, &tables[i]))
			return 1;
	}
	return 0;
}

/* --- The header */

int generation_current(const struct ph_kernel *kernel, struct ph_header *ret)
{
	cleanup_close int fd = -1;
	__u32 zero = 0, id;

	if (bpf_map_lookup_elem(kernel->map[PH_MAP_CURRENT], &zero, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, ret))
		return -errno;
	return 0;
}

bool generation_holds(const struct ph_kernel *kernel, const struct ph_image *image)
{
	struct ph_header header;
	struct ph_state state;
	const char *table;

	return !kernel_state_read(kernel, &state) && !generation_current(kernel, &header) &&
	       state.hash == image->hash && state.generation == header.generation &&
	       !generation_check(kernel, image, header.slot, &table);
}

int generation_install(const struct ph_kernel *kernel, struct ph_image *image, struct ph_fault *f)
{
	struct ph_header current;
	struct ph_state state;
	int r = kernel_state_read(kernel, &state);

	if (!r) {
		r = generation_current(kernel, &current);
		image->header.slot = r ? 0 : !current.slot;
		image->header.generation = ++state.generation;
		state.hash = image->hash;
		r = place_tables(kernel, image, image->header.slot);
	}
	/* The number first: a generation in force is never one that state has not counted. */
	if (!r)
		r = kernel_state_write(kernel, &state);
	if (!r)
		r = place_header(kernel, &image->header);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "the kernel does not take the policies: %s; "
			     "what was in force stays",
			     strerror(-r));
	return 0;
}

int generation_clear(const struct ph_kernel *kernel, struct ph_fault *f)
{
	struct ph_state state;
	__u32 zero = PH_CURRENT;
	int r;

	if (bpf_map_delete_elem(kernel->map[PH_MAP_CURRENT], &zero) && errno != ENOENT)
		return fault(f, -errno, PH_EXIT_IMPOSSIBLE, "cannot clear the policies: %s",
			     strerror(errno));
	r = kernel_state_read(kernel, &state);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read the state: %s", strerror(-r));
	state.hash = 0;
	(void)kernel_state_write(kernel, &state);
	return 0;
}
