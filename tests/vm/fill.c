// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	fill PIN [empty | zero]
 *
 * Fills a pinned map with entries of nobody's until it takes no more, or takes them out again, or makes
 * every value of an array zero; prints how many.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	SIZE_MAX_OF_BOTH = 1 << 20,
	ENTRIES_MAX = 1 << 20,
	NOBODY = 1 << 30, /* no thread has such a number, no policy and no cgroup such an id */
};

static int call(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int open_pin(const char *path)
{
	union bpf_attr attributes = { .pathname = (uintptr_t)path };

	return call(BPF_OBJ_GET, &attributes);
}

/* The whole key: what follows the number is filled as well. */
static void make_key(uint32_t number, bool array, char *key, size_t size)
{
	memset(key, 0x40, size);
	if (!array)
		number |= NOBODY;
	memcpy(key, &number, sizeof(number));
}

int main(int argc, char **argv)
{
	static char key[SIZE_MAX_OF_BOTH], value[SIZE_MAX_OF_BOTH];
	struct bpf_map_info info = {};
	union bpf_attr attributes = {};
	int map = argc > 1 ? open_pin(argv[1]) : -1, command;
	uint32_t n = 0;
	bool array;

	array = argc > 2 && !strcmp(argv[2], "zero");
	command = argc > 2 && !array ? BPF_MAP_DELETE_ELEM : BPF_MAP_UPDATE_ELEM;
	attributes.info.bpf_fd = map;
	attributes.info.info_len = sizeof(info);
	attributes.info.info = (uintptr_t)&info;
	if (call(BPF_OBJ_GET_INFO_BY_FD, &attributes) || info.key_size > sizeof(key) ||
	    info.value_size > sizeof(value)) {
		perror("fill");
		return 1;
	}
	for (; n < ENTRIES_MAX; n++) {
		make_key(n, array, key, info.key_size);
		attributes = (union bpf_attr){ .map_fd = map,
					       .key = (uintptr_t)key,
					       .value = (uintptr_t)value };
		if (command == BPF_MAP_DELETE_ELEM)
			attributes.value = 0;
		if (call(command, &attributes))
			break;
	}
	(void)printf("%u\n", n);
	return n == ENTRIES_MAX;
}
