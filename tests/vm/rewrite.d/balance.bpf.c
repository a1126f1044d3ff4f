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

static __always_inline int replace_port(struct bpf_sock_addr *ctx, __u16 port, __u16 by)
{
	if (ctx->user_port == bpf_htons(port))
		ctx->user_port = bpf_htons(by);
	return PASS;
}

SEC("cgroup/connect4")
int on_connect(struct bpf_sock_addr *ctx)
{
	return replace_port(ctx, SERVICE, BACKEND);
}

SEC("cgroup/sendmsg4")
int on_sendmsg(struct bpf_sock_addr *ctx)
{
	return replace_port(ctx, SERVICE, BACKEND);
}

SEC("cgroup/recvmsg4")
int on_recvmsg(struct bpf_sock_addr *ctx)
{
	return replace_port(ctx, BACKEND, SERVICE);
}
