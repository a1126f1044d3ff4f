// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cgroup hooks for calls. In the cgroup backend they ask who is calling, as the LSM hooks do.
 * Beside the LSM hooks they are the second line: they judge what a labelled socket does, whoever
 * makes it do so.
 */
#include "asked.bpf.h"
#include "claim.bpf.h"
#include "guarded.bpf.h"

#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

enum cgroup_verdict {
	CGROUP_REFUSE = 0, /* EPERM */
	CGROUP_PASS = 1,
};

enum {
	ALLOCATION_ANY = 0xc0, /* __GFP_IO | __GFP_FS: see is_kernels_own() in bpf/sockets.bpf.h */
};

/*
 * The socket that the kernel hands over without telling its type: what lies on the stack is read back
 * as a number.
 */
static __always_inline struct sock *whole_sock(struct bpf_sock *shown)
{
	struct bpf_sock *volatile place = shown;
	struct sock *sk = NULL;

	bpf_probe_read_kernel(&sk, sizeof(sk), (void *)&place);
	return sk;
}

/* A network file system connects and sends in the context of whoever opens a file. */
static __always_inline bool is_kernels_own(struct bpf_sock *shown)
{
	struct sock *sk = whole_sock(shown);

	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock) &&
	       (BPF_CORE_READ(sk, sk_allocation) & ALLOCATION_ANY) != ALLOCATION_ANY;
}

/* Whom nothing confines connects it: what was asked for before is over. */
static __always_inline void end_asked(struct bpf_sock *sk)
{
	struct ph_sock_label *label;

	if (!may_be_rewritten() || !sk)
		return;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, 0);
	if (label)
		label->past.flags = 0;
}

/* At the caller, or at the socket where the caller has been judged before. */
static __always_inline bool glance_at_user(struct glance *seen, struct bpf_sock *sk, __u8 door)
{
	struct ph_sock_label *label;

	if (SETTING(ph_backend) == PH_BACKEND_CGROUP) {
		if (glance(seen))
			return door == PH_DOOR_BIND || !sk || !is_kernels_own(sk);
		if (door == PH_DOOR_CONNECT)
			end_asked(sk);
		return false;
	}
	if (!sk)
		return false;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, 0);
	if (!label || (door == PH_DOOR_CONNECT && confirm_asked(&label->past)))
		return false;
	return glance_at_socket(seen, label);
}

static __always_inline int verdict(const struct glance *seen, struct attempt *attempt)
{
	return judge_glance(seen, attempt) ? CGROUP_REFUSE : CGROUP_PASS;
}

SEC("cgroup/sock_create")
int ph_cg_create(struct bpf_sock *ctx)
{
	struct attempt attempt;
	struct ph_sock_label *label;
	struct glance seen;
	struct who who;

	/* Beside the LSM hooks there is nothing to add: they have judged and labelled. */
	if (SETTING(ph_backend) != PH_BACKEND_CGROUP || !glance(&seen))
		return CGROUP_PASS;
	begin_attempt(&attempt, PH_DOOR_SOCKET, ctx->family, ctx->type, ctx->protocol);
	begin_addresses(&attempt);
	recognize(&who, &seen);
	if (!is_plainly_allowed(&seen, &attempt.flow) && judge(&who, &attempt, memos_of(seen.ids)))
		return CGROUP_REFUSE;
	if (!count_scoped(&who, 0))
		return CGROUP_PASS;
	label = bpf_sk_storage_get(&ph_socks, ctx, NULL, PH_STORAGE_CREATE);
	if (!label)
		return CGROUP_REFUSE;
	add_scoped(&label->policies, &who); /* no copy: there is no room for it */
	return CGROUP_PASS;
}

/* The socket, and the port of the call: user_port is in network order, in the low half. */
static __always_inline void view_call(struct attempt *attempt, __u8 door, struct bpf_sock_addr *ctx,
				      __u16 *port)
{
	begin_attempt(attempt, door, ctx->family, ctx->type, ctx->protocol);
	*port = bpf_ntohs(ctx->user_port);
}

/* The address of the call, where the port does not tell enough. */
static __always_inline void view_address(struct bpf_sock_addr *ctx, bool v6,
					 struct ph_address *address)
{
	__u32 word[4] = {}, v4 = 0;

	if (v6) {
		word[0] = ctx->user_ip6[0];
		word[1] = ctx->user_ip6[1];
		word[2] = ctx->user_ip6[2];
		word[3] = ctx->user_ip6[3];
	} else {
		v4 = ctx->user_ip4;
	}
	ph_address(address, v6 ? PH_AF_INET6 : PH_AF_INET, v4, word);
}

/* Here nobody else has judged; where it goes may be changed later. */
static __always_inline bool has_to_note(const struct attempt *attempt)
{
	return SETTING(ph_backend) == PH_BACKEND_CGROUP && attempt->door == PH_DOOR_CONNECT &&
	       attempt->flow.kind == PH_SOCKET_TCP && may_be_rewritten();
}

