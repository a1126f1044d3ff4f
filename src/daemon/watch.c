// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/watch.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "policy/resolve.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/file.h"

#define MASK                                                                                 \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | \
	 IN_DELETE_SELF | IN_MOVE_SELF)

/* The directory itself is gone, or the kernel has told less than all. */
#define LOST (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)

DEFINE_CLEANUP_DONE(struct ph_watch, watch_done);

void watch_done(struct ph_watch *watch)
{
	for (size_t i = 0; i < watch->n; i++) {
		free(watch->watched[i].directory);
		free(watch->watched[i].name);
	}
	fd_close(watch->fd);
	*watch = (struct ph_watch)PH_WATCH_NULL;
}

/* What is missing is no failure: what it lies in tells when it comes. */
static int watch_path(const struct ph_watch *watch, const char *path, uint32_t mask)
{
	int id = inotify_add_watch(watch->fd, path, mask);

	return id >= 0 ? id : errno == ENOENT || errno == ENOTDIR ? -ENOENT : -errno;
}

static int add(struct ph_watch *watch, const char *directory, const char *name)
{
	struct ph_watched *watched = &watch->watched[watch->n];

	watched->id = watch_path(watch, directory, MASK);
	if (watched->id < 0)
		return watched->id == -ENOENT ? 0 : watched->id;
	watched->directory = strdup(directory);
	watched->name = name ? strdup(name) : NULL;
	watch->n++;
	return watched->directory && (!name || watched->name) ? 0 : -ENOMEM;
}

/* One entry, by the directory that holds it. */
static int add_entry(struct ph_watch *watch, const char *path)
{
	cleanup_free char *head = strdup(path), *tail = strdup(path);

	if (!head || !tail)
		return -ENOMEM;
	return add(watch, dirname(head), basename(tail));
}

/*
 * A link is watched at both ends; and the file itself, since one that is mounted there, as containers
 * have /etc/resolv.conf, lies in another directory.
 */
static int add_file(struct ph_watch *watch, const char *path)
{
	char target[PATH_MAX];
	int r = add_entry(watch, path);

	if (!r && realpath(path, target) && strcmp(path, target))
		r = add_entry(watch, target);
	if (r)
		return r;
	r = watch_path(watch, path, IN_CLOSE_WRITE);
	return r == -ENOENT || r >= 0 ? 0 : r;
}

int watch_open(const char *settings, struct ph_watch *ret)
{
	/* From the outside in: what comes later lies in what is watched already. */
	static const char *const steps[] = { "/etc/porthold", PH_ETC_POLICIES, PH_RUN_POLICIES };
	cleanup_(watch_donep) struct ph_watch watch = PH_WATCH_NULL;
	int r = 0;

	watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch.fd < 0)
		return -errno;
	for (size_t i = 0; !r && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = add_entry(&watch, steps[i]);
	for (size_t i = 0; !r && i < PH_DIRECTORIES; i++)
		r = add(&watch, ph_directories[i], NULL);
	if (!r)
		r = add_file(&watch, settings);
	if (!r)
		r = add_file(&watch, PH_RESOLV_CONF);
	if (r)
		return r;
	watch_done(ret);
	*ret = watch;
	watch = (struct ph_watch)PH_WATCH_NULL;
	return 0;
}

/* A new file counts once it is written and closed, unless it is a link to one that is. */
static bool in_the_writing(const struct ph_watched *watched, const struct inotify_event *event)
{
	cleanup_free char *path = NULL;
	struct stat st;

	if (!(event->mask & IN_CREATE))
		return false;
	if (asprintf(&path, "%s/%s", watched->directory, event->name) < 0) {
		path = NULL;
		return false;
	}
	return !lstat(path, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static bool counts(const struct ph_watch *watch, const struct inotify_event *event)
{
	/* An event without a name is one of a file that is watched itself. */
	if (event->mask & LOST || (!event->len && event->mask & IN_CLOSE_WRITE))
		return true;
	if (!event->len || file_is_temporary(event->name))
		return false;
	for (size_t i = 0; i < watch->n; i++) {
		const struct ph_watched *watched = &watch->watched[i];

		if (watched->id == event->wd &&
		    (!watched->name || !strcmp(watched->name, event->name)) &&
		    !in_the_writing(watched, event))
			return true;
	}
	return false;
}

bool watch_changed(struct ph_watch *watch)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t got;

	while ((got = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		for (const char *at = buffer; at < buffer + got;) {
			const struct inotify_event *event = (const void *)at;

			changed |= counts(watch, event);
			at += sizeof(*event) + event->len;
		}
	}
	return changed;
}
