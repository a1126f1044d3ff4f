// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One policy -> its grant: what it allows without looking at addresses, where the rest is looked
 * up, and under which conditions it holds.
 */
#include "kernel/compile-internal.h"

#include <string.h>

static bool is_bind(enum ph_plane plane)
{
	return plane == PH_PLANE_BIND_TCP || plane == PH_PLANE_BIND_UDP;
}

static bool in_plane(const struct ph_rule *rule, enum ph_plane plane)
{
	bool udp = plane == PH_PLANE_CONNECT_UDP || plane == PH_PLANE_BIND_UDP;

	if (rule->kind != PH_RULE_PORTS || udp != (rule->proto == PH_PROTO_UDP))
		return false;
	return is_bind(plane) ? rule->bind : rule->connect;
}

static bool has_addresses(const struct ph_rule *rule, enum ph_plane plane)
{
	bool excepts = rule->except.n && (rule_except_side(rule) == SIDE_TO) == !is_bind(plane);

	return excepts || (is_bind(plane) ? rule->on.n || rule->from.n : rule->to.n > 0);
}

static int make_plane(struct builder *builder, enum ph_plane plane, struct ph_grant *grant)
{
	struct walk *walk = &builder->outer;
	int r;

	builder->spans.n = 0;
	walk->rules.n = 0;
	for (size_t i = 0; i < builder->policy->n_rules; i++) {
		const struct ph_rule *rule = &builder->policy->rules[i];

		if (!in_plane(rule, plane))
			continue;
		r = has_addresses(rule, plane) ? words_push(&walk->rules, i) :
						 spans_add_rule(builder, rule);
		if (r < 0)
			return r;
	}
	r = ports_make(builder, &grant->plain[plane]);
	if (r < 0 || !walk->rules.n)
		return r;
	walk->side = is_bind(plane) ? SIDE_ON : SIDE_TO;
	walk->scope = scope_new(builder);
	grant->scope[plane] = walk->scope;
	return scope_make(builder, walk);
}

static uint16_t sockets_of(const struct ph_policy *policy)
{
	static const uint16_t kinds[] = {
		[PH_KIND_ICMP] = PH_SOCKET_ICMP,
		[PH_KIND_RAW] = PH_SOCKET_RAW,
		[PH_KIND_PACKET] = PH_SOCKET_PACKET,
		[PH_KIND_VSOCK] = PH_SOCKET_VSOCK,
	};
	uint16_t sockets = PH_SOCKET_TCP | PH_SOCKET_UDP | PH_SOCKET_LOCAL;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct ph_rule *rule = &policy->rules[i];

		if (rule->kind == PH_RULE_SOCKET)
			sockets |= kinds[rule->socket];
		else if (rule->proto == PH_PROTO_UDP)
			sockets |= PH_SOCKET_UDP_ANSWERS;
	}
	return sockets;
}

static void make_conditions(const struct ph_policy *policy, struct ph_grant *grant)
{
	const struct ph_match *match = &policy->match;
	enum ph_trait_kind primary = primary_trait(match);

	grant->mode = policy->mode == PH_POLICY_AUDIT ? PH_MODE_AUDIT : PH_MODE_ENFORCE;
	if (policy->children == PH_CHILDREN_LEAVE)
		grant->flags |= PH_GRANT_LEAVE;
	if (match->has_uid && primary != PH_TRAIT_UID) {
		grant->flags |= PH_GRANT_UID;
		grant->uid = match->uid;
	}
	if (match->cgroup && primary != PH_TRAIT_CGROUP) {
		grant->flags |= PH_GRANT_CGROUP;
		grant->cgroup = cgroup_path_hash(match->cgroup, &grant->cgroup_level);
	}
	if (primary == PH_TRAIT_CGROUP || primary == PH_TRAIT_UNIT)
		grant->flags |= PH_GRANT_BY_CGROUP;
	if (match->unit && primary != PH_TRAIT_UNIT) {
		grant->flags |= PH_GRANT_UNIT;
		grant->unit = component_hash(match->unit, strlen(match->unit));
	}
}

int grant_make(struct builder *builder, const struct ph_policy *policy, uint64_t id,
	       struct ph_grant *grant)
{
	*grant = (struct ph_grant){ .id = id };
	make_conditions(policy, grant);
	grant->sockets = sockets_of(policy);
	if (grant->flags & PH_GRANT_UID)
		builder->image.header.features |= PH_FEATURE_UID;
	if (grant->flags & (PH_GRANT_CGROUP | PH_GRANT_UNIT))
		builder->image.header.features |= PH_FEATURE_CGROUP;
	if (grant->mode == PH_MODE_AUDIT)
		builder->image.header.features |= PH_FEATURE_AUDIT;
	builder->policy = policy;
	for (int plane = 0; plane < PH_PLANES; plane++) {
		int r = make_plane(builder, plane, grant);

		if (r < 0)
			return r;
	}
	return 0;
}
