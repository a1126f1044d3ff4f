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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tried-port.h"

#define LEAVERS_MAX 2000
#define KILLED 'k' /* beside what try_port() answers */

static pid_t leavers[LEAVERS_MAX];
static int start[2], done[2];

static char leave(const char *cgroup, unsigned port)
{
	int procs = open(cgroup, O_WRONLY | O_CLOEXEC);

	return procs >= 0 && write(procs, "0", 1) == 1 ? try_port(port) : '?';
}

_Noreturn static void live(const char *cgroup, unsigned port)
{
	char result;

	if (read(start[0], &result, 1) != 1)
		_exit(1);
	result = leave(cgroup, port);
	(void)!write(done[1], &result, 1);
	for (;;)
		(void)pause(); /* its label takes room */
}

/* Of the one that is on its way; the others stand still. */
static char result_of_one(void)
{
	char result;
	ssize_t n;

	if (write(start[1], "", 1) != 1)
		return '?';
	while ((n = read(done[0], &result, 1)) < 0 && errno == EAGAIN) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			return KILLED;
		(void)usleep(500);
	}
	return n == 1 ? result : '?';
}

int main(int argc, char **argv)
{
	unsigned counts[1 << 7] = {},
			     n = argc == 4 ? (unsigned)atoi(argv[1]) : 0; /* by character */

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
		counts[result_of_one() & 0x7f]++;
	(void)printf("let %u refused %u killed %u other %u\n", counts['+'], counts['-'],
		     counts[KILLED], counts['?']);
	for (unsigned i = 0; i < n; i++)
		(void)kill(leavers[i], SIGKILL);
	return 0;
}
