// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that does what it reads, one act a line, and answers each with a line: "ok", what it
 * was asked for, or the name of the errno. Static and small, so that it can be executed often, under
 * any name, by anybody.
 *
 * Whoever an act makes (a child, a thread, the program executed) goes on with the next line; who made
 * it waits until that ends. A leader whose thread goes on tries ports when it is asked to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 5
#define LINE_LENGTH 1024
#define CGROUP_LENGTH 512 /* of the path of a deep cgroup */
#define STACK_SIZE (64 * 1024)
#define CGROUPS "/sys/fs/cgroup"

static int to_leader[2] = { -1, -1 }, from_leader[2] = { -1, -1 };

static void live(void);

static void say(const char *text)
{
	char line[LINE_LENGTH];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(1);
}

static void say_errno(int error)
{
	say(error ? strerrorname_np(error) : "ok");
}

/* 0, or what errno is: for calls that return -1. */
static int outcome(long r)
{
	return r < 0 ? errno : 0;
}

/* --- Ports */

/* A reset at close leaves nothing in TIME_WAIT: ports would run out. */
static int try_port(unsigned port)
{
	const struct linger reset = { .l_onoff = 1 };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	r = outcome(connect(fd, (const struct sockaddr *)&to, sizeof(to)));
	(void)close(fd);
	return r;
}

/* "+" for each port that works, "-" for each that gets EPERM, "?" for what else happens. */
static void try_ports(char *ret, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r = try_port(first + i);

		ret[i] = !r ? '+' : r == EPERM ? '-' : '?';
	}
	ret[n] = '\0';
}

static void say_ports(const char *first, const char *n)
{
	char tried[LINE_LENGTH / 2];

	try_ports(tried, (unsigned)atoi(first), (unsigned)atoi(n) % sizeof(tried));
	say(tried);
}

/* --- Names */

static int rename_thread(pid_t thread, const char *name)
{
	char path[64];
	int fd, r;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", thread);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	r = outcome(write(fd, name, strlen(name)));
	(void)close(fd);
	return r;
}

/* --- Cgroups */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return errno;
	r = outcome(write(fd, text, strlen(text)));
	(void)close(fd);
	return r;
}

/* The process of that number or, by the other file, the thread alone; "0" is whoever writes. */
static int move_by(const char *cgroup, const char *file, const char *pid)
{
	char path[LINE_LENGTH];

	(void)snprintf(path, sizeof(path), CGROUPS "%s/%s", cgroup, file);
	return write_file(path, pid);
}

static int move_to(const char *cgroup)
{
	return move_by(cgroup, "cgroup.procs", "0");
}

static int find_own_cgroup(char *ret, size_t size)
{
	FILE *file = fopen("/proc/thread-self/cgroup", "re");
	char line[CGROUP_LENGTH];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strncmp(line, "0::", 3);
	}
	if (file)
		(void)fclose(file);
	if (found)
		(void)snprintf(ret, size, "%s", line + 3);
	return found ? 0 : ENOENT;
}

/* Makes a cgroup below its own, which anybody may use afterwards, and moves there. */
static int move_down(const char *name)
{
	char own[CGROUP_LENGTH], cgroup[CGROUP_LENGTH + 64], path[LINE_LENGTH];
	int r = find_own_cgroup(own, sizeof(own));

	if (r)
		return r;
	(void)snprintf(cgroup, sizeof(cgroup), "%s/%s", strcmp(own, "/") ? own : "", name);
	(void)snprintf(path, sizeof(path), CGROUPS "%s", cgroup);
	if (mkdir(path, 0777) && errno != EEXIST)
		return errno;
	(void)snprintf(path, sizeof(path), CGROUPS "%s/cgroup.procs", cgroup);
	(void)chmod(path, 0666);
	return move_to(cgroup);
}

/* --- Others */

/*
 * The library's own call would have other threads do it, too. Without a memory that may be dumped, it
 * could not write to its own files in /proc any more.
 */
static int change_uids(int real, int effective, int saved)
{
	int r = outcome(syscall(SYS_setresuid, real, effective, saved));

	(void)prctl(PR_SET_DUMPABLE, 1);
	return r;
}

static int attach(pid_t target)
{
	if (ptrace(PTRACE_ATTACH, target, NULL, NULL))
		return errno;
	(void)waitpid(target, NULL, __WALL);
	return outcome(ptrace(PTRACE_DETACH, target, NULL, NULL));
}

static int open_memory(const char *target)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/mem", target);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

/* --- Who goes on */

_Noreturn static void wait_for(pid_t child)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* In the child, or where there is none: that is said. */
static void go_on(pid_t child)
{
	if (child > 0)
		wait_for(child);
	if (!child)
		to_leader[1] = -1;
	say_errno(outcome(child));
}

