// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP. A socket may be made and connected to whomever, which sends nothing; each way to send and to
 * receive is refused, on a socket of one's own and on an inherited one.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <resolv.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

#define SEGMENT 16

/* How a datagram gets its destination. */
enum {
	TO_ADDRESS,
	TO_UNSPEC, /* an address of family 0 */
	TO_ADDRESS_MSG, /* sendmsg */
	TO_ADDRESSES, /* sendmmsg, three destinations, the first one allowed for TCP */
	TO_CORKED, /* MSG_MORE first, then a flush */
	TO_SEGMENTS, /* UDP_SEGMENT: one call, several datagrams */
};

static enum probe_answer create(struct probe_env *env)
{
	int fd = probe_socket(env, env->probe->type, env->probe->protocol);

	return probe_judge(env, "socket", fd);
}

/* The way the C library finds out which of its own addresses would be used. */
static enum probe_answer find_source(struct probe_env *env)
{
	struct probe_address target, source = { .length = sizeof(source.storage) };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = probe_socket(env, SOCK_DGRAM, 0);

	probe_target(env, &target);
	if (connect(fd, &target.any, target.length) < 0)
		return probe_judge(env, "connect", -1);
	if (getsockname(fd, &source.any, &source.length) < 0 || !source.v4.sin_port)
		return probe_judge(env, "getsockname", -1);
	return probe_judge(env, "connect to nobody", connect(fd, &none, sizeof(none)));
}

static int prepare_socket(struct probe_env *env)
{
	env->fd[0] = probe_socket(env, SOCK_DGRAM, 0);
	return env->fd[0] < 0 ? probe_cannot(env, "socket") : 0;
}

static int prepare_connected(struct probe_env *env)
{
	struct probe_address target;

	if (prepare_socket(env) < 0)
		return -1;
	probe_target(env, &target);
	if (connect(env->fd[0], &target.any, target.length) < 0)
		return probe_cannot(env, "connect");
	return 0;
}

/* A socket with the server's echo waiting in it. */
static int prepare_echo(struct probe_env *env)
{
	if (prepare_connected(env) < 0)
		return -1;
	if (send(env->fd[0], "p", 1, 0) != 1 || !probe_readable(env->fd[0], ANSWER_TIMEOUT_MS))
		return probe_cannot(env, "an echo");
	return 0;
}

/* What another process has corked: it leaves with the next send. */
static int prepare_corked(struct probe_env *env)
{
	struct probe_address target;

	if (prepare_socket(env) < 0)
		return -1;
	probe_target(env, &target);
	if (sendto(env->fd[0], "p", 1, MSG_MORE, &target.any, target.length) != 1)
		return probe_cannot(env, "sendto(MSG_MORE)");
	return 0;
}

static long send_addresses(int fd, struct probe_address *target, uint16_t first_port)
{
	struct iovec part = { .iov_base = "p", .iov_len = 1 };
	struct probe_address first = *target;
	struct mmsghdr messages[3] = {};

	first.v4.sin_port = htons(first_port);
	for (size_t i = 0; i < 3; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_name = i ? &target->any : &first.any,
						       .msg_namelen = target->length,
						       .msg_iov = &part,
						       .msg_iovlen = 1 };
	return sendmmsg(fd, messages, 3, 0);
}

static long send_to(struct probe_env *env, struct probe_address *target)
{
	char segments[SEGMENT * 3] = "segments";
	struct iovec part = { .iov_base = segments, .iov_len = sizeof(segments) };
	struct msghdr message = { .msg_name = &target->any,
				  .msg_namelen = target->length,
				  .msg_iov = &part,
				  .msg_iovlen = 1 };
	int fd = env->fd[0], size = SEGMENT;

	switch (env->probe->how) {
	case TO_UNSPEC:
		target->any.sa_family = AF_UNSPEC;
		break;
	case TO_ADDRESSES:
		return send_addresses(fd, target, env->allowed);
	case TO_CORKED:
		if (sendto(fd, "p", 1, MSG_MORE, &target->any, target->length) < 0)
			return -1;
		return sendto(fd, "p", 1, 0, &target->any, target->length);
	case TO_SEGMENTS:
		if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
			return -1;
		return sendmsg(fd, &message, 0);
	case TO_ADDRESS_MSG:
		return sendmsg(fd, &message, 0);
	}
	return sendto(fd, "p", 1, 0, &target->any, target->length);
}

