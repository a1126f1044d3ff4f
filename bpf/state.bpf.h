/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_STATE_BPF_H
#define PH_STATE_BPF_H

/*
 * The maps that all programs share, and access to the generation in force. The loader sizes the
 * maps marked with "placeholder" and shares every map between the objects by its name.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-declarations" /* newer BTF than bpftool knows */
#include "vmlinux.h"
#pragma GCC diagnostic pop

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"

/* Constants of newer kernels than the one whose BTF made vmlinux.h. */
enum {
	PH_MAP_TASK_STORAGE = 29,
	PH_STORAGE_CREATE = 1,
	PH_NO_PREALLOC = 1,
	PH_CLONE = 512,
	PH_MMAPABLE = 1024,
	PH_ANY_SIZE = 4096, /* BPF_F_INNER_MAP */
	PH_ANY = 0,
	PH_IF_NEW = 1, /* BPF_NOEXIST */
	PH_NOEXIST = 1,
	PH_RING_UNREAD = 0, /* BPF_RB_AVAIL_DATA */
	PH_RING_WAKE = 2, /* BPF_RB_FORCE_WAKEUP */
};

#ifndef __bpf__
#include "plain.h" /* of the tests that read sockaddrs and packets without a kernel */
#else
/* Errno constants come from branches of their own: the verifier of 6.12 wants a known range. */
#define PH_ERRNO(number)                                       \
	({                                                     \
		int errno_;                                    \
		asm volatile("%0 = -" #number : "=r"(errno_)); \
		errno_;                                        \
	})

/* One of those that the loader sets, below. */
#define SETTING(name)                                                                      \
	({                                                                                 \
		__u64 setting_;                                                            \
		asm("%0 = %1 ll\n\t%0 = *(u8 *)(%0 + 0)" : "=r"(setting_) : "i"(&(name))); \
		setting_;                                                                  \
	})

/*
 * The same value, of which the verifier knows nothing: it would follow each of the values that a
 * loop has collected.
 */
static __always_inline __u64 hide(__u64 value, __u64 unknown)
{
	asm volatile("%0 ^= %1\n\t%0 ^= %1" : "+&r"(value) : "r"(unknown));
	return value;
}
#endif

#define PH_PASS 0
#define PH_DENY PH_ERRNO(1) /* EPERM */
#define PH_NO_MEMORY PH_ERRNO(12) /* ENOMEM */
#define PH_INVALID PH_ERRNO(22) /* EINVAL */
#define PH_NO_FAMILY PH_ERRNO(97) /* EAFNOSUPPORT */
#define PH_ALREADY PH_ERRNO(114) /* EALREADY */

/*
 * A function that is verified once, whatever its callers know: what they hand over by pointer is any
 * content of that size, and what it leaves there too. Kernels before 5.12 take pointers to functions of
 * their own object alone: there the loader makes it a PH_SUBPROGRAM.
 */
#define PH_FUNCTION __attribute__((noinline))

/*
 * A function that stays one, verified for each state that callers come with. `used` keeps clang from
 * dropping what it returns: r0 would hold what it likes at the end, and the verifier refuses that when
 * it is a pointer to the stack.
 */
#define PH_SUBPROGRAM static __attribute__((noinline, used))

/*
 * What the loader found out about this kernel, set between open and load. They are read by SETTING(),
 * of which clang keeps what it has read; what is volatile it would load each time.
 */
const volatile bool ph_has_task_storage = false; /* callable from the programs of this object */
const volatile bool ph_has_task_btf = false; /* bpf_get_current_task_btf, likewise */
const volatile bool ph_has_sock_from_file = false; /* bpf_sock_from_file */
const volatile bool ph_has_functions = false; /* PH_FUNCTION is what it says */
const volatile bool ph_has_spin_lock = false; /* bpf_spin_lock */
const volatile bool ph_tracepoints_preempted = false; /* and programs of theirs left out */
const volatile __u8 ph_backend = PH_BACKEND_NONE;
const volatile __u64 ph_seed = 0; /* a number that nobody knows */

/* A map of its own, which needs no look-up; the loader shares it, too. */
struct ph_front ph_front;

/* Sizes, not types: clang leaves a type that only an inner map names unfinished in BTF. */
struct trait_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* placeholder */
	__uint(key_size, sizeof(struct ph_trait));
	__uint(value_size, sizeof(struct ph_ids));
};

