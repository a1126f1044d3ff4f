// SPDX-License-Identifier: GPL-2.0-or-later
/* TCP clients: every form of connect, and the ways to send on an allowed connection. */
#define _GNU_SOURCE 1
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "probe/internal.h"

#define SHORT_ROUNDS 1000
#define RACE_ROUNDS 1500
#define RACE_SECONDS 2

static enum probe_answer connect_and_talk(struct probe_env *env)
{
	int fd = probe_connect(env);

	if (fd < 0)
		return probe_judge(env, "connect", fd);
	return probe_judge(env, "echo", probe_exchange(fd));
}

/* The kernel refuses the address itself: no verdict may turn that into a connection. */
static enum probe_answer connect_foreign_address(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	return probe_judge_invalid(env, "connect", connect(fd, &target.any, target.length));
}

static enum probe_answer connect_port(struct probe_env *env, uint16_t port)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&target, env->probe->where, port);
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

static enum probe_answer connect_port_zero(struct probe_env *env)
{
	return connect_port(env, 0);
}

static enum probe_answer connect_port_swapped(struct probe_env *env)
{
	return connect_port(env, __builtin_bswap16(env->allowed));
}

static enum probe_answer connect_short(struct probe_env *env)
{
	static const socklen_t lengths[] = { 0, 1, 2, 4, 15 };
	struct probe_address target;

	probe_target(env, &target);
	for (unsigned int i = 0; i < SHORT_ROUNDS; i++) {
		socklen_t length = lengths[i % (sizeof(lengths) / sizeof(lengths[0]))];
		int fd = probe_socket(env, SOCK_STREAM, 0);

		if (connect(fd, &target.any, length) == 0)
			return probe_say(env, PROBE_ALLOWED, "connect with length %u: 0", length);
		if (errno != EINVAL)
			return probe_say(env, PROBE_OTHER, "connect with length %u, round %u: %s",
					 length, i, strerrorname_np(errno));
		(void)close(fd);
	}
	return probe_say(env, PROBE_DENIED, "connect: EINVAL each time");
}

/* Dissolves a connection to the allowed port, with a full and with a two-byte address. */
static int disconnected_socket(struct probe_env *env, bool full)
{
	struct probe_address allowed;
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&allowed, env->probe->where, env->allowed);
	if (connect(fd, &allowed.any, allowed.length) < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&none, full ? sizeof(none) : sizeof(sa_family_t)) < 0)
		return -1;
	return fd;
}

static enum probe_answer connect_again(struct probe_env *env)
{
	struct probe_address target;
	enum probe_answer answer = PROBE_OTHER;

	probe_target(env, &target);
	for (int full = 0; full < 2; full++) {
		int fd = disconnected_socket(env, full);

		if (fd < 0)
			return probe_say(env, PROBE_OTHER, "connect(AF_UNSPEC): %s",
					 strerrorname_np(errno));
		answer = probe_judge(env, "connect", connect(fd, &target.any, target.length));
		if (answer != env->probe->expect)
			return answer;
		if (answer == PROBE_ALLOWED && probe_exchange(fd) < 0)
			return probe_judge(env, "echo", -1);
	}
	return answer;
}

static enum probe_answer connect_nonblocking(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r, error = 0;
	socklen_t length = sizeof(error);

	probe_target(env, &target);
	r = connect(fd, &target.any, target.length);
	if (r == 0 || errno != EINPROGRESS)
		return probe_judge(env, "connect", r);
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, ANSWER_TIMEOUT_MS) != 1)
		return probe_say(env, PROBE_OTHER, "connect: EINPROGRESS, and never connected");
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	errno = error;
	return probe_judge_errno(env, "connect, in progress", error ? -1 : 0, ECANCELED);
}

static enum probe_answer connect_twice(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	(void)connect(fd, &target.any, target.length);
	if (send(fd, "p", 1, MSG_NOSIGNAL) == 1)
		return probe_say(env, PROBE_ALLOWED, "send after connect: 1");
	return probe_judge(env, "second connect", connect(fd, &target.any, target.length));
}

static enum probe_answer connect_from_allowed_port(struct probe_env *env)
{
	struct probe_address target, local;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	probe_address(&local, PROBE_SECOND_V4, env->allowed);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, SOCKOPT_ON);
	if (bind(fd, &local.any, local.length) < 0)
		return probe_say(env, PROBE_OTHER, "bind: %s", strerrorname_np(errno));
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

/* An IPv6 socket that turns into an IPv4 one. */
static enum probe_answer connect_address_form(struct probe_env *env)
{
	struct probe_address target;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int family = AF_INET, fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&target, PROBE_MAPPED, env->allowed);
	if (connect(fd, &target.any, target.length) < 0)
		return probe_say(env, PROBE_OTHER, "connect: %s", strerrorname_np(errno));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)) < 0 ||
	    connect(fd, &none, sizeof(none)) < 0)
		return probe_say(env, PROBE_UNTRIED, "IPV6_ADDRFORM: %s", strerrorname_np(errno));
	probe_address(&target, PROBE_V4, env->denied);
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

