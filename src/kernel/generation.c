// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/generation.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "kernel/places.h"
#include "kernel/front.h"
#include "kernel/programs.h"
#include "kernel/rewriters.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/progress.h"

DEFINE_CLEANUP(struct ph_front *, front_close);

#define BATCH 4096 /* entries that one call hands over */
#define BATCH_MIN 16 /* fewer are not worth it */

#define SAMPLE 64 /* entries of each table, or one more */
#define VALUE_MAX 512 /* bytes of a value */

#define FILES_LEARNT 256 /* files that come to the paths of programs, until somebody looks again */

/*
 * One table of an image: entries of `stride` bytes, the key first, the value at `value`. The key of an
 * array is the position.
 */
struct table {
	const char *name;
	enum ph_map_id outer;
	enum bpf_map_type type;
	__u32 flags;
	__u32 key_size;
	__u32 value_size;
	const void *entries;
	size_t n;
	size_t room; /* for those that come later: such a table is not frozen */
	size_t stride;
	size_t value;
	struct ph_progress *progress;
};

static __u32 size_of(const struct table *table)
{
	return table->n + table->room ?: 1;
}

static int make_inner(const struct table *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = table->flags);
	int fd = bpf_map_create(table->type, table->name, table->key_size, table->value_size,
				size_of(table), &options);

	return fd < 0 ? -errno : fd;
}

static const char *entry_at(const struct table *table, size_t position)
{
	return (const char *)table->entries + position * table->stride;
}

/* `place` keeps the key of an array. */
static const void *key_at(const struct table *table, size_t position, __u32 *place)
{
	*place = position;
	return table->type == BPF_MAP_TYPE_ARRAY ? (const void *)place : entry_at(table, position);
}

static int fill_singly(int fd, const struct table *table, size_t first)
{
	__u32 place;

	for (size_t i = first; i < table->n; i++) {
		if (bpf_map_update_elem(fd, key_at(table, i, &place),
					entry_at(table, i) + table->value, BPF_ANY))
			return -errno;
		progress_show(table->progress, i);
	}
	return 0;
}

/* The keys and the values of up to BATCH entries, each close together. */
struct batch {
	char *keys;
	char *values;
};

static void batch_done(struct batch *batch)
{
	free(batch->keys);
	free(batch->values);
}

static int send_batch(int fd, const struct table *table, const struct batch *batch, size_t first,
		      __u32 n)
{
	__u32 place;

	for (size_t i = 0; i < n; i++) {
		memcpy(batch->keys + i * table->key_size, key_at(table, first + i, &place),
		       table->key_size);
		memcpy(batch->values + i * table->value_size,
		       entry_at(table, first + i) + table->value, table->value_size);
	}
	return bpf_map_update_batch(fd, batch->keys, batch->values, &n, NULL) ? -errno : 0;
}

/* As many as the kernel takes so: *ret, and the rest has to go singly. */
static int fill_by_batch(int fd, const struct table *table, size_t *ret)
{
	cleanup_(batch_done) struct batch batch = {
		.keys = calloc(BATCH, table->key_size),
		.values = calloc(BATCH, table->value_size),
	};

	*ret = 0;
	if (!batch.keys || !batch.values)
		return -ENOMEM;
	while (*ret < table->n) {
		size_t left = table->n - *ret;
		int r = send_batch(fd, table, &batch, *ret, left < BATCH ? left : BATCH);

		/* Not of this kernel, or not of this type of map: what went in stays the same. */
		if (r)
			return r == -ENOMEM ? r : 0;
		*ret += left < BATCH ? left : BATCH;
		progress_show(table->progress, *ret);
	}
	return 0;
}

