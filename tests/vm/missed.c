// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of acts that no program has seen, since another task was preempted in it on this CPU:
 *
 *	missed names PIN SECONDS	children of a process in /held take the name name-b, beside threads that
 *					rename themselves
 *	missed cgroups PIN SECONDS	children of a process in /held are made in /own, beside processes that fork
 *	missed plant PIN FROM TO	gives the thread TO the entry of FROM in a table of labels, as whoever
 *					gets the number of one whose end was not seen has it
 *	missed find PIN THREAD		0: the thread has an entry in a table of labels; 1: it has none
 *
 * PIN: the table of labels by thread id. A child that is not in it was not seen. Each tries 4041, 4042, 4043
 * and 8080. Printed are, in one line, the number of those that were seen and of those that were not, and what
 * the latter might do: '+' or '-' for each port. The last of them stays, and tries again for each line that
 * is read, until that is "end".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tried-port.h"

enum {
	USER = 1000,
	HAMMERS = 24,
	ENOUGH = 12, /* that were not seen */
	PORTS = 4,
	VALUE_MAX = 4096,
};

#define CGROUPS "/sys/fs/cgroup"

static int reports[2], orders[2]; /* pipes: of the children, and to them */

_Noreturn static void fail(const char *what)
{
	(void)fprintf(stderr, "missed: %s: %s\n", what, strerror(errno));
	_exit(2);
}

/* --- The table */

static int open_table(const char *pin)
{
	union bpf_attr open = { .pathname = (uintptr_t)pin };
	int fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &open, sizeof(open));

	if (fd < 0)
		fail(pin);
	return fd;
}

static bool find_entry(int table, uint32_t thread, void *value)
{
	union bpf_attr find = { .map_fd = (uint32_t)table,
				.key = (uintptr_t)&thread,
				.value = (uintptr_t)value };

	return !syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &find, sizeof(find));
}

static int find(int table, uint32_t thread)
{
	static uint64_t value[VALUE_MAX / 8];

	return !find_entry(table, thread, value);
}

static int plant(int table, uint32_t from, uint32_t to)
{
	static uint64_t value[VALUE_MAX / 8];
	union bpf_attr put = { .map_fd = (uint32_t)table,
			       .key = (uintptr_t)&to,
			       .value = (uintptr_t)value };

	if (!find_entry(table, from, value) ||
	    syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &put, sizeof(put)))
		fail("cannot plant");
	return 0;
}

/* --- Who is in the way */

/* What is renamed once it is held has a label for that. */
static void become_held(void)
{
	int fd = open(CGROUPS "/held/cgroup.procs", O_WRONLY | O_CLOEXEC);

	(void)prctl(PR_SET_NAME, "neutral");
	if (fd < 0 || write(fd, "0", 1) != 1)
		fail("cannot go to /held");
	(void)close(fd);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		fail("setresuid");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

_Noreturn static void *rename_without_end(void *number)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "x%ld", (long)(intptr_t)number);
	for (;;) {
		(void)prctl(PR_SET_NAME, name);
		(void)prctl(PR_SET_NAME, "name-a");
	}
}

_Noreturn static void fork_without_end(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid_t child = vfork();

		if (!child)
			_exit(0);
		(void)waitpid(child, NULL, 0);
	}
}

static pid_t start_hammers(bool rename)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	become_held();
	(void)prctl(PR_SET_NAME, "name-a");
	for (intptr_t i = 0; i < HAMMERS; i++) {
		pthread_t thread;

		if (rename)
			(void)pthread_create(&thread, NULL, rename_without_end, (void *)i);
		else if (!fork())
			fork_without_end();
	}
	for (;;)
		(void)pause();
}

/* --- Who acts */

/* Tells its pid, and tries the ports for each order. */
_Noreturn static void obey(void)
{
	static const unsigned port[PORTS] = { 4041, 4042, 4043, 8080 };
	pid_t pid = getpid();
	char order, said[PORTS];

	(void)!write(reports[1], &pid, sizeof(pid));
	while (read(orders[0], &order, 1) == 1 && order == 't') {
		for (unsigned i = 0; i < PORTS; i++)
			said[i] = try_port(port[i]);
		(void)!write(reports[1], said, sizeof(said));
	}
	_exit(0);
}

static pid_t make_child(bool rename, int elsewhere)
{
	struct clone_args into = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)elsewhere };

	return rename ? fork() : (pid_t)syscall(SYS_clone3, &into, sizeof(into));
}

static pid_t start_parent(bool rename)
{
	int elsewhere = open(CGROUPS "/own", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid)
		return pid;
	become_held();
	for (;;) {
		pid_t child = make_child(rename, elsewhere);

		if (!child) {
			if (rename)
				(void)prctl(PR_SET_NAME, "name-b");
			obey();
		}
		if (child < 0)
			fail("cannot make a child");
		(void)waitpid(child, NULL, 0);
	}
}

/* --- Who looks on */

static void order(char what, char said[PORTS + 1])
{
	(void)!write(orders[1], &what, 1);
	if (said && read(reports[0], said, PORTS) != PORTS)
		fail("a child has ended");
}

static void tell_children(int table, long seconds)
{
	static char value[VALUE_MAX];
	unsigned seen = 0, unseen = 0;
	char said[PORTS + 1] = "", all[ENOUGH * (PORTS + 1) + 1] = "";
	time_t end = time(NULL) + seconds;

	for (;;) {
		bool is_seen;
		pid_t pid;

		if (read(reports[0], &pid, sizeof(pid)) != sizeof(pid))
			fail("no child");
		is_seen = find_entry(table, (uint32_t)pid, value);
		order('t', said);
		seen += is_seen;
		unseen += !is_seen;
		if (!is_seen && !strstr(all, said))
			(void)strcat(strcat(all, " "), said);
		if (time(NULL) >= end || (!is_seen && unseen >= ENOUGH))
			break;
		order('e', NULL);
	}
	(void)printf("seen %u unseen %u:%s\n", seen, unseen, all);
	(void)fflush(stdout);
}

static int measure(int table, bool rename, long seconds)
{
	pid_t hammers, parent;
	char said[PORTS + 1] = "", line[16];

	(void)setpriority(PRIO_PROCESS, 0, -20);
	if (pipe2(reports, O_CLOEXEC) || pipe2(orders, O_CLOEXEC))
		fail("pipe");
	hammers = start_hammers(rename);
	parent = start_parent(rename);
	tell_children(table, seconds);
	(void)kill(hammers, SIGKILL);
	(void)waitpid(hammers, NULL, 0);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n")) {
		order('t', said);
		(void)printf("%s\n", said);
		(void)fflush(stdout);
	}
	order('e', NULL);
	(void)kill(parent, SIGKILL);
	(void)waitpid(parent, NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";

	if (!strcmp(what, "names") || !strcmp(what, "cgroups"))
		return measure(open_table(argv[2]), *what == 'n', atol(argv[3]));
	if (!strcmp(what, "find") && argc == 4)
		return find(open_table(argv[2]), (uint32_t)atoi(argv[3]));
	if (!strcmp(what, "plant") && argc == 5)
		return plant(open_table(argv[2]), (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]));
	(void)fprintf(stderr, "usage: missed names|cgroups PIN SECONDS | plant PIN FROM TO | "
			      "find PIN THREAD\n");
	return 2;
}
