// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	rings UID PORT
 *
 * As root: makes a ring that keeps its credentials, and another that a thread in the process serves, where
 * the kernel has such threads; connects to the port by a call and by each ring; becomes the user for good,
 * and does so again, by sockets of before. Prints the answers, a line each time: "ok" or an error for each
 * way.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ROUNDS = 2, /* as root, and as the user */
};

static struct sockaddr_in target = { .sin_family = AF_INET };

static int new_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int by_call(int fd)
{
	return connect(fd, (struct sockaddr *)&target, sizeof(target)) ? errno : 0;
}

static int by_ring(struct io_uring *ring, int fd, int personality)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(ring);
	struct io_uring_cqe *answer;
	int error;

	io_uring_prep_connect(entry, fd, (struct sockaddr *)&target, sizeof(target));
	entry->personality = (unsigned short)personality;
	if (io_uring_submit(ring) < 0 || io_uring_wait_cqe(ring, &answer))
		return EIO;
	error = -answer->res;
	io_uring_cqe_seen(ring, answer);
	return error;
}

static const char *name_of(int error)
{
	return error ? strerrorname_np(error) : "ok";
}

/* Those of before the kernel's threads of a ring were of the process take registered files alone. */
static bool is_served_in_process(const struct io_uring *ring)
{
	return ring->features & IORING_FEAT_NATIVE_WORKERS;
}

int main(int argc, char **argv)
{
	uid_t uid = argc > 2 ? (uid_t)atoi(argv[1]) : 0;
	struct io_uring keeping, served;
	int kept, fds[ROUNDS][3];

	if (!uid || io_uring_queue_init(8, &keeping, 0) ||
	    io_uring_queue_init(8, &served, IORING_SETUP_SQPOLL))
		return 2;
	target.sin_port = htons((in_port_t)atoi(argv[2]));
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	kept = io_uring_register_personality(&keeping);
	for (int i = 0; i < ROUNDS * 3; i++)
		fds[i / 3][i % 3] = new_socket();
	for (int round = 0; round < ROUNDS; round++) {
		(void)printf("%s %s", name_of(by_call(fds[round][0])),
			     name_of(by_ring(&keeping, fds[round][1], kept)));
		if (is_served_in_process(&served))
			(void)printf(" %s", name_of(by_ring(&served, fds[round][2], 0)));
		(void)printf("\n");
		if (!round && setresuid(uid, uid, uid))
			return 2;
	}
	return 0;
}
