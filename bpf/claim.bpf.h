/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CLAIM_BPF_H
#define PH_CLAIM_BPF_H

/*
 * Labels by id. Whoever shows the kernel the secret that user space has left in the front, an address and a
 * port, is labelled with the policy there: as a further layer if it is confined. Only a process of porthold knows
 * these, for a moment, and the first to come is the only one. The call itself goes on as it would.
 * The LSM hooks see it where an option of a socket is asked for that nobody has, the others at bind.
 */
#include "acts.bpf.h"

static __always_inline bool is_claimed(__u32 address, __u16 port)
{
	const volatile struct ph_claim *claim = &ph_front.claim;

	return claim->id && claim->address == address && claim->port == port;
}

/* The id goes first, so that nobody comes upon it twice; it stays where the label cannot be stored. */
PH_FUNCTION int take_claim(ph_tables slot, __u32 layer)
{
	volatile struct ph_claim *claim = &ph_front.claim;
	struct task_struct *task = current_task(), *leader = TASK_READ(task, group_leader);
	struct ph_label *label = label_of(leader);
	struct fresh_label fresh = {};
	__u64 id = claim->id;

	claim->id = 0;
	clear_ids(&fresh.policies, id);
	fresh.generation = header_at(slot)->generation;
	if (label) {
		fresh.own = label->own;
		fresh.policies = label->policies;
	}
	add_id(&fresh.policies, id, layer & 15, 0);
	mark_overfull(&fresh.policies, fresh.policies.count);
	if (set_label(leader, &fresh))
		claim->id = id;
	return 0;
}

/* True: the call was the claim, and is nothing else. */
static __always_inline bool claim(__u32 address, __u16 port)
{
	struct task_struct *task, *leader;
	struct glance seen;
	__u32 layer, turn;

	if (!is_claimed(address, port))
		return false;
	layer = glance(&seen) && !has_acts_alone(&seen) ? PH_LAYER_NEW : PH_LAYER_BASE;
	seen.front = front_in_force();
	task = current_task();
	leader = TASK_READ(task, group_leader);
	turn = seen.front ? ask_for_turn(leader) : 0;
	if (turn) {
		take_claim(slot_of(seen.front), layer);
		end_turn(leader, turn);
	}
	return true;
}

#endif