static int fill_table(int fd, const struct table *table)
{
	size_t done = 0;
	int r = table->n >= BATCH_MIN ? fill_by_batch(fd, table, &done) : 0;

	if (!r)
		r = fill_singly(fd, table, done);
	if (r)
		return r;
	return !table->room && bpf_map_freeze(fd) ? -errno : 0;
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

#define HASH_TABLE(label, map, array, count, key_type, value_type, value_offset)                  \
	{                                                                                         \
		.name = label, .outer = map, .type = BPF_MAP_TYPE_HASH,                           \
		.key_size = sizeof(key_type), .value_size = sizeof(value_type), .entries = array, \
		.n = count, .stride = sizeof(*(array)), .value = value_offset,                    \
	}

/* Of any length: other arrays in the place of one must have as many entries as that one. */
#define ARRAY_TABLE(label, map, array, count)                                                      \
	{                                                                                          \
		.name = label, .outer = map, .type = BPF_MAP_TYPE_ARRAY, .flags = BPF_F_INNER_MAP, \
		.key_size = sizeof(__u32), .value_size = sizeof(*(array)), .entries = array,       \
		.n = count, .stride = sizeof(*(array)),                                            \
	}

enum {
	TABLES = 7
};

static size_t room_for_places(const struct ph_image *image)
{
	size_t room = image->header.features & PH_FEATURE_BY_CGROUP ? PH_PLACES_MAX : 0;

	if (image->header.features & PH_FEATURE_BY_UID)
		room += image->n_traits; /* at the most */
	return room ?: 1;
}

/* Of each policy the file and the path that links lead to; and what upgrades put there since. */
static size_t room_for_files(const struct ph_image *image)
{
	return image->n_programs ? 4 * image->n_programs + FILES_LEARNT : 1;
}

static void list_tables(const struct ph_image *image, struct table ret[TABLES])
{
	const struct table tables[TABLES] = {
		HASH_TABLE("ph_trait", PH_MAP_TRAITS, image->traits, image->n_traits,
			   struct ph_trait, struct ph_ids, offsetof(struct ph_image_trait, value)),
		{ .name = "ph_place",
		  .outer = PH_MAP_PLACES,
		  .type = BPF_MAP_TYPE_HASH,
		  .flags = BPF_F_NO_PREALLOC,
		  .key_size = sizeof(__u64),
		  .value_size = sizeof(struct ph_brought),
		  .room = room_for_places(image) },
		{ .name = "ph_file",
		  .outer = PH_MAP_FILES,
		  .type = BPF_MAP_TYPE_HASH,
		  .flags = BPF_F_NO_PREALLOC,
		  .key_size = sizeof(struct ph_trait),
		  .value_size = sizeof(struct ph_ids),
		  .room = room_for_files(image) },
		HASH_TABLE("ph_index", PH_MAP_INDEX, image->grants, image->n_grants, __u64, __u32,
			   offsetof(struct ph_grant, index)),
		ARRAY_TABLE("ph_grant", PH_MAP_GRANTS, image->grants, image->n_grants),
		ARRAY_TABLE("ph_chunk", PH_MAP_CHUNKS, image->chunks, image->n_chunks),
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
	struct ph_progress progress = PROGRESS_OF("filling the kernel's tables");
	int r = 0;

	list_tables(image, tables);
	for (size_t i = 0; i < TABLES; i++)
		progress.total += tables[i].n;
	for (size_t i = 0; !r && i < TABLES; i++) {
		tables[i].progress = &progress;
		r = place_table(kernel, &tables[i], slot);
		progress.before += tables[i].n;
	}
	progress_end(&progress);
	return r;
}

/* --- Looking it up again */

/* Evenly spread, the first and so the canary's always. */
static bool sample_fits(int fd, const struct table *table)
{
	size_t step = table->n / SAMPLE + 1;
	char value[VALUE_MAX];
	__u32 place;

	if (table->value_size > sizeof(value))
		return false;
	for (size_t i = 0; i < table->n; i += step) {
		if (bpf_map_lookup_elem(fd, key_at(table, i, &place), value) ||
		    memcmp(value, entry_at(table, i) + table->value, table->value_size))
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
	       info.max_entries == size_of(table) && sample_fits(fd, table);
}

/* Programs add names to it, of whose labels there was no room: see let_name_tell(). */
static bool filter_holds(const struct ph_filter *filter, const struct ph_image *image)
{
	for (size_t i = 0; i < PH_FILTER_WORDS; i++)
		if (image->filter[i] & ~filter->trait[i])
			return false;
	return true;
}

int generation_check(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		     const char **ret_table)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	struct table tables[TABLES];

	*ret_table = "ph_front";
	if (!front)
		return -errno;
	if (!filter_holds(&front->filter[slot], image))
		return 1;
	list_tables(image, tables);
	for (size_t i = 0; i < TABLES; i++) {
		cleanup_close int fd = kernel_table(kernel, tables[i].outer, slot);

		*ret_table = tables[i].name;
		if (fd < 0 && fd != -ENOENT)
			return fd;
		if (fd < 0 || !table_fits(fd, &tables[i]))
			return 1;
	}
	return 0;
}

/* --- The front */

/*
 * A replacement of a table waits for the calls that may be reading it. This replaces one by itself:
 * afterwards no call goes by what the front named before. 0 or PH_UNSETTLED, with errno.
 */
static int wait_for_calls(const struct ph_kernel *kernel, __u32 slot, int table)
{
	return bpf_map_update_elem(kernel->map[PH_MAP_INDEX], &slot, &table, BPF_ANY) ?
		       PH_UNSETTLED :
		       0;
}

/*
 * A call that has seen that there is a deadline looks at it, and may look for the fallback: both are
 * there before, and go after the last such call. `table` is the index of the header's slot: what can
 * fail before the front names another header has been done.
 */
static int put_in_force(const struct ph_kernel *kernel, struct ph_front *front,
			const struct ph_header *header, int table)
{
	int r;

	if (header->deadline)
		front_set(&front->fallback, front->current);
	front_set(&front->current, front_naming(header));
	r = wait_for_calls(kernel, header->slot, table);
	if (!r && !header->deadline) {
		front_set(&front->fallback, 0);
		front->header[header->slot].deadline = 0;
	}
	return r;
}

enum which {
	NAMED_CURRENT,
	NAMED_FALLBACK,
	IN_FORCE,
};

static int find_header(const struct ph_front *front, enum which which, struct ph_header *ret)
{
	struct ph_header header;
	int r;

	if (which == NAMED_FALLBACK)
		return front_header(front, &front->fallback, ret);
	r = front_header(front, &front->current, &header);
	if (!r && which == IN_FORCE && header.deadline && boot_now() >= header.deadline)
		return front_header(front, &front->fallback, ret);
	if (!r)
		*ret = header;
	return r;
}

static int read_header(const struct ph_kernel *kernel, enum which which, struct ph_header *ret)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);

	return front ? find_header(front, which, ret) : -errno;
}

