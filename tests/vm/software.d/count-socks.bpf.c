// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One line for each socket that has a value in a map of SK_STORAGE: what the map holds, counted by
 * the kernel. Its memlock does not tell (bpf_local_storage_map_mem_usage leaves the values out).
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct seq_file;
struct sock;

struct bpf_iter_meta {
	__bpf_md_ptr(struct seq_file *, seq);
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct bpf_map *, map);
	__bpf_md_ptr(struct sock *, sk);
	__bpf_md_ptr(void *, value);
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "GPL";

SEC("iter/bpf_sk_storage_map")
int count_socks(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	static const char line[] = "socket\n";

	if (ctx->sk && ctx->value)
		(void)bpf_seq_write(ctx->meta->seq, line, sizeof(line) - 1);
	return 0;
}
