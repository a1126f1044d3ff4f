// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets from another process: over AF_UNIX, taken by pidfd_getfd, put in by a seccomp
 * supervisor. A refusal shows as a message without descriptor (MSG_CTRUNC), or as EPERM.
 */
#define _GNU_SOURCE 1
#include <liburing.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "probe/internal.h"

enum {
	BY_RECVMSG,
	BY_RECVMMSG,
	BY_URING,
};

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* -- the sockets that are handed over -------------------------------------------------------- */

static int open_connected(struct probe_env *env)
{
	return probe_connect(env);
}

static int open_kind(struct probe_env *env)
{
	return socket(env->probe->family, env->probe->type | SOCK_CLOEXEC, env->probe->protocol);
}

static int open_listener(struct probe_env *env)
{
	struct probe_address local;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&local, PROBE_SECOND_V4, env->denied);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, SOCKOPT_ON) < 0 ||
	    bind(fd, &local.any, local.length) < 0 || listen(fd, 1) < 0)
		return -1;
	return fd;
}

static int open_pipe(struct probe_env *env)
{
	int ends[2];

	(void)env;
	return pipe2(ends, O_CLOEXEC) < 0 ? -1 : ends[0];
}

/* -- over AF_UNIX ---------------------------------------------------------------------------- */

static int send_descriptor(int link, int fd)
{
	union control control = {};
	struct iovec part = { .iov_base = "d", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(link, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* The message waits in fd[0]: nobody has to live to send it. */
static int prepare_message(struct probe_env *env, int fd)
{
	int ends[2];

	if (fd < 0)
		return probe_cannot(env, "the socket to pass");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
	    send_descriptor(ends[1], fd) < 0)
		return probe_cannot(env, "SCM_RIGHTS");
	(void)close(fd);
	env->fd[0] = ends[0];
	env->fd[1] = ends[1];
	return 0;
}

static int prepare_connected(struct probe_env *env)
{
	return prepare_message(env, open_connected(env));
}

static int prepare_kind(struct probe_env *env)
{
	const struct probe *probe = env->probe;

	if (!probe_has_protocol(env, probe->family, probe->type, probe->protocol))
		return -1;
	return prepare_message(env, open_kind(env));
}

static int prepare_listener(struct probe_env *env)
{
	return prepare_message(env, open_listener(env));
}

static int prepare_pipe(struct probe_env *env)
{
	return prepare_message(env, open_pipe(env));
}

/* recvmsg() as a request of a ring: the same result, by another caller. */
static long receive_by_ring(int link, struct msghdr *message)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	struct __kernel_timespec timeout = { .tv_sec = 2 };
	int r = io_uring_queue_init(2, &ring, 0);

	if (r < 0) {
		errno = -r;
		return -1;
	}
	io_uring_prep_recvmsg(io_uring_get_sqe(&ring), link, message, MSG_CMSG_CLOEXEC);
	r = io_uring_submit(&ring);
	r = r < 0 ? r : io_uring_wait_cqe_timeout(&ring, &cqe, &timeout);
	r = r < 0 ? r : cqe->res;
	errno = r < 0 ? -r : 0;
	return r < 0 ? -1 : r;
}

static long receive_message(int link, int how, struct mmsghdr *message)
{
	if (how == BY_URING)
		return receive_by_ring(link, &message->msg_hdr);
	if (how == BY_RECVMMSG)
		return recvmmsg(link, message, 1, MSG_CMSG_CLOEXEC, NULL);
	return recvmsg(link, &message->msg_hdr, MSG_CMSG_CLOEXEC);
}

/* The descriptor, or -1 with EPERM when the message came without it. */
static int receive_descriptor(struct probe_env *env)
{
	union control control = {};
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &part,
						.msg_iovlen = 1,
						.msg_control = control.bytes,
						.msg_controllen = sizeof(control.bytes) } };
	struct cmsghdr *header;
	int fd;

	if (receive_message(env->fd[0], env->probe->how, &message) < 0)
		return -1;
	header = CMSG_FIRSTHDR(&message.msg_hdr);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
		return fd;
	}
	errno = message.msg_hdr.msg_flags & MSG_CTRUNC ? EPERM : EBADMSG;
	return -1;
}

