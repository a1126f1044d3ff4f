// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/front.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel maps whole pages. */
static size_t size_of_map(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (sizeof(struct ph_front) + page - 1) / page * page;
}

struct ph_front *front_open(const struct ph_kernel *kernel)
{
	void *memory = mmap(NULL, size_of_map(), PROT_READ | PROT_WRITE, MAP_SHARED,
			    kernel->map[PH_MAP_FRONT], 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void front_close(struct ph_front *front)
{
	if (front)
		(void)munmap(front, size_of_map());
}

__u64 front_naming(const struct ph_header *header)
{
	__u64 naming = header->generation << PH_FRONT_GENERATION | header->slot | PH_FRONT_SET;

	if (header->deadline)
		naming |= PH_FRONT_DEADLINE;
	if (header->features & PH_FEATURE_BY_UID)
		naming |= PH_FRONT_UID;
	if (header->features & PH_FEATURE_BY_CGROUP)
		naming |= PH_FRONT_CGROUP;
	if (header->features & PH_FEATURE_KEEP)
		naming |= PH_FRONT_KEEP;
	return naming;
}

void front_set(__u64 *entry, __u64 naming)
{
	__atomic_store_n(entry, naming, __ATOMIC_RELEASE);
}

/* Of a deadline that is named no more, something may be left in the header. */
int front_header(const struct ph_front *front, const __u64 *entry, struct ph_header *ret)
{
	__u64 naming = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

	if (!(naming & PH_FRONT_SET))
		return -ENOENT;
	*ret = front->header[naming & PH_FRONT_SLOT];
	if (!(naming & PH_FRONT_DEADLINE))
		ret->deadline = 0;
	return 0;
}

int front_free_slot(const struct ph_front *front)
{
	struct ph_header current, fallback;

	if (front_header(front, &front->current, &current))
		return 0;
	if (current.deadline && !front_header(front, &front->fallback, &fallback))
		return -EBUSY;
	return !current.slot;
}