static void clone_into(const char *cgroup, uint64_t flags, uint64_t exit_signal)
{
	struct clone_args arguments = { .flags = flags | CLONE_INTO_CGROUP,
					.exit_signal = exit_signal };
	char path[LINE_LENGTH];
	int fd;

	(void)snprintf(path, sizeof(path), CGROUPS "%s", cgroup);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		say_errno(errno);
		return;
	}
	arguments.cgroup = (uint64_t)fd;
	go_on((pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments)));
	(void)close(fd);
}

static void fork_into(const char *cgroup)
{
	clone_into(cgroup, 0, SIGCHLD);
}

/* A thread on the stack of whoever makes it, who stands still until the process ends. */
static void start_thread_in(const char *cgroup)
{
	clone_into(cgroup,
		   CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
		   0);
}

/* --- A child that has not run yet, or is being made */

/* Whoever writes to this page stands still until somebody fills it. */
static struct {
	int faults; /* a userfaultfd */
	size_t size;
	void *page;
	pid_t maker;
	bool moves_maker;
	const char *cgroup;
} stall;

static int open_stall(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	stall.size = (size_t)sysconf(_SC_PAGESIZE);
	stall.page =
		mmap(NULL, stall.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stall.faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	range.range = (struct uffdio_range){ (uintptr_t)stall.page, stall.size };
	if (stall.page == MAP_FAILED || stall.faults < 0 || ioctl(stall.faults, UFFDIO_API, &api) ||
	    ioctl(stall.faults, UFFDIO_REGISTER, &range))
		return errno;
	return 0;
}

static int move_child_of(pid_t maker, const char *cgroup)
{
	char path[64], child[32] = "";
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", maker);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	(void)!read(fd, child, sizeof(child) - 1);
	(void)close(fd);
	child[strcspn(child, " ")] = '\0';
	return *child ? move_by(cgroup, "cgroup.procs", child) : ECHILD;
}

static void *move_stalled(void *unused)
{
	struct uffdio_zeropage fill = { .range = { (uintptr_t)stall.page, stall.size } };
	struct uffd_msg fault;

	if (read(stall.faults, &fault, sizeof(fault)) == sizeof(fault)) {
		if (stall.moves_maker)
			(void)move_to(stall.cgroup);
		else
			(void)move_child_of(stall.maker, stall.cgroup);
	}
	(void)ioctl(stall.faults, UFFDIO_ZEROPAGE, &fill);
	return NULL;
}

/*
 * The child is moved before it has run for the first time, if the kernel writes its number there; its maker before
 * it has a cgroup, if the kernel writes a descriptor of it.
 */
static void fork_stalled(const char *cgroup, int writes)
{
	int r = open_stall();
	pthread_t mover;
	pid_t child;

	stall.maker = gettid();
	stall.moves_maker = writes == CLONE_PIDFD;
	stall.cgroup = cgroup;
	if (r || pthread_create(&mover, NULL, move_stalled, NULL)) {
		say_errno(r ?: EAGAIN);
		return;
	}
	child = (pid_t)syscall(SYS_clone, writes | SIGCHLD, NULL, stall.page, NULL, 0);
	if (child)
		(void)pthread_join(mover, NULL);
	go_on(child);
}

/* --- And others that go on */

/* A child that cannot be made: a network of its own takes a right. Who may have one anyway says so. */
static int fork_in_vain(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!child)
		_exit(0);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	return outcome(child);
}

static int live_on_as_child(void *unused)
{
	say("ok");
	live();
	_exit(0);
}

/* The parent stands still until the child executes, and waits afterwards. */
static void fork_sharing(void)
{
	char *stack = malloc(STACK_SIZE);
	pid_t child = stack ? clone(live_on_as_child, stack + STACK_SIZE,
				    CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) :
			      -1;

	if (child > 0)
		wait_for(child);
	say_errno(errno);
}

static void *live_on_as_thread(void *unused)
{
	say("ok");
	live();
	_exit(0);
}

_Noreturn static void answer_thread(void)
{
	unsigned asked[2];
	char tried[LINE_LENGTH];

	while (read(to_leader[0], asked, sizeof(asked)) == sizeof(asked)) {
		if (!asked[1])
			(void)syscall(SYS_exit, 0); /* alone: its threads go on */
		try_ports(tried, asked[0], asked[1]);
		(void)!write(from_leader[1], tried, strlen(tried) + 1);
	}
	_exit(0);
}

static void start_thread(void)
{
	pthread_t thread;
	bool leads = getpid() == gettid();

	if (leads && (pipe2(to_leader, O_CLOEXEC) || pipe2(from_leader, O_CLOEXEC))) {
		say_errno(errno);
		return;
	}
	if (pthread_create(&thread, NULL, live_on_as_thread, NULL)) {
		say("EAGAIN");
		return;
	}
	if (leads)
		answer_thread();
	(void)pthread_join(thread, NULL);
}

