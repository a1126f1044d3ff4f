// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/attached.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/bpffs.h"
#include "util/cleanup.h"

static int record_fd(const struct ph_kernel *kernel)
{
	return kernel->map[PH_MAP_ATTACHED];
}

/* Names of programs fit: the kernel cuts them to the same length. */
static void name_key(struct ph_attached_name *ret, const char *name)
{
	*ret = (struct ph_attached_name){};
	memcpy(ret->bytes, name, strnlen(name, sizeof(ret->bytes) - 1));
}

static void name_text(const struct ph_attached_name *key, char ret[PH_COMM_LEN + 1])
{
	memcpy(ret, key->bytes, PH_COMM_LEN);
	ret[PH_COMM_LEN] = 0;
}

static int link_info(int link, struct bpf_link_info *ret)
{
	__u32 size = sizeof(*ret);

	*ret = (struct bpf_link_info){};
	return bpf_obj_get_info_by_fd(link, ret, &size) ? -errno : 0;
}

int attached_record(const struct ph_kernel *kernel, const char *name, int link)
{
	struct ph_attached_name key;
	struct ph_attached value;
	struct bpf_link_info info;
	int r = link_info(link, &info);

	if (r)
		return r;
	name_key(&key, name);
	value = (struct ph_attached){ .link = info.id, .program = info.prog_id };
	return bpf_map_update_elem(record_fd(kernel), &key, &value, BPF_ANY) ? -errno : 0;
}

/* --- Going over the record */

/* What to do with one: 0 to go on, else the answer of the walk. */
typedef int (*visit_function)(const struct ph_kernel *kernel, const struct ph_attached_name *key,
			      void *with);

static int next_key(const struct ph_kernel *kernel, const struct ph_attached_name *key,
		    struct ph_attached_name *ret)
{
	return bpf_map_get_next_key(record_fd(kernel), key, ret) ? -errno : 0;
}

static int walk(const struct ph_kernel *kernel, visit_function visit, void *with)
{
	struct ph_attached_name key, next;
	int r = next_key(kernel, NULL, &next);

	while (!r) {
		int answer;

		key = next;
		r = next_key(kernel, &key, &next); /* before the visit, which may delete the key */
		answer = visit(kernel, &key, with);
		if (answer)
			return answer;
	}
	return r == -ENOENT ? 0 : r;
}

static int count_one(const struct ph_kernel *kernel, const struct ph_attached_name *key, void *with)
{
	++*(int *)with;
	return 0;
}

int attached_count(const struct ph_kernel *kernel)
{
	int n = 0, r = walk(kernel, count_one, &n);

	return r ? r : n;
}

struct choice {
	bool (*wanted)(const char *name, const void *of);
	const void *of;
};

static int forget_unwanted(const struct ph_kernel *kernel, const struct ph_attached_name *key,
			   void *with)
{
	const struct choice *choice = with;
	char name[PH_COMM_LEN + 1];

	name_text(key, name);
	if (choice->wanted(name, choice->of))
		return 0;
	return bpf_map_delete_elem(record_fd(kernel), key) ? -errno : 0;
}

static int unpin_unwanted(const char *path, const char *name, const void *with)
{
	const struct choice *choice = with;

	return choice->wanted(name, choice->of) ? 0 : unlink(path);
}

int attached_keep(const struct ph_kernel *kernel, bool (*wanted)(const char *name, const void *of),
		  const void *of)
{
	struct choice choice = { wanted, of };
	int r = pins_each(PH_LINKS_DIR, unpin_unwanted, &choice);

	return r < 0 ? r : walk(kernel, forget_unwanted, &choice);
}

/* --- Checking */

enum {
	MAPS_MAX = 64 /* of a program, or of all that were looked at */
};

struct finding {
	const struct ph_state *state;
	char *text;
	size_t size;
	int n;
	struct ph_missed *missed;
	__u32 maps[MAPS_MAX]; /* ids */
	__u32 n_maps;
};

static int complain(struct finding *finding, const char *name, const char *what)
{
	(void)snprintf(finding->text, finding->size, "%s: %s", name, what);
	return 1;
}

/* A link whose cgroup is gone, or that was detached by force, keeps its pin and names no cgroup. */
static bool is_elsewhere(const struct bpf_link_info *info, const struct ph_state *state)
{
	return info->type == BPF_LINK_TYPE_CGROUP && info->cgroup.cgroup_id != state->attach_id;
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	__u32 size = sizeof(*ret);

	*ret = (struct bpf_map_info){};
	return fd < 0 || bpf_obj_get_info_by_fd(fd, ret, &size) ? -errno : 0;
}

