/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EVENTS_BPF_H
#define PH_EVENTS_BPF_H

/*
 * What is attempted, and what is counted and told of an attempt that was refused. No verdict depends
 * on anything that is done here.
 */
#include "identity.bpf.h"

/* One attempt at one door. */
struct attempt {
	struct ph_flow flow;
	__u16 family;
	__u16 type;
	__u16 protocol;
	__u8 door;
	__u8 count; /* enum ph_count: a call or a packet */
};

/*
 * What is attempted, but for the addresses: those come later, where the ports do not tell enough. All of
 * it only once somebody is concerned: that would be a tenth of what all others pay.
 */
static __always_inline void begin_attempt(struct attempt *attempt, __u8 door, __u32 family,
					  __u32 type, __u32 protocol)
{
	struct ph_flow *flow = &attempt->flow;

	attempt->door = door;
	attempt->count = PH_COUNT_ATTEMPT;
	attempt->family = family;
	attempt->type = type;
	attempt->protocol = protocol;
	flow->kind = ph_socket_kind(family, type, protocol);
	flow->udp = flow->kind == PH_SOCKET_UDP;
	flow->question = PH_ASK_SOCKET;
	flow->local_port = 0;
	flow->remote_port = 0;
	flow->nowhere = 0;
}

static __always_inline void begin_addresses(struct attempt *attempt)
{
	__builtin_memset(&attempt->flow.local, 0, sizeof(attempt->flow.local));
	__builtin_memset(&attempt->flow.remote, 0, sizeof(attempt->flow.remote));
}

