// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last line: packets of labelled sockets. Who runs on this CPU has nothing to do with the
 * packet, so the socket's label decides, and for TCP the ports that the socket has: what the packet
 * says may be wrapped (IPsec) or not there.
 */
#define PH_PACKETS
#include "judge.bpf.h"

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
};

static __always_inline void view_local(struct ph_flow *flow, struct bpf_sock *sk)
{
	__u32 word[4];

	flow->local_port = sk->src_port;
	if (sk->family == PH_AF_INET) {
		ph_address_v4(&flow->local, sk->src_ip4);
		return;
	}
	word[0] = sk->src_ip6[0];
	word[1] = sk->src_ip6[1];
	word[2] = sk->src_ip6[2];
	word[3] = sk->src_ip6[3];
	ph_address_v6(&flow->local, word);
}

static __always_inline void view_peer(struct ph_flow *flow, struct bpf_sock *sk)
{
	__u32 word[4];

	flow->remote_port = bpf_ntohs((__u16)sk->dst_port);
	if (sk->family == PH_AF_INET) {
		ph_address_v4(&flow->remote, sk->dst_ip4);
		return;
	}
	word[0] = sk->dst_ip6[0];
	word[1] = sk->dst_ip6[1];
	word[2] = sk->dst_ip6[2];
	word[3] = sk->dst_ip6[3];
	ph_address_v6(&flow->remote, word);
}

static __always_inline int load_ipv4(struct ph_flow *flow, struct __sk_buff *skb, bool out,
				     __u8 *protocol)
{
	__u32 word;

	if (bpf_skb_load_bytes(skb, IPV4_PROTOCOL, protocol, 1) ||
	    bpf_skb_load_bytes(skb, out ? IPV4_TARGET : IPV4_SOURCE, &word, sizeof(word)))
		return -1;
	ph_address_v4(&flow->remote, word);
	return 0;
}

static __always_inline int load_ipv6(struct ph_flow *flow, struct __sk_buff *skb, bool out,
				     __u8 *protocol)
{
	__u32 word[4];

	if (bpf_skb_load_bytes(skb, IPV6_PROTOCOL, protocol, 1) ||
	    bpf_skb_load_bytes(skb, out ? IPV6_TARGET : IPV6_SOURCE, word, sizeof(word)))
		return -1;
	ph_address_v6(&flow->remote, word);
	return 0;
}

/*
 * The peer that the packet itself names: of an unconnected UDP socket, and of a TCP listener.
 * Nonzero: it names none, for it is cut short, or its ports stand behind another header.
 */
PH_SUBPROGRAM int view_packet(struct ph_flow *flow, struct __sk_buff *skb, bool out)
{
	__u32 transport = IPV6_HEADER;
	__be16 ports[2] = {};
	__u8 first = 0, protocol = 0;
	int cut;

	if (!flow || bpf_skb_load_bytes(skb, 0, &first, 1))
		return -1;
	if (first >> 4 == 4) {
		transport = (first & 15) * 4;
		cut = load_ipv4(flow, skb, out, &protocol);
	} else {
		cut = load_ipv6(flow, skb, out, &protocol);
	}
	if (cut || protocol != (flow->udp ? PH_UDP : PH_TCP) ||
	    bpf_skb_load_bytes(skb, transport, ports, sizeof(ports)))
		return -1;
	flow->remote_port = bpf_ntohs(out ? ports[1] : ports[0]);
	return 0;
}

static __always_inline bool identify_socket(struct who *who, struct bpf_sock *sk)
{
	struct ph_sock_label *label = bpf_sk_storage_get(&ph_socks, sk, NULL, 0);

	return label && identify_label(who, label);
}

static __always_inline int on_packet(struct __sk_buff *skb, bool out)
{
	struct attempt attempt = { .door = out ? PH_DOOR_PACKET_OUT : PH_DOOR_PACKET_IN,
				   .count = PH_COUNT_PACKET };
	struct bpf_sock *sk = skb->sk;
	struct who who;

	if (!sk)
		return PACKET_PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return PACKET_PASS;
	if (!identify_socket(&who, sk))
		return PACKET_PASS;
	attempt.family = sk->family;
	attempt.type = sk->type;
	attempt.protocol = sk->protocol;
	attempt.flow.kind = ph_socket_kind(attempt.family, attempt.type, attempt.protocol);
	attempt.flow.udp = attempt.flow.kind == PH_SOCKET_UDP;
	/* Nobody but its own port's peers may wake a listener, whatever port they come from. */
	attempt.flow.question = sk->state == STATE_LISTEN ? PH_ASK_SERVE : PH_ASK_TRAFFIC;
	view_local(&attempt.flow, sk);
	view_peer(&attempt.flow, sk);
	if (attempt.flow.remote_port == 0 && view_packet(&attempt.flow, skb, out))
		return PACKET_DROP;
	return judge(&who, &attempt) ? PACKET_DROP : PACKET_PASS;
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
