// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/cover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/features.h"
#include "kernel/maps.h"
#include "util/cleanup.h"
#include "util/namespace.h"

#define INITIAL_CGROUP_NAMESPACE 0xeffffffbul /* PROC_CGROUP_INIT_INO in linux/proc_ns.h */

/* --- Cgroups and their paths */

/* A cgroup's id is the handle of its directory. */
static int open_cgroup(int root, uint64_t id)
{
	enum {
		KERNFS_HANDLE = 0xfe /* FILEID_KERNFS */
	};
	char space[sizeof(struct file_handle) + sizeof(id)]
		__attribute__((aligned(__alignof__(struct file_handle))));
	struct file_handle *handle = (struct file_handle *)space;

	handle->handle_bytes = sizeof(id);
	handle->handle_type = KERNFS_HANDLE;
	memcpy(handle->f_handle, &id, sizeof(id));
	return open_by_handle_at(root, handle, O_PATH | O_CLOEXEC);
}

/* Whether `path` is the directory or lies in it. */
static bool lies_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	n -= n && directory[n - 1] == '/';
	return !strncmp(path, directory, n) && (!path[n] || path[n] == '/');
}

char *cgroup_path(int root, const char *mount, uint64_t id)
{
	cleanup_close int fd = open_cgroup(root, id);
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (fd < 0)
		return NULL;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = 0;
	if (!lies_below(path, mount))
		return NULL;
	return strdup(path[strlen(mount)] ? path + strlen(mount) : "/");
}

/* The kernel writes a 0 for whom the reader has no number. */
static int lists_strangers(int cgroup)
{
	cleanup_close int fd = openat(cgroup, "cgroup.threads", O_RDONLY | O_CLOEXEC);
	cleanup_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	char line[32];

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	(void)TAKE_FD(fd);
	while (fgets(line, sizeof(line), file))
		if (!strcmp(line, "0\n"))
			return 1;
	return ferror(file) ? -EIO : 0;
}

/* One that has gone meanwhile holds nobody. */
static int child_has_strangers(int cgroup, const char *name)
{
	cleanup_close int child = openat(cgroup, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (child < 0)
		return errno == ENOENT ? 0 : -errno;
	return cgroup_has_strangers(child);
}

int cgroup_has_strangers(int cgroup)
{
	cleanup_close int fd = openat(cgroup, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int found;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	(void)TAKE_FD(fd);
	found = lists_strangers(cgroup);
	errno = 0;
	for (struct dirent *entry; !found && (entry = readdir(dir)); errno = 0)
		if (entry->d_type == DT_DIR && *entry->d_name != '.')
			found = child_has_strangers(cgroup, entry->d_name);
	return found ? found : -errno;
}

/* Opens the mount point, whose path *ret becomes; a descriptor, or -1. */
static int open_root(char ret[PH_PATH_LEN])
{
	if (cgroup_root_find(ret, PH_PATH_LEN))
		return -1;
	return open(ret, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* --- What is covered */

bool cgroups_are_all_seen(void)
{
	uint32_t own = namespace_number("/proc/self/ns/cgroup");

	return !own || own == INITIAL_CGROUP_NAMESPACE;
}

bool attach_is_whole(const char *attach, const char *root)
{
	return !strcmp(attach, root) && cgroups_are_all_seen();
}

void cover_find(enum ph_backend backend, uint64_t attach_id, struct ph_cover *ret)
{
	char mount[PH_PATH_LEN];
	cleanup_free char *path = NULL;
	cleanup_close int root = -1;
	struct stat st;

	*ret = (struct ph_cover){ .whole = backend == PH_BACKEND_LSM };
	if (backend != PH_BACKEND_CGROUP)
		return;
	root = open_root(mount);
	if (root < 0 || fstat(root, &st))
		return;
	ret->whole = st.st_ino == attach_id && cgroups_are_all_seen();
	path = cgroup_path(root, mount, attach_id);
	if (path && strlen(path) < sizeof(ret->path))
		(void)snprintf(ret->path, sizeof(ret->path), "%s", path);
}

void cover_recorded(struct ph_cover *ret)
{
	struct ph_state state = {};

	*ret = (struct ph_cover){};
	if (kernel_attached() && !state_peek(&state))
		cover_find(state.backend, state.attach_id, ret);
}

/* Of a cgroup that lies outside of our cgroup namespace the kernel says "/..", and more. */
static bool has_path(const struct ph_cover *cover, const char *path)
{
	return *cover->path && *path && !lies_below(path, "/..") && lies_below(path, cover->path);
}

bool cover_has_process(const struct ph_cover *cover, pid_t pid)
{
	char path[PATH_MAX + 8] = "";
	cleanup_fclose FILE *file = NULL;

	if (cover->whole)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(path, sizeof(path), file)) {
		if (strncmp(path, "0::", 3))
			continue;
		path[strcspn(path, "\n")] = 0;
		return has_path(cover, path + 3);
	}
	return false;
}

/* What was found out of the cgroup that was asked for last. */
struct asked {
	char mount[PH_PATH_LEN];
	int root;
	uint64_t id;
	bool covered;
};

static bool has_cgroup(const struct ph_cover *cover, struct asked *asked, uint64_t id)
{
	cleanup_free char *path = NULL;

	if (asked->id == id)
		return asked->covered;
	path = cgroup_path(asked->root, asked->mount, id);
	asked->id = id;
	asked->covered = path && has_path(cover, path);
	return asked->covered;
}

void cover_labels(const struct ph_cover *cover, struct ph_labels *labels)
{
	struct asked asked = {};
	size_t n = 0;

	if (cover->whole)
		return;
	asked.root = open_root(asked.mount);
	for (size_t i = 0; i < labels->n; i++) {
		const struct ph_labelled *label = &labels->v[i];

		if (label->cgroup ? has_cgroup(cover, &asked, label->cgroup) :
				    cover_has_process(cover, (pid_t)label->pid))
			labels->v[n++] = *label;
	}
	labels->n = n;
	fd_close(asked.root);
}

void cover_processes(const struct ph_cover *cover, struct ph_processes *processes)
{
	size_t n = 0;

	for (size_t i = 0; i < processes->n; i++)
		if (cover_has_process(cover, processes->v[i].pid))
			processes->v[n++] = processes->v[i];
	processes->n = n;
}