/* Cgroups and uids to the policies that they bring; written to while the generation is in force. */
struct place_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* placeholder */
	__uint(map_flags, PH_NO_PREALLOC);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct ph_brought));
};

/* Files of programs to the policies that they bring; written to likewise. */
struct file_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* placeholder */
	__uint(map_flags, PH_NO_PREALLOC);
	__uint(key_size, sizeof(struct ph_trait));
	__uint(value_size, sizeof(struct ph_ids));
};

struct index_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* placeholder */
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(__u32));
};

struct grant_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* placeholder */
	__uint(map_flags, PH_ANY_SIZE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct ph_grant));
};

struct chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* placeholder */
	__uint(map_flags, PH_ANY_SIZE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct ph_chunk));
};

struct prefix_map {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1); /* placeholder */
	__uint(map_flags, PH_NO_PREALLOC);
	__uint(key_size, sizeof(struct ph_prefix_key));
	__uint(value_size, sizeof(struct ph_prefix));
};

#define PH_OUTER(name, inner)                             \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, PH_SLOTS);            \
		__type(key, __u32);                       \
		__array(values, struct inner);            \
	} name SEC(".maps")

PH_OUTER(ph_traits, trait_map);
PH_OUTER(ph_places, place_map);
PH_OUTER(ph_files, file_map);
PH_OUTER(ph_index, index_map);
PH_OUTER(ph_grants, grant_map);
PH_OUTER(ph_chunks, chunk_map);
PH_OUTER(ph_prefixes, prefix_map);

/* Labels of tasks; not there before task storage is. */
struct {
	__uint(type, PH_MAP_TASK_STORAGE);
	__uint(map_flags, PH_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ph_label);
} ph_labels SEC(".maps");

/* Their mirror by thread id; that of a leader speaks for the process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, PH_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ph_label);
} ph_mirror SEC(".maps");

/* Whose label is being made anew; see turns.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(__u8));
} ph_turns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, PH_NO_PREALLOC | PH_CLONE);
	__type(key, int);
	__type(value, struct ph_sock_label);
} ph_socks SEC(".maps");

/* Cgroup id to path: of those that were there at apply, and of those made since. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PH_CGROUPS_MAX);
	__uint(map_flags, PH_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct ph_cgroup);
} ph_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, PH_NO_PREALLOC);
	__type(key, struct ph_counter_key);
	__type(value, __u64);
} ph_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PH_HEALTH_MAX);
	__type(key, __u32);
	__type(value, __u64);
} ph_health SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PH_EVENT_SLOTS);
	__uint(map_flags, PH_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ph_event);
} ph_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ph_event_head);
} ph_event_head SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ph_lately);
} ph_lately SEC(".maps");

/* The paths of cgroups that events name and that have ended: nobody can look them up any more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PH_GONE);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, PH_PATH_LEN);
} ph_gone SEC(".maps");

/* Wakes who waits for events; it carries nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* libbpf makes it a page */
} ph_wake SEC(".maps");

/* For user space alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct ph_attached_name);
	__type(value, struct ph_attached);
} ph_attached SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ph_state);
} ph_state SEC(".maps");

/* The tables of one generation, by their slot. */
typedef __u32 ph_tables;

#include "verdict.h"

static __always_inline ph_tables slot_of(__u64 front)
{
	return front & PH_FRONT_SLOT;
}

static __always_inline __u64 generation_of(__u64 front)
{
	return front >> PH_FRONT_GENERATION;
}

/* ph_front.current or, after its deadline, .fallback; 0: nothing is in force. */
static __always_inline __u64 front_after(__u64 current)
{
	if (current & PH_FRONT_DEADLINE &&
	    bpf_ktime_get_boot_ns() >= ph_front.header[slot_of(current)].deadline)
		return *(volatile __u64 *)&ph_front.fallback;
	return current;
}

static __always_inline __u64 front_in_force(void)
{
	return front_after(*(volatile __u64 *)&ph_front.current);
}

