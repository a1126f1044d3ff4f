// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	front PIN current|delegated [NUMBER]
 *
 * Prints a number of the pinned ph_front (struct ph_front of bpf/abi.h), or makes it another, as nobody
 * should: which generation is the current one, or how many cgroups others than root have made.
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"

static uint64_t *find_number(struct ph_front *front, const char *name)
{
	if (!strcmp(name, "current"))
		return (uint64_t *)&front->current;
	return strcmp(name, "delegated") ? NULL : (uint64_t *)&front->delegated;
}

int main(int argc, char **argv)
{
	union bpf_attr open = { .pathname = argc > 2 ? (uintptr_t)argv[1] : 0 };
	int fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &open, sizeof(open));
	volatile uint64_t *number;
	struct ph_front *front;

	front = mmap(NULL, sizeof(*front), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (front == MAP_FAILED) {
		perror("front");
		return 1;
	}
	number = find_number(front, argv[2]);
	if (!number)
		return 2;
	if (argc > 3)
		*number = strtoull(argv[3], NULL, 10);
	else
		(void)printf("%llu\n", (unsigned long long)*number);
	return 0;
}
