// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The LSM hooks of tasks: labels follow them, and a confined process may not write the memory of
 * another, which would do for it what it may not do itself.
 */
#include "exe.bpf.h"
#include "refuse.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum {
	CLONE_SAME_PROCESS = 0x00010000, /* CLONE_THREAD */
	PTRACE_ATTACH = 0x02, /* PTRACE_MODE_ATTACH: more than reading what /proc tells */
};

#define CLONE_ELSEWHERE (1ull << 33) /* CLONE_INTO_CGROUP */

/* --- Labels follow tasks */

/* The label of the calling task's process and of its thread; false: it has none. */
static __always_inline bool collect_labels(struct fresh_label *into, struct task_struct *task,
					   struct task_struct *leader, ph_tables slot)
{
	struct ph_label *label = rare_label_of(leader);

	if (label) {
		into->generation = label->generation;
		into->own = label->own;
		into->policies = label->policies;
	}
	if (task != leader) {
		label = rare_label_of(task);
		if (label) {
			merge_ids(&into->policies, &label->policies, slot);
			into->generation = label->generation;
			into->own |= label->own;
		}
	}
	return into->policies.count || into->own;
}

/* Nonzero: it could not be stored. */
PH_SUBPROGRAM int inherit_label(struct task_struct *child, __u64 clone_flags)
{
	struct task_struct *task = current_task(), *leader = TASK_READ(task, group_leader);
	struct fresh_label label = {};

	/* A thread is confined by its leader's label as it is, and by its parent thread's. */
	if (clone_flags & CLONE_SAME_PROCESS) {
		if (task == leader)
			return 0;
		leader = task;
	}
	if (!collect_labels(&label, task, leader, slot_of(front_in_force())))
		return 0;
	return store_label(child, &label);
}

/*
 * A child in a cgroup that its confined parent chose, which is not said here and may be its own, is held to what
 * confines the parent. Nonzero: it cannot be.
 */
PH_SUBPROGRAM int hold_elsewhere(struct task_struct *child, const struct ph_header *header)
{
	return renew_elsewhere(child, current_task(), NULL, header, ACT_MOVE, false);
}

/* A child without its parent's label must not be. It has no pid yet: the mirror follows later. */
SEC("lsm/task_alloc")
int BPF_PROG(ph_task_alloc, struct task_struct *child, __u64 clone_flags)
{
	const struct ph_header *header;

	if (inherit_label(child, clone_flags))
		return PH_NO_MEMORY;
	if (!(clone_flags & CLONE_ELSEWHERE))
		return PH_PASS;
	header = current_header();
	if (header && is_confined(header) && hold_elsewhere(child, header))
		return PH_NO_MEMORY;
	return PH_PASS;
}

/*
 * What is left in the mirror of a task whose end nobody saw. Its number may be another's by now, who was started
 * later; and one that could not be made has no end, and its maker's number and start.
 */
SEC("lsm/task_free")
int BPF_PROG(ph_task_free, struct task_struct *task)
{
	const struct ph_label *label = mirrored_at(task->pid);

	if (label && label->born && label->born == start_of(task) && task->flags & TASK_EXITING)
		unmirror(task->pid);
	return PH_PASS;
}

/* Whether the task may have a name that its label does not know. */
static __always_inline bool has_unknown_name(struct task_struct *task, const struct ph_label *label,
					     const struct ph_header *header)
{
	if (label && label->generation == (__u32)header->generation)
		return false;
	return has_name_of_its_own(task) && matches_by_name(header->slot, task);
}

/* A name that is in no label would be gone with what the task executes. Nonzero: it could not be stored. */
PH_SUBPROGRAM int keep_unseen(struct task_struct *task, const struct ph_header *header)
{
	struct fresh_label fresh = { .generation = header->generation };
	const struct ph_label *label;
	struct ph_trait name;
	__u32 turn;
	int failed;

	if (!has_unknown_name(task, rare_label_of(task), header))
		return 0;
	turn = ask_for_turn(task);
	if (!turn)
		return -1;
	clear_ids(&fresh.policies, header->generation);
	label = label_of(task);
	if (label)
		keep_known(&fresh, label, header, 0);
	if (header->features & PH_FEATURE_LABELLED)
		fresh.own |= PH_OWN_NAME;
	if (fresh.own & PH_OWN_NAME)
		fresh.layer = PH_LAYER_NEW;
	read_name(&name, task);
	add_sticky(&fresh, header, &name);
	failed = renew_label(task, label, &fresh);
	end_turn(task, turn);
	return failed;
}

