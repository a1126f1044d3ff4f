// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring on sockets of another process: inherited as descriptors, inherited inside a ring, or
 * sent from ring to ring, which passes no hook of its own.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

/* newer than the header */
#define OPERATION_FIXED_FD_INSTALL 54

#define RING_ENTRIES 4

_Static_assert(sizeof(struct io_uring_params) <= sizeof(((struct probe_env *)0)->extra),
	       "the parameters of a ring are handed over in `extra`");

static char payload[SEND_LENGTH] = "a probe of porthold";

static int prepare_connected(struct probe_env *env)
{
	return probe_ring_check(env) < 0 ? -1 : probe_prepare_connected(env);
}

static int prepare_echo(struct probe_env *env)
{
	return probe_ring_check(env) < 0 ? -1 : probe_prepare_echo(env);
}

/* -- send and receive ------------------------------------------------------------------------ */

/* The operation is the probe's `type`. */
static void fill_transfer(struct io_uring_sqe *request, int operation, int fd)
{
	static struct iovec part = { .iov_base = payload, .iov_len = SEND_LENGTH };
	static struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	switch (operation) {
	case IORING_OP_SENDMSG:
	case IORING_OP_SENDMSG_ZC:
	case IORING_OP_RECVMSG:
		io_uring_prep_rw(operation, request, fd, &message, 1, 0);
		break;
	case IORING_OP_WRITEV:
	case IORING_OP_READV:
		io_uring_prep_rw(operation, request, fd, &part, 1, 0);
		break;
	default:
		io_uring_prep_rw(operation, request, fd, payload, SEND_LENGTH, 0);
		break;
	}
}

static enum probe_answer transfer(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	int operation = env->probe->type;
	struct io_uring_sqe *request = probe_ring_request(env, ring, (unsigned int)operation);

	if (env->probe->how & RING_FIXED)
		probe_ring_table(env, ring, env->fd[0]);
	fill_transfer(request, operation, env->probe->how & RING_FIXED ? 0 : env->fd[0]);
	return probe_judge(env, "the request", probe_ring_run(env, ring, request));
}

static enum probe_answer splice_out(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SPLICE);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], payload, SEND_LENGTH) != SEND_LENGTH)
		return probe_say(env, PROBE_UNTRIED, "pipe: %s", strerrorname_np(errno));
	io_uring_prep_splice(request, ends[0], -1, env->fd[0], -1, SEND_LENGTH, 0);
	return probe_judge(env, "IORING_OP_SPLICE", probe_ring_run(env, ring, request));
}

static enum probe_answer splice_in(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SPLICE);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return probe_say(env, PROBE_UNTRIED, "pipe: %s", strerrorname_np(errno));
	io_uring_prep_splice(request, env->fd[0], -1, ends[1], -1, SEND_LENGTH, 0);
	return probe_judge(env, "IORING_OP_SPLICE", probe_ring_run(env, ring, request));
}

/* -- rings that outlive the exec ------------------------------------------------------------- */

/* A ring in fd[1] whose table holds `fd`; unused, so that it can be mapped anew after exec. */
static int make_ring(struct probe_env *env, struct io_uring *ring, int fd)
{
	struct io_uring_params params = {};
	int r = io_uring_queue_init_params(RING_ENTRIES, ring, &params);

	if (r < 0) {
		errno = -r;
		return probe_cannot(env, "io_uring_setup");
	}
	probe_ring_table(env, ring, fd);
	env->fd[1] = ring->ring_fd;
	memcpy(env->extra, &params, sizeof(params));
	return 0;
}

static struct io_uring *map_ring(struct probe_env *env)
{
	static struct io_uring ring;
	struct io_uring_params params;
	int r;

	memcpy(&params, env->extra, sizeof(params));
	r = io_uring_queue_mmap(env->fd[1], &params, &ring);
	if (r < 0)
		probe_finish(env, probe_say(env, PROBE_UNTRIED, "mapping the ring: %s",
					    strerrorname_np(-r)));
	return &ring;
}

