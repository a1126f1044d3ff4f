// SPDX-License-Identifier: GPL-2.0-or-later
#include "answer.h"

#include <errno.h>
#include <string.h>

#include "kernel/decide.h"
#include "policy/check.h"
#include "policy/reference.h"
#include "policy/resolve.h"
#include "policy/rule.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_bench, bench_done);

void bench_done(struct ph_bench *bench)
{
	image_done(&bench->image);
	policy_set_done(&bench->resolved);
}

int bench_prepare(const struct ph_policy_set *set, const struct ph_cidrs *resolvers,
		  struct ph_bench *ret, struct ph_problems *problems)
{
	cleanup_(bench_donep) struct ph_bench bench = {};
	int r = policy_set_resolve(set, resolvers, &bench.resolved);

	if (!r)
		r = image_compile(&bench.resolved, &bench.image, problems);
	if (r)
		return r;
	*ret = bench;
	bench = (struct ph_bench){};
	return 0;
}

/* --- One flow */

/* A datagram socket may be connected to whomever; it is asked for what it sends. */
static unsigned door_of(const struct ph_flow_spec *flow)
{
	static const unsigned doors[] = {
		[PH_FLOW_CONNECT] = PH_DOOR_CONNECT, [PH_FLOW_BIND] = PH_DOOR_BIND,
		[PH_FLOW_LISTEN] = PH_DOOR_LISTEN,   [PH_FLOW_ACCEPT] = PH_DOOR_ACCEPT,
		[PH_FLOW_SEND] = PH_DOOR_SEND,	     [PH_FLOW_RECEIVE] = PH_DOOR_RECEIVE,
		[PH_FLOW_SOCKET] = PH_DOOR_SOCKET,
	};

	if (flow->proto == PH_PROTO_UDP && flow->door == PH_FLOW_CONNECT)
		return PH_DOOR_SEND;
	return doors[flow->door];
}

int bench_ask(const struct ph_bench *bench, size_t position, const struct ph_flow_spec *flow,
	      struct ph_answer *ret)
{
	const struct ph_policy *policy = &bench->resolved.policies[position];
	const struct ph_grant *grant = image_find_grant(&bench->image, policy_id(policy));
	struct ph_answer answer = {};

	if (!grant)
		return -ENOTRECOVERABLE;
	answer.allows = decide_spec(&bench->image, grant, flow);
	answer.door = door_of(flow);
	if (reference_allows(policy, flow, &answer.rule) != answer.allows)
		return -ENOTRECOVERABLE;
	*ret = answer;
	return 0;
}

/* --- The rule that is missing */

static struct ph_cidr cidr_of(const struct ph_endpoint *endpoint)
{
	struct ph_cidr cidr = { .family = endpoint->family,
				.len = endpoint->family == 4 ? 32 : 128 };

	memcpy(cidr.addr, endpoint->addr, sizeof(cidr.addr));
	return cidr;
}

static bool is_wildcard(const struct ph_endpoint *endpoint)
{
	static const uint8_t zero[16];

	return !endpoint->family || !memcmp(endpoint->addr, zero, sizeof(zero));
}

/* Data is a client's, unless it is known to leave from a port that was not the kernel's choice. */
static bool is_server(const struct ph_flow_spec *flow)
{
	return flow->door == PH_FLOW_BIND || flow->door == PH_FLOW_LISTEN ||
	       flow->door == PH_FLOW_ACCEPT || (flow->door == PH_FLOW_RECEIVE && flow->local.port);
}

int flow_rule(const struct ph_flow_spec *flow, char **ret)
{
	struct ph_flow_spec meant = *flow;
	struct ph_cidr local = cidr_of(&flow->local), remote;
	bool server = is_server(flow);
	uint16_t port = server ? flow->local.port : flow->remote.port;
	struct ph_range range = { .lo = port, .hi = port };
	struct ph_rule rule = {
		.kind = PH_RULE_PORTS,
		.proto = flow->proto,
		.connect = !server,
		.bind = server,
		.ranges = &range,
		.n_ranges = 1,
	};

	if (flow->door == PH_FLOW_SOCKET && flow->has_socket_kind) {
		rule = (struct ph_rule){ .kind = PH_RULE_SOCKET, .socket = flow->socket };
	} else if (flow->door == PH_FLOW_SOCKET || !port) {
		*ret = NULL;
		return 0;
	}
	flow_settle(&meant);
	remote = cidr_of(&meant.remote);
	if (rule.bind && !is_wildcard(&flow->local))
		rule.on = (struct ph_cidrs){ &local, 1 };
	if (rule.bind && flow->remote.family)
		rule.from = (struct ph_cidrs){ &remote, 1 };
	if (rule.connect)
		rule.to = (struct ph_cidrs){ &remote, 1 };
	return rule_format(&rule, ret);
}

/* --- Expectations */

static int note_denied(const struct ph_policy *policy, const struct ph_expect *expect,
		       const char *flow, struct ph_problems *problems)
{
	cleanup_free char *rule = NULL, *remedy = NULL;
	int r = flow_rule(&expect->flow, &rule);

	if (r)
		return r;
	if (asprintf(&remedy, "%s%s",
		     rule ? "this rule would allow it: " : "no rule would allow it",
		     rule ? rule : "") < 0) {
		remedy = NULL;
		return -ENOMEM;
	}
	return problems_note(problems, PH_ERROR, policy->file, expect->line, expect->column, remedy,
			     "policy %s denies %s: no rule covers it", policy->name, flow);
}

static int note_allowed(const struct ph_policy *policy, const struct ph_expect *expect,
			const struct ph_rule *rule, const char *flow, struct ph_problems *problems)
{
	cleanup_free char *text = NULL;
	int r = rule ? rule_format(rule, &text) : 0;

	if (r)
		return r;
	if (!rule)
		return problems_note(problems, PH_ERROR, policy->file, expect->line, expect->column,
				     "expect allow",
				     "policy %s allows %s: it passes under every "
				     "policy",
				     policy->name, flow);
	return problems_note(problems, PH_ERROR, policy->file, expect->line, expect->column,
			     "narrow that rule, or expect allow",
			     "policy %s allows %s by \"%.200s\" in line %u", policy->name, flow,
			     text, rule->line);
}

static int try_expect(const struct ph_bench *bench, size_t position, const struct ph_expect *expect,
		      struct ph_problems *problems, bool *ret_holds)
{
	const struct ph_policy *policy = &bench->resolved.policies[position];
	cleanup_free char *flow = NULL;
	struct ph_answer answer;
	int r = bench_ask(bench, position, &expect->flow, &answer);

	if (r)
		return r;
	*ret_holds = answer.allows == expect->allow;
	if (*ret_holds)
		return 0;
	r = flow_format(&expect->flow, &flow);
	if (r)
		return r;
	if (expect->allow)
		return note_denied(policy, expect, flow, problems);
	return note_allowed(policy, expect, answer.rule, flow, problems);
}

int bench_expect(const struct ph_bench *bench, struct ph_problems *problems, size_t *ret_tried,
		 size_t *ret_failed)
{
	size_t tried = 0, failed = 0;

	for (size_t i = 0; i < bench->resolved.n; i++) {
		const struct ph_policy *policy = &bench->resolved.policies[i];

		for (size_t j = 0; j < policy->n_expects; j++) {
			bool holds = true;
			int r = try_expect(bench, i, &policy->expects[j], problems, &holds);

			if (r)
				return r;
			tried++;
			failed += !holds;
		}
	}
	if (ret_tried)
		*ret_tried = tried;
	if (ret_failed)
		*ret_failed = failed;
	return 0;
}
