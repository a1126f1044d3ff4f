// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/programs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/decide.h"
#include "kernel/files.h"
#include "util/cleanup.h"

#define OPEN_MAX_FILES 256 /* at a time */

DEFINE_CLEANUP(struct files_bpf *, files_bpf__destroy);

/* What is true of a program now, and one policy that asks for it. */
struct told {
	struct ph_trait trait;
	uint64_t id;
};

struct telling {
	struct told *v;
	size_t n;
	uint64_t *absent; /* policies whose program is not there */
	size_t n_absent;
};

static void telling_done(struct telling *telling)
{
	free(telling->v);
	free(telling->absent);
}

DEFINE_CLEANUP_DONE(struct telling, telling_done);

static int telling_make(const struct ph_image *image, struct telling *ret)
{
	ret->v = calloc(2 * image->n_programs + 1, sizeof(*ret->v));
	ret->absent = calloc(image->n_programs + 1, sizeof(*ret->absent));
	return ret->v && ret->absent ? 0 : -ENOMEM;
}

/* --- The programs of an image */

static struct told told_of(const struct ph_image_program *program, unsigned kind, uint64_t hash)
{
	static const struct ph_trait any;
	bool named = memcmp(&program->name, &any, sizeof(any));

	if (named)
		hash = ph_with_name(hash, &program->name);
	return (struct told){
		.trait = ph_trait(named ? kind + PH_TRAIT_NAMED_PATH - PH_TRAIT_PATH : kind, hash),
		.id = program->id,
	};
}

/* The path as the kernel walks it is another where links lead to the file. */
static void add_answer(const struct ph_image_program *program, const struct ph_told_file *answer,
		       struct telling *telling)
{
	unsigned components;

	telling->v[telling->n++] = told_of(program, PH_TRAIT_FILE, answer->file);
	if (answer->path && answer->path != exe_path_hash(program->exe, &components))
		telling->v[telling->n++] = told_of(program, PH_TRAIT_PATH, answer->path);
}

/* Some of the programs. */
static int tell_some(const struct files_bpf *bpf, const struct ph_image_program *programs, size_t n,
		     struct telling *telling)
{
	struct ph_told_file answers[4 * OPEN_MAX_FILES];
	int fds[OPEN_MAX_FILES];
	size_t n_answers = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		fds[i] = programs[i].withheld ? -1 : open(programs[i].exe, O_PATH | O_CLOEXEC);
	r = files_ask(bpf, answers, sizeof(answers) / sizeof(*answers), &n_answers);
	for (size_t i = 0; i < n; i++) {
		const struct ph_told_file *answer = NULL;

		if (fds[i] >= 0)
			answer = files_find(answers, n_answers, fds[i]);
		if (answer)
			add_answer(&programs[i], answer, telling);
		else
			telling->absent[telling->n_absent++] = programs[i].id;
		fd_close(fds[i]);
	}
	return r;
}

static int tell_all(const struct ph_image *image, struct telling *telling)
{
	cleanup_(files_bpf__destroyp) struct files_bpf *bpf = NULL;
	int r = files_load(&bpf);

	for (size_t i = 0; !r && i < image->n_programs; i += OPEN_MAX_FILES) {
		size_t left = image->n_programs - i;

		r = tell_some(bpf, image->programs + i,
			      left < OPEN_MAX_FILES ? left : OPEN_MAX_FILES, telling);
	}
	return r;
}

/* --- The table */

