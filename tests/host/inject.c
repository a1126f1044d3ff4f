// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * To be preloaded into porthold: has the call of a given number fail. $INJECT names a file, mapped by
 * porthold and all its children and written by the test:
 *
 *	offset 0	text: CLASS NUMBER ERRNO TIMES, such as "bpf 17 12 1"
 *	offset 64	calls of this class so far, calls that failed so: two words
 *	offset 72	text: the name of the call that failed first
 *
 * Class "bpf" has bpf(2) and mappings of maps; "own" the same, without the looks at programs, which are
 * more when others load some; "update" those that put something into a map. Class "file" has what is done
 * to files and directories of porthold; "place" what moves a file into a policy directory, or removes one
 * there; "memory" what the C library's allocator is asked for; "process" forks, pipes, sockets and
 * namespaces; "types" the making of the map with a lock; "probe" what libbpf makes to see what the kernel
 * has. From the call of that number on, so many calls fail.
 *
 * Class "boottime" has none fail: that clock is ahead by NUMBER seconds, and who would sleep is only
 * counted.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 4096

struct order {
	char text[64];
	unsigned calls;
	unsigned failed;
	char name[56];
};

static struct order *order;
static bool is_ours[FILES_MAX]; /* descriptors of files of porthold */

#define REAL(name)                     \
	static __typeof__(name) *real; \
	if (!real)                     \
	real = (__typeof__(real))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("INJECT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped =
		fd < 0 ? MAP_FAILED :
			 mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mapped != MAP_FAILED)
		order = mapped;
	if (fd >= 0)
		(void)close(fd);
}

/* Whether this call is to fail, with errno set. */
static bool fails(const char *class, const char *name)
{
	unsigned number, times, call;
	char wanted[16];
	int error;

	if (!order || sscanf(order->text, "%15s %u %d %u", wanted, &number, &error, &times) != 4 ||
	    strcmp(wanted, class))
		return false;
	call = __atomic_add_fetch(&order->calls, 1, __ATOMIC_SEQ_CST);
	if (call < number || call - number >= times)
		return false;
	if (!__atomic_fetch_add(&order->failed, 1, __ATOMIC_SEQ_CST))
		(void)snprintf(order->name, sizeof(order->name), "%s", name);
	errno = error;
	return true;
}

static bool is_our_path(const char *path)
{
	return strstr(path, "/porthold") && strncmp(path, "/sys/fs/cgroup", 14);
}

static bool is_policy_path(const char *path)
{
	return strstr(path, "/porthold/policy.d/");
}

static int remember(int fd, const char *path)
{
	if (fd >= 0 && fd < FILES_MAX)
		is_ours[fd] = is_our_path(path);
	return fd;
}

static bool is_our_file(int fd)
{
	return fd >= 0 && fd < FILES_MAX && is_ours[fd];
}

/* --- Memory: the C library's own calls, and those of other libraries, count as well */

/* libfyaml does not look whether it has got any: tests/host/faults has it short of memory by a limit. */
static bool memory_fails(const char *name, void *caller)
{
	char class[16] = "";
	Dl_info info;

	if (!order || sscanf(order->text, "%15s", class) != 1 || strcmp(class, "memory"))
		return false;
	if (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "libfyaml"))
		return false;
	return fails("memory", name);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
	return memory_fails("malloc", __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return memory_fails("calloc", __builtin_return_address(0)) ? NULL :
								     __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return memory_fails("realloc", __builtin_return_address(0)) ? NULL :
								      __libc_realloc(old, size);
}

/* --- Processes */

pid_t fork(void)
{
	REAL(fork);
	return fails("process", "fork") ? -1 : real();
}

int pipe2(int ret[2], int flags)
{
	REAL(pipe2);
	return fails("process", "pipe2") ? -1 : real(ret, flags);
}

int socketpair(int family, int type, int protocol, int ret[2])
{
	REAL(socketpair);
	return fails("process", "socketpair") ? -1 : real(family, type, protocol, ret);
}

int socket(int family, int type, int protocol)
{
	REAL(socket);
	return fails("process", "socket") ? -1 : real(family, type, protocol);
}

int unshare(int flags)
{
	REAL(unshare);
	return fails("process", "unshare") ? -1 : real(flags);
}

pid_t waitpid(pid_t pid, int *ret_status, int flags)
{
	REAL(waitpid);
	return fails("process", "waitpid") ? -1 : real(pid, ret_status, flags);
}

/* --- Time */

static bool is_moved(unsigned *ret_seconds)
{
	return order && sscanf(order->text, "boottime %u", ret_seconds) == 1;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	unsigned seconds;
	int r;

	REAL(clock_gettime);
	r = real(clock, ret);
	if (!r && clock == CLOCK_BOOTTIME && is_moved(&seconds))
		ret->tv_sec += seconds;
	return r;
}

