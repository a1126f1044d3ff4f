// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of probes, and the process that runs one of them and clears up behind it. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define RESET_ROUNDS 200

static const struct probe *const topics[] = {
	probe_tcp,	probe_fastopen,	 probe_listen,	 probe_udp,	probe_families,
	probe_foreign,	probe_inherited, probe_received, probe_uring,	probe_uring_files,
	probe_identity, probe_route,	 probe_around,	 probe_protect, /* the last takes a pin away */
};

const struct probe *probe_at(size_t index)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		for (const struct probe *at = topics[i]; at->name; at++)
			if (!index--)
				return at;
	return NULL;
}

const struct probe *probe_find(const char *name)
{
	const struct probe *probe;

	for (size_t i = 0; (probe = probe_at(i)); i++)
		if (strcmp(probe->name, name) == 0)
			return probe;
	return NULL;
}

const char *probe_answer_name(enum probe_answer answer)
{
	static const char *const names[] = { [PROBE_ALLOWED] = "allowed",
					     [PROBE_DENIED] = "denied",
					     [PROBE_UNTRIED] = "untried",
					     [PROBE_OTHER] = "other" };

	return answer > PROBE_OTHER ? "unknown" : names[answer];
}

static int copy_path(char to[PROBE_PATH_SIZE], const char *from)
{
	size_t length = from ? strlen(from) : 0;

	if (length >= PROBE_PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(to, from ?: "", length + 1);
	return 0;
}

static int env_fill(struct probe_env *env, const struct probe *probe,
		    const struct probe_options *options)
{
	if (strlen(probe->name) >= sizeof(env->name) || copy_path(env->as, options->as) < 0 ||
	    copy_path(env->self, options->self) < 0 || copy_path(env->dir, options->dir) < 0 ||
	    copy_path(env->pin, options->pin) < 0 || copy_path(env->gate, options->gate) < 0)
		return -ENAMETOOLONG;
	strcpy(env->name, probe->name);
	env->probe = probe;
	env->loads = options->loads;
	env->allowed = options->allowed;
	env->denied = options->denied;
	env->handoff = env->helper_link = -1;
	for (size_t i = 0; i < PROBE_FDS; i++)
		env->fd[i] = -1;
	return 0;
}

/* Starts the first stage in a process group of its own. */
static pid_t start(struct probe_env *env, const struct probe_options *options)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)setpgid(0, 0);
		env->server = server_connect(options->control);
		probe_prepare_main(env);
	}
	(void)setpgid(pid, pid);
	return pid;
}

/* Ends whatever the probe has left: its group holds all that it has forked. */
static int clear_up(pid_t pid)
{
	int status = 0, other;

	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	while (waitpid(-pid, &other, 0) > 0 || errno == EINTR)
		;
	return status;
}

static int64_t now_ms(void)
{
	return (int64_t)(clock_now(CLOCK_MONOTONIC) / 1000000);
}

/* Waits for the answer: 1 read, 0 the processes ended without one, -1 time is up. */
static int wait_answer(int fd, unsigned int timeout_ms, struct probe_result *ret)
{
	int64_t deadline = now_ms() + timeout_ms, left;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int n;

	do {
		left = deadline - now_ms();
		n = poll(&wait, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		return -1;
	return read(fd, ret, sizeof(*ret)) == sizeof(*ret) ? 1 : 0;
}

static void explain_silence(struct probe_result *ret, int waited, unsigned int timeout_ms,
			    int status)
{
	ret->answer = PROBE_OTHER;
	if (waited < 0)
		(void)snprintf(ret->detail, sizeof(ret->detail), "timeout after %u ms", timeout_ms);
	else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		(void)snprintf(ret->detail, sizeof(ret->detail), "ended by signal %s",
			       sigabbrev_np(WTERMSIG(status)));
	else
		(void)snprintf(ret->detail, sizeof(ret->detail), "ended without an answer");
}

/* A port that the last probe had may be busy for a moment more. */
static int reset_server(const char *control)
{
	cleanup_close int fd = server_connect(control);
	struct server_reply reply;
	int r = fd;

	for (int i = 0; fd >= 0 && i < RESET_ROUNDS; i++) {
		r = server_ask(fd, SERVER_RESET, 0, 0, &reply);
		if (r != -EADDRINUSE)
			break;
		(void)usleep(10000);
	}
	return r < 0 ? r : 0;
}

int probe_run(const struct probe *probe, const struct probe_options *options,
	      struct probe_result *ret)
{
	cleanup_close int read_end = -1;
	struct probe_env env = {};
	int ends[2], waited, status, adopts = 0, r;
	pid_t pid;

	*ret = (struct probe_result){ .answer = PROBE_UNTRIED };
	if ((probe->needs & PROBE_NEEDS_EXE_RULE) && !options->exe_rule) {
		strcpy(ret->detail, "needs a policy that matches by exe");
		return 0;
	}
	r = env_fill(&env, probe, options);
	r = r < 0 ? r : reset_server(options->control);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_end = ends[0];
	env.result = ends[1];
	(void)prctl(PR_GET_CHILD_SUBREAPER, &adopts);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = start(&env, options);
	fd_close(ends[1]);
	if (pid > 0) {
		waited = wait_answer(read_end, options->timeout_ms, ret);
		status = clear_up(pid);
		if (waited != 1)
			explain_silence(ret, waited, options->timeout_ms, status);
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, adopts);
	return pid < 0 ? pid : 0;
}
