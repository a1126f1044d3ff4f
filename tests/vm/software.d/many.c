// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * many PORT N: N connections on 127.0.0.1, one after the other, to a child that accepts them.
 * many PORT N hold: N at a time; prints "held" and keeps them until stdin ends.
 * Each carries a byte. Prints "done N" at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(bool true_, const char *what)
{
	if (true_)
		return;
	(void)printf("%s: %s\n", what, strerror(errno));
	_exit(1);
}

static int listen_at(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	need(fd >= 0, "socket");
	need(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "reuse");
	need(!bind(fd, (const struct sockaddr *)at, sizeof(*at)), "bind");
	need(!listen(fd, 4096), "listen");
	return fd;
}

static void serve(int listener, bool hold)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char byte;

		need(fd >= 0, "accept");
		need(read(fd, &byte, 1) == 1, "read");
		need(write(fd, &byte, 1) == 1, "answer");
		if (!hold)
			(void)close(fd);
	}
}

static void ask(const struct sockaddr_in *at, bool hold)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte = 'x';

	need(fd >= 0, "socket");
	need(!connect(fd, (const struct sockaddr *)at, sizeof(*at)), "connect");
	need(write(fd, &byte, 1) == 1, "write");
	need(read(fd, &byte, 1) == 1, "read");
	if (!hold)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	bool hold = argc == 4;
	int listener, n;
	pid_t child;

	if (argc < 3)
		return 2;
	n = atoi(argv[2]);
	at.sin_port = htons((in_port_t)atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = listen_at(&at);
	child = fork();
	need(child >= 0, "fork");
	if (!child)
		serve(listener, hold);
	for (int i = 0; i < n; i++)
		ask(&at, hold);
	if (hold) {
		(void)printf("held\n");
		(void)fflush(stdout);
		(void)getchar();
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	(void)printf("done %d\n", n);
	return 0;
}
