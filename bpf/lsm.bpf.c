// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LSM hooks of sockets and files. Each asks who is calling, translates its arguments into an
 * attempt, and returns the verdict. A program before ours that refuses ends the call there, so no
 * hook looks at what others have said.
 */
#include "asked.bpf.h"
#include "claim.bpf.h"
#include "guarded.bpf.h"
#include "sockets.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline int verdict(const struct glance *seen, struct attempt *attempt)
{
	if (judge_glance(seen, attempt))
		return PH_DENY;
	return PH_PASS;
}

/* A call on a socket by a task that may be confined; false: it passes. */
static __always_inline bool is_concerned(struct sock *sk, enum sock_pointer pointer,
					 struct glance *seen)
{
	/* Without a sock there is nothing that could reach a network. */
	return sk && !is_local_family(sk, pointer) && glance(seen);
}

/* --- What a socket remembers of calls before: that it is kept (--existing=keep), whom it asked for */

/* Where there is no bpf_sock_from_file(): the kernel's own list of what is stored on a socket. */
struct bpf_local_storage_data___list {
	void *smap;
	__u8 data[];
} __attribute__((preserve_access_index));

struct bpf_local_storage_elem___list {
	struct hlist_node snode;
	struct bpf_local_storage_data___list sdata;
} __attribute__((preserve_access_index));

struct bpf_local_storage___list {
	struct hlist_head list;
} __attribute__((preserve_access_index));

enum {
	STORED_MAX = 8
}; /* maps that store something on one socket */

static __always_inline void find_in_list(struct sock *sk, struct ph_sock_past *ret)
{
	struct bpf_local_storage___list *storage = (void *)BPF_CORE_READ(sk, sk_bpf_storage);
	struct hlist_node *node = BPF_CORE_READ(storage, list.first);
	struct bpf_local_storage_elem___list *element;
	struct ph_sock_label *label;

	for (__u32 i = 0; i < STORED_MAX && node; i++) {
		element = (void *)node - bpf_core_field_offset(element->snode);
		if (BPF_CORE_READ(element, sdata.smap) == (void *)&ph_socks) {
			label = (void *)&element->sdata.data;
			bpf_probe_read_kernel(ret, sizeof(*ret), &label->past);
			break;
		}
		node = BPF_CORE_READ(node, next);
	}
}

/* Whether sockets may remember anything that matters. */
static __always_inline bool sockets_tell(const struct glance *seen)
{
	return seen->front & PH_FRONT_KEEP || may_be_rewritten();
}

static __always_inline void recall(struct sock *sk, enum sock_pointer pointer,
				   struct ph_sock_past *ret)
{
	struct ph_sock_label *label;

	if (pointer == SOCK_OF_FILE && !SETTING(ph_has_sock_from_file)) {
		find_in_list(sk, ret);
		return;
	}
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, 0);
	if (label)
		*ret = label->past;
}

/* A socket that gets another peer, or none, is no longer the one that was kept. */
static __always_inline void forget(const struct glance *seen, struct sock *sk)
{
	struct ph_sock_label *label;

	if (!sockets_tell(seen))
		return;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, 0);
	if (label)
		label->past.flags = 0;
}

/*
 * The same, when the first line has let the caller ask for a peer. A TCP socket that has one gets no
 * other: the kernel answers before anybody else is asked.
 */
static __always_inline void remember(const struct glance *seen, struct sock *sk,
				     const struct attempt *attempt)
{
	struct ph_sock_label *label;

	if (attempt->flow.kind != PH_SOCKET_TCP || !may_be_rewritten()) {
		forget(seen, sk);
		return;
	}
	if (sk->__sk_common.skc_state != STATE_CLOSE)
		return;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, PH_STORAGE_CREATE);
	if (label)
		note_asked(&label->past, &attempt->flow, bpf_get_current_pid_tgid());
}

/* Whether it was open before the policies in force, and kept. */
static __always_inline bool is_kept(const struct glance *seen, const struct ph_sock_past *past)
{
	return seen->front & PH_FRONT_KEEP && past->flags & PH_SOCK_EXEMPT;
}

