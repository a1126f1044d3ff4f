// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uring-client PORT: connect, send and receive by io_uring alone, on 127.0.0.1. Prints "answer ..."
 * when it worked, else the call and the errno; exits with 1 then.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct io_uring ring;

/* Submits what has been prepared, and ends the program if it fails. */
static int finish(const char *what)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit(&ring);

	if (r >= 0)
		r = io_uring_wait_cqe(&ring, &cqe);
	if (r >= 0) {
		r = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	if (r < 0) {
		(void)printf("%s %s\n", what, strerrorname_np(-r));
		exit(1);
	}
	return r;
}

static struct io_uring_sqe *next(void)
{
	return io_uring_get_sqe(&ring);
}

int main(int argc, char **argv)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET };
	char answer[13] = "";
	int fd, r;

	if (argc != 2)
		return 2;
	to.sin_port = htons((in_port_t)atoi(argv[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = io_uring_queue_init(4, &ring, 0);
	if (fd < 0 || r) {
		(void)printf("no socket, or no ring: %s\n", strerrorname_np(fd < 0 ? errno : -r));
		return 2;
	}
	io_uring_prep_connect(next(), fd, (struct sockaddr *)&to, sizeof(to));
	(void)finish("connect");
	io_uring_prep_send(next(), fd, request, sizeof(request) - 1, 0);
	(void)finish("send");
	io_uring_prep_recv(next(), fd, answer, sizeof(answer) - 1, 0);
	(void)finish("recv");
	(void)printf("answer %s\n", answer);
	return 0;
}
