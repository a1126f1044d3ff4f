// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeps labels true while names change, tasks are made, execute and end, and labels what already
 * runs. Tracing programs: they observe and cannot refuse. Where the LSM hooks are there as well,
 * these keep the mirror, and the hooks do what may fail.
 */
#include "acts.bpf.h"
#include "cgroups.bpf.h"
#include "exe.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * What a task has. A thread that executes has the old leader's pid by now, and under that the mirror has
 * what came upon the leader after its label was taken over, as by a move.
 */
static __always_inline void keep_own(struct who *who, struct task_struct *task,
				     const struct ph_label *label, const struct ph_header *header)
{
	const struct ph_label *there = NULL;

	if (label)
		keep_known(&who->label, label, header, 0);
	if (SETTING(ph_has_task_storage))
		there = mirrored_label(task);
	if (there && label != there)
		keep_known(&who->label, there, header, 0);
}

/*
 * The label of a task after a change of its name: what it has, what the name brings that it had, and, as
 * a further layer if the caller is confined, what the new one does.
 */
PH_SUBPROGRAM int rename_to(struct task_struct *task, const struct ph_trait *name,
			    const struct ph_trait *old, const struct ph_header *header,
			    bool confined)
{
	struct ph_label *label = any_label_of(task);
	struct who who;
	__u32 kept;

	enter_generation(&who, header);
	clear_ids(&who.policies, header->generation);
	keep_own(&who, task, label, header);
	who.label.layer = may_be_unseen(task, header) ? PH_LAYER_NEW : PH_LAYER_BASE;
	add_sticky(&who.label, header, old);
	kept = who.policies.count;
	who.label.layer = PH_LAYER_BASE;
	if (confined) {
		who.own |= PH_OWN_NAME;
		who.label.layer = PH_LAYER_NEW;
	}
	add_sticky(&who.label, header, name);
	if (asks_for(header, PH_FEATURE_NAMED_EXE))
		add_by_exe(&who.label, header, BPF_CORE_READ(task, mm, exe_file), name);
	if (confined) {
		look_at_caller(&who);
		set_unmet_apart(&who, kept);
	}
	return renew_label(task, label, &who.label);
}

/* Whoever is moved by somebody whom nothing confines, and unseen, has what it had. */
static __always_inline __u8 note_of(__u32 act)
{
	return act == ACT_MOVE ? NOTE_LEFT : NOTE_NONE;
}

/* If the caller is confined, whom it moves is held to what confines that one now. */
static __always_inline __u32 act_of_mover(const struct ph_header *header)
{
	return is_confined(header) ? ACT_MOVE : ACT_MOVED;
}

/*
 * Also the names of others: a write to /proc/PID/comm. The name that goes counts too: the task may have
 * taken it before the policy came, or when nobody saw it. In an exec the new name belongs to the new program,
 * and is looked at with it.
 */
SEC("tp_btf/task_rename")
int BPF_PROG(ph_rename, struct task_struct *task, const char *comm)
{
	const struct ph_header *header = current_header();
	bool executes = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) && task == current_task();
	struct ph_trait name = {}, old;
	struct glance seen;
	__u32 turn;

	if (!header)
		return 0;
	/* An executed file's name may be longer: cut as the kernel cuts it. */
	bpf_probe_read_kernel_str(&name, sizeof(name), comm);
	mask_name(&name);
	read_name(&old, task);
	if (!glance(&seen) && !asks_for(header, PH_FEATURE_NAMED_EXE) && !rare_label_of(task) &&
	    !mirrored_label(task) && !may_bring(header, &name) && !may_bring(header, &old))
		return 0;
	turn = take_turn(task);
	if (!turn)
		return 0;
	rename_to(task, executes ? &old : &name, &old, header, is_confined(header));
	end_turn(task, turn);
	return 0;
}

/*
 * What one task has from another. Only what all have matched under the generation in force tells all that
 * the names bring under it.
 */
static __always_inline void take_label(struct fresh_label *fresh, const struct ph_label *label,
				       const struct ph_header *header)
{
	__u32 current;

	if (!label)
		return;
	keep_known(fresh, label, header, 0);
	current = ph_mask_equal(label->generation, (__u32)header->generation);
	fresh->generation = (fresh->generation & current) | (label->generation & ~current);
}

/*
 * The child has what its parent had when the child was begun, and gets what came upon the parent since, by a
 * move or as policies were applied; and so does the mirror. A thread of a labelled leader is confined by
 * the leader's label.
 */
