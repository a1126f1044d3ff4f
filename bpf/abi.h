/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_ABI_H
#define PH_ABI_H

/*
 * What the kernel programs and user space agree on: the keys, values, events and limits of every
 * map. Included by the programs after vmlinux.h and by user space after <linux/bpf.h>.
 *
 * A policy set is compiled into one generation: a header, a filter, and a few read-only tables that lie
 * in one of two slots. The front says which slot is in force: one number, which a call reads once, so
 * that it sees one generation and no part of another. What lies in the other slot is replaced only
 * when no call can be reading it any more.
 *
 * Who is confined. A policy's id is a hash of its name and of its match, so an id can never come to
 * mean another match. The trait table tells which policies a trait of a process brings upon it. Name
 * and program stick: a process that has them is labelled with the ids, and the label follows fork,
 * rename and exec. Of a label that was made under an older generation only those ids survive that
 * the tables in force still know. Uid, cgroup and unit do not stick: they are asked anew at each
 * call. A program is known by its path and, in a table that can be made true at any time, by its
 * file. What a cgroup brings is looked up when it is made, and before a generation is put in force,
 * and kept in the place table; so is what a uid brings. A policy that asks for several stands in the
 * trait table once, and has the others as conditions.
 *
 * What it may do. A grant is one compiled policy. Ports are host order; a set of ports is up to
 * PH_SPANS spans, or bitmaps in the port table. Rules without addresses lie in the grant itself;
 * rules with addresses lie in the prefix table, in which the longest prefix that fits an address
 * carries all that is granted there. Addresses are 4 bytes for IPv4 (and IPv4-mapped IPv6) and 16
 * for IPv6, in network order; the two never share a scope.
 *
 * Confinement only narrows. What matches through no act of the process is the base layer, whose
 * policies add up. What a confined process takes on by an act of its own is a further layer, and a
 * call passes only if every layer grants it: see struct ph_ids.
 *
 * Labels by id. The policies that porthold keeps for itself have no trait: a process of its own asks
 * for them by a secret that it left in the front (struct ph_claim).
 *
 * Fail direction. A task that no policy matches passes, whatever goes wrong. For a confined task
 * whatever goes wrong is a denial: a full label, a missing table, a socket that cannot be labelled.
 * An event that cannot be written changes no verdict.
 */

#define PH_ABI_VERSION 2u
#define PH_PROGRAM_PREFIX "ph_" /* so begin the names of all programs of ours */
/*
 * A command of bpf(2) that there is not. The LSM programs answer it with EALREADY, the kernel without
 * them with EINVAL: so it can be told whether they are run at all.
 */
#define PH_ARE_YOU_THERE 0x7068
#define PH_PIN_DIR "/sys/fs/bpf/porthold"

#define PH_COMM_LEN 16 /* TASK_COMM_LEN: 15 bytes and a NUL */
#define PH_LABEL_MAX 8 /* policies on one task or socket */
#define PH_OVERFULL 17 /* policies: more than PH_LABEL_MAX, and so when as many are added */
#define PH_SPANS 4 /* port spans inside a grant or a prefix */
#define PH_CHUNK_PORTS 64 /* ports in one entry of the port table */
#define PH_CHUNKS (65536 / PH_CHUNK_PORTS)
#define PH_EXE_DEPTH 20 /* components of the path of a program that a match can name */
#define PH_CGROUP_DEPTH 15 /* levels of the cgroup tree that a match can see */
#define PH_CGROUPS_MAX 65536 /* entries of ph_cgroups */
#define PH_DELEGATED_MAX \
	49152 /* of these, those that others than root may fill: see admits_cgroup() */
#define PH_PLACES_MAX 65536 /* cgroups that bring policies */
#define PH_FILTER_WORDS 16384 /* of 64 bits: two of a word stand for a trait */
#define PH_FILTER_PLACES 65536 /* bytes, by the low bits of a cgroup's id */
#define PH_FILTER_PIDS 65536 /* bytes, by the low bits of a thread's id */
#define PH_SLOTS 2 /* generations that the tables hold at a time */
#define PH_MEMOS 8 /* ports that a label remembers as granted; a power of two */
#define PH_EVENT_SLOTS 65536 /* must be a power of two */
#define PH_LIMITS 1024 /* owners of each kind whose events are limited apart; a power of two */
#define PH_TOLD 4096 /* events that are known to have been told; a power of two */
#define PH_TOLD_SECONDS 10ull /* for so long */
#define PH_GONE 1024 /* cgroups whose paths are known after their end */
#define PH_PATH_LEN 256

