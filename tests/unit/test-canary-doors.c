// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the canary makes of the answers at its doors: --wrap puts these in the place of the system calls,
 * which refuse what a policy would, or do something else.
 */
#include "canary-doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/policy.h"

static bool labelled; /* in the child */
static int bound = -1, old_connection = -1; /* descriptors */
static int connect_errno; /* what the refused connect gives */
static int socket_errno; /* the raw socket */
static bool dies; /* at the refused connect */
static bool deaf; /* the stage lacks a network */

static int refuse(int error)
{
	errno = error;
	return error ? -1 : 0;
}

int __wrap_claim_take(const struct ph_claim_offer *offer);
int __wrap_unshare(int flags);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_socket(int family, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *to, socklen_t size);
int __wrap_listen(int fd, int backlog);
int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length);

int __wrap_claim_take(const struct ph_claim_offer *offer)
{
	labelled = true;
	return 0;
}

int __wrap_unshare(int flags)
{
	return refuse(deaf ? ENOSYS : 0);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	return 0;
}

int __wrap_socket(int family, int type, int protocol)
{
	if (labelled && (type & 15) == SOCK_RAW)
		return refuse(family == AF_INET ? socket_errno : EPERM);
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size)
{
	bool allowed = ntohs(((const struct sockaddr_in *)to)->sin_port) == PH_CANARY_PORT;

	if (!labelled) {
		old_connection = fd;
		return 0;
	}
	if (dies && !allowed)
		_exit(7);
	return refuse(allowed ? 0 : to->sa_family == AF_INET ? connect_errno : EPERM);
}

int __wrap_bind(int fd, const struct sockaddr *to, socklen_t size)
{
	if (labelled && ntohs(((const struct sockaddr_in *)to)->sin_port) != PH_CANARY_PORT)
		return refuse(EPERM);
	bound = fd;
	return 0;
}

int __wrap_listen(int fd, int backlog)
{
	return refuse(labelled && fd != bound ? EPERM : 0);
}

int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	return labelled && fd == old_connection ? refuse(EPERM) : 1;
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
	return labelled && fd == old_connection ? refuse(EPERM) : 1;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length)
{
	return refuse(EPERM);
}

/* --- The cases */

static int set_up(void **state)
{
	connect_errno = socket_errno = EPERM;
	dies = deaf = false;
	return 0;
}

static void assert_answer(enum ph_backend backend, int expected, size_t refused, const char *text)
{
	static const struct ph_claim_offer offer;
	char said[160] = "";
	size_t counted = 0;

	assert_int_equal(canary_try_doors(backend, &offer, NULL, &counted, said, sizeof(said)),
			 expected);
	assert_int_equal(counted, refused);
	assert_string_equal(said, text);
}

static void test_well(void **state)
{
	assert_answer(PH_BACKEND_LSM, 0, 10, "");
	assert_answer(PH_BACKEND_CGROUP, 0, 6, "");
}

static void test_open(void **state)
{
	connect_errno = 0;
	assert_answer(PH_BACKEND_LSM, 1, 0, "connecting to another port: allowed, expected: EPERM");
}

/* A refusal is EPERM, and no other failure is one. */
static void test_other_errno(void **state)
{
	connect_errno = ECONNREFUSED;
	assert_answer(PH_BACKEND_LSM, 1, 0,
		      "connecting to another port: ECONNREFUSED, expected: EPERM");
	connect_errno = EPERM;
	socket_errno = EAFNOSUPPORT;
	assert_answer(PH_BACKEND_CGROUP, 1, 0, "a raw socket: EAFNOSUPPORT, expected: EPERM");
}

static void test_death(void **state)
{
	dies = true;
	assert_answer(PH_BACKEND_LSM, 1, 0,
		      "connecting to another port: no answer, expected: EPERM");
}

static void test_no_stage(void **state)
{
	deaf = true;
	assert_answer(PH_BACKEND_LSM, -ENOSYS, 0,
		      "the canary has no stage: Function not implemented");
}

#define CASE(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_well),  CASE(test_open),     CASE(test_other_errno),
		CASE(test_death), CASE(test_no_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
