// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one policy says about one flow, as plainly as it can be written (reference.h has the
 * contract). Speed does not count here, and nothing is shared with the compiled decision.
 */
#include <string.h>

#include "policy/cidr.h"
#include "policy/reference.h"
#include "policy/rule.h"

static bool port_fits(const struct ph_rule *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->n_ranges; i++)
		if (rule->ranges[i].lo <= port && port <= rule->ranges[i].hi)
			return true;
	return false;
}

static bool address_fits(const struct ph_cidrs *list, const struct ph_cidrs *except,
			 const struct ph_endpoint *endpoint)
{
	struct ph_endpoint plain = *endpoint;

	(void)address_unmap(&plain.family, plain.addr);
	if (list->n && !cidrs_hold(list, plain.family, plain.addr))
		return false;
	return !except || !cidrs_hold(except, plain.family, plain.addr);
}

static bool is_for(const struct ph_rule *rule, enum ph_proto proto)
{
	return rule->kind == PH_RULE_PORTS && rule->proto == proto;
}

static bool connect_fits(const struct ph_rule *rule, const struct ph_flow_spec *flow)
{
	return is_for(rule, flow->proto) && rule->connect && port_fits(rule, flow->remote.port) &&
	       address_fits(&rule->to, &rule->except, &flow->remote);
}

static bool local_fits(const struct ph_rule *rule, const struct ph_flow_spec *flow)
{
	const struct ph_cidrs *except = rule->from.n ? NULL : &rule->except;

	return is_for(rule, flow->proto) && rule->bind && port_fits(rule, flow->local.port) &&
	       address_fits(&rule->on, except, &flow->local);
}

static bool served_fits(const struct ph_rule *rule, const struct ph_flow_spec *flow)
{
	return local_fits(rule, flow) &&
	       (!rule->from.n || address_fits(&rule->from, &rule->except, &flow->remote));
}

static bool socket_fits(const struct ph_rule *rule, const struct ph_flow_spec *flow)
{
	return flow->has_socket_kind && rule->kind == PH_RULE_SOCKET &&
	       rule->socket == flow->socket;
}

/* A client lets the kernel choose its port. */
static bool leaves_the_port(const struct ph_flow_spec *flow)
{
	return flow->door == PH_FLOW_BIND && flow->local.port == 0;
}

static bool rule_fits(const struct ph_rule *rule, const struct ph_flow_spec *flow)
{
	switch (flow->door) {
	case PH_FLOW_CONNECT:
		return connect_fits(rule, flow);
	case PH_FLOW_SEND:
	case PH_FLOW_RECEIVE:
		return connect_fits(rule, flow) || served_fits(rule, flow);
	case PH_FLOW_BIND:
	case PH_FLOW_LISTEN:
		return local_fits(rule, flow);
	case PH_FLOW_ACCEPT:
		return served_fits(rule, flow);
	case PH_FLOW_SOCKET:
		return socket_fits(rule, flow);
	}
	return false;
}

/* What passes whatever the rules are: a socket with ports, as long as it reaches nothing. */
static bool needs_no_rule(const struct ph_flow_spec *flow)
{
	return !flow->has_socket_kind && (flow->door == PH_FLOW_SOCKET || leaves_the_port(flow));
}

static const struct ph_rule *first_fit(const struct ph_policy *policy,
				       const struct ph_flow_spec *flow)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (rule_fits(&policy->rules[i], flow))
			return &policy->rules[i];
	return NULL;
}

/* Of the rules with addresses, or of those without. */
static const struct ph_rule *fit_among(const struct ph_policy *policy,
				       const struct ph_flow_spec *flow, uint16_t port,
				       bool with_addresses)
{
	struct ph_flow_spec one = *flow;

	one.local.port = port;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct ph_rule *rule = &policy->rules[i];

		if ((rule->on.n || rule->from.n || rule->except.n) == with_addresses &&
		    rule_fits(rule, &one))
			return rule;
	}
	return NULL;
}

/* Whether every port passes: it is enough to try the ends of what rules name, and beside them. */
static const struct ph_rule *fit_every_port(const struct ph_policy *policy,
					    const struct ph_flow_spec *flow, bool with_addresses)
{
	const struct ph_rule *first = fit_among(policy, flow, 1, with_addresses);

	if (!first || !fit_among(policy, flow, 65535, with_addresses))
		return NULL;
	for (size_t i = 0; i < policy->n_rules; i++) {
		for (size_t j = 0; j < policy->rules[i].n_ranges; j++) {
			const struct ph_range *range = &policy->rules[i].ranges[j];

			if (range->lo > 1 &&
			    !fit_among(policy, flow, range->lo - 1, with_addresses))
				return NULL;
			if (range->hi < 65535 &&
			    !fit_among(policy, flow, range->hi + 1, with_addresses))
				return NULL;
		}
	}
	return first;
}

static const struct ph_rule *fit(const struct ph_policy *policy, const struct ph_flow_spec *flow)
{
	if (flow->door == PH_FLOW_LISTEN && !flow->local.port)
		return fit_every_port(policy, flow, false) ?: fit_every_port(policy, flow, true);
	return first_fit(policy, flow);
}

bool reference_allows(const struct ph_policy *policy, const struct ph_flow_spec *flow,
		      const struct ph_rule **ret_rule)
{
	struct ph_flow_spec v4 = *flow, v6 = *flow;
	const struct ph_rule *rule4, *rule6;
	bool allowed = true;

	rule4 = rule6 = NULL;
	if (!needs_no_rule(flow)) {
		/* Without a local address the wildcard is meant: the peer's, or of both families. */
		if (flow->local.family == 0) {
			v4.local.family = flow->remote.family ? flow->remote.family : 4;
			v6.local.family = flow->remote.family ? flow->remote.family : 6;
		}
		flow_settle(&v4);
		flow_settle(&v6);
		rule4 = fit(policy, &v4);
		rule6 = fit(policy, &v6);
		allowed = rule4 && rule6;
	}
	if (ret_rule)
		*ret_rule = allowed ? rule4 : NULL;
	return allowed;
}
