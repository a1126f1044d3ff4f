/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_POLICY_H
#define PH_POLICY_H
/*
 * The model of a policy: what the text of a policy file says, and nothing else.
 *
 * Text <-> model: rule.h is the grammar of one rule or flow, parse.h reads files, print.h writes
 * them, diff.h compares, resolve.h expands keywords, reference.h says what a policy means.
 * Nothing in this directory knows the kernel side, logs or prints.
 *
 * Invariants of every model that the parser hands out (one made by hand must keep them too):
 * - an IPv4 address lies in addr[0..3], the rest is zero; a v4-mapped IPv6 address never occurs,
 *   it is stored as the IPv4 address that it is;
 * - a cidr has no bit set beyond its prefix; a list of them is sorted and holds no duplicate and no
 *   network that another one of the list covers;
 * - port ranges are sorted, do not overlap and do not touch; "any" is the single range 1-65535;
 * - names and paths are valid UTF-8 without control characters.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits on what comes from outside. More is an error of the file, never a truncation. */
#define PH_FILE_SIZE_MAX (64U << 20) /* bytes of one policy file */
#define PH_LINE_SIZE_MAX (256U << 10) /* bytes of one line of it */
#define PH_POLICIES_MAX 131072U /* policies in a set */
#define PH_RULES_MAX 4096U /* rules in a policy */
#define PH_EXPECTS_MAX 4096U /* expectations in a policy */
#define PH_RANGES_MAX 4096U /* port ranges in a rule, as written */
#define PH_CIDRS_MAX 4096U /* addresses in one list of a rule, as written */
#define PH_RULE_TEXT_MAX (256U << 10) /* bytes of the text of one rule */
#define PH_POLICY_NAME_MAX 63U /* bytes of a policy's name */
#define PH_COMM_MAX 15U /* bytes of a process name that the kernel keeps */
#define PH_EXE_MAX 4095U /* bytes of a path */
#define PH_CGROUP_MAX 4095U
#define PH_UNIT_MAX 255U

/* The policy and the process name that porthold keeps for its own watchdog. */
#define PH_CANARY_NAME "porthold-canary"

/* The policy and the process name of `selftest`: what it is refused, no event tells. */
#define PH_TEST_NAME "porthold-test"

/* Then the name of what is watched: the audit policies that `learn` makes for a time. */
#define PH_LEARN_PREFIX "learn:"

struct ph_range {
	uint16_t lo, hi; /* both included; 1 <= lo <= hi */
};

struct ph_cidr {
	uint8_t family; /* 4 or 6 */
	uint8_t len; /* prefix length: 0-32 or 0-128 */
	uint8_t addr[16];
};

struct ph_cidrs {
	struct ph_cidr *v;
	size_t n; /* 0: not given, every address fits */
};

enum ph_rule_kind {
	PH_RULE_PORTS,
	PH_RULE_SOCKET,
	PH_RULE_DNS, /* stands for other rules until policy_resolve() */
	PH_RULE_LOOPBACK, /* likewise */
};

enum ph_proto {
	PH_PROTO_TCP,
	PH_PROTO_UDP,
};

enum ph_rule_socket {
	PH_KIND_ICMP,
	PH_KIND_RAW,
	PH_KIND_PACKET,
	PH_KIND_VSOCK,
};

struct ph_rule {
	enum ph_rule_kind kind;
	enum ph_rule_kind origin; /* as written; policy_resolve() changes kind alone */
	enum ph_proto proto; /* PH_RULE_PORTS from here on; connect, bind or both */
	bool connect;
	bool bind;
	struct ph_range *ranges;
	size_t n_ranges;
	struct ph_cidrs to; /* remote address of connect */
	struct ph_cidrs on; /* local address of bind */
	struct ph_cidrs from; /* peer of accepted or received data */
	struct ph_cidrs except; /* taken away from `to`; `from`; else `on` */
	enum ph_rule_socket socket; /* PH_RULE_SOCKET */
	unsigned line, column; /* in the file of the policy; 0: made by hand */
};

enum ph_flow_door {
	PH_FLOW_CONNECT,
	PH_FLOW_BIND,
	PH_FLOW_LISTEN,
	PH_FLOW_ACCEPT,
	PH_FLOW_SEND,
	PH_FLOW_RECEIVE,
	PH_FLOW_SOCKET,
};

