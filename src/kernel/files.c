// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/files.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "kernel/maps.h"
#include "util/cleanup.h"

static int say_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return 0;
}

/* The headers that it shares bring maps with them; it uses none, and no kernel has to know them. */
static void leave_maps_out(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		if (map_name(map))
			(void)bpf_map__set_autocreate(map, false);
	}
}

int files_load(struct files_bpf **ret)
{
	struct files_bpf *bpf = files_bpf__open();
	libbpf_print_fn_t print;
	int r;

	*ret = bpf;
	if (!bpf)
		return -errno;
	leave_maps_out(bpf->obj);
	print = libbpf_set_print(say_nothing);
	r = bpf_object__load(bpf->obj); /* files_bpf__load() wants every map */
	libbpf_set_print(print);
	return r;
}

static int read_all(int fd, struct ph_told_file *told, size_t max, size_t *ret_n)
{
	size_t used = 0, size = max * sizeof(*told);
	ssize_t got;

	do {
		got = read(fd, (char *)told + used, size - used);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		used += got > 0 ? got : 0;
	} while (got && used < size);
	*ret_n = used / sizeof(*told);
	return 0;
}

int files_ask(const struct files_bpf *programs, struct ph_told_file *told, size_t max,
	      size_t *ret_n)
{
	struct bpf_link *link = bpf_program__attach_iter(programs->progs.ph_tell_files, NULL);
	cleanup_close int fd = -1;
	int r;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	r = fd < 0 ? -errno : read_all(fd, told, max, ret_n);
	bpf_link__destroy(link);
	return r;
}

const struct ph_told_file *files_find(const struct ph_told_file *answers, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if ((int)answers[i].fd == fd)
			return &answers[i];
	return NULL;
}
