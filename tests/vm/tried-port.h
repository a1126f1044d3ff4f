/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_TRIED_PORT_H
#define PH_TRIED_PORT_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* What becomes of a connection to this port of the machine: '+' it works, '-' EPERM, '?' anything else. */
static inline char try_port(unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int r = connect(fd, (const struct sockaddr *)&to, sizeof(to));
	char said = !r ? '+' : errno == EPERM ? '-' : '?';

	(void)close(fd);
	return said;
}

#endif