static int prepare_ring_with_socket(struct probe_env *env)
{
	struct io_uring ring;
	int fd = probe_connect(env);

	return fd < 0 ? probe_cannot(env, "connect") : make_ring(env, &ring, fd);
}

static enum probe_answer send_from_table(struct probe_env *env, struct io_uring *ring)
{
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SEND);

	io_uring_prep_send(request, 0, payload, SEND_LENGTH, MSG_NOSIGNAL);
	request->flags |= IOSQE_FIXED_FILE;
	return probe_judge(env, "IORING_OP_SEND", probe_ring_run(env, ring, request));
}

static enum probe_answer send_by_inherited_ring(struct probe_env *env)
{
	return send_from_table(env, map_ring(env));
}

/* From the table to a descriptor. */
static enum probe_answer install(struct probe_env *env)
{
	struct io_uring *ring = map_ring(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, OPERATION_FIXED_FD_INSTALL);

	io_uring_prep_rw(OPERATION_FIXED_FD_INSTALL, request, 0, NULL, 0, 0);
	request->flags |= IOSQE_FIXED_FILE;
	return probe_judge(env, "IORING_OP_FIXED_FD_INSTALL", probe_ring_run(env, ring, request));
}

/* -- from ring to ring ----------------------------------------------------------------------- */

/* Puts a connection into the attempt's ring when asked, and answers with the errno. */
static void send_socket(struct probe_env *env, int link)
{
	struct probe_env here = { .probe = env->probe, .fd = { -1, -1, -1, -1 } };
	struct io_uring ring;
	struct io_uring_sqe *request;
	int32_t result;

	if (recv(link, &result, sizeof(result), 0) != sizeof(result) ||
	    make_ring(&here, &ring, env->fd[0]) < 0)
		return;
	request = io_uring_get_sqe(&ring);
	io_uring_prep_rw(IORING_OP_MSG_RING, request, env->fd[1],
			 (void *)(uintptr_t)IORING_MSG_SEND_FD, 0, 0);
	request->addr3 = 0;
	request->file_index = 1;
	result = probe_ring_run(&here, &ring, request) < 0 ? errno : 0;
	(void)send(link, &result, sizeof(result), MSG_NOSIGNAL);
	(void)recv(link, &result, sizeof(result), 0);
}

static int prepare_ring_sender(struct probe_env *env)
{
	struct io_uring ring;
	int fd;

	if (probe_ring_check(env) < 0 || make_ring(env, &ring, -1) < 0)
		return -1;
	env->fd[0] = fd = probe_connect(env);
	if (fd < 0)
		return probe_cannot(env, "connect");
	if (probe_helper(env, send_socket) < 0)
		return probe_cannot(env, "fork");
	env->fd[0] = -1;
	(void)close(fd);
	return 0;
}

static enum probe_answer send_by_passed_socket(struct probe_env *env)
{
	struct io_uring *ring = map_ring(env);
	struct io_uring_cqe *cqe;
	int32_t result = 0;

	if (send(env->helper_link, &result, sizeof(result), MSG_NOSIGNAL) < 0 ||
	    !probe_readable(env->helper_link, ANSWER_TIMEOUT_MS) ||
	    recv(env->helper_link, &result, sizeof(result), 0) != sizeof(result))
		return probe_say(env, PROBE_UNTRIED, "the helper sends nothing");
	if (result == EINVAL)
		return probe_say(env, PROBE_UNTRIED, "no IORING_MSG_SEND_FD here");
	errno = result;
	if (result)
		return probe_judge(env, "IORING_MSG_SEND_FD", -1);
	if (io_uring_peek_cqe(ring, &cqe) == 0)
		io_uring_cqe_seen(ring, cqe);
	return send_from_table(env, ring);
}

