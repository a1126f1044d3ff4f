/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_REFUSE_BPF_H
#define PH_REFUSE_BPF_H

/* What no rule can grant: whoever is confined is refused it. */
#include "judge.bpf.h"

/* No grant covers it: what a policy says of it depends on its mode and its conditions alone. */
PH_FUNCTION int weigh_refusal(const struct who *who, __u64 id, __u32 held)
{
	const struct ph_grant *grant = who ? find_grant(slot_of_who(who), id) : NULL;

	return grant && in_scope(who, grant, held) ? weigh_grant(grant, false) : WEIGHT_NONE;
}

/* A caller that may be confined. Nonzero: refuse. Where it is not to be told, no audit policy is either. */
PH_FUNCTION int refuse_caller(__u8 door, ph_tables slot, bool told)
{
	struct finding finding = { .reason = PH_REASON_NO_RULE, .kind = PH_EVENT_AUDIT };
	struct attempt attempt = { .door = door };
	__u64 missed = 0;
	struct who who;

	if (!identify(&who, slot))
		return 0;
	finding.generation = header_at(slot)->generation;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		int weight;

		finding.policy = who.policies.id[i];
		weight = weigh_refusal(&who, finding.policy, who.policies.held >> i & 1);
		if (weight == WEIGHT_AUDIT_MISSED && told)
			record(&attempt, &finding);
		if (weight == WEIGHT_MISSED)
			missed |= finding.policy & ph_mask_equal(missed, 0); /* the first */
		missed = hide(missed, finding.policy);
	}
	finding.kind = PH_EVENT_DENY;
	if (who.policies.count > PH_LABEL_MAX) {
		finding.reason = PH_REASON_OVERFULL;
		missed = who.policies.id[0];
	}
	if (!missed && who.policies.count <= PH_LABEL_MAX)
		return 0;
	finding.policy = missed;
	if (told)
		record(&attempt, &finding);
	return 1;
}

static __always_inline int refuse(__u8 door)
{
	struct glance seen;

	if (glance(&seen) && refuse_caller(door, slot_of(seen.front), true))
		return PH_DENY;
	return PH_PASS;
}

/* Where the caller has asked for nothing that fails. */
static __always_inline int refuse_quietly(__u8 door)
{
	struct glance seen;

	if (glance(&seen) && refuse_caller(door, slot_of(seen.front), false))
		return PH_DENY;
	return PH_PASS;
}

/* False: no policy confines the caller. Asked before what takes longer to find out. */
static __always_inline bool may_be_confined(void)
{
	struct glance seen;

	return glance(&seen);
}

#endif
