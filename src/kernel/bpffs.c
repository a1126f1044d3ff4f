// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/bpffs.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi.h"
#include "util/cleanup.h"
#include "util/namespace.h"

#define BPFFS_DIR "/sys/fs/bpf"

static bool same_namespace_as_init(const char *kind)
{
	char own[64], first[64];
	uint32_t a, b;

	(void)snprintf(own, sizeof(own), "/proc/self/ns/%s", kind);
	(void)snprintf(first, sizeof(first), "/proc/1/ns/%s", kind);
	a = namespace_number(own);
	b = namespace_number(first);
	return !a || !b || a == b;
}

/* The device of what the first process has mounted there; 0: nothing, or it cannot be seen. */
static dev_t mounted_for_init(void)
{
	cleanup_fclose FILE *mounts = fopen("/proc/1/mountinfo", "re");
	char line[8192], path[PH_PATH_LEN];
	unsigned major, minor;
	dev_t device = 0;

	/* "ID PARENT MAJOR:MINOR ROOT PATH …"; the last one covers those before. */
	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*u %*u %u:%u %*s %255s", &major, &minor, path) == 3 &&
		    !strcmp(path, BPFFS_DIR))
			device = makedev(major, minor);
	return device;
}

bool bpffs_is_for_first(void)
{
	uint32_t first = namespace_number("/proc/1/ns/mnt");

	return first && namespace_number("/proc/self/ns/mnt") == first;
}

/* A service with a sandbox has mounts of its own, but the same bpffs: pins stay there. */
static bool is_for_all(void)
{
	struct stat st;

	return same_namespace_as_init("mnt") ||
	       (!stat(BPFFS_DIR, &st) && st.st_dev == mounted_for_init());
}

static bool is_mounted(void)
{
	struct statfs fs;

	return !statfs(BPFFS_DIR, &fs) && fs.f_type == BPF_FS_MAGIC;
}

bool bpffs_is_private(void)
{
	return is_mounted() && !is_for_all();
}

