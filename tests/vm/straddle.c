// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that is moved to another cgroup while it forks or executes, at a moment of its choice:
 *
 *	straddle fork FROM TO PERCENT	when so much of a fork's time has passed: its child is begun before, and
 *					comes to be after
 *	straddle exec FROM TO PROGRAM INTERPRETER	PROGRAM, which INTERPRETER starts, is checked before, and
 *					runs after: a helper holds the interpreter's file meanwhile
 *	straddle tell			what such a program does
 *
 * FROM, TO: cgroups, which somebody else than root may use: uid 1000. Each prints one line: the cgroup
 * that it came to be in, and "+" or "-" for what becomes of connections to 4041, 4042 and 8080.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tried-port.h"

#define MEMORY (700ul << 20) /* so much takes its time to be copied */
#define PAGE 4096
#define OTHER_UID 1000
#define LEASE_S 60

static const char *program;

_Noreturn static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void move(pid_t pid, const char *cgroup)
{
	char path[256], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", pid);

	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		fail(path);
	(void)close(fd);
}

static int tell(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[256] = "";

	while (file && strncmp(line, "0::", 3) && fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	(void)printf("%s %c%c%c\n", line + 3, try_port(4041), try_port(4042), try_port(8080));
	(void)fflush(stdout);
	return 0;
}

static void become_other(void)
{
	if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) ||
	    setresuid(OTHER_UID, OTHER_UID, OTHER_UID))
		fail("setresuid");
}

static long now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * A program of its own, so that nothing is copied for it: mover PID FROM TO DELAY_US. The kernel lets a move
 * wait for all who fork, which takes a while unless another move was there a moment ago.
 */
static int be_mover(char **argv)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	long begun;
	char go;

	if (read(STDIN_FILENO, &go, 1) != 1)
		return 1;
	begun = now_us();
	while (now_us() - begun < atol(argv[4])) {
		move(getpid(), argv[2]);
		(void)nanosleep(&moment, NULL);
	}
	move(atoi(argv[1]), argv[3]);
	return 0;
}

static long time_of_fork(void)
{
	long begun = now_us(), ended;
	pid_t child = fork();

	if (!child)
		_exit(0);
	ended = now_us();
	(void)waitpid(child, NULL, 0);
	return ended - begun;
}

static int fork_astride(const char *from, const char *to, const char *percent)
{
	char *memory =
		mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char pid[16], delay[32];
	pid_t mover, child;
	int go[2];

	move(getpid(), from);
	become_other();
	if (memory == MAP_FAILED || pipe(go))
		fail("mmap or pipe");
	(void)madvise(memory, MEMORY, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < MEMORY; i += PAGE)
		memory[i] = 1;
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	(void)snprintf(delay, sizeof(delay), "%ld", time_of_fork() * atol(percent) / 100);
	mover = vfork();
	if (!mover) {
		(void)dup2(go[0], STDIN_FILENO);
		(void)execl("/proc/self/exe", "straddle", "mover", pid, from, to, delay, NULL);
		_exit(2);
	}
	(void)!write(go[1], "", 1);
	child = fork();
	if (!child)
		_exit(tell());
	(void)waitpid(child, NULL, 0);
	(void)waitpid(mover, NULL, 0);
	return 0;
}

static void *execute(void *unused)
{
	(void)execl(program, program, "tell", NULL);
	fail(program);
}

/* A lease on the file keeps whoever opens it waiting, until it is given up. */
static void hold_until_moved(const char *file, const char *to, int ready)
{
	struct timespec limit = { .tv_sec = LEASE_S };
	sigset_t asked;
	int fd;

	(void)sigemptyset(&asked);
	(void)sigaddset(&asked, SIGIO);
	(void)sigprocmask(SIG_BLOCK, &asked, NULL);
	fd = open(file, O_RDONLY | O_CLOEXEC); /* who writes it would have the execution fail */
	if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK))
		fail(file);
	(void)!write(ready, "", 1);
	if (sigtimedwait(&asked, NULL, &limit) < 0)
		fail("nobody opened it");
	move(getppid(), to);
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	_exit(0);
}

static int execute_astride(const char *from, const char *to, const char *interpreter)
{
	pthread_t thread;
	int ready[2];
	char said;

	move(getpid(), from);
	become_other();
	if (pipe(ready))
		fail("pipe");
	if (!fork())
		hold_until_moved(interpreter, to, ready[1]);
	if (read(ready[0], &said, 1) != 1 || pthread_create(&thread, NULL, execute, NULL))
		fail("pthread_create");
	for (;;)
		(void)pause();
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "tell"))
		return tell();
	if (argc == 6 && !strcmp(argv[1], "mover"))
		return be_mover(argv + 1);
	if (argc == 5 && !strcmp(argv[1], "fork"))
		return fork_astride(argv[2], argv[3], argv[4]);
	if (argc != 6 || strcmp(argv[1], "exec")) {
		(void)fprintf(stderr, "usage: straddle fork FROM TO PERCENT\n"
				      "       straddle exec FROM TO PROGRAM INTERPRETER\n"
				      "       straddle tell\n");
		return 2;
	}
	program = argv[4];
	return execute_astride(argv[2], argv[3], argv[5]);
}
