// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process with root's rights does about the enforcement: mounts, kernel settings, porthold's
 * own files, programs that the kernel starts, the network below the sockets, the kernel itself. None
 * of it changes anything where it is let through: it is what was there before, or the kernel refuses
 * it for another reason, after it has asked whether it may be.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "probe/internal.h"
#include "util/cleanup.h"

#define BPFFS "/sys/fs/bpf"
#define OWN_FOLDER "/run/porthold"
#define OWN_FILE OWN_FOLDER "/probe-file"

static enum probe_answer cannot_try(struct probe_env *env, const char *what)
{
	return probe_say(env, PROBE_UNTRIED, "%s: %s", what, strerrorname_np(errno));
}

/* --- Kernel settings */

/* Writes what it has read. */
static enum probe_answer write_setting(struct probe_env *env)
{
	static const char *const paths[] = { "/proc/sys/kernel/ftrace_enabled",
					     "/proc/sys/kernel/core_pattern",
					     "/proc/sys/kernel/modprobe",
					     "/proc/sys/net/ipv4/ip_forward" };
	const char *path = paths[env->probe->how];
	char value[256];
	ssize_t length;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == EPERM ? probe_judge(env, path, -1) : cannot_try(env, path);
	length = read(fd, value, sizeof(value));
	if (length < 0)
		return cannot_try(env, path);
	return probe_judge(env, path, pwrite(fd, value, (size_t)length, 0));
}

/* --- Mounts */

enum {
	MOUNT_OVER,
	MOUNT_AGAIN,
	MOUNT_MOVE,
	MOUNT_PRIVATE,
};

/* With an option, or a source, that there is not. */
static long try_mount(int how)
{
	switch (how) {
	case MOUNT_OVER:
		return mount("none", BPFFS, "tmpfs", 0, "no_such_option");
	case MOUNT_AGAIN:
		return mount("none", "/proc", NULL, MS_REMOUNT, "no_such_option");
	case MOUNT_MOVE:
		return mount("/no/such/folder", BPFFS, NULL, MS_MOVE, NULL);
	default:
		/* One of the flags alone is a change. */
		return mount("none", BPFFS, NULL, MS_PRIVATE | MS_SLAVE, NULL);
	}
}

static enum probe_answer change_mount(struct probe_env *env)
{
	return probe_judge_passed(env, "mount", try_mount(env->probe->how));
}

/* The flags exclude each other, of which the kernel thinks last. */
static enum probe_answer take_mount(struct probe_env *env)
{
	return probe_judge_passed(env, "umount2", umount2("/sys", MNT_EXPIRE | MNT_DETACH));
}

/* What is no mount cannot be moved. */
static enum probe_answer move_no_mount(struct probe_env *env)
{
	return probe_judge_passed(env, "move_mount",
				  syscall(SYS_move_mount, AT_FDCWD, "/proc/self", AT_FDCWD, BPFFS,
					  0));
}

static enum probe_answer pivot(struct probe_env *env)
{
	return probe_judge_passed(env, "pivot_root", syscall(SYS_pivot_root, "/", "/"));
}

/* A file system that is there already and talks to somebody, or reads a disk. */
static bool find_file_system(char ret[64])
{
	FILE *file = fopen("/proc/filesystems", "re");
	char line[64];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "nodev %63s", ret) == 1 ?
				!strcmp(ret, "9p") || !strncmp(ret, "nfs", 3) :
				sscanf(line, "%63s", ret) == 1;
	if (file)
		(void)fclose(file);
	return found;
}

/* Nothing is connected to, nor mounted. */
static enum probe_answer prepare_file_system(struct probe_env *env)
{
	char type[64];
	int fd;

	if (!find_file_system(type))
		return probe_say(env, PROBE_UNTRIED, "no file system that could be mounted");
	fd = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	if (fd < 0)
		return cannot_try(env, "fsopen");
	return probe_judge(env, "fsconfig",
			   syscall(SYS_fsconfig, fd, FSCONFIG_SET_STRING, "source", "none", 0));
}

/* --- Porthold's own files */

