// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ph_covers() is what DESIGN 3 and 4 say of one policy and one flow: its rules add up, a rule without
 * addresses holds wherever the flow goes, one with addresses where the longest network around the address
 * has the port, and where it names peers, the longest around the peer. Port 0 is nobody's: to bind it passes,
 * to listen on it takes every port, and nothing else does. What goes nowhere that is known no rule with
 * addresses covers; a kind of socket that no rule admits none does.
 *
 * Bounds: SPANS spans of ports in each plane and each network, and no set of chunks (see ports.c); any
 * networks, any flow and any kind.
 * Taken for granted, as the compiler of policies makes them: no table holds port 0, and scopes are even.
 *
 * Prover: --unwind 18 -DSPANS=1 -DCHUNKS=0 --no-standard-checks
 * Long: -USPANS -DSPANS=4
 * Refuted by: bpf/verdict.h s/64 + 96 \* (address->v6 \& 1)/64/
 * Refuted by: bpf/verdict.h s/key.scope = scope | (address->v6 \& 1)/key.scope = scope/
 * Refuted by: bpf/verdict.h s/has_peer ? \&flow->remote : NULL/NULL/
 * Refuted by: bpf/verdict.h s/flow->question == PH_ASK_LISTEN)/0)/
 * Refuted by: bpf/verdict.h s/if (flow->nowhere ||/if (/
 * Refuted by: bpf/verdict.h s/if (!(grant->sockets \& flow->kind))/if (0)/
 * Refuted by: bpf/verdict.h s/question == PH_ASK_SERVE || question == PH_ASK_TRAFFIC/question == PH_ASK_TRAFFIC/
 * Refuted by: bpf/verdict.h s/return question == PH_ASK_CONNECT || question == PH_ASK_TRAFFIC/return question == PH_ASK_CONNECT/
 * Refuted by: bpf/verdict.h s/PH_ASK_BIND \&\& flow->local_port == 0/PH_ASK_BIND/
 */
#include "verdict.h"

/* All of an address, IPv4 or IPv6, in a scope: what the tables call the two is no matter of verdict.h. */
static const struct ph_prefix *longest(const struct proof_tables *tables, unsigned scope,
				       const struct ph_address *address)
{
	struct ph_prefix_key key = { .prefixlen = address->v6 ? 32 + 128 : 32 + 32,
				     .scope = address->v6 ? scope + 1 : scope };

	for (unsigned i = 0; i < 4; i++)
		key.word[i] = address->word[i];
	return ph_find_prefix(tables, &key);
}

static bool has_port(const struct ph_ports *ports, unsigned port)
{
	for (unsigned i = 0; i < PH_SPANS; i++)
		if (port >= ports->span[i].first && port <= ports->span[i].last)
			return true;
	return false;
}

/* Port 0 stands for all; one span tells, as spans that touch are one. */
static bool has_all(const struct ph_ports *ports)
{
	for (unsigned i = 0; i < PH_SPANS; i++)
		if (ports->span[i].first <= 1 && ports->span[i].last == 65535)
			return true;
	return false;
}

static bool may_serve(const struct ph_ports *ports, unsigned port)
{
	return port ? has_port(ports, port) : has_all(ports);
}

/* By a rule with addresses. */
static bool holds_there(const struct proof_tables *tables, unsigned scope, unsigned port,
			const struct ph_address *address, const struct ph_address *peer)
{
	const struct ph_prefix *at = scope ? longest(tables, scope, address) : NULL;

	if (at && peer && at->peers)
		at = longest(tables, at->peers, peer);
	return at && may_serve(&at->ports, port);
}

static bool should(const struct proof_tables *tables, const struct ph_grant *grant,
		   const struct ph_flow *flow)
{
	unsigned udp = flow->udp % 2, connect = udp, bind = 2 + udp, q = flow->question;
	bool ports = flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP);
	bool connects = (q == PH_ASK_CONNECT || q == PH_ASK_TRAFFIC) && flow->remote_port;
	bool serves = q != PH_ASK_CONNECT && (flow->local_port || q == PH_ASK_LISTEN);
	bool data = q == PH_ASK_SERVE || q == PH_ASK_TRAFFIC;

	if (!(grant->sockets & flow->kind))
		return false;
	if (!ports || q == PH_ASK_SOCKET || (q == PH_ASK_BIND && !flow->local_port))
		return true;
	if (connects && has_port(&grant->plain[connect], flow->remote_port))
		return true;
	if (serves && may_serve(&grant->plain[bind], flow->local_port))
		return true;
	if (flow->nowhere)
		return false;
	if (connects &&
	    holds_there(tables, grant->scope[connect], flow->remote_port, &flow->remote, NULL))
		return true;
	return serves && holds_there(tables, grant->scope[bind], flow->local_port, &flow->local,
				     data ? &flow->remote : NULL);
}

static void no_more_spans(struct ph_ports *ports, unsigned first)
{
	ports->set = 0;
	for (unsigned i = 0; i < PH_SPANS; i++) {
		if (i >= first)
			ports->span[i] = (struct ph_span){ 1, 0 };
		ASSUME(ports->span[i].first > 0);
	}
}

static void as_compiled(struct proof_tables *tables, struct ph_grant *grant)
{
	for (unsigned i = 0; i < PH_PLANES; i++) {
		no_more_spans(&grant->plain[i], SPANS);
		ASSUME(grant->scope[i] % 2 == 0);
	}
	for (unsigned i = 0; i < PREFIXES; i++) {
		no_more_spans(&tables->prefix[i].value.ports, SPANS);
		ASSUME(tables->prefix[i].value.peers % 2 == 0);
	}
}

static void check(const struct proof_tables *tables, const struct ph_grant *grant,
		  unsigned question, unsigned udp)
{
	struct ph_flow flow;

	ANY(flow);
	flow.question = question;
	flow.udp = udp;
	ASSUME(flow.remote.v6 <= 1 && flow.local.v6 <= 1);
	PROVE(ph_covers(tables, grant, &flow) == should(tables, grant, &flow),
	      "a flow is covered if and only if the words say so");
}

int main(void)
{
	struct proof_tables tables;
	struct ph_grant grant;

	ANY(tables);
	ANY(grant);
	as_compiled(&tables, &grant);
	for (unsigned question = PH_ASK_SOCKET; question <= PH_ASK_TRAFFIC; question++) {
		check(&tables, &grant, question, 0);
		check(&tables, &grant, question, 1);
	}
}