/* In repair mode connect() sends nothing and leaves an established socket. */
static enum probe_answer connect_repair(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, SOCKOPT_ON) < 0)
		return probe_say(env, PROBE_UNTRIED, "TCP_REPAIR: %s", strerrorname_np(errno));
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

/* The upgrade makes an SMC socket of it, which no TCP rule covers, whatever the port. */
static enum probe_answer connect_upgraded(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	if (!probe_has_upgrade(env, "smc"))
		return PROBE_UNTRIED;
	probe_target(env, &target);
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "smc", sizeof("smc")) < 0) {
		if (errno == EPERM)
			return probe_judge(env, "setsockopt(TCP_ULP)", -1);
		return probe_say(env, PROBE_UNTRIED, "setsockopt(TCP_ULP): %s",
				 strerrorname_np(errno));
	}
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

static struct {
	struct probe_address address;
	uint16_t ports[2];
	volatile bool done;
} race;

static void *flip_port(void *unused)
{
	volatile in_port_t *port = &race.address.v4.sin_port;

	(void)unused;
	while (!race.done) {
		*port = race.ports[0];
		*port = race.ports[1];
	}
	return NULL;
}

/* A second thread changes the address while the kernel reads it. */
static enum probe_answer connect_race(struct probe_env *env)
{
	time_t deadline = time(NULL) + RACE_SECONDS;
	unsigned int connected = 0, refused = 0;
	pthread_t flipper;

	probe_target(env, &race.address);
	race.ports[0] = htons(env->allowed);
	race.ports[1] = htons(env->denied);
	if (pthread_create(&flipper, NULL, flip_port, NULL) != 0)
		return probe_say(env, PROBE_UNTRIED, "cannot start a thread");
	for (unsigned int i = 0; i < RACE_ROUNDS && time(NULL) < deadline; i++) {
		struct linger reset = { .l_onoff = 1 };
		int fd = probe_socket(env, SOCK_STREAM, 0);

		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		if (connect(fd, &race.address.any, race.address.length) == 0)
			connected++;
		else
			refused += errno == EPERM;
		(void)close(fd);
	}
	race.done = true;
	(void)pthread_join(flipper, NULL);
	return probe_say(env, refused ? PROBE_DENIED : PROBE_ALLOWED,
			 "%u connects refused, %u connected", refused, connected);
}

/* Sends on an allowed connection and has all of it echoed. */
static enum probe_answer send_allowed(struct probe_env *env)
{
	const char *name = probe_send_name((enum probe_send)env->probe->how);
	int fd = probe_connect(env);
	long sent, echoed = 0;
	char buffer[SEND_LENGTH * 4];

	if (fd < 0)
		return probe_judge(env, "connect", fd);
	sent = probe_send(fd, (enum probe_send)env->probe->how);
	if (sent <= 0)
		return probe_judge(env, name, -1);
	sent = env->probe->how == SEND_SENDMMSG ? sent * SEND_LENGTH : SEND_LENGTH;
	while (echoed < sent && probe_readable(fd, ANSWER_TIMEOUT_MS)) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n <= 0)
			return probe_judge(env, "recv", n ?: -1);
		echoed += n;
	}
	return probe_say(env, echoed == sent ? PROBE_ALLOWED : PROBE_OTHER,
			 "%s: %ld bytes sent, %ld echoed", name, sent, echoed);
}

static int receive_allowed_open(struct probe_env *env, enum probe_receive how)
{
	int fd = probe_connect(env);

	if (fd < 0 || send(fd, "p", 1, MSG_NOSIGNAL) != 1 || !probe_readable(fd, ANSWER_TIMEOUT_MS))
		return -1;
	return probe_receive(fd, how) == 1 ? 0 : -1;
}

static enum probe_answer receive_allowed(struct probe_env *env)
{
	enum probe_receive how = (enum probe_receive)env->probe->how;

	return probe_judge(env, probe_receive_name(how), receive_allowed_open(env, how));
}

#define DENIED(probe_name, meaning, at, function)                                                \
	{                                                                                        \
		.name = probe_name, .door = "connect", .promise = "connect", .what = meaning,    \
		.where = at, .expect = PROBE_DENIED, .flags = PROBE_ARRIVES, .attempt = function \
	}
#define ALLOWED(probe_name, meaning, at, function)                                   \
	{                                                                            \
		.name = probe_name, .door = "connect", .what = meaning, .where = at, \
		.attempt = function                                                  \
	}
#define SENDS(probe_name, way)                                              \
	{                                                                   \
		.name = "allow-" probe_name, .door = "send",                \
		.what = probe_name " on an allowed connection", .how = way, \
		.attempt = send_allowed                                     \
	}
#define RECEIVES(probe_name, way)                                           \
	{                                                                   \
		.name = "allow-" probe_name, .door = "receive",             \
		.what = probe_name " on an allowed connection", .how = way, \
		.attempt = receive_allowed                                  \
	}

