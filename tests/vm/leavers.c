// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	leavers N CGROUP.PROCS PORT
 *
 * N processes that stand still until a line is read; then, one after another, each moves itself to the cgroup and
 * connects to the port of loopback. Prints "ready" before, and afterwards how many were let, got EPERM, were
 * killed as they moved, and what else there was.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAVERS_MAX 2000

enum result {
	RESULT_LET,
	RESULT_REFUSED,
	RESULT_KILLED,
	RESULT_OTHER,
	RESULTS,
};

static pid_t leavers[LEAVERS_MAX];
static int start[2], done[2];

static enum result leave(const char *cgroup, unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((in_port_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int procs = open(cgroup, O_WRONLY | O_CLOEXEC), fd;

	if (procs < 0 || write(procs, "0", 1) != 1)
		return RESULT_OTHER;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return RESULT_LET;
	return errno == EPERM ? RESULT_REFUSED : RESULT_OTHER;
}

_Noreturn static void live(const char *cgroup, unsigned port)
{
	char result;

	(void)close(done[0]); /* so that the reader sees the end of one that is killed */
	if (read(start[0], &result, 1) != 1)
		_exit(1);
	result = (char)leave(cgroup, port);
	(void)!write(done[1], &result, 1);
	for (;;)
		(void)pause(); /* its label takes room */
}

/* Of the one that is on its way; the others stand still. */
static enum result result_of_one(void)
{
	char result;
	ssize_t n;

	if (write(start[1], "", 1) != 1)
		return RESULT_OTHER;
	while ((n = read(done[0], &result, 1)) < 0 && errno == EAGAIN) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			return RESULT_KILLED;
		(void)usleep(500);
	}
	return n == 1 ? (enum result)result : RESULT_OTHER;
}

int main(int argc, char **argv)
{
	unsigned counts[RESULTS] = {}, n = argc == 4 ? (unsigned)atoi(argv[1]) : 0;

	if (!n || n > LEAVERS_MAX || pipe(start) || pipe2(done, O_NONBLOCK))
		return 2;
	for (unsigned i = 0; i < n; i++) {
		leavers[i] = fork();
		if (leavers[i] < 0)
			return 1;
		if (!leavers[i])
			live(argv[2], (unsigned)atoi(argv[3]));
	}
	(void)puts("ready");
	(void)fflush(stdout);
	(void)getchar();
	for (unsigned i = 0; i < n; i++)
		counts[result_of_one()]++;
	(void)printf("let %u refused %u killed %u other %u\n", counts[RESULT_LET],
		     counts[RESULT_REFUSED], counts[RESULT_KILLED], counts[RESULT_OTHER]);
	for (unsigned i = 0; i < n; i++)
		(void)kill(leavers[i], SIGKILL);
	return 0;
}
