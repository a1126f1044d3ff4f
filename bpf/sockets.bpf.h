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
	ADDRESS_NONE, /* AF_UNSPEC */
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

#define READ_SOCK(sk, pointer, field) \
	((pointer) == SOCK_TYPED || ph_has_sock_from_file ? (sk)->field : BPF_CORE_READ(sk, field))

static __always_inline bool is_local_family(struct sock *sk, enum sock_pointer pointer)
{
	__u16 family = READ_SOCK(sk, pointer, __sk_common.skc_family);

	return family == PH_AF_UNIX || family == PH_AF_NETLINK || family == PH_AF_ALG;
}

#define READ_V6(into, sk, pointer, field)                                     \
	do {                                                                  \
		(into)[0] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[0]); \
		(into)[1] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[1]); \
		(into)[2] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[2]); \
		(into)[3] = READ_SOCK(sk, pointer, field.in6_u.u6_addr32[3]); \
	} while (0)

/* Family, type, protocol, and the ports and addresses that the socket has now. */
static __always_inline void view_socket(struct attempt *attempt, struct sock *sk,
					enum sock_pointer pointer)
{
	struct ph_flow *flow = &attempt->flow;
	__u32 word[4];

	/* Read once: IPV6_ADDRFORM may change it under us. */
	attempt->family = READ_SOCK(sk, pointer, __sk_common.skc_family);
	barrier_var(attempt->family);
	attempt->type = READ_SOCK(sk, pointer, sk_type);
	attempt->protocol = READ_SOCK(sk, pointer, sk_protocol);
	flow->kind = ph_socket_kind(attempt->family, attempt->type, attempt->protocol);
	flow->udp = flow->kind == PH_SOCKET_UDP;
	if (!(flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return;
	flow->local_port = READ_SOCK(sk, pointer, __sk_common.skc_num);
	flow->remote_port = bpf_ntohs(READ_SOCK(sk, pointer, __sk_common.skc_dport));
	READ_V6(word, sk, pointer, __sk_common.skc_v6_rcv_saddr);
	ph_address(&flow->local, attempt->family, READ_SOCK(sk, pointer, __sk_common.skc_rcv_saddr),
		   word);
	READ_V6(word, sk, pointer, __sk_common.skc_v6_daddr);
	ph_address(&flow->remote, attempt->family, READ_SOCK(sk, pointer, __sk_common.skc_daddr),
		   word);
}

/* Never reads past `length`: what lies there is stale. */
static __always_inline int read_address(struct socket_address *into, const void *address,
					__s32 length)
{
	__u32 size = length;

	__builtin_memset(into, 0, sizeof(*into));
	if (length < (__s32)sizeof(into->family))
		return ADDRESS_SHORT;
	if (size > sizeof(*into))
		size = sizeof(*into);
	bpf_probe_read_kernel(into, size, address);
	if (into->family == 0)
		return size < V4_LENGTH ? ADDRESS_NONE : ADDRESS_TAKEN;
	return size < (into->family == PH_AF_INET6 ? V6_LENGTH : V4_LENGTH) ? ADDRESS_SHORT :
									      ADDRESS_TAKEN;
}

static __always_inline void take_address(struct ph_address *address,
					 const struct socket_address *from)
{
	ph_address(address, from->family, from->v4, from->v6);
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
	attempt->flow.remote_port = bpf_ntohs(name.port);
	take_address(&attempt->flow.remote, &name);
	return name.family ? ADDRESS_TAKEN : ADDRESS_NONE;
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
	if (!ph_has_sock_from_file)
		return BPF_CORE_READ((struct socket *)file->private_data, sk);
	sock = bpf_sock_from_file(file);
	return sock ? sock->sk : NULL;
}

/*
 * What a message asks. On TCP a name counts with MSG_FASTOPEN alone, which connects; otherwise the
 * live peer does. On UDP a name is where it goes.
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
		return ADDRESS_TAKEN;
	answer = view_remote_address(attempt, msg->msg_name, msg->msg_namelen);
	if (answer == ADDRESS_SHORT)
		return answer;
	/*
	 * A datagram to family 0: IPv4 takes it as AF_INET, IPv6 sends to its peer, and
	 * IPV6_ADDRFORM may turn the one into the other meanwhile.
	 */
	if (answer == ADDRESS_NONE && udp && attempt->family == PH_AF_INET6)
		attempt->flow.remote_port = 0;
	if (answer == ADDRESS_TAKEN && !udp) {
		attempt->door = PH_DOOR_FASTOPEN;
		attempt->flow.question = PH_ASK_CONNECT;
	}
	return ADDRESS_TAKEN;
}

#endif
