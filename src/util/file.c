// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole files, in bounded time and memory (file.h has the contract).
 *
 * Opening never waits for a peer (O_NONBLOCK: a FIFO) and never takes a terminal; only regular
 * files are read. A file is published by rename, so that no reader ever sees half of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* asprintf, mkostemp */
#endif
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/file.h"

#define TEMPORARY ".porthold-"

static int check_regular(const struct stat *st, size_t max)
{
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	if (!S_ISREG(st->st_mode))
		return -ENOTSUP;
	if (st->st_size < 0 || (uintmax_t)st->st_size > max)
		return -EFBIG;
	return 0;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Reads up to the end of the file, or one byte more than max. */
static int read_bounded(int fd, size_t size_hint, size_t max, char **ret, size_t *ret_len)
{
	cleanup_free char *text = NULL;
	size_t allocated = size_hint + 2, len = 0;

	text = malloc(allocated);
	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, text + len, allocated - 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > max)
			return -EFBIG;
		if (len == allocated - 1) {
			char *larger = realloc(text, allocated * 2);

			if (!larger)
				return -ENOMEM;
			text = larger;
			allocated *= 2;
		}
	}
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	cleanup_free char *text = NULL;
	cleanup_close int fd = -1;
	struct stat before, after;
	size_t len = 0;
	int r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno == -ENXIO ? -ENOTSUP : -errno;
	if (fstat(fd, &before) < 0)
		return -errno;
	r = check_regular(&before, max);
	if (r < 0)
		return r;
	r = read_bounded(fd, (size_t)before.st_size, max, &text, &len);
	if (r < 0)
		return r;
	if (fstat(fd, &after) < 0)
		return -errno;
	/* Files of /proc and the like have the size 0 and content. */
	if (!same_content(&before, &after) || (before.st_size && (size_t)before.st_size != len))
		return -ESTALE;
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		data += done;
		len -= (size_t)done;
	}
	return 0;
}

/* Makes a rename in the directory last over a crash. */
static int sync_directory(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Some file systems cannot sync a directory and need not. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return -errno;
	return 0;
}

int sync_parent(const char *path)
{
	cleanup_free char *copy = strdup(path);

	return copy ? sync_directory(dirname(copy)) : -ENOMEM;
}

/* `like`: whose mode and group it gets, but for what lets others write; NULL: nobody's. */
static int set_mode(int fd, const char *like, mode_t mode)
{
	struct stat st;

	if (!like || lstat(like, &st) || !S_ISREG(st.st_mode))
		return fchmod(fd, mode) ? -errno : 0;
	if (fchown(fd, (uid_t)-1, st.st_gid) ||
	    fchmod(fd, st.st_mode & 07777 & ~(S_IWGRP | S_IWOTH)))
		return -errno;
	return 0;
}

static int fill_and_rename(int fd, const char *temporary, const char *path, const char *like,
			   const void *data, size_t len, mode_t mode)
{
	int r = write_all(fd, data, len);

	if (!r)
		r = set_mode(fd, like, mode);
	if (r < 0)
		return r;
	return fsync(fd) || rename(temporary, path) ? -errno : 0;
}

int file_write_like(const char *path, const char *like, const void *data, size_t len, mode_t mode)
{
	cleanup_free char *copy = strdup(path);
	cleanup_free char *temporary = NULL;
	cleanup_close int fd = -1;
	const char *directory;
	int r;

	if (!copy)
		return -ENOMEM;
	directory = dirname(copy);
	if (asprintf(&temporary, "%s/" TEMPORARY "XXXXXX", directory) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fill_and_rename(fd, temporary, path, like, data, len, mode);
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	return sync_directory(directory);
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	return file_write_like(path, NULL, data, len, mode);
}

bool file_is_link(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISLNK(st.st_mode);
}

bool file_is_temporary(const char *name)
{
	return !strncmp(name, TEMPORARY, strlen(TEMPORARY));
}

void files_remove_temporary(const char *directory, unsigned age)
{
	cleanup_closedir DIR *dir = opendir(directory);
	time_t now = time(NULL);
	struct stat st;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (file_is_temporary(entry->d_name) &&
		    !fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) && (!age || st.st_mtim.tv_sec + age < now))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
}

int file_remove(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int mkdir_one(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int mkdir_above(const char *path, mode_t mode)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = copy + 1; *copy && (slash = strchr(slash, '/')); slash++) {
		int r;

		*slash = '\0';
		r = mkdir_one(copy, mode);
		if (r < 0)
			return r;
		*slash = '/';
	}
	return 0;
}

int mkdir_parents(const char *path, mode_t mode)
{
	int r = mkdir_above(path, mode);

	return r ? r : mkdir_one(path, mode);
}

int lock_file_open(const char *path)
{
	int r = mkdir_above(path, 0755), fd;

	if (r)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd;
	/* An empty directory in its place is nobody's. */
	if (r != -EISDIR || rmdir(path))
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}
