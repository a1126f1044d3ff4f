/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_JUDGE_BPF_H
#define PH_JUDGE_BPF_H

/*
 * From a caller and what it attempts to a verdict, its event and its count. Every hook ends here.
 */
#include "identity.bpf.h"

PH_SUBPROGRAM int count_denial(__u64 policy, __u16 door, __u16 count)
{
	struct ph_counter_key key = { .policy = policy, .door = door, .count = count };
	__u64 *value = bpf_map_lookup_elem(&ph_counters, &key);
	__u64 zero = 0;

	if (!value) {
		bpf_map_update_elem(&ph_counters, &key, &zero, PH_NOEXIST);
		value = bpf_map_lookup_elem(&ph_counters, &key);
	}
	if (!value) {
		count_health(PH_HEALTH_COUNTER_FAILED);
		return 0;
	}
	__sync_fetch_and_add(value, 1);
	return 0;
}

/* The slot of the next event, marked as being written; *ret_seq is for publish_event(). */
static __always_inline struct ph_event *claim_event(__u64 *ret_seq)
{
	__u32 zero = 0, slot;
	struct ph_event_head *head = bpf_map_lookup_elem(&ph_event_head, &zero);
	struct ph_event *event;
	__u64 seq;

	if (!head)
		return NULL;
	if (ph_has_spin_lock) {
		bpf_spin_lock(&head->lock);
		seq = head->next++;
		bpf_spin_unlock(&head->lock);
	} else {
		/* Two at once may take the same slot, and one of the events is lost. */
		__sync_fetch_and_add(&head->next, 1);
		seq = *(volatile __u64 *)&head->next - 1;
	}
	slot = seq & (PH_EVENT_SLOTS - 1);
	event = bpf_map_lookup_elem(&ph_events, &slot);
	if (!event)
		return NULL;
	*(volatile __u64 *)&event->seq = 0;
	*ret_seq = seq;
	return event;
}

static __always_inline void publish_event(struct ph_event *event, __u64 seq)
{
	*(volatile __u64 *)&event->seq = seq + 1;
}

/*
 * After the event, which who is woken must find; and after the counter, whose atomic addition keeps
 * the look at the ring from coming before the event. That it fails is no matter.
 */
PH_SUBPROGRAM int wake_readers(void)
{
	__u64 nothing = 0;

	if (bpf_ringbuf_query(&ph_wake, PH_RING_UNREAD) <= PH_WAKE_UNREAD)
		bpf_ringbuf_output(&ph_wake, &nothing, sizeof(nothing), PH_RING_WAKE);
	return 0;
}

/* One attempt at one door. */
struct attempt {
	struct ph_flow flow;
	__u16 family;
	__u16 type;
	__u16 protocol;
	__u8 door;
	__u8 count; /* enum ph_count: a call or a packet */
};

/* Begun only once somebody is concerned: that would be a tenth of what all others pay. */
static __always_inline void begin_attempt(struct attempt *attempt, __u8 door)
{
	*attempt = (struct attempt){ .door = door };
}

#ifdef PH_PACKETS
/* Packets run in the context of whoever is on the CPU: nothing may be said of a caller. */
static __always_inline void describe_caller(struct ph_event *event)
{
	event->pid = 0;
	event->tgid = 0;
	event->uid = 0;
	event->cgroup = 0;
	event->exe_inode = 0;
	event->exe_device = 0;
	__builtin_memset(event->comm, 0, sizeof(event->comm));
	__builtin_memset(event->leader, 0, sizeof(event->leader));
}
#else
#define FOLLOW(from, field) ((from) ? TASK_READ(from, field) : NULL)

static __always_inline void describe_program(struct ph_event *event, struct task_struct *task)
{
	struct mm_struct *mm = TASK_READ(task, mm);
	struct file *exe = FOLLOW(mm, exe_file);
	struct inode *inode = FOLLOW(exe, f_inode);
	struct super_block *super = FOLLOW(inode, i_sb);

	event->exe_inode = inode ? TASK_READ(inode, i_ino) : 0;
	event->exe_device = super ? TASK_READ(super, s_dev) : 0;
}

static __always_inline void describe_caller(struct ph_event *event)
{
	struct task_struct *task = current_task(), *leader = TASK_READ(task, group_leader);
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct ph_trait name;

	event->pid = pid_tgid;
	event->tgid = pid_tgid >> 32;
	event->uid = bpf_get_current_uid_gid();
	event->cgroup = bpf_get_current_cgroup_id();
	describe_program(event, task);
	read_name(&name, task);
	__builtin_memcpy(event->comm, &name, sizeof(event->comm));
	if (leader != task)
		read_name(&name, leader);
	__builtin_memcpy(event->leader, &name, sizeof(event->leader));
}
#endif

static __always_inline void describe_attempt(struct ph_event *event, const struct attempt *attempt)
{
	event->local = attempt->flow.local;
	event->remote = attempt->flow.remote;
	event->local_port = attempt->flow.local_port;
	event->remote_port = attempt->flow.remote_port;
	event->family = attempt->family;
	event->type = attempt->type;
	event->protocol = attempt->protocol;
	event->door = attempt->door;
	event->question = attempt->flow.question;
	event->backend = ph_backend;
}

/* What is said of an attempt. */
struct finding {
	__u64 policy;
	__u64 generation;
	__u8 kind; /* enum ph_event_kind */
	__u8 reason;
};

