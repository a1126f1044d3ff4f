// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/rewriters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "kernel/front.h"
#include "util/cleanup.h"

DEFINE_CLEANUP(struct ph_front *, front_close);

static bool is_rewriter(__u32 id)
{
	cleanup_close int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
	       info.type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR &&
	       strncmp(info.name, PH_PROGRAM_PREFIX, strlen(PH_PROGRAM_PREFIX)) != 0;
}

static bool are_there(void)
{
	for (__u32 id = 0; !bpf_prog_get_next_id(id, &id);)
		if (is_rewriter(id))
			return true;
	return false;
}

int rewriters_tell(const struct ph_kernel *kernel)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);

	if (!front)
		return -errno;
	if (are_there())
		__atomic_store_n(&front->rewriters, 1, __ATOMIC_RELEASE);
	return 0;
}
