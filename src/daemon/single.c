// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/single.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "policy/store.h"
#include "util/cleanup.h"
#include "util/file.h"

#define LOCK_PATH PH_RUN_DIR "/daemon.lock"
enum {
	SILENT_SECONDS = 2, /* that the end of a daemon may take before it is told */
	STOP_SECONDS = 30,
};

static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

/* Who holds the lock; 0: nobody. */
static pid_t holder(int fd)
{
	struct flock lock = whole_file();

	if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

int single_lock(struct ph_fault *f)
{
	cleanup_close int fd = lock_file_open(LOCK_PATH);
	struct flock lock = whole_file();

	if (fd < 0)
		return fault(f, fd, PH_EXIT_IMPOSSIBLE, "cannot open " LOCK_PATH ": %s",
			     strerror(-fd));
	if (fcntl(fd, F_SETLK, &lock))
		return fault(f, -EBUSY, PH_EXIT_IMPOSSIBLE,
			     "a porthold daemon runs already (process %d); one is enough: "
			     "it takes every policy file",
			     (int)holder(fd));
	return TAKE_FD(fd);
}

bool single_is_current(int fd)
{
	struct stat held, there;

	return !fstat(fd, &held) && !stat(LOCK_PATH, &there) && held.st_ino == there.st_ino &&
	       held.st_dev == there.st_dev;
}

static bool ends_within(int fd, int seconds)
{
	struct pollfd ended = { .fd = fd, .events = POLLIN };

	return poll(&ended, 1, seconds * 1000) == 1;
}

static int end_process(pid_t pid, struct ph_fault *f)
{
	cleanup_close int fd = pidfd_open(pid, 0);

	if (fd < 0 && errno == ESRCH)
		return 0;
	if (fd < 0 || pidfd_send_signal(fd, SIGTERM, NULL, 0))
		return fault(f, -errno, PH_EXIT_IMPOSSIBLE,
			     "cannot stop the daemon, process %d: %s", (int)pid, strerror(errno));
	/* Whom somebody has halted gets it as well. */
	(void)pidfd_send_signal(fd, SIGCONT, NULL, 0);
	if (ends_within(fd, SILENT_SECONDS))
		return 0;
	(void)fprintf(stderr, "porthold stop: waiting for the daemon, process %d, to end (%d s)\n",
		      (int)pid, STOP_SECONDS);
	return ends_within(fd, STOP_SECONDS - SILENT_SECONDS) ? 0 : -EBUSY;
}

pid_t single_pid(void)
{
	cleanup_close int fd = open(LOCK_PATH, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? 0 : holder(fd);
}

int single_stop(struct ph_fault *f)
{
	pid_t pid = single_pid();

	return pid > 0 ? end_process(pid, f) : 0;
}