/*
 * A thread that executes becomes the leader, and the old leader's label goes with the old leader:
 * it is taken over before. What comes upon the old leader after this is in the mirror: see ph_rename.
 * Nonzero: it could not be stored.
 */
PH_SUBPROGRAM int take_from_leader(struct task_struct *task, struct task_struct *leader)
{
	struct fresh_label label = {};
	__u32 turn = ask_for_turn(task);
	int failed = 0;

	if (!turn)
		return -1;
	if (collect_labels(&label, task, leader, slot_of(front_in_force())))
		failed = set_label(task, &label);
	end_turn(task, turn);
	return failed;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(ph_exec_check, struct linux_binprm *bprm)
{
	struct task_struct *task = current_task(), *leader = TASK_READ(task, group_leader);
	const struct ph_header *header = current_header();

	if (header &&
	    (keep_unseen(leader, header) || (task != leader && keep_unseen(task, header))))
		return PH_NO_MEMORY;
	if (task == leader || !(rare_label_of(leader) || rare_label_of(task)))
		return PH_PASS;
	return take_from_leader(task, leader) ? PH_NO_MEMORY : PH_PASS;
}

/* What a process executes leaves the policies that say so, unless the new name or program is theirs as well. */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(ph_committed, struct linux_binprm *bprm)
{
	const struct ph_header *header = current_header();
	struct task_struct *task = current_task();
	struct file *file;
	__u32 turn;

	if (!header || !is_of_note(task, rare_label_of(task), header))
		return PH_PASS;
	file = BPF_CORE_READ(bprm, file);
	turn = take_turn(task);
	if (turn) {
		execute(task, file, header);
		end_turn(task, turn);
	} else if (brings_by_program(task, file, header)) {
		must_not_run();
	}
	return PH_PASS;
}

/*
 * A task that takes another real uid. Whoever was somebody's in a user namespace, or root, does so by its
 * own right; of the others only a program of root's that the administrator lets them run can, as sudo does:
 * what their uid brings ends with it, and nothing else does. Anybody may have a program of their own.
 */
static __always_inline bool is_by_program(const struct cred *old)
{
	return old->uid.val != 0 && old->euid.val == 0 && !old->user_ns->level;
}

/*
 * Whose uids were one and part by a call does that by its own right, as a setuid program is one whose uids
 * parted when it was executed: what it takes on later is no act of a program.
 */
static __always_inline bool parts(const struct cred *new, const struct cred *old)
{
	if ((old->uid.val ^ old->euid.val) | (old->uid.val ^ old->suid.val))
		return false;
	return (old->euid.val ^ new->euid.val) | (old->suid.val ^ new->suid.val);
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(ph_setuid, struct cred *new, const struct cred *old)
{
	const struct ph_header *header = current_header();
	struct task_struct *task = current_task();
	bool goes = new->uid.val != old->uid.val;
	__u32 turn, act;
	int failed;

	if (!header || !asks_for(header, PH_FEATURE_UID) || !(goes || parts(new, old)) ||
	    !is_confined(header))
		return PH_PASS;
	turn = ask_for_turn(task);
	if (!turn)
		return PH_NO_MEMORY;
	act = goes && is_by_program(old) ? ACT_PROGRAM_UID : ACT_UID;
	failed = go_from(task, task, NULL, header, act);
	end_turn(task, turn);
	return failed ? PH_NO_MEMORY : PH_PASS;
}

/* --- Another's memory */

/* Those whose conditions do not hold now, or that only watch, leave their places empty. */
PH_FUNCTION int leave_in_scope(struct who *who)
{
	if (!who)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 id = is_in_scope(who, i, WITHOUT_WATCHING) ? who->policies.id[i] : 0;

		who->policies.id[i] = hide(id, who->generation);
	}
	return 0;
}

/* For each policy of a set the bit of its layer. */
static __always_inline __u64 layers_of(const struct ph_ids *ids)
{
	__u64 layers = 0;

	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		layers |= 1ull << ph_layer_at(ids, i) & ~ph_mask_equal(ids->id[i], 0);
	return layers;
}

/* The bit of the layer of `ids` that this policy is in; 0: it is in none. */
static __always_inline __u64 layer_with(const struct ph_ids *ids, __u64 id)
{
	__u64 layer = 0;

	for (__u32 i = 0; i < PH_LABEL_MAX; i++)
		layer |= 1ull << ph_layer_at(ids, i) & ph_mask_equal(ids->id[i], id);
	return layer & ~ph_mask_equal(id, 0);
}

/*
 * Whether others may do no more than these policies grant: for each layer there is one of the others that
 * has no policy but of that layer.
 */
PH_FUNCTION int narrows(const struct ph_ids *others, const struct ph_ids *ids)
{
	__u64 covered = 0;

	if (!others || !ids)
		return 0;
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		__u64 layer = ph_layer_at(others, i), within = ~0ull;

		for (__u32 j = 0; j < PH_LABEL_MAX; j++) {
			__u64 apart = ~ph_mask_equal(ph_layer_at(others, j), layer) |
				      ph_mask_equal(others->id[j], 0);

			within &= layer_with(ids, others->id[j]) | apart;
		}
		covered |= within & ~ph_mask_equal(others->id[i], 0);
	}
	return !(layers_of(ids) & ~covered);
}

