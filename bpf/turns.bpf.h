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

static __always_inline int enter_turn(__u64 key)
{
	__u8 one = 1;

	return bpf_map_update_elem(&ph_turns, &key, &one, PH_NOEXIST);
}

static __always_inline void leave_turn(__u64 key)
{
	bpf_map_delete_elem(&ph_turns, &key);
}

PH_FUNCTION int try_for_turn(__u32 pid)
{
	for (__u32 i = 0; i < TURN_TRIES; i++)
		if (!enter_turn(pid))
			return 1;
	return 0;
}

PH_FUNCTION int wait_a_while(__u32 pid)
{
	for (__u32 i = 0; i < TURN_ROUNDS; i++)
		if (try_for_turn(pid))
			return 1;
	return 0;
}

/*
 * False: somebody else has it, and keeps it. As long as for a lock of the kernel's whose owner has lost its virtual
 * CPU for a while: that happens.
 */
PH_FUNCTION int wait_for_turn(__u32 pid)
{
	if (!SETTING(ph_has_functions)) {
		for (__u32 i = 0; i < TURN_ROUNDS_FEW; i++)
			if (try_for_turn(pid))
				return 1;
		return 0;
	}
	for (__u32 i = 0; i < TURN_ROUNDS; i++)
		if (wait_a_while(pid))
			return 1;
	return 0;
}

static const struct fresh_label nothing_known;

static __always_inline void fill_up(struct ph_label *label)
{
	if (!label)
		return;
	*(volatile __u16 *)&label->policies.count = PH_OVERFULL;
	*(volatile __u32 *)&label->generation = 0; /* what is remembered of it does not count */
}

/* The task has what it had, and may do nothing. */
static __always_inline void shut_in(struct task_struct *task)
{
	if (!any_label_of(task))
		set_label(task, &nothing_known);
	fill_up(label_of(task));
	fill_up(mirrored_label(task));
}

/* What whoever had to go has left. If somebody else has the turn by now, that one looks again after this. */
PH_SUBPROGRAM int heed_note(struct task_struct *task, __u32 pid)
{
	__u64 note = pid | TURN_NOTE;

	if (!bpf_map_lookup_elem(&ph_turns, &note) || !try_for_turn(pid))
		return 0;
	shut_in(task);
	leave_turn(note);
	leave_turn(pid);
	return 0;
}

/* Leaves a note, unless the turn is free by now. False: whoever has it heeds the note. */
static __always_inline bool leave_note(__u32 pid)
{
	enter_turn(pid | TURN_NOTE);
	count_health(PH_HEALTH_LABEL_FAILED);
	return try_for_turn(pid);
}

/* Of an act that cannot be refused. False: another program does what is needed, and so the caller need not. */
static __always_inline bool take_turn(struct task_struct *task)
{
	__u32 pid = TASK_READ(task, pid);

	return wait_for_turn(pid) || leave_note(pid);
}

/* Where interrupts are off: whoever was preempted on this CPU would be waited for in vain. */
static __always_inline bool take_turn_at_once(struct task_struct *task)
{
	__u32 pid = TASK_READ(task, pid);

	return (SETTING(ph_has_functions) ? wait_a_while(pid) : wait_for_turn(pid)) ||
	       leave_note(pid);
}

/* It looks for a note when the turn is free: who comes later and finds it so takes it. */
static __always_inline void end_turn(struct task_struct *task)
{
	__u32 pid = TASK_READ(task, pid);

	leave_turn(pid);
	heed_note(task, pid);
}

#endif