/* Looks at what is used, by this message if there is one. False: there is nothing to judge. */
static __always_inline bool view_use(const struct glance *seen, struct attempt *attempt,
				     struct sock *sk, enum sock_pointer pointer, struct msghdr *msg)
{
	struct ph_sock_past past = {};

	if (msg && is_kernels_own(sk, msg))
		return false;
	if (sockets_tell(seen))
		recall(sk, pointer, &past);
	if (is_kept(seen, &past))
		return false;
	view_addresses(attempt, sk, pointer);
	view_asked(&attempt->flow, &past, mask_elsewhere(&past, &attempt->flow));
	view_route(attempt, sk);
	return true;
}

/* Whether what is received may have come before the present peer, and to a port that was bound by name. */
static __always_inline bool is_served(const struct ph_flow *flow, struct sock *sk,
				      enum sock_pointer pointer)
{
	return flow->udp && flow->remote_port && named_parts(sk, pointer) & NAMED_PORT;
}

/* Both questions of what serves. */
static __always_inline bool may_plainly_serve(const struct glance *seen, const struct ph_flow *flow)
{
	struct ph_flow serving = *flow;

	serving.question = PH_ASK_LISTEN;
	return is_plainly_allowed(seen, flow) && is_plainly_allowed(seen, &serving);
}

/*
 * Of what a socket is used for as it is. What lies in the queue of a datagram socket may have come before
 * its present peer: a port that was bound by name has to be one that may be served.
 */
static __always_inline int verdict_on_use(const struct glance *seen, struct attempt *attempt,
					  struct sock *sk, enum sock_pointer pointer, bool receives,
					  struct msghdr *msg)
{
	bool served = receives && is_served(&attempt->flow, sk, pointer);

	if (served ? may_plainly_serve(seen, &attempt->flow) :
		     is_plainly_allowed(seen, &attempt->flow))
		return PH_PASS;
	if (!view_use(seen, attempt, sk, pointer, msg))
		return PH_PASS;
	if (judge_glance(seen, attempt))
		return PH_DENY;
	if (!served)
		return PH_PASS;
	attempt->flow.question = PH_ASK_LISTEN;
	return verdict(seen, attempt);
}

/*
 * --- Hooks
 *
 * None of them holds the socket's lock: another thread may change it before the kernel acts. What each
 * relies on:
 *	bind		the name, which is the kernel's copy
 *	connect		likewise. The peer of a datagram socket changes freely where the second line reads
 *			what leaves, see guarded.bpf.h
 *	listen		that nobody gives up a port or an address that was bound by name
 *	accept		a listener gets another port by bind and listen alone
 *	sendmsg		name, data and what stands beside it, which are the kernel's copies; a TCP socket
 *			gets another peer by connect alone, and so does a datagram socket, see there. A
 *			route can be set by nobody who is confined
 *	recvmsg		the same; what strangers had sent before there was a peer is found by the port
 *	setsockopt	the number of the option
 *	file_receive	nothing: each use is judged again
 */

/* An argument of the hook that is not taken up before it is needed: most calls end sooner. */
#define LATE_ARGUMENT(position) ((void *)ctx[position])

SEC("lsm/socket_create")
int BPF_PROG(ph_create, int family, int type, int protocol, int kern)
{
	struct attempt attempt;
	struct glance seen;

	/* The kernel's own sockets: a network namespace cannot be made without them. */
	if (kern)
		return PH_PASS;
	if (ph_socket_kind(family, type, protocol) == PH_SOCKET_LOCAL || !glance(&seen))
		return PH_PASS;
	begin_attempt(&attempt, PH_DOOR_SOCKET, family, type, protocol);
	if (is_plainly_allowed(&seen, &attempt.flow))
		return PH_PASS;
	begin_addresses(&attempt);
	return verdict(&seen, &attempt);
}

