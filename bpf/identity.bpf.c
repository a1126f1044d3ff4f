// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeps labels true while names change, tasks are made, execute and end, and labels what already
 * runs. Tracing programs: they observe and cannot refuse. Where the LSM hooks are there as well,
 * these keep the mirror, and the hooks do what may fail.
 */
#include "cgroups.bpf.h"
#include "exe.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * Also the names of others: a write to /proc/PID/comm, and each exec. The name that goes counts
 * too: the task may have taken it before the policy came.
 */
SEC("tp_btf/task_rename")
int BPF_PROG(ph_rename, struct task_struct *task, const char *comm)
{
	const struct ph_header *header = current_header();
	struct fresh_label fresh = {};
	struct ph_trait name = {}, old;
	bool named;

	if (!header)
		return 0;
	/* An executed file's name may be longer: cut as the kernel cuts it. */
	bpf_probe_read_kernel_str(&name, sizeof(name), comm);
	mask_name(&name);
	read_name(&old, task);
	named = asks_for(header, PH_FEATURE_NAMED_EXE);
	if (!named && !any_label_of(task) && !may_bring(header, &name) && !may_bring(header, &old))
		return 0;
	add_sticky(&fresh.policies, header, &old);
	if (named)
		add_by_exe(&fresh.policies, header, BPF_CORE_READ(task, mm, exe_file), &name);
	relabel(task, &name, header, &fresh);
	return 0;
}

/* The child has its pid now, and has not run yet. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(ph_fork, struct task_struct *parent, struct task_struct *child)
{
	const struct ph_header *header = current_header();
	struct fresh_label fresh = {};
	struct ph_label *label;
	bool same_process, by_leader;

	if (!header)
		return 0;
	same_process = child->tgid == parent->tgid;
	by_leader = parent->pid == parent->tgid;
	/* A thread of a labelled leader is confined by the leader's label. */
	if (same_process && by_leader)
		return 0;
	fresh.generation = header->generation;
	label = mirrored_label(parent->pid);
	if (label)
		keep_known(&fresh.policies, &label->policies, header, 0);
	if (!same_process && !by_leader) {
		label = mirrored_label(parent->tgid);
		if (label)
			keep_known(&fresh.policies, &label->policies, header, 0);
	}
	if (!fresh.policies.count)
		return 0;
	mirror_label(child->pid, &fresh);
	return 0;
}

/*
 * A thread that executes becomes the leader and takes the leader's pid. Where there is task storage,
 * an LSM hook has made the label anew.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(ph_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	const struct ph_header *header = current_header();
	struct ph_label *label, *old = NULL;
	struct fresh_label fresh = {};
	__u32 pid = task->pid, thread = old_pid, before;
	struct ph_trait name;

	if (!header)
		return 0;
	label = mirrored_label(pid);
	if (thread != pid)
		old = mirrored_label(thread);
	if (SETTING(ph_has_task_storage)) {
		if (old)
			bpf_map_delete_elem(&ph_mirror, &thread);
		return 0;
	}
	/* One after the other: clang would compute with the pointers. */
	if (!label) {
		barrier_var(old);
		if (!old && !asks_for(header, PH_FEATURE_EXE))
			return 0;
	}
	read_name(&name, task);
	fresh.generation = header->generation;
	clear_ids(&fresh.policies, header->generation);
	if (label)
		keep_known(&fresh.policies, &label->policies, header, PH_GRANT_LEAVE);
	if (old)
		keep_known(&fresh.policies, &old->policies, header, PH_GRANT_LEAVE);
	add_sticky(&fresh.policies, header, &name);
	before = fresh.policies.count;
	add_by_exe(&fresh.policies, header, BPF_CORE_READ(bprm, file), &name);
	if (!fresh.policies.count)
		bpf_map_delete_elem(&ph_mirror, &pid);
	else if (mirror_label(pid, &fresh) && fresh.policies.count != before)
		must_not_run();
	if (old)
		bpf_map_delete_elem(&ph_mirror, &thread);
	return 0;
}

/* The leader's entry speaks for the process until its last thread is gone. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ph_exit, struct task_struct *task)
{
	__u32 pid = task->pid, tgid = task->tgid;

	if (pid != tgid)
		bpf_map_delete_elem(&ph_mirror, &pid);
	if (task->signal->live.counter == 0)
		bpf_map_delete_elem(&ph_mirror, &tgid);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(ph_cgroup_made, struct cgroup *cgroup, const char *path)
{
	const struct ph_header *header = current_header();
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	struct ph_cgroup *entry;

	if (!is_cgroup2(cgroup))
		return 0;
	bpf_map_update_elem(&ph_cgroups, &id, &unknown_cgroup, PH_ANY);
	entry = bpf_map_lookup_elem(&ph_cgroups, &id);
	hash_path(entry, cgroup);
	if (!entry || !entry->ready) {
		count_health(PH_HEALTH_CGROUP_LOST);
		return 0;
	}
	if (!header)
		return 0;
	place_for(id, entry, header);
	place_for(id, entry, next_header(header));
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(ph_cgroup_gone, struct cgroup *cgroup, const char *path)
{
	__u64 id = BPF_CORE_READ(cgroup, kn, id);

	if (!is_cgroup2(cgroup))
		return 0;
	bpf_map_delete_elem(&ph_cgroups, &id);
	unplace_cgroup(0, id);
	unplace_cgroup(1, id);
	return 0;
}

/* One record, if what sticks to the task or is asked anew at each call confines it now. */
PH_SUBPROGRAM int tell_task(struct bpf_iter__task *ctx, const struct ph_header *header,
			    const struct ph_ids *sticky)
{
	struct task_struct *task = ctx->task;
	struct ph_labelled record = {};
	struct ph_trait name;
	struct who who;

	if (!task)
		return 0;
	enter_generation(&who, header);
	look_at(&who, task);
	who.policies = *sticky;
	add_live(&who);
	add_scoped(&record.policies, &who);
	if (!record.policies.count)
		return 0;
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
	struct fresh_label fresh = {};
	struct ph_trait name;

	if (!task || !header)
		return 0;
	read_name(&name, task);
	add_by_exe(&fresh.policies, header, BPF_CORE_READ(task, mm, exe_file), &name);
	if (fresh.policies.count || any_label_of(task) || may_bring(header, &name))
		relabel(task, &name, header, &fresh);
	return tell_task(ctx, header, &fresh.policies);
}