int generation_current(const struct ph_kernel *kernel, struct ph_header *ret)
{
	return read_header(kernel, IN_FORCE, ret);
}

void generation_tell_labelled(const struct ph_kernel *kernel, bool labelled)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	struct ph_header header;
	__u32 *features;

	if (!front || find_header(front, IN_FORCE, &header))
		return;
	features = &front->header[header.slot].features;
	if (labelled)
		(void)__atomic_or_fetch(features, PH_FEATURE_LABELLED, __ATOMIC_RELEASE);
	else
		(void)__atomic_and_fetch(features, ~PH_FEATURE_LABELLED, __ATOMIC_RELEASE);
}

bool generation_enforces(const struct ph_kernel *kernel, uint64_t id)
{
	cleanup_close int index = -1, grants = -1;
	struct ph_header header;
	struct ph_grant grant;
	__u32 place;

	if (generation_current(kernel, &header))
		return false;
	index = kernel_table(kernel, PH_MAP_INDEX, header.slot);
	grants = kernel_table(kernel, PH_MAP_GRANTS, header.slot);
	return index >= 0 && grants >= 0 && !bpf_map_lookup_elem(index, &id, &place) &&
	       !bpf_map_lookup_elem(grants, &place, &grant) && grant.mode == PH_MODE_ENFORCE;
}

int generation_trial(const struct ph_kernel *kernel, struct ph_header *ret)
{
	struct ph_header header;
	int r = read_header(kernel, NAMED_CURRENT, &header);

	if (!r && !header.deadline)
		r = -ENOENT;
	if (!r)
		*ret = header;
	return r;
}

int generation_fallback(const struct ph_kernel *kernel, struct ph_header *ret)
{
	return read_header(kernel, NAMED_FALLBACK, ret);
}

bool generation_holds(const struct ph_kernel *kernel, const struct ph_image *image)
{
	struct ph_header header;
	struct ph_state state;
	const char *table;

	return !kernel_state_read(kernel, &state) && !generation_current(kernel, &header) &&
	       header.hash == image->header.hash && state.generation == header.generation &&
	       !generation_check(kernel, image, header.slot, &table);
}

