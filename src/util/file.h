/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FILE_H
#define PH_FILE_H
/*
 * Whole files, in bounded time and memory. Returns 0 or -errno; nothing blocks on what a path may
 * lead to.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a regular file. *ret is NUL-terminated (not counted in *ret_len) and the caller's to free.
 * -EISDIR a directory, -ENOTSUP neither file nor directory, -EFBIG more than max bytes,
 * -ESTALE it changed meanwhile, or what open(2) and read(2) say.
 */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len);

/*
 * Puts data under path at once: a reader sees the old content or the new one, also after a crash.
 * The temporary file is ".porthold-XXXXXX" in the same directory.
 */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode);

/*
 * The same with the mode and the group of `like`, if that is a regular file, but for what lets others
 * write.
 */
int file_write_like(const char *path, const char *like, const void *data, size_t len, mode_t mode);

bool file_is_link(const char *path);

/* Whether a file of this name is such a temporary file, which a crash has left. */
bool file_is_temporary(const char *name);

/* Removes those of the directory that are older than so many seconds: nobody writes them any more. */
void files_remove_temporary(const char *directory, unsigned age);

/* Makes what was done to the entry of its directory last over a crash. */
int sync_parent(const char *path);

/* Makes the directory and its parents. One that is there already is fine and keeps its mode. */
int mkdir_parents(const char *path, mode_t mode);

/* The same for whatever is above the path, which may not be there. */
int mkdir_above(const char *path, mode_t mode);

/*
 * Opens a file that is there to be locked, made if need be with the directories above it; never
 * through a symbolic link. The descriptor or -errno.
 */
int lock_file_open(const char *path);

/* Removes the file, if it is there. 0 or -errno. */
int file_remove(const char *path);

#endif
