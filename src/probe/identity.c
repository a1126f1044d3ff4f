// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Escapes from a name: the confined process renames itself, hands the work to a thread or a
 * child, or executes something else, and then connects. And the opposite: who takes the name is
 * confined, who bears a similar one is not.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/internal.h"

#define OTHER_NAME "worker"
#define OTHER_PROGRAM "/proc/self/exe" /* this program, under the name "exe" */
#define NOBODY 65534

enum rename {
	BY_PRCTL,
	BY_PROC,
	BY_PROC_TASK,
	NOT_AT_ALL,
};

static int write_comm(const char *path, const char *name)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(name);

	return fd >= 0 && write(fd, name, (size_t)length) == length ? 0 : -1;
}

static int rename_to(enum rename how, const char *name)
{
	char path[64];

	switch (how) {
	case BY_PRCTL:
		return prctl(PR_SET_NAME, name);
	case BY_PROC:
		return write_comm("/proc/self/comm", name);
	case BY_PROC_TASK:
		(void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
		return write_comm(path, name);
	case NOT_AT_ALL:
		return 0;
	}
	return -1;
}

static enum probe_answer renamed(struct probe_env *env, const char *name)
{
	if (rename_to((enum rename)env->probe->how, name) < 0)
		return probe_say(env, PROBE_UNTRIED, "rename: %s", strerrorname_np(errno));
	return probe_try_connect(env);
}

static enum probe_answer rename_away(struct probe_env *env)
{
	return renamed(env, OTHER_NAME);
}

static enum probe_answer rename_into(struct probe_env *env)
{
	return renamed(env, probe_name(env));
}

/* Took the name once and gave it up again. */
static enum probe_answer rename_into_and_away(struct probe_env *env)
{
	if (rename_to((enum rename)env->probe->how, probe_name(env)) < 0)
		return probe_say(env, PROBE_UNTRIED, "rename: %s", strerrorname_np(errno));
	return rename_away(env);
}

/* -- children -------------------------------------------------------------------------------- */

/* The child has the answer; its parent only waits. */
static enum probe_answer leave_it_to(struct probe_env *env, pid_t child)
{
	if (child < 0)
		return probe_say(env, PROBE_UNTRIED, "fork: %s", strerrorname_np(errno));
	(void)waitpid(child, NULL, __WALL);
	_exit(1);
}

static enum probe_answer fork_renamed(struct probe_env *env)
{
	pid_t child = fork();

	return child == 0 ? rename_away(env) : leave_it_to(env, child);
}

static enum probe_answer fork_twice(struct probe_env *env)
{
	pid_t child = fork();

	if (child)
		return leave_it_to(env, child);
	return fork_renamed(env);
}

/* The child's parent is not the process that made it, but the unconfined one above. */
static enum probe_answer clone_to_parent(struct probe_env *env)
{
	long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

	if (child < 0)
		return probe_say(env, PROBE_UNTRIED, "clone: %s", strerrorname_np(errno));
	if (child > 0)
		for (;;)
			(void)pause();
	return rename_away(env);
}

/* -- other programs -------------------------------------------------------------------------- */

static enum probe_answer exec_other(struct probe_env *env)
{
	char **arguments;

	if (env->step > 1)
		return probe_try_connect(env);
	arguments = probe_next(env, OTHER_PROGRAM);
	if (arguments)
		(void)execv(OTHER_PROGRAM, arguments);
	return probe_say(env, PROBE_UNTRIED, "exec: %s", strerrorname_np(errno));
}

static enum probe_answer fork_exec_other(struct probe_env *env)
{
	pid_t child = env->step > 1 ? 0 : fork();

	return child ? leave_it_to(env, child) : exec_other(env);
}

static enum probe_answer vfork_exec_other(struct probe_env *env)
{
	char **arguments;
	pid_t child;

	if (env->step > 1)
		return probe_try_connect(env);
	arguments = probe_next(env, OTHER_PROGRAM);
	child = vfork();
	if (child == 0) {
		(void)execv(OTHER_PROGRAM, arguments);
		_exit(1);
	}
	return leave_it_to(env, child);
}

/* A copy of this program in memory, which has no path and another name. */
static enum probe_answer exec_memory(struct probe_env *env)
{
	int file, from;
	char **arguments;

	if (env->step > 1)
		return probe_try_connect(env);
	file = memfd_create("probe", MFD_CLOEXEC);
	from = open(OTHER_PROGRAM, O_RDONLY | O_CLOEXEC);
	while (file >= 0 && sendfile(file, from, NULL, 1 << 20) > 0)
		;
	arguments = probe_next(env, "memory");
	if (arguments)
		(void)syscall(SYS_execveat, file, "", arguments, environ, AT_EMPTY_PATH);
	return probe_say(env, PROBE_UNTRIED, "execveat: %s", strerrorname_np(errno));
}

/* -- threads --------------------------------------------------------------------------------- */

static void *thread_renamed(void *argument)
{
	struct probe_env *env = argument;

	probe_finish(env, rename_away(env));
}

static void *thread_taking_name(void *argument)
{
	struct probe_env *env = argument;

	probe_finish(env, rename_into(env));
}

static void *thread_forking(void *argument)
{
	struct probe_env *env = argument;

	if (prctl(PR_SET_NAME, probe_name(env)) < 0)
		probe_finish(env, probe_say(env, PROBE_UNTRIED, "prctl fails"));
	probe_finish(env, fork_renamed(env));
}

static void *thread_nested(void *argument)
{
	pthread_t thread;

	(void)prctl(PR_SET_NAME, probe_name(argument));
	if (pthread_create(&thread, NULL, thread_renamed, argument) == 0)
		(void)pthread_join(thread, NULL);
	return NULL;
}

static void *thread_executing(void *argument)
{
	struct probe_env *env = argument;

	(void)prctl(PR_SET_NAME, OTHER_NAME);
	probe_finish(env, exec_other(env));
}

static void *thread_without_leader(void *argument)
{
	(void)usleep(50000);
	return thread_renamed(argument);
}

static void *thread_holding_name(void *argument)
{
	(void)prctl(PR_SET_NAME, probe_name(argument));
	(void)pause();
	return NULL;
}

static enum probe_answer start_thread(struct probe_env *env, void *(*run)(void *), bool join)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, env) != 0)
		return probe_say(env, PROBE_UNTRIED, "cannot start a thread");
	if (join)
		(void)pthread_join(thread, NULL);
	return probe_say(env, PROBE_OTHER, "the thread ended without an answer");
}

