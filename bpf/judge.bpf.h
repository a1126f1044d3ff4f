/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_JUDGE_BPF_H
#define PH_JUDGE_BPF_H

/*
 * From a caller and what it attempts to a verdict. Every hook ends here.
 */
#include "events.bpf.h"

/*
 * Where functions are verified with their callers, one verification for all that the hooks may ask, not
 * one for each constant they put in.
 */
static __always_inline void hide_attempt(struct attempt *attempt, __u64 unknown)
{
	struct ph_flow *flow = &attempt->flow;

	flow->kind = hide(flow->kind, unknown);
	flow->udp = hide(flow->udp, unknown);
	flow->question = hide(flow->question, unknown);
	flow->nowhere = hide(flow->nowhere, unknown);
	flow->local_port = hide(flow->local_port, unknown);
	flow->remote_port = hide(flow->remote_port, unknown);
	flow->local.v6 = hide(flow->local.v6, unknown);
	flow->remote.v6 = hide(flow->remote.v6, unknown);
	for (__u32 i = 0; i < 4; i++) {
		flow->local.word[i] = hide(flow->local.word[i], unknown);
		flow->remote.word[i] = hide(flow->remote.word[i], unknown);
	}
	attempt->door = hide(attempt->door, unknown);
}

/* --- What nearly every call of a confined process asks for: a port that it was granted before */

/* A port of its own, and what is remembered of no port. */
static __always_inline __u64 *memo_at(struct ph_memos *memos, __u32 memo)
{
	return memo >> 16 ? &memos->port[memo >> 16 & (PH_MEMOS - 1)] : &memos->kinds;
}

static __always_inline __u64 memo_under(__u64 generation, __u32 memo)
{
	return generation << 32 | memo;
}

static __always_inline bool is_noted(__u64 noted, __u64 generation, __u32 memo)
{
	return !((noted ^ memo_under(generation, memo)) >> 16) && noted & (__u16)memo;
}

/* The first port of a generation stays: two that took turns would be written at each call. */
static __always_inline void note(struct ph_memos *memos, __u64 generation, __u32 memo)
{
	__u64 *place = memo_at(memos, memo), noted = *(volatile __u64 *)place;
	__u64 wanted = memo_under(generation, memo);

	if (!((noted ^ wanted) >> 16))
		wanted |= noted;
	else if (!((noted ^ wanted) >> 32))
		return;
	*(volatile __u64 *)place = wanted;
}

static __always_inline bool port_is_noted(struct ph_memos *memos, __u64 generation, __u16 port,
					  __u32 plane)
{
	return is_noted(*(volatile __u64 *)&memos->port[port & (PH_MEMOS - 1)], generation,
			ph_memo_of(port, 1 << plane));
}

/* Mirrors ph_covers_anywhere(). */
static __always_inline bool is_remembered(struct ph_memos *memos, __u64 generation,
					  const struct ph_flow *flow)
{
	__u32 udp = flow->udp & 1;

	if (ph_asks_kind(flow))
		return is_noted(*(volatile __u64 *)&memos->kinds, generation,
				ph_memo_of(0, flow->kind));
	if (ph_asks_connect(flow->question) &&
	    port_is_noted(memos, generation, flow->remote_port, PH_PLANE_CONNECT_TCP + udp))
		return true;
	return flow->question != PH_ASK_CONNECT &&
	       port_is_noted(memos, generation, flow->local_port, PH_PLANE_BIND_TCP + udp);
}

static __always_inline bool is_plainly_allowed(const struct glance *seen,
					       const struct ph_flow *flow)
{
	return seen->ids && seen->ids->count <= PH_LABEL_MAX && add_up(seen->ids) &&
	       is_remembered(memos_of(seen->ids), generation_of(seen->front), flow);
}

/* --- All the others */

enum weight {
	WEIGHT_NONE, /* the policy is gone, or its conditions do not hold */
	WEIGHT_COVERED,
	WEIGHT_MISSED,
	WEIGHT_AUDIT_MISSED,
};

static __always_inline int weigh_grant(const struct ph_grant *grant, bool covers)
{
	if (grant->mode == PH_MODE_AUDIT)
		return covers ? WEIGHT_NONE : WEIGHT_AUDIT_MISSED;
	return covers ? WEIGHT_COVERED : WEIGHT_MISSED;
}

/* One grant is enough: of the policies none is watched alone, and all are of one layer. */
static __always_inline bool one_grants(const struct who *who)
{
	return !has_feature(who, PH_FEATURE_AUDIT) && who->policies.count <= PH_LABEL_MAX &&
	       add_up(&who->policies);
}

/* What one grants is granted, unless its conditions change. */
static __always_inline bool is_lasting(const struct who *who, const struct ph_grant *grant)
{
	return has_feature(who, WHO_SETTLED) || !(grant->flags & PH_GRANT_LIVE);
}

/* What weigh() has to know of a policy besides its id. */
enum weighing {
	WEIGH_HELD = 1, /* its conditions are not asked */
	WEIGH_NOTE = 2, /* what it grants is granted */
};

