// SPDX-License-Identifier: GPL-2.0-or-later
#include "learn/seen.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/decide.h"

static int compare_numbers(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

static int compare_sights(const void *first, const void *second)
{
	const struct ph_sight *a = first, *b = second;
	const unsigned fields[][2] = {
		{ a->need, b->need },	      { a->proto, b->proto },
		{ a->end.port, b->end.port }, { a->end.family, b->end.family },
		{ a->kind, b->kind },	      { a->door, b->door },
		{ a->family, b->family },     { a->type, b->type },
		{ a->protocol, b->protocol },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		int order = compare_numbers(fields[i][0], fields[i][1]);

		if (order)
			return order;
	}
	return memcmp(a->end.addr, b->end.addr, sizeof(a->end.addr));
}

void seen_done(struct ph_seen *seen)
{
	tdestroy(seen->tree, free);
	*seen = (struct ph_seen){};
}

/* --- What an event asks of a policy */

static struct ph_endpoint endpoint_of(const struct ph_address *address, uint16_t port)
{
	struct ph_endpoint end = { .family = address->v6 ? 6 : 4, .port = port };

	memcpy(end.addr, address->word, address->v6 ? 16 : 4);
	return end;
}

static bool is_network_door(uint8_t door)
{
	return door <= PH_DOOR_PACKET_IN;
}

static bool is_known(const struct ph_seen *seen, const struct ph_sight *sight)
{
	return tfind(sight, &seen->tree, compare_sights) != NULL;
}

static bool is_chosen_port(const struct ph_range *chosen, uint16_t port)
{
	return chosen->lo <= port && port <= chosen->hi;
}

/* The bind that the local end of this traffic comes from: of its address, or of any. */
static bool find_bind(const struct ph_seen *seen, struct ph_sight *sight)
{
	struct ph_sight candidate = *sight;

	if (is_known(seen, &candidate))
		return true;
	memset(candidate.end.addr, 0, sizeof(candidate.end.addr));
	candidate.end.family = sight->end.family;
	if (!is_known(seen, &candidate)) {
		candidate.end.family = 6;
		if (!is_known(seen, &candidate))
			return false;
	}
	*sight = candidate;
	return true;
}

/* Of a conversation whose beginning was not seen. Clients have ports that the kernel chose. */
static bool looks_served(const struct ph_seen *seen, const struct ph_event *event, bool udp)
{
	if (!event->remote_port)
		return true;
	if (!event->local_port || is_chosen_port(&seen->chosen, event->local_port))
		return false;
	return udp || is_chosen_port(&seen->chosen, event->remote_port);
}

static void view_traffic(const struct ph_seen *seen, const struct ph_event *event, bool udp,
			 struct ph_sight *sight)
{
	struct ph_sight bind = *sight, connect = *sight;

	bind.need = PH_NEED_BIND;
	bind.end = endpoint_of(&event->local, event->local_port);
	connect.need = PH_NEED_CONNECT;
	connect.asked = udp; /* each datagram asks anew */
	connect.end = endpoint_of(&event->remote, event->remote_port);
	if (find_bind(seen, &bind))
		*sight = bind;
	else if (is_known(seen, &connect))
		*sight = connect;
	else
		*sight = looks_served(seen, event, udp) ? bind : connect;
}

static void view_question(const struct ph_seen *seen, const struct ph_event *event, bool udp,
			  struct ph_sight *sight)
{
	sight->proto = udp ? PH_PROTO_UDP : PH_PROTO_TCP;
	switch (event->question) {
	case PH_ASK_BIND:
	case PH_ASK_LISTEN:
	case PH_ASK_SERVE:
		sight->need = PH_NEED_BIND;
		sight->end = endpoint_of(&event->local, event->local_port);
		sight->asked = event->question == PH_ASK_BIND;
		sight->served = !sight->asked;
		return;
	case PH_ASK_CONNECT:
		sight->need = PH_NEED_CONNECT;
		sight->end = endpoint_of(&event->remote, event->remote_port);
		sight->asked = true;
		return;
	default:
		view_traffic(seen, event, udp, sight);
	}
}

/* Whether only the kind of the socket counts: a bind to port 0 takes no port. */
static bool asks_for_kind(const struct ph_event *event, uint16_t kind)
{
	return !(kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)) || event->question == PH_ASK_SOCKET ||
	       (event->question == PH_ASK_BIND && !event->local_port);
}