/* What the second line goes by. A socket of a confined task without a label must not be. */
SEC("lsm/socket_post_create")
int BPF_PROG(ph_post_create, struct socket *sock, int family, int type, int protocol, int kern)
{
	struct sock *sk = sock->sk;
	struct ph_sock_label *label;
	struct ph_ids ids = {};
	struct glance seen;
	struct who who;

	if (kern || !is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	recognize(&who, &seen);
	add_scoped(&ids, &who);
	if (!ids.count)
		return PH_PASS;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, PH_STORAGE_CREATE);
	if (!label) {
		count_health(PH_HEALTH_LABEL_FAILED);
		return PH_NO_MEMORY;
	}
	label->policies = ids;
	return PH_PASS;
}

SEC("lsm/socket_bind")
int BPF_PROG(ph_bind, struct socket *sock)
{
	struct socket_address *address;
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;
	int addrlen;

	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	address = LATE_ARGUMENT(1);
	addrlen = (long)LATE_ARGUMENT(2);
	view_socket(&attempt, PH_DOOR_BIND, sk, SOCK_TYPED);
	attempt.flow.question = PH_ASK_BIND;
	switch (view_port(&attempt, &attempt.flow.local_port, address, addrlen)) {
	case ADDRESS_SHORT:
		if (attempt.family == PH_AF_INET && addrlen >= V4_LENGTH)
			return PH_NO_FAMILY;
		return PH_INVALID;
	case ADDRESS_NONE:
		return PH_INVALID;
	}
	if (is_plainly_allowed(&seen, &attempt.flow))
		return PH_PASS;
	begin_addresses(&attempt);
	view_peer(&attempt, sk, SOCK_TYPED);
	switch (view_bind_address(&attempt, address, addrlen)) {
	case ADDRESS_SHORT:
		return PH_INVALID;
	case ADDRESS_FOREIGN:
		return PH_NO_FAMILY;
	}
	return verdict(&seen, &attempt);
}

SEC("lsm/socket_connect")
int BPF_PROG(ph_connect, struct socket *sock)
{
	struct socket_address *address;
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;
	bool allowed;
	int addrlen;

	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	address = LATE_ARGUMENT(1);
	addrlen = (long)LATE_ARGUMENT(2);
	view_socket(&attempt, PH_DOOR_CONNECT, sk, SOCK_TYPED);
	switch (view_port(&attempt, &attempt.flow.remote_port, address, addrlen)) {
	case ADDRESS_SHORT:
		return PH_INVALID;
	case ADDRESS_NONE:
	case ADDRESS_UNSPEC: /* dissolves a connection */
		forget(&seen, sk);
		return PH_PASS;
	}
	if (attempt.flow.udp && is_guarded(&seen, bpf_sk_storage_get(&ph_socks, sk, NULL, 0))) {
		forget(&seen, sk);
		return PH_PASS;
	}
	attempt.flow.question = PH_ASK_CONNECT;
	allowed = is_plainly_allowed(&seen, &attempt.flow);
	if (allowed && !sockets_tell(&seen))
		return PH_PASS;
	begin_addresses(&attempt);
	view_local(&attempt, sk, SOCK_TYPED);
	view_remote_address(&attempt, address, addrlen);
	settle_remote(&attempt, sk, 0);
	if (!allowed) {
		view_route(&attempt, sk);
		if (judge_glance(&seen, &attempt))
			return PH_DENY;
	}
	remember(&seen, sk, &attempt);
	return PH_PASS;
}

/*
 * The kernel takes the socket's lock after this, and another thread may have let go of a port or an
 * address by then, but for what was bound by name.
 */
SEC("lsm/socket_listen")
int BPF_PROG(ph_listen, struct socket *sock)
{
	__u32 named, nobody[4] = {};
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;

	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_LISTEN, sk, SOCK_TYPED);
	attempt.flow.question = PH_ASK_LISTEN;
	named = named_parts(sk, SOCK_TYPED);
	if (!(named & NAMED_PORT))
		attempt.flow.local_port = 0;
	if (!is_plainly_allowed(&seen, &attempt.flow)) {
		view_addresses(&attempt, sk, SOCK_TYPED);
		if (!(named & NAMED_ADDRESS))
			ph_address(&attempt.flow.local, attempt.family, 0, nobody);
		if (judge_glance(&seen, &attempt))
			return PH_DENY;
	}
	forget(&seen, sk);
	return PH_PASS;
}