/* Counts and records a refusal; no verdict depends on it. */
PH_SUBPROGRAM int record(const struct attempt *attempt, const struct finding *finding)
{
	struct ph_event *event;
	__u64 seq;

	if (!attempt || !finding)
		return 0;
	if (finding->policy == PH_CANARY_ID)
		goto count;
	event = claim_event(&seq);
	if (!event)
		goto count;
	event->time = bpf_ktime_get_boot_ns();
	event->policy = finding->policy;
	event->generation = finding->generation;
	event->kind = finding->kind;
	event->reason = finding->reason;
	describe_attempt(event, attempt);
	describe_caller(event);
	publish_event(event, seq);
count:
	count_denial(finding->policy, attempt->door,
		     finding->kind == PH_EVENT_AUDIT ? PH_COUNT_AUDIT : attempt->count);
	return wake_readers();
}

/* The next call guesses right. Two CPUs that do it at once write the same. */
PH_SUBPROGRAM int correct_guess(struct ph_ids *ids, ph_tables slot)
{
	const __u32 *index;

	if (!ids)
		return 0;
	index = find_index(slot, ids->id[0]);
	if (index)
		*(volatile __u32 *)&ids->guess = *index;
	return 0;
}

/*
 * What nearly every call of a confined process meets: the ports alone are enough for the first of
 * its policies, whatever the addresses are. As rules and policies only add up, that ends it, unless
 * a policy in audit mode wants to hear of it. False says nothing: judge() knows.
 */
static __always_inline bool is_plainly_allowed(const struct who *who, const struct ph_flow *flow)
{
	struct ph_ids *ids = who->label;
	const struct ph_grant *grant;

	if (!ids || ids->count > PH_LABEL_MAX || who->features & PH_FEATURE_AUDIT)
		return false;
	grant = guess_grant(who->slot, ids->id[0], ids->guess);
	if (grant)
		return in_scope(who, grant) && ph_covers_anywhere(who->slot, grant, flow);
	correct_guess(ids, who->slot);
	return false;
}

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

PH_SUBPROGRAM int weigh(const struct who *who, const struct attempt *attempt, __u64 id)
{
	const struct ph_grant *grant;

	if (!who || !attempt)
		return WEIGHT_NONE;
	grant = grant_of(who, id);
	if (!grant || !in_scope(who, grant))
		return WEIGHT_NONE;
	return weigh_grant(grant, ph_covers(who->slot, grant, &attempt->flow));
}

/* Of what no rule can grant. */
PH_SUBPROGRAM int weigh_forbidden(const struct who *who, __u64 id)
{
	const struct ph_grant *grant;

	if (!who)
		return WEIGHT_NONE;
	grant = grant_of(who, id);
	if (!grant || !in_scope(who, grant))
		return WEIGHT_NONE;
	return weigh_grant(grant, false);
}

/* One verification for all that the hooks may ask, not one for each constant they put in. */
static __always_inline void hide_attempt(struct attempt *attempt, __u64 unknown)
{
	attempt->flow.kind = hide(attempt->flow.kind, unknown);
	attempt->flow.udp = hide(attempt->flow.udp, unknown);
	attempt->flow.question = hide(attempt->flow.question, unknown);
	attempt->flow.local.v6 = hide(attempt->flow.local.v6, unknown);
	attempt->flow.remote.v6 = hide(attempt->flow.remote.v6, unknown);
	attempt->door = hide(attempt->door, unknown);
}

static __always_inline int judge_by(struct who *who, struct attempt *attempt, bool grantable)
{
	struct finding finding = { .generation = who->generation, .reason = PH_REASON_NO_RULE };
	__u64 allowed = 0, missed = 0;
	__u32 count;

	copy_label(who);
	hide_attempt(attempt, who->generation);
	count = hide(who->policies.count, who->generation);
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		if (i >= count)
			break;
		finding.policy = who->policies.id[i];
		switch (grantable ? weigh(who, attempt, finding.policy) :
				    weigh_forbidden(who, finding.policy)) {
		case WEIGHT_COVERED:
			if (!(who->features & PH_FEATURE_AUDIT) && count <= PH_LABEL_MAX)
				return 0;
			allowed = 1;
			break;
		case WEIGHT_MISSED:
			missed |= finding.policy & ph_mask_equal(missed, 0); /* the first */
			break;
		case WEIGHT_AUDIT_MISSED:
			/*
			 * The LSM hooks have told it, and the second line would tell it again.
			 * What others do with its sockets is not told of an audit policy.
			 */
			if (ph_backend == PH_BACKEND_LSM && who->settled)
				break;
			finding.kind = PH_EVENT_AUDIT;
			record(attempt, &finding);
			break;
		}
		allowed = hide(allowed, finding.policy);
		missed = hide(missed, finding.policy);
	}
	finding.kind = PH_EVENT_DENY;
	if (count > PH_LABEL_MAX)
		finding.reason = PH_REASON_OVERFULL;
	else if (!missed || allowed)
		return 0;
	finding.policy = missed;
	record(attempt, &finding);
	return 1;
}

/* Nonzero: refuse. */
PH_SUBPROGRAM int judge(struct who *who, struct attempt *attempt)
{
	return judge_by(who, attempt, true);
}

/* The same, of what no rule can grant. */
PH_SUBPROGRAM int judge_forbidden(struct who *who, struct attempt *attempt)
{
	return judge_by(who, attempt, false);
}

#endif
