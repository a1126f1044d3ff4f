/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SEEN_H
#define PH_SEEN_H
/*
 * What a watched process was seen to do: audit events, each put down to the one thing that a policy
 * would have to grant for it, and counted there. Data is put down to the connect or bind that was
 * seen before it; where there was none, for the socket is older than the watch, to the likelier.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include "abi.h"
#include "policy/policy.h"

#define PH_SIGHTS_MAX 65536U /* different things; more are counted as left out */

enum ph_need {
	PH_NEED_CONNECT, /* a connect rule for `end` */
	PH_NEED_BIND, /* a bind rule for `end` */
	PH_NEED_SOCKET, /* a socket of this kind */
	PH_NEED_NOTHING, /* no rule can grant it */
};

struct ph_sight {
	enum ph_need need;
	enum ph_proto proto;
	struct ph_endpoint end; /* CONNECT: the remote one; BIND: the local one */
	uint16_t kind; /* SOCKET: enum ph_socket_kind */
	uint8_t door; /* NOTHING */
	uint16_t family, type, protocol; /* NOTHING, of a socket */
	uint64_t calls;
	bool asked; /* the connect or bind itself was seen */
	bool served; /* listen or accept was seen */
};

struct ph_seen {
	struct ph_range chosen; /* ports that the kernel gives to whoever asks for none */
	uint64_t calls;
	uint64_t left_out; /* calls past PH_SIGHTS_MAX */
	size_t n;
	void *tree; /* of struct ph_sight */
};

void seen_done(struct ph_seen *seen);

/* 0 or -ENOMEM. */
int seen_add(struct ph_seen *seen, const struct ph_event *event);

/* All of it, by need, protocol, port and address; the caller's to free. 0 or -ENOMEM. */
int seen_list(const struct ph_seen *seen, struct ph_sight **ret, size_t *ret_n);

/* Listens at a port that nobody asked for: the kernel chose it, and the next one will differ. */
bool sight_is_chosen(const struct ph_sight *sight, const struct ph_range *chosen);

/* The sight as a question to a policy; only of CONNECT, BIND and SOCKET. */
void sight_flow(const struct ph_sight *sight, struct ph_flow_spec *ret);

#endif