struct ph_endpoint {
	uint8_t family; /* 4, 6, or 0: no address given */
	uint8_t addr[16];
	uint16_t port; /* 0: no port given, or (bind) the kernel chooses */
};

/* One thing a process might do, as `explain` and `expect` write it; the grammar is in rule.h. */
struct ph_flow_spec {
	enum ph_flow_door door;
	enum ph_proto proto; /* every door but SOCKET; there, if !has_socket_kind */
	bool has_socket_kind; /* SOCKET of another kind than tcp and udp */
	enum ph_rule_socket socket;
	struct ph_endpoint local;
	struct ph_endpoint remote;
};

struct ph_expect {
	bool allow;
	struct ph_flow_spec flow;
	unsigned line, column;
};

/*
 * Whom a policy confines: everything given must hold; at least one thing is given. `run` stands alone: no
 * process has it by itself.
 */
struct ph_match {
	char comm[PH_COMM_MAX + 1]; /* "": not given */
	char *exe; /* absolute path, or NULL */
	char *cgroup; /* absolute path below the cgroup2 root, or NULL */
	char *unit; /* unit name with its suffix, or NULL */
	bool has_uid;
	bool run; /* what `porthold run` starts under it */
	uint32_t uid;
};

enum ph_policy_mode {
	PH_POLICY_ENFORCE,
	PH_POLICY_AUDIT,
};

enum ph_children {
	PH_CHILDREN_CONFINE,
	PH_CHILDREN_LEAVE,
};

struct ph_policy {
	char *name;
	struct ph_match match;
	enum ph_policy_mode mode;
	enum ph_children children;
	struct ph_rule *rules;
	size_t n_rules;
	struct ph_expect *expects;
	size_t n_expects;
	const char *file; /* borrowed from the set that holds the policy; NULL: made by hand */
	unsigned line, column;
	const char *overruled_file; /* where one of the same name stands that does not count, as */
	unsigned overruled_line; /* policy_set_merge() found it; NULL: none does */
};

struct ph_policy_set {
	struct ph_policy *policies;
	size_t n;
	/* private to policy.c */
	size_t n_allocated;
	uint32_t *index; /* name -> position + 1; open addressing */
	size_t n_index;
	char **files;
	size_t n_files;
};

/* Every _done() takes a zeroed object and leaves one. */
void rule_done(struct ph_rule *rule);
void policy_done(struct ph_policy *policy);
void policy_set_done(struct ph_policy_set *set);

int rule_copy(const struct ph_rule *rule, struct ph_rule *ret);
int policy_copy(const struct ph_policy *policy,
		struct ph_policy *ret); /* ret->file stays borrowed */

/* Take over *rule; on failure it stays the caller's. 0 or -ENOMEM. */
int policy_add_rule(struct ph_policy *policy, struct ph_rule *rule);
int policy_add_expect(struct ph_policy *policy, const struct ph_expect *expect);

/*
 * Takes over *policy and leaves it zeroed; on failure it stays the caller's.
 * -EEXIST: the name is taken (policy_set_find() says by whom). -E2BIG past PH_POLICIES_MAX.
 * policy->file must outlive the set: pass what policy_set_add_file() gave, or NULL.
 * Pointers to policies of the set are void after this.
 */
int policy_set_add(struct ph_policy_set *set, struct ph_policy *policy);
int policy_set_add_file(struct ph_policy_set *set, const char *file, const char **ret);
/* The policies that came from one file are said to be from another. 0 or -ENOMEM. */
int policy_set_rename_file(struct ph_policy_set *set, const char *from, const char *to);
struct ph_policy *policy_set_find(const struct ph_policy_set *set, const char *name);

/*
 * Moves everything of other into set; where both have a name, other wins, and remembers where the
 * one that it overrules stood. Leaves other empty.
 */
int policy_set_merge(struct ph_policy_set *set, struct ph_policy_set *other);

/* Takes the policy of that name out of the set, keeping the order; 0 or -ENOENT. */
int policy_set_remove(struct ph_policy_set *set, const char *name);

const char *policy_mode_name(enum ph_policy_mode mode);
const char *policy_children_name(enum ph_children children);
const char *proto_name(enum ph_proto proto);
const char *rule_socket_name(enum ph_rule_socket kind);
const char *flow_door_name(enum ph_flow_door door);

#endif
