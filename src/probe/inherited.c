// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP sockets that another process connected to the denied port, used after exec by every call
 * that sends or receives; and sockets that the confined process itself opened before there was a
 * policy.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

#define GATE_MS 300000

/* A connection to which the kernel encrypts what is sent. */
static int prepare_tls(struct probe_env *env)
{
	struct tls12_crypto_info_aes_gcm_128 crypto = {
		.info = { .version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};

	if (!probe_has_upgrade(env, "tls") || probe_prepare_connected(env) < 0)
		return -1;
	if (setsockopt(env->fd[0], IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		return probe_cannot(env, "setsockopt(TCP_ULP)");
	if (setsockopt(env->fd[0], SOL_TLS, TLS_TX, &crypto, sizeof(crypto)) < 0)
		return probe_cannot(env, "setsockopt(TLS_TX)");
	return 0;
}

static int prepare_fresh(struct probe_env *env)
{
	env->fd[0] = probe_socket(env, SOCK_STREAM, 0);
	return env->fd[0] < 0 ? probe_cannot(env, "socket") : 0;
}

static enum probe_answer send_inherited(struct probe_env *env)
{
	enum probe_send how = (enum probe_send)env->probe->how;

	return probe_judge(env, probe_send_name(how), probe_send(env->fd[0], how));
}

static enum probe_answer receive_inherited(struct probe_env *env)
{
	enum probe_receive how = (enum probe_receive)env->probe->how;

	return probe_judge(env, probe_receive_name(how), probe_receive(env->fd[0], how));
}

static enum probe_answer exchange_inherited(struct probe_env *env)
{
	return probe_judge(env, "echo", probe_exchange(env->fd[0]));
}

/* An inherited connection dissolved, so that it can be connected anew. */
static enum probe_answer reconnect_inherited(struct probe_env *env)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (connect(env->fd[0], &none, sizeof(none)) < 0)
		return probe_say(env, PROBE_OTHER, "connect(AF_UNSPEC): %s",
				 strerrorname_np(errno));
	return probe_connect_inherited(env);
}

/* Says "ready" in the directory of the gate and waits for "go". */
static int pass_gate(struct probe_env *env)
{
	char path[PROBE_PATH_SIZE + 8];

	if (!env->gate[0])
		return 0;
	(void)snprintf(path, sizeof(path), "%s/ready", env->gate);
	if (creat(path, 0600) < 0)
		return -1;
	(void)alarm(GATE_MS / 1000);
	(void)snprintf(path, sizeof(path), "%s/go", env->gate);
	for (int waited = 0; waited < GATE_MS; waited += 20) {
		if (access(path, F_OK) == 0)
			return 0;
		(void)usleep(20000);
	}
	errno = ETIMEDOUT;
	return -1;
}

static int open_before_policy(struct probe_env *env)
{
	int fd = probe_connect(env);

	if (fd < 0) {
		(void)probe_say(env, PROBE_UNTRIED,
				"connect: %s; the policy is there already, this needs a gate",
				strerrorname_np(errno));
		return -1;
	}
	if (pass_gate(env) < 0) {
		(void)probe_say(env, PROBE_UNTRIED, "gate: %s", strerrorname_np(errno));
		return -1;
	}
	return probe_forbidden(env, &env->before) < 0 ? -1 : fd;
}

static enum probe_answer send_existing(struct probe_env *env)
{
	int fd = open_before_policy(env);

	if (fd < 0)
		return PROBE_UNTRIED;
	return probe_judge(env, "send", probe_send(fd, SEND_SEND));
}

/* Where the policy's start destroyed it, the socket has an error of its own. */
static enum probe_answer send_destroyed(struct probe_env *env)
{
	int fd = open_before_policy(env);
	long n;

	if (fd < 0)
		return PROBE_UNTRIED;
	n = probe_send(fd, SEND_SEND);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ECONNABORTED))
		return probe_say(env, PROBE_DENIED, "send: %s", strerrorname_np(errno));
	return probe_judge(env, "send", n);
}

#define SENDS(probe_name, through, call, way, at)                                           \
	{                                                                                   \
		.name = "inherited-" probe_name, .door = through, .promise = "handed-over", \
		.what = call " on an inherited connection", .where = at, .how = way,        \
		.expect = PROBE_DENIED, .flags = PROBE_ARRIVES,                             \
		.prepare = probe_prepare_connected, .attempt = send_inherited               \
	}
#define RECEIVES(probe_name, through, tested, call, way)                             \
	{                                                                            \
		.name = "inherited-" probe_name, .door = through, .promise = tested, \
		.what = call " on an inherited connection with data", .how = way,    \
		.expect = PROBE_DENIED, .prepare = probe_prepare_echo,               \
		.attempt = receive_inherited                                         \
	}
