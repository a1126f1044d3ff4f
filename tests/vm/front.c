// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	front PIN [NUMBER]
 *
 * Prints which generation the pinned ph_front names as the current one (struct ph_front of bpf/abi.h),
 * or makes it name another, as nobody should.
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	union bpf_attr open = { .pathname = argc > 1 ? (uintptr_t)argv[1] : 0 };
	int fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &open, sizeof(open));
	uint64_t *current;

	current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (current == MAP_FAILED) {
		perror("front");
		return 1;
	}
	if (argc > 2)
		*(volatile uint64_t *)current = strtoull(argv[2], NULL, 10);
	else
		(void)printf("%llu\n", (unsigned long long)*current);
	return 0;
}
