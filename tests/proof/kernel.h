/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROOF_KERNEL_H
#define PROOF_KERNEL_H
/*
 * The helpers that a reader calls. What they are told to read and to write has to be there, and every byte
 * that they read is any.
 */
#include "proof.h"

static void *find_table(void *map, const void *key);

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	return find_table(map, key);
}

static long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags)
{
	return -1;
}

static __u64 bpf_ktime_get_boot_ns(void)
{
	return 1;
}

static long bpf_probe_read_kernel(void *to, __u32 size, const void *from)
{
	PROVE(__CPROVER_r_ok(from, size), "what is read is there");
	PROVE(__CPROVER_w_ok(to, size), "there is room for it");
	__builtin_memcpy(to, from, size);
	return 0;
}

static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	PROVE(__CPROVER_w_ok(to, size), "there is room for it");
	if (offset > skb->len || size > skb->len - offset)
		return -14;
	for (__u32 i = 0; i < size; i++)
		((__u8 *)to)[i] = skb->bytes[offset + i];
	return 0;
}

#endif
