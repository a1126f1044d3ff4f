// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "policy/paths.h"
#include "policy/resolve.h"
#include "policy/store.h"
#include "util/cleanup.h"

/* A file that is replaced between two looks is looked at again. */
#define LOOKS 5

/* As the first process finds it: its links lead where they lead it. */
static int find_from(int root, const char *path, struct stat *ret)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	cleanup_close int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 || fstat(fd, ret) ? -errno : 0;
}

static bool is_same_now(int root, const char *path)
{
	struct stat own = {}, first = {};
	int r = stat(path, &own) ? -errno : 0;

	return find_from(root, path, &first) == r && own.st_dev == first.st_dev &&
	       own.st_ino == first.st_ino;
}

static bool is_same(int root, const char *path)
{
	for (int i = 0; i < LOOKS; i++)
		if (is_same_now(root, path))
			return true;
	return false;
}

int mounts_first_root(void)
{
	cleanup_close int root = open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r = root < 0 ? -errno : find_from(root, "/", &st);

	if (!r && !is_same(root, "/"))
		r = -EXDEV;
	return r ? r : TAKE_FD(root);
}

/* The first policy file of a directory, which is the same one, that is not. 0 or -ENOMEM. */
static int find_other_within(int root, const char *directory, char **ret)
{
	cleanup_closedir DIR *dir = opendir(directory);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		cleanup_free char *path = NULL;

		if (!is_policy_file(entry->d_name))
			continue;
		if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
			return -ENOMEM;
		if (!is_same(root, path)) {
			*ret = TAKE_PTR(path);
			return 0;
		}
	}
	return 0;
}

int mounts_find_other(int first_root, const char *settings, char **ret)
{
	/* From the outside in, so that what is mounted over is named itself. */
	const char *const paths[] = { "/",
				      "/etc/porthold",
				      PH_RUN_DIR,
				      settings,
				      PH_RESOLV_CONF,
				      PH_ETC_POLICIES,
				      PH_RUN_POLICIES,
				      PH_GOOD_POLICIES };
	const char *const directories[] = { PH_ETC_POLICIES, PH_RUN_POLICIES, PH_GOOD_POLICIES };
	int r = 0;

	*ret = NULL;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (*paths[i] != '/' || is_same(first_root, paths[i]))
			continue;
		*ret = strdup(paths[i]);
		return *ret ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !r && !*ret && i < sizeof(directories) / sizeof(directories[0]); i++)
		r = find_other_within(first_root, directories[i], ret);
	return r;
}