/*
 * The id of the policy that porthold keeps for its own watchdog, in every generation. What it
 * refuses is counted and makes no event: it would push those of others out of their slots.
 */
#define PH_CANARY_ID 1ull

/* A way to the network, as events, counters and the table of promised doors name it. */
enum ph_door {
	PH_DOOR_SOCKET,
	PH_DOOR_BIND,
	PH_DOOR_CONNECT,
	PH_DOOR_LISTEN,
	PH_DOOR_ACCEPT,
	PH_DOOR_SEND,
	PH_DOOR_RECEIVE,
	PH_DOOR_FASTOPEN,
	PH_DOOR_RECEIVE_FD,
	PH_DOOR_SPLICE,
	PH_DOOR_PACKET_OUT,
	PH_DOOR_PACKET_IN,
	PH_DOOR_TUN,
	PH_DOOR_BPF,
	PH_DOOR_PTRACE,
	PH_DOOR_MODULE,
	PH_DOOR_PINS,
	PH_DOOR_ROUTE, /* packets that go by way of another host: routing headers and options */
	PH_DOOR_MOUNT,
	PH_DOOR_SYSCTL,
	PH_DOOR_FILES,
	PH_DOOR_UPCALL,
	PH_DOOR_NET_ADMIN,
	PH_DOOR_KERNEL,
	PH_DOOR_MAX,
};

/* Why a door answered as it did. */
enum ph_reason {
	PH_REASON_RULE, /* a rule grants it */
	PH_REASON_NO_RULE, /* no rule of any policy that confines the caller grants it */
	PH_REASON_OVERFULL, /* more than PH_LABEL_MAX policies match */
	PH_REASON_MAX,
};

enum ph_mode {
	PH_MODE_ENFORCE,
	PH_MODE_AUDIT,
};

enum ph_backend {
	PH_BACKEND_NONE,
	PH_BACKEND_LSM,
	PH_BACKEND_CGROUP,
};

/* What a set of ports is granted for. */
enum ph_plane {
	PH_PLANE_CONNECT_TCP,
	PH_PLANE_CONNECT_UDP,
	PH_PLANE_BIND_TCP,
	PH_PLANE_BIND_UDP,
	PH_PLANES,
};

/* Kinds of sockets that `socket KIND` admits, as bits of ph_grant.sockets. */
enum ph_socket_kind {
	PH_SOCKET_ICMP = 1 << 0,
	PH_SOCKET_RAW = 1 << 1,
	PH_SOCKET_PACKET = 1 << 2,
	PH_SOCKET_VSOCK = 1 << 3,
	PH_SOCKET_UDP = 1 << 4, /* set in every grant: what it sends and receives is judged */
	PH_SOCKET_TCP = 1 << 5, /* set in every grant */
	PH_SOCKET_OTHER = 1 << 6, /* in no grant */
	PH_SOCKET_LOCAL = 1 << 7, /* AF_UNIX, AF_NETLINK, AF_ALG: not network; set in every grant */
	PH_SOCKET_UDP_ANSWERS =
		1 << 8, /* a UDP socket that waits for answers; set by any udp rule */
};

/* ph_header.features: which kinds of match the generation in force uses. */
enum ph_feature {
	PH_FEATURE_COMM = 1 << 0,
	PH_FEATURE_CGROUP = 1 << 1, /* the caller's cgroup is asked for, be it as a condition */
	PH_FEATURE_AUDIT = 1 << 2, /* some policy is in audit mode */
	PH_FEATURE_KEEP = 1 << 3, /* some sockets may be exempt: --existing=keep */
	PH_FEATURE_UID = 1 << 4, /* the caller's uid is asked for, be it as a condition */
	PH_FEATURE_BY_UID = 1 << 5, /* a uid alone brings a policy */
	PH_FEATURE_BY_CGROUP = 1 << 6, /* a cgroup or a unit alone does */
	PH_FEATURE_EXE = 1 << 7, /* a program does, alone or with a name */
	PH_FEATURE_NAMED_EXE = 1 << 8, /* with a name */
	PH_FEATURE_LABELLED = 1 << 9, /* all that ran when it was put in force have their labels */
};