static void ask_leader(const char *first, const char *n)
{
	unsigned asked[] = { (unsigned)atoi(first), (unsigned)atoi(n) };
	char tried[LINE_LENGTH / 2] = "no leader";

	if (to_leader[1] >= 0 && write(to_leader[1], asked, sizeof(asked)) == sizeof(asked))
		(void)!read(from_leader[0], tried, sizeof(tried) - 1);
	say(tried);
}

/* The leader ends, and its thread goes on: 0, or ETIMEDOUT if it is still there after a while. */
static int end_leader(void)
{
	const unsigned nothing[2] = {};
	char path[64], line[LINE_LENGTH];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	if (write(to_leader[1], nothing, sizeof(nothing)) != sizeof(nothing))
		return errno;
	for (int tries = 0; tries < 1000; tries++) {
		bool ended;

		file = fopen(path, "re");
		ended = !file || !fgets(line, sizeof(line), file) || strstr(line, ") Z ");
		if (file)
			(void)fclose(file);
		if (ended)
			return 0;
		(void)usleep(10000);
	}
	return ETIMEDOUT;
}

/* The next program answers, as nobody else is there to. */
static void execute(const char *path)
{
	(void)execl(path, path, "again", NULL);
	say_errno(errno);
}

static void say_ids(void)
{
	char ids[64];

	(void)snprintf(ids, sizeof(ids), "%d %d", getpid(), gettid());
	say(ids);
}

/* --- Acts */

static int do_act(char **words)
{
	const char *act = words[0];

	if (!strcmp(act, "connect"))
		return try_port((unsigned)atoi(words[1]));
	if (!strcmp(act, "rename"))
		return outcome(prctl(PR_SET_NAME, words[1]));
	if (!strcmp(act, "rename-by-proc"))
		return rename_thread(gettid(), words[1]);
	if (!strcmp(act, "rename-leader"))
		return rename_thread(getpid(), words[1]);
	if (!strcmp(act, "end-leader"))
		return end_leader();
	if (!strcmp(act, "move"))
		return move_to(words[1]);
	if (!strcmp(act, "move-thread"))
		return move_by(words[1], "cgroup.threads", "0");
	if (!strcmp(act, "move-process"))
		return move_by(words[1], "cgroup.procs", words[2]);
	if (!strcmp(act, "down"))
		return move_down(words[1]);
	if (!strcmp(act, "uids"))
		return change_uids(atoi(words[1]), atoi(words[2]), atoi(words[3]));
	if (!strcmp(act, "userns"))
		return outcome(unshare(CLONE_NEWUSER));
	if (!strcmp(act, "fork-in-vain"))
		return fork_in_vain();
	if (!strcmp(act, "attach"))
		return attach(atoi(words[1]));
	if (!strcmp(act, "memory"))
		return open_memory(words[1]);
	return ENOSYS;
}

static void act_and_answer(char **words)
{
	const char *act = words[0];

	if (!strcmp(act, "fork"))
		go_on(fork());
	else if (!strcmp(act, "vfork"))
		fork_sharing();
	else if (!strcmp(act, "thread"))
		start_thread();
	else if (!strcmp(act, "into"))
		fork_into(words[1]);
	else if (!strcmp(act, "fork-stalled"))
		fork_stalled(words[1], CLONE_PARENT_SETTID);
	else if (!strcmp(act, "fork-while-moved"))
		fork_stalled(words[1], CLONE_PIDFD);
	else if (!strcmp(act, "thread-into"))
		start_thread_in(words[1]);
	else if (!strcmp(act, "exec"))
		execute(words[1]);
	else if (!strcmp(act, "ports"))
		say_ports(words[1], words[2]);
	else if (!strcmp(act, "leader-ports"))
		ask_leader(words[1], words[2]);
	else if (!strcmp(act, "ids"))
		say_ids();
	else if (!strcmp(act, "end"))
		_exit(0);
	else
		say_errno(do_act(words));
}

/* One line at a time, and nothing beyond: the next is another's. */
static bool read_line(char *ret, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && read(STDIN_FILENO, ret + n, 1) == 1)
		if (ret[n++] == '\n') {
			ret[n - 1] = '\0';
			return true;
		}
	return false;
}

static void live(void)
{
	char line[LINE_LENGTH], *rest, *words[WORDS_MAX + 1];

	while (read_line(line, sizeof(line))) {
		rest = line;
		for (int i = 0; i <= WORDS_MAX; i++) {
			words[i] = strtok_r(rest, " ", &rest);
			if (!words[i])
				words[i] = "";
		}
		act_and_answer(words);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	(void)umask(0);
	(void)prctl(PR_SET_DUMPABLE, 1); /* also after a setuid program was executed */
	if (argc > 1)
		say("ok");
	live();
}
