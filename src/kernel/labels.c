// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/labels.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/bpffs.h"
#include "kernel/front.h"
#include "util/cleanup.h"

DEFINE_CLEANUP(struct ph_front *, front_close);

#define PASS_PIN "ph_label_tasks"
#define FIRST_PID_NAMESPACE 0xeffffffcu /* its inode: PROC_PID_INIT_INO in linux/proc_ns.h */

void labels_done(struct ph_labels *labels)
{
	free(labels->v);
	*labels = (struct ph_labels){};
}

static int open_pass(void)
{
	char path[PH_PATH_LEN];
	cleanup_close int link = -1;
	int fd;

	pin_path(path, sizeof(path), PH_LINKS_DIR, PASS_PIN);
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	fd = bpf_iter_create(link);
	return fd < 0 ? -errno : fd;
}

int labels_pass(struct ph_labels *ret)
{
	cleanup_(labels_done) struct ph_labels labels = {};
	cleanup_close int fd = open_pass();
	char *bytes;
	size_t used = 0, size = 0;
	ssize_t got;

	if (fd < 0)
		return fd;
	do {
		if (size - used < 4096) {
			size = size ? size * 2 : 16384;
			bytes = realloc(labels.v, size);
			if (!bytes)
				return -ENOMEM;
			labels.v = (struct ph_labelled *)bytes;
		}
		got = read(fd, (char *)labels.v + used, size - used);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0)
			used += got;
	} while (got);
	labels.n = used / sizeof(*labels.v);
	*ret = labels;
	labels.v = NULL;
	return 0;
}

bool label_holds(const struct ph_labelled *label, uint64_t id)
{
	for (size_t i = 0; i < PH_LABEL_MAX; i++)
		if (label->policies.id[i] == id)
			return true;
	return false;
}

bool labels_know_pid(void)
{
	struct stat namespace;

	return !stat("/proc/self/ns/pid", &namespace) && namespace.st_ino == FIRST_PID_NAMESPACE;
}

/* The pass takes an entry of the mirror for the label of a task that has no other. */
int labels_claim(const struct ph_kernel *kernel, uint64_t id)
{
	struct ph_label label = { .policies = { .count = 1, .id = { id } } };
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	uint32_t pid = getpid();

	if (!front)
		return -errno;
	__atomic_store_n(&front->mirrored[pid % PH_FILTER_PIDS], 1, __ATOMIC_RELEASE);
	if (!bpf_map_update_elem(kernel->map[PH_MAP_MIRROR], &pid, &label, BPF_NOEXIST))
		return 0;
	return errno == EEXIST ? -EBUSY : -errno;
}

/* Of any thread: the old programs, which know another front, label more until they are replaced. */
int labels_adopt(const struct ph_kernel *kernel)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);

	if (!front)
		return -errno;
	memset(front->mirrored, 1, sizeof(front->mirrored));
	return 0;
}

int labels_forget(void)
{
	static const char *const maps[] = { "ph_labels", "ph_mirror" };
	char path[PH_PATH_LEN];

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		pin_path(path, sizeof(path), PH_MAPS_DIR, maps[i]);
		if (unlink(path) && errno != ENOENT)
			return -errno;
	}
	return 0;
}
