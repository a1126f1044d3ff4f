/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_PLAIN_H
#define READERS_PLAIN_H
/* What bpf/state.bpf.h says in instructions of BPF, in C. */

/* By the names of what the loader sets. */
struct settings {
	bool ph_has_task_storage;
	bool ph_has_task_btf;
	bool ph_has_sock_from_file;
	bool ph_has_functions;
	bool ph_has_spin_lock;
	__u8 ph_backend;
};

static struct settings settings;

#define SETTING(name) (settings.name)
#define PH_ERRNO(number) (-(number))

static __always_inline __u64 hide(__u64 value, __u64 unknown)
{
	return value;
}

#endif