#define SENDS_TLS(probe_name, through, call, way)                                               \
	{                                                                                       \
		.name = "inherited-tls-" probe_name, .door = through, .promise = "handed-over", \
		.what = call " on an inherited connection with kernel TLS", .how = way,         \
		.expect = PROBE_DENIED, .flags = PROBE_ARRIVES, .prepare = prepare_tls,         \
		.attempt = send_inherited                                                       \
	}

const struct probe probe_inherited[] = {
	{ .name = "allow-inherited",
	  .door = "send",
	  .what = "an inherited connection to the allowed port, both ways",
	  .prepare = probe_prepare_connected,
	  .attempt = exchange_inherited },
	SENDS("write", "send", "write", SEND_WRITE, PROBE_V4),
	SENDS("write-v6", "send", "write, IPv6,", SEND_WRITE, PROBE_V6),
	SENDS("write-mapped", "send", "write, v4-mapped,", SEND_WRITE, PROBE_MAPPED),
	SENDS("writev", "send", "writev", SEND_WRITEV, PROBE_V4),
	SENDS("send", "send", "send", SEND_SEND, PROBE_V4),
	SENDS("send-more", "send", "send(MSG_MORE)", SEND_MORE, PROBE_V4),
	SENDS("send-oob", "send", "send(MSG_OOB)", SEND_OOB, PROBE_V4),
	SENDS("sendto", "send", "sendto", SEND_SENDTO, PROBE_V4),
	SENDS("sendmsg", "send", "sendmsg", SEND_SENDMSG, PROBE_V4),
	SENDS("sendmmsg", "send", "sendmmsg", SEND_SENDMMSG, PROBE_V4),
	SENDS("zerocopy", "send", "send(MSG_ZEROCOPY)", SEND_ZEROCOPY, PROBE_V4),
	SENDS("aio-write", "send", "io_submit", SEND_AIO, PROBE_V4),
	SENDS("sendfile", "splice", "sendfile", SEND_SENDFILE, PROBE_V4),
	SENDS("sendfile-v6", "splice", "sendfile, IPv6,", SEND_SENDFILE, PROBE_V6),
	SENDS("splice", "splice", "splice", SEND_SPLICE, PROBE_V4),
	SENDS("vmsplice", "splice", "vmsplice and splice", SEND_VMSPLICE, PROBE_V4),
	SENDS_TLS("send", "send", "send", SEND_SEND),
	SENDS_TLS("sendfile", "splice", "sendfile", SEND_SENDFILE),
	SENDS_TLS("splice", "splice", "splice", SEND_SPLICE),
	RECEIVES("read", "receive", "handed-over", "read", RECEIVE_READ),
	RECEIVES("readv", "receive", "handed-over", "readv", RECEIVE_READV),
	RECEIVES("recv", "receive", "handed-over", "recv", RECEIVE_RECV),
	RECEIVES("peek", "receive", "handed-over", "recv(MSG_PEEK)", RECEIVE_PEEK),
	RECEIVES("recvfrom", "receive", "handed-over", "recvfrom", RECEIVE_RECVFROM),
	RECEIVES("recvmsg", "receive", "handed-over", "recvmsg", RECEIVE_RECVMSG),
	RECEIVES("recvmmsg", "receive", "handed-over", "recvmmsg", RECEIVE_RECVMMSG),
	RECEIVES("aio-read", "receive", "handed-over", "io_submit", RECEIVE_AIO),
	RECEIVES("splice-read", "splice-read", "splice-read", "splice to a pipe", RECEIVE_SPLICE),
	RECEIVES("zerocopy-read", "zerocopy-read", "handed-over",
		 "getsockopt(TCP_ZEROCOPY_RECEIVE)", RECEIVE_ZEROCOPY),
	{ .name = "inherited-connect",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect of an inherited socket that is not connected",
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_fresh,
	  .attempt = probe_connect_inherited },
	{ .name = "inherited-reconnect",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect(AF_UNSPEC) of an inherited connection, then connect",
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .prepare = probe_prepare_connected,
	  .attempt = reconnect_inherited },
	{ .name = "existing-send",
	  .door = "send",
	  .promise = "handed-over",
	  .what = "send on a connection from before the policy (waits at the gate)",
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .attempt = send_existing },
	{ .name = "existing-destroyed",
	  .door = "send",
	  .promise = "handed-over",
	  .what = "the same where the policy's start destroys the connection",
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .attempt = send_destroyed },
	{},
};