int nanosleep(const struct timespec *time, struct timespec *ret_rest)
{
	unsigned seconds;

	REAL(nanosleep);
	if (!is_moved(&seconds))
		return real(time, ret_rest);
	(void)__atomic_add_fetch(&order->calls, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* --- bpf */

/* Whether a map is made, with the types of what is in it: the one that has a lock. */
static bool makes_with_lock(long command, const union bpf_attr *attributes)
{
	return command == BPF_MAP_CREATE && attributes->btf_value_type_id &&
	       !strcmp(attributes->map_name, "ph_event_head");
}

/* Whether a map or a program is made that libbpf only tries: such have a name of its own, or none. */
static bool is_probe(long command, const union bpf_attr *attributes)
{
	const char *name = command == BPF_MAP_CREATE ? attributes->map_name :
			   command == BPF_PROG_LOAD  ? attributes->prog_name :
						       NULL;

	return name && (!*name || !strncmp(name, "libbpf_", 7));
}

/* How many of these there are depends on the programs of all others. */
static bool looks_at_programs(long command)
{
	return command == BPF_PROG_GET_NEXT_ID || command == BPF_PROG_GET_FD_BY_ID ||
	       command == BPF_OBJ_GET_INFO_BY_FD;
}

long syscall(long number, ...)
{
	long a[6];
	va_list arguments;

	REAL(syscall);
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_bpf && makes_with_lock(a[0], (const union bpf_attr *)a[1]) &&
	    fails("types", "map"))
		return -1;
	if (number == SYS_bpf && !looks_at_programs(a[0]) && fails("own", "bpf"))
		return -1;
	if (number == SYS_bpf && is_probe(a[0], (const union bpf_attr *)a[1]) &&
	    fails("probe", "probe"))
		return -1;
	if (number == SYS_bpf &&
	    (fails("bpf", "bpf") || (a[0] == BPF_MAP_UPDATE_ELEM && fails("update", "update"))))
		return -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	REAL(mmap);
	if (order && fd >= 0 && (flags & MAP_SHARED) && !is_our_file(fd) &&
	    (fails("bpf", "mmap") || fails("own", "mmap")))
		return MAP_FAILED;
	return real(address, length, protection, flags, fd, offset);
}

/* --- Files */

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	REAL(open);
	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if (is_our_path(path) && fails("file", flags & O_CREAT ? "open to write" : "open"))
		return -1;
	return remember(real(path, flags, mode), path);
}

DIR *opendir(const char *path)
{
	REAL(opendir);
	return is_our_path(path) && fails("file", "opendir") ? NULL : real(path);
}

int mkostemp(char *template, int flags)
{
	REAL(mkostemp);
	if (is_our_path(template) && fails("file", "mkostemp"))
		return -1;
	return remember(real(template, flags), template);
}

ssize_t write(int fd, const void *data, size_t length)
{
	REAL(write);
	return is_our_file(fd) && fails("file", "write") ? -1 : real(fd, data, length);
}

ssize_t read(int fd, void *data, size_t length)
{
	REAL(read);
	return is_our_file(fd) && fails("file", "read") ? -1 : real(fd, data, length);
}

int close(int fd)
{
	REAL(close);
	if (is_our_file(fd))
		is_ours[fd] = false;
	return real(fd);
}

int fsync(int fd)
{
	REAL(fsync);
	return is_our_file(fd) && fails("file", "fsync") ? -1 : real(fd);
}

int fchmod(int fd, mode_t mode)
{
	REAL(fchmod);
	return is_our_file(fd) && fails("file", "fchmod") ? -1 : real(fd, mode);
}

int rename(const char *from, const char *to)
{
	REAL(rename);
	if (is_policy_path(to) && fails("place", "rename"))
		return -1;
	return is_our_path(to) && fails("file", "rename") ? -1 : real(from, to);
}

int unlink(const char *path)
{
	REAL(unlink);
	if (is_policy_path(path) && fails("place", "unlink"))
		return -1;
	return is_our_path(path) && fails("file", "unlink") ? -1 : real(path);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to,
	      unsigned flags)
{
	REAL(renameat2);
	return is_our_path(from) && fails("file", "renameat2") ?
		       -1 :
		       real(from_directory, from, to_directory, to, flags);
}

int flock(int fd, int operation)
{
	REAL(flock);
	return is_our_file(fd) && fails("file", "flock") ? -1 : real(fd, operation);
}

int fchown(int fd, uid_t user, gid_t group)
{
	REAL(fchown);
	return is_our_file(fd) && fails("file", "fchown") ? -1 : real(fd, user, group);
}

int stat(const char *path, struct stat *ret)
{
	REAL(stat);
	return is_our_path(path) && fails("file", "stat") ? -1 : real(path, ret);
}

int lstat(const char *path, struct stat *ret)
{
	REAL(lstat);
	return is_our_path(path) && fails("file", "lstat") ? -1 : real(path, ret);
}

int fstat(int fd, struct stat *ret)
{
	REAL(fstat);
	return is_our_file(fd) && fails("file", "fstat") ? -1 : real(fd, ret);
}

int scandir(const char *path, struct dirent ***ret, int (*filter)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	REAL(scandir);
	return is_our_path(path) && fails("file", "scandir") ? -1 :
							       real(path, ret, filter, compare);
}

int unlinkat(int directory, const char *path, int flags)
{
	REAL(unlinkat);
	return fails("file", "unlinkat") ? -1 : real(directory, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir);
	return is_our_path(path) && fails("file", "mkdir") ? -1 : real(path, mode);
}

int rmdir(const char *path)
{
	REAL(rmdir);
	return is_our_path(path) && fails("file", "rmdir") ? -1 : real(path);
}
