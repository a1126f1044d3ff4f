// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses and plain conversations. */
#define _GNU_SOURCE 1
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"
#include "util/cleanup.h"

static const struct in6_addr mapped_loopback = { .s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };

uint16_t probe_port(const struct probe_env *env)
{
	unsigned int flags = env->probe->flags;

	if (flags & (PROBE_TO_ALLOWED | PROBE_TO_DENIED))
		return flags & PROBE_TO_ALLOWED ? env->allowed : env->denied;
	return env->probe->expect == PROBE_ALLOWED ? env->allowed : env->denied;
}

static bool is_v4_address(enum probe_where where)
{
	return where == PROBE_V4 || where == PROBE_V4_ON_V6 || where == PROBE_ANY_V4 ||
	       where == PROBE_SECOND_V4;
}

int probe_family(enum probe_where where)
{
	return is_v4_address(where) && where != PROBE_V4_ON_V6 ? AF_INET : AF_INET6;
}

static in_addr_t v4_address(enum probe_where where)
{
	if (where == PROBE_ANY_V4)
		return htonl(INADDR_ANY);
	return htonl(INADDR_LOOPBACK + (where == PROBE_SECOND_V4));
}

static struct in6_addr v6_address(enum probe_where where)
{
	struct in6_addr address = mapped_loopback;

	if (where == PROBE_V6)
		return in6addr_loopback;
	if (where == PROBE_ANY_V6)
		return in6addr_any;
	address.s6_addr[15] += where == PROBE_SECOND_MAPPED;
	return address;
}

void probe_address(struct probe_address *ret, enum probe_where where, uint16_t port)
{
	memset(ret, 0, sizeof(*ret));
	if (is_v4_address(where)) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		ret->v4.sin_addr.s_addr = v4_address(where);
		ret->length = sizeof(ret->v4);
		return;
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(port);
	ret->v6.sin6_addr = v6_address(where);
	ret->length = sizeof(ret->v6);
}

void probe_target(const struct probe_env *env, struct probe_address *ret)
{
	probe_address(ret, env->probe->where, probe_port(env));
}

/* So that a packet dropped on its way does not hold the probe up. */
void probe_set_timeouts(int fd)
{
	struct timeval timeout = { .tv_sec = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

int probe_socket(const struct probe_env *env, int type, int protocol)
{
	int fd = socket(probe_family(env->probe->where), type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		probe_set_timeouts(fd);
	return fd;
}

/* What a ring has to tell may interrupt a call; the next one waits for the same handshake. */
static int connect_whatever_comes(int fd, const struct probe_address *target)
{
	int r;

	do {
		r = connect(fd, &target->any, target->length);
	} while (r && errno == EINTR);
	return r && errno != EISCONN ? r : 0;
}

int probe_connect(const struct probe_env *env)
{
	cleanup_close int fd = probe_socket(env, SOCK_STREAM, 0);
	struct probe_address target;

	probe_target(env, &target);
	if (fd < 0 || connect_whatever_comes(fd, &target) < 0)
		return -1;
	return TAKE_FD(fd);
}

enum probe_answer probe_try_connect(struct probe_env *env)
{
	struct probe_address target;
	int fd = probe_socket(env, SOCK_STREAM, 0);

	probe_target(env, &target);
	if (fd < 0)
		return probe_judge(env, "socket", fd);
	return probe_judge(env, "connect", connect(fd, &target.any, target.length));
}

bool probe_readable(int fd, int timeout_ms)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, timeout_ms) == 1;
}

int probe_exchange(int fd)
{
	char echo = 0;

	if (send(fd, "p", 1, MSG_NOSIGNAL) != 1)
		return -1;
	if (!probe_readable(fd, ANSWER_TIMEOUT_MS)) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (recv(fd, &echo, 1, 0) != 1)
		return -1;
	errno = EBADMSG;
	return echo == 'p' ? 0 : -1;
}

int probe_prepare_connected(struct probe_env *env)
{
	env->fd[0] = probe_connect(env);
	return env->fd[0] < 0 ? probe_cannot(env, "connect") : 0;
}

int probe_prepare_echo(struct probe_env *env)
{
	if (probe_prepare_connected(env) < 0)
		return -1;
	if (send(env->fd[0], "p", 1, MSG_NOSIGNAL) != 1 ||
	    !probe_readable(env->fd[0], ANSWER_TIMEOUT_MS))
		return probe_cannot(env, "an echo");
	return 0;
}

enum probe_answer probe_connect_inherited(struct probe_env *env)
{
	struct probe_address target;

	probe_target(env, &target);
	return probe_judge(env, "connect", connect(env->fd[0], &target.any, target.length));
}
