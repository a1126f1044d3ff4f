// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two acts of one process at the same moment, of which neither may undo the other:
 *
 *	atonce move TRIALS FROM TO NAME PORT-A PORT-B	begun in the cgroup FROM, it takes NAME; then one thread moves
 *							it to TO while the first takes another name again and again
 *	atonce names TRIALS NAME-A NAME-B PORT-A PORT-B	two threads give the process these names
 *
 * Everybody may write to FROM and TO, and port B, with names port A too, can be reached before. Each trial has a process
 * of its own, of uid 1000. It prints how many could
 * afterwards reach neither of the ports on loopback, may do nothing at all, could reach the first alone, the second
 * alone, and both; and how many got another error than EPERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_UID 1000
#define DELAY_MAX 20000 /* turns of an empty loop: either comes first */

enum outcome {
	BOTH_REFUSED,
	FIRST_WORKS,
	SECOND_WORKS,
	BOTH_WORK,
	SHUT_IN,
	OTHER_ERROR,
	OUTCOMES,
};

struct write {
	int fd;
	const char *text;
	unsigned delay;
};

static atomic_bool go, over;

_Noreturn static void fail(const char *what)
{
	perror(what);
	exit(OUTCOMES);
}

static int open_to_write(const char *folder, const char *file)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static int open_cgroup(const char *cgroup)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s", cgroup);
	return open_to_write(path, "cgroup.procs");
}

static void write_all(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(text);
}

static void become_other(void)
{
	if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) ||
	    setresuid(OTHER_UID, OTHER_UID, OTHER_UID) || prctl(PR_SET_DUMPABLE, 1))
		fail("setresuid");
}

/* 0 or an errno; EACCES: it may not even make a socket. */
static int reach(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int error;

	if (fd < 0)
		return errno == EPERM ? EACCES : errno;
	error = connect(fd, (const struct sockaddr *)&to, sizeof(to)) ? errno : 0;
	(void)close(fd);
	return error;
}

static enum outcome try_ports(const char *const *ports)
{
	int first = reach(ports[0]), second = reach(ports[1]);

	if (first == EACCES && second == EACCES)
		return SHUT_IN;
	if ((first && first != EPERM) || (second && second != EPERM))
		return OTHER_ERROR;
	return (first ? 0 : FIRST_WORKS) | (second ? 0 : SECOND_WORKS);
}

/* Or what is refused afterwards shows nothing. */
static void must_reach(const char *port)
{
	if (reach(port))
		fail("nothing is refused yet");
}

static void *write_once(void *argument)
{
	const struct write *act = argument;

	while (!go)
		;
	for (volatile unsigned i = 0; i < act->delay; i++)
		;
	write_all(act->fd, act->text);
	over = true;
	return NULL;
}

static pthread_t start(struct write *act)
{
	pthread_t thread;

	act->delay = (unsigned)rand() % DELAY_MAX;
	if (pthread_create(&thread, NULL, write_once, act))
		fail("pthread_create");
	return thread;
}

static enum outcome move_and_rename(const char *const *arguments)
{
	struct write move = { .fd = open_cgroup(arguments[1]) };
	pthread_t thread;

	write_all(open_cgroup(arguments[0]), "0");
	become_other();
	must_reach(arguments[4]);
	if (prctl(PR_SET_NAME, arguments[2]))
		fail("prctl");
	move.text = "0";
	thread = start(&move);
	go = true;
	while (!over)
		(void)prctl(PR_SET_NAME, "neutral");
	(void)pthread_join(thread, NULL);
	return try_ports(arguments + 3);
}

static enum outcome rename_twice(const char *const *arguments)
{
	struct write acts[2];
	pthread_t threads[2];
	char task[64];

	become_other();
	must_reach(arguments[2]);
	must_reach(arguments[3]);
	(void)snprintf(task, sizeof(task), "/proc/self/task/%d", getpid());
	for (int i = 0; i < 2; i++) {
		acts[i] = (struct write){ .fd = open_to_write(task, "comm"), .text = arguments[i] };
		threads[i] = start(&acts[i]);
	}
	go = true;
	for (int i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	return try_ports(arguments + 2);
}

/* A process of its own, which is nobody's before. */
static enum outcome try_once(enum outcome (*trial)(const char *const *arguments),
			     const char *const *arguments, unsigned seed)
{
	pid_t child = fork();
	int status = 0;

	if (child < 0)
		fail("fork");
	if (!child) {
		srand(seed);
		_exit((int)trial(arguments));
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    WEXITSTATUS(status) >= OUTCOMES)
		fail("a trial has failed");
	return (enum outcome)WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	bool moves = argc == 8 && !strcmp(argv[1], "move");
	unsigned count[OUTCOMES] = { 0 };

	if (!moves && (argc != 7 || strcmp(argv[1], "names"))) {
		(void)fprintf(stderr, "usage: atonce move TRIALS FROM TO NAME PORT-A PORT-B\n"
				      "       atonce names TRIALS NAME-A NAME-B PORT-A PORT-B\n");
		return 2;
	}
	for (int i = 0; i < atoi(argv[2]); i++)
		count[try_once(moves ? move_and_rename : rename_twice,
			       (const char *const *)argv + 3, (unsigned)i)]++;
	(void)printf("neither %u shut in %u first %u second %u both %u other %u\n",
		     count[BOTH_REFUSED], count[SHUT_IN], count[FIRST_WORKS], count[SECOND_WORKS],
		     count[BOTH_WORK], count[OTHER_ERROR]);
	return 0;
}