static int order_told(const void *a, const void *b)
{
	const struct told *x = a, *y = b;
	int order = memcmp(&x->trait, &y->trait, sizeof(x->trait));

	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static bool is_told(const struct telling *telling, const struct ph_trait *trait)
{
	for (size_t low = 0, high = telling->n; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(trait, &telling->v[middle].trait, sizeof(*trait));

		if (!order)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* What the table says before the files are looked at. */
struct before {
	struct ph_trait *v;
	size_t n;
};

static void before_done(struct before *before)
{
	free(before->v);
}

DEFINE_CLEANUP_DONE(struct before, before_done);

static int read_keys(int table, struct before *ret)
{
	struct ph_trait *more, *last = NULL, next;

	while (!bpf_map_get_next_key(table, last, &next)) {
		if ((ret->n & (ret->n - 1)) == 0) {
			more = reallocarray(ret->v, ret->n ? 2 * ret->n : 1, sizeof(*more));
			if (!more)
				return -ENOMEM;
			ret->v = more;
		}
		ret->v[ret->n] = next;
		last = &ret->v[ret->n++];
	}
	return 0;
}

static int order_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Whether it is of a policy whose program cannot be seen: renamed, or below a /tmp of somebody's own. */
static bool is_of_absent(int table, const struct ph_trait *trait, const struct telling *telling)
{
	struct ph_ids ids;

	if (bpf_map_lookup_elem(table, trait, &ids))
		return false;
	for (__u32 i = 0; i < ids.count && i < PH_LABEL_MAX; i++)
		if (telling->n_absent && bsearch(&ids.id[i], telling->absent, telling->n_absent,
						 sizeof(*telling->absent), order_ids))
			return true;
	return false;
}

/* What was true of files that are others now. What the kernel has learnt meanwhile stays. */
static void forget_others(int table, const struct before *before, const struct telling *telling)
{
	for (size_t i = 0; i < before->n; i++)
		if (!is_told(telling, &before->v[i]) &&
		    !is_of_absent(table, &before->v[i], telling))
			(void)bpf_map_delete_elem(table, &before->v[i]);
}

static int fill(int table, const struct told *told, size_t n)
{
	for (size_t i = 0; i < n;) {
		const struct ph_trait *trait = &told[i].trait;
		struct ph_ids ids = {};

		for (; i < n && !memcmp(trait, &told[i].trait, sizeof(*trait)); i++) {
			if (ids.count < PH_LABEL_MAX)
				ids.id[ids.count] = told[i].id;
			if (ids.count <= PH_LABEL_MAX)
				ids.count++;
		}
		if (bpf_map_update_elem(table, trait, &ids, BPF_ANY))
			return -errno;
	}
	return 0;
}

int programs_tell(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		  size_t *ret_missing)
{
	cleanup_close int table = kernel_table(kernel, PH_MAP_FILES, slot);
	cleanup_(telling_donep) struct telling telling = {};
	cleanup_(before_donep) struct before before = {};
	int r = table < 0 ? table : telling_make(image, &telling);

	if (!r)
		r = read_keys(table, &before);
	if (!r)
		r = tell_all(image, &telling);
	if (r)
		return r;
	*ret_missing = telling.n_absent;
	if (telling.n)
		qsort(telling.v, telling.n, sizeof(*telling.v), order_told);
	if (telling.n_absent)
		qsort(telling.absent, telling.n_absent, sizeof(*telling.absent), order_ids);
	forget_others(table, &before, &telling);
	return fill(table, telling.v, telling.n);
}

/* --- What has moved since */

static bool is_path(const struct ph_trait *trait)
{
	unsigned kind = trait->word[1] >> 56;

	return kind == PH_TRAIT_PATH || kind == PH_TRAIT_NAMED_PATH;
}

/* Of a file, and of a path that links lead to: whether the table has it bring the policy. */
static bool brings(int table, const struct told *told)
{
	struct ph_ids ids;

	if (bpf_map_lookup_elem(table, &told->trait, &ids))
		return false;
	for (__u32 i = 0; i < ids.count && i < PH_LABEL_MAX; i++)
		if (ids.id[i] == told->id)
			return true;
	return ids.count > PH_LABEL_MAX;
}

int programs_moved(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		   struct ph_moved *ret)
{
	cleanup_close int table = kernel_table(kernel, PH_MAP_FILES, slot);
	cleanup_(telling_donep) struct telling telling = {};
	int r = table < 0 ? table : telling_make(image, &telling);

	*ret = (struct ph_moved){};
	if (!r)
		r = tell_all(image, &telling);
	for (size_t i = 0; !r && i < telling.n; i++) {
		const struct told *told = &telling.v[i];

		if (brings(table, told))
			continue;
		if (is_path(&told->trait))
			ret->led = ret->links++ ? ret->led : told->id;
		else
			ret->replaced = ret->files++ ? ret->replaced : told->id;
	}
	return r;
}

/* --- What the kernel has one bring */

/* What it is to the kernel, whoever has it open. 0; -ENOENT; other -errno. */
static int ask_of_path(const char *path, struct ph_told_file *ret)
{
	cleanup_(files_bpf__destroyp) struct files_bpf *bpf = NULL;
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct ph_told_file answers[OPEN_MAX_FILES];
	const struct ph_told_file *answer;
	size_t n = 0;
	int r = fd < 0 ? -errno : files_load(&bpf);

	if (!r)
		r = files_ask(bpf, answers, OPEN_MAX_FILES, &n);
	answer = r ? NULL : files_find(answers, n, fd);
	if (answer)
		*ret = *answer;
	return r || answer ? r : -ENOENT;
}

static bool is_brought(int table, const struct ph_image_program *program,
		       const struct ph_told_file *file)
{
	struct told by_file = told_of(program, PH_TRAIT_FILE, file->file);
	struct told by_path = told_of(program, PH_TRAIT_PATH, file->path);
	unsigned components;

	return file->path == exe_path_hash(program->exe, &components) || brings(table, &by_file) ||
	       brings(table, &by_path);
}

int programs_bring(const struct ph_kernel *kernel, const struct ph_image_program *program,
		   __u32 slot, const char *path)
{
	cleanup_close int table = kernel_table(kernel, PH_MAP_FILES, slot);
	struct ph_told_file file;
	int r = table < 0 ? table : ask_of_path(path, &file);

	return r ? r : is_brought(table, program, &file);
}

int programs_of_path(const struct ph_kernel *kernel, const struct ph_image *image, __u32 slot,
		     const char *path, uint64_t **ret, size_t *ret_n)
{
	cleanup_close int table = kernel_table(kernel, PH_MAP_FILES, slot);
	cleanup_free uint64_t *ids = calloc(image->n_programs + 1, sizeof(*ids));
	struct ph_told_file file;
	size_t n = 0;
	int r = table < 0 ? table : ids ? ask_of_path(path, &file) : -ENOMEM;

	for (size_t i = 0; !r && i < image->n_programs; i++)
		if (is_brought(table, &image->programs[i], &file))
			ids[n++] = image->programs[i].id;
	if (r)
		return r;
	*ret = TAKE_PTR(ids);
	*ret_n = n;
	return 0;
}
