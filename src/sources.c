// SPDX-License-Identifier: GPL-2.0-or-later
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events/slots.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/file.h"

DEFINE_CLEANUP_DONE(struct ph_sources, sources_close);
DEFINE_CLEANUP_DONE(struct ph_slots, slots_close);

static const char magic[8] = "phsrc 1";

struct ph_sources_head {
	char magic[8];
	uint64_t generation; /* the last one that was written */
	uint32_t versions;
	uint32_t strings; /* bytes; the last is a NUL */
};

/* A policy under some generations, both included. */
struct version {
	uint64_t id;
	uint64_t first;
	uint64_t last; /* UNTIL_NOW: in force */
	uint32_t name; /* offsets in the strings */
	uint32_t file;
	uint32_t line;
	uint32_t pad0;
};

#define UNTIL_NOW UINT64_MAX

/* --- Reading */

static const struct version *versions_of(const struct ph_sources *sources)
{
	return (const struct version *)(sources->head + 1);
}

static const char *string_at(const struct ph_sources *sources, uint32_t offset)
{
	const char *strings = (const char *)(versions_of(sources) + sources->head->versions);

	return offset < sources->head->strings ? strings + offset : "";
}

static bool is_table(const struct ph_sources_head *head, size_t size)
{
	const char *bytes = (const char *)head;

	return !memcmp(head->magic, magic, sizeof(magic)) && head->strings &&
	       size == sizeof(*head) + sizeof(struct version) * (size_t)head->versions +
			       head->strings &&
	       !bytes[size - 1];
}

static void map_table(int fd, const struct stat *st, struct ph_sources *ret)
{
	size_t size = (size_t)st->st_size;
	void *mapped;

	if (st->st_size < (off_t)sizeof(struct ph_sources_head))
		return;
	mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return;
	if (is_table(mapped, size))
		*ret = (struct ph_sources){ .head = mapped, .size = size, .inode = st->st_ino };
	else
		(void)munmap(mapped, size);
}

void sources_refresh(struct ph_sources *sources, const char *path)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (sources->head && !stat(path, &st) && st.st_ino == sources->inode)
		return;
	sources_close(sources);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		map_table(fd, &st, sources);
}

void sources_close(struct ph_sources *sources)
{
	if (sources->head)
		(void)munmap((void *)sources->head, sources->size);
	*sources = (struct ph_sources){};
}