/* Whom the address of nobody reaches: see settle_remote() in bpf/sockets.bpf.h. */
static __always_inline void settle_remote(struct ph_flow *flow, struct bpf_sock *sk)
{
	struct ph_address source;
	__u32 word[4];

	if (!sk || !ph_is_any(&flow->remote))
		return;
	word[0] = sk->src_ip6[0];
	word[1] = sk->src_ip6[1];
	word[2] = sk->src_ip6[2];
	word[3] = sk->src_ip6[3];
	ph_address(&source, sk->family, sk->src_ip4, word);
	ph_settle(&flow->remote, &source);
	if (sk->bound_dev_if)
		flow->nowhere = 1;
}

/* Of what asks for a remote address. */
static __always_inline int verdict_on_remote(const struct glance *seen, struct attempt *attempt,
					     struct bpf_sock_addr *ctx, struct bpf_sock *sk,
					     bool v6)
{
	bool allowed = is_plainly_allowed(seen, &attempt->flow);
	struct ph_sock_label *label;

	if (allowed && !has_to_note(attempt))
		return CGROUP_PASS;
	begin_addresses(attempt);
	view_address(ctx, v6, &attempt->flow.remote);
	settle_remote(&attempt->flow, sk);
	if (!allowed && verdict(seen, attempt) == CGROUP_REFUSE)
		return CGROUP_REFUSE;
	if (!sk || !has_to_note(attempt))
		return CGROUP_PASS;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, PH_STORAGE_CREATE);
	if (label)
		note_asked(&label->past, &attempt->flow, 0);
	return CGROUP_PASS;
}

static __always_inline int on_connect(struct bpf_sock_addr *ctx, bool v6)
{
	struct attempt attempt;
	struct bpf_sock *sk = ctx->sk;
	struct glance seen;

	if (!glance_at_user(&seen, sk, PH_DOOR_CONNECT))
		return CGROUP_PASS;
	view_call(&attempt, PH_DOOR_CONNECT, ctx, &attempt.flow.remote_port);
	if (attempt.flow.udp && sk &&
	    (SETTING(ph_backend) == PH_BACKEND_LSM ||
	     is_guarded(&seen, bpf_sk_storage_get(&ph_socks, sk, NULL, 0))))
		return CGROUP_PASS;
	attempt.flow.question = PH_ASK_CONNECT;
	return verdict_on_remote(&seen, &attempt, ctx, sk, v6);
}

/* A name that no such socket can have: the kernel itself says so, after this. */
static __always_inline bool is_foreign(struct bpf_sock_addr *ctx, bool v6)
{
	__u32 family = ctx->user_family;

	if (v6)
		return family != PH_AF_INET6;
	return family != PH_AF_INET && (family || ctx->user_ip4);
}

static __always_inline int on_bind(struct bpf_sock_addr *ctx, bool v6)
{
	struct attempt attempt;
	struct glance seen;

	if (SETTING(ph_backend) == PH_BACKEND_CGROUP && !v6 && claim(ctx->user_ip4, ctx->user_port))
		return CGROUP_PASS;
	if (!glance_at_user(&seen, ctx->sk, PH_DOOR_BIND) || is_foreign(ctx, v6))
		return CGROUP_PASS;
	view_call(&attempt, PH_DOOR_BIND, ctx, &attempt.flow.local_port);
	attempt.flow.question = PH_ASK_BIND;
	if (is_plainly_allowed(&seen, &attempt.flow))
		return CGROUP_PASS;
	begin_addresses(&attempt);
	view_address(ctx, v6, &attempt.flow.local);
	return verdict(&seen, &attempt);
}

static __always_inline int on_sendmsg(struct bpf_sock_addr *ctx, bool v6)
{
	struct attempt attempt;
	struct bpf_sock *sk = ctx->sk;
	struct glance seen;

	if (!glance_at_user(&seen, sk, PH_DOOR_SEND))
		return CGROUP_PASS;
	view_call(&attempt, PH_DOOR_SEND, ctx, &attempt.flow.remote_port);
	if (sk)
		attempt.flow.local_port = sk->src_port;
	attempt.flow.question = PH_ASK_TRAFFIC;
	return verdict_on_remote(&seen, &attempt, ctx, sk, v6);
}

SEC("cgroup/connect4")
int ph_cg_connect4(struct bpf_sock_addr *ctx)
{
	return on_connect(ctx, false);
}

SEC("cgroup/connect6")
int ph_cg_connect6(struct bpf_sock_addr *ctx)
{
	return on_connect(ctx, true);
}

SEC("cgroup/bind4")
int ph_cg_bind4(struct bpf_sock_addr *ctx)
{
	return on_bind(ctx, false);
}

SEC("cgroup/bind6")
int ph_cg_bind6(struct bpf_sock_addr *ctx)
{
	return on_bind(ctx, true);
}

SEC("cgroup/sendmsg4")
int ph_cg_sendmsg4(struct bpf_sock_addr *ctx)
{
	return on_sendmsg(ctx, false);
}

SEC("cgroup/sendmsg6")
int ph_cg_sendmsg6(struct bpf_sock_addr *ctx)
{
	return on_sendmsg(ctx, true);
}