/* On a socket of its own, connected to the target. */
static enum probe_answer send_own(struct probe_env *env)
{
	enum probe_send how = (enum probe_send)env->probe->how;
	struct probe_address target;
	int fd = probe_socket(env, SOCK_DGRAM, 0);

	probe_target(env, &target);
	if (connect(fd, &target.any, target.length) < 0)
		return probe_judge(env, "connect", -1);
	return probe_judge(env, probe_send_name(how), probe_send(fd, how));
}

static enum probe_answer sendto_own(struct probe_env *env)
{
	struct probe_address target;

	env->fd[0] = probe_socket(env, SOCK_DGRAM, 0);
	probe_target(env, &target);
	return probe_judge(env, "send", send_to(env, &target));
}

static enum probe_answer bind_own(struct probe_env *env)
{
	int fd = probe_socket(env, SOCK_DGRAM, 0);
	struct probe_address target;

	probe_target(env, &target);
	if (env->probe->expect == PROBE_ALLOWED)
		target.v4.sin_port = 0;
	return probe_judge(env, "bind", bind(fd, &target.any, target.length));
}

/*
 * On a socket of its own at a port that the kernel chose, to which somebody has sent: refused, or, where
 * no hook sees the call, kept from it.
 */
static enum probe_answer receive_own(struct probe_env *env)
{
	struct probe_address local = { .length = sizeof(local.storage) };
	int fd = probe_socket(env, SOCK_DGRAM, 0);
	char byte;

	probe_address(&local, PROBE_V4, 0);
	if (bind(fd, &local.any, local.length) < 0 ||
	    getsockname(fd, &local.any, &local.length) < 0)
		return probe_judge(env, "bind", -1);
	if (write(env->helper_link, &local.v4.sin_port, sizeof(local.v4.sin_port)) < 0 ||
	    read(env->helper_link, &byte, 1) != 1)
		return probe_say(env, PROBE_UNTRIED, "nobody sends");
	if (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		return probe_say(env, PROBE_ALLOWED, "recv: 1");
	if (errno == EAGAIN)
		return probe_say(env, PROBE_DENIED, "recv: nothing arrives");
	return probe_judge(env, "recv", -1);
}

/* Sends a datagram to the port that the attempt names. */
static void serve_datagram(struct probe_env *env, int link)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct probe_address target;
	uint16_t port;

	(void)env;
	if (read(link, &port, sizeof(port)) != sizeof(port))
		return;
	probe_address(&target, PROBE_V4, ntohs(port));
	(void)sendto(fd, "p", 1, 0, &target.any, target.length);
	(void)write(link, "p", 1);
}

static int prepare_sender(struct probe_env *env)
{
	return probe_helper(env, serve_datagram) < 0 ? probe_cannot(env, "a helper") : 0;
}

static enum probe_answer send_unconnected(struct probe_env *env)
{
	struct probe_address target;

	probe_target(env, &target);
	return probe_judge(env, "send", send_to(env, &target));
}

static enum probe_answer send_connected(struct probe_env *env)
{
	enum probe_send how = (enum probe_send)env->probe->how;

	return probe_judge(env, probe_send_name(how), probe_send(env->fd[0], how));
}

static enum probe_answer receive(struct probe_env *env)
{
	enum probe_receive how = (enum probe_receive)env->probe->how;

	return probe_judge(env, probe_receive_name(how), probe_receive(env->fd[0], how));
}

static enum probe_answer bind_inherited(struct probe_env *env)
{
	struct probe_address target;

	probe_target(env, &target);
	return probe_judge(env, "bind", bind(env->fd[0], &target.any, target.length));
}

