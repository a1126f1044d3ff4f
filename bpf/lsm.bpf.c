// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LSM hooks. Each asks who is calling, translates its arguments into an attempt, and returns
 * the verdict. Where a program before ours has refused, its answer stands.
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

SEC("lsm/socket_create")
int BPF_PROG(ph_create, int family, int type, int protocol, int kern, int ret)
{
	struct attempt attempt = { .door = PH_DOOR_SOCKET };
	struct who who;

	if (ret)
		return ret;
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

SEC("lsm/socket_bind")
int BPF_PROG(ph_bind, struct socket *sock, void *address, int addrlen, int ret)
{
	struct attempt attempt = { .door = PH_DOOR_BIND };
	struct sock *sk = sock->sk;
	struct who who;

	if (ret)
		return ret;
	/* Without a sock there is nothing that could reach a network. */
	if (!sk || is_local_family(sk) || !identify(&who))
		return PH_PASS;
	view_socket(&attempt, sk);
	if (view_bind_address(&attempt, address, addrlen))
		return PH_INVALID;
	return verdict(&who, &attempt);
}

SEC("lsm/socket_connect")
int BPF_PROG(ph_connect, struct socket *sock, void *address, int addrlen, int ret)
{
	struct attempt attempt = { .door = PH_DOOR_CONNECT };
	struct sock *sk = sock->sk;
	struct who who;

	if (ret)
		return ret;
	/* Without a sock there is nothing that could reach a network. */
	if (!sk || is_local_family(sk) || !identify(&who))
		return PH_PASS;
	view_socket(&attempt, sk);
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
int BPF_PROG(ph_listen, struct socket *sock, int backlog, int ret)
{
	struct attempt attempt = { .door = PH_DOOR_LISTEN };
	struct sock *sk = sock->sk;
	struct who who;

	if (ret)
		return ret;
	/* Without a sock there is nothing that could reach a network. */
	if (!sk || is_local_family(sk) || !identify(&who))
		return PH_PASS;
	view_socket(&attempt, sk);
	attempt.flow.question = PH_ASK_LISTEN;
	return verdict(&who, &attempt);
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(ph_sendmsg, struct socket *sock, struct msghdr *msg, int size, int ret)
{
	struct attempt attempt = { .door = PH_DOOR_SEND };
	struct sock *sk = sock->sk;
	struct who who;

	if (ret)
		return ret;
	/* Without a sock there is nothing that could reach a network. */
	if (!sk || is_local_family(sk) || !identify(&who))
		return PH_PASS;
	view_socket(&attempt, sk);
	if (view_message(&attempt, sk, msg))
		return PH_INVALID;
	return verdict(&who, &attempt);
}
