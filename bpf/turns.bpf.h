/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_TURNS_BPF_H
#define PH_TURNS_BPF_H

/*
 * Turns: who reads a label, and writes what it makes of it, keeps others from doing so meanwhile, or what two
 * acts bring at one moment would be what one of them does. An entry that only one can make is a lock that
 * every kernel has, and every kind of program may take.
 *
 * A program cannot sleep, and who has the turn may have been preempted where the kernel can be: who has tried
 * for long enough leaves a note and goes. Whoever has the turn, or gets it then, finds the note: nobody knows
 * what the task would be confined by, and it may do nothing any more.
 */
#include "identity.bpf.h"

enum {
	TURN_TRIES = 256, /* which the verifier follows one by one */
	TURN_ROUNDS = 64, /* of so many tries, and as many of such rounds: a fifth of a second */
	TURN_ROUNDS_FEW = 4, /* where functions are verified with their callers */
};

#define TURN_NOTE (1ull << 32) /* the key of a note, beside the thread id */

/* What a note says; nothing, where nobody is less confined for what was missed. */
enum note {
	NOTE_NONE,
	NOTE_MISSED, /* something was missed, which counts where anything holds the task */
	NOTE_LEFT, /* the task has left what held it */
};

/* Of the numbers of more CPUs than fit, some look alike. */
static __always_inline __u8 this_cpu(void)
{
	return bpf_get_smp_processor_id();
}

static __always_inline int enter_turn(__u64 key)
{
	__u8 cpu = this_cpu();

	return bpf_map_update_elem(&ph_turns, &key, &cpu, PH_NOEXIST);
}

static __always_inline void leave_turn(__u64 key)
{
	bpf_map_delete_elem(&ph_turns, &key);
}

PH_FUNCTION int try_for_turn(__u32 turn)
{
	for (__u32 i = 0; i < TURN_TRIES; i++)
		if (!enter_turn(turn))
			return 1;
	return 0;
}

PH_FUNCTION int wait_a_while(__u32 turn)
{
	for (__u32 i = 0; i < TURN_ROUNDS; i++)
		if (try_for_turn(turn))
			return 1;
	return 0;
}

/*
 * False: somebody else has it, and keeps it. As long as for a lock of the kernel's whose owner has lost its virtual
 * CPU for a while: that happens.
 */
PH_FUNCTION int wait_for_turn(__u32 turn)
{
	if (!SETTING(ph_has_functions)) {
		for (__u32 i = 0; i < TURN_ROUNDS_FEW; i++)
			if (try_for_turn(turn))
				return 1;
		return 0;
	}
	for (__u32 i = 0; i < TURN_ROUNDS; i++)
		if (wait_a_while(turn))
			return 1;
	return 0;
}

static const struct fresh_label nothing_known;

static __always_inline void fill_up(struct ph_label *label)
{
	if (!label)
		return;
	*(volatile __u16 *)&label->policies.count = PH_OVERFULL;
	*(volatile __u16 *)&label->own |= PH_OWN_SHUT_IN;
	*(volatile __u32 *)&label->generation = 0; /* what is remembered of it does not count */
}

static __always_inline bool is_held_by_uid(struct task_struct *task, ph_tables slot)
{
	const struct cred *cred = creds_of(task);
	__u32 uid = BPF_CORE_READ(cred, uid.val);

	return brought_by_uid(slot, uid) ||
	       brought_by_uid(slot, owner_of((__u64)BPF_CORE_READ(cred, user_ns), uid));
}

static __always_inline bool is_held_there(struct task_struct *task, const struct ph_header *header)
{
	ph_tables slot = header->slot;

	if (header->features & PH_FEATURE_BY_UID && is_held_by_uid(task, slot))
		return true;
	return header->features & PH_FEATURE_BY_CGROUP &&
	       brought_by_cgroup(slot, find_known_cgroup((__u64)cgroup_of(task)));
}

/* Whether its uid or its cgroup holds a task, or will when the deadline has passed, whatever its label does. */
PH_SUBPROGRAM int is_held_by_place(struct task_struct *task, const struct ph_header *header)
{
	const struct ph_header *next = next_header(header);

	return is_held_there(task, header) || (next && is_held_there(task, next));
}