/* To a group nobody has joined; it leaves by lo. */
static int prepare_multicast(struct probe_env *env)
{
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };

	if (prepare_socket(env) < 0)
		return -1;
	if (setsockopt(env->fd[0], IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) < 0)
		return probe_cannot(env, "IP_MULTICAST_IF");
	return 0;
}

static enum probe_answer send_multicast(struct probe_env *env)
{
	struct probe_address target;

	probe_target(env, &target);
	(void)inet_pton(AF_INET, "239.255.40.41", &target.v4.sin_addr);
	return probe_judge(env, "sendto",
			   sendto(env->fd[0], "p", 1, 0, &target.any, target.length));
}

/* The C library's resolver, set to ask the server at the denied port. */
static enum probe_answer ask_resolver(struct probe_env *env)
{
	struct __res_state state = {};
	unsigned char reply[512];
	int r;

	if (res_ninit(&state) < 0)
		return probe_say(env, PROBE_UNTRIED, "res_ninit fails");
	state.nscount = 1;
	state.nsaddr_list[0] = (struct sockaddr_in){ .sin_family = AF_INET,
						     .sin_port = htons(env->denied),
						     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	state.retrans = 1;
	state.retry = 1;
	errno = 0;
	r = res_nquery(&state, "porthold.invalid", 1, 1, reply, sizeof(reply));
	return probe_say(env, PROBE_DENIED, "query: %d, h_errno %d, %s", r, state.res_h_errno,
			 errno ? strerrorname_np(errno) : "no errno");
}

static enum probe_answer resolve_host(struct probe_env *env)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	int r = getaddrinfo("localhost", NULL, &hints, &found);

	return probe_say(env, r ? PROBE_OTHER : PROBE_ALLOWED, "getaddrinfo: %s",
			 r ? gai_strerror(r) : "found");
}

#define CREATES(probe_name, meaning, at, socket_type, number)                       \
	{                                                                           \
		.name = probe_name, .door = "socket", .what = meaning, .where = at, \
		.type = socket_type, .protocol = number, .attempt = create          \
	}
#define SENDS(probe_name, meaning, at, way, more)                                                 \
	{                                                                                         \
		.name = probe_name, .door = "send", .promise = "send", .what = meaning,           \
		.where = at, .how = way, .expect = PROBE_DENIED, .flags = PROBE_ARRIVES | (more), \
		.prepare = prepare_socket, .attempt = send_unconnected                            \
	}
#define SENDS_CONNECTED(probe_name, through, call, way)                                       \
	{                                                                                     \
		.name = probe_name, .door = through, .promise = "handed-over",                \
		.what = call " on an inherited, connected UDP socket", .how = way,            \
		.expect = PROBE_DENIED, .flags = PROBE_ARRIVES, .prepare = prepare_connected, \
		.attempt = send_connected                                                     \
	}
#define SENDS_OWN(probe_name, call, way)                                            \
	{                                                                           \
		.name = probe_name, .door = "send", .promise = "send",              \
		.what = call " on a connected UDP socket of its own", .how = way,   \
		.expect = PROBE_DENIED, .flags = PROBE_ARRIVES, .attempt = send_own \
	}
#define SENDS_OWN_TO(probe_name, call, at, way)                                       \
	{                                                                             \
		.name = probe_name, .door = "send", .promise = "send",                \
		.what = call " on a UDP socket of its own", .where = at, .how = way,  \
		.expect = PROBE_DENIED, .flags = PROBE_ARRIVES, .attempt = sendto_own \
	}
#define RECEIVES(probe_name, call, way)                                             \
	{                                                                           \
		.name = probe_name, .door = "receive", .promise = "handed-over",    \
		.what = call " on an inherited UDP socket with data", .how = way,   \
		.expect = PROBE_DENIED, .prepare = prepare_echo, .attempt = receive \
	}

