// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ring of abi.h (PH_WAKE_UNREAD). It has one position up to which it was read, for all who wait
 * together, and a poll says only whether something is unread. So nobody ever reads the last record,
 * and each waits for the edge (EPOLLET): a wake-up that one has answered still reaches the others.
 *
 * None is missed: a record is left out only while a newer one than PH_WAKE_UNREAD tells of is
 * there; then nobody has moved the position since that one was written, and so everybody has its
 * wake-up still before him, and reads the slots after it.
 */
#include "events/wake.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int map_positions(int ring, struct ph_wake *wake)
{
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);

	if (page == MAP_FAILED)
		return -errno;
	wake->consumed = page;
	page = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, ring, (off_t)page_size());
	if (page == MAP_FAILED)
		return -errno;
	wake->produced = page;
	return 0;
}

int wake_open(const struct ph_kernel *kernel, struct ph_wake *ret)
{
	int ring = kernel->map[PH_MAP_WAKE];
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	struct ph_wake wake = { .fd = epoll_create1(EPOLL_CLOEXEC) };
	int r = wake.fd < 0 ? -errno : 0;

	if (!r)
		r = map_positions(ring, &wake);
	if (!r && epoll_ctl(wake.fd, EPOLL_CTL_ADD, ring, &edge))
		r = -errno;
	if (r) {
		wake_close(&wake);
		return r;
	}
	*ret = wake;
	return 0;
}

void wake_close(struct ph_wake *wake)
{
	if (wake->consumed)
		(void)munmap(wake->consumed, page_size());
	if (wake->produced)
		(void)munmap((void *)wake->produced, page_size());
	fd_close(wake->fd);
	*wake = (struct ph_wake)PH_WAKE_NULL;
}

void wake_clear(struct ph_wake *wake)
{
	unsigned long produced, consumed;
	struct epoll_event edge;

	(void)epoll_wait(wake->fd, &edge, 1, 0);
	produced = __atomic_load_n(wake->produced, __ATOMIC_ACQUIRE);
	consumed = __atomic_load_n(wake->consumed, __ATOMIC_RELAXED);
	/* Never back: another may have read further. */
	while (produced - consumed > PH_WAKE_UNREAD &&
	       !__atomic_compare_exchange_n(wake->consumed, &consumed, produced - PH_WAKE_UNREAD,
					    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}