PH_FUNCTION int count_denial(__u64 policy, __u16 door, __u16 count)
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
	if (SETTING(ph_has_spin_lock)) {
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
PH_FUNCTION int wake_readers(void)
{
	__u64 nothing = 0;

	if (bpf_ringbuf_query(&ph_wake, PH_RING_UNREAD) <= PH_WAKE_UNREAD)
		bpf_ringbuf_output(&ph_wake, &nothing, sizeof(nothing), PH_RING_WAKE);
	return 0;
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
	event->uid = uid_of_caller(task);
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
	event->backend = SETTING(ph_backend);
}

/* What is said of an attempt. */
struct finding {
	__u64 policy;
	__u64 generation;
	__u8 kind; /* enum ph_event_kind */
	__u8 reason;
};

/* --- Whether there is room for it */

/*
 * Nobody may push the events of others out of their slots: what is written is limited, for each policy
 * and for each user who makes calls, and of packets, which come from anywhere, for each policy and for
 * all of them. Within the first half of a burst every refusal is an event; from there on what has been
 * told a moment ago is folded; beyond the burst the rest is withheld. Both are counted, and the counters
 * of denials have every one.
 */
#define SECOND 1000000000ull

struct rate {
	__u64 interval; /* ns that an event takes to be worked off */
	__u64 burst; /* events */
};

#ifdef PH_PACKETS
static const struct rate of_policy = { SECOND, 512 }, of_owner = { SECOND / 8, 8192 };

enum {
	LIMITED_POLICY = PH_LIMITED_PACKETS,
	LIMITED_OWNER = PH_LIMITED_ALL_PACKETS,
};

static __always_inline __u64 owner_of_event(void)
{
	return 0;
}

static __always_inline __u32 process_of_event(void)
{
	return 0;
}
#else
static const struct rate of_policy = { SECOND / 16, 4096 }, of_owner = { SECOND / 64, 16384 };

enum {
	LIMITED_POLICY = PH_LIMITED_CALLS,
	LIMITED_OWNER = PH_LIMITED_USERS,
};

static __always_inline __u64 owner_of_event(void)
{
	return uid_of_caller(current_task());
}

static __always_inline __u32 process_of_event(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}
#endif

/* Two may share a place: ids of policies are hashes, and differ in all their bits. */
static __always_inline __u64 *limit_of(struct ph_lately *lately, __u32 kind, __u64 owner)
{
	return &lately->until[kind][owner & (PH_LIMITS - 1)];
}

static __always_inline __u64 time_ahead(const __u64 *limit, __u64 now)
{
	__u64 until = *(volatile const __u64 *)limit;

	return until > now ? until - now : 0;
}

/* Two at once may both find room for one; what they took is worked off all the same. */
static __always_inline void take_room(__u64 *limit, const struct rate *rate, __u64 now)
{
	if (*(volatile __u64 *)limit < now)
		*(volatile __u64 *)limit = now;
	__sync_fetch_and_add(limit, rate->interval);
}

/* What events have to differ in to be told apart. Nobody outside can make two that fall together. */
static __always_inline __u64 fingerprint(const struct attempt *attempt,
					 const struct finding *finding)
{
	const struct ph_flow *flow = &attempt->flow;
	__u64 hash = ph_hash_word(ph_seed, finding->policy);

	hash = ph_hash_word(hash, finding->generation << 16 | finding->kind << 8 | finding->reason);
	hash = ph_hash_word(hash,
			    (__u64)process_of_event() << 32 | attempt->door << 16 | flow->question);
	hash = ph_hash_word(hash, (__u64)attempt->family << 32 | (__u64)attempt->type << 16 |
					  attempt->protocol);
	hash = ph_hash_word(hash, (__u64)flow->local_port << 16 | flow->remote_port);
	for (__u32 i = 0; i < 4; i++)
		hash = ph_hash_word(hash, (__u64)flow->local.word[i] << 32 | flow->remote.word[i]);
	return hash;
}

/* Whether it has been told a moment ago; else it is noted that it is told now. */
static __always_inline bool is_repeated(struct ph_lately *lately, const struct attempt *attempt,
					const struct finding *finding, __u64 now)
{
	__u64 hash = fingerprint(attempt, finding);
	struct ph_told *told = &lately->told[hash & (PH_TOLD - 1)];

	if (told->fingerprint == hash && now < told->time + PH_TOLD_SECONDS * SECOND)
		return true;
	told->fingerprint = hash;
	told->time = now;
	return false;
}

/* Whether it is to be told; then the room is taken. Little stack is left here, for it and for the next. */
PH_SUBPROGRAM bool find_room(struct ph_lately *lately, const struct attempt *attempt,
			     const struct finding *finding)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 *policy = limit_of(lately, LIMITED_POLICY, finding->policy);
	__u64 *owner = limit_of(lately, LIMITED_OWNER, owner_of_event());
	__u64 ahead = time_ahead(policy, now);

	if (ahead >= of_policy.burst * of_policy.interval ||
	    time_ahead(owner, now) >= of_owner.burst * of_owner.interval) {
		count_health(PH_HEALTH_WITHHELD);
		return false;
	}
	if (ahead >= of_policy.burst / 2 * of_policy.interval &&
	    is_repeated(lately, attempt, finding, now)) {
		count_health(PH_HEALTH_FOLDED);
		return false;
	}
	take_room(policy, &of_policy, now);
	take_room(owner, &of_owner, now);
	return true;
}

PH_SUBPROGRAM int write_event(struct ph_lately *lately, const struct attempt *attempt,
			      const struct finding *finding)
{
	struct ph_event *event;
	__u64 seq;

	event = claim_event(&seq);
	if (!event)
		return 0;
	event->time = bpf_ktime_get_boot_ns();
	event->policy = finding->policy;
	event->generation = finding->generation;
	event->kind = finding->kind;
	event->reason = finding->reason;
	describe_attempt(event, attempt);
	describe_caller(event);
	*(volatile __u8 *)name_mark(lately, event->cgroup) = 1;
	publish_event(event, seq);
	return 0;
}

static __always_inline bool tell(const struct attempt *attempt, const struct finding *finding)
{
	struct ph_lately *lately = find_lately();

	if (!lately || !find_room(lately, attempt, finding))
		return false;
	write_event(lately, attempt, finding);
	return true;
}

/* Counts and records a refusal; no verdict depends on it. */
PH_FUNCTION int record(const struct attempt *attempt, const struct finding *finding)
{
	bool told;

	if (!attempt || !finding)
		return 0;
	told = finding->policy != PH_CANARY_ID && tell(attempt, finding);
	count_denial(finding->policy, attempt->door,
		     finding->kind == PH_EVENT_AUDIT ? PH_COUNT_AUDIT : attempt->count);
	return told ? wake_readers() : 0;
}

#endif