static enum probe_answer in_renamed_thread(struct probe_env *env)
{
	return start_thread(env, thread_renamed, true);
}

static enum probe_answer in_thread_taking_name(struct probe_env *env)
{
	return start_thread(env, thread_taking_name, true);
}

static enum probe_answer in_child_of_thread(struct probe_env *env)
{
	return start_thread(env, thread_forking, true);
}

static enum probe_answer in_thread_of_thread(struct probe_env *env)
{
	return start_thread(env, thread_nested, true);
}

static enum probe_answer exec_in_thread(struct probe_env *env)
{
	if (env->step > 1)
		return probe_try_connect(env);
	return start_thread(env, thread_executing, true);
}

static enum probe_answer after_leader(struct probe_env *env)
{
	(void)start_thread(env, thread_without_leader, false);
	pthread_exit(NULL);
}

/* Another thread bears the name; the process does not. */
static enum probe_answer leader_of_thread(struct probe_env *env)
{
	(void)start_thread(env, thread_holding_name, false);
	(void)usleep(50000);
	return probe_try_connect(env);
}

/* -- credentials ----------------------------------------------------------------------------- */

static enum probe_answer change_user(struct probe_env *env)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return probe_say(env, PROBE_UNTRIED, "setresuid: %s", strerrorname_np(errno));
	return probe_try_connect(env);
}

#define PROBE(probe_name, through, tested, meaning, answer, function, ...)               \
	{                                                                                \
		.name = probe_name, .door = through, .promise = tested, .what = meaning, \
		.expect = answer, .attempt = function, __VA_ARGS__                       \
	}
#define RENAMES(probe_name, meaning, function, ...)                                             \
	PROBE(probe_name, "rename", "rename", meaning ", then connect", PROBE_DENIED, function, \
	      .flags = PROBE_ARRIVES, __VA_ARGS__)
#define ESCAPES(probe_name, tested, meaning, function, ...)                                     \
	PROBE(probe_name, "identity", tested, meaning ", then connect", PROBE_DENIED, function, \
	      .flags = PROBE_ARRIVES, __VA_ARGS__)
#define SIMILAR(probe_name, meaning, ...)                                              \
	PROBE(probe_name, "identity", NULL, meaning, PROBE_ALLOWED, probe_try_connect, \
	      .flags = PROBE_TO_DENIED, __VA_ARGS__)

