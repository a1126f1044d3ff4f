/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SOCKETS_BPF_H
#define PH_SOCKETS_BPF_H

/*
 * From the kernel's sockets, addresses and messages to an attempt. The live socket is what counts,
 * at each call: a socket may have changed hands, family or protocol since it was made.
 */
#include "judge.bpf.h"

#include <bpf/bpf_endian.h>

enum {
	MSG_NAME_FASTOPEN = 0x20000000,
	STATE_CLOSE = 7, /* TCP_CLOSE */
	V4_LENGTH = 16, /* sizeof(struct sockaddr_in) */
	V6_LENGTH = 24, /* SIN6_LEN_RFC2133: what the kernel asks for */
};

enum address_answer {
	ADDRESS_TAKEN,
	ADDRESS_SHORT, /* the kernel says EINVAL */
	ADDRESS_NONE, /* AF_UNSPEC */
};

struct socket_address {
	__u16 family;
	__be16 port;
	__u32 v4; /* IPv6: the flow label */
	__u32 v6[4];
};

static __always_inline bool is_local_family(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == PH_AF_UNIX || family == PH_AF_NETLINK || family == PH_AF_ALG;
}

#define READ_V6(into, from)                               \
	do {                                              \
		(into)[0] = (from).in6_u.u6_addr32[0];    \
		(into)[1] = (from).in6_u.u6_addr32[1];    \
		(into)[2] = (from).in6_u.u6_addr32[2];    \
		(into)[3] = (from).in6_u.u6_addr32[3];    \
	} while (0)

/* Family, type, protocol, and the ports and addresses that the socket has now. */
static __always_inline void view_socket(struct attempt *attempt, struct sock *sk)
{
	struct ph_flow *flow = &attempt->flow;

	/* Read once: IPV6_ADDRFORM may change it under us. */
	attempt->family = *(volatile typeof(sk->__sk_common.skc_family) *)&sk->__sk_common.skc_family;
	attempt->type = sk->sk_type;
	attempt->protocol = sk->sk_protocol;
	flow->kind = ph_socket_kind(attempt->family, attempt->type, attempt->protocol);
	flow->udp = flow->kind == PH_SOCKET_UDP;
	if (!(flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return;
	flow->local_port = sk->__sk_common.skc_num;
	flow->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (attempt->family == PH_AF_INET) {
		ph_address_v4(&flow->local, sk->__sk_common.skc_rcv_saddr);
		ph_address_v4(&flow->remote, sk->__sk_common.skc_daddr);
	} else {
		__u32 word[4];

		READ_V6(word, sk->__sk_common.skc_v6_rcv_saddr);
		ph_address_v6(&flow->local, word);
		READ_V6(word, sk->__sk_common.skc_v6_daddr);
		ph_address_v6(&flow->remote, word);
	}
}

/* Never reads past `length`: what lies there is stale. */
static __always_inline int read_address(struct socket_address *into, const void *address,
					__s32 length)
{
	__builtin_memset(into, 0, sizeof(*into));
	if (length < (__s32)sizeof(into->family))
		return ADDRESS_SHORT;
	if (length < V4_LENGTH) {
		bpf_probe_read_kernel(&into->family, sizeof(into->family), address);
		return into->family == 0 ? ADDRESS_NONE : ADDRESS_SHORT;
	}
	if (length < V6_LENGTH) {
		bpf_probe_read_kernel(into, V4_LENGTH, address);
		return into->family == PH_AF_INET6 ? ADDRESS_SHORT : ADDRESS_TAKEN;
	}
	bpf_probe_read_kernel(into, sizeof(*into), address);
	return ADDRESS_TAKEN;
}

static __always_inline void take_address(struct ph_address *address,
					 const struct socket_address *from)
{
	if (from->family == PH_AF_INET6)
		ph_address_v6(address, from->v6);
	else
		ph_address_v4(address, from->v4);
}

static __always_inline int view_bind_address(struct attempt *attempt, const void *address,
					     int length)
{
	struct socket_address name;
	int answer = read_address(&name, address, length);

	attempt->flow.question = PH_ASK_BIND;
	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return ADDRESS_TAKEN;
	if (answer)
		return ADDRESS_SHORT;
	/* AF_UNSPEC is AF_INET here, as the kernel has it. */
	attempt->flow.local_port = bpf_ntohs(name.port);
	take_address(&attempt->flow.local, &name);
	return ADDRESS_TAKEN;
}

static __always_inline int view_remote_address(struct attempt *attempt, const void *address,
					       int length)
{
	struct socket_address name;
	int answer = read_address(&name, address, length);

	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return ADDRESS_TAKEN;
	if (answer)
		return answer;
	if (name.family == 0)
		return ADDRESS_NONE;
	attempt->flow.remote_port = bpf_ntohs(name.port);
	take_address(&attempt->flow.remote, &name);
	return ADDRESS_TAKEN;
}

/*
 * What a message asks. On TCP a name counts with MSG_FASTOPEN alone, which connects; otherwise the
 * live peer does, in every state but CLOSE: a deferred connect sends from SYN_SENT.
 */
static __always_inline int view_message(struct attempt *attempt, struct sock *sk,
					struct msghdr *msg)
{
	bool udp = attempt->flow.udp;
	int answer;

	attempt->flow.question = PH_ASK_TRAFFIC;
	if (!udp && sk->__sk_common.skc_state == STATE_CLOSE)
		attempt->flow.question = PH_ASK_SOCKET;
	if (!msg->msg_name || !(udp || msg->msg_flags & MSG_NAME_FASTOPEN))
		return ADDRESS_TAKEN;
	answer = view_remote_address(attempt, msg->msg_name, msg->msg_namelen);
	if (answer == ADDRESS_SHORT)
		return answer;
	if (answer == ADDRESS_TAKEN && !udp) {
		attempt->door = PH_DOOR_FASTOPEN;
		attempt->flow.question = PH_ASK_CONNECT;
	}
	return ADDRESS_TAKEN;
}

#endif