int bpffs_ready(struct ph_fault *f)
{
	bool mounted = is_mounted();

	if (mounted ? !is_for_all() : !same_namespace_as_init("mnt"))
		return fault(f, -EXDEV, PH_EXIT_IMPOSSIBLE,
			     "this is a private mount namespace: pins made here end with it; "
			     "run porthold in the mount namespace of PID 1 (nsenter -t 1 -m)");
	if (mounted)
		return 0;
	if (mount("bpf", BPFFS_DIR, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return fault(f, -errno, PH_EXIT_IMPOSSIBLE,
			     "bpffs is not mounted on " BPFFS_DIR " and cannot be (%s); "
			     "mount -t bpf bpf " BPFFS_DIR,
			     strerror(errno));
	return 0;
}

/* Whether a mount point is this path, or a directory above it. */
static bool lies_above(const char *point, const char *path)
{
	size_t length = strlen(point);

	return !strncmp(point, path, length) && (!path[length] || path[length] == '/');
}

/* Whether our pins lie in what is mounted there. */
static bool holds_pins(const char *point)
{
	char path[PH_PATH_LEN * 2];

	(void)snprintf(path, sizeof(path), "%s%s/" PH_LINKS_DIR, point,
		       &PH_PIN_DIR[strlen(BPFFS_DIR)]);
	return !access(path, F_OK);
}

/*
 * "ID PARENT MAJOR:MINOR ROOT PATH OPTIONS … - TYPE …": a bpffs that is mounted there and is not what is seen
 * there lies below another mount: the last one, as these are listed in their order.
 */
static bool find_cover(char ret_remedy[PH_PATH_LEN])
{
	cleanup_fclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
	bool covered = false, is_here = holds_pins(BPFFS_DIR);
	char line[8192], path[PH_PATH_LEN - 64];
	unsigned major, minor;
	struct stat st = {};

	(void)!stat(BPFFS_DIR, &st); /* what is not there is no bpffs either */
	while (mounts && fgets(line, sizeof(line), mounts)) {
		bool is_bpf = strstr(line, " - bpf ");

		if (sscanf(line, "%*u %*u %u:%u %*s %191s", &major, &minor, path) != 3)
			continue;
		if (!strcmp(path, BPFFS_DIR) && is_bpf && makedev(major, minor) != st.st_dev)
			covered = true;
		if (lies_above(path, BPFFS_DIR) || lies_above(PH_PIN_DIR, path)) {
			covered |= lies_above(PH_PIN_DIR, path);
			(void)snprintf(ret_remedy, PH_PATH_LEN, "umount %s", path);
		} else if (is_bpf && !is_here && holds_pins(path)) {
			(void)snprintf(ret_remedy, PH_PATH_LEN, "mount --bind %s " BPFFS_DIR, path);
			return true;
		}
	}
	return covered;
}

static bool is_read_only(void)
{
	struct statvfs fs;

	return !statvfs(PH_PIN_DIR, &fs) && fs.f_flag & ST_RDONLY;
}

bool bpffs_is_covered(char ret_remedy[PH_PATH_LEN])
{
	if (find_cover(ret_remedy))
		return true;
	*ret_remedy = 0;
	if (!is_read_only())
		return false;
	(void)snprintf(ret_remedy, PH_PATH_LEN, "mount -o remount,rw " BPFFS_DIR);
	return true;
}

void pin_path(char *ret, unsigned size, const char *directory, const char *name)
{
	(void)snprintf(ret, size, PH_PIN_DIR "/%s/%s", directory, name);
}

static int make_directory(const char *path, struct ph_fault *f)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return fault(f, -errno, PH_EXIT_IMPOSSIBLE, "cannot make %s: %s", path,
			     strerror(errno));
	return 0;
}

int pins_make(struct ph_fault *f)
{
	int r = make_directory(PH_PIN_DIR, f);

	if (!r)
		r = make_directory(PH_PIN_DIR "/" PH_MAPS_DIR, f);
	if (!r)
		r = make_directory(PH_PIN_DIR "/" PH_LINKS_DIR, f);
	if (!r)
		r = make_directory(PH_PIN_DIR "/" PH_FRESH_DIR, f);
	if (!r)
		r = make_directory(PH_PIN_DIR "/" PH_OLD_DIR, f);
	if (!r)
		(void)pins_remove(PH_FRESH_DIR);
	return r;
}

int pins_each(const char *directory, pin_function each, const void *with)
{
	cleanup_closedir DIR *dir = NULL;
	char path[PH_PATH_LEN * 2];
	int n = 0;

	(void)snprintf(path, sizeof(path), PH_PIN_DIR "/%s", directory);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		pin_path(path, sizeof(path), directory, entry->d_name);
		if (each && each(path, entry->d_name, with))
			return -errno;
		n++;
	}
	return n;
}

static int remove_pin(const char *path, const char *name, const void *with)
{
	return unlink(path);
}

int pins_remove(const char *directory)
{
	int n = pins_each(directory, remove_pin, NULL);

	return n < 0 ? n : 0;
}

static int remove_directory(const char *directory)
{
	char path[PH_PATH_LEN * 2];
	int r = pins_remove(directory);

	(void)snprintf(path, sizeof(path), PH_PIN_DIR "/%s", directory);
	return r || !rmdir(path) || errno == ENOENT ? r : -errno;
}

/* Also of what another version has pinned there. */
static int remove_entry(const char *path, const char *name, const void *with)
{
	struct stat st;
	int r;

	if (lstat(path, &st))
		return errno != ENOENT;
	r = S_ISDIR(st.st_mode) ? remove_directory(name) : remove_pin(path, name, with);
	errno = r < 0 && S_ISDIR(st.st_mode) ? -r : errno;
	return r;
}

int pins_remove_all(void)
{
	int r = remove_directory(PH_LINKS_DIR); /* the maps are there whenever a link is */

	if (!r)
		r = remove_directory(PH_OLD_DIR);
	if (!r)
		r = pins_each(".", remove_entry, NULL);
	if (r < 0)
		return r;
	return rmdir(PH_PIN_DIR) && errno != ENOENT ? -errno : 0;
}

int pins_count(const char *directory)
{
	return pins_each(directory, NULL, NULL);
}
