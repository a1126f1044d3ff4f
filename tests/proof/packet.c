// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What bpf/packet.bpf.c reads of a packet, whatever its bytes and wherever it is cut: nothing outside of
 * where it is told to read, no room that is not there, and the peer that the RFCs of IP name, or none.
 *
 * Bounds: packets of up to LENGTH bytes; IPv4 options and IPv6 headers of any kind and length within that.
 * Taken for granted: an IPv4 header has at least its 20 bytes, as the kernel sees to before.
 *
 * Prover: --unwind 18 -DLENGTH=64
 * Refuted by: bpf/packet.bpf.c s/__be16 ports\[2\] = {};/__be16 ports[1] = {};/
 * Refuted by: bpf/packet.bpf.c s/IPV6_SOURCE = 8/IPV6_SOURCE = 24/
 * Refuted by: bpf/packet.bpf.c s/(option\[1\] + 1) \* 8/(option[1] + 1) * 4/
 * Refuted by: bpf/packet.bpf.c s/protocol == IPV6_ROUTING;/0;/
 * Refuted by: bpf/packet.bpf.c s/out \& headers.routed/out/
 * Refuted by: bpf/packet.bpf.c s/(first \& 15) \* 4;/first \& 15;/
 */
#include "../../bpf/packet.bpf.c"

#include "kernel.h"

#ifndef LENGTH
#define LENGTH 64
#endif

static void *find_table(void *map, const void *key)
{
	return NULL;
}

static __u8 bytes[LENGTH];
static __u32 length;

static bool has(__u32 at, __u32 n)
{
	return at <= length && n <= length - at;
}

/* RFC 8200; 0: not found. */
static __u32 ports_of_v6(__u8 protocol, bool *routed)
{
	__u32 at = 40;
	__u8 next;

	if (!has(6, 1))
		return 0;
	next = bytes[6];
	for (__u32 n = 0; next != protocol; n++) {
		if (n > 4 || (next != 0 && next != 43 && next != 60) || !has(at, 2))
			return 0;
		if (next == 43)
			*routed = true;
		next = bytes[at];
		at += 8 + 8 * bytes[at + 1];
		if (n == 4)
			return 0;
	}
	return at;
}

/* RFC 791. */
static __u32 ports_of_v4(__u8 protocol)
{
	return has(9, 1) && bytes[9] == protocol ? bytes[0] % 16 * 4u : 0;
}

static bool is_mapped(const __u8 *at)
{
	for (__u32 i = 0; i < 10; i++)
		if (at[i])
			return false;
	return at[10] == 255 && at[11] == 255;
}

static void check_peer(const struct ph_flow *flow, const __u8 *at, bool v4)
{
	__u8 said[16];
	bool mapped = !v4 && is_mapped(at);
	__u32 skip = mapped ? 12 : 0;

	memcpy(said, flow->remote.word, 16);
	PROVE(flow->remote.v6 == (!v4 && !mapped), "the family is that of the peer");
	for (__u32 i = 0; i < 16; i++)
		PROVE(said[i] == (i < (v4 || mapped ? 4 : 16) ? at[skip + i] : 0),
		      "each byte of the peer is the packet's");
}

int main(void)
{
	struct __sk_buff skb = { .bytes = bytes };
	struct ph_flow flow = { 0 };
	bool out, udp, v4, routed = false;
	__u8 any;
	__u32 ports, address;
	int answer;

	ANY(bytes);
	ANY(length);
	ANY(any);
	out = any & 1;
	udp = any & 2;
	ASSUME(length <= LENGTH);
	skb.len = length;
	flow.udp = udp;
	v4 = length && bytes[0] / 16 == 4;
	ASSUME(!v4 || bytes[0] % 16 >= 5);
	answer = view_packet(&flow, &skb, out);

	ports = v4 ? ports_of_v4(udp ? 17 : 6) : ports_of_v6(udp ? 17 : 6, &routed);
	address = v4 ? (out ? 16 : 12) : (out ? 24 : 8);
	if (!ports || !has(ports, 4) || !has(address, v4 ? 4 : 16)) {
		PROVE(answer, "what does not name a peer is not taken for one");
		return 0;
	}
	PROVE(!answer, "a peer that is named is read");
	ports += out ? 2 : 0;
	PROVE(flow.remote_port == bytes[ports] * 256 + bytes[ports + 1],
	      "the port is that of the peer");
	check_peer(&flow, bytes + address, v4);
	PROVE(!flow.nowhere || out, "where it comes from is known");
	if (!v4)
		PROVE(flow.nowhere == (out && routed), "a routing header leads elsewhere");
	if (v4 && bytes[0] % 16 == 5)
		PROVE(!flow.nowhere, "without options it goes where it says");
}
