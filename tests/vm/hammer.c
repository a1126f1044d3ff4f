// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connects as fast as it can, from many threads:
 *
 *	hammer serve PORT...			accepts and drops connections until it is killed
 *	hammer SECONDS THREADS ALLOWED DENIED	half the threads connect to each of the two ports
 *	hammer rename NAME SECONDS ALLOWED DENIED
 *						takes that name; its children, one after another, connect
 *						to the one and to the other
 *	hammer names THREADS			the threads take one name after another until it is killed
 *
 * SIGTERM ends it before its time.
 *
 * Run under a confined name, not one connection to ALLOWED may fail, and every one to DENIED has
 * to fail with EPERM. Prints how many of each there were; exits with 1 when one was wrong.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define PORTS_MAX 8

struct work {
	pthread_t thread;
	unsigned port;
	bool v6;
	int expect; /* errno, or 0 */
	time_t until;
	unsigned long done, wrong;
	int last; /* what was wrong */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t loopback(union address *ret, bool v6, unsigned port)
{
	memset(ret, 0, sizeof(*ret));
	if (v6) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		ret->v6.sin6_addr = in6addr_loopback;
		return sizeof(ret->v6);
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(port);
	ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(ret->v4);
}

/* A reset at close leaves nothing in TIME_WAIT: ports would run out. */
static int attempt(bool v6, unsigned port)
{
	const struct linger reset = { .l_onoff = 1 };
	union address address;
	socklen_t length = loopback(&address, v6, port);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	r = connect(fd, &address.any, length) ? errno : 0;
	(void)close(fd);
	return r;
}

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	ended = signal_number;
}

static bool goes_on(const struct work *work)
{
	return !ended && time(NULL) < work->until;
}

static void note(struct work *work, int r)
{
	work->done++;
	if (r == work->expect)
		return;
	work->wrong++;
	work->last = r;
}

static void *hammer(void *argument)
{
	struct work *work = argument;

	while (goes_on(work))
		note(work, attempt(work->v6, work->port));
	return NULL;
}

static int attempt_of_child(const struct work *work)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(attempt(work->v6, work->port));
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int report(const struct work *works, unsigned n, int expect, const char *what)
{
	unsigned long done = 0, wrong = 0;
	int last = 0;

	for (unsigned i = 0; i < n; i++) {
		if (works[i].expect != expect)
			continue;
		done += works[i].done;
		wrong += works[i].wrong;
		if (works[i].wrong)
			last = works[i].last;
	}
	(void)printf("%s %lu wrong %lu", what, done, wrong);
	if (wrong)
		(void)printf(" (%s)", last ? strerror(last) : "connected");
	(void)putchar('\n');
	return wrong || !done;
}

static int run(unsigned seconds, unsigned threads, unsigned allowed, unsigned denied)
{
	struct work works[THREADS_MAX] = {};
	time_t until = time(NULL) + seconds;
	int r;

	(void)signal(SIGTERM, end);
	for (unsigned i = 0; i < threads; i++) {
		works[i] = (struct work){ .port = i % 2 ? denied : allowed,
					  .v6 = i / 2 % 2,
					  .expect = i % 2 ? EPERM : 0,
					  .until = until };
		if (pthread_create(&works[i].thread, NULL, hammer, &works[i]))
			return 2;
	}
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(works[i].thread, NULL);
	r = report(works, threads, 0, "allowed");
	return report(works, threads, EPERM, "denied") || r;
}

static int run_children(const char *name, unsigned seconds, unsigned allowed, unsigned denied)
{
	time_t until = time(NULL) + seconds;
	struct work works[] = {
		{ .port = allowed, .expect = 0, .until = until },
		{ .port = denied, .expect = EPERM, .until = until },
	};
	int r;

	(void)signal(SIGTERM, end);
	if (prctl(PR_SET_NAME, name))
		return 2;
	for (unsigned i = 0; goes_on(&works[0]); i++)
		note(&works[i % 2], attempt_of_child(&works[i % 2]));
	r = report(works, 2, 0, "allowed");
	return report(works, 2, EPERM, "denied") || r;
}

static void *take_names(void *first)
{
	char name[16];

	for (unsigned i = *(unsigned *)first;; i++) {
		(void)snprintf(name, sizeof(name), "name-%u", i);
		(void)prctl(PR_SET_NAME, name);
	}
	return NULL;
}

static int run_names(unsigned threads)
{
	unsigned first = 0;
	pthread_t thread;

	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, take_names, &first))
			return 2;
	return pause();
}

static int listen_on(unsigned port)
{
	const int yes = 1;
	union address address;
	socklen_t length = loopback(&address, true, port);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.v6.sin6_addr = in6addr_any;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (fd < 0 || bind(fd, &address.any, length) || listen(fd, 4096))
		return -1;
	return fd;
}

static int serve(int n, char **ports)
{
	struct pollfd listeners[PORTS_MAX];

	for (int i = 0; i < n; i++) {
		listeners[i] = (struct pollfd){ .fd = listen_on((unsigned)atoi(ports[i])),
						.events = POLLIN };
		if (listeners[i].fd < 0) {
			perror("hammer: cannot listen");
			return 2;
		}
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (poll(listeners, (nfds_t)n, -1) >= 0)
		for (int i = 0; i < n; i++)
			for (int fd; (fd = accept(listeners[i].fd, NULL, NULL)) >= 0;)
				(void)close(fd);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc > 2 && argc - 2 <= PORTS_MAX && !strcmp(argv[1], "serve"))
		return serve(argc - 2, argv + 2);
	if (argc == 3 && !strcmp(argv[1], "names"))
		return run_names((unsigned)atoi(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "rename"))
		return run_children(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]),
				    (unsigned)atoi(argv[5]));
	if (argc != 5 || atoi(argv[2]) < 2 || atoi(argv[2]) > THREADS_MAX) {
		(void)fprintf(stderr, "usage: hammer SECONDS THREADS ALLOWED DENIED\n"
				      "       hammer rename NAME SECONDS ALLOWED DENIED\n"
				      "       hammer names THREADS\n"
				      "       hammer serve PORT...\n");
		return 2;
	}
	return run((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]),
		   (unsigned)atoi(argv[4]));
}
