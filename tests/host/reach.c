// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reach PORT...: for each port "yes", or "no" where connecting to it on the loopback is refused with
 * EPERM. That nobody listens there is a yes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *reach(unsigned short port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return errno == EPERM ? "no" : strerror(errno);
	r = connect(fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0;
	(void)close(fd);
	return r == EPERM ? "no" : !r || r == ECONNREFUSED ? "yes" : strerror(r);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		(void)printf("%s%s", i > 1 ? " " : "", reach((unsigned short)atoi(argv[i])));
	(void)putchar('\n');
	return EXIT_SUCCESS;
}
