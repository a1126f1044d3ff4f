// SPDX-License-Identifier: GPL-2.0-or-later
/* io_uring in place of the system calls that open, connect, bind, listen and accept. */
#define _GNU_SOURCE 1
#include <liburing.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

/* newer than the header */
#define OPERATION_BIND 56
#define OPERATION_LISTEN 57

static enum probe_answer connect_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_CONNECT);
	int fd = probe_socket(env, SOCK_STREAM, 0);
	struct probe_address target;

	probe_target(env, &target);
	if (env->probe->how & RING_FIXED)
		probe_ring_table(env, ring, fd);
	io_uring_prep_connect(request, env->probe->how & RING_FIXED ? 0 : fd, &target.any,
			      target.length);
	return probe_judge(env, "IORING_OP_CONNECT", probe_ring_run(env, ring, request));
}

/* Connect, send and receive, all by requests. */
static enum probe_answer talk_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_CONNECT);
	int fd = probe_socket(env, SOCK_STREAM, 0);
	struct probe_address target;
	char byte = 0;

	probe_target(env, &target);
	io_uring_prep_connect(request, fd, &target.any, target.length);
	if (probe_ring_run(env, ring, request) < 0)
		return probe_judge(env, "IORING_OP_CONNECT", -1);
	request = probe_ring_request(env, ring, IORING_OP_SEND);
	io_uring_prep_send(request, fd, "p", 1, MSG_NOSIGNAL);
	if (probe_ring_run(env, ring, request) != 1)
		return probe_judge(env, "IORING_OP_SEND", -1);
	request = probe_ring_request(env, ring, IORING_OP_RECV);
	io_uring_prep_recv(request, fd, &byte, 1, 0);
	if (probe_ring_run(env, ring, request) != 1)
		return probe_judge(env, "IORING_OP_RECV", -1);
	return probe_say(env, byte == 'p' ? PROBE_ALLOWED : PROBE_OTHER, "echo by io_uring");
}

static enum probe_answer fastopen_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SENDMSG);
	int fd = probe_socket(env, SOCK_STREAM, 0);
	struct iovec part = { .iov_base = "p", .iov_len = 1 };
	struct probe_address target;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_name = &target };

	probe_target(env, &target);
	message.msg_namelen = target.length;
	io_uring_prep_sendmsg(request, fd, &message, MSG_FASTOPEN | MSG_NOSIGNAL);
	return probe_judge(env, "IORING_OP_SENDMSG", probe_ring_run(env, ring, request));
}

static enum probe_answer create_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SOCKET);
	const struct probe *probe = env->probe;

	if (!probe_has_protocol(env, probe->family, probe->type, probe->protocol))
		return PROBE_UNTRIED;
	io_uring_prep_socket(request, probe->family, probe->type, probe->protocol, 0);
	return probe_judge(env, "IORING_OP_SOCKET", probe_ring_run(env, ring, request));
}

/* The socket goes into the ring's table and never is a descriptor. */
static enum probe_answer create_in_table(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SOCKET);

	probe_ring_table(env, ring, -1);
	io_uring_prep_socket_direct(request, env->probe->family, env->probe->type,
				    env->probe->protocol, 0, 0);
	return probe_judge(env, "IORING_OP_SOCKET", probe_ring_run(env, ring, request));
}

/* As above, then connected by its place in the table. */
static enum probe_answer connect_in_table(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_SOCKET);
	struct probe_address target;

	probe_ring_table(env, ring, -1);
	io_uring_prep_socket_direct(request, AF_INET, SOCK_STREAM, 0, 0, 0);
	if (probe_ring_run(env, ring, request) < 0)
		return probe_say(env, PROBE_OTHER, "IORING_OP_SOCKET for TCP: %s",
				 strerrorname_np(errno));
	probe_target(env, &target);
	request = probe_ring_request(env, ring, IORING_OP_CONNECT);
	io_uring_prep_connect(request, 0, &target.any, target.length);
	request->flags |= IOSQE_FIXED_FILE;
	return probe_judge(env, "IORING_OP_CONNECT", probe_ring_run(env, ring, request));
}

static enum probe_answer bind_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, OPERATION_BIND);
	int fd = probe_socket(env, SOCK_STREAM, 0);
	struct probe_address target;

	probe_target(env, &target);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, SOCKOPT_ON);
	io_uring_prep_rw(OPERATION_BIND, request, fd, &target.any, 0, target.length);
	return probe_judge(env, "IORING_OP_BIND", probe_ring_run(env, ring, request));
}

static enum probe_answer listen_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, OPERATION_LISTEN);
	int fd = probe_socket(env, SOCK_STREAM, 0);

	io_uring_prep_rw(OPERATION_LISTEN, request, fd, NULL, 8, 0);
	return probe_judge(env, "IORING_OP_LISTEN", probe_ring_run(env, ring, request));
}

static int prepare_listener(struct probe_env *env)
{
	return probe_ring_check(env) < 0 ? -1 : probe_prepare_listener(env);
}

static enum probe_answer accept_by_ring(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_ACCEPT);

	io_uring_prep_accept(request, env->fd[0], NULL, NULL, SOCK_CLOEXEC);
	return probe_judge(env, "IORING_OP_ACCEPT", probe_ring_run(env, ring, request));
}

static enum probe_answer accept_multishot(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_ACCEPT);
	long result;

	io_uring_prep_multishot_accept(request, env->fd[0], NULL, NULL, 0);
	result = probe_ring_run(env, ring, request);
	if (result < 0 && errno == EINVAL)
		return probe_say(env, PROBE_UNTRIED, "no multishot accept here");
	return probe_judge(env, "IORING_OP_ACCEPT", result);
}