const struct probe probe_tcp[] = {
	ALLOWED("allow-connect-v4", "connect to the allowed port, IPv4", PROBE_V4,
		connect_and_talk),
	ALLOWED("allow-connect-v6", "connect to the allowed port, IPv6", PROBE_V6,
		connect_and_talk),
	ALLOWED("allow-connect-mapped", "connect to the allowed port, v4-mapped address",
		PROBE_MAPPED, connect_and_talk),
	ALLOWED("allow-connect-any", "connect to the allowed port at 0.0.0.0", PROBE_ANY_V4,
		connect_and_talk),
	ALLOWED("allow-connect-nonblocking", "non-blocking connect to the allowed port", PROBE_V4,
		connect_nonblocking),
	ALLOWED("allow-reconnect", "connect(AF_UNSPEC), then connect to the allowed port", PROBE_V4,
		connect_again),
	ALLOWED("allow-reconnect-v6", "the same, IPv6", PROBE_V6, connect_again),
	DENIED("connect-v4", "connect, IPv4", PROBE_V4, probe_try_connect),
	DENIED("connect-v6", "connect, IPv6", PROBE_V6, probe_try_connect),
	DENIED("connect-mapped", "connect to a v4-mapped address", PROBE_MAPPED, probe_try_connect),
	DENIED("connect-any-v4", "connect to 0.0.0.0", PROBE_ANY_V4, probe_try_connect),
	DENIED("connect-any-v6", "connect to ::", PROBE_ANY_V6, probe_try_connect),
	DENIED("connect-nonblocking", "non-blocking connect: refused at once", PROBE_V4,
	       connect_nonblocking),
	DENIED("connect-twice", "send and connect again after a refused connect", PROBE_V4,
	       connect_twice),
	DENIED("connect-after-unspec", "connect(AF_UNSPEC) of an allowed connection, then connect",
	       PROBE_V4, connect_again),
	DENIED("connect-after-unspec-v6", "the same, IPv6", PROBE_V6, connect_again),
	DENIED("connect-from-allowed", "connect from a socket bound to the allowed port", PROBE_V4,
	       connect_from_allowed_port),
	DENIED("connect-addrform", "connect after IPV6_ADDRFORM turned the socket to IPv4",
	       PROBE_MAPPED, connect_address_form),
	DENIED("connect-race", "connect while a thread changes the address", PROBE_V4,
	       connect_race),
	{ .name = "connect-v4-on-v6",
	  .door = "connect",
	  .promise = "connect",
	  .what = "AF_INET address on an AF_INET6 TCP socket: the kernel refuses",
	  .where = PROBE_V4_ON_V6,
	  .expect = PROBE_DENIED,
	  .twin = PROBE_DENIED,
	  .attempt = connect_foreign_address },
	{ .name = "connect-port-0",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect to port 0",
	  .expect = PROBE_DENIED,
	  .twin = PROBE_OTHER,
	  .attempt = connect_port_zero },
	{ .name = "connect-port-swapped",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect to the allowed port in the other byte order",
	  .expect = PROBE_DENIED,
	  .twin = PROBE_OTHER,
	  .attempt = connect_port_swapped },
	{ .name = "connect-short",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect with 0, 1, 2, 4 and 15 bytes of address, 1,000 times: EINVAL",
	  .expect = PROBE_DENIED,
	  .twin = PROBE_DENIED,
	  .attempt = connect_short },
	{ .name = "connect-repair",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect in TCP_REPAIR mode, which sends no SYN",
	  .needs = PROBE_NEEDS_NET_ADMIN,
	  .expect = PROBE_DENIED,
	  .attempt = connect_repair },
	{ .name = "connect-ulp-smc",
	  .door = "connect",
	  .promise = "connect",
	  .what = "connect to the allowed port after TCP_ULP made the socket an SMC one",
	  .flags = PROBE_TO_ALLOWED,
	  .expect = PROBE_DENIED,
	  .attempt = connect_upgraded },
	SENDS("write", SEND_WRITE),
	SENDS("writev", SEND_WRITEV),
	SENDS("send", SEND_SEND),
	SENDS("sendmsg", SEND_SENDMSG),
	SENDS("sendmmsg", SEND_SENDMMSG),
	SENDS("sendfile", SEND_SENDFILE),
	SENDS("splice", SEND_SPLICE),
	SENDS("vmsplice", SEND_VMSPLICE),
	SENDS("zerocopy", SEND_ZEROCOPY),
	SENDS("aio-write", SEND_AIO),
	RECEIVES("read", RECEIVE_READ),
	RECEIVES("recvmsg", RECEIVE_RECVMSG),
	RECEIVES("recvmmsg", RECEIVE_RECVMMSG),
	RECEIVES("splice-read", RECEIVE_SPLICE),
	RECEIVES("zerocopy-read", RECEIVE_ZEROCOPY),
	{},
};