PH_SUBPROGRAM int inherit(struct task_struct *parent, struct task_struct *child,
			  const struct ph_header *header)
{
	bool same_process = child->tgid == parent->tgid, by_leader = parent->pid == parent->tgid;
	struct fresh_label fresh = { .generation = header->generation };
	struct ph_label *own = NULL;

	clear_ids(&fresh.policies, header->generation);
	if (SETTING(ph_has_task_storage))
		own = bpf_task_storage_get(&ph_labels, child, NULL, 0);
	take_label(&fresh, own, header);
	if (!same_process && !by_leader)
		take_label(&fresh, label_of(parent->group_leader), header);
	if (!same_process || !by_leader)
		take_label(&fresh, label_of(parent), header);
	if (!fresh.policies.count && !fresh.own)
		return 0;
	if (!own || !are_held_alike(&own->policies, &fresh.policies))
		store_label(child, &fresh);
	return mirror_label(child, &fresh);
}

static __always_inline bool has_what_to_inherit(struct task_struct *parent,
						struct task_struct *child)
{
	return rare_label_of(child) || rare_label_of(parent) || rare_label_of(parent->group_leader);
}

/*
 * The child has its pid now, and has not run yet. Whoever had that pid before it has left nothing. It may
 * have been made in another cgroup than its parent's.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(ph_fork, struct task_struct *parent, struct task_struct *child)
{
	const struct ph_header *header = current_header();
	bool inherits, elsewhere;
	__u32 turn;

	unmirror(child->pid);
	if (!header)
		return 0;
	inherits = has_what_to_inherit(parent, child);
	elsewhere = (inherits || asks_for(header, PH_FEATURE_CGROUP | PH_FEATURE_UID)) &&
		    cgroup_of(child) != cgroup_of(parent);
	turn = elsewhere || inherits ? take_turn(child) : 0;
	if (!turn)
		return 0;
	inherit(parent, child, header);
	if (elsewhere)
		go_from(child, parent, cgroup_of(child), header, act_of_mover(header));
	end_turn(child, turn);
	return 0;
}

/* The label of the process, in the mirror, and that of the thread which takes the leader's place. */
PH_SUBPROGRAM int take_over(struct task_struct *task, const struct ph_label *label,
			    const struct ph_header *header)
{
	struct fresh_label fresh = { .generation = header->generation };

	clear_ids(&fresh.policies, header->generation);
	take_label(&fresh, mirrored_label(task), header);
	take_label(&fresh, label, header);
	return mirror_label(task, &fresh);
}

/* Where no LSM hook does it. The label is that of the thread which takes the leader's place, if one does. */
static __always_inline void execute_alone(struct task_struct *task, const struct ph_label *old,
					  struct file *file, const struct ph_header *header)
{
	__u32 turn = take_turn(task);

	if (turn) {
		if (old)
			take_over(task, old, header);
		execute(task, file, header);
		end_turn(task, turn);
	} else if (brings_by_program(task, file, header)) {
		must_not_run();
	}
}

/*
 * A thread that executes becomes the leader and takes the leader's pid. Where there is task storage,
 * an LSM hook has made the label anew.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(ph_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	const struct ph_header *header = current_header();
	__u32 pid = task->pid, thread = old_pid;
	struct ph_label *old = NULL;

	if (!header)
		return 0;
	if (thread != pid)
		old = mirrored_at(thread);
	if (!SETTING(ph_has_task_storage) && is_of_note(task, old ?: mirrored_label(task), header))
		execute_alone(task, old, BPF_CORE_READ(bprm, file), header);
	if (old)
		unmirror(thread);
	return 0;
}

/* The leader's entry speaks for the process until its last thread is gone. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ph_exit, struct task_struct *task)
{
	__u32 pid = task->pid, tgid = task->tgid;

	if (pid != tgid)
		unmirror(pid);
	if (task->signal->live.counter == 0)
		unmirror(tgid);
	return 0;
}

/*
 * Whether the task is moved there. A child gets the cgroup that it is made in by the same function, but no migration
 * has prepared that.
 */
static __always_inline bool is_migration(struct task_struct *task, struct css_set *to)
{
	return task->cgroups->mg_dst_cset == to;
}

/* Where it goes; NULL: it stays in its cgroup, as others of its cgroups change. */
static __always_inline struct cgroup *find_goal(struct task_struct *task, struct css_set *to)
{
	struct cgroup *goal = BPF_CORE_READ(to, dfl_cgrp);

	return cgroup_of(task) == goal ? NULL : goal;
}

/*
 * Whether the move changes what confines the task. Of whom somebody moves that nothing confines, only labels
 * change, where these ask for a cgroup.
 */
PH_SUBPROGRAM int is_move_of_note(struct task_struct *task, const struct ph_header *header,
				  __u32 act)
{
	const struct ph_label *label = any_label_of(task);

	if (act == ACT_MOVED)
		return label && asks_for(header, PH_FEATURE_CGROUP);
	return label || any_label_of(TASK_READ(task, group_leader)) || is_of_caller(task) ||
	       is_held_by_place(task, header);
}

