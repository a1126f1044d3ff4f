// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last line: packets of labelled sockets. Who runs on this CPU has nothing to do with the
 * packet, so the socket's label decides, and for TCP the ports that the socket has: what the packet
 * says may be wrapped (IPsec) or not there.
 */
#define PH_PACKETS
#include "asked.bpf.h"

#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

enum packet_verdict {
	PACKET_DROP = 0,
	PACKET_PASS = 1,
};

enum {
	STATE_LISTEN = 10, /* TCP_LISTEN */
	IPV4_PROTOCOL = 9, /* offsets in the headers */
	IPV4_SOURCE = 12,
	IPV4_TARGET = 16,
	IPV6_PROTOCOL = 6,
	IPV6_SOURCE = 8,
	IPV6_TARGET = 24,
	IPV6_HEADER = 40,
	IPV6_HOP_OPTIONS = 0, /* headers between that of IPv6 and that of UDP or TCP */
	IPV6_TARGET_OPTIONS = 60,
	IPV6_OPTIONS_MAX = 3, /* such headers in a packet: more is not what the kernel makes */
};

static __always_inline void view_socket(struct attempt *attempt, struct bpf_sock *sk, bool out)
{
	struct ph_flow *flow = &attempt->flow;

	begin_attempt(attempt, out ? PH_DOOR_PACKET_OUT : PH_DOOR_PACKET_IN, sk->family, sk->type,
		      sk->protocol);
	attempt->count = PH_COUNT_PACKET;
	/* Nobody but its own port's peers may wake a listener, whatever port they come from. */
	flow->question = sk->state == STATE_LISTEN ? PH_ASK_SERVE : PH_ASK_TRAFFIC;
	flow->local_port = sk->src_port;
	flow->remote_port = bpf_ntohs((__u16)sk->dst_port);
}

static __always_inline void view_addresses(struct ph_flow *flow, struct bpf_sock *sk)
{
	__u32 family = sk->family, word[4];

	word[0] = sk->src_ip6[0];
	word[1] = sk->src_ip6[1];
	word[2] = sk->src_ip6[2];
	word[3] = sk->src_ip6[3];
	ph_address(&flow->local, family, sk->src_ip4, word);
	word[0] = sk->dst_ip6[0];
	word[1] = sk->dst_ip6[1];
	word[2] = sk->dst_ip6[2];
	word[3] = sk->dst_ip6[3];
	ph_address(&flow->remote, family, sk->dst_ip4, word);
}

/* Where the ports of an IPv6 packet stand, if nothing but options is before them; else 0. */
static __always_inline __u32 skip_options(struct __sk_buff *skb, __u8 protocol, __u8 wanted)
{
	__u32 at = IPV6_HEADER;
	__u8 option[2]; /* the protocol that follows, and the length */

	for (__u32 i = 0; i <= IPV6_OPTIONS_MAX; i++) {
		if (protocol == wanted)
			return at;
		if ((protocol != IPV6_HOP_OPTIONS && protocol != IPV6_TARGET_OPTIONS) ||
		    bpf_skb_load_bytes(skb, at, option, sizeof(option)))
			return 0;
		protocol = option[0];
		at += (option[1] + 1) * 8;
	}
	return 0;
}

/*
 * The peer that the packet itself names: of an unconnected UDP socket, and of a TCP listener.
 * Nonzero: it names none, for it is cut short, or its ports stand behind another header.
 */
PH_SUBPROGRAM int view_packet(struct ph_flow *flow, struct __sk_buff *skb, bool out)
{
	__u32 at = out ? IPV6_TARGET : IPV6_SOURCE, protocol_at = IPV6_PROTOCOL, size = 16;
	__u32 transport, family = PH_AF_INET6, word[4] = {};
	__u8 first = 0, protocol = 0, wanted;
	__be16 ports[2] = {};

	if (!flow || bpf_skb_load_bytes(skb, 0, &first, 1))
		return -1;
	if (first >> 4 == 4) {
		family = PH_AF_INET;
		protocol_at = IPV4_PROTOCOL;
		at = out ? IPV4_TARGET : IPV4_SOURCE;
		size = 4;
	}
	if (bpf_skb_load_bytes(skb, protocol_at, &protocol, 1) ||
	    bpf_skb_load_bytes(skb, at, word, size))
		return -1;
	wanted = flow->udp ? PH_UDP : PH_TCP;
	if (family == PH_AF_INET6)
		transport = skip_options(skb, protocol, wanted);
	else
		transport = protocol == wanted ? (first & 15) * 4 : 0;
	if (!transport || bpf_skb_load_bytes(skb, transport, ports, sizeof(ports)))
		return -1;
	ph_address(&flow->remote, family, word[0], word);
	flow->remote_port = bpf_ntohs(out ? ports[1] : ports[0]);
	return 0;
}

static __always_inline void count_rewritten(struct ph_sock_past *past)
{
	if (past->flags & PH_SOCK_REWRITTEN)
		return;
	past->flags |= PH_SOCK_REWRITTEN;
	count_health(PH_HEALTH_REWRITTEN);
}

/* The addresses of a packet, as far as they have to be known. */
static __always_inline void view_peers(struct ph_flow *flow, struct ph_sock_past *past,
				       struct __sk_buff *skb, struct bpf_sock *sk, bool out)
{
	__u64 elsewhere;

	view_addresses(flow, sk);
	if (flow->remote_port == 0) {
		flow->nowhere = view_packet(flow, skb, out) != 0;
		return;
	}
	elsewhere = mask_elsewhere(past, flow);
	if (elsewhere) {
		view_asked(flow, past, elsewhere);
		count_rewritten(past);
	}
}

static __always_inline int on_packet(struct __sk_buff *skb, bool out)
{
	struct ph_sock_label *label;
	struct attempt attempt;
	struct bpf_sock *sk = skb->sk;
	struct glance seen;
	struct who who;

	if (!sk)
		return PACKET_PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return PACKET_PASS;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, 0);
	if (!label || !glance_at_socket(&seen, label))
		return PACKET_PASS;
	view_socket(&attempt, sk, out);
	if (is_plainly_allowed(&seen, &attempt.flow))
		return PACKET_PASS;
	view_peers(&attempt.flow, &label->past, skb, sk, out);
	recognize_socket(&who, &seen);
	return judge(&who, &attempt, memos_of(seen.ids)) ? PACKET_DROP : PACKET_PASS;
}

SEC("cgroup_skb/egress")
int ph_egress(struct __sk_buff *skb)
{
	return on_packet(skb, true);
}

SEC("cgroup_skb/ingress")
int ph_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, false);
}