/* All of a slot that no call looks at as yet. */
static int fill_slot(const struct ph_kernel *kernel, struct ph_front *front,
		     const struct ph_image *image)
{
	__u32 slot = image->header.slot;
	struct ph_filter *filter = &front->filter[slot];
	size_t missing;
	int r = place_tables(kernel, image, slot);

	memcpy(filter->trait, image->filter, sizeof(filter->trait));
	memset(filter->place, 0, sizeof(filter->place));
	front->header[slot] = image->header;
	if (!r)
		r = places_tell(kernel, image, slot);
	if (!r)
		r = rewriters_tell(kernel);
	if (!r && image->n_programs)
		r = programs_tell(kernel, image, slot, &missing);
	return r;
}

static int install(const struct ph_kernel *kernel, struct ph_image *image)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	cleanup_close int table = -1;
	struct ph_state state;
	int slot, r;

	if (!front)
		return -errno;
	slot = front_free_slot(front);
	r = slot < 0 ? slot : kernel_state_read(kernel, &state);
	if (r)
		return r;
	image->header.slot = slot;
	image->header.generation = ++state.generation;
	r = fill_slot(kernel, front, image);
	if (r)
		return r;
	table = kernel_table(kernel, PH_MAP_INDEX, slot);
	if (table < 0)
		return table;
	/* The number first: a generation in force is never one that state has not counted. */
	r = kernel_state_write(kernel, &state);
	return r ? r : put_in_force(kernel, front, &image->header, table);
}

/* The result, with its fault: what could not be done, if it failed before anything changed. */
static int tell(int r, const char *what, struct ph_fault *f)
{
	if (r == PH_UNSETTLED)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "calls that had begun may still go by what was in force before: %s",
			     strerror(errno));
	return r ? fault(f, r, PH_EXIT_IMPOSSIBLE, "%s: %s; what was in force stays", what,
			 strerror(-r)) :
		   0;
}

int generation_install(const struct ph_kernel *kernel, struct ph_image *image, struct ph_fault *f)
{
	return tell(install(kernel, image), "the kernel does not take the policies", f);
}

static int clear(const struct ph_kernel *kernel)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	cleanup_close int table = -1;
	struct ph_header header;

	if (!front)
		return -errno;
	if (front_header(front, &front->current, &header))
		return 0;
	table = kernel_table(kernel, PH_MAP_INDEX, header.slot);
	if (table < 0)
		return table;
	front_set(&front->current, 0);
	front_set(&front->fallback, 0);
	return wait_for_calls(kernel, header.slot, table);
}

int generation_clear(const struct ph_kernel *kernel, struct ph_fault *f)
{
	return tell(clear(kernel), "cannot clear the policies", f);
}

static int keep(const struct ph_kernel *kernel)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	cleanup_close int table = -1;
	struct ph_header trial;
	int r = front ? front_header(front, &front->current, &trial) : -errno;

	if (r)
		return r;
	table = kernel_table(kernel, PH_MAP_INDEX, trial.slot);
	if (table < 0)
		return table;
	trial.deadline = 0;
	return put_in_force(kernel, front, &trial, table);
}

int generation_keep(const struct ph_kernel *kernel, struct ph_fault *f)
{
	return tell(keep(kernel), "cannot make the policies stay", f);
}

/* Under a number of its own: the one in force is always the last that was counted. */
static int drop(const struct ph_kernel *kernel)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	cleanup_close int table = -1;
	struct ph_header fallback;
	struct ph_state state;
	int r;

	if (!front)
		return -errno;
	if (front_header(front, &front->fallback, &fallback))
		return clear(kernel);
	r = kernel_state_read(kernel, &state);
	if (r)
		return r;
	table = kernel_table(kernel, PH_MAP_INDEX, fallback.slot);
	if (table < 0)
		return table;
	fallback.generation = ++state.generation;
	r = kernel_state_write(kernel, &state);
	if (r)
		return r;
	__atomic_store_n(&front->header[fallback.slot].generation, fallback.generation,
			 __ATOMIC_RELEASE);
	return put_in_force(kernel, front, &fallback, table);
}

int generation_drop(const struct ph_kernel *kernel, struct ph_fault *f)
{
	return tell(drop(kernel), "cannot put away the policies that nobody confirmed", f);
}