/* ph_grant.flags */
enum ph_grant_flag {
	PH_GRANT_LEAVE = 1 << 0, /* programs that the process executes leave the confinement */
	PH_GRANT_UID = 1 << 1, /* only while the caller's uid is ph_grant.uid */
	PH_GRANT_CGROUP = 1 << 2, /* only below the cgroup of ph_grant.cgroup */
	PH_GRANT_UNIT = 1 << 3, /* only in the unit of ph_grant.unit */
	PH_GRANT_LIVE = PH_GRANT_UID | PH_GRANT_CGROUP | PH_GRANT_UNIT,
	PH_GRANT_BY_CGROUP = 1 << 4, /* a cgroup or a unit brings it */
};

/* What a process has that may bring a policy upon it: the top byte of a trait's last word. */
enum ph_trait_kind {
	PH_TRAIT_COMM, /* the words are the name; its last byte is always 0 */
	PH_TRAIT_UID, /* from here on, the first word is the value */
	PH_TRAIT_CGROUP, /* hash of the path of a cgroup that it is in, or below */
	PH_TRAIT_UNIT, /* hash of the name of such a cgroup */
	PH_TRAIT_PATH, /* hash of the path of the program */
	PH_TRAIT_FILE, /* hash of what the kernel knows its file by; in the table of files */
	PH_TRAIT_NAMED_PATH, /* these two, and the words of the name */
	PH_TRAIT_NAMED_FILE,
};

#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic error "-Wpadded"
#endif

struct ph_span {
	__u16 first;
	__u16 last; /* inclusive; an unused span is {1, 0}, which fits no port */
};

/*
 * Up to PH_SPANS spans lie here. More are a set in the port table: 64 ports in each chunk, at a place
 * that tells without a search which chunk, if any, holds a port: ph_chunk_at().
 */
struct ph_ports {
	__u32 set; /* 0: the spans are all; else one more than the place of the set's first chunk */
	__u16 mix; /* chosen so that no two chunks of the set fall together */
	__u16 mask; /* places of the set, a power of two, less one */
	struct ph_span span[PH_SPANS];
};

/* Port table. What no chunk fell on is all zero. */
struct ph_chunk {
	__u64 bits;
	__u32 chunk; /* port / PH_CHUNK_PORTS */
	__u32 pad0;
};

/* Prefix table (LPM). */
struct ph_prefix_key {
	__u32 prefixlen; /* 32 + the bits of the address prefix */
	__u32 scope; /* of a grant's plane, or of a prefix's peers; lowest bit: IPv6 */
	__u32 word[4];
};

/*
 * All that is granted at the addresses for which this prefix is the longest: the ports, and, where
 * a bind rule limits its peers, the scope in which the peer's address is looked up for data (0: any
 * peer may have all of the ports).
 */
struct ph_prefix {
	struct ph_ports ports;
	__u32 peers;
};

/* Grants lie one after another; the index table tells where that of an id does. */
struct ph_grant {
	__u64 id;
	__u64 cgroup; /* hash of the path */
	__u64 unit; /* hash of the name */
	__u32 uid;
	__u32 cgroup_level; /* number of components of that path */
	__u8 mode;
	__u8 flags;
	__u16 sockets; /* enum ph_socket_kind */
	__u32 scope[PH_PLANES]; /* 0: the plane has no rule with addresses */
	struct ph_ports plain[PH_PLANES];
	__u32 index; /* where it lies itself */
};

/* Trait table: a trait to the policies that it brings. */
struct ph_trait {
	__u64 word[PH_COMM_LEN / 8]; /* of a comm: its bytes, zeros behind the first NUL */
};

/*
 * The layer of a policy among others: PH_LAYER_BASE, one more than the place of the first policy that
 * came by the same act, or that of what a cgroup or a uid brings to a task which went there itself.
 */
enum ph_layer {
	PH_LAYER_BASE = 0,
	PH_LAYER_CGROUP = PH_LABEL_MAX + 1,
	PH_LAYER_UID,
	PH_LAYER_LEFT, /* while a label is made anew: of what the last such act brought, and no more does */
	PH_LAYER_EVICTED, /* of those that got their place by taking it from another: there is one */
	PH_LAYER_UNMET, /* taken on by a name, by one who was confined, before the conditions held */
	PH_LAYER_NEW = 15, /* of what is being added: it begins one */
	PH_LAYER_BITS = 4,
};

/* Policies and their layers. The places behind the count are 0 in all of it. */
struct ph_ids {
	__u16 count; /* beyond PH_LABEL_MAX: more than a label holds, so all is denied */
	__u16 held; /* a bit for each: it is not asked any more whether its conditions hold */
	__u32 layers; /* PH_LAYER_BITS for each */
	__u64 id[PH_LABEL_MAX];
};

