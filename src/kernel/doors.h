/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_DOORS_H
#define PH_DOORS_H
/*
 * The promised doors: which ways to the network are closed by which backend on which kernel. What
 * `status`, `doctor`, `selftest` and the refusal of `auto` say is read from this one table.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include "abi.h"
#include "kernel/features.h"

struct ph_promise {
	const char *name; /* as --accept-degraded takes it, and as the probes name it */
	const char *what; /* what stays possible while it is open */
	bool (*closed)(enum ph_backend backend, const struct ph_features *features);
	bool optional; /* open by default; never a reason to refuse */
};

extern const struct ph_promise ph_promises[];
extern const size_t ph_promises_n;

/* Bit i: ph_promises[i] is open. */
uint64_t doors_open(enum ph_backend backend, const struct ph_features *features);

/* The same of programs on this cgroup: who says --attach leaves a door open. */
uint64_t doors_open_at(enum ph_backend backend, const struct ph_features *features,
		       const char *attach);

/* Of those, the ones that nobody has to accept. */
uint64_t doors_optional(void);

/* The bit of the promise of this name; 0: none is called so. */
uint64_t promise_bit(const char *name);

/* "a,b,c" to bits; 0, or -EINVAL with the unknown name in ret_bad. */
int doors_parse(const char *text, uint64_t *ret, char *ret_bad, size_t size);

const char *backend_name(enum ph_backend backend);
const char *door_name(unsigned door);
const char *reason_name(unsigned reason);

/* Of PH_REASON_OVERFULL: the label is filled up for either, and the kernel does not tell which. */
#define PH_OVERFULL_MEANING                                                                     \
	"more policies match it than a process can have (eight), or it could not be found out " \
	"what confines it"

#endif
