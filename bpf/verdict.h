/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_VERDICT_H
#define PH_VERDICT_H

/*
 * The decision: does one grant cover one flow? Pure, and the same source in the kernel programs and
 * in user space (explain, expect, unit tests, fuzzers), so that what is explained is what is
 * enforced.
 *
 * The includer brings abi.h, <stdbool.h>-like bool, and two look-ups into the tables of one
 * generation, which `ph_tables` names:
 */
static inline const struct ph_chunk *ph_find_chunk(ph_tables tables,
						   const struct ph_chunk_key *key);
static inline const struct ph_prefix *ph_find_prefix(ph_tables tables,
						     const struct ph_prefix_key *key);

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

enum {
	PH_AF_UNIX = 1,
	PH_AF_INET = 2,
	PH_AF_INET6 = 10,
	PH_AF_NETLINK = 16,
	PH_AF_PACKET = 17,
	PH_AF_ALG = 38,
	PH_AF_VSOCK = 40,
	PH_STREAM = 1,
	PH_DGRAM = 2,
	PH_RAW = 3,
	PH_IP = 0,
	PH_ICMP = 1,
	PH_TCP = 6,
	PH_UDP = 17,
	PH_ICMPV6 = 58,
};

/* What a flow asks. */
enum ph_question {
	PH_ASK_SOCKET, /* may a socket of this kind exist? */
	PH_ASK_CONNECT, /* may it open a conversation with remote? */
	PH_ASK_BIND, /* may it take the local port? */
	PH_ASK_LISTEN, /* may it serve the local port? */
	PH_ASK_SERVE, /* may remote open a conversation with the local port? */
	PH_ASK_TRAFFIC, /* may data pass between local and remote? */
};

struct ph_flow {
	__u8 question;
	__u8 udp; /* else TCP */
	__u16 kind; /* enum ph_socket_kind, one bit */
	__u16 local_port;
	__u16 remote_port;
	struct ph_address local;
	struct ph_address remote;
};

/* The kind of a socket with these parameters of socket(2). */
static __always_inline __u16 ph_socket_kind(__u32 family, __u32 type, __u32 protocol)
{
	if (family == PH_AF_UNIX || family == PH_AF_NETLINK || family == PH_AF_ALG)
		return PH_SOCKET_LOCAL;
	if (family == PH_AF_PACKET)
		return PH_SOCKET_PACKET;
	if (family == PH_AF_VSOCK)
		return PH_SOCKET_VSOCK;
	if (family != PH_AF_INET && family != PH_AF_INET6)
		return PH_SOCKET_OTHER;
	if (type == PH_STREAM && (protocol == PH_IP || protocol == PH_TCP))
		return PH_SOCKET_TCP;
	if (type == PH_DGRAM && (protocol == PH_IP || protocol == PH_UDP))
		return PH_SOCKET_UDP;
	if (type == PH_DGRAM && (protocol == PH_ICMP || protocol == PH_ICMPV6))
		return PH_SOCKET_ICMP;
	if (type == PH_RAW)
		return PH_SOCKET_RAW;
	return PH_SOCKET_OTHER;
}

/* All ones if a == b, else 0: without a branch, of which the verifier would follow both sides. */
static __always_inline __u64 ph_mask_equal(__u64 a, __u64 b)
{
	__u64 differ = a ^ b, negative = -differ;

	asm volatile("" : "+r"(negative)); /* or clang sees the comparison, and branches */
	return ((differ | negative) >> 63) - 1;
}

static __always_inline void ph_address_v4(struct ph_address *address, __u32 word)
{
	address->word[0] = word;
	address->word[1] = 0;
	address->word[2] = 0;
	address->word[3] = 0;
	address->v6 = 0;
}

/* An IPv4-mapped IPv6 address is the IPv4 address. */
static __always_inline void ph_address_v6(struct ph_address *address, const __u32 word[4])
{
	__u32 mapped = ph_mask_equal(word[0] | word[1], 0) &
		       ph_mask_equal(word[2], __builtin_bswap32(0xffff));

	address->word[0] = (word[3] & mapped) | (word[0] & ~mapped);
	address->word[1] = word[1] & ~mapped;
	address->word[2] = word[2] & ~mapped;
	address->word[3] = word[3] & ~mapped;
	address->v6 = ~mapped & 1;
}

