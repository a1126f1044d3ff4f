// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	counters PIN
 *
 * The sum of all values (64 bits each) of a pinned map: what `status` shows, but fast enough to
 * be asked before and after every probe.
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY_MAX 64

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

int main(int argc, char **argv)
{
	union bpf_attr open = { .pathname = argc == 2 ? (uintptr_t)argv[1] : 0 };
	uint8_t key[KEY_MAX], next[KEY_MAX];
	uint64_t value, sum = 0;
	union bpf_attr walk = { .next_key = (uintptr_t)next };
	union bpf_attr look = { .key = (uintptr_t)next, .value = (uintptr_t)&value };
	long fd = bpf(BPF_OBJ_GET, &open);

	if (fd < 0) {
		perror("counters");
		return 1;
	}
	walk.map_fd = look.map_fd = (uint32_t)fd;
	while (!bpf(BPF_MAP_GET_NEXT_KEY, &walk)) {
		if (!bpf(BPF_MAP_LOOKUP_ELEM, &look))
			sum += value;
		__builtin_memcpy(key, next, sizeof(key));
		walk.key = (uintptr_t)key;
	}
	(void)printf("%llu\n", (unsigned long long)sum);
	return 0;
}
