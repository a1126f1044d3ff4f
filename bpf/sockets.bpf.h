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
	SCTP_BINDX = 100, /* SCTP_SOCKOPT_BINDX_ADD */
	SCTP_FROM_PEER = 0xc000, /* parameters of ASCONF chunks */
	OPTION_ZEROCOPY_RECEIVE = 35, /* TCP_ZEROCOPY_RECEIVE */
	STATE_CLOSE = 7, /* TCP_CLOSE */
	STATE_LISTEN = 10, /* TCP_LISTEN */
	MODE_MASK = 0170000, /* S_IFMT */
	MODE_SOCKET = 0140000, /* S_IFSOCK */
	V4_LENGTH = 16, /* sizeof(struct sockaddr_in) */
	V6_LENGTH = 24, /* SIN6_LEN_RFC2133: what the kernel asks for */
};

enum address_answer {
	ADDRESS_TAKEN,
	ADDRESS_SHORT, /* the kernel says EINVAL */
	ADDRESS_NONE, /* AF_UNSPEC, and nothing behind it */
	ADDRESS_UNSPEC, /* AF_UNSPEC, and as much as of AF_INET: where that counts it was taken */
};

struct socket_address {
	__u16 family;
	__be16 port;
	__u32 v4; /* IPv6: the flow label */
	__u32 v6[4];
};

/*
 * A socket is a typed pointer in the hooks of sockets. That of a file is one only where the kernel
 * has bpf_sock_from_file(); elsewhere it is a number, and read by probing.
 */
enum sock_pointer {
	SOCK_TYPED,
	SOCK_OF_FILE,
};

#define READ_SOCK(sk, pointer, field)                                              \
	((pointer) == SOCK_TYPED || SETTING(ph_has_sock_from_file) ? (sk)->field : \
								     BPF_CORE_READ(sk, field))

static __always_inline bool is_local_family(struct sock *sk, enum sock_pointer pointer)
{
	__u16 family = READ_SOCK(sk, pointer, __sk_common.skc_family);

	/* The most frequent first. */
	if (family == PH_AF_INET || family == PH_AF_INET6)
		return false;
	return family == PH_AF_UNIX || family == PH_AF_NETLINK || family == PH_AF_ALG;
}

#define READ_V6(into, sk, pointer, field)                                     \
	do {                                                                  \
		(into)[0] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[0]); \
		(into)[1] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[1]); \
		(into)[2] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[2]); \
		(into)[3] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[3]); \
	} while (0)

/* The door, and family, type, protocol and the ports that the socket has now. */
static __always_inline void view_socket(struct attempt *attempt, __u8 door, struct sock *sk,
					enum sock_pointer pointer)
{
	struct ph_flow *flow = &attempt->flow;
	__u16 family = READ_SOCK(sk, pointer, __sk_common.skc_family);