/* Which bit of ph_header.names stands for this name. */
static __always_inline __u32 ph_name_bit(const __u64 word[2])
{
	__u64 hash = (word[0] ^ word[1] * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;

	return hash >> 52; /* PH_NAME_WORDS * 64 bits */
}

/*
 * The hash of a cgroup's path: that of its parent's path (PH_CGROUP_ROOT for the root), over the
 * words of its own name (little endian, the last one padded with zeros), then over the length of
 * that name.
 */
#define PH_CGROUP_ROOT 0x706f7274686f6c64ull

static __always_inline __u64 ph_cgroup_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static __always_inline bool ph_ports_have(ph_tables tables, const struct ph_ports *ports,
					  __u16 port)
{
	struct ph_chunk_key key = {};
	const struct ph_chunk *chunk;
	__s64 outside = -1;

	/*
	 * Negative if it lies outside of every span. One branch for all: the verifier would follow
	 * both sides of each, with another range for the port.
	 */
	for (int i = 0; i < PH_SPANS; i++) {
		__s64 first = ports->span[i].first, last = ports->span[i].last;

		outside &= (port - first) | (last - port);
	}
	asm volatile("" : "+r"(outside));
	if (outside >= 0)
		return true;
	if (!ports->set)
		return false;
	key.set = ports->set;
	key.chunk = port / PH_CHUNK_PORTS;
	chunk = ph_find_chunk(tables, &key);
	if (!chunk)
		return false;
	return chunk->bits[port % PH_CHUNK_PORTS / 64] >> (port % 64) & 1;
}

static __always_inline const struct ph_prefix *
ph_prefix_of(ph_tables tables, __u32 scope, const struct ph_address *address)
{
	struct ph_prefix_key key = { .prefixlen = 64 + 96 * (address->v6 & 1) };

	key.scope = scope | (address->v6 & 1);
	__builtin_memcpy(key.word, address->word, sizeof(key.word));
	return ph_find_prefix(tables, &key);
}

/* Does the plane grant the port at the address? */
static __always_inline bool ph_plane_has(ph_tables tables, const struct ph_grant *grant,
					 __u32 plane, __u16 port, const struct ph_address *address)
{
	const struct ph_prefix *prefix;

	if (ph_ports_have(tables, &grant->plain[plane & 3], port))
		return true;
	if (!grant->scope[plane & 3])
		return false;
	prefix = ph_prefix_of(tables, grant->scope[plane & 3], address);
	return prefix && ph_ports_have(tables, &prefix->ports, port);
}

/* Data on a local port that a bind rule grants: its peers may be limited. */
static __always_inline bool ph_served(ph_tables tables, const struct ph_grant *grant,
				      const struct ph_flow *flow)
{
	__u32 plane = flow->udp ? PH_PLANE_BIND_UDP : PH_PLANE_BIND_TCP;
	const struct ph_prefix *prefix;

	if (ph_ports_have(tables, &grant->plain[plane], flow->local_port))
		return true;
	if (!grant->scope[plane])
		return false;
	prefix = ph_prefix_of(tables, grant->scope[plane], &flow->local);
	if (!prefix)
		return false;
	if (prefix->peers) {
		prefix = ph_prefix_of(tables, prefix->peers, &flow->remote);
		if (!prefix)
			return false;
	}
	return ph_ports_have(tables, &prefix->ports, flow->local_port);
}

/*
 * Does this grant cover this flow? Port 0 is nobody's port: binding to it is a client's choice and
 * passes, and nothing else does.
 */
static __always_inline bool ph_covers(ph_tables tables, const struct ph_grant *grant,
				      const struct ph_flow *flow)
{
	bool tcp_or_udp = flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP);
	__u32 connect = flow->udp ? PH_PLANE_CONNECT_UDP : PH_PLANE_CONNECT_TCP;
	__u32 bind = flow->udp ? PH_PLANE_BIND_UDP : PH_PLANE_BIND_TCP;

	if (flow->kind & PH_SOCKET_LOCAL)
		return true;
	if (!(grant->sockets & flow->kind))
		return false;
	if (flow->question == PH_ASK_SOCKET || !tcp_or_udp)
		return true;
	if (flow->question == PH_ASK_BIND && flow->local_port == 0)
		return true;
	if (flow->question == PH_ASK_BIND || flow->question == PH_ASK_LISTEN)
		return ph_plane_has(tables, grant, bind, flow->local_port, &flow->local);
	if (flow->question != PH_ASK_SERVE &&
	    ph_plane_has(tables, grant, connect, flow->remote_port, &flow->remote))
		return true;
	if (flow->question == PH_ASK_CONNECT)
		return false;
	return ph_served(tables, grant, flow);
}

#endif
