// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/position.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"

#define POSITION_SIZE_MAX 64

/* A map's id is used once in the life of a kernel. 0: unknown. */
static uint32_t slots_id(const struct ph_kernel *kernel)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(kernel->map[PH_MAP_EVENTS], &info, &size) ? 0 : info.id;
}

uint64_t position_read(const char *path, const struct ph_kernel *kernel)
{
	cleanup_free char *text = NULL;
	uint64_t number;
	size_t length;
	uint32_t id;

	if (file_read(path, POSITION_SIZE_MAX, &text, &length) ||
	    sscanf(text, "slots %" SCNu32 " told %" SCNu64, &id, &number) != 2)
		return 0;
	return id == slots_id(kernel) ? number : 0;
}

int position_write(const char *path, const struct ph_kernel *kernel, uint64_t number)
{
	char text[POSITION_SIZE_MAX];
	int length = snprintf(text, sizeof(text), "slots %" PRIu32 " told %" PRIu64 "\n",
			      slots_id(kernel), number);

	return file_write_atomic(path, text, (size_t)length, 0600);
}

int position_remove(const char *path)
{
	return file_remove(path);
}
