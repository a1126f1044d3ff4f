// SPDX-License-Identifier: GPL-2.0-or-later
/* TCP servers: bind, listen and accept. */
#define _GNU_SOURCE 1
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

#define PRIVILEGED_PORT 80
#define NOBODY 65534
#define BIND_ROUNDS 100

enum {
	ACCEPT,
	ACCEPT4,
};

/* Frees the target for a listener of the probe where the server listens on it. */
static int prepare_free_target(struct probe_env *env)
{
	struct server_reply reply;
	int family = probe_family(env->probe->where), r;

	r = server_ask(env->server, SERVER_PAUSE, family, probe_port(env), &reply);
	errno = -r;
	return r < 0 ? probe_cannot(env, "pausing the server") : 0;
}

/* The listener of an earlier probe may still be held by a ring that the kernel takes down. */
static int bind_patiently(int fd, const struct probe_address *target)
{
	for (int i = 0; i < BIND_ROUNDS; i++) {
		if (bind(fd, &target->any, target->length) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
		(void)usleep(10000);
	}
	return -1;
}

static int bind_target(const struct probe_env *env, bool reuse_port)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, SOCKOPT_ON) < 0)
		return -1;
	if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, SOCKOPT_ON) < 0)
		return -1;
	if (env->probe->where == PROBE_ANY_V6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, SOCKOPT_ON) < 0)
		return -1;
	return bind_patiently(fd, &target) < 0 ? -1 : fd;
}

static enum probe_answer bind_fresh(struct probe_env *env)
{
	return probe_judge(env, "bind", bind_target(env, false));
}

static enum probe_answer bind_reuse_port(struct probe_env *env)
{
	return probe_judge(env, "bind", bind_target(env, true));
}

/* The first listener of the group, with SO_REUSEPORT. */
static int prepare_reuse_port(struct probe_env *env)
{
	env->fd[0] = bind_target(env, true);
	if (env->fd[0] < 0 || listen(env->fd[0], 8) < 0)
		return probe_cannot(env, "the first listener");
	return 0;
}

/* AF_UNSPEC with the address 0.0.0.0 means AF_INET to bind(). */
static enum probe_answer bind_unspec(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	target.any.sa_family = AF_UNSPEC;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, SOCKOPT_ON);
	return probe_judge(env, "bind", bind(fd, &target.any, target.length));
}

static enum probe_answer bind_unspec_v6(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	target.any.sa_family = AF_UNSPEC;
	if (bind(fd, &target.any, target.length) == 0)
		return probe_say(env, PROBE_ALLOWED, "bind: 0");
	return probe_say(env, errno == EAFNOSUPPORT ? PROBE_DENIED : PROBE_OTHER, "bind: %s",
			 strerrorname_np(errno));
}

static enum probe_answer bind_short(struct probe_env *env)
{
	static const socklen_t lengths[] = { 0, 1, 2, 4, 15 };
	struct probe_address target;

	probe_target(env, &target);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int fd = probe_socket(env, SOCK_STREAM, 0);

		if (bind(fd, &target.any, lengths[i]) == 0)
			return probe_say(env, PROBE_ALLOWED, "bind with length %u: 0", lengths[i]);
		if (errno != EINVAL)
			return probe_say(env, PROBE_OTHER, "bind with length %u: %s", lengths[i],
					 strerrorname_np(errno));
	}
	return probe_say(env, PROBE_DENIED, "bind: EINVAL each time");
}

/* The policy's refusal comes before the kernel's EACCES. */
static enum probe_answer bind_privileged(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&target, PROBE_SECOND_V4, PRIVILEGED_PORT);
	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return probe_say(env, PROBE_UNTRIED, "setresuid: %s", strerrorname_np(errno));
	return probe_judge(env, "bind", bind(fd, &target.any, target.length));
}

static enum probe_answer bind_zero_connect(struct probe_env *env)
{
	struct probe_address local, target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&local, env->probe->where, 0);
	if (bind(fd, &local.any, local.length) < 0)
		return probe_judge(env, "bind", -1);
	probe_target(env, &target);
	if (connect(fd, &target.any, target.length) < 0)
		return probe_judge(env, "connect", -1);
	return probe_judge(env, "echo", probe_exchange(fd));
}

/* listen() that says 0 and a socket that listens are the same thing only if the kernel agrees. */
static enum probe_answer judge_listen(struct probe_env *env, int fd)
{
	int result = listen(fd, 8), error = errno, listens = 0;
	socklen_t length = sizeof(listens);