/*
 * What the first of a label's policies was found to grant wherever it goes, so that the next call need
 * not look: the generation, the port, and a bit for each plane; and, with port 0, a bit for each
 * kind of socket. See ph_memo_of().
 */
struct ph_memos {
	__u64 kinds;
	__u64 port[PH_MEMOS]; /* by its low bits */
	__u32 grant; /* where that of the first policy was found last */
	__u32 pad0;
};

/* Place table: a cgroup's id, or PH_PLACE_UID and a uid, to the policies that it brings alone. */
#define PH_PLACE_UID (1ull << 63)

struct ph_brought {
	struct ph_ids policies;
	struct ph_memos memos; /* of those whom nothing else confines */
};

struct ph_header {
	__u64 generation; /* counts up; 0 is none */
	__u64 deadline; /* boot time, ns: from then on the fallback is in force; 0: none */
	__u64 hash; /* of the content of its tables */
	__u32 slot;
	__u32 features;
};

/* What nobody has to be looked up for under the generation of a slot. */
struct ph_filter {
	__u64 trait[PH_FILTER_WORDS]; /* ph_filter_word(), ph_filter_bits() */
	/* 1: a cgroup with these bits may bring policies; marked before anybody can be in it */
	__u8 place[PH_FILTER_PLACES];
};

/*
 * ph_front.current and .fallback: which slot, what a look at the caller has to mind, and, above these,
 * the generation.
 */
enum ph_front_bits {
	PH_FRONT_SLOT = 1,
	PH_FRONT_SET = 1 << 1, /* else there is none */
	PH_FRONT_DEADLINE = 1 << 2, /* the header has one */
	PH_FRONT_UID = 1 << 3, /* PH_FEATURE_BY_UID */
	PH_FRONT_CGROUP = 1 << 4, /* PH_FEATURE_BY_CGROUP */
	PH_FRONT_KEEP = 1 << 5, /* PH_FEATURE_KEEP */
	PH_FRONT_GENERATION = 8, /* bits below it */
	PH_FRONT_MIND = PH_FRONT_DEADLINE | PH_FRONT_UID | PH_FRONT_CGROUP,
};

/*
 * Whoever binds a socket to this address and port is labelled with the policy, once. User space writes
 * the id last, and the kernel takes it away first; 0: nobody is expected.
 */
struct ph_claim {
	__u64 id;
	__u32 address; /* IPv4, network order */
	__u16 port; /* network order */
	__u16 pad0;
};

/*
 * What stands before all tables, at an address that the programs know. User space writes to it where it
 * is mapped: one number at once, or what lies in a slot that no call comes upon.
 */
struct ph_front {
	__u64 current; /* in force: enum ph_front_bits; 0: no generation is */
	__u64 fallback; /* likewise, once the deadline of that has passed */
	__u64 rewriters; /* not 0: there may be somebody who changes where connects go */
	struct ph_claim claim;
	struct ph_header header[PH_SLOTS];
	__u8 mirrored[PH_FILTER_PIDS]; /* 1: a thread with these bits may have a label in the mirror */
	struct ph_filter filter[PH_SLOTS];
	__u64 delegated; /* how many entries of ph_cgroups are of cgroups that others than root made */
};

/* What a confined task has got by an act of its own: what it brings from now on is a further layer. */
enum ph_own {
	PH_OWN_NAME = 1 << 0, /* its name or its program */
	PH_OWN_CGROUP = 1 << 1,
	PH_OWN_UID = 1 << 2,
	PH_OWN_SHUT_IN = 1 << 3, /* nobody knows of all that it did, and it may do nothing */
};

/*
 * On a task: in task storage, and in the mirror by pid. What stands before the memos stays where it is
 * in every version: a newer one takes it over. A number comes round again: an entry of the mirror is of the
 * thread that was started then.
 */
struct ph_label {
	__u32 generation; /* under which it was last matched; its low half */
	__u16 own; /* enum ph_own */
	__u16 pad0;
	struct ph_ids policies;
	struct ph_memos memos;
	__u64 born; /* in the mirror: when the thread was started, boot time, ns; 0: not known */
};