/* The new socket has no sock yet; its data is judged when it moves. */
SEC("lsm/socket_accept")
int BPF_PROG(ph_accept, struct socket *sock, struct socket *new_sock)
{
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;

	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_ACCEPT, sk, SOCK_TYPED);
	attempt.flow.question = PH_ASK_LISTEN;
	return verdict_on_use(&seen, &attempt, sk, SOCK_TYPED, false, NULL);
}

static const struct ph_sock_past no_past;

SEC("lsm/socket_sendmsg")
int BPF_PROG(ph_sendmsg, struct socket *sock)
{
	const struct ph_sock_past *past = &no_past;
	struct ph_sock_label *label;
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct msghdr *msg;
	bool has_peer;
	struct glance seen;
	__u64 connects;
	int name;

	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_SEND, sk, SOCK_TYPED);
	has_peer = attempt.flow.remote_port;
	msg = LATE_ARGUMENT(1);
	name = view_message(&attempt, sk, msg);
	if (name == ADDRESS_SHORT)
		return PH_INVALID;
	connects = hide(attempt.door == PH_DOOR_FASTOPEN, seen.front);
	if (!is_plainly_allowed(&seen, &attempt.flow)) {
		if (is_kernels_own(sk, msg))
			return PH_PASS;
		label = sockets_tell(&seen) ? bpf_sk_storage_get(&ph_socks, sk, NULL, 0) : NULL;
		if (label)
			past = &label->past; /* no copy: there is no room for it */
		/* A datagram may be named to somebody else than the peer that was kept. */
		if (is_kept(&seen, past) && !connects && (name == ADDRESS_NONE || !has_peer))
			return PH_PASS;
		if (name == ADDRESS_NONE) {
			view_addresses(&attempt, sk, SOCK_TYPED);
			view_asked(&attempt.flow, past, mask_elsewhere(past, &attempt.flow));
		} else {
			view_local(&attempt, sk, SOCK_TYPED);
			settle_remote(&attempt, sk, msg->msg_controllen);
		}
		view_route(&attempt, sk);
		view_controls(&attempt, msg);
		if (judge_glance(&seen, &attempt))
			return PH_DENY;
	}
	if (connects)
		remember(&seen, sk, &attempt);
	return PH_PASS;
}

SEC("lsm/socket_recvmsg")
int BPF_PROG(ph_recvmsg, struct socket *sock)
{
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;

	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_RECEIVE, sk, SOCK_TYPED);
	ask_about_use(&attempt, sk, SOCK_TYPED);
	return verdict_on_use(&seen, &attempt, sk, SOCK_TYPED, true, LATE_ARGUMENT(1));
}

/* Who is confined sets no route: where it leads, the call that uses it could not tell in time. */
static __always_inline bool sets_route(int level, int name)
{
	if (level == LEVEL_IP)
		return name == IP_OPTIONS_;
	return level == LEVEL_IPV6 && (name == IPV6_RTHDR_ || name == IPV6_2292RTHDR_ ||
				       name == IPV6_2292PKTOPTIONS_ || name == IPV6_FLOWLABEL_MGR_);
}

/* The routers of the link are told of it, in a packet that names the group, and the sources that are wanted. */
static __always_inline bool joins_group(int level, int name)
{
	if (level != LEVEL_IP && level != LEVEL_IPV6)
		return false;
	switch (name) {
	case MCAST_JOIN_GROUP_:
	case MCAST_BLOCK_SOURCE_:
	case MCAST_UNBLOCK_SOURCE_:
	case MCAST_JOIN_SOURCE_GROUP_:
	case MCAST_MSFILTER_:
		return true;
	case IP_ADD_MEMBERSHIP_:
	case IP_UNBLOCK_SOURCE_:
	case IP_BLOCK_SOURCE_:
	case IP_ADD_SOURCE_MEMBERSHIP_:
	case IP_MSFILTER_:
		return level == LEVEL_IP;
	case IPV6_JOIN_GROUP_:
	case IPV6_JOIN_ANYCAST_:
		return level == LEVEL_IPV6;
	default:
		return false;
	}
}