static __always_inline void move_thread(struct task_struct *task, struct cgroup *goal,
					const struct ph_header *header, __u32 act)
{
	__u32 turn = is_move_of_note(task, header, act) ? take_turn_of_move(task, note_of(act)) : 0;

	if (!turn)
		return;
	if (go_from(task, task, goal, header, act) && act == ACT_MOVE && !mirrored_label(task))
		must_not_run(); /* whoever moves it must not, where its label is nowhere */
	end_turn(task, turn);
}

/* Between these, threads are moved one by one as well. */
static __always_inline bool are_of_one_domain(const struct cgroup *one, const struct cgroup *other)
{
	return BPF_CORE_READ(one, dom_cgrp) == BPF_CORE_READ(other, dom_cgrp);
}

/*
 * A first thread that has ended stays in its cgroup, and nobody moves it. Its label speaks for the process all
 * the same, and goes with the others. Where a thread may go alone, those that stay keep what it has.
 */
static __always_inline void move_ended(struct task_struct *task, struct cgroup *goal,
				       const struct ph_header *header, __u32 act)
{
	struct task_struct *leader = TASK_READ(task, group_leader);
	__u32 turn;

	if (leader == task || !(TASK_READ(leader, flags) & TASK_EXITING) || !any_label_of(leader))
		return;
	if (act == ACT_MOVED && are_of_one_domain(cgroup_of(task), goal))
		return;
	turn = take_turn_of_move(leader, note_of(act));
	if (!turn)
		return;
	go_from(leader, task, goal, header, act);
	end_turn(leader, turn);
}

/*
 * Where ph_fork may be left out, a child gets here what it gets there: its maker may have been moved since the child
 * was begun. Nobody is preempted here.
 */
static __always_inline void begin_child(struct task_struct *child)
{
	struct task_struct *parent = current_task();
	const struct ph_header *header = current_header();
	__u32 turn;

	unmirror(child->pid);
	if (!header || !has_what_to_inherit(parent, child))
		return;
	turn = take_turn_of_move(child, NOTE_MISSED);
	if (!turn)
		return;
	inherit(parent, child, header);
	end_turn(child, turn);
}

/*
 * Before a task gets another cgroup: the tracepoint comes after it, when nobody knows any more where it
 * was. This is called for each thread, as threads may be in cgroups of their own. On kernels that do not
 * let this function be traced, leaving by its own act is an open door.
 */
SEC("fentry/cgroup_move_task")
int BPF_PROG(ph_move, struct task_struct *task, struct css_set *to)
{
	const struct ph_header *header;
	struct cgroup *goal;
	__u32 act;

	if (!is_migration(task, to)) {
		if (SETTING(ph_tracepoints_preempted))
			begin_child(task);
		return 0;
	}
	goal = find_goal(task, to);
	header = goal ? current_header() : NULL;
	if (!header)
		return 0;
	act = act_of_mover(header);
	if (SETTING(ph_has_functions))
		move_ended(task, goal, header, act);
	move_thread(task, goal, header, act);
	return 0;
}