/* What the pass over all tasks writes for each that is confined now. */
struct ph_labelled {
	__u64 size; /* of this record: another version's has another */
	__u64 cgroup; /* id; 0: user space made this record up */
	__u32 pid;
	__u32 tgid;
	__u8 comm[PH_COMM_LEN];
	struct ph_ids policies;
};

/* What the kernel takes a file for that user space has open. */
struct ph_told_file {
	__u32 fd;
	__u32 device;
	__u64 inode;
	__u64 path;
	__u64 file;
};

#define PH_AROUND_FILES 16
#define PH_AROUND_WITHIN 5 /* of these: the first */

/*
 * A file or a directory that no confined process may take away, as the kernel numbers it; of the first
 * ones, nor what lies within.
 */
struct ph_around_file {
	__u64 inode;
	__u32 device;
	__u32 pad0;
};

/* What lies around the pins and the policy files, as it was when the programs were loaded. */
struct ph_around {
	struct ph_around_file file[PH_AROUND_FILES];
	__u32 mounts; /* number of the mount namespace of the first process; 0: unknown */
	__u32 net; /* number of its network namespace */
};

enum ph_sock_flag {
	PH_SOCK_EXEMPT = 1 << 0, /* open before the policy, and kept: --existing=keep */
	PH_SOCK_ASKED = 1 << 1, /* TCP: port and word[] tell whom it was asked to reach */
	PH_SOCK_ASKED_V6 = 1 << 2, /* as ph_address.v6 */
	PH_SOCK_REWRITTEN = 1 << 3, /* it has been counted that it reaches another */
};

/* What a socket remembers of the calls before: see bpf/asked.bpf.h. */
struct ph_sock_past {
	__u16 flags; /* enum ph_sock_flag */
	__u16 port;
	__u32 by; /* the thread whose call the second line has yet to see; 0: none */
	__u32 word[4]; /* as ph_address.word */
};

struct ph_sock_label {
	struct ph_ids policies;
	struct ph_memos memos;
	struct ph_sock_past past;
};

/*
 * Where a cgroup lies: in the first half of hash[] the hashes of the path's first 0, 1, … components,
 * in the second that of each component alone, as a unit is called. The first there is that of the last
 * component where the path goes deeper than PH_CGROUP_DEPTH.
 */
struct ph_cgroup {
	__u32 levels; /* those beyond PH_CGROUP_DEPTH are not in hash[] */
	__u16 ready; /* 0: it is being filled in */
	__u16 delegated; /* 1: somebody else than root made it; counted in the front */
	__u64 hash[2 * (PH_CGROUP_DEPTH + 1)];
};

/* Counters outlive generations; an entry is made at the first denial. */
enum ph_count {
	PH_COUNT_ATTEMPT, /* calls refused */
	PH_COUNT_PACKET, /* packets dropped by the second line */
	PH_COUNT_AUDIT, /* calls that an audit policy would have refused */
	PH_COUNT_MAX,
};

struct ph_counter_key {
	__u64 policy;
	__u16 door;
	__u16 count; /* enum ph_count */
	__u32 pad0;
};

/* Health counters: never reset, one array. */
enum ph_health {
	PH_HEALTH_STORAGE_BUSY, /* the mirror decided in place of the task storage */
	PH_HEALTH_LABEL_FAILED, /* a label could not be stored: the live name decides */
	PH_HEALTH_COUNTER_FAILED, /* a denial has no counter */
	PH_HEALTH_CGROUP_LOST, /* a new cgroup found no room: it is looked for at each call */
	PH_HEALTH_AUDIT_LOST, /* too many policies matched: some that only watch do not */
	PH_HEALTH_ERRORS,
	PH_HEALTH_REWRITTEN = PH_HEALTH_ERRORS, /* sockets that reach another than they asked for */
	PH_HEALTH_FOLDED, /* denials without an event: the same was told a moment ago */
	PH_HEALTH_WITHHELD, /* denials without an event: there were too many */
	PH_HEALTH_MAX,
};

enum ph_event_kind {
	PH_EVENT_DENY,
	PH_EVENT_AUDIT,
};

struct ph_address {
	__u32 word[4]; /* network order; IPv4: the first, the others 0 */
	__u32 v6; /* 1: IPv6, 0: IPv4 */
};

/*
 * A denial. `seq` is written last: seq + 1 of the event that the slot holds, 0 while it is written.
 * A reader that finds another seq after copying than before throws the copy away.
 */