/*
 * Whether all that confines the target now leaves it no more than these policies grant. Its memory is that
 * of all its threads: what confines one of them alone does not count.
 */
PH_SUBPROGRAM int is_narrower(struct task_struct *target, const struct ph_ids *ids, ph_tables slot)
{
	struct ph_label *label = label_of(target->group_leader);
	struct who other;

	enter_generation(&other, header_at(slot));
	clear_ids(&other.policies, slot);
	look_at(&other, target);
	if (label) {
		other.policies = label->policies;
		other.own = label->own;
	}
	add_live(&other);
	leave_in_scope(&other);
	return narrows(&other.policies, ids);
}

/* What is in force, if it may confine the caller; else 0. It has a stack of its own. */
PH_SUBPROGRAM __u64 glance_at_caller(void)
{
	struct glance seen;

	return glance(&seen) ? seen.front : 0;
}

PH_SUBPROGRAM int grants_no_more(struct task_struct *target, ph_tables slot)
{
	struct who who;

	identify(&who, slot);
	leave_in_scope(&who);
	return is_narrower(target, &who.policies, slot);
}

/* NULL: it has none, or one that tells of acts alone. */
static __always_inline struct ph_label *confining_label_of(struct task_struct *task)
{
	struct ph_label *label = label_of(task);

	return label && label->policies.count ? label : NULL;
}

/* Whether the target has the caller's label, uid and cgroup. */
PH_SUBPROGRAM int is_like_caller(struct task_struct *target, ph_tables slot)
{
	struct task_struct *task = current_task();
	struct ph_label *label = confining_label_of(TASK_READ(task, group_leader));
	struct ph_label *other = confining_label_of(target->group_leader);

	if (!label != !other ||
	    (label && other && !are_held_alike(&label->policies, &other->policies)))
		return 0;
	return BPF_CORE_READ(task, cred, uid.val) == BPF_CORE_READ(target, cred, uid.val) &&
	       cgroup_of(task) == cgroup_of(target);
}

/* Where functions are verified with their callers, the verifier has no patience for more than the likeness. */
static __always_inline bool is_confined_alike(struct task_struct *target, ph_tables slot)
{
	if (SETTING(ph_has_functions))
		return grants_no_more(target, slot);
	return is_like_caller(target, slot);
}

/* Who may write another's memory may do with its sockets what it likes. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ph_ptrace, struct task_struct *target, unsigned int mode)
{
	__u64 front;

	if (!(mode & PTRACE_ATTACH))
		return PH_PASS;
	front = glance_at_caller();
	if (front && !is_confined_alike(target, slot_of(front)) &&
	    refuse_caller(PH_DOOR_PTRACE, slot_of(front), true))
		return PH_DENY;
	return PH_PASS;
}
