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
static inline const struct ph_chunk *ph_find_chunk(ph_tables tables, __u32 place);
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
	PH_ASK_LISTEN, /* may it serve the local port? Port 0: whichever the kernel will choose */
	PH_ASK_SERVE, /* may remote open a conversation with the local port? */
	PH_ASK_TRAFFIC, /* may data pass between local and remote? */
};

struct ph_flow {
	__u32 kind; /* enum ph_socket_kind, one bit */
	__u8 question;
	__u8 udp; /* else TCP */
	__u16 local_port;
	__u16 remote_port;
	__u16 nowhere; /* 1: where it goes is not known, and no rule with addresses covers it */
	struct ph_address local;
	struct ph_address remote;
};

/* The kind of a socket with these parameters of socket(2). */
static __always_inline __u32 ph_socket_kind(__u32 family, __u32 type, __u32 protocol)
{
	if (family != PH_AF_INET && family != PH_AF_INET6) {
		if (family == PH_AF_UNIX || family == PH_AF_NETLINK || family == PH_AF_ALG)
			return PH_SOCKET_LOCAL;
		if (family == PH_AF_PACKET)
			return PH_SOCKET_PACKET;
		return family == PH_AF_VSOCK ? PH_SOCKET_VSOCK : PH_SOCKET_OTHER;
	}
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

/*
 * The address in `v6` if `family` is AF_INET6, else that in `v4`; an IPv4-mapped IPv6 address is the
 * IPv4 address. Without a branch, as it stands before every verdict.
 */
static __always_inline void ph_address(struct ph_address *address, __u32 family, __u32 v4,
				       const __u32 v6[4])
{
	__u32 is_v6 = ph_mask_equal(family, PH_AF_INET6);
	__u32 is_mapped = ph_mask_equal(v6[0] | v6[1], 0) &
			  ph_mask_equal(v6[2], __builtin_bswap32(0xffff));
	__u32 keep = is_v6 & ~is_mapped;

	address->word[0] = (v6[0] & keep) | (v6[3] & is_v6 & is_mapped) | (v4 & ~is_v6);
	address->word[1] = v6[1] & keep;
	address->word[2] = v6[2] & keep;
	address->word[3] = v6[3] & keep;
	address->v6 = keep & 1;
}

/* The layer of the policy at this place of a set: enum ph_layer. */
static __always_inline __u64 ph_layer_at(const struct ph_ids *ids, __u32 i)
{
	return ids->layers >> (PH_LAYER_BITS * i) & ((1 << PH_LAYER_BITS) - 1);
}

/* Whether it is the address of nobody: 0.0.0.0 or ::. */
static __always_inline bool ph_is_any(const struct ph_address *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

/*
 * Whom the kernel reaches for the address of nobody: for 0.0.0.0 the sender itself by the address that
 * its socket has, or else 127.0.0.1; for :: it is ::1, or 127.0.0.1 if the socket has an IPv4 address.
 */
static __always_inline void ph_settle(struct ph_address *remote, const struct ph_address *source)
{
	if (!ph_is_any(remote))
		return;
	if (remote->v6 & source->v6) {
		remote->word[3] = __builtin_bswap32(1);
		return;
	}
	if (!remote->v6 && !source->v6)
		remote->word[0] = source->word[0];
	if (!remote->word[0])
		remote->word[0] = __builtin_bswap32(0x7f000001);
	remote->v6 = 0;
}

static __always_inline __u64 ph_trait_hash(const struct ph_trait *trait)
{
	__u64 hash = trait->word[0] ^ trait->word[1] * 0x9e3779b97f4a7c15ull;

	return hash * 0xff51afd7ed558ccdull;
}

/* Which word of ph_filter.trait stands for a trait of this hash, and which of its bits are all set. */
static __always_inline __u32 ph_filter_word(__u64 hash)
{
	return hash >> 38 & 0x3fff; /* PH_FILTER_WORDS - 1 */
}

static __always_inline __u64 ph_filter_bits(__u64 hash)
{
	return 1ull << (hash >> 58) | 1ull << (hash >> 52 & 63);
}

static __always_inline struct ph_trait ph_trait(__u64 kind, __u64 value)
{
	return (struct ph_trait){ .word = { value, kind << 56 } };
}

/*
 * Hashes of paths. That of a component goes over its name in chunks of PH_NAME_CHUNK bytes, little
 * endian words padded with zeros, until a chunk is not full, and ends with its length; it does not
 * depend on where the component stands. That of a cgroup's path goes over its components from the
 * first, that of a program's from the last.
 *
 * Where the name of a unit could be taken for one of the files of a cgroup, or begins with an
 * underscore, systemd puts an underscore before it: the hash of a unit is that of the name without.
 */
#define PH_HASH_START 0x706f7274686f6c64ull
#define PH_NAME_CHUNK 56

static __always_inline __u64 ph_hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

/* Of a program, the hash for those alone that have this name as well. */
static __always_inline __u64 ph_with_name(__u64 program, const struct ph_trait *name)
{
	return ph_hash_word(ph_hash_word(program, name->word[0]), name->word[1]);
}

/* The one place of the port table at which this chunk of the set can lie. */
static __always_inline __u32 ph_chunk_at(const struct ph_ports *ports, __u32 chunk)
{
	return ports->set - 1 + ((chunk * ports->mix >> 6) & ports->mask);
}

static __always_inline bool ph_set_has(ph_tables tables, const struct ph_ports *ports, __u16 port)
{
	__u32 chunk = port / PH_CHUNK_PORTS;
	const struct ph_chunk *found = ph_find_chunk(tables, ph_chunk_at(ports, chunk));

	return found && found->chunk == chunk && found->bits >> (port % PH_CHUNK_PORTS) & 1;
}

/* Negative if no span holds all ports from `low` to `high`. */
static __always_inline __s64 ph_outside(const struct ph_ports *ports, __u16 low, __u16 high)
{
	__s64 outside = -1;

	/*
	 * One branch for all: the verifier would follow both sides of each, with another range for
	 * the port.
	 */
	for (int i = 0; i < PH_SPANS; i++) {
		__s64 first = ports->span[i].first, last = ports->span[i].last;

		outside &= (low - first) | (last - high);
	}
	asm volatile("" : "+r"(outside));
	return outside;
}

static __always_inline bool ph_ports_have(ph_tables tables, const struct ph_ports *ports,
					  __u16 port)
{
	if (ph_outside(ports, port, port) >= 0)
		return true;
	return ports->set && ph_set_has(tables, ports, port);
}

/* Port 0 of a listener stands for all of them: one that the kernel chooses may be any. */
static __always_inline bool ph_ports_serve(ph_tables tables, const struct ph_ports *ports,
					   __u16 port)
{
	if (!port)
		return ph_outside(ports, 1, 65535) >= 0;
	return ph_ports_have(tables, ports, port);
}

static __always_inline const struct ph_prefix *ph_prefix_of(ph_tables tables, __u32 scope,
							    const struct ph_address *address)
{
	struct ph_prefix_key key = { .prefixlen = 64 + 96 * (address->v6 & 1) };

	key.scope = scope | (address->v6 & 1);
	__builtin_memcpy(key.word, address->word, sizeof(key.word));
	return ph_find_prefix(tables, &key);
}

/*
 * Does the plane grant the port at the address by a rule with addresses? Where `peer` is given, it
 * must be one that may have the port.
 */
static __always_inline bool ph_reaches(ph_tables tables, const struct ph_grant *grant, __u32 plane,
				       __u16 port, const struct ph_address *address,
				       const struct ph_address *peer)
{
	const struct ph_prefix *prefix;

	if (!grant->scope[plane & 3])
		return false;
	prefix = ph_prefix_of(tables, grant->scope[plane & 3], address);
	if (prefix && prefix->peers && peer)
		prefix = ph_prefix_of(tables, prefix->peers, peer);
	return prefix && ph_ports_serve(tables, &prefix->ports, port);
}

static __always_inline bool ph_asks_connect(__u32 question)
{
	return question == PH_ASK_CONNECT || question == PH_ASK_TRAFFIC;
}

/* Whether the local port may be what counts. None yet is no port, but for a listener. */
static __always_inline bool ph_asks_local(const struct ph_flow *flow)
{
	return flow->question != PH_ASK_CONNECT &&
	       (flow->local_port || flow->question == PH_ASK_LISTEN);
}

/* What is remembered of a grant: a port and a plane of it, or the kind of a socket. Never 0. */
static __always_inline __u32 ph_memo_of(__u16 port, __u32 bit)
{
	return (__u32)port << 16 | bit;
}

/*
 * Whether the ports have nothing to do with it. Port 0 is nobody's port: binding to it is a client's
 * choice and passes, and nothing else does.
 */
static __always_inline bool ph_asks_kind(const struct ph_flow *flow)
{
	return flow->question == PH_ASK_SOCKET || !(flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)) ||
	       (flow->question == PH_ASK_BIND && flow->local_port == 0);
}

/*
 * Does this grant cover this flow, wherever it goes? The addresses are not looked at. What may be
 * remembered of it, or 0: it does not.
 */
static __always_inline __u32 ph_covers_anywhere(ph_tables tables, const struct ph_grant *grant,
						const struct ph_flow *flow)
{
	__u32 connect = PH_PLANE_CONNECT_TCP + (flow->udp & 1);
	__u32 bind = PH_PLANE_BIND_TCP + (flow->udp & 1);

	if (!(grant->sockets & flow->kind))
		return 0;
	if (ph_asks_kind(flow))
		return ph_memo_of(0, flow->kind);
	if (ph_asks_connect(flow->question) &&
	    ph_ports_have(tables, &grant->plain[connect], flow->remote_port))
		return ph_memo_of(flow->remote_port, 1 << connect);
	if (!ph_asks_local(flow) || !ph_ports_serve(tables, &grant->plain[bind], flow->local_port))
		return 0;
	return flow->local_port ? ph_memo_of(flow->local_port, 1 << bind) :
				  ph_memo_of(0, flow->kind);
}

/* Does it by a rule with addresses? */
static __always_inline bool ph_covers_there(ph_tables tables, const struct ph_grant *grant,
					    const struct ph_flow *flow)
{
	__u32 udp = flow->udp & 1, question = flow->question;
	bool has_peer = question == PH_ASK_SERVE || question == PH_ASK_TRAFFIC;

	if (flow->nowhere || !(grant->sockets & flow->kind))
		return false;
	if (ph_asks_connect(question) && flow->remote_port &&
	    ph_reaches(tables, grant, PH_PLANE_CONNECT_TCP + udp, flow->remote_port, &flow->remote,
		       NULL))
		return true;
	return ph_asks_local(flow) &&
	       ph_reaches(tables, grant, PH_PLANE_BIND_TCP + udp, flow->local_port, &flow->local,
			  has_peer ? &flow->remote : NULL);
}

/* Does this grant cover this flow? Its rules add up, so more than the ports need not be looked at. */
static __always_inline bool ph_covers(ph_tables tables, const struct ph_grant *grant,
				      const struct ph_flow *flow)
{
	return ph_covers_anywhere(tables, grant, flow) || ph_covers_there(tables, grant, flow);
}

#endif
