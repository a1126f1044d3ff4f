// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	cost COMMAND...
 *
 * Runs COMMAND, its output thrown away, and prints the nanoseconds that it had the CPU: under
 * `tools/vm --icount` these are instructions, give or take a thousand. The clock itself would also
 * count what the command waits for.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(char **command)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	(void)execvp(*command, command);
	_exit(127);
}

static unsigned long nanoseconds(const struct timeval *time)
{
	return time->tv_sec * 1000000000UL + time->tv_usec * 1000UL;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t child = fork();

	if (!child && argc > 1)
		run(argv + 1);
	if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status) {
		(void)fprintf(stderr, "cost: the command failed\n");
		return 1;
	}
	(void)printf("%lu\n", nanoseconds(&usage.ru_utime) + nanoseconds(&usage.ru_stime));
	return 0;
}
