// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One thread calls what is judged while another changes the socket under it.
 *
 *	race listen SECONDS PORT	listens on ports that the kernel chooses; prints how often it could,
 *					and how often on another port than PORT
 *	race peer SECONDS FD ALLOWED DENIED
 *					sends datagrams while the peer changes between two ports of
 *					127.0.0.1, on that descriptor or, with -1, on a socket of its own;
 *					prints how many were sent, and how many refused
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int fd;
static volatile bool over;
static unsigned port[2];

static struct sockaddr_in loopback(unsigned number)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)number),
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void connect_to(unsigned number)
{
	struct sockaddr_in address = loopback(number);

	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static void dissolve(void)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &none, sizeof(none));
}

/* A port of the kernel's choice, again and again: now and then it is the one that is granted. */
static void *change_port(void *data)
{
	struct sockaddr_in any = loopback(0);

	while (!over) {
		dissolve();
		(void)bind(fd, (struct sockaddr *)&any, sizeof(any));
	}
	return data;
}

static void *change_peer(void *data)
{
	for (unsigned i = 0; !over; i++)
		connect_to(port[i % 2]);
	return data;
}

static unsigned own_port(void)
{
	struct sockaddr_in address = {};
	socklen_t size = sizeof(address);

	(void)getsockname(fd, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

static bool is_past(time_t until)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= until;
}

static time_t in_seconds(const char *seconds)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + atoi(seconds);
}

/* What is listening keeps its port until somebody dissolves it: only the other thread does. */
static void race_listen(time_t until)
{
	unsigned long could = 0, elsewhere = 0;
	unsigned got;

	while (!is_past(until)) {
		if (listen(fd, 1))
			continue;
		could++;
		got = own_port();
		elsewhere += got && got != port[0];
	}
	printf("%lu %lu\n", could, elsewhere);
}

static void race_peer(time_t until)
{
	unsigned long sent = 0, refused = 0;

	while (!is_past(until)) {
		ssize_t n = send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n == 1;
		refused += n < 0 && errno == EPERM;
	}
	printf("%lu %lu\n", sent, refused);
}

int main(int argc, char **argv)
{
	bool listens = argc == 4 && !strcmp(argv[1], "listen");
	pthread_t thread;

	if (!listens && argc != 6)
		return 2;
	port[0] = (unsigned)atoi(argv[listens ? 3 : 4]);
	port[1] = listens ? 0 : (unsigned)atoi(argv[5]);
	fd = listens ? -1 : atoi(argv[3]);
	if (fd < 0)
		fd = socket(AF_INET, listens ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (fd < 0 || pthread_create(&thread, NULL, listens ? change_port : change_peer, NULL))
		return 1;
	if (listens)
		race_listen(in_seconds(argv[2]));
	else
		race_peer(in_seconds(argv[2]));
	over = true;
	return pthread_join(thread, NULL);
}