static int prepare_file(struct probe_env *env)
{
	int fd = open(OWN_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return probe_cannot(env, OWN_FILE);
	fd_close(fd);
	return 0;
}

static int prepare_no_file(struct probe_env *env)
{
	(void)unlink(OWN_FILE);
	return access(OWN_FOLDER, W_OK) < 0 ? probe_cannot(env, OWN_FOLDER) : 0;
}

/* What has been made goes again. */
static enum probe_answer judge_made(struct probe_env *env, const char *call, long result)
{
	enum probe_answer answer = probe_judge(env, call, result);

	if (answer == PROBE_ALLOWED)
		(void)remove(OWN_FILE);
	return answer;
}

static enum probe_answer make_file(struct probe_env *env)
{
	return judge_made(env, "open",
			  open(OWN_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static enum probe_answer make_symlink(struct probe_env *env)
{
	return judge_made(env, "symlink", symlink("none", OWN_FILE));
}

static enum probe_answer make_folder(struct probe_env *env)
{
	return judge_made(env, "mkdir", mkdir(OWN_FILE, 0700));
}

static enum probe_answer remove_file(struct probe_env *env)
{
	return probe_judge(env, "unlink", unlink(OWN_FILE));
}

static enum probe_answer rename_file(struct probe_env *env)
{
	enum probe_answer answer = probe_judge(env, "rename", rename(OWN_FILE, OWN_FILE ".other"));

	if (answer == PROBE_ALLOWED)
		(void)unlink(OWN_FILE ".other");
	return answer;
}

static enum probe_answer change_mode(struct probe_env *env)
{
	struct stat st;

	if (stat(OWN_FOLDER, &st) < 0)
		return cannot_try(env, OWN_FOLDER);
	return probe_judge(env, "chmod", chmod(OWN_FOLDER, st.st_mode & 07777));
}

/* No byte of it: a file that no policy lies in. */
static enum probe_answer write_file(struct probe_env *env)
{
	int fd = open(OWN_FILE, O_WRONLY | O_CLOEXEC);

	return probe_judge(env, "open", fd);
}

/* --- Pins, by what the table of "pins" does not try elsewhere */

enum {
	PIN_CHMOD,
	PIN_CHOWN,
	PIN_LINK,
	PIN_RENAME,
	PIN_MKDIR,
};

static long try_pin(const char *pin, const char *other, int how)
{
	switch (how) {
	case PIN_CHMOD:
		return chmod(pin, 0600);
	case PIN_CHOWN:
		return chown(pin, 0, 0);
	case PIN_LINK:
		return link(pin, other);
	case PIN_RENAME:
		return rename(pin, other);
	default:
		return mkdir(other, 0700);
	}
}

static enum probe_answer change_pin(struct probe_env *env)
{
	char other[PROBE_PATH_SIZE];
	long result;

	(void)snprintf(other, sizeof(other), "%.490s-other", env->pin);
	result = try_pin(env->pin, other, env->probe->how);
	if (result == 0 && env->probe->how == PIN_RENAME)
		(void)rename(other, env->pin);
	else if (result == 0)
		(void)remove(other);
	return probe_judge(env, "a change of a pin", result);
}

/* --- Programs that the kernel starts */

/* A key that nobody has, by a name that nobody else asks for. */
static enum probe_answer want_key(struct probe_env *env)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "porthold-probe-%d", getpid());
	return probe_judge_passed(env, "request_key",
				  syscall(SYS_request_key, "user", name, "nothing",
					  KEY_SPEC_PROCESS_KEYRING));
}

/* --- The network below the sockets */

static enum probe_answer set_flags(struct probe_env *env)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return probe_judge(env, "socket", fd);
	if (ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		return cannot_try(env, "SIOCGIFFLAGS");
	return probe_judge(env, "ioctl(SIOCSIFFLAGS)", ioctl(fd, SIOCSIFFLAGS, &lo));
}

/* The kernel's answer to one request; -1 and errno. */
static int ask_netlink(int fd, const void *request, size_t size)
{
	char answer[1024];
	const struct nlmsghdr *header = (const void *)answer;
	const struct nlmsgerr *error = NLMSG_DATA(header);

	if (send(fd, request, size, 0) < 0)
		return -1;
	if (recv(fd, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(*error)) ||
	    header->nlmsg_type != NLMSG_ERROR)
		return 0;
	errno = -error->error;
	return error->error ? -1 : 0;
}

/* A device that is not there. */
static enum probe_answer remove_device(struct probe_env *env)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg device;
	} request = { .header = { .nlmsg_len = sizeof(request),
				  .nlmsg_type = RTM_DELLINK,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		      .device = { .ifi_family = AF_UNSPEC, .ifi_index = INT32_MAX } };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return probe_judge(env, "socket", fd);
	return probe_judge_passed(env, "netlink: RTM_DELLINK",
				  ask_netlink(fd, &request, sizeof(request)));
}

/* --- The kernel itself */

static enum probe_answer open_memory(struct probe_env *env)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != EPERM)
		return cannot_try(env, "/dev/mem");
	return probe_judge(env, "open of /dev/mem", fd);
}

