/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_KERNEL_FRONT_H
#define PH_KERNEL_FRONT_H
/*
 * What stands before all tables, mapped: struct ph_front of bpf/abi.h. The kernel programs read it while
 * it is written to. So a slot is filled only while no call can come upon it: neither `current` nor,
 * before the deadline of that, `fallback` names it, and who put another in force has waited for the
 * calls that had seen it there.
 */
#include "kernel/load.h"

/* Mapped, or NULL with errno set. */
struct ph_front *front_open(const struct ph_kernel *kernel);

/* Takes NULL as well. */
void front_close(struct ph_front *front);

/* How `current` and `fallback` name the generation of this header. */
__u64 front_naming(const struct ph_header *header);

/* From now on `current` or `fallback` is this, or 0: none. */
void front_set(__u64 *entry, __u64 naming);

/* The header that `current` or `fallback` names: 0, or -ENOENT: it names none. */
int front_header(const struct ph_front *front, const __u64 *entry, struct ph_header *ret);

/* The slot that may be filled, or -EBUSY: both are in use. */
int front_free_slot(const struct ph_front *front);

#endif