/* Who may receive datagrams by the socket may join a group to do so; TCP sockets can be members as well. */
static __always_inline void ask_about_group(struct attempt *attempt, struct sock *sk)
{
	if (attempt->flow.udp) {
		ask_about_waiting(attempt, sk, SOCK_TYPED);
		return;
	}
	attempt->flow.question = PH_ASK_SOCKET;
	attempt->flow.kind = PH_SOCKET_UDP_ANSWERS;
}

SEC("lsm/socket_setsockopt")
int BPF_PROG(ph_setsockopt, struct socket *sock, int level, int name)
{
	bool joins = joins_group(level, name);
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;

	if ((!joins && !sets_route(level, name)) || !is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, joins ? PH_DOOR_RECEIVE : PH_DOOR_ROUTE, sk, SOCK_TYPED);
	view_addresses(&attempt, sk, SOCK_TYPED);
	if (joins)
		ask_about_group(&attempt, sk);
	else
		attempt.flow.kind = 0; /* no rule grants it */
	return verdict(&seen, &attempt);
}

/* TCP_ZEROCOPY_RECEIVE is a read that only this hook sees. What no socket has may be a claim. */
SEC("lsm/socket_getsockopt")
int BPF_PROG(ph_getsockopt, struct socket *sock, int level, int name)
{
	struct attempt attempt;
	struct sock *sk = sock->sk;
	struct glance seen;

	if (level != PH_TCP || name != OPTION_ZEROCOPY_RECEIVE) {
		claim(level, name);
		return PH_PASS;
	}
	if (!is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_RECEIVE, sk, SOCK_TYPED);
	ask_about_use(&attempt, sk, SOCK_TYPED);
	return verdict_on_use(&seen, &attempt, sk, SOCK_TYPED, false, NULL);
}

/* SCTP binds and connects by socket options. Larger numbers come from peers, in anybody's context. */
SEC("lsm/sctp_bind_connect")
int BPF_PROG(ph_sctp, struct sock *sk, int option, void *address, int addrlen)
{
	struct attempt attempt;
	struct glance seen;

	if (option >= SCTP_FROM_PEER || !is_concerned(sk, SOCK_TYPED, &seen))
		return PH_PASS;
	view_socket(&attempt, option == SCTP_BINDX ? PH_DOOR_BIND : PH_DOOR_CONNECT, sk,
		    SOCK_TYPED);
	view_addresses(&attempt, sk, SOCK_TYPED);
	return verdict(&seen, &attempt);
}

/* A socket that comes from another process: by SCM_RIGHTS, pidfd_getfd, seccomp. */
SEC("lsm/file_receive")
int BPF_PROG(ph_receive_fd, struct file *file)
{
	struct attempt attempt;
	struct sock *sk = socket_of_file(file);
	struct glance seen;

	if (!is_concerned(sk, SOCK_OF_FILE, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_RECEIVE_FD, sk, SOCK_OF_FILE);
	ask_about_use(&attempt, sk, SOCK_OF_FILE);
	return verdict_on_use(&seen, &attempt, sk, SOCK_OF_FILE, false, NULL);
}

/*
 * Loaded only where splice and sendfile do not reach socket_sendmsg: every read and write of the
 * machine comes by here.
 */
SEC("lsm/file_permission")
int BPF_PROG(ph_splice, struct file *file, int mask)
{
	struct attempt attempt;
	struct sock *sk = socket_of_file(file);
	struct glance seen;

	if (!is_concerned(sk, SOCK_OF_FILE, &seen))
		return PH_PASS;
	view_socket(&attempt, PH_DOOR_SPLICE, sk, SOCK_OF_FILE);
	ask_about_use(&attempt, sk, SOCK_OF_FILE);
	return verdict_on_use(&seen, &attempt, sk, SOCK_OF_FILE, mask & FILE_READ, NULL);
}