/* Likewise its name. */
static __always_inline bool is_held_by_name(struct task_struct *task,
					    const struct ph_header *header)
{
	const struct ph_header *next = next_header(header);

	return matches_by_name(header->slot, task) || (next && matches_by_name(next->slot, task));
}

/* The task has what it had, and may do nothing. */
static __always_inline void shut_in(struct task_struct *task)
{
	if (!any_label_of(task))
		set_label(task, &nothing_known);
	fill_up(label_of(task));
	fill_up(mirrored_label(task));
}

static __always_inline bool is_held_by_anything(struct task_struct *task)
{
	const struct ph_label *label = any_label_of(task);
	const struct ph_header *header = current_header();

	if (label && label->policies.count)
		return true;
	return header && (is_held_by_place(task, header) || is_held_by_name(task, header));
}

/* Nobody knows what the task would be confined by now. */
static __always_inline void heed(struct task_struct *task, __u8 says)
{
	if (says == NOTE_LEFT || is_held_by_anything(task))
		shut_in(task);
}

/* What whoever had to go has left. If somebody else has the turn by now, that one looks again after this. */
PH_SUBPROGRAM int heed_note(struct task_struct *task, __u32 turn)
{
	__u64 note = turn | TURN_NOTE;
	const __u8 *says = bpf_map_lookup_elem(&ph_turns, &note);

	if (!says || !try_for_turn(turn))
		return 0;
	heed(task, *says);
	leave_turn(note);
	leave_turn(turn);
	return 0;
}

/*
 * A turn is called by the number that the task has when it is taken: a thread that executes gets the first
 * thread's meanwhile. 0 is none.
 */
static __always_inline __u32 number_of(struct task_struct *task)
{
	return TASK_READ(task, pid);
}

/*
 * Leaves a note, unless the turn is free by now. 0: whoever has it heeds the note; or there is no room for one, as
 * there was none for the turn, and it is heeded here.
 */
PH_SUBPROGRAM __u32 leave_note(struct task_struct *task, __u32 turn, __u8 says)
{
	__u64 note = turn | TURN_NOTE;

	bpf_map_update_elem(&ph_turns, &note, &says, says == NOTE_LEFT ? PH_ANY : PH_NOEXIST);
	count_health(PH_HEALTH_LABEL_FAILED);
	if (try_for_turn(turn))
		return turn;
	if (!bpf_map_lookup_elem(&ph_turns, &note))
		heed(task, says);
	return 0;
}

/* Of an act that can be refused; 0: it must be. */
static __always_inline __u32 ask_for_turn(struct task_struct *task)
{
	__u32 turn = number_of(task);

	return wait_for_turn(turn) ? turn : 0;
}

/* Of an act that cannot be refused. 0: another program does what is needed, and so the caller need not. */
static __always_inline __u32 take_turn(struct task_struct *task)
{
	__u32 turn = number_of(task);

	return wait_for_turn(turn) ? turn : leave_note(task, turn, NOTE_MISSED);
}

/* Whether whoever has the turn took it on this CPU, and so does not go on before the caller does. */
static __always_inline bool is_taken_here(__u64 turn)
{
	const __u8 *cpu = bpf_map_lookup_elem(&ph_turns, &turn);

	return cpu && *cpu == this_cpu();
}

/* Likewise, of a move: there interrupts are off, and whoever was preempted on this CPU would be waited for in vain. */
PH_SUBPROGRAM __u32 take_turn_of_move(struct task_struct *task, __u8 says)
{
	__u32 turn = number_of(task);

	if (!is_taken_here(turn) && wait_for_turn(turn))
		return turn;
	if (says)
		return leave_note(task, turn, says);
	count_health(PH_HEALTH_LABEL_FAILED);
	return 0;
}

/* It looks for a note when the turn is free: who comes later and finds it so takes it. */
static __always_inline void end_turn(struct task_struct *task, __u32 turn)
{
	leave_turn(turn);
	heed_note(task, turn);
}

#endif