static enum probe_answer receive(struct probe_env *env)
{
	return probe_judge(env, "SCM_RIGHTS", receive_descriptor(env));
}

static enum probe_answer receive_and_talk(struct probe_env *env)
{
	int fd = receive_descriptor(env);

	if (fd < 0)
		return probe_judge(env, "SCM_RIGHTS", fd);
	return probe_judge(env, "echo", probe_exchange(fd));
}

/* A socket without connection says nothing yet: its connect() must. */
static enum probe_answer receive_and_connect(struct probe_env *env)
{
	struct probe_address target;
	int fd = receive_descriptor(env);

	probe_target(env, &target);
	if (fd < 0)
		return probe_judge(env, "SCM_RIGHTS", fd);
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

/* -- taken from another process -------------------------------------------------------------- */

static void hold(struct probe_env *env, int link)
{
	char byte;

	(void)env;
	while (recv(link, &byte, 1, 0) > 0)
		;
}

static int prepare_victim(struct probe_env *env, int fd)
{
	if (fd < 0)
		return probe_cannot(env, "the socket to take");
	if (probe_helper(env, hold) < 0)
		return probe_cannot(env, "fork");
	env->extra[0] = (uint32_t)fd;
	(void)close(fd);
	return 0;
}

static int prepare_victim_connected(struct probe_env *env)
{
	return prepare_victim(env, open_connected(env));
}

static int prepare_victim_kind(struct probe_env *env)
{
	return prepare_victim(env, open_kind(env));
}

static enum probe_answer take(struct probe_env *env)
{
	long pidfd = syscall(SYS_pidfd_open, env->helper, 0);

