// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two stages of a probe. The first prepares under this program's own name and executes the
 * second, which attempts. What the second has to know is struct probe_env, in a memfd that stays
 * open over the exec.
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "probe/internal.h"
#include "util/cleanup.h"

#define COMM_LENGTH 15
#define LIFETIME_S 30

const char *probe_name(const struct probe_env *env)
{
	return basename(env->as);
}

static void keep(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

char **probe_next(struct probe_env *env, const char *argv0)
{
	static char verb[] = PROBE_ATTEMPT_VERB, handoff[16];
	static char *arguments[4];

	if (env->handoff < 0)
		env->handoff = memfd_create("probe", 0);
	env->step++;
	if (pwrite(env->handoff, env, sizeof(*env), 0) != sizeof(*env))
		return NULL;
	keep(env->handoff);
	keep(env->result);
	keep(env->server);
	keep(env->helper_link);
	for (size_t i = 0; i < PROBE_FDS; i++)
		keep(env->fd[i]);
	(void)snprintf(handoff, sizeof(handoff), "%d", env->handoff);
	arguments[0] = strdup(argv0);
	arguments[1] = verb;
	arguments[2] = handoff;
	return arguments;
}

/* A link to this program under a name derived from the one under test. */
static int make_link(struct probe_env *env, const char *name, char path[PROBE_PATH_SIZE])
{
	if (snprintf(path, PROBE_PATH_SIZE, "%s/%s", env->dir, name) >= PROBE_PATH_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)unlink(path);
	return symlink(env->self, path);
}

static int make_longer(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	char name[COMM_LENGTH + 1];
	size_t length;

	(void)snprintf(name, sizeof(name), "%.15s", probe_name(env));
	length = strlen(name);
	if (length == COMM_LENGTH)
		length--;
	name[length] = name[length] == '2' ? '3' : '2';
	name[length + 1] = '\0';
	return make_link(env, name, path);
}

static int make_prefixed(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	char name[COMM_LENGTH + 1];

	(void)snprintf(name, sizeof(name), "x%.14s", probe_name(env));
	return make_link(env, name, path);
}

static int make_capital(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	char name[COMM_LENGTH + 1];

	(void)snprintf(name, sizeof(name), "%.15s", probe_name(env));
	name[0] = (char)(islower(name[0]) ? toupper(name[0]) : tolower(name[0]));
	if (name[0] == probe_name(env)[0]) {
		errno = EINVAL;
		return -1;
	}
	return make_link(env, name, path);
}

static int make_script(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	cleanup_close int fd = -1;
	char directory[PROBE_PATH_SIZE];

	if (snprintf(directory, sizeof(directory), "%s/script", env->dir) >= PROBE_PATH_SIZE ||
	    snprintf(path, PROBE_PATH_SIZE, "%s/%s", directory, probe_name(env)) >=
		    PROBE_PATH_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	if (fd < 0)
		return -1;
	return dprintf(fd, "#!%s %s\n", env->self, PROBE_ATTEMPT_VERB) < 0 ? -1 : 0;
}

static int make_hard_link(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	cleanup_free char *file = realpath(env->as, NULL);

	(void)snprintf(path, PROBE_PATH_SIZE, "%.490s.hardlink", env->as);
	(void)unlink(path);
	return file ? link(file, path) : -1;
}

static int make_copy(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	cleanup_close int from = open(env->as, O_RDONLY | O_CLOEXEC), to = -1;
	ssize_t n;

	(void)snprintf(path, PROBE_PATH_SIZE, "%.490s/copied", env->dir);
	(void)unlink(path);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (from < 0 || to < 0)
		return -1;
	do {
		n = sendfile(to, from, NULL, 1 << 20);
	} while (n > 0);
	return n < 0 ? -1 : 0;
}

/* In a mount namespace of its own, which ends with the probe. */
static int make_bind_mount(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	cleanup_close int fd = -1;

	(void)snprintf(path, PROBE_PATH_SIZE, "%.490s/mounted", env->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	if (fd < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount(env->as, path, NULL, MS_BIND, NULL);
}

int probe_executable(struct probe_env *env, char path[PROBE_PATH_SIZE])
{
	switch (env->probe->path) {
	case PROBE_AS_LONGER:
		return make_longer(env, path);
	case PROBE_AS_PREFIXED:
		return make_prefixed(env, path);
	case PROBE_AS_CAPITAL:
		return make_capital(env, path);
	case PROBE_AS_SCRIPT:
		return make_script(env, path);
	case PROBE_AS_HARD_LINK:
		return make_hard_link(env, path);
	case PROBE_AS_COPY:
		return make_copy(env, path);
	case PROBE_AS_BIND_MOUNT:
		return make_bind_mount(env, path);
	case PROBE_AS_SELF:
		memcpy(path, env->self, PROBE_PATH_SIZE);
		return 0;
	case PROBE_AS_NAMED:
	case PROBE_AS_ARGV0:
		memcpy(path, env->as, PROBE_PATH_SIZE);
		return 0;
	}
	errno = EINVAL;
	return -1;
}

/* Some execs leave files behind that lie beside the one under test. */
static void remove_executable(const struct probe_env *env)
{
	char path[PROBE_PATH_SIZE];

	if (env->probe->path != PROBE_AS_HARD_LINK)
		return;
	(void)snprintf(path, sizeof(path), "%.490s.hardlink", env->as);
	(void)unlink(path);
}

int probe_helper(struct probe_env *env, void (*serve)(struct probe_env *env, int link))
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		(void)alarm(LIFETIME_S);
		(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		fd_close(ends[0]);
		fd_close(env->result);
		fd_close(env->server);
		serve(env, ends[1]);
		_exit(0);
	}
	fd_close(ends[1]);
	env->helper = pid;
	env->helper_link = ends[0];
	return 0;
}

static bool has_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[capability / 32].effective & (1U << capability % 32);
}

static int check_capabilities(struct probe_env *env)
{
	static const struct {
		unsigned int need, capability;
		const char *name;
	} needs[] = {
		{ PROBE_NEEDS_NET_RAW, CAP_NET_RAW, "CAP_NET_RAW" },
		{ PROBE_NEEDS_NET_ADMIN, CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ PROBE_NEEDS_SYS_ADMIN, CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
		{ PROBE_NEEDS_SETUID, CAP_SETUID, "CAP_SETUID" },
		{ PROBE_NEEDS_SYS_MODULE, CAP_SYS_MODULE, "CAP_SYS_MODULE" },
		{ PROBE_NEEDS_CHROOT, CAP_SYS_CHROOT, "CAP_SYS_CHROOT" },
	};

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (!(env->probe->needs & needs[i].need) || has_capability(needs[i].capability))
			continue;
		(void)probe_say(env, PROBE_UNTRIED, "needs %s", needs[i].name);
		return -1;
	}
	return 0;
}

static int check_needs(struct probe_env *env)
{
	struct server_reply reply;

	if (check_capabilities(env) < 0)
		return -1;
	if ((env->probe->needs & PROBE_NEEDS_PIN) && !env->pin[0]) {
		(void)probe_say(env, PROBE_UNTRIED, "needs the path of a pin");
		return -1;
	}
	errno = EPIPE;
	if (server_ask(env->server, SERVER_COUNT, 0, 0, &reply) < 0)
		return probe_cannot(env, "asking the server");
	if (probe_family(env->probe->where) == AF_INET6 && !reply.present[SERVER_TCP][1]) {
		(void)probe_say(env, PROBE_UNTRIED, "no IPv6 here");
		return -1;
	}
	return 0;
}

void probe_prepare_main(struct probe_env *env)
{
	char path[PROBE_PATH_SIZE], **arguments;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(LIFETIME_S);
	if (check_needs(env) < 0)
		probe_finish(env, PROBE_UNTRIED);
	if (env->probe->prepare && env->probe->prepare(env) < 0)
		probe_finish(env, PROBE_UNTRIED);
	if (probe_executable(env, path) < 0) {
		(void)probe_cannot(env, "making the file to execute");
		probe_finish(env, PROBE_UNTRIED);
	}
	arguments = probe_next(env, env->probe->path == PROBE_AS_ARGV0 ? "another-argv0" : path);
	if (arguments)
		(void)execv(path, arguments);
	(void)probe_cannot(env, "exec");
	probe_finish(env, PROBE_UNTRIED);
}

static void control(struct probe_env *env)
{
	struct probe_address address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	probe_address(&address, PROBE_V4, env->allowed);
	probe_set_timeouts(fd);
	if (fd >= 0 && connect(fd, &address.any, address.length) == 0 && probe_exchange(fd) == 0) {
		fd_close(fd);
		return;
	}
	(void)probe_say(env, PROBE_UNTRIED, "control failed: TCP to port %u: %s", env->allowed,
			strerrorname_np(errno));
	probe_finish(env, PROBE_UNTRIED);
}

int probe_attempt_main(int argc, char **argv)
{
	static struct probe_env env;
	int handoff = argc < 3 ? -1 : atoi(argv[argc - 1]);

	if (pread(handoff, &env, sizeof(env), 0) != sizeof(env) || env.handoff != handoff)
		return PROBE_OTHER;
	env.probe = probe_find(env.name);
	if (!env.probe)
		return PROBE_OTHER;
	if (env.step > 1)
		probe_finish(&env, env.probe->attempt(&env));
	remove_executable(&env);
	if (probe_forbidden(&env, &env.before) < 0)
		probe_finish(&env, probe_say(&env, PROBE_UNTRIED, "the server does not answer"));
	control(&env);
	probe_finish(&env, env.probe->attempt(&env));
}