/* The rest of it, for kernels that would follow too much in one program. */
SEC("fentry/cgroup_move_task")
int BPF_PROG(ph_move_ended, struct task_struct *task, struct css_set *to)
{
	struct cgroup *goal = is_migration(task, to) ? find_goal(task, to) : NULL;
	const struct ph_header *header = goal ? current_header() : NULL;

	if (header)
		move_ended(task, goal, header, act_of_mover(header));
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(ph_cgroup_made, struct cgroup *cgroup, const char *path)
{
	const struct ph_header *header = current_header();
	__u64 id = BPF_CORE_READ(cgroup, kn, id), above_id;
	struct ph_cgroup *entry, *above;
	bool delegated = is_made_by_user();

	if (!is_cgroup2(cgroup))
		return 0;
	above_id = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	if (admits_cgroup(delegated))
		bpf_map_update_elem(&ph_cgroups, &id, &unknown_cgroup, PH_ANY);
	entry = bpf_map_lookup_elem(&ph_cgroups, &id);
	above = bpf_map_lookup_elem(&ph_cgroups, &above_id);
	if (!extend_path(entry, above, (__u64)BPF_CORE_READ(cgroup, kn, name)))
		hash_path(entry, cgroup);
	if (!entry || !entry->ready) {
		lose_cgroup(id);
		return 0;
	}
	count_cgroup(entry, delegated);
	if (!header)
		return 0;
	place_for(id, entry, header, above_id);
	place_for(id, entry, next_header(header), above_id);
	return 0;
}

/* Of those alone that events name: whoever makes and removes cgroups in a loop pushes none out. */
static __always_inline void keep_path(__u64 id, const char *path)
{
	struct ph_lately *lately = find_lately();
	char text[PH_PATH_LEN] = {};

	if (!lately || !*name_mark(lately, id))
		return;
	*name_mark(lately, id) = 0;
	if (bpf_probe_read_kernel_str(text, sizeof(text), path) < (long)sizeof(text))
		bpf_map_update_elem(&ph_gone, &id, text, PH_ANY);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(ph_cgroup_gone, struct cgroup *cgroup, const char *path)
{
	__u64 id = BPF_CORE_READ(cgroup, kn, id);

	if (!is_cgroup2(cgroup))
		return 0;
	keep_path(id, path);
	forget_cgroup(id);
	unplace_cgroup(0, id);
	unplace_cgroup(1, id);
	return 0;
}

/* Whether its process, its uid or its cgroup may confine a task that its label does not. */
static __always_inline bool is_held_otherwise(struct task_struct *task,
					      const struct ph_header *header)
{
	struct task_struct *leader = TASK_READ(task, group_leader);
	struct ph_label *label = leader == task ? NULL : any_label_of(leader);

	return asks_for(header, PH_FEATURE_BY_UID | PH_FEATURE_BY_CGROUP) ||
	       (label && label->policies.count);
}

/* What a name brings that is in no label, after all have been labelled, was taken when nobody saw it. */
static __always_inline void add_live_name(struct fresh_label *fresh, struct task_struct *task,
					  const struct ph_header *header,
					  const struct ph_trait *name)
{
	bool own = fresh->own & PH_OWN_NAME, unseen = may_be_unseen(task, header);
	__u32 before = fresh->policies.count;

	fresh->layer = own || unseen ? PH_LAYER_NEW : PH_LAYER_BASE;
	add_sticky(fresh, header, name);
	if (fresh->policies.count != before && unseen)
		fresh->own |= PH_OWN_NAME;
	if (!own && !asks_for(header, PH_FEATURE_NAMED_EXE))
		fresh->layer = PH_LAYER_BASE;
}

/*
 * What a task's name or program brings now, and did not before, it has through no act of its own, unless
 * it took these while it was confined.
 */
PH_SUBPROGRAM int label_running(struct task_struct *task, const struct ph_header *header)
{
	struct fresh_label fresh = { .generation = header->generation };
	struct ph_label *label = any_label_of(task);
	struct ph_trait name;

	clear_ids(&fresh.policies, header->generation);
	if (label)
		keep_known(&fresh, label, header, 0);
	if (!fresh.policies.count && !is_held_otherwise(task, header))
		fresh.own = 0; /* nothing confines it, so nothing was its act */
	read_name(&name, task);
	add_live_name(&fresh, task, header, &name);
	add_by_exe(&fresh, header, BPF_CORE_READ(task, mm, exe_file), &name);
	return renew_label(task, label, &fresh);
}

/* What is told of a task, but for what tell_place() tells. */
struct task_record {
	__u32 pid;
	__u32 tgid;
	__u8 comm[PH_COMM_LEN];
	struct ph_ids policies;
};

_Static_assert(sizeof(struct ph_labelled) == sizeof(struct task_record) + 2 * sizeof(__u64),
	       "ph_labelled");

/* The head of a record. It takes the place of what is not needed any more: the stack is full. */
static __always_inline void tell_place(struct bpf_iter__task *ctx, struct task_struct *task,
				       struct who *done)
{
	done->cgroup = sizeof(struct ph_labelled);
	bpf_seq_write(ctx->meta->seq, &done->cgroup, sizeof(done->cgroup));
	done->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	bpf_seq_write(ctx->meta->seq, &done->cgroup, sizeof(done->cgroup));
}

/* One record, if what sticks to the task or is asked anew at each call confines it now. */
PH_SUBPROGRAM int tell_task(struct bpf_iter__task *ctx, struct task_struct *task,
			    const struct ph_header *header)
{
	struct ph_label *label = any_label_of(task);
	struct task_record record = {};
	struct ph_trait name;
	struct who who;

	enter_generation(&who, header);
	clear_ids(&who.policies, header->generation);
	look_at(&who, task);
	if (label) {
		who.policies = label->policies;
		who.own = label->own;
	}
	add_live(&who);
	add_scoped(&record.policies, &who);
	if (!record.policies.count)
		return 0;
	tell_place(ctx, task, &who);
	record.pid = task->pid;
	record.tgid = task->tgid;
	read_name(&name, task);
	__builtin_memcpy(record.comm, &name, sizeof(record.comm));
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

/* Labels every task that runs, and tells of each that is confined. */
SEC("iter/task")
int ph_label_tasks(struct bpf_iter__task *ctx)
{
	const struct ph_header *header = current_header();
	struct task_struct *task = ctx->task;
	__u32 turn = 0;

	if (!task || !header || has_ended(task))
		return 0;
	if (is_of_note(task, any_label_of(task), header))
		turn = take_turn(task);
	if (turn) {
		label_running(task, header);
		end_turn(task, turn);
	}
	return tell_task(ctx, task, header);
}