static struct ph_sight view_event(const struct ph_seen *seen, const struct ph_event *event)
{
	uint16_t kind = ph_socket_kind(event->family, event->type, event->protocol);
	struct ph_sight sight = { .need = PH_NEED_NOTHING };

	if (!is_network_door(event->door)) {
		sight.door = event->door;
	} else if (kind == PH_SOCKET_OTHER) {
		sight.door = PH_DOOR_SOCKET;
		sight.family = event->family;
		sight.type = event->type;
		sight.protocol = event->protocol;
	} else if (asks_for_kind(event, kind)) {
		sight.need = PH_NEED_SOCKET;
		sight.kind = kind;
	} else {
		view_question(seen, event, kind == PH_SOCKET_UDP, &sight);
	}
	/* Nobody can be at port 0. */
	if (sight.need == PH_NEED_CONNECT && !sight.end.port)
		sight = (struct ph_sight){ .need = PH_NEED_NOTHING, .door = event->door };
	return sight;
}

/* --- Keeping it */

int seen_add(struct ph_seen *seen, const struct ph_event *event)
{
	struct ph_sight sight = view_event(seen, event), *kept, **found;

	seen->calls++;
	found = tfind(&sight, &seen->tree, compare_sights);
	if (!found && seen->n == PH_SIGHTS_MAX) {
		seen->left_out++;
		return 0;
	}
	if (!found) {
		kept = malloc(sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		*kept = sight;
		found = tsearch(kept, &seen->tree, compare_sights);
		if (!found) {
			free(kept);
			return -ENOMEM;
		}
		seen->n++;
	}
	kept = *found;
	kept->calls++;
	kept->asked |= sight.asked;
	kept->served |= sight.served;
	return 0;
}

struct listing {
	struct ph_sight *v;
	size_t n;
};

static void list_node(const void *node, VISIT visit, void *context)
{
	struct listing *listing = context;

	if (visit == postorder || visit == leaf)
		listing->v[listing->n++] = **(struct ph_sight *const *)node;
}

int seen_list(const struct ph_seen *seen, struct ph_sight **ret, size_t *ret_n)
{
	struct listing listing = { .v = calloc(seen->n + 1, sizeof(*listing.v)) };

	if (!listing.v)
		return -ENOMEM;
	twalk_r(seen->tree, list_node, &listing);
	*ret = listing.v;
	*ret_n = listing.n;
	return 0;
}

/* --- Asking about it */

bool sight_is_chosen(const struct ph_sight *sight, const struct ph_range *chosen)
{
	return sight->need == PH_NEED_BIND && sight->served && !sight->asked &&
	       (!sight->end.port || is_chosen_port(chosen, sight->end.port));
}

void sight_flow(const struct ph_sight *sight, struct ph_flow_spec *ret)
{
	struct ph_flow_spec flow = { .proto = sight->proto };

	switch (sight->need) {
	case PH_NEED_CONNECT:
		flow.door = PH_FLOW_CONNECT;
		flow.remote = sight->end;
		break;
	case PH_NEED_BIND:
		flow.door = sight->proto == PH_PROTO_TCP ? PH_FLOW_LISTEN : PH_FLOW_BIND;
		flow.local = sight->end;
		break;
	default:
		flow.door = PH_FLOW_SOCKET;
		flow.proto = sight->kind == PH_SOCKET_UDP ? PH_PROTO_UDP : PH_PROTO_TCP;
		flow.has_socket_kind = kind_rule_socket(sight->kind, &flow.socket);
	}
	*ret = flow;
}