static __always_inline const struct ph_header *header_at(ph_tables slot)
{
	return &ph_front.header[slot & (PH_SLOTS - 1)];
}

/* The header in force, or NULL: no policy is. */
static __always_inline const struct ph_header *current_header(void)
{
	__u64 front = front_in_force();

	return front ? header_at(slot_of(front)) : NULL;
}

/*
 * While the header has a deadline, the one that comes after: who is let go of now must be found again
 * then. The question whether there is one is asked of the pointer. Where clang keeps the answer as 0 or 1
 * beside it, 5.10 may take the two for one after a call, and leaves out what one of them leads to.
 */
static __always_inline const struct ph_header *next_header(const struct ph_header *header)
{
	__u64 front = *(volatile __u64 *)&ph_front.fallback;
	const struct ph_header *next = header->deadline && front ? header_at(slot_of(front)) : NULL;

	asm volatile("" : "+r"(next));
	return next;
}

/* False: nothing in the tables asks for it. */
static __always_inline bool in_filter(ph_tables slot, const struct ph_trait *trait)
{
	const struct ph_filter *filter = &ph_front.filter[slot & (PH_SLOTS - 1)];
	__u64 hash = ph_trait_hash(trait), bits = ph_filter_bits(hash);

	return (filter->trait[ph_filter_word(hash)] & bits) == bits;
}

static __always_inline __u8 *place_mark(ph_tables slot, __u64 cgroup)
{
	return &ph_front.filter[slot & (PH_SLOTS - 1)].place[cgroup & (PH_FILTER_PLACES - 1)];
}

static __always_inline __u8 *mirror_mark(__u32 pid)
{
	return &ph_front.mirrored[pid & (PH_FILTER_PIDS - 1)];
}

static __always_inline const struct ph_ids *find_trait(ph_tables slot, const struct ph_trait *trait)
{
	void *map = bpf_map_lookup_elem(&ph_traits, &slot);

	return map ? bpf_map_lookup_elem(map, trait) : NULL;
}

static __always_inline struct ph_ids *find_place(ph_tables slot, __u64 key)
{
	void *map = bpf_map_lookup_elem(&ph_places, &slot);
	struct ph_brought *place = map ? bpf_map_lookup_elem(map, &key) : NULL;

	return place ? &place->policies : NULL;
}

/* The grant of an id, if it lies where it is guessed to. */
static __always_inline const struct ph_grant *guess_grant(ph_tables slot, __u64 id, __u32 guess)
{
	void *map = bpf_map_lookup_elem(&ph_grants, &slot);
	const struct ph_grant *grant = map ? bpf_map_lookup_elem(map, &guess) : NULL;

	return grant && grant->id == id ? grant : NULL;
}

static __always_inline const __u32 *find_index(ph_tables slot, __u64 id)
{
	void *map = bpf_map_lookup_elem(&ph_index, &slot);

	return map ? bpf_map_lookup_elem(map, &id) : NULL;
}

static __always_inline const struct ph_grant *find_grant(ph_tables slot, __u64 id)
{
	const __u32 *index = find_index(slot, id);

	return index ? guess_grant(slot, id, *index) : NULL;
}

static __always_inline const struct ph_chunk *ph_find_chunk(ph_tables slot, __u32 place)
{
	void *map = bpf_map_lookup_elem(&ph_chunks, &slot);

	return map ? bpf_map_lookup_elem(map, &place) : NULL;
}

static __always_inline const struct ph_prefix *ph_find_prefix(ph_tables slot,
							      const struct ph_prefix_key *key)
{
	void *map = bpf_map_lookup_elem(&ph_prefixes, &slot);

	return map ? bpf_map_lookup_elem(map, key) : NULL;
}

static __always_inline struct ph_lately *find_lately(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ph_lately, &zero);
}

static __always_inline __u8 *name_mark(struct ph_lately *lately, __u64 cgroup)
{
	return &lately->named[cgroup & (PH_FILTER_PLACES - 1)];
}

static __always_inline void count_health(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&ph_health, &which);

	if (value)
		__sync_fetch_and_add(value, 1);
}

#endif
