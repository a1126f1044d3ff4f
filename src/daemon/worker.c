// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/say.h"
#include "util/cleanup.h"

#define ANSWER_MAX (64U << 20)
#define PORTION 4096
#define TIME_MAX (10 * 60 * 1000000ull)

bool worker_busy(const struct ph_worker *worker)
{
	return worker->pid > 0;
}

static void forget(struct ph_worker *worker)
{
	worker->io = sd_event_source_disable_unref(worker->io);
	worker->child = sd_event_source_disable_unref(worker->child);
	worker->limit = sd_event_source_disable_unref(worker->limit);
	if (worker->pid > 0)
		fd_close(worker->fd);
	free(worker->answer);
	*worker = (struct ph_worker){ .fd = -1 };
}

void worker_cancel(struct ph_worker *worker)
{
	if (worker->pid > 0) {
		(void)kill(worker->pid, SIGKILL);
		(void)waitpid(worker->pid, NULL, 0);
	}
	forget(worker);
}

/* --- The child */

static void __attribute__((noreturn)) work(int fd, ph_worker_job job, const void *argument)
{
	const int keep = STDERR_FILENO + 1;
	cleanup_fclose FILE *answer = NULL;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd != keep && dup3(fd, keep, O_CLOEXEC) < 0)
		_exit(EXIT_FAILURE);
	(void)close_range(keep + 1, ~0U, 0);
	answer = fdopen(keep, "w");
	if (!answer)
		_exit(EXIT_FAILURE);
	job(argument, answer);
	_exit(fflush(answer) || ferror(answer) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* --- The daemon */

/* Of two ends, the answer's and the child's, this is the second. */
static void finish(struct ph_worker *worker, bool succeeded)
{
	cleanup_free char *answer = TAKE_PTR(worker->answer);
	ph_worker_done done = worker->done;
	size_t length = worker->length;
	void *user = worker->user;

	forget(worker);
	done(user, succeeded ? answer : NULL, succeeded ? length : 0);
}

static bool make_room(struct ph_worker *worker)
{
	char *larger;

	if (worker->allocated - worker->length > PORTION)
		return true;
	if (worker->allocated >= ANSWER_MAX) {
		errno = EFBIG;
		return false;
	}
	worker->allocated = worker->allocated ? worker->allocated * 2 : 2 * PORTION;
	larger = realloc(worker->answer, worker->allocated);
	if (larger)
		worker->answer = larger;
	return larger;
}

/* Reads what there is; whether the answer is complete. */
static bool read_answer(struct ph_worker *worker)
{
	for (;;) {
		ssize_t got;

		if (!make_room(worker))
			return false;
		got = read(worker->fd, worker->answer + worker->length,
			   worker->allocated - worker->length - 1);
		if (got < 0)
			return false;
		if (!got) {
			worker->answer[worker->length] = 0;
			return true;
		}
		worker->length += (size_t)got;
	}
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct ph_worker *worker = user;

	if (!read_answer(worker) && errno == EAGAIN)
		return 0;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *user)
{
	struct ph_worker *worker = user;
	bool succeeded = info->si_code == CLD_EXITED && info->si_status == EXIT_SUCCESS;

	/* All it wrote is in the pipe by now. */
	succeeded &= read_answer(worker);
	if (!succeeded)
		say(LOG_ERR, "a worker ended without an answer (%s %d)",
		    info->si_code == CLD_EXITED ? "status" : "signal", info->si_status);
	finish(worker, succeeded);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t now, void *user)
{
	struct ph_worker *worker = user;

	say(LOG_ERR, "a worker has not ended after %u minutes and is killed",
	    (unsigned)(TIME_MAX / 60000000));
	(void)kill(worker->pid, SIGKILL);
	return 0;
}

static int watch_child(struct ph_worker *worker, sd_event *event)
{
	int r = sd_event_add_io(event, &worker->io, worker->fd, EPOLLIN, on_readable, worker);

	if (r >= 0)
		r = sd_event_add_child(event, &worker->child, worker->pid, WEXITED, on_end, worker);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &worker->limit, CLOCK_MONOTONIC, TIME_MAX,
					       1000000, on_limit, worker);
	return r < 0 ? r : 0;
}

int worker_start(struct ph_worker *worker, sd_event *event, ph_worker_job job, const void *argument,
		 ph_worker_done done, void *user)
{
	int ends[2], r;
	pid_t pid;

	if (worker_busy(worker))
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	/* Only our end does not block. */
	(void)fcntl(ends[1], F_SETFL, 0);
	pid = fork();
	if (!pid)
		work(ends[1], job, argument);
	r = pid < 0 ? -errno : 0;
	fd_close(ends[1]);
	if (r) {
		fd_close(ends[0]);
		return r;
	}
	*worker = (struct ph_worker){ .pid = pid, .fd = ends[0], .done = done, .user = user };
	r = watch_child(worker, event);
	if (r)
		worker_cancel(worker);
	return r;
}
