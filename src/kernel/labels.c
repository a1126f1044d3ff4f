// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/labels.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpffs.h"
#include "kernel/front.h"
#include "kernel/maps.h"
#include "util/cleanup.h"
#include "util/namespace.h"

DEFINE_CLEANUP(struct ph_front *, front_close);

#define PASS_PIN "ph_label_tasks"
#define EXIT_PIN "ph_exit"
#define LABELS_PIN "ph_labels"
#define MIRROR_PIN "ph_mirror"
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
	for (size_t i = 0; i < labels.n; i++)
		if (labels.v[i].size != sizeof(*labels.v))
			return -ESTALE;
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
	return namespace_number("/proc/self/ns/pid") == FIRST_PID_NAMESPACE;
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

/* --- The change of version */

enum {
	CARRY_BATCH = 1024, /* labels that are read at a time */
	CARRY_PASSES = 16, /* until one finds nothing new */
	LABEL_SIZE_MAX = 4096, /* of any version */
};

/* What every version begins a label with, under no generation: it is matched anew. */
struct carried {
	__u32 pid;
	struct ph_label label;
};

struct carry {
	int from;
	int to;
	size_t news; /* labels that were carried in this pass */
	uint64_t id; /* to be dropped */
};

typedef int (*carry_function)(struct carry *carry, const struct carried *one);

static int open_mirror(const char *directory)
{
	char path[PH_PATH_LEN];
	int fd;

	pin_path(path, sizeof(path), directory, MIRROR_PIN);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int size_of_label(int mirror, __u32 *ret)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(mirror, &info, &size))
		return -errno;
	if (info.key_size != sizeof(__u32) || info.value_size > LABEL_SIZE_MAX ||
	    info.value_size < offsetof(struct ph_label, memos))
		return -EPROTO;
	*ret = info.value_size;
	return 0;
}

static int each_of_batch(struct carry *carry, carry_function each, const __u32 *pids,
			 const char *labels, __u32 label_size, __u32 n)
{
	int r = 0;

	for (__u32 i = 0; !r && i < n; i++) {
		struct carried one = { .pid = pids[i] };

		memcpy(&one.label, labels + (size_t)i * label_size,
		       offsetof(struct ph_label, memos));
		r = each(carry, &one);
	}
	return r;
}

/* In batches: a walk by keys starts again whenever the one it has reached is gone. */
static int each_label(struct carry *carry, int mirror, carry_function each)
{
	cleanup_free __u32 *pids = calloc(CARRY_BATCH, sizeof(*pids));
	cleanup_free char *labels = NULL;
	__u32 position = 0, *from = NULL, size = 0;
	int r = size_of_label(mirror, &size), ended = 0;

	if (r)
		return r;
	labels = calloc(CARRY_BATCH, size);
	if (!pids || !labels)
		return -ENOMEM;
	while (!r && !ended) {
		__u32 n = CARRY_BATCH;

		ended = bpf_map_lookup_batch(mirror, from, &position, pids, labels, &n, NULL);
		if (ended && errno != ENOENT)
			return -errno;
		from = &position;
		r = each_of_batch(carry, each, pids, labels, size, n);
	}
	return r;
}

/* What the new programs have matched themselves is left alone. */
static int carry_one(struct carry *carry, const struct carried *one)
{
	struct ph_label label = one->label, there;

	label.generation = 0;
	if (!bpf_map_lookup_elem(carry->to, &one->pid, &there)) {
		if (there.generation ||
		    !memcmp(&there.policies, &label.policies, sizeof(label.policies)))
			return 0;
	}
	carry->news++;
	return bpf_map_update_elem(carry->to, &one->pid, &label, BPF_ANY) ? -errno : 0;
}

/* Whoever ended meanwhile: the number will be another's. */
static int drop_ended(struct carry *carry, const struct carried *one)
{
	char old[LABEL_SIZE_MAX];

	if (one->label.generation || !bpf_map_lookup_elem(carry->from, &one->pid, old))
		return 0;
	if (errno != ENOENT)
		return -errno;
	return bpf_map_delete_elem(carry->to, &one->pid) && errno != ENOENT ? -errno : 0;
}

/* Whoever has this label alone. */
static int drop_if_alone(struct carry *carry, const struct carried *one)
{
	if (one->label.policies.count != 1 || one->label.policies.id[0] != carry->id)
		return 0;
	return bpf_map_delete_elem(carry->from, &one->pid) && errno != ENOENT ? -errno : 0;
}

int labels_drop(const struct ph_kernel *kernel, uint64_t id)
{
	struct carry carry = { .from = kernel->map[PH_MAP_MIRROR], .id = id };
	char path[PH_PATH_LEN];

	pin_path(path, sizeof(path), PH_LINKS_DIR, EXIT_PIN);
	if (!access(path, F_OK))
		return 0;
	return each_label(&carry, carry.from, drop_if_alone);
}

bool labels_are_fresh(void)
{
	return map_is_fresh(LABELS_PIN) || map_is_fresh(MIRROR_PIN);
}

/* Again while a pass finds something: who is labelled may have forked before the label was carried. */
int labels_carry(void)
{
	cleanup_close int from = open_mirror(PH_MAPS_DIR), to = open_mirror(PH_FRESH_DIR);
	struct carry carry = { .from = from, .to = to };
	int r = 0;

	if (from == -ENOENT || to == -ENOENT)
		return 0;
	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	for (int pass = 0; !r && pass < CARRY_PASSES; pass++) {
		carry.news = 0;
		r = each_label(&carry, from, carry_one);
		if (!carry.news)
			break;
	}
	return r ? r : each_label(&carry, to, drop_ended);
}

int labels_forget(void)
{
	static const char *const maps[] = { LABELS_PIN, MIRROR_PIN };
	char path[PH_PATH_LEN];

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		pin_path(path, sizeof(path), PH_MAPS_DIR, maps[i]);
		if (unlink(path) && errno != ENOENT)
			return -errno;
	}
	return 0;
}
