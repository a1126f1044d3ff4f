// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/rule.h"

#include <string.h>

#include "answer.h"
#include "kernel/decide.h"
#include "kernel/doors.h"

/* From here on the kernel chooses ports of clients, if it is left as it is. */
#define CLIENT_PORTS 32768

unsigned event_socket_kind(const struct ph_event *event)
{
	return ph_socket_kind(event->family, event->type, event->protocol);
}

static bool has_ports(const struct ph_event *event)
{
	return event_socket_kind(event) & (PH_SOCKET_TCP | PH_SOCKET_UDP);
}

const char *event_protocol(const struct ph_event *event)
{
	return event->family ? socket_kind_name(event_socket_kind(event)) : "none";
}

/*
 * Data may be a client's or a server's, and a rule for either allows it. It is the server's if its
 * own port looks chosen and the peer's does not, or if there is no peer.
 */
static bool is_servers_data(const struct ph_event *event)
{
	if (!event->remote_port)
		return event->local_port;
	return event->local_port && event->local_port < CLIENT_PORTS &&
	       event->remote_port >= CLIENT_PORTS;
}

bool event_is_local(const struct ph_event *event)
{
	switch (event->question) {
	case PH_ASK_BIND:
	case PH_ASK_LISTEN:
	case PH_ASK_SERVE:
		return true;
	case PH_ASK_CONNECT:
		return false;
	default:
		return event->door != PH_DOOR_CONNECT && is_servers_data(event);
	}
}

static struct ph_endpoint endpoint_of(const struct ph_address *address, uint16_t port)
{
	struct ph_endpoint endpoint = { .family = address->v6 ? 6 : 4, .port = port };

	memcpy(endpoint.addr, address->word, address->v6 ? 16 : 4);
	return endpoint;
}

/* The flow that needs the rule. */
static struct ph_flow_spec asked_flow(const struct ph_event *event)
{
	struct ph_flow_spec flow = {
		.proto = event_socket_kind(event) == PH_SOCKET_UDP ? PH_PROTO_UDP : PH_PROTO_TCP,
		.door = PH_FLOW_CONNECT,
	};

	if (event_is_local(event)) {
		flow.door = PH_FLOW_BIND;
		flow.local = endpoint_of(&event->local, event->local_port);
	} else {
		flow.remote = endpoint_of(&event->remote, event->remote_port);
	}
	/* Only data has a peer that `from` could be about. */
	if (flow.door == PH_FLOW_BIND && event->remote_port &&
	    (event->question == PH_ASK_SERVE || event->question == PH_ASK_TRAFFIC)) {
		flow.door = PH_FLOW_RECEIVE;
		flow.remote = endpoint_of(&event->remote, event->remote_port);
	}
	return flow;
}

static bool socket_rule(const struct ph_event *event, struct ph_flow_spec *ret)
{
	struct ph_flow_spec flow = { .door = PH_FLOW_SOCKET, .has_socket_kind = true };

	if (!kind_rule_socket(event_socket_kind(event), &flow.socket))
		return false;
	*ret = flow;
	return true;
}

/* What no rule could have changed; NULL: one could. */
static const char *beyond_rules(const struct ph_event *event)
{
	if (event->reason == PH_REASON_OVERFULL)
		return PH_OVERFULL_MEANING;
	switch (event->door) {
	case PH_DOOR_TUN:
	case PH_DOOR_BPF:
	case PH_DOOR_PTRACE:
	case PH_DOOR_MODULE:
	case PH_DOOR_PINS:
	case PH_DOOR_ROUTE:
	case PH_DOOR_MOUNT:
	case PH_DOOR_SYSCTL:
	case PH_DOOR_FILES:
	case PH_DOOR_UPCALL:
	case PH_DOOR_NET_ADMIN:
	case PH_DOOR_KERNEL:
		return "no rule opens this door";
	default:
		return NULL;
	}
}

/* What is missing for a rule of ports; NULL: nothing. */
static const char *missing_port(const struct ph_event *event)
{
	if (!has_ports(event))
		return "no rule admits such sockets";
	if (event_is_local(event) ? event->local_port : event->remote_port)
		return NULL;
	if (event->question == PH_ASK_LISTEN)
		return "a port that the kernel chose takes a bind rule for any; or bind one first";
	if (event->question == PH_ASK_SOCKET)
		return "any udp rule admits it; where it goes is known when something is sent";
	return "it names no port";
}

int event_rule(const struct ph_event *event, char **ret, const char **ret_why)
{
	const char *why = beyond_rules(event);
	struct ph_flow_spec flow;

	if (!why && !socket_rule(event, &flow)) {
		why = missing_port(event);
		flow = asked_flow(event);
	}
	*ret_why = why;
	if (!why)
		return flow_rule(&flow, ret);
	*ret = NULL;
	return 0;
}