const struct probe probe_udp[] = {
	CREATES("udp-socket-v4", "UDP socket, IPv4", PROBE_V4, SOCK_DGRAM, 0),
	CREATES("udp-socket-v6", "UDP socket, IPv6", PROBE_V6, SOCK_DGRAM, 0),
	CREATES("udp-socket-v4-proto", "UDP socket, IPPROTO_UDP given, IPv4", PROBE_V4, SOCK_DGRAM,
		IPPROTO_UDP),
	CREATES("udp-socket-v6-proto", "UDP socket, IPPROTO_UDP given, IPv6", PROBE_V6, SOCK_DGRAM,
		IPPROTO_UDP),
	CREATES("udp-socket-flags", "UDP socket with SOCK_NONBLOCK in its type", PROBE_V4,
		SOCK_DGRAM | SOCK_NONBLOCK, 0),
	{ .name = "udp-own-connect-v4",
	  .door = "connect",
	  .what = "connect of a UDP socket of its own, and what address it has then",
	  .flags = PROBE_TO_DENIED,
	  .attempt = find_source },
	{ .name = "udp-own-connect-v6",
	  .door = "connect",
	  .what = "the same, IPv6",
	  .where = PROBE_V6,
	  .flags = PROBE_TO_DENIED,
	  .attempt = find_source },
	{ .name = "udp-own-bind-0",
	  .door = "bind",
	  .what = "bind of a UDP socket of its own to port 0",
	  .attempt = bind_own },
	{ .name = "udp-own-bind",
	  .door = "bind",
	  .promise = "bind",
	  .what = "bind of a UDP socket of its own",
	  .where = PROBE_SECOND_V4,
	  .expect = PROBE_DENIED,
	  .attempt = bind_own },
	{ .name = "udp-own-receive",
	  .door = "receive",
	  .promise = "send",
	  .what = "recv of what a stranger sent to a UDP socket of its own",
	  .expect = PROBE_DENIED,
	  .prepare = prepare_sender,
	  .attempt = receive_own },
	SENDS_OWN("udp-own-send", "send", SEND_SEND),
	SENDS_OWN("udp-own-write", "write", SEND_WRITE),
	SENDS_OWN("udp-own-connected-sendmmsg", "sendmmsg", SEND_SENDMMSG),
	SENDS_OWN("udp-own-splice", "splice", SEND_SPLICE),
	SENDS_OWN("udp-own-sendfile", "sendfile", SEND_SENDFILE),
	SENDS_OWN_TO("udp-own-sendto-v4", "sendto", PROBE_V4, TO_ADDRESS),
	SENDS_OWN_TO("udp-own-sendto-v6", "sendto, IPv6", PROBE_V6, TO_ADDRESS),
	SENDS_OWN_TO("udp-own-sendto-any", "sendto 0.0.0.0", PROBE_ANY_V4, TO_ADDRESS),
	SENDS_OWN_TO("udp-own-sendmsg", "sendmsg", PROBE_V4, TO_ADDRESS_MSG),
	SENDS_OWN_TO("udp-own-sendmmsg", "sendmmsg", PROBE_V4, TO_ADDRESSES),
	SENDS_OWN_TO("udp-own-cork", "a corked sendto", PROBE_V4, TO_CORKED),
	SENDS("udp-sendto-v4", "sendto on an inherited UDP socket, IPv4", PROBE_V4, TO_ADDRESS, 0),
	SENDS("udp-sendto-v6", "sendto on an inherited UDP socket, IPv6", PROBE_V6, TO_ADDRESS, 0),
	SENDS("udp-sendto-mapped", "sendto a v4-mapped address", PROBE_MAPPED, TO_ADDRESS, 0),
	SENDS("udp-sendto-v4-on-v6", "sendto an AF_INET address on an AF_INET6 socket",
	      PROBE_V4_ON_V6, TO_ADDRESS, 0),
	SENDS("udp-sendto-allowed-v4", "sendto the port allowed for TCP, IPv4", PROBE_V4,
	      TO_ADDRESS, PROBE_TO_ALLOWED),
	SENDS("udp-sendto-allowed-v6", "sendto the port allowed for TCP, IPv6", PROBE_V6,
	      TO_ADDRESS, PROBE_TO_ALLOWED),
	SENDS("udp-sendto-unspec", "sendto an address of family 0, which means AF_INET", PROBE_V4,
	      TO_UNSPEC, 0),
	SENDS("udp-sendmsg", "sendmsg with an address", PROBE_V4, TO_ADDRESS_MSG, 0),
	SENDS("udp-sendmmsg", "sendmmsg to several addresses, the first with the allowed port",
	      PROBE_V4, TO_ADDRESSES, 0),
	SENDS("udp-cork", "sendto with MSG_MORE, then the flush", PROBE_V4, TO_CORKED, 0),
	SENDS("udp-segment", "sendmsg with UDP_SEGMENT", PROBE_V4, TO_SEGMENTS, 0),
	{ .name = "udp-unspec-v6",
	  .door = "send",
	  .promise = "handed-over",
	  .what = "sendto an address of family 0 on a connected AF_INET6 socket",
	  .where = PROBE_V6,
	  .how = TO_UNSPEC,
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_connected,
	  .attempt = send_unconnected },
	{ .name = "udp-corked-by-other",
	  .door = "send",
	  .promise = "handed-over",
	  .what = "send that flushes what another process had corked",
	  .flags = PROBE_ARRIVES,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_corked,
	  .attempt = send_unconnected },
	{ .name = "udp-multicast",
	  .door = "send",
	  .promise = "send",
	  .what = "sendto a multicast group on an inherited UDP socket",
	  .expect = PROBE_DENIED,
	  .prepare = prepare_multicast,
	  .attempt = send_multicast },
	SENDS_CONNECTED("udp-write", "send", "write", SEND_WRITE),
	SENDS_CONNECTED("udp-writev", "send", "writev", SEND_WRITEV),
	SENDS_CONNECTED("udp-send", "send", "send", SEND_SEND),
	SENDS_CONNECTED("udp-connected-sendmsg", "send", "sendmsg", SEND_SENDMSG),
	SENDS_CONNECTED("udp-connected-sendmmsg", "send", "sendmmsg of three", SEND_SENDMMSG),
	SENDS_CONNECTED("udp-zerocopy", "send", "send(MSG_ZEROCOPY)", SEND_ZEROCOPY),
	SENDS_CONNECTED("udp-aio-write", "send", "io_submit", SEND_AIO),
	SENDS_CONNECTED("udp-sendfile", "splice", "sendfile", SEND_SENDFILE),
	SENDS_CONNECTED("udp-splice", "splice", "splice", SEND_SPLICE),
	RECEIVES("udp-read", "read", RECEIVE_READ),
	RECEIVES("udp-recv", "recv", RECEIVE_RECV),
	RECEIVES("udp-recvmsg", "recvmsg", RECEIVE_RECVMSG),
	RECEIVES("udp-recvmmsg", "recvmmsg", RECEIVE_RECVMMSG),
	{ .name = "udp-connect",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect of an inherited UDP socket",
	  .expect = PROBE_DENIED,
	  .prepare = prepare_socket,
	  .attempt = probe_connect_inherited },
	{ .name = "udp-connect-allowed",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect of an inherited UDP socket to the port allowed for TCP",
	  .flags = PROBE_TO_ALLOWED,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_socket,
	  .attempt = probe_connect_inherited },
	{ .name = "udp-bind",
	  .door = "bind",
	  .promise = "bind",
	  .what = "bind of an inherited UDP socket",
	  .where = PROBE_SECOND_V4,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_socket,
	  .attempt = bind_inherited },
	{ .name = "udp-dns",
	  .door = "send",
	  .promise = "send",
	  .what = "a query of the C library's resolver: fails, and nothing leaves",
	  .expect = PROBE_DENIED,
	  .attempt = ask_resolver },
	{ .name = "allow-hosts",
	  .door = "socket",
	  .what = "getaddrinfo of a name in /etc/hosts",
	  .attempt = resolve_host },
	{},
};
