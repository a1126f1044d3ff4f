// SPDX-License-Identifier: GPL-2.0-or-later
/* TCP Fast Open: connects that no connect hook sees. */
#define _GNU_SOURCE 1
#include <linux/tcp.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

#define TCP_STATE_SYN_SENT 2 /* not in linux/tcp.h */

enum {
	BY_SENDTO,
	BY_SENDMSG,
	BY_SENDMMSG,
};

static long fastopen_send(int fd, struct probe_address *target, int how)
{
	struct iovec part = { .iov_base = "p", .iov_len = 1 };
	struct mmsghdr messages[2] = {};

	if (how == BY_SENDTO)
		return sendto(fd, "p", 1, MSG_FASTOPEN | MSG_NOSIGNAL, &target->any,
			      target->length);
	for (size_t i = 0; i < 2; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &target->any,
						       .msg_namelen = target->length,
						       .msg_iov = &part,
						       .msg_iovlen = 1 };
	if (how == BY_SENDMSG)
		return sendmsg(fd, &messages[0].msg_hdr, MSG_FASTOPEN | MSG_NOSIGNAL);
	return sendmmsg(fd, messages, 2, MSG_FASTOPEN | MSG_NOSIGNAL);
}

static enum probe_answer fastopen(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);
	long n;

	probe_target(env, &target);
	n = fastopen_send(fd, &target, env->probe->how);
	if (n < 0 || env->probe->expect == PROBE_DENIED)
		return probe_judge(env, "send(MSG_FASTOPEN)", n);
	return probe_judge(env, "echo", probe_readable(fd, ANSWER_TIMEOUT_MS) ? 0 : -1);
}

/* A name of no family: nothing to connect to, whatever the socket did before. */
static enum probe_answer fastopen_unspec(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	target.any.sa_family = AF_UNSPEC;
	if (fastopen_send(fd, &target, BY_SENDTO) == 1)
		return probe_say(env, PROBE_ALLOWED, "sendto(MSG_FASTOPEN): 1");
	return probe_say(env, PROBE_DENIED, "sendto(MSG_FASTOPEN): %s", strerrorname_np(errno));
}

/* A socket whose connect() returns at once; the first data starts the handshake. */
static int deferred_socket(const struct probe_env *env)
{
	int fd = probe_socket(env, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, SOCKOPT_ON) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, SOCKOPT_ON) < 0)
		return -1;
	return fd;
}

/* The connect is refused, and the socket that stays behind has no connection to write to. */
static enum probe_answer deferred_connect(struct probe_env *env)
{
	struct probe_address target;
	int fd = deferred_socket(env);
	enum probe_answer answer;
	ssize_t n;

	if (fd < 0)
		return probe_say(env, PROBE_UNTRIED, "TCP_FASTOPEN_CONNECT: %s",
				 strerrorname_np(errno));
	probe_target(env, &target);
	answer = probe_judge(env, "connect", connect(fd, &target.any, target.length));
	if (answer != env->probe->expect && answer != PROBE_ALLOWED)
		return answer;
	n = write(fd, "p", 1);
	if (n == 1 && env->probe->expect == PROBE_ALLOWED)
		return probe_judge(env, "echo", probe_readable(fd, ANSWER_TIMEOUT_MS) ? 0 : -1);
	if (n == 1 || answer == PROBE_ALLOWED)
		return probe_judge(env, "write after connect", n);
	return probe_judge_errno(env, "connect: EPERM, then write", n, EPIPE);
}

static int prepare_deferred(struct probe_env *env)
{
	struct probe_address target;
	struct tcp_info info = {};
	socklen_t length = sizeof(info);

	probe_target(env, &target);
	env->fd[0] = deferred_socket(env);
	if (env->fd[0] < 0 || connect(env->fd[0], &target.any, target.length) < 0)
		return probe_cannot(env, "TCP_FASTOPEN_CONNECT");
	(void)getsockopt(env->fd[0], IPPROTO_TCP, TCP_INFO, &info, &length);
	if (info.tcpi_state == TCP_STATE_SYN_SENT && info.tcpi_segs_out == 0)
		return 0;
	(void)probe_say(env, PROBE_UNTRIED, "the connect was not deferred");
	return -1;
}

static enum probe_answer deferred_inherited(struct probe_env *env)
{
	enum probe_send how = (enum probe_send)env->probe->how;
	long n = probe_send(env->fd[0], how);

	if (n > 0 && env->probe->expect == PROBE_ALLOWED)
		return probe_judge(env, "echo",
				   probe_readable(env->fd[0], ANSWER_TIMEOUT_MS) ? 0 : -1);
	/* before 6.5 these wait for a connect that they do not start themselves */
	if (n < 0 && errno == EAGAIN && (how == SEND_SENDFILE || how == SEND_SPLICE))
		return probe_say(env, PROBE_UNTRIED, "%s: EAGAIN, it starts no deferred connect",
				 probe_send_name(how));
	return probe_judge(env, probe_send_name(how), n);
}