/* A map that has lost its pin goes on as long as the programs do, and nobody else finds it. */
static int check_map(struct finding *finding, __u32 id)
{
	cleanup_close int fd = bpf_map_get_fd_by_id(id), pinned = -1;
	struct bpf_map_info info, there;
	char path[PH_PATH_LEN];

	if (map_info(fd, &info) || strncmp(info.name, "ph_", 3))
		return 0;
	pin_path(path, sizeof(path), PH_MAPS_DIR, info.name);
	pinned = bpf_obj_get(path);
	if (pinned < 0 && errno == ENOENT)
		return complain(finding, info.name, "its pin is gone");
	if (!map_info(pinned, &there) && there.id != id)
		return complain(finding, info.name, "another map is in its place");
	return 0;
}

static bool was_checked(struct finding *finding, __u32 id)
{
	for (__u32 i = 0; i < finding->n_maps; i++)
		if (finding->maps[i] == id)
			return true;
	if (finding->n_maps < MAPS_MAX)
		finding->maps[finding->n_maps++] = id;
	return false;
}

/* Kernels before 5.12 skip none, and fill less of it. */
static void count_missed(struct ph_missed *missed, const struct bpf_prog_info *info)
{
	if (info->type == BPF_PROG_TYPE_TRACING)
		missed->labels += info->recursion_misses;
	else
		missed->calls += info->recursion_misses;
}

/* The maps that a program uses. */
static int check_maps(struct finding *finding, __u32 program)
{
	cleanup_close int fd = bpf_prog_get_fd_by_id(program);
	__u32 ids[MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (__u64)(uintptr_t)ids };
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return 0;
	count_missed(finding->missed, &info);
	for (__u32 i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++)
		if (!was_checked(finding, ids[i]) && check_map(finding, ids[i]))
			return 1;
	return 0;
}

static int check_one(const struct ph_kernel *kernel, const struct ph_attached_name *key, void *with)
{
	struct finding *finding = with;
	char name[PH_COMM_LEN + 1], path[PH_PATH_LEN];
	struct ph_attached recorded;
	struct bpf_link_info info;
	cleanup_close int link = -1;

	if (bpf_map_lookup_elem(record_fd(kernel), key, &recorded))
		return -errno;
	name_text(key, name);
	pin_path(path, sizeof(path), PH_LINKS_DIR, name);
	link = bpf_obj_get(path);
	if (link < 0)
		return complain(finding, name,
				errno == ENOENT ? "its pin is gone" : strerror(errno));
	if (link_info(link, &info))
		return complain(finding, name, "its pin leads to no link");
	if (info.id != recorded.link || info.prog_id != recorded.program)
		return complain(finding, name, "another program is in its place");
	if (is_elsewhere(&info, finding->state))
		return complain(finding, name, "it is detached from its cgroup");
	if (check_maps(finding, info.prog_id))
		return 1;
	finding->n++;
	return 0;
}

int attached_check(const struct ph_kernel *kernel, const struct ph_state *state, char *ret,
		   size_t size, struct ph_missed *ret_missed)
{
	struct finding finding = { .state = state, .text = ret, .size = size, .missed = ret_missed };
	int r = walk(kernel, check_one, &finding);

	if (r)
		return r;
	if (!finding.n || (__u32)finding.n != state->attached) {
		(void)snprintf(ret, size, "%d programs are on record, %u were attached", finding.n,
			       state->attached);
		return 1;
	}
	return 0;
}

static int add_missed(const struct ph_kernel *kernel, const struct ph_attached_name *key,
		      void *with)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	struct ph_attached recorded;
	cleanup_close int fd = -1;

	if (bpf_map_lookup_elem(record_fd(kernel), key, &recorded))
		return 0;
	fd = bpf_prog_get_fd_by_id(recorded.program);
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
		count_missed(with, &info);
	return 0;
}

void attached_missed(const struct ph_kernel *kernel, struct ph_missed *ret)
{
	*ret = (struct ph_missed){};
	(void)walk(kernel, add_missed, ret);
}

/* --- What the kernel says, without the pins */

bool attached_is_run(void)
{
	union bpf_attr attributes = {};

	return syscall(SYS_bpf, PH_ARE_YOU_THERE, &attributes, sizeof(attributes)) < 0 &&
	       errno == EALREADY;
}

/* Iterators are attached to nothing: they only wait to be asked. */
static bool judges(const struct bpf_link_info *link)
{
	struct bpf_prog_info program = {};
	__u32 size = sizeof(program);
	cleanup_close int fd = bpf_prog_get_fd_by_id(link->prog_id);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &program, &size))
		return false;
	return link->type != BPF_LINK_TYPE_ITER &&
	       !strncmp(program.name, PH_PROGRAM_PREFIX, strlen(PH_PROGRAM_PREFIX));
}

int attached_anywhere(void)
{
	__u32 id = 0;
	int n = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		cleanup_close int link = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info;

		if (link >= 0 && !link_info(link, &info))
			n += judges(&info);
	}
	return errno == ENOENT ? n : -errno;
}
