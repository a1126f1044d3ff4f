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
	PH_NOEXIST = 1,
	PH_RING_UNREAD = 0, /* BPF_RB_AVAIL_DATA */
	PH_RING_WAKE = 2, /* BPF_RB_FORCE_WAKEUP */
};

/* Errno constants come from branches of their own: the verifier of 6.12 wants a known range. */
#define PH_ERRNO(number)                                       \
	({                                                     \
		int errno_;                                    \
		asm volatile("%0 = -" #number : "=r"(errno_)); \
		errno_;                                        \
	})
#define PH_PASS 0
#define PH_DENY PH_ERRNO(1) /* EPERM */
#define PH_NO_MEMORY PH_ERRNO(12) /* ENOMEM */
#define PH_INVALID PH_ERRNO(22) /* EINVAL */

/*
 * A function that stays one. `used` keeps clang from dropping what it returns: r0 would hold what it
 * likes at the end, and the verifier refuses that when it is a pointer to the stack.
 */
#define PH_SUBPROGRAM static __attribute__((noinline, used))

/*
 * The same value, of which the verifier knows nothing: it would follow each of the values that a
 * loop has collected.
 */
static __always_inline __u64 hide(__u64 value, __u64 unknown)
{
	asm volatile("%0 ^= %1\n\t%0 ^= %1" : "+&r"(value) : "r"(unknown));
	return value;
}

/* What the loader found out about this kernel, set between open and load. */
const volatile bool ph_has_task_storage = false; /* callable from the programs of this object */
const volatile bool ph_has_task_btf = false; /* bpf_get_current_task_btf, likewise */
const volatile bool ph_has_sock_from_file = false; /* bpf_sock_from_file */
const volatile bool ph_has_spin_lock = false; /* bpf_spin_lock */
const volatile bool ph_has_labels = false; /* labels are kept on this host at all */
const volatile __u8 ph_backend = PH_BACKEND_NONE;

/* Sizes, not types: clang leaves a type that only an inner map names unfinished in BTF. */
struct header_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct ph_header));
};

struct trait_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* placeholder */
	__uint(key_size, sizeof(struct ph_trait));
	__uint(value_size, sizeof(struct ph_ids));
};

/* Cgroup id to the policies that the place brings; written to while the generation is in force. */
struct place_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* placeholder */
	__uint(map_flags, PH_NO_PREALLOC);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct ph_ids));
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

#define PH_OUTER(name, inner, entries)                    \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, entries);             \
		__type(key, __u32);                       \
		__array(values, struct inner);            \
	} name SEC(".maps")

PH_OUTER(ph_current, header_map, PH_CURRENT_MAX);
PH_OUTER(ph_traits, trait_map, 2);
PH_OUTER(ph_places, place_map, 2);
PH_OUTER(ph_files, file_map, 2);
PH_OUTER(ph_index, index_map, 2);
PH_OUTER(ph_grants, grant_map, 2);
PH_OUTER(ph_chunks, chunk_map, 2);
PH_OUTER(ph_prefixes, prefix_map, 2);

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

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, PH_NO_PREALLOC | PH_CLONE);
	__type(key, int);
	__type(value, struct ph_sock_label);
} ph_socks SEC(".maps");

/* Cgroup id to path: of those that were there at apply, and of those made since. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
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

static __always_inline const struct ph_header *header_at(__u32 entry)
{
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&ph_current, &entry);

	return map ? bpf_map_lookup_elem(map, &zero) : NULL;
}

/* The header in force, or NULL: no policy is. */
static __always_inline const struct ph_header *current_header(void)
{
	const struct ph_header *header = header_at(PH_CURRENT);

	if (header && header->deadline && bpf_ktime_get_boot_ns() >= header->deadline)
		return header_at(PH_FALLBACK);
	return header;
}

/*
 * While the header has a deadline, the one that comes after: who is let go of now must be found again
 * then.
 */
static __always_inline const struct ph_header *next_header(const struct ph_header *header)
{
	return header->deadline ? header_at(PH_FALLBACK) : NULL;
}

static __always_inline const struct ph_ids *find_trait(ph_tables slot, const struct ph_trait *trait)
{
	void *map = bpf_map_lookup_elem(&ph_traits, &slot);

	return map ? bpf_map_lookup_elem(map, trait) : NULL;
}

static __always_inline const struct ph_ids *find_place(ph_tables slot, __u64 cgroup)
{
	void *map = bpf_map_lookup_elem(&ph_places, &slot);

	return map ? bpf_map_lookup_elem(map, &cgroup) : NULL;
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

static __always_inline void count_health(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&ph_health, &which);

	if (value)
		__sync_fetch_and_add(value, 1);
}

#endif