const struct probe probe_identity[] = {
	RENAMES("rename-prctl", "prctl(PR_SET_NAME) to another name", rename_away, .how = BY_PRCTL),
	RENAMES("rename-proc", "another name into /proc/self/comm", rename_away, .how = BY_PROC),
	RENAMES("rename-proc-task", "another name into /proc/self/task/TID/comm", rename_away,
		.how = BY_PROC_TASK),
	RENAMES("rename-fork", "fork, and the child renames itself", fork_renamed, .how = BY_PRCTL),
	RENAMES("rename-thread", "a thread of another name", in_renamed_thread, .how = BY_PRCTL),
	RENAMES("rename-leader-gone", "a thread of another name after the leader's exit",
		after_leader, .how = BY_PRCTL),
	RENAMES("rename-into", "an unconfined process takes the name", rename_into, .how = BY_PRCTL,
		.path = PROBE_AS_SELF),
	RENAMES("rename-into-proc", "an unconfined process takes the name by /proc/self/comm",
		rename_into, .how = BY_PROC, .path = PROBE_AS_SELF),
	RENAMES("rename-into-away", "an unconfined process takes the name and drops it",
		rename_into_and_away, .how = BY_PRCTL, .path = PROBE_AS_SELF),
	ESCAPES("thread-named", "rename", "a thread takes the name, in a process of another",
		in_thread_taking_name, .how = BY_PRCTL, .path = PROBE_AS_SELF),
	ESCAPES("thread-named-child", "rename", "a child of such a thread, renamed",
		in_child_of_thread, .how = BY_PRCTL, .path = PROBE_AS_SELF),
	ESCAPES("thread-named-thread", "rename", "a thread of such a thread, renamed",
		in_thread_of_thread, .how = BY_PRCTL, .path = PROBE_AS_SELF),
	PROBE("allow-thread-leader", "identity", NULL,
	      "the leader connects while another thread bears the name", PROBE_ALLOWED,
	      leader_of_thread, .flags = PROBE_TO_DENIED, .path = PROBE_AS_SELF),
	ESCAPES("fork", "children", "fork", fork_renamed, .how = NOT_AT_ALL),
	ESCAPES("fork-twice", "children", "fork, fork, rename", fork_twice, .how = BY_PRCTL),
	ESCAPES("clone-parent", "children", "clone(CLONE_PARENT), rename", clone_to_parent,
		.how = BY_PRCTL),
	ESCAPES("exec-other", "children", "exec of another program", exec_other, ),
	ESCAPES("fork-exec-other", "children", "fork and exec of another program",
		fork_exec_other, ),
	ESCAPES("vfork-exec-other", "children", "vfork and exec of another program",
		vfork_exec_other, ),
	ESCAPES("thread-exec-other", "children", "exec of another program by a renamed thread",
		exec_in_thread, ),
	ESCAPES("exec-memfd", "children", "execveat(AT_EMPTY_PATH) of a program in memory",
		exec_memory, ),
	ESCAPES("exec-script", "connect", "a script of that name", probe_try_connect,
		.path = PROBE_AS_SCRIPT),
	ESCAPES("setuid", "connect", "setresuid to nobody", change_user,
		.needs = PROBE_NEEDS_SETUID),
	SIMILAR("allow-name-longer", "connect under a longer name", .path = PROBE_AS_LONGER),
	SIMILAR("allow-name-prefixed", "connect under a name that ends alike",
		.path = PROBE_AS_PREFIXED),
	SIMILAR("allow-name-capital", "connect under a name in other case",
		.path = PROBE_AS_CAPITAL),
	SIMILAR("allow-exe-copy", "exe rule: a copy of the program", .path = PROBE_AS_COPY,
		.needs = PROBE_NEEDS_EXE_RULE),
	ESCAPES("exe-hard-link", "connect", "exe rule: the program through a hard link",
		probe_try_connect, .path = PROBE_AS_HARD_LINK, .needs = PROBE_NEEDS_EXE_RULE),
	ESCAPES("exe-bind-mount", "connect", "exe rule: the program through a bind mount",
		probe_try_connect, .path = PROBE_AS_BIND_MOUNT,
		.needs = PROBE_NEEDS_EXE_RULE | PROBE_NEEDS_SYS_ADMIN),
	ESCAPES("exe-argv0", "connect", "exe rule: the program with another argv[0]",
		probe_try_connect, .path = PROBE_AS_ARGV0, .needs = PROBE_NEEDS_EXE_RULE),
	{},
};
