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
	NAMED_ADDRESS = 4, /* SOCK_BINDADDR_LOCK: bound by name, and so until it closes */
	NAMED_PORT = 8, /* SOCK_BINDPORT_LOCK */
	HAS_PORTS = PH_SOCKET_TCP | PH_SOCKET_UDP | PH_SOCKET_UDP_ANSWERS,
	FILE_READ = 4, /* MAY_READ */
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
	ADDRESS_FOREIGN, /* of another family than the socket: the kernel says EAFNOSUPPORT */
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

	if (!(attempt->flow.kind & HAS_PORTS))
		return;
	READ_V6(word, sk, pointer, __sk_common.skc_v6_rcv_saddr);
	ph_address(&attempt->flow.local, attempt->family,
		   READ_SOCK(sk, pointer, __sk_common.skc_rcv_saddr), word);
}

static __always_inline void view_peer(struct attempt *attempt, struct sock *sk,
				      enum sock_pointer pointer)
{
	__u32 word[4];

	if (!(attempt->flow.kind & HAS_PORTS))
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

/* What the kernel says of a name that a socket of this family cannot be bound to. */
static __always_inline int answer_to_bind(const struct attempt *attempt,
					  const struct socket_address *name, __s32 length)
{
	if (attempt->family == PH_AF_INET6) {
		if (name->family == PH_AF_INET6)
			return ADDRESS_TAKEN;
		return length < V6_LENGTH ? ADDRESS_SHORT : ADDRESS_FOREIGN;
	}
	if (name->family == PH_AF_INET || (name->family == 0 && !name->v4))
		return ADDRESS_TAKEN;
	return ADDRESS_FOREIGN;
}

/*
 * The address of which the port has been seen. An IPv4 socket takes AF_UNSPEC and the address of nobody
 * for AF_INET.
 */
static __always_inline int view_bind_address(struct attempt *attempt,
					     const struct socket_address *address, __s32 length)
{
	struct socket_address name;

	if (!(attempt->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return ADDRESS_TAKEN;
	read_address(&name, address, length);
	take_address(&attempt->flow.local, &name);
	return answer_to_bind(attempt, &name, length);
}

PH_SUBPROGRAM int view_remote_address(struct attempt *attempt, const void *address, int length)
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

#define READ_SOCK_BITS(sk, pointer, field)                           \
	((pointer) == SOCK_TYPED || SETTING(ph_has_sock_from_file) ? \
		 BPF_CORE_READ_BITFIELD(sk, field) :                 \
		 BPF_CORE_READ_BITFIELD_PROBED(sk, field))

/* What of its own name the socket was bound to by name: NAMED_ADDRESS, NAMED_PORT. */
static __always_inline __u32 named_parts(struct sock *sk, enum sock_pointer pointer)
{
	return READ_SOCK_BITS(sk, pointer, sk_userlocks);
}

/*
 * A datagram socket without a peer receives from anybody. If it was bound by name it serves that port.
 * If the kernel chose the port it is a client that waits for answers: what strangers send it, the
 * second line drops.
 */
static __always_inline void ask_about_waiting(struct attempt *attempt, struct sock *sk,
					      enum sock_pointer pointer)
{
	if (named_parts(sk, pointer) & NAMED_PORT) {
		attempt->flow.question = PH_ASK_LISTEN;
		return;
	}
	attempt->flow.question = PH_ASK_SOCKET;
	attempt->flow.kind = PH_SOCKET_UDP_ANSWERS;
}

/*
 * What use of a socket asks that is no call of its own: a live connection must be one that a rule
 * grants, and so must one that has ended, for what it received may still be read; a listener must
 * serve a granted port, and of what never had a peer only the kind counts.
 */
static __always_inline void ask_about_use(struct attempt *attempt, struct sock *sk,
					  enum sock_pointer pointer)
{
	attempt->flow.question = PH_ASK_TRAFFIC;
	if (attempt->flow.remote_port)
		return;
	if (attempt->flow.udp)
		ask_about_waiting(attempt, sk, pointer);
	else if (READ_SOCK(sk, pointer, __sk_common.skc_state) == STATE_LISTEN)
		attempt->flow.question = PH_ASK_LISTEN;
	else
		attempt->flow.question = PH_ASK_SOCKET;
}

/* --- The kernel's own use of a socket, in whoever's context */

/* Before 6.0 the type is one of several bits. */
struct iov_iter___bits {
	unsigned int type;
} __attribute__((preserve_access_index));

struct iov_iter___number {
	__u8 iter_type;
} __attribute__((preserve_access_index));

enum iter_type___ph {
	ITER_IOVEC___ph,
	ITER_KVEC___ph,
	ITER_UBUF___ph,
};

enum {
	ALLOCATION_ANY =
		0xc0, /* __GFP_IO | __GFP_FS: as all sockets have it that a process makes */
	TASK_RECLAIMS = 0x800, /* PF_MEMALLOC */
};

enum data_in {
	DATA_OF_USER,
	DATA_IN_PAGES, /* which may be a user's as well: splice, registered buffers */
	DATA_IN_KERNEL,
};

static __always_inline enum data_in where_data_is(struct msghdr *msg)
{
	struct iov_iter___number *number = (void *)&msg->msg_iter;
	struct iov_iter___bits *bits = (void *)&msg->msg_iter;
	__u32 kernel = bpf_core_enum_value(enum iter_type___ph, ITER_KVEC___ph);
	__u32 user = bpf_core_enum_value(enum iter_type___ph, ITER_IOVEC___ph);
	__u32 type;

	if (!bpf_core_field_exists(number->iter_type)) {
		type = bits->type;
		if (type & user)
			return DATA_OF_USER;
		return type & kernel ? DATA_IN_KERNEL : DATA_IN_PAGES;
	}
	type = number->iter_type;
	if (type == user || (bpf_core_enum_value_exists(enum iter_type___ph, ITER_UBUF___ph) &&
			     type == bpf_core_enum_value(enum iter_type___ph, ITER_UBUF___ph)))
		return DATA_OF_USER;
	return type == kernel ? DATA_IN_KERNEL : DATA_IN_PAGES;
}

/*
 * A network block device or file system sends and receives in the context of whoever reads or writes a
 * file. The data tells: the kernel alone sends from memory of its own. Pages may be a user's; then it
 * takes a socket that the kernel made, or a task in whose name the kernel reclaims memory, as nbd,
 * nvme-tcp and iscsi do while they use the socket that user space gave them, and in both cases one
 * whose allocations may start no input or output, which no option of user space brings about on a
 * socket of these kinds: TCP_ULP "espintcp" alone does, and sends its user's pages without the rest.
 */
PH_SUBPROGRAM bool is_kernels_own(struct sock *sk, struct msghdr *msg)
{
	bool restrained = (sk->sk_allocation & ALLOCATION_ANY) != ALLOCATION_ANY;
	enum data_in where = where_data_is(msg);
	bool made_by_kernel;

	if (where == DATA_OF_USER)
		return false;
	made_by_kernel = BPF_CORE_READ_BITFIELD(sk, sk_kern_sock);
	if (where == DATA_IN_KERNEL)
		return restrained || made_by_kernel;
	return restrained && (made_by_kernel || TASK_READ(current_task(), flags) & TASK_RECLAIMS);
}

/* --- Routes: a packet may go by way of another host than the one it is addressed to */

/* Until 6.11 the labels of flows were in ipv6_pinfo. They may bring a routing header as well. */
struct ipv6_pinfo___labels {
	struct ipv6_fl_socklist *ipv6_fl_list;
} __attribute__((preserve_access_index));

struct inet_sock___labels {
	struct ipv6_fl_socklist *ipv6_fl_list;
} __attribute__((preserve_access_index));

/* Whether the socket itself has one set. */
PH_SUBPROGRAM bool has_route(struct sock *sk, __u16 family)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	struct ipv6_pinfo *v6;

	if (BPF_CORE_READ(inet, inet_opt, opt.srr))
		return true;
	if (family != PH_AF_INET6)
		return false;
	v6 = BPF_CORE_READ(inet, pinet6);
	if (BPF_CORE_READ(v6, opt, srcrt))
		return true;
	if (bpf_core_field_exists(((struct inet_sock___labels *)inet)->ipv6_fl_list))
		return BPF_CORE_READ((struct inet_sock___labels *)inet, ipv6_fl_list);
	return BPF_CORE_READ((struct ipv6_pinfo___labels *)v6, ipv6_fl_list);
}

/* No rule with addresses covers what goes there by way of somebody else. */
static __always_inline void take_route(struct attempt *attempt)
{
	attempt->flow.nowhere = 1;
	attempt->door = PH_DOOR_ROUTE;
}

static __always_inline void view_route(struct attempt *attempt, struct sock *sk)
{
	if (attempt->flow.kind & HAS_PORTS && has_route(sk, attempt->family))
		take_route(attempt);
}

enum {
	LEVEL_IP = 0, /* of options, and of data beside a message */
	LEVEL_IPV6 = 41,
	IP_OPTIONS_ = 4,
	IP_RETOPTS_ = 7,
	IP_ADD_MEMBERSHIP_ = 35,
	IP_UNBLOCK_SOURCE_ = 37,
	IP_BLOCK_SOURCE_ = 38,
	IP_ADD_SOURCE_MEMBERSHIP_ = 39,
	IP_MSFILTER_ = 41,
	MCAST_JOIN_GROUP_ = 42, /* from here on, of both levels */
	MCAST_BLOCK_SOURCE_ = 43,
	MCAST_UNBLOCK_SOURCE_ = 44,
	MCAST_JOIN_SOURCE_GROUP_ = 46,
	MCAST_MSFILTER_ = 48,
	IPV6_JOIN_GROUP_ = 20,
	IPV6_JOIN_ANYCAST_ = 27,
	IPV6_2292RTHDR_ = 5,
	IPV6_2292PKTOPTIONS_ = 6,
	IPV6_FLOWLABEL_MGR_ = 32,
	IPV6_RTHDR_ = 57,
	CONTROLS_MAX = 8, /* looked at; more could hide one */
};

struct control {
	__u64 length;
	__s32 level;
	__s32 type;
};

static __always_inline bool is_route(const struct control *control)
{
	if (control->level == LEVEL_IP)
		return control->type == IP_RETOPTS_;
	return control->level == LEVEL_IPV6 &&
	       (control->type == IPV6_RTHDR_ || control->type == IPV6_2292RTHDR_);
}

/* Whether the data beside a message, which the kernel has copied, brings a route. */
PH_SUBPROGRAM int brings_route(__u64 at, __u64 left)
{
	struct control control;
	__u64 step;

	for (__u32 i = 0; i < CONTROLS_MAX && left >= sizeof(control); i++) {
		if (bpf_probe_read_kernel(&control, sizeof(control), (void *)at) ||
		    is_route(&control))
			return true;
		step = (control.length + 7) & ~7ull;
		if (control.length < sizeof(control) || step > left)
			return false; /* the kernel refuses it */
		at += step;
		left -= step;
	}
	return left >= sizeof(control);
}

static __always_inline void view_controls(struct attempt *attempt, struct msghdr *msg)
{
	__u64 size = msg->msg_controllen;

	if (size && brings_route((__u64)msg->msg_control, size))
		take_route(attempt);
}

/*
 * The address of nobody is this host, by the address of the socket, by that of a device that it is
 * bound to, or by one that comes with the message. Only the first is known.
 */
PH_SUBPROGRAM int settle_remote(struct attempt *attempt, struct sock *sk, __u64 control_size)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	struct ph_flow *flow = &attempt->flow;
	struct ph_address source = {};

	if (!(flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)) || !ph_is_any(&flow->remote))
		return 0;
	source.v6 = flow->local.v6;
	source.word[0] = BPF_CORE_READ(inet, inet_saddr);
	ph_settle(&flow->remote, &source);
	if (control_size || sk->__sk_common.skc_bound_dev_if || BPF_CORE_READ(inet, uc_index))
		flow->nowhere = 1;
	return 0;
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

	if (udp)
		attempt->flow.question = PH_ASK_TRAFFIC;
	else
		ask_about_use(attempt, sk, SOCK_TYPED);
	if (!msg->msg_name || !(udp || msg->msg_flags & MSG_NAME_FASTOPEN))
		return ADDRESS_NONE;
	begin_addresses(attempt);
	answer = view_remote_address(attempt, msg->msg_name, msg->msg_namelen);
	if (answer == ADDRESS_SHORT)
		return answer;
	/*
	 * A datagram to family 0: IPv4 takes it as AF_INET, IPv6 sends to its peer, and
	 * IPV6_ADDRFORM may turn the one into the other meanwhile. So the address of such a name
	 * tells nothing: a rule for some peers alone does not cover it.
	 */
	if (answer != ADDRESS_TAKEN && udp && attempt->family == PH_AF_INET6) {
		attempt->flow.remote_port = 0;
		attempt->flow.nowhere = 1;
	}
	if (answer == ADDRESS_TAKEN && !udp) {
		attempt->door = PH_DOOR_FASTOPEN;
		attempt->flow.question = PH_ASK_CONNECT;
	}
	return answer;
}

#endif