	if (pidfd < 0)
		return probe_say(env, PROBE_UNTRIED, "pidfd_open: %s", strerrorname_np(errno));
	return probe_judge(env, "pidfd_getfd",
			   syscall(SYS_pidfd_getfd, (int)pidfd, (int)env->extra[0], 0));
}

/* -- put in by a seccomp supervisor ---------------------------------------------------------- */

/* A system call that nothing here makes, and that takes no arguments. */
#define TRAPPED SYS_vhangup

static void answer_trap(struct probe_env *env, int listener)
{
	struct seccomp_notif call = {};
	struct seccomp_notif_addfd add = { .srcfd = (uint32_t)env->extra[0] };
	struct seccomp_notif_resp reply = {};
	int fd;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	add.id = reply.id = call.id;
	fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	reply.val = fd;
	reply.error = fd < 0 ? -errno : 0;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

/* Receives the notification descriptor of the attempt's filter and answers its one call. */
static void supervise(struct probe_env *env, int link)
{
	struct probe_env receiver = { .probe = env->probe, .fd = { link } };
	int listener = receive_descriptor(&receiver);

	if (listener >= 0)
		answer_trap(env, listener);
	hold(env, link);
}

static int prepare_supervisor(struct probe_env *env)
{
	int fd = open_connected(env);

	if (fd < 0)
		return probe_cannot(env, "the socket to add");
	env->extra[0] = (uint32_t)fd;
	if (probe_helper(env, supervise) < 0)
		return probe_cannot(env, "fork");
	(void)close(fd);
	return 0;
}

static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TRAPPED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

static enum probe_answer be_supervised(struct probe_env *env)
{
	int listener = install_filter();

	if (listener < 0)
		return probe_say(env, PROBE_UNTRIED, "seccomp: %s", strerrorname_np(errno));
	if (send_descriptor(env->helper_link, listener) < 0)
		return probe_say(env, PROBE_UNTRIED, "passing the listener: %s",
				 strerrorname_np(errno));
	return probe_judge(env, "SECCOMP_IOCTL_NOTIF_ADDFD", syscall(TRAPPED));
}

#define REFUSED(probe_name, meaning, first, ...)                                                 \
	{                                                                                        \
		.name = "received-" probe_name, .door = "handed-over", .promise = "handed-over", \
		.what = meaning, .expect = PROBE_DENIED, .prepare = first, .attempt = receive,   \
		__VA_ARGS__                                                                      \
	}
#define KIND(of_family, of_type, of_protocol) \
	.family = of_family, .type = of_type, .protocol = of_protocol

const struct probe probe_received[] = {
	{ .name = "allow-received",
	  .door = "handed-over",
	  .what = "SCM_RIGHTS of a connection to the allowed port, both ways",
	  .prepare = prepare_connected,
	  .attempt = receive_and_talk },
	{ .name = "allow-received-unix",
	  .door = "handed-over",
	  .what = "SCM_RIGHTS of an AF_UNIX socket",
	  .family = AF_UNIX,
	  .type = SOCK_STREAM,
	  .prepare = prepare_kind,
	  .attempt = receive },
	{ .name = "allow-received-pipe",
	  .door = "handed-over",
	  .what = "SCM_RIGHTS of a pipe",
	  .prepare = prepare_pipe,
	  .attempt = receive },
	REFUSED("tcp", "SCM_RIGHTS of a connection", prepare_connected, ),
	REFUSED("tcp-v6", "SCM_RIGHTS of a connection, IPv6", prepare_connected, .where = PROBE_V6),
	REFUSED("tcp-recvmmsg", "SCM_RIGHTS of a connection, received by recvmmsg",
		prepare_connected, .how = BY_RECVMMSG),
	REFUSED("tcp-uring", "SCM_RIGHTS of a connection, received by io_uring", prepare_connected,
		.how = BY_URING),
	REFUSED("listener", "SCM_RIGHTS of a listener", prepare_listener, ),
	REFUSED("udp", "SCM_RIGHTS of a UDP socket", prepare_kind, KIND(AF_INET, SOCK_DGRAM, 0)),
	REFUSED("udp-v6", "SCM_RIGHTS of a UDP socket, IPv6", prepare_kind,
		KIND(AF_INET6, SOCK_DGRAM, 0)),
	REFUSED("packet", "SCM_RIGHTS of an AF_PACKET socket", prepare_kind,
		KIND(AF_PACKET, SOCK_RAW, __builtin_bswap16(ETH_P_ALL)),
		.needs = PROBE_NEEDS_NET_RAW),
	REFUSED("raw", "SCM_RIGHTS of a raw socket", prepare_kind,
		KIND(AF_INET, SOCK_RAW, IPPROTO_RAW), .needs = PROBE_NEEDS_NET_RAW),
	REFUSED("vsock", "SCM_RIGHTS of an AF_VSOCK socket", prepare_kind,
		KIND(AF_VSOCK, SOCK_STREAM, 0)),
	REFUSED("mptcp", "SCM_RIGHTS of an MPTCP socket", prepare_kind,
		KIND(AF_INET, SOCK_STREAM, PROTOCOL_MPTCP)),
	REFUSED("sctp", "SCM_RIGHTS of an SCTP socket", prepare_kind,
		KIND(AF_INET, SOCK_STREAM, IPPROTO_SCTP)),
	REFUSED("xdp", "SCM_RIGHTS of an AF_XDP socket", prepare_kind, KIND(AF_XDP, SOCK_RAW, 0),
		.needs = PROBE_NEEDS_NET_RAW),
	{ .name = "received-fresh",
	  .door = "connect",
	  .promise = "connect",
	  .what = "SCM_RIGHTS of a TCP socket without connection, then connect",
	  .family = AF_INET,
	  .type = SOCK_STREAM,
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_kind,
	  .attempt = receive_and_connect },
	{ .name = "pidfd-getfd",
	  .door = "handed-over",
	  .promise = "handed-over",
	  .what = "pidfd_getfd of a connection",
	  .expect = PROBE_DENIED,
	  .prepare = prepare_victim_connected,
	  .attempt = take },
	{ .name = "pidfd-getfd-udp",
	  .door = "handed-over",
	  .promise = "handed-over",
	  .what = "pidfd_getfd of a UDP socket",
	  .family = AF_INET,
	  .type = SOCK_DGRAM,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_victim_kind,
	  .attempt = take },
	{ .name = "seccomp-addfd",
	  .door = "handed-over",
	  .promise = "handed-over",
	  .what = "a connection put in by a seccomp supervisor",
	  .expect = PROBE_DENIED,
	  .prepare = prepare_supervisor,
	  .attempt = be_supervised },
	{},
};