/* How many versions come before those of this id. */
static size_t count_before(const struct ph_sources *sources, uint64_t id)
{
	const struct version *versions = versions_of(sources);
	size_t low = 0, high = sources->head->versions;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (versions[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Is it nearer to what holds under the generation than the best one until now? */
static bool fits_better(const struct version *version, const struct version *best,
			uint64_t generation)
{
	bool holds = version->first <= generation && generation <= version->last;
	bool best_holds = best->first <= generation && generation <= best->last;

	return holds != best_holds ? holds : version->first > best->first;
}

bool sources_find(const struct ph_sources *sources, uint64_t id, uint64_t generation,
		  struct ph_origin *ret)
{
	const struct version *version, *end, *best = NULL;

	if (!sources->head)
		return false;
	version = versions_of(sources) + count_before(sources, id);
	end = versions_of(sources) + sources->head->versions;
	for (; version < end && version->id == id; version++)
		if (!best || fits_better(version, best, generation))
			best = version;
	if (!best)
		return false;
	*ret = (struct ph_origin){
		.name = string_at(sources, best->name),
		.file = string_at(sources, best->file),
		.line = best->line,
	};
	return true;
}

bool sources_hold(const char *file)
{
	cleanup_(sources_closep) struct ph_sources sources = {};
	const struct version *versions;

	sources_refresh(&sources, PH_SOURCES_PATH);
	if (!sources.head)
		return false;
	versions = versions_of(&sources);
	for (uint32_t i = 0; i < sources.head->versions; i++)
		if (versions[i].last == UNTIL_NOW &&
		    !strcmp(string_at(&sources, versions[i].file), file))
			return true;
	return false;
}

/* --- Writing */

#define SHARED_STRINGS 1024u

struct builder {
	struct version *versions;
	size_t n;
	char *strings;
	size_t used;
	size_t allocated;
	uint32_t shared[SHARED_STRINGS]; /* by their hash: offset + 1 of a string that is there */
};

static void builder_done(struct builder *builder)
{
	free(builder->versions);
	free(builder->strings);
}

DEFINE_CLEANUP_DONE(struct builder, builder_done);

static uint32_t hash_string(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static int make_room(struct builder *builder, size_t length)
{
	size_t wanted = builder->allocated ? builder->allocated : 4096;
	char *strings;

	while (wanted < builder->used + length)
		wanted *= 2;
	if (wanted > UINT32_MAX)
		return -E2BIG;
	if (wanted == builder->allocated)
		return 0;
	strings = realloc(builder->strings, wanted);
	if (!strings)
		return -ENOMEM;
	builder->strings = strings;
	builder->allocated = wanted;
	return 0;
}

/* Names of files come again and again; most of them lie there once. */
static int add_string(struct builder *builder, const char *text, uint32_t *ret)
{
	uint32_t *shared = &builder->shared[hash_string(text) % SHARED_STRINGS];
	size_t length = strlen(text) + 1;
	int r;

	if (*shared && !strcmp(builder->strings + *shared - 1, text)) {
		*ret = *shared - 1;
		return 0;
	}
	r = make_room(builder, length);
	if (r)
		return r;
	memcpy(builder->strings + builder->used, text, length);
	*ret = (uint32_t)builder->used;
	builder->used += length;
	*shared = *ret + 1;
	return 0;
}

static int add_version(struct builder *builder, uint64_t id, uint64_t first, uint64_t last,
		       const struct ph_origin *source)
{
	struct version *version = &builder->versions[builder->n];
	int r;

	*version = (struct version){ .id = id, .first = first, .last = last, .line = source->line };
	r = add_string(builder, source->name, &version->name);
	if (!r)
		r = add_string(builder, source->file, &version->file);
	if (!r)
		builder->n++;
	return r;
}

struct update {
	const struct ph_sources *old;
	const struct ph_image *image;
	uint64_t generation;
	const struct ph_reference *references;
	size_t n_references;
	size_t at_old; /* how far the old versions and the image's sources are merged */
	size_t at_image;
};

static bool is_referred_to(const struct update *update, const struct version *version)
{
	const struct ph_reference *references = update->references;
	size_t low = 0, high = update->n_references;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ph_reference *reference = &references[middle];

		if (reference->policy < version->id ||
		    (reference->policy == version->id && reference->generation < version->first))
			low = middle + 1;
		else
			high = middle;
	}
	return low < update->n_references && references[low].policy == version->id &&
	       references[low].generation <= version->last;
}

static bool same_source(const struct ph_origin *a, const struct ph_origin *b)
{
	return a->line == b->line && !strcmp(a->name, b->name) && !strcmp(a->file, b->file);
}

/* Of what was in force until now. The present generation may be an older one: apply --confirm. */
static uint64_t last_generation(const struct update *update)
{
	uint64_t before = update->old->head->generation;

	return update->generation < before ? before : update->generation - 1;
}

/* An old version; *current, which may be NULL, becomes NULL if it says what that one says. */
static int merge_version(struct builder *builder, const struct update *update,
			 const struct version *old, const struct ph_origin **current)
{
	struct ph_origin source = {
		.name = string_at(update->old, old->name),
		.file = string_at(update->old, old->file),
		.line = old->line,
	};
	struct version version = *old;

	if (version.last == UNTIL_NOW && *current && same_source(&source, *current)) {
		*current = NULL;
		return add_version(builder, version.id, version.first, UNTIL_NOW, &source);
	}
	if (version.last == UNTIL_NOW)
		version.last = last_generation(update);
	if (version.first > version.last)
		return 0;
	/* What was in force until now may be so again: apply --confirm. */
	if (version.last < update->old->head->generation && !is_referred_to(update, &version))
		return 0;
	return add_version(builder, version.id, version.first, version.last, &source);
}

/* All about the next id. */
static int merge_id(struct builder *builder, struct update *update)
{
	const struct version *old = update->old->head ? versions_of(update->old) : NULL;
	size_t n_old = update->old->head ? update->old->head->versions : 0;
	const struct ph_image_source *written = &update->image->sources[update->at_image];
	bool has_new = update->at_image < update->image->n_sources;
	struct ph_origin source = {};
	const struct ph_origin *current = NULL;
	uint64_t id;
	int r = 0;

	id = has_new ? written->id : UINT64_MAX;
	if (update->at_old < n_old && old[update->at_old].id < id)
		id = old[update->at_old].id;
	if (has_new && written->id == id) {
		source = (struct ph_origin){ written->name, written->file ? written->file : "",
					     written->line };
		current = &source;
		update->at_image++;
	}
	while (!r && update->at_old < n_old && old[update->at_old].id == id)
		r = merge_version(builder, update, &old[update->at_old++], &current);
	if (!r && current)
		r = add_version(builder, id, update->generation, UNTIL_NOW, current);
	return r;
}

static int build(struct builder *builder, struct update *update)
{
	size_t n_old = update->old->head ? update->old->head->versions : 0;
	uint32_t empty;
	int r;

	builder->versions = calloc(n_old + update->image->n_sources + 1, sizeof(struct version));
	if (!builder->versions)
		return -ENOMEM;
	r = add_string(builder, "", &empty);
	while (!r && (update->at_old < n_old || update->at_image < update->image->n_sources))
		r = merge_id(builder, update);
	return r;
}

static int write_table(const char *path, const struct builder *builder, uint64_t generation,
		       const struct ph_sources *old)
{
	struct ph_sources_head head = {
		.generation = generation,
		.versions = (uint32_t)builder->n,
		.strings = (uint32_t)builder->used,
	};
	size_t versions = builder->n * sizeof(struct version);
	size_t size = sizeof(head) + versions + builder->used;
	cleanup_free char *bytes = malloc(size);
	int r;

	if (!bytes)
		return -ENOMEM;
	memcpy(head.magic, magic, sizeof(magic));
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), builder->versions, versions);
	memcpy(bytes + sizeof(head) + versions, builder->strings, builder->used);
	if (old->head && old->size == size && !memcmp(old->head, bytes, size))
		return 0;
	r = file_write_atomic(path, bytes, size, 0644);
	/* An empty directory in its place is nobody's. */
	return r == -EISDIR && !rmdir(path) ? file_write_atomic(path, bytes, size, 0644) : r;
}

int sources_write(const char *path, const struct ph_image *image, uint64_t generation,
		  const struct ph_reference *references, size_t n)
{
	cleanup_(builder_donep) struct builder builder = {};
	cleanup_(sources_closep) struct ph_sources old = {};
	struct update update = {
		.old = &old,
		.image = image,
		.generation = generation,
		.references = references,
		.n_references = n,
	};
	int r;

	sources_refresh(&old, path);
	r = build(&builder, &update);
	return r ? r : write_table(path, &builder, generation, &old);
}

/* --- The events' references */

static int compare_references(const void *a, const void *b)
{
	const struct ph_reference *x = a, *y = b;

	if (x->policy != y->policy)
		return x->policy < y->policy ? -1 : 1;
	return (x->generation > y->generation) - (x->generation < y->generation);
}

/* *ret has room for all. Events of one kind mostly come one after another. */
static size_t read_references(const struct ph_kernel *kernel, struct ph_reference *ret)
{
	cleanup_(slots_closep) struct ph_slots slots = {};
	struct ph_event event;
	size_t n = 0;
	uint64_t end;

	if (slots_open(kernel, &slots))
		return 0;
	for (end = slots.end; slots.next < end;) {
		int r = slots_next(&slots, &event);

		if (r == -EAGAIN)
			slots_seek(&slots, slots.next + 1);
		else if (r != 1)
			break;
		else if (!n || ret[n - 1].policy != event.policy ||
			 ret[n - 1].generation != event.generation)
			ret[n++] = (struct ph_reference){ event.policy, event.generation };
	}
	qsort(ret, n, sizeof(*ret), compare_references);
	return n;
}

int sources_keep(const struct ph_kernel *kernel, const struct ph_image *image, uint64_t generation)
{
	cleanup_free struct ph_reference *references = calloc(PH_EVENT_SLOTS, sizeof(*references));
	int r = mkdir_parents(PH_RUN_DIR, 0755);

	if (!references)
		return -ENOMEM;
	if (r)
		return r;
	return sources_write(PH_SOURCES_PATH, image, generation, references,
			     read_references(kernel, references));
}

int sources_remove(void)
{
	return file_remove(PH_SOURCES_PATH);
}