	(void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
	if (result < 0 && listens)
		return probe_say(env, PROBE_ALLOWED, "listen: %s, but the socket listens",
				 strerrorname_np(error));
	errno = error;
	return probe_judge(env, "listen", result);
}

static enum probe_answer listen_unbound(struct probe_env *env)
{
	return judge_listen(env, probe_socket(env, SOCK_STREAM, 0));
}

static enum probe_answer listen_bound_zero(struct probe_env *env)
{
	struct probe_address local;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_address(&local, env->probe->where, 0);
	if (env->probe->how == IP_BIND_ADDRESS_NO_PORT &&
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, SOCKOPT_ON) < 0)
		return probe_judge(env, "setsockopt(IP_BIND_ADDRESS_NO_PORT)", -1);
	if (bind(fd, &local.any, local.length) < 0)
		return probe_say(env, PROBE_OTHER, "bind to port 0: %s", strerrorname_np(errno));
	return judge_listen(env, fd);
}

static int prepare_bound(struct probe_env *env)
{
	env->fd[0] = bind_target(env, false);
	return env->fd[0] < 0 ? probe_cannot(env, "bind") : 0;
}

static enum probe_answer listen_inherited(struct probe_env *env)
{
	return judge_listen(env, env->fd[0]);
}

/* The server connects to the listener; the probe accepts, and echoes the byte. */
static int dial(struct probe_env *env)
{
	int family = env->probe->where == PROBE_V6 ? AF_INET6 : AF_INET;
	struct server_reply reply;
	int r = server_ask(env->server, SERVER_DIAL, family, probe_port(env), &reply);

	errno = -r;
	return r < 0 ? -1 : 0;
}

static uint64_t dialled_bytes(struct probe_env *env)
{
	struct server_reply reply;
	uint64_t bytes = 0;

	if (server_ask(env->server, SERVER_COUNT, 0, 0, &reply) < 0)
		return 0;
	for (size_t i = 0; i < 2 * SERVER_PORTS; i++)
		bytes += reply.count[SERVER_DIALLED][i / SERVER_PORTS][i % SERVER_PORTS].bytes;
	return bytes;
}

static enum probe_answer serve(struct probe_env *env, int listener, int how)
{
	uint64_t before = dialled_bytes(env);
	char byte = 0;
	int fd;

	if (!probe_readable(listener, ANSWER_TIMEOUT_MS))
		return probe_say(env, PROBE_OTHER, "no connection to accept");
	fd = how == ACCEPT ? accept(listener, NULL, NULL) :
			     accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return probe_judge(env, "accept", fd);
	if (recv(fd, &byte, 1, 0) != 1)
		return probe_judge(env, "recv on the accepted socket", -1);
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return probe_judge(env, "send on the accepted socket", -1);
	for (int i = 0; i < 20 && dialled_bytes(env) == before; i++)
		(void)usleep(10000);
	return probe_say(env, dialled_bytes(env) == before ? PROBE_OTHER : PROBE_ALLOWED,
			 "accepted, %u bytes came back", (unsigned)(dialled_bytes(env) - before));
}

static enum probe_answer serve_allowed(struct probe_env *env)
{
	int fd = bind_target(env, false);

	if (fd < 0)
		return probe_judge(env, "bind", fd);
	if (listen(fd, 8) < 0)
		return probe_judge(env, "listen", -1);
	if (dial(env) < 0)
		return probe_say(env, PROBE_OTHER, "nobody can connect: %s",
				 strerrorname_np(errno));
	return serve(env, fd, env->probe->how);
}

static enum probe_answer serve_reuse_port(struct probe_env *env)
{
	int fd = bind_target(env, true);

	if (fd < 0)
		return probe_judge(env, "bind", fd);
	return probe_judge(env, "listen", listen(fd, 8));
}

int probe_prepare_listener(struct probe_env *env)
{
	if (env->probe->where == PROBE_V6 && prepare_free_target(env) < 0)
		return -1;
	env->fd[0] = bind_target(env, false);
	if (env->fd[0] < 0 || listen(env->fd[0], 8) < 0)
		return probe_cannot(env, "the listener");
	return dial(env) < 0 ? probe_cannot(env, "a connection to the listener") : 0;
}

static enum probe_answer accept_inherited(struct probe_env *env)
{
	return serve(env, env->fd[0], env->probe->how);
}

#define BINDS(probe_name, meaning, at, first, function)                                    \
	{                                                                                  \
		.name = probe_name, .door = "bind", .promise = "bind", .what = meaning,    \
		.where = at, .expect = PROBE_DENIED, .prepare = first, .attempt = function \
	}
#define LISTENS(probe_name, meaning, at, function)                                          \
	{                                                                                   \
		.name = probe_name, .door = "listen", .promise = "listen", .what = meaning, \
		.where = at, .expect = PROBE_DENIED, .attempt = function                    \
	}
#define SERVES(probe_name, meaning, at, first, function, way)                                   \
	{                                                                                       \
		.name = probe_name, .door = "accept", .what = meaning, .where = at, .how = way, \
		.prepare = first, .attempt = function                                           \
	}
#define ACCEPTS(probe_name, meaning, at, way)                                                    \
	{                                                                                        \
		.name = probe_name, .door = "accept", .promise = "handed-over", .what = meaning, \
		.where = at, .how = way, .expect = PROBE_DENIED,                                 \
		.prepare = probe_prepare_listener, .attempt = accept_inherited                   \
	}

