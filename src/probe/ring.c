// SPDX-License-Identifier: GPL-2.0-or-later
/* io_uring: one ring per attempt, one request at a time. */
#define _GNU_SOURCE 1
#include <liburing.h>
#include <string.h>
#include "probe/internal.h"

#define ENTRIES 4
#define TABLE_SIZE 4
#define COMPLETION_S 3

int probe_ring_check(struct probe_env *env)
{
	struct io_uring ring;
	int r = io_uring_queue_init(ENTRIES, &ring, 0);

	if (r < 0) {
		errno = -r;
		return probe_cannot(env, "io_uring_setup");
	}
	io_uring_queue_exit(&ring);
	return 0;
}

struct io_uring *probe_ring_open(struct probe_env *env)
{
	static struct io_uring ring;
	bool polled = (env->probe->how & RING_MODES) == RING_POLLED;
	int r = io_uring_queue_init(ENTRIES, &ring, polled ? IORING_SETUP_SQPOLL : 0);

	if (r < 0) {
		errno = -r;
		probe_finish(env, probe_judge(env, "io_uring_setup", -1));
	}
	if (polled && !(ring.features & IORING_FEAT_SQPOLL_NONFIXED))
		probe_finish(env, probe_say(env, PROBE_UNTRIED,
					    "IORING_SETUP_SQPOLL takes only registered files"));
	return &ring;
}

struct io_uring_sqe *probe_ring_request(struct probe_env *env, struct io_uring *ring,
					unsigned int operation)
{
	struct io_uring_probe *known = io_uring_get_probe_ring(ring);

	if (!known || !io_uring_opcode_supported(known, (int)operation))
		probe_finish(env, probe_say(env, PROBE_UNTRIED,
					    "this kernel has no io_uring operation %u", operation));
	return io_uring_get_sqe(ring);
}

long probe_ring_run(struct probe_env *env, struct io_uring *ring, struct io_uring_sqe *request)
{
	struct __kernel_timespec timeout = { .tv_sec = COMPLETION_S };
	struct io_uring_cqe *cqe;
	long result;
	int r;

	if ((env->probe->how & RING_MODES) == RING_ASYNC)
		request->flags |= IOSQE_ASYNC;
	if (env->probe->how & RING_FIXED)
		request->flags |= IOSQE_FIXED_FILE;
	r = io_uring_submit(ring);
	if (r >= 0)
		r = io_uring_wait_cqe_timeout(ring, &cqe, &timeout);
	if (r < 0) {
		errno = -r;
		return -1;
	}
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : result;
}

void probe_ring_table(struct probe_env *env, struct io_uring *ring, int fd)
{
	int table[TABLE_SIZE] = { fd, -1, -1, -1 };
	int r = io_uring_register_files(ring, table, TABLE_SIZE);

	if (r < 0)
		probe_finish(env, probe_say(env, PROBE_UNTRIED, "io_uring_register_files: %s",
					    strerrorname_np(-r)));
}
