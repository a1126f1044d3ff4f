// SPDX-License-Identifier: GPL-2.0-or-later
/* A load balancer: who asks for the service at port 7001 reaches its backend at port 7050. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum {
	SERVICE = 7001,
	BACKEND = 7050,
	PASS = 1,
};

SEC("cgroup/connect4")
int balance(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port == bpf_htons(SERVICE))
		ctx->user_port = bpf_htons(BACKEND);
	return PASS;
}