#define DENIED(probe_name, meaning, at, way)                                                    \
	{                                                                                       \
		.name = probe_name, .door = "fastopen", .promise = "fastopen", .what = meaning, \
		.where = at, .how = way, .expect = PROBE_DENIED, .flags = PROBE_ARRIVES,        \
		.attempt = fastopen                                                             \
	}
#define DEFERRED(probe_name, call, way)                                            \
	{                                                                          \
		.name = probe_name, .door = "fastopen", .promise = "handed-over",  \
		.what = call " on an inherited socket whose connect was deferred", \
		.expect = PROBE_DENIED, .flags = PROBE_ARRIVES, .how = way,        \
		.prepare = prepare_deferred, .attempt = deferred_inherited         \
	}

const struct probe probe_fastopen[] = {
	{ .name = "allow-fastopen",
	  .door = "fastopen",
	  .what = "sendto(MSG_FASTOPEN) to the allowed port",
	  .attempt = fastopen },
	{ .name = "allow-fastopen-v6",
	  .door = "fastopen",
	  .what = "sendmsg(MSG_FASTOPEN) to the allowed port, IPv6",
	  .where = PROBE_V6,
	  .how = BY_SENDMSG,
	  .attempt = fastopen },
	{ .name = "allow-fastopen-connect",
	  .door = "fastopen",
	  .what = "TCP_FASTOPEN_CONNECT to the allowed port, then write",
	  .attempt = deferred_connect },
	{ .name = "allow-fastopen-deferred",
	  .door = "fastopen",
	  .what = "write on an inherited socket with a deferred connect to the allowed port",
	  .prepare = prepare_deferred,
	  .attempt = deferred_inherited },
	DENIED("fastopen-sendto-v4", "sendto(MSG_FASTOPEN), IPv4", PROBE_V4, BY_SENDTO),
	DENIED("fastopen-sendto-v6", "sendto(MSG_FASTOPEN), IPv6", PROBE_V6, BY_SENDTO),
	DENIED("fastopen-sendto-mapped", "sendto(MSG_FASTOPEN), v4-mapped address", PROBE_MAPPED,
	       BY_SENDTO),
	DENIED("fastopen-sendmsg-v4", "sendmsg(MSG_FASTOPEN), IPv4", PROBE_V4, BY_SENDMSG),
	DENIED("fastopen-sendmsg-v6", "sendmsg(MSG_FASTOPEN), IPv6", PROBE_V6, BY_SENDMSG),
	DENIED("fastopen-sendmsg-mapped", "sendmsg(MSG_FASTOPEN), v4-mapped address", PROBE_MAPPED,
	       BY_SENDMSG),
	DENIED("fastopen-sendmmsg-v4", "sendmmsg(MSG_FASTOPEN), two messages, IPv4", PROBE_V4,
	       BY_SENDMMSG),
	DENIED("fastopen-sendmmsg-v6", "sendmmsg(MSG_FASTOPEN), two messages, IPv6", PROBE_V6,
	       BY_SENDMMSG),
	DENIED("fastopen-sendmmsg-mapped", "sendmmsg(MSG_FASTOPEN), v4-mapped address",
	       PROBE_MAPPED, BY_SENDMMSG),
	{ .name = "fastopen-unspec",
	  .door = "fastopen",
	  .promise = "fastopen",
	  .what = "sendto(MSG_FASTOPEN) to an address of family 0: fails in some way",
	  .expect = PROBE_DENIED,
	  .twin = PROBE_DENIED,
	  .attempt = fastopen_unspec },
	{ .name = "fastopen-connect",
	  .door = "fastopen",
	  .promise = "fastopen",
	  .what = "TCP_FASTOPEN_CONNECT: connect refused, write gives EPIPE",
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .attempt = deferred_connect },
	{ .name = "fastopen-connect-v6",
	  .door = "fastopen",
	  .promise = "fastopen",
	  .what = "the same, IPv6",
	  .where = PROBE_V6,
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .attempt = deferred_connect },
	DEFERRED("fastopen-deferred-write", "write", SEND_WRITE),
	DEFERRED("fastopen-deferred-send", "send", SEND_SEND),
	DEFERRED("fastopen-deferred-sendmsg", "sendmsg", SEND_SENDMSG),
	DEFERRED("fastopen-deferred-sendfile", "sendfile", SEND_SENDFILE),
	DEFERRED("fastopen-deferred-splice", "splice", SEND_SPLICE),
	{},
};