struct ph_event {
	__u64 seq;
	__u64 time; /* boot time, ns */
	__u64 policy;
	__u64 generation;
	__u64 cgroup; /* id */
	__u64 exe_inode;
	__u32 exe_device; /* the kernel's dev_t */
	__u32 pid; /* of the thread */
	__u32 tgid;
	__u32 uid;
	__u8 comm[PH_COMM_LEN];
	__u8 leader[PH_COMM_LEN];
	struct ph_address local;
	struct ph_address remote;
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u16 type;
	__u16 protocol;
	__u8 door;
	__u8 kind; /* enum ph_event_kind */
	__u8 reason;
	__u8 backend;
	__u8 question; /* enum ph_question */
	__u8 pad0[9];
};

/* Where the next event goes. The lock makes the number unique on kernels without atomic fetch. */
struct ph_event_head {
	struct bpf_spin_lock lock;
	__u32 pad0;
	__u64 next;
};

/* Whose events are limited: the kinds of owner. */
enum ph_limited {
	PH_LIMITED_CALLS, /* of a policy */
	PH_LIMITED_USERS, /* calls of a user */
	PH_LIMITED_PACKETS, /* of a policy */
	PH_LIMITED_ALL_PACKETS, /* of all policies */
	PH_LIMITED_MAX,
};

struct ph_told {
	__u64 fingerprint;
	__u64 time; /* boot time, ns */
};

/* What events have been written lately; see bpf/events.bpf.h. */
struct ph_lately {
	/* when what was written for an owner will be worked off: boot time, ns */
	__u64 until[PH_LIMITED_MAX][PH_LIMITS];
	struct ph_told
		told[PH_TOLD]; /* each kind of event has one place, and takes it from another */
	__u8 named[PH_FILTER_PLACES]; /* by the low bits of a cgroup's id: 1: events may name it */
};

/*
 * What is left unread in the ring that wakes those who wait for events: one record of 8 bytes with
 * its header. A record is added only while no more than that is there, so a wake-up that nobody has
 * answered is not repeated; who is woken reads all but the last, as only a ring that is not empty
 * wakes the others too.
 */
#define PH_WAKE_UNREAD 16u

/* What is attached, by the name of its pin: what is found there later must be the same. */
struct ph_attached_name {
	__u8 bytes[PH_COMM_LEN]; /* zeros behind the first NUL */
};

struct ph_attached {
	__u32 link; /* ids, which the kernel does not give out again before long */
	__u32 program;
};

/* What stands behind the pins; one entry. */
struct ph_state {
	__u32 abi; /* PH_ABI_VERSION of whoever made the maps: stays here in every version */
	__u32 backend;
	__u64 generation; /* the last one that was made */
	__u64 accepted; /* promises whose doors were accepted open, one bit each */
	__u64 attach_id; /* id of the cgroup the cgroup programs hang on */
	__u64 code; /* hash of the programs that were loaded */
	__u32 attached; /* number of programs that were attached */
	__u32 pad0;
	char attach[PH_PATH_LEN];
	char version[32];
};

#pragma GCC diagnostic pop

_Static_assert(sizeof(struct ph_ports) == 24, "ph_ports");
_Static_assert(sizeof(struct ph_grant) == 152, "ph_grant");
_Static_assert(sizeof(struct ph_label) == 168, "ph_label");
_Static_assert(sizeof(struct ph_sock_label) == 176, "ph_sock_label");
_Static_assert(__builtin_offsetof(struct ph_label, policies) == 8 && sizeof(struct ph_ids) == 72,
	       "every version begins a label with these");
_Static_assert(PH_OVERFULL > 2 * PH_LABEL_MAX, "it can be told from two sets that are full");
_Static_assert(__builtin_offsetof(struct ph_label, memos) ==
		       __builtin_offsetof(struct ph_label, policies) + sizeof(struct ph_ids),
	       "memos follow the ids");
_Static_assert(__builtin_offsetof(struct ph_brought, memos) ==
		       __builtin_offsetof(struct ph_brought, policies) + sizeof(struct ph_ids),
	       "ph_brought: memos follow the ids");
_Static_assert(__builtin_offsetof(struct ph_sock_label, memos) ==
		       __builtin_offsetof(struct ph_sock_label, policies) + sizeof(struct ph_ids),
	       "memos follow the ids");
_Static_assert(sizeof(struct ph_event) == 160, "ph_event");
_Static_assert(sizeof(struct ph_header) == 32, "ph_header");
_Static_assert(sizeof(struct ph_front) == 112 + 65536 + 2 * 196608, "ph_front");

#endif