const struct probe probe_listen[] = {
	SERVES("allow-serve-v4", "bind, listen, accept and echo on the allowed port, IPv4",
	       PROBE_SECOND_V4, NULL, serve_allowed, ACCEPT4),
	SERVES("allow-serve-accept", "the same by accept()", PROBE_SECOND_V4, NULL, serve_allowed,
	       ACCEPT),
	SERVES("allow-serve-v6", "the same, IPv6", PROBE_V6, prepare_free_target, serve_allowed,
	       ACCEPT4),
	SERVES("allow-serve-mapped", "the same, bound to a v4-mapped address", PROBE_SECOND_MAPPED,
	       NULL, serve_allowed, ACCEPT4),
	SERVES("allow-accept-inherited", "accept on an inherited listener of the allowed port",
	       PROBE_SECOND_V4, probe_prepare_listener, accept_inherited, ACCEPT4),
	{ .name = "allow-reuseport",
	  .door = "bind",
	  .what = "a second listener on the allowed port, SO_REUSEPORT",
	  .where = PROBE_SECOND_V4,
	  .prepare = prepare_reuse_port,
	  .attempt = serve_reuse_port },
	{ .name = "allow-bind-0-connect",
	  .door = "bind",
	  .what = "bind to port 0, then connect to the allowed port",
	  .attempt = bind_zero_connect },
	BINDS("bind-v4", "bind, IPv4", PROBE_SECOND_V4, NULL, bind_fresh),
	BINDS("bind-v6", "bind, IPv6", PROBE_V6, prepare_free_target, bind_fresh),
	BINDS("bind-mapped", "bind to a v4-mapped address", PROBE_SECOND_MAPPED, NULL, bind_fresh),
	BINDS("bind-any-v4", "bind to 0.0.0.0", PROBE_ANY_V4, prepare_free_target, bind_fresh),
	BINDS("bind-any-v6", "bind to ::", PROBE_ANY_V6, prepare_free_target, bind_fresh),
	BINDS("bind-unspec", "bind to an address of family 0, which means AF_INET", PROBE_ANY_V4,
	      prepare_free_target, bind_unspec),
	BINDS("bind-reuseport", "a second socket on a denied port, SO_REUSEPORT", PROBE_SECOND_V4,
	      prepare_reuse_port, bind_reuse_port),
	{ .name = "bind-unspec-v6",
	  .door = "bind",
	  .promise = "bind",
	  .what = "bind an AF_INET6 socket to an address of family 0: the kernel refuses",
	  .where = PROBE_ANY_V6,
	  .expect = PROBE_DENIED,
	  .twin = PROBE_DENIED,
	  .attempt = bind_unspec_v6 },
	{ .name = "bind-short",
	  .door = "bind",
	  .promise = "bind",
	  .what = "bind with 0, 1, 2, 4 and 15 bytes of address: EINVAL",
	  .expect = PROBE_DENIED,
	  .twin = PROBE_DENIED,
	  .attempt = bind_short },
	{ .name = "bind-privileged",
	  .door = "bind",
	  .promise = "bind",
	  .what = "bind to port 80 without privilege: EPERM, not EACCES",
	  .expect = PROBE_DENIED,
	  .twin = PROBE_OTHER,
	  .attempt = bind_privileged },
	LISTENS("listen-unbound-v4", "listen with no bind, IPv4", PROBE_V4, listen_unbound),
	LISTENS("listen-unbound-v6", "listen with no bind, IPv6", PROBE_V6, listen_unbound),
	LISTENS("listen-bind-0", "bind to port 0, then listen", PROBE_V4, listen_bound_zero),
	LISTENS("listen-bind-0-v6", "the same, IPv6", PROBE_V6, listen_bound_zero),
	{ .name = "listen-no-port",
	  .door = "listen",
	  .promise = "listen",
	  .what = "IP_BIND_ADDRESS_NO_PORT, bind to port 0, then listen",
	  .how = IP_BIND_ADDRESS_NO_PORT,
	  .expect = PROBE_DENIED,
	  .attempt = listen_bound_zero },
	{ .name = "listen-inherited",
	  .door = "listen",
	  .promise = "handed-over",
	  .what = "listen on an inherited socket that is bound",
	  .where = PROBE_SECOND_V4,
	  .expect = PROBE_DENIED,
	  .prepare = prepare_bound,
	  .attempt = listen_inherited },
	ACCEPTS("accept-inherited", "accept on an inherited listener", PROBE_SECOND_V4, ACCEPT),
	ACCEPTS("accept4-inherited", "accept4 on an inherited listener", PROBE_SECOND_V4, ACCEPT4),
	ACCEPTS("accept4-inherited-v6", "accept4 on an inherited listener, IPv6", PROBE_V6,
		ACCEPT4),
	ACCEPTS("accept4-inherited-mapped", "accept4 on an inherited AF_INET6 listener of IPv4",
		PROBE_SECOND_MAPPED, ACCEPT4),
	{},
};
