// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LSM hooks of sockets and files. Each asks who is calling, translates its arguments into an
 * attempt, and returns the verdict. A program before ours that refuses ends the call there, so no
 * hook looks at what others have said.
 */
#include "judge.bpf.h"
#include "sockets.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline int verdict(const struct who *who, struct attempt *attempt)
{
	if (judge(who, attempt))
		return PH_DENY;
	return PH_PASS;
}

/* A call on a socket by a task that may be confined; false: it passes. */
static __always_inline bool is_concerned(struct sock *sk, enum sock_pointer pointer,
					 struct who *who)
{
	/* Without a sock there is nothing that could reach a network. */
	return sk && !is_local_family(sk, pointer) && identify(who);
}

SEC("lsm/socket_create")
int BPF_PROG(ph_create, int family, int type, int protocol, int kern)
{
	struct attempt attempt = { .door = PH_DOOR_SOCKET };
	struct who who;

	/* The kernel's own sockets: a network namespace cannot be made without them. */
	if (kern)
		return PH_PASS;
	attempt.flow.kind = ph_socket_kind(family, type, protocol);
	if (attempt.flow.kind == PH_SOCKET_LOCAL || !identify(&who))
		return PH_PASS;
	attempt.family = family;
	attempt.type = type;
	attempt.protocol = protocol;
	return verdict(&who, &attempt);
}

/* What the second line goes by. A socket of a confined task without a label must not be. */
SEC("lsm/socket_post_create")
int BPF_PROG(ph_post_create, struct socket *sock, int family, int type, int protocol, int kern)
{
	struct sock *sk = sock->sk;
	struct ph_sock_label *label;
	struct ph_ids ids = {};
	struct who who;

	if (kern || !is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	add_scoped(&ids, &who);
	if (!ids.count)
		return PH_PASS;
	label = bpf_sk_storage_get(&ph_socks, sk, NULL, PH_STORAGE_CREATE);
	if (!label) {
		count_health(PH_HEALTH_LABEL_FAILED);
		return PH_NO_MEMORY;
	}
	label->policies = ids;
	label->flags = PH_SOCK_JUDGED;
	return PH_PASS;
}

SEC("lsm/socket_bind")
int BPF_PROG(ph_bind, struct socket *sock, void *address, int addrlen)
{
	struct attempt attempt = { .door = PH_DOOR_BIND };
	struct sock *sk = sock->sk;
	struct who who;

	if (!is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	if (view_bind_address(&attempt, address, addrlen))
		return PH_INVALID;
	return verdict(&who, &attempt);
}

SEC("lsm/socket_connect")
int BPF_PROG(ph_connect, struct socket *sock, void *address, int addrlen)
{
	struct attempt attempt = { .door = PH_DOOR_CONNECT };
	struct sock *sk = sock->sk;
	struct who who;

	if (!is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	switch (view_remote_address(&attempt, address, addrlen)) {
	case ADDRESS_SHORT:
		return PH_INVALID;
	case ADDRESS_NONE: /* dissolves a connection */
		return PH_PASS;
	}
	/* A UDP connect sends nothing; each send is judged. */
	attempt.flow.question = attempt.flow.udp ? PH_ASK_SOCKET : PH_ASK_CONNECT;
	return verdict(&who, &attempt);
}

SEC("lsm/socket_listen")
int BPF_PROG(ph_listen, struct socket *sock, int backlog)
{
	struct attempt attempt = { .door = PH_DOOR_LISTEN };
	struct sock *sk = sock->sk;
	struct who who;

	if (!is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	attempt.flow.question = PH_ASK_LISTEN;
	return verdict(&who, &attempt);
}

/* The new socket has no sock yet; its data is judged when it moves. */
SEC("lsm/socket_accept")
int BPF_PROG(ph_accept, struct socket *sock, struct socket *new_sock)
{
	struct attempt attempt = { .door = PH_DOOR_ACCEPT };
	struct sock *sk = sock->sk;
	struct who who;

	if (!is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	attempt.flow.question = PH_ASK_LISTEN;
	return verdict(&who, &attempt);
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(ph_sendmsg, struct socket *sock, struct msghdr *msg, int size)
{
	struct attempt attempt = { .door = PH_DOOR_SEND };
	struct sock *sk = sock->sk;
	struct who who;

	if (!is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	if (view_message(&attempt, sk, msg))
		return PH_INVALID;
	return verdict(&who, &attempt);
}

SEC("lsm/socket_recvmsg")
int BPF_PROG(ph_recvmsg, struct socket *sock, struct msghdr *msg, int size, int flags)
{
	struct attempt attempt = { .door = PH_DOOR_RECEIVE };
	struct sock *sk = sock->sk;
	struct who who;

	if (!is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	ask_about_use(&attempt, sk, SOCK_TYPED);
	return verdict(&who, &attempt);
}

/* TCP_ZEROCOPY_RECEIVE is a read that only this hook sees. */
SEC("lsm/socket_getsockopt")
int BPF_PROG(ph_getsockopt, struct socket *sock, int level, int name)
{
	struct attempt attempt = { .door = PH_DOOR_RECEIVE };
	struct sock *sk = sock->sk;
	struct who who;

	if (level != PH_TCP || name != OPTION_ZEROCOPY_RECEIVE || !is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_TYPED);
	ask_about_use(&attempt, sk, SOCK_TYPED);
	return verdict(&who, &attempt);
}

/* SCTP binds and connects by socket options. Larger numbers come from peers, in anybody's context. */
SEC("lsm/sctp_bind_connect")
int BPF_PROG(ph_sctp, struct sock *sk, int option, void *address, int addrlen)
{
	struct attempt attempt = { .door = PH_DOOR_CONNECT };
	struct who who;

	if (option >= SCTP_FROM_PEER || !is_concerned(sk, SOCK_TYPED, &who))
		return PH_PASS;
	if (option == SCTP_BINDX)
		attempt.door = PH_DOOR_BIND;
	view_socket(&attempt, sk, SOCK_TYPED);
	return verdict(&who, &attempt);
}

/* A socket that comes from another process: by SCM_RIGHTS, pidfd_getfd, seccomp. */
SEC("lsm/file_receive")
int BPF_PROG(ph_receive_fd, struct file *file)
{
	struct attempt attempt = { .door = PH_DOOR_RECEIVE_FD };
	struct sock *sk = socket_of_file(file);
	struct who who;

	if (!is_concerned(sk, SOCK_OF_FILE, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_OF_FILE);
	ask_about_use(&attempt, sk, SOCK_OF_FILE);
	return verdict(&who, &attempt);
}

/*
 * Loaded only where splice and sendfile do not reach socket_sendmsg: every read and write of the
 * machine comes by here.
 */
SEC("lsm/file_permission")
int BPF_PROG(ph_splice, struct file *file, int mask)
{
	struct attempt attempt = { .door = PH_DOOR_SPLICE };
	struct sock *sk = socket_of_file(file);
	struct who who;

	if (!is_concerned(sk, SOCK_OF_FILE, &who))
		return PH_PASS;
	view_socket(&attempt, sk, SOCK_OF_FILE);
	ask_about_use(&attempt, sk, SOCK_OF_FILE);
	return verdict(&who, &attempt);
}
