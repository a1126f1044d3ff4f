// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	objects
 *
 * What porthold has in the kernel, a line each, with tabs:
 *
 *	program	NAME	bytes as loaded		bytes of machine code	instructions verified
 *	map	NAME	bytes of memory		how many CPUs these are for
 *
 * Instructions verified are 0 where the kernel does not tell (before 5.16). Memory is for one CPU
 * in a map that has everything for each CPU, else for all.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS "ph_"

/* The field that follows is Linux 5.16's: the headers may not have it yet. */
enum {
	VERIFIED_AT = offsetof(struct bpf_prog_info, recursion_misses) + sizeof(uint64_t),
};

union program_info {
	struct bpf_prog_info known;
	uint8_t bytes[VERIFIED_AT + 4 * sizeof(uint32_t)];
};

static void __attribute__((noreturn)) die(const char *what)
{
	(void)fprintf(stderr, "objects: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void print_program(int fd)
{
	union program_info info = {};
	uint32_t size = sizeof(info), verified;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		die("program");
	if (strncmp(info.known.name, OURS, strlen(OURS)) != 0)
		return;
	memcpy(&verified, info.bytes + VERIFIED_AT, sizeof(verified));
	(void)printf("program\t%s\t%u\t%u\t%u\n", info.known.name, info.known.xlated_prog_len,
		     info.known.jited_prog_len, verified);
}

/* "memlock:	N" of the file descriptor. */
static unsigned long memory_of(int fd)
{
	char path[64], line[128];
	unsigned long bytes;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %lu", &bytes) == 1) {
			(void)fclose(file);
			return bytes;
		}
	}
	errno = ENODATA;
	die(path);
	return 0;
}

static const char *scope_of(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return "one";
	default:
		return "all";
	}
}

static void print_map(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		die("map");
	if (!strncmp(info.name, OURS, strlen(OURS)))
		(void)printf("map\t%s\t%lu\t%s\n", info.name, memory_of(fd), scope_of(info.type));
}

/* One may go between its number and its descriptor. */
static void visit(int fd, void (*print)(int fd))
{
	if (fd >= 0) {
		print(fd);
		(void)close(fd);
	} else if (errno != ENOENT) {
		die("descriptor");
	}
}

int main(void)
{
	uint32_t id;

	for (id = 0; !bpf_prog_get_next_id(id, &id);)
		visit(bpf_prog_get_fd_by_id(id), print_program);
	for (id = 0; !bpf_map_get_next_id(id, &id);)
		visit(bpf_map_get_fd_by_id(id), print_map);
	return errno == ENOENT ? 0 : 1;
}
