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
	IPV6_ROUTING = 43,
	IPV6_OPTIONS_MAX = 4, /* such headers in a packet: more is not what the kernel makes */
	IPV4_HEADER = 20,
	IPV4_OPTIONS_END = 0,
	IPV4_OPTION_NOTHING = 1,
	IPV4_LOOSE_ROUTE = 131,
	IPV4_STRICT_ROUTE = 137,
	IPV4_OPTIONS_MAX = 16, /* looked at; more could hide one */
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

/* What stands before the ports of a packet. */
struct headers {
	__u32 transport; /* where the ports stand; 0: behind something else */
	__u32 routed; /* it goes by way of another host than the one it is addressed to */
};

static __always_inline bool is_option(__u8 protocol)
{
	return protocol == IPV6_HOP_OPTIONS || protocol == IPV6_TARGET_OPTIONS ||
	       protocol == IPV6_ROUTING;
}

/* Of an IPv6 packet, whose first header names the protocol that follows. */
static __always_inline void walk_v6(struct headers *headers, struct __sk_buff *skb, __u8 protocol,
				    __u8 wanted)
{
	__u32 at = IPV6_HEADER;
	__u8 option[2]; /* the protocol that follows, and the length */

	for (__u32 i = 0; i <= IPV6_OPTIONS_MAX; i++) {
		if (protocol == wanted) {
			headers->transport = at;
			return;
		}
		if (!is_option(protocol) || bpf_skb_load_bytes(skb, at, option, sizeof(option)))
			return;
		headers->routed |= protocol == IPV6_ROUTING;
		protocol = option[0];
		at += (option[1] + 1) * 8;
	}
}

/* Of an IPv4 packet; options that cannot be read are taken for a route. */
static __always_inline void walk_v4(struct headers *headers, struct __sk_buff *skb, __u32 end)
{
	__u32 at = IPV4_HEADER;
	__u8 option[2]; /* the kind, and the length */

	for (__u32 i = 0; i < IPV4_OPTIONS_MAX && at < end; i++) {
		if (bpf_skb_load_bytes(skb, at, option, sizeof(option)))
			break;
		if (option[0] == IPV4_OPTIONS_END)
			return;
		if (option[0] == IPV4_LOOSE_ROUTE || option[0] == IPV4_STRICT_ROUTE)
			break;
		at += option[0] == IPV4_OPTION_NOTHING ? 1 : option[1];
	}
	headers->routed = at < end;
}

/* Nonzero: the packet cannot be read. */
PH_SUBPROGRAM int walk_headers(struct headers *headers, struct __sk_buff *skb, __u8 wanted)
{
	__u8 first = 0, protocol = 0;
	bool v4;

	if (bpf_skb_load_bytes(skb, 0, &first, 1))
		return -1;
	v4 = first >> 4 == 4;
	if (bpf_skb_load_bytes(skb, v4 ? IPV4_PROTOCOL : IPV6_PROTOCOL, &protocol, 1))
		return -1;
	headers->transport = 0;
	headers->routed = 0;
	if (!v4) {
		walk_v6(headers, skb, protocol, wanted);
		return 0;
	}
	if (protocol == wanted)
		headers->transport = (first & 15) * 4;
	if ((first & 15) * 4 > IPV4_HEADER)
		walk_v4(headers, skb, (first & 15) * 4);
	return 0;
}

/*
 * The peer that the packet itself names: of any datagram, as the socket may have got another meanwhile,
 * and of what is on its way to a TCP listener. Nonzero: it names none, for it is cut short, or its ports
 * stand behind another header.
 */
PH_SUBPROGRAM int view_packet(struct ph_flow *flow, struct __sk_buff *skb, bool out)
{
	__u32 at = out ? IPV6_TARGET : IPV6_SOURCE, size = 16;
	__u32 family = PH_AF_INET6, word[4] = {};
	struct headers headers = {};
	__be16 ports[2] = {};
	__u8 first = 0;

	if (!flow || walk_headers(&headers, skb, flow->udp ? PH_UDP : PH_TCP) ||
	    !headers.transport || bpf_skb_load_bytes(skb, 0, &first, 1))
		return -1;
	if (first >> 4 == 4) {
		family = PH_AF_INET;
		at = out ? IPV4_TARGET : IPV4_SOURCE;
		size = 4;
	}
	if (bpf_skb_load_bytes(skb, at, word, size) ||
	    bpf_skb_load_bytes(skb, headers.transport, ports, sizeof(ports)))
		return -1;
	ph_address(&flow->remote, family, word[0], word);
	flow->remote_port = bpf_ntohs(out ? ports[1] : ports[0]);
	flow->nowhere = out & headers.routed;
	return 0;
}

static __always_inline void count_rewritten(struct ph_sock_past *past)
{
	if (past->flags & PH_SOCK_REWRITTEN)
		return;
	past->flags |= PH_SOCK_REWRITTEN;
	count_health(PH_HEALTH_REWRITTEN);
}

/* Whether a packet of TCP leaves by way of another host. What cannot be read is wrapped (IPsec). */
static __always_inline bool is_routed(struct __sk_buff *skb)
{
	struct headers headers = {};

	return !walk_headers(&headers, skb, PH_TCP) && headers.routed;
}

/* The addresses of a packet of TCP, as far as they have to be known. */
static __always_inline void view_peers(struct ph_flow *flow, struct ph_sock_past *past,
				       struct __sk_buff *skb, struct bpf_sock *sk, bool out)
{
	__u64 elsewhere;

	view_addresses(flow, sk);
	if (flow->remote_port == 0) {
		flow->nowhere |= view_packet(flow, skb, out) != 0;
		return;
	}
	flow->nowhere = out && is_routed(skb);
	elsewhere = mask_elsewhere(past, flow);
	if (elsewhere) {
		view_asked(flow, past, elsewhere);
		count_rewritten(past);
	}
}

/*
 * A datagram goes where it says, whatever peer the socket has by now. One that cannot be read is
 * wrapped, and the socket is asked after all; without a peer it goes nowhere that is known.
 */
static __always_inline void view_datagram(struct ph_flow *flow, struct __sk_buff *skb,
					  struct bpf_sock *sk, bool out)
{
	view_addresses(flow, sk);
	if (view_packet(flow, skb, out) && !flow->remote_port)
		flow->nowhere = 1;
}

/* Without LSM hooks nobody else judges a send to the peer that a datagram socket has. */
static __always_inline bool is_first_line(const struct ph_flow *flow, bool out)
{
	return SETTING(ph_backend) == PH_BACKEND_CGROUP && out && flow->udp && flow->remote_port;
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
	if (is_first_line(&attempt.flow, out))
		attempt.count = PH_COUNT_ATTEMPT;
	if (attempt.flow.udp)
		view_datagram(&attempt.flow, skb, sk, out);
	if (is_plainly_allowed(&seen, &attempt.flow))
		return PACKET_PASS;
	if (!attempt.flow.udp)
		view_peers(&attempt.flow, &label->past, skb, sk, out);
	if (attempt.flow.nowhere && attempt.flow.remote_port)
		attempt.door = PH_DOOR_ROUTE;
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