#define PROBE(probe_name, through, tested, meaning, first, function, ...)                         \
	{                                                                                         \
		.name = "uring-" probe_name, .door = through, .promise = tested, .what = meaning, \
		.expect = PROBE_DENIED, .prepare = first, .attempt = function, __VA_ARGS__        \
	}
#define SENDS(probe_name, meaning, operation, ...)                                          \
	PROBE(probe_name, "io_uring", "handed-over", meaning " on an inherited connection", \
	      prepare_connected, transfer, .type = operation, .flags = PROBE_ARRIVES, __VA_ARGS__)
#define RECEIVES(probe_name, meaning, operation, ...)                                  \
	PROBE(probe_name, "io_uring", "handed-over",                                   \
	      meaning " on an inherited connection with data", prepare_echo, transfer, \
	      .type = operation, __VA_ARGS__)
#define ARRIVES .flags = PROBE_ARRIVES

const struct probe probe_uring_files[] = {
	SENDS("send", "IORING_OP_SEND", IORING_OP_SEND, ),
	SENDS("send-v6", "IORING_OP_SEND, IPv6,", IORING_OP_SEND, .where = PROBE_V6),
	SENDS("send-async", "IORING_OP_SEND by a worker thread", IORING_OP_SEND, .how = RING_ASYNC),
	SENDS("send-sqpoll", "IORING_OP_SEND by the submission thread", IORING_OP_SEND,
	      .how = RING_POLLED),
	SENDS("send-fixed", "IORING_OP_SEND, registered,", IORING_OP_SEND, .how = RING_FIXED),
	SENDS("sendmsg", "IORING_OP_SENDMSG", IORING_OP_SENDMSG, ),
	SENDS("sendmsg-async", "IORING_OP_SENDMSG by a worker thread", IORING_OP_SENDMSG,
	      .how = RING_ASYNC),
	SENDS("write", "IORING_OP_WRITE", IORING_OP_WRITE, ),
	SENDS("writev", "IORING_OP_WRITEV", IORING_OP_WRITEV, ),
	SENDS("send-zc", "IORING_OP_SEND_ZC", IORING_OP_SEND_ZC, ),
	SENDS("sendmsg-zc", "IORING_OP_SENDMSG_ZC", IORING_OP_SENDMSG_ZC, ),
	RECEIVES("recv", "IORING_OP_RECV", IORING_OP_RECV, ),
	RECEIVES("recv-async", "IORING_OP_RECV by a worker thread", IORING_OP_RECV,
		 .how = RING_ASYNC),
	RECEIVES("recv-sqpoll", "IORING_OP_RECV by the submission thread", IORING_OP_RECV,
		 .how = RING_POLLED),
	RECEIVES("recvmsg", "IORING_OP_RECVMSG", IORING_OP_RECVMSG, ),
	RECEIVES("read", "IORING_OP_READ", IORING_OP_READ, ),
	RECEIVES("readv", "IORING_OP_READV", IORING_OP_READV, ),
	PROBE("splice", "splice", "handed-over",
	      "IORING_OP_SPLICE from a pipe to an inherited connection", prepare_connected,
	      splice_out, ARRIVES),
	PROBE("splice-read", "splice-read", "splice-read",
	      "IORING_OP_SPLICE from an inherited connection", prepare_echo, splice_in, ),
	PROBE("inherited-ring", "io_uring", "handed-over",
	      "send of a connection in an inherited ring's table", prepare_ring_with_socket,
	      send_by_inherited_ring, ARRIVES),
	PROBE("install", "handed-over", "handed-over",
	      "a connection of an inherited ring's table as descriptor", prepare_ring_with_socket,
	      install, ),
	PROBE("msg-ring", "io_uring", "handed-over",
	      "IORING_MSG_SEND_FD of a connection, then send", prepare_ring_sender,
	      send_by_passed_socket, ARRIVES),
	{},
};