	barrier_var(family); /* read once: IPV6_ADDRFORM may change it under us */
	begin_attempt(attempt, door, family, READ_SOCK(sk, pointer, sk_type),
		      READ_SOCK(sk, pointer, sk_protocol));
	if (!(flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return;
	flow->local_port = READ_SOCK(sk, pointer, __sk_common.skc_num);
	flow->remote_port = bpf_ntohs(READ_SOCK(sk, pointer, __sk_common.skc_dport));
}

/* Addresses are looked at only where the ports do not tell enough. */
static __always_inline void view_local(struct attempt *attempt, struct sock *sk,
				       enum sock_pointer pointer)
{
	__u32 word[4];

	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return;
	READ_V6(word, sk, pointer, __sk_common.skc_v6_rcv_saddr);
	ph_address(&attempt->flow.local, attempt->family,
		   READ_SOCK(sk, pointer, __sk_common.skc_rcv_saddr), word);
}

static __always_inline void view_peer(struct attempt *attempt, struct sock *sk,
				      enum sock_pointer pointer)
{
	__u32 word[4];

	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return;
	READ_V6(word, sk, pointer, __sk_common.skc_v6_daddr);
	ph_address(&attempt->flow.remote, attempt->family,
		   READ_SOCK(sk, pointer, __sk_common.skc_daddr), word);
}

static __always_inline void view_addresses(struct attempt *attempt, struct sock *sk,
					   enum sock_pointer pointer)
{
	begin_addresses(attempt);
	view_local(attempt, sk, pointer);
	view_peer(attempt, sk, pointer);
}

static __always_inline int answer_for(__u16 family, __s32 length)
{
	if (family == 0)
		return length < V4_LENGTH ? ADDRESS_NONE : ADDRESS_UNSPEC;
	return length < (family == PH_AF_INET6 ? V6_LENGTH : V4_LENGTH) ? ADDRESS_SHORT :
									  ADDRESS_TAKEN;
}

/* Never reads past `length`: what lies there is stale. */
static __always_inline int read_address(struct socket_address *into, const void *address,
					__s32 length)
{
	__u32 size = length;

	__builtin_memset(into, 0, sizeof(*into));
	if (length < (__s32)sizeof(into->family))
		return ADDRESS_SHORT;
	barrier_var(size); /* or clang finds a bound that the verifier does not */
	if (size > sizeof(*into))
		size = sizeof(*into);
	bpf_probe_read_kernel(into, size, address);
	return answer_for(into->family, length);
}

/* The port of an address to which the hook has a typed pointer, likewise. */
static __always_inline int view_port(const struct attempt *attempt, __u16 *port,
				     const struct socket_address *address, __s32 length)
{
	int answer;

	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return ADDRESS_TAKEN;
	if (length >= V4_LENGTH && address->family == PH_AF_INET) {
		*port = bpf_ntohs(address->port);
		return ADDRESS_TAKEN;
	}
	if (length < (__s32)sizeof(address->family))
		return ADDRESS_SHORT;
	answer = answer_for(address->family, length);
	if (answer == ADDRESS_TAKEN || answer == ADDRESS_UNSPEC)
		*port = bpf_ntohs(address->port);
	return answer;
}

static __always_inline void take_address(struct ph_address *address,
					 const struct socket_address *from)
{
	ph_address(address, from->family, from->v4, from->v6);
}

/* Of that of which the port has been seen. AF_UNSPEC is AF_INET here, as the kernel has it. */
static __always_inline void view_bind_address(struct attempt *attempt,
					      const struct socket_address *address, __s32 length)
{
	struct socket_address name;

	read_address(&name, address, length);
	if (attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP))
		take_address(&attempt->flow.local, &name);
}

static __always_inline int view_remote_address(struct attempt *attempt, const void *address,
					       int length)
{
	struct socket_address name;
	int answer = read_address(&name, address, length);

	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return ADDRESS_TAKEN;
	if (answer == ADDRESS_SHORT || answer == ADDRESS_NONE)
		return answer;
	attempt->flow.remote_port = bpf_ntohs(name.port);
	take_address(&attempt->flow.remote, &name);
	return answer;
}

/*
 * What use of a socket asks that is no call of its own: a live connection must be one that a rule
 * grants, a listener must serve a granted port, and of what has no peer yet only the kind counts.
 * Deferred connects send from SYN_SENT, so only CLOSE is without a peer.
 */
static __always_inline void ask_about_use(struct attempt *attempt, struct sock *sk,
					  enum sock_pointer pointer)
{
	__u8 state = READ_SOCK(sk, pointer, __sk_common.skc_state);

	attempt->flow.question = PH_ASK_TRAFFIC;
	if (attempt->flow.udp ? attempt->flow.remote_port == 0 : state == STATE_CLOSE)
		attempt->flow.question = PH_ASK_SOCKET;
	else if (!attempt->flow.udp && state == STATE_LISTEN)
		attempt->flow.question = PH_ASK_LISTEN;
}

/* The sock behind a file (SOCK_OF_FILE), or NULL: it is no socket. */
static __always_inline struct sock *socket_of_file(struct file *file)
{
	struct socket *sock;

	if ((file->f_inode->i_mode & MODE_MASK) != MODE_SOCKET)
		return NULL;
	if (!SETTING(ph_has_sock_from_file))
		return BPF_CORE_READ((struct socket *)file->private_data, sk);
	sock = bpf_sock_from_file(file);
	return sock ? sock->sk : NULL;
}

/*
 * What a message asks. On TCP a name counts with MSG_FASTOPEN alone, which connects; otherwise the
 * live peer does. On UDP a name is where it goes. ADDRESS_NONE: what counts is the peer.
 */
static __always_inline int view_message(struct attempt *attempt, struct sock *sk,
					struct msghdr *msg)
{
	bool udp = attempt->flow.udp;
	int answer;

	ask_about_use(attempt, sk, SOCK_TYPED);
	if (udp)
		attempt->flow.question = PH_ASK_TRAFFIC;
	if (!msg->msg_name || !(udp || msg->msg_flags & MSG_NAME_FASTOPEN))
		return ADDRESS_NONE;
	begin_addresses(attempt);
	answer = view_remote_address(attempt, msg->msg_name, msg->msg_namelen);
	if (answer == ADDRESS_SHORT)
		return answer;
	/*
	 * A datagram to family 0: IPv4 takes it as AF_INET, IPv6 sends to its peer, and
	 * IPV6_ADDRFORM may turn the one into the other meanwhile.
	 */
	if (answer != ADDRESS_TAKEN && udp && attempt->family == PH_AF_INET6)
		attempt->flow.remote_port = 0;
	if (answer == ADDRESS_TAKEN && !udp) {
		attempt->door = PH_DOOR_FASTOPEN;
		attempt->flow.question = PH_ASK_CONNECT;
	}
	return answer;
}

#endif