static enum probe_answer accept_in_table(struct probe_env *env)
{
	struct io_uring *ring = probe_ring_open(env);
	struct io_uring_sqe *request = probe_ring_request(env, ring, IORING_OP_ACCEPT);
	long result;

	probe_ring_table(env, ring, -1);
	io_uring_prep_accept_direct(request, env->fd[0], NULL, NULL, 0, 0);
	result = probe_ring_run(env, ring, request);
	if (result < 0 && errno == EINVAL)
		return probe_say(env, PROBE_UNTRIED, "no accept into the table here");
	return probe_judge(env, "IORING_OP_ACCEPT", result);
}

#define PROBE(probe_name, tested, meaning, answer, first, function, ...)                    \
	{                                                                                   \
		.name = probe_name, .door = "io_uring", .promise = tested, .what = meaning, \
		.expect = answer, .prepare = first, .attempt = function, __VA_ARGS__        \
	}
#define ALLOWED(probe_name, meaning, function, ...)                                                \
	PROBE("allow-uring-" probe_name, NULL, meaning, PROBE_ALLOWED, probe_ring_check, function, \
	      __VA_ARGS__)
#define DENIED(probe_name, tested, meaning, function, ...)                                    \
	PROBE("uring-" probe_name, tested, meaning, PROBE_DENIED, probe_ring_check, function, \
	      __VA_ARGS__)
#define CONNECTS(probe_name, meaning, function, ...) \
	DENIED(probe_name, "connect", meaning, function, .flags = PROBE_ARRIVES, __VA_ARGS__)
#define FASTOPENS(probe_name, meaning, ...)                                               \
	DENIED(probe_name, "fastopen", meaning, fastopen_by_ring, .flags = PROBE_ARRIVES, \
	       __VA_ARGS__)
#define ACCEPTS(probe_name, tested, meaning, answer, function, ...)            \
	PROBE(probe_name, tested, meaning, answer, prepare_listener, function, \
	      .where = PROBE_SECOND_V4, __VA_ARGS__)

const struct probe probe_uring[] = {
	ALLOWED("connect", "connect, send and receive by io_uring", talk_by_ring, ),
	ALLOWED("connect-async", "the same by a worker thread", talk_by_ring, .how = RING_ASYNC),
	ALLOWED("connect-sqpoll", "the same by the submission thread", talk_by_ring,
		.how = RING_POLLED),
	ALLOWED("socket", "a TCP socket by io_uring", create_by_ring, .family = AF_INET,
		.type = SOCK_STREAM),
	ALLOWED("socket-udp", "a UDP socket by io_uring", create_by_ring, .family = AF_INET,
		.type = SOCK_DGRAM),
	ALLOWED("socket-udp-async", "a UDP socket by a worker thread", create_by_ring,
		.family = AF_INET, .type = SOCK_DGRAM, .how = RING_ASYNC),
	ALLOWED("socket-udp-direct", "a UDP socket created in the ring's table", create_in_table,
		.family = AF_INET, .type = SOCK_DGRAM),
	ACCEPTS("allow-uring-accept", NULL, "accept on the allowed port by io_uring", PROBE_ALLOWED,
		accept_by_ring, ),
	CONNECTS("connect", "connect by io_uring", connect_by_ring, ),
	CONNECTS("connect-v6", "connect by io_uring, IPv6", connect_by_ring, .where = PROBE_V6),
	CONNECTS("connect-async", "connect by a worker thread", connect_by_ring, .how = RING_ASYNC),
	CONNECTS("connect-sqpoll", "connect by the submission thread", connect_by_ring,
		 .how = RING_POLLED),
	CONNECTS("connect-fixed", "connect of a socket in the ring's table", connect_by_ring,
		 .how = RING_FIXED),
	CONNECTS("connect-direct", "connect of a socket created in the ring's table",
		 connect_in_table, ),
	FASTOPENS("fastopen", "sendmsg(MSG_FASTOPEN) by io_uring", ),
	FASTOPENS("fastopen-async", "sendmsg(MSG_FASTOPEN) by a worker thread", .how = RING_ASYNC),
	DENIED("socket-packet", "families", "an AF_PACKET socket by io_uring", create_by_ring,
	       .family = AF_PACKET, .type = SOCK_RAW, .needs = PROBE_NEEDS_NET_RAW),
	DENIED("bind", "bind", "bind by io_uring", bind_by_ring, .where = PROBE_SECOND_V4),
	DENIED("listen", "listen", "listen with no bind by io_uring", listen_by_ring, ),
	ACCEPTS("uring-accept", "handed-over", "accept on an inherited listener by io_uring",
		PROBE_DENIED, accept_by_ring, ),
	ACCEPTS("uring-accept-async", "handed-over", "the same by a worker thread", PROBE_DENIED,
		accept_by_ring, .how = RING_ASYNC),
	ACCEPTS("uring-accept-sqpoll", "handed-over", "the same by the submission thread",
		PROBE_DENIED, accept_by_ring, .how = RING_POLLED),
	ACCEPTS("uring-accept-multishot", "handed-over",
		"multishot accept on an inherited listener", PROBE_DENIED, accept_multishot, ),
	ACCEPTS("uring-accept-direct", "handed-over",
		"accept into the ring's table, on an inherited listener", PROBE_DENIED,
		accept_in_table, ),
	{},
};