/* The place of the first policy's grant is noted: the next call looks there first. */
static __always_inline const struct ph_grant *grant_of(const struct who *who,
						       struct ph_memos *memos, __u64 id)
{
	const struct ph_grant *grant = NULL;
	const __u32 *index;

	if (memos)
		grant = guess_grant(slot_of_who(who), id, *(volatile __u32 *)&memos->grant);
	if (grant)
		return grant;
	index = find_index(slot_of_who(who), id);
	if (!index)
		return NULL;
	if (memos && id == who->policies.id[0])
		*(volatile __u32 *)&memos->grant = *index;
	return guess_grant(slot_of_who(who), id, *index);
}

/* The policy at this place among those of the caller. */
PH_FUNCTION int weigh(const struct who *who, const struct attempt *attempt, struct ph_memos *memos,
		      __u64 id, __u32 weighing)
{
	const struct ph_grant *grant;
	__u32 memo;

	if (!who || !attempt)
		return WEIGHT_NONE;
	grant = grant_of(who, memos, id);
	if (!grant || !in_scope(who, grant, hide(weighing, id) & WEIGH_HELD))
		return WEIGHT_NONE;
	memo = ph_covers_anywhere(slot_of_who(who), grant, &attempt->flow);
	if (memo && memos && hide(weighing, id) & WEIGH_NOTE && is_lasting(who, grant))
		note(memos, who->generation, memo);
	return weigh_grant(grant, memo || ph_covers_there(slot_of_who(who), grant, &attempt->flow));
}

/* What the policies of a caller have said: a bit for each layer, and for each policy by its place. */
struct opinions {
	__u32 granting; /* layers */
	__u32 refusing; /* policies */
};

/* The first policy that refuses in a layer where none grants; 0: there is none. It has a stack of its own. */
PH_SUBPROGRAM __u64 find_refusing(const struct ph_ids *ids, const struct opinions *opinions)
{
	__u64 refusing = 0;

	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 grants = opinions->granting >> ph_layer_at(ids, i) & 1;
		__u64 refuses = ~ph_mask_equal(opinions->refusing >> i & ~grants & 1, 0);

		refusing |= ids->id[i] & refuses & ph_mask_equal(refusing, 0);
	}
	return refusing;
}

/*
 * Nonzero: refuse. What has no kind of socket is covered by no grant. What is granted is noted in the
 * memos, if there are any.
 */
PH_FUNCTION int judge(const struct who *who, const struct attempt *attempt, struct ph_memos *memos)
{
	struct finding finding = { .reason = PH_REASON_NO_RULE };
	struct opinions opinions = {};
	__u64 refusing, enough;
	__u32 count;

	if (!who || !attempt)
		return 0;
	enough = hide(one_grants(who) * WEIGH_NOTE, who->generation);
	finding.generation = header_at(slot_of_who(who))->generation;
	count = who->policies.count;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		if (i >= hide(count, finding.generation))
			break;
		finding.policy = who->policies.id[i];
		switch (weigh(who, attempt, memos, finding.policy,
			      (who->policies.held >> i & WEIGH_HELD) | enough)) {
		case WEIGHT_COVERED:
			if (hide(enough, finding.policy))
				return 0;
			opinions.granting |= 1u << ph_layer_at(&who->policies, i);
			break;
		case WEIGHT_MISSED:
			opinions.refusing |= 1u << i;
			break;
		case WEIGHT_AUDIT_MISSED:
			/*
			 * The LSM hooks have told it, and the second line would tell it again.
			 * What others do with its sockets is not told of an audit policy.
			 */
			if (SETTING(ph_backend) == PH_BACKEND_LSM && has_feature(who, WHO_SETTLED))
				break;
			finding.kind = PH_EVENT_AUDIT;
			record(attempt, &finding);
			break;
		}
		opinions.granting = hide(opinions.granting, finding.policy);
		opinions.refusing = hide(opinions.refusing, finding.policy);
	}
	finding.kind = PH_EVENT_DENY;
	refusing = find_refusing(&who->policies, &opinions);
	if (count > PH_LABEL_MAX) {
		finding.reason = PH_REASON_OVERFULL;
		refusing = who->policies.id[0];
	}
	if (!refusing && count <= PH_LABEL_MAX)
		return 0;
	finding.policy = refusing;
	record(attempt, &finding);
	return 1;
}

/* The caller that a glance saw, or the socket. */
static __always_inline void recognize_socket(struct who *who, const struct glance *seen)
{
	enter_generation(who, header_at(slot_of(seen->front)));
	who->policies = *seen->ids;
	if (seen->front & GLANCE_SETTLED)
		who->features |= WHO_SETTLED;
}

#ifndef PH_PACKETS
static __always_inline void recognize(struct who *who, const struct glance *seen)
{
	if (!seen->ids) {
		identify(who, slot_of(seen->front));
		return;
	}
	recognize_socket(who, seen);
	if (!has_feature(who, WHO_SETTLED))
		look_at(who, current_task());
}

static __always_inline int judge_glance(const struct glance *seen, struct attempt *attempt)
{
	struct who who;

	hide_attempt(attempt, seen->front);
	recognize(&who, seen);
	return judge(&who, attempt, memos_of(seen->ids));
}
#endif

#endif
