// SPDX-License-Identifier: GPL-2.0-or-later
/* Somebody else's program, which refuses to connect to the port that the canary may use. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/connect4")
int refuse_port(struct bpf_sock_addr *ctx)
{
	return ctx->user_port != bpf_htons(4040);
}
