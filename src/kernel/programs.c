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
		       struct told *told, size_t *n_told)
{
	unsigned components;

	told[(*n_told)++] = told_of(program, PH_TRAIT_FILE, answer->file);
	if (answer->path && answer->path != exe_path_hash(program->exe, &components))
		told[(*n_told)++] = told_of(program, PH_TRAIT_PATH, answer->path);
}

/* Some of the programs; adds to `told`. */
static int tell_some(const struct files_bpf *bpf, const struct ph_image_program *programs, size_t n,
		     struct told *told, size_t *n_told, size_t *missing)
{
	struct ph_told_file answers[4 * OPEN_MAX_FILES];
	int fds[OPEN_MAX_FILES];
	size_t n_answers = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		fds[i] = open(programs[i].exe, O_PATH | O_CLOEXEC);
	r = files_ask(bpf, answers, sizeof(answers) / sizeof(*answers), &n_answers);
	for (size_t i = 0; i < n; i++) {
		const struct ph_told_file *answer = NULL;

		if (fds[i] >= 0)
			answer = files_find(answers, n_answers, fds[i]);
		if (answer)
			add_answer(&programs[i], answer, told, n_told);
		else
			++*missing;
		fd_close(fds[i]);
	}
	return r;
}

static int tell_all(const struct ph_image *image, struct told *told, size_t *n_told,
		    size_t *missing)
{
	cleanup_(files_bpf__destroyp) struct files_bpf *bpf = NULL;
	int r = files_load(&bpf);

	for (size_t i = 0; !r && i < image->n_programs; i += OPEN_MAX_FILES) {
		size_t left = image->n_programs - i;

		r = tell_some(bpf, image->programs + i,
			      left < OPEN_MAX_FILES ? left : OPEN_MAX_FILES, told, n_told, missing);
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

static bool is_told(const struct told *told, size_t n, const struct ph_trait *trait)
{
	for (size_t low = 0, high = n; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(trait, &told[middle].trait, sizeof(*trait));

		if (!order)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* What was true of files that are others now. */
static void forget_others(int table, const struct told *told, size_t n)
{
	struct ph_trait trait, next;
	bool more = !bpf_map_get_next_key(table, NULL, &next);

	while (more) {
		trait = next;
		more = !bpf_map_get_next_key(table, &trait, &next);
		if (!is_told(told, n, &trait))
			(void)bpf_map_delete_elem(table, &trait);
	}
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
	cleanup_free struct told *told = calloc(2 * image->n_programs + 1, sizeof(*told));
	cleanup_close int table = kernel_table(kernel, PH_MAP_FILES, slot);
	size_t n = 0, missing = 0;
	int r;

	if (!told)
		return -ENOMEM;
	if (table < 0)
		return table;
	r = tell_all(image, told, &n, &missing);
	if (r)
		return r;
	*ret_missing = missing;
	if (n)
		qsort(told, n, sizeof(*told), order_told);
	forget_others(table, told, n);
	return fill(table, told, n);
}
