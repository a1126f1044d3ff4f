// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	pids zombies N NAME	N children that take the name and end, unreaped until a line is read;
 *				prints their pids, then "ready", and "gone" at the end
 *	pids again PORT		for each pid that is read: a process comes to that pid and connects to
 *				the port; prints how many came, and how many were refused
 *	pids mirror PIN NAME...	whether each key of a table of labels is a live thread whose name, or
 *				whose process's, is one of these; prints those that are not
 *	pids fill PIN		adds keys to a table until it is full
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <dirent.h>
#include <unistd.h>

#define LAST_PID "/proc/sys/kernel/ns_last_pid"
#define PIDS_MAX 4096
#define TRIES 20
#define NAME_LENGTH 16
#define VALUE_MAX 4096

static int fail(const char *what)
{
	(void)fprintf(stderr, "pids: %s: %s\n", what, strerror(errno));
	return 2;
}

/* --- Children that end */

static int leave_zombies(unsigned n, const char *name)
{
	char line[16];

	for (unsigned i = 0; i < n; i++) {
		pid_t child = fork();

		if (!child)
			_exit(prctl(PR_SET_NAME, name) ? 1 : 0);
		if (child < 0)
			return fail("cannot fork");
		(void)printf("%d\n", child);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	(void)!fgets(line, sizeof(line), stdin);
	for (unsigned i = 0; i < n; i++)
		(void)wait(NULL);
	(void)puts("gone");
	return 0;
}

/* --- Their pids again */

static int connect_to(unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return errno;
	(void)close(fd);
	return 0;
}

static bool set_last_pid(pid_t pid)
{
	int fd = open(LAST_PID, O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid - 1);
	bool done = fd >= 0 && write(fd, text, (size_t)n) == n;

	if (fd >= 0)
		(void)close(fd);
	return done;
}

/* What the process at that pid got: an errno, or -1 if none came to it. */
static int try_at(pid_t pid, unsigned port)
{
	for (unsigned i = 0; i < TRIES; i++) {
		int status = 0;
		pid_t child;

		if (!set_last_pid(pid))
			return -1;
		child = fork();
		if (!child)
			_exit(getpid() == pid ? connect_to(port) : 0);
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return -1;
		if (child == pid)
			return WEXITSTATUS(status);
	}
	return -1;
}

static int come_again(unsigned port)
{
	unsigned came = 0, refused = 0;
	pid_t pids[PIDS_MAX];
	int n = 0;

	while (n < PIDS_MAX && scanf("%d", &pids[n]) == 1)
		n++;
	for (int i = 0; i < n; i++) {
		int r = try_at(pids[i], port);

		came += r >= 0;
		refused += r > 0;
	}
	(void)printf("came %u refused %u\n", came, refused);
	return 0;
}

/* --- Tables */

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int open_table(const char *pin)
{
	union bpf_attr open = { .pathname = (uintptr_t)pin };

	return (int)bpf(BPF_OBJ_GET, &open);
}

static bool read_text(char *ret, size_t size, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, ret, size - 1);
		(void)close(fd);
	}
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return n > 0;
}

/* Its state stands behind its name, which may have any byte in it. */
static bool runs(int pid, const char *thread)
{
	char path[64], stat[512], *at;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", pid, thread);
	if (!read_text(stat, sizeof(stat), path))
		return false;
	at = strrchr(stat, ')');
	return at && !strchr("ZXx", at[2]);
}

/* A leader that has ended speaks for its process as long as another thread runs. */
static bool any_runs(int pid)
{
	struct dirent *entry;
	bool found = false;
	char path[64];
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && !found && (entry = readdir(tasks)))
		found = *entry->d_name != '.' && runs(pid, entry->d_name);
	if (tasks)
		(void)closedir(tasks);
	return found;
}

static int process_of(int thread)
{
	char path[64], line[128];
	int process = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", thread);
	file = fopen(path, "re");
	while (file && !process && fgets(line, sizeof(line), file))
		(void)sscanf(line, "Tgid: %d", &process);
	if (file)
		(void)fclose(file);
	return process;
}

static bool is_called(int pid, char **names)
{
	char path[64], name[NAME_LENGTH + 1];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (!read_text(name, sizeof(name), path))
		return false;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

static bool belongs(int key, char **names)
{
	int process = process_of(key);
	char thread[16];

	(void)snprintf(thread, sizeof(thread), "%d", key);
	if (!process || (key == process ? !any_runs(process) : !runs(process, thread)))
		return false;
	return is_called(key, names) || is_called(process, names);
}

static int check_mirror(const char *pin, char **names)
{
	uint32_t key, next;
	union bpf_attr walk = { .next_key = (uintptr_t)&next };
	unsigned keys = 0, wrong = 0;
	int fd = open_table(pin);

	if (fd < 0)
		return fail(pin);
	for (walk.map_fd = (uint32_t)fd; !bpf(BPF_MAP_GET_NEXT_KEY, &walk);) {
		keys++;
		if (!belongs((int)next, names)) {
			wrong++;
			(void)printf("%u is in the table\n", next);
		}
		key = next;
		walk.key = (uintptr_t)&key;
	}
	(void)printf("keys %u wrong %u\n", keys, wrong);
	return wrong != 0;
}

static int fill(const char *pin)
{
	static uint64_t key[VALUE_MAX / 8], value[VALUE_MAX / 8];
	struct bpf_map_info info = {};
	union bpf_attr ask = { .info = { .info_len = sizeof(info), .info = (uintptr_t)&info } };
	union bpf_attr add = { .key = (uintptr_t)key, .value = (uintptr_t)value };
	unsigned long n = 0;
	int fd = open_table(pin);

	ask.info.bpf_fd = add.map_fd = (uint32_t)fd;
	if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &ask) || info.value_size > VALUE_MAX)
		return fail(pin);
	key[0] = 1ull << 40; /* no id that the kernel gives out */
	while (!bpf(BPF_MAP_UPDATE_ELEM, &add)) {
		key[0]++;
		n++;
	}
	(void)printf("added %lu to room for %u: %s\n", n, info.max_entries, strerror(errno));
	return errno != E2BIG && errno != ENOMEM;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "zombies") && argc == 4)
		return leave_zombies((unsigned)atoi(argv[2]), argv[3]);
	if (!strcmp(what, "again") && argc == 3)
		return come_again((unsigned)atoi(argv[2]));
	if (!strcmp(what, "mirror"))
		return check_mirror(argv[2], argv + 3);
	if (!strcmp(what, "fill") && argc == 3)
		return fill(argv[2]);
	(void)fprintf(stderr, "usage: pids zombies N NAME | again PORT | mirror PIN NAME... | "
			      "fill PIN\n");
	return 2;
}
