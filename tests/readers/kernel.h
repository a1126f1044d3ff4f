/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_KERNEL_H
#define READERS_KERNEL_H
/*
 * A kernel of one task, which policies confine, and one socket. To be included after the program that is
 * tried in it. Helpers read what they are told to and no byte more: where that lies outside of what the
 * test has given, the sanitizer ends the test.
 */
#include "tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct ph_label label_of_task;
static struct ph_sock_label label_of_socket;
static bool socket_is_labelled;
static unsigned n_denials;

static struct user_namespace first_namespace;
static struct cred cred_of_task = { .user_ns = &first_namespace };
static struct kernfs_node root_node = { .id = 1 };
static struct cgroup root_cgroup = { .kn = &root_node };
static struct css_set cgroups_of_task = { .dfl_cgrp = &root_cgroup };
static struct signal_struct signal_of_task = { .live.counter = 1 };
static struct task_struct task = {
	.bpf_storage = &label_of_task,
	.comm = "confined",
	.pid = 100,
	.group_leader = &task,
	.signal = &signal_of_task,
	.cred = &cred_of_task,
	.real_cred = &cred_of_task,
	.cgroups = &cgroups_of_task,
};

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	static char of_grants, of_index, of_chunks, of_prefixes;

	if (map == &ph_grants)
		return &of_grants;
	if (map == &ph_index)
		return &of_index;
	if (map == &ph_chunks)
		return &of_chunks;
	if (map == &ph_prefixes)
		return &of_prefixes;
	if (map == &of_grants)
		return (void *)tables_grant(*(const __u32 *)key);
	if (map == &of_index)
		return (void *)tables_index(*(const __u64 *)key);
	if (map == &of_chunks)
		return (void *)tables_chunk(*(const __u32 *)key);
	if (map == &of_prefixes)
		return (void *)tables_prefix(key);
	return NULL;
}

/* Nothing else has room: no verdict depends on it. A counter is asked for at each denial. */
static long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags)
{
	n_denials += map == &ph_counters;
	return -1;
}

static long bpf_map_delete_elem(void *map, const void *key)
{
	return -1;
}

static void *bpf_sk_storage_get(void *map, void *sk, void *value, __u64 flags)
{
	return socket_is_labelled || flags ? &label_of_socket : NULL;
}

static void *bpf_task_storage_get(void *map, struct task_struct *of, void *value, __u64 flags)
{
	return &label_of_task;
}

static long bpf_task_storage_delete(void *map, struct task_struct *of)
{
	return -1;
}

static long bpf_probe_read_kernel(void *to, __u32 size, const void *from)
{
	memcpy(to, from, size);
	return 0;
}

static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	if (offset > skb->len || size > skb->len - offset) {
		memset(to, 0, size);
		return -14;
	}
	memcpy(to, skb->bytes + offset, size);
	return 0;
}

static struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)
{
	return sk;
}

static struct socket *bpf_sock_from_file(struct file *file)
{
	return file->private_data;
}

static __u64 bpf_get_current_task(void)
{
	return (__u64)&task;
}

static struct task_struct *bpf_get_current_task_btf(void)
{
	return &task;
}

static __u64 bpf_get_current_pid_tgid(void)
{
	return (__u64)task.pid << 32 | task.pid;
}

static __u64 bpf_get_current_uid_gid(void)
{
	return 0;
}

static __u64 bpf_get_current_cgroup_id(void)
{
	return root_node.id;
}

static __u64 bpf_ktime_get_boot_ns(void)
{
	return 1;
}

static long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags)
{
	return 0;
}

static __u64 bpf_ringbuf_query(void *ring, __u64 what)
{
	return 0;
}

static void bpf_spin_lock(struct bpf_spin_lock *lock)
{
}

static void bpf_spin_unlock(struct bpf_spin_lock *lock)
{
}

/* One generation in force; of the policies the first, or the second as a further layer as well. */
static void confine(struct ph_ids *ids, bool further)
{
	*ids = (struct ph_ids){ .count = 1 + further, .layers = further ? 2 << PH_LAYER_BITS : 0 };
	for (unsigned i = 0; i <= further; i++)
		ids->id[i] = tables_id(i);
}

static void boot(__u8 backend)
{
	settings = (struct settings){ true, true, true, true, true, backend };
	ph_front.current = PH_FRONT_SET | 1 << PH_FRONT_GENERATION;
	ph_front.header[0] = (struct ph_header){ .generation = 1, .features = PH_FEATURE_COMM };
	label_of_task = (struct ph_label){ .generation = 1 };
	label_of_socket = (struct ph_sock_label){};
	n_denials = 0;
}

/* --- The input, byte for byte; zeros behind its end */

struct input {
	const __u8 *at;
	size_t left;
};

static void take(struct input *input, void *to, size_t size)
{
	size_t n = size < input->left ? size : input->left;

	memset(to, 0, size);
	memcpy(to, input->at, n);
	input->at += n;
	input->left -= n;
}

/* The same bytes where nothing lies around them. */
static __u8 *take_alone(struct input *input, size_t size)
{
	__u8 *bytes = malloc(size);

	assert(bytes || !size);
	take(input, bytes, size);
	return bytes;
}

#endif
