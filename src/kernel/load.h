/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_LOAD_H
#define PH_LOAD_H
/*
 * The programs and maps in the kernel: put there, found again, taken away. Everything is pinned, so
 * nothing depends on a process of ours.
 *
 * Invariants: the maps are there whenever a link is; `ph_state` says which backend the links are
 * of; links are there only while a policy is in force. What a crash left half made is completed or
 * removed by the next call that changes something.
 */
#include <stdint.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include "abi.h"
#include "kernel/features.h"
#include "util/fault.h"

enum ph_map_id {
	PH_MAP_FRONT,
	PH_MAP_TRAITS,
	PH_MAP_PLACES,
	PH_MAP_FILES,
	PH_MAP_INDEX,
	PH_MAP_GRANTS,
	PH_MAP_CHUNKS,
	PH_MAP_PREFIXES,
	PH_MAP_MIRROR,
	PH_MAP_COUNTERS,
	PH_MAP_HEALTH,
	PH_MAP_EVENTS,
	PH_MAP_EVENT_HEAD,
	PH_MAP_STATE,
	PH_MAP_CGROUPS,
	PH_MAP_WAKE,
	PH_MAP_ATTACHED,
	PH_MAP_GONE,
	PH_MAPS,
};

struct ph_kernel {
	int map[PH_MAPS]; /* file descriptors, -1: not open */
};

#define PH_KERNEL_NULL                              \
	{                                           \
		.map = { [0 ... PH_MAPS - 1] = -1 } \
	}

void kernel_close(struct ph_kernel *kernel);

/*
 * Opens the pinned maps: 0; -ENOENT: porthold is not installed; -ESTALE: they are of an older
 * version, which kernel_attach() replaces; another -errno: of a newer one, or out of reach. All but
 * -ENOENT with the fault filled.
 */
int kernel_open(struct ph_kernel *ret, struct ph_fault *f);

/* A descriptor of the table that lies in the slot, or -errno; -ENOENT: none does. */
int kernel_table(const struct ph_kernel *kernel, enum ph_map_id outer, __u32 slot);

int kernel_state_read(const struct ph_kernel *kernel, struct ph_state *ret);
int kernel_state_write(const struct ph_kernel *kernel, const struct ph_state *state);

/* A hash of the programs that this binary holds. */
uint64_t kernel_code(void);

/* How the programs are to be loaded and where they go. */
struct ph_plan {
	const struct ph_features *features;
	enum ph_backend backend;
	int cgroup; /* file descriptor of the cgroup for the cgroup hooks */
	/* Puts the policies into maps that are new while programs of another version enforce. */
	int (*fill)(const struct ph_kernel *kernel, void *policies, struct ph_fault *f);
	void *policies;
};

/*
 * Loads the programs of the plan over the maps that are pinned, making those that are not, and
 * pins both maps and links. The new programs are attached before the ones of an older version are
 * detached, and programs that the plan does not know go last. On failure what this call made is
 * taken away again, unless programs were attached before.
 */
int kernel_attach(const struct ph_plan *plan, struct ph_fault *f);

/* Whether links are pinned. */
bool kernel_attached(void);

/* Detaches all programs; the maps with counters and events stay. */
int kernel_detach(struct ph_fault *f);

/* Detaches all programs and removes every pin. */
int kernel_remove(struct ph_fault *f);

#endif