static enum probe_answer open_tracing(struct probe_env *env)
{
	int fd = open("/sys/kernel/tracing/README", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != EPERM)
		return cannot_try(env, "/sys/kernel/tracing/README");
	return probe_judge(env, "open of a file of tracefs", fd);
}

/* More segments than there may be. */
static enum probe_answer load_kernel(struct probe_env *env)
{
	return probe_judge_passed(env, "kexec_load", syscall(SYS_kexec_load, 0, 1000, NULL, 0));
}

/* Without the numbers that it wants. */
static enum probe_answer boot(struct probe_env *env)
{
	return probe_judge_passed(env, "reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
}

#define PROBE(probe_name, tested, meaning, wants, function, ...)                         \
	{                                                                                \
		.name = probe_name, .door = tested, .promise = tested, .what = meaning,  \
		.needs = wants, .expect = PROBE_DENIED, .attempt = function, __VA_ARGS__ \
	}
#define ROOT(probe_name, tested, meaning, ...) \
	PROBE(probe_name, tested, meaning, PROBE_NEEDS_SYS_ADMIN, __VA_ARGS__)
#define PIN(probe_name, meaning, way) \
	PROBE(probe_name, "pins", meaning, PROBE_NEEDS_PIN, change_pin, .how = way)
#define NETWORK(probe_name, meaning, function) \
	PROBE(probe_name, "net-admin", meaning, PROBE_NEEDS_NET_ADMIN, function, )

const struct probe probe_around[] = {
	ROOT("sysctl-ftrace", "sysctl", "kernel.ftrace_enabled", write_setting, .how = 0),
	ROOT("sysctl-core", "sysctl", "kernel.core_pattern", write_setting, .how = 1),
	ROOT("sysctl-modprobe", "sysctl", "kernel.modprobe", write_setting, .how = 2),
	ROOT("sysctl-net", "sysctl", "net.ipv4.ip_forward", write_setting, .how = 3),
	ROOT("mount-over-bpffs", "mounts", "a tmpfs over bpffs", change_mount, .how = MOUNT_OVER),
	ROOT("mount-remount", "mounts", "remount of /proc", change_mount, .how = MOUNT_AGAIN),
	ROOT("mount-move", "mounts", "mount --move over bpffs", change_mount, .how = MOUNT_MOVE),
	ROOT("mount-propagation", "mounts", "another propagation of bpffs", change_mount,
	     .how = MOUNT_PRIVATE),
	ROOT("mount-move-mount", "mounts", "move_mount over bpffs", move_no_mount, ),
	ROOT("mount-umount", "mounts", "umount of /sys", take_mount, ),
	ROOT("mount-pivot", "mounts", "pivot_root", pivot, ),
	ROOT("mount-source", "mounts", "fsconfig of a file system with a source",
	     prepare_file_system, ),
	ROOT("file-create", "files", "a file in " OWN_FOLDER, make_file,
	     .prepare = prepare_no_file),
	ROOT("file-symlink", "files", "a link in " OWN_FOLDER, make_symlink,
	     .prepare = prepare_no_file),
	ROOT("file-mkdir", "files", "a directory in " OWN_FOLDER, make_folder,
	     .prepare = prepare_no_file),
	ROOT("file-unlink", "files", "removing a file of " OWN_FOLDER, remove_file,
	     .prepare = prepare_file),
	ROOT("file-rename", "files", "renaming a file of " OWN_FOLDER, rename_file,
	     .prepare = prepare_file),
	ROOT("file-chmod", "files", "chmod of " OWN_FOLDER, change_mode, ),
	ROOT("file-write", "privileged", "opening a file of " OWN_FOLDER " to write", write_file,
	     .prepare = prepare_file),
	PIN("pin-chmod", "chmod of a pin", PIN_CHMOD),
	PIN("pin-chown", "chown of a pin", PIN_CHOWN),
	PIN("pin-link", "a link to a pin", PIN_LINK),
	PIN("pin-rename", "renaming a pin", PIN_RENAME),
	PIN("pin-mkdir", "a directory among the pins", PIN_MKDIR),
	ROOT("upcall-key", "upcalls", "request_key with something to find it by", want_key, ),
	NETWORK("net-admin-ioctl", "flags of a device", set_flags),
	NETWORK("net-admin-netlink", "removing a device by netlink", remove_device),
	ROOT("kernel-memory", "kernel", "/dev/mem", open_memory, ),
	ROOT("kernel-tracing", "kernel", "a file of tracefs", open_tracing, ),
	ROOT("kernel-kexec", "kernel", "kexec_load", load_kernel, ),
	ROOT("kernel-reboot", "kernel", "reboot with the wrong numbers", boot, ),
	{},
};
