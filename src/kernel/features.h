/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FEATURES_H
#define PH_FEATURES_H
/*
 * What this kernel and this boot offer, found by trying: each field says that the thing was done a
 * moment ago, or that it could not be. Kernel versions are never asked.
 */
#include <stdbool.h>

#include "util/fault.h"

struct ph_features {
	bool btf; /* /sys/kernel/btf/vmlinux is there */
	bool permitted; /* this process may load BPF programs at all */
	bool lsm_programs; /* LSM programs load */
	bool lsm_active; /* and `bpf` is in the list of active LSMs, without which they do nothing */
	bool tracing_programs; /* tp_btf programs and iterators load */
	bool cgroup_programs; /* programs for cgroup address hooks load */
	bool task_storage; /* labels can lie on tasks */
	bool lsm_task_btf; /* LSM programs may read the calling task by type */
	bool cgroup_task_btf; /* the cgroup address hooks may */
	bool socket_from_file; /* bpf_sock_from_file() */
	bool lsm_spin_lock; /* LSM programs may take a bpf_spin_lock */
	bool global_functions; /* functions that take pointers are verified by themselves */
	bool cgroup_moves; /* who moves a task to another cgroup can be seen before it is there */
	bool load_hook; /* LSM programs see what is loaded once it is permitted */
	bool reads_kernel; /* programs may read the kernel's memory, which a lockdown forbids */
	bool sysctl_programs; /* programs for the settings below /proc/sys may read the caller */
	bool setattr_map; /* the hook for a file's attributes is handed a map of ids first */
	bool splice_sends; /* sendfile and splice reach socket_sendmsg */
	bool entry_known; /* how the kernel enters programs can be seen */
	bool tracepoints_preempted; /* a task may be in a program of a tracepoint, and another run */
	bool lsm_always; /* it runs those of LSM hooks also where another task is preempted in one */
	char lockdown[32]; /* the kernel's lockdown, in its own word; empty: none */
	char lsm_list[256]; /* as the kernel tells it; empty: it cannot be read */
	char cgroup_root[256]; /* where the cgroup2 hierarchy is mounted; empty: nowhere */
};

/*
 * Always fills all; what cannot be found out is not there. Negative errno if a try came to no answer, for
 * want of memory and the like.
 */
int features_probe(struct ph_features *ret, struct ph_fault *f);

struct btf;

/*
 * How programs are entered: entry_known, lsm_always and, by what guards the tracepoints of newer kernels
 * where others switch preemption off, tracepoints_preempted. From Linux 5.12 on a program is not run for a task
 * that comes to it while another one is preempted in it (ca06f55b9002), until LSM programs were exempted
 * from that (271de525e1d7, in 6.2 and the stable kernels of some before), by another function for those
 * that are not.
 */
void features_of_entry(const struct btf *btf, struct ph_features *ret);

/* The mount point of the cgroup2 hierarchy, hybrid hierarchies too; 0 or -ENOENT. */
int cgroup_root_find(char *ret, unsigned size);

#endif
