/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_DECIDE_H
#define PH_DECIDE_H
/*
 * The kernel's decision (bpf/verdict.h), taken in user space over an image: what explain, expect
 * and the tests ask is what the kernel would answer.
 */
#include "kernel/compile.h"

typedef const struct ph_image *ph_tables;

#include "verdict.h"

/* Look-ups in the tables: NULL if there is none. comm counts up to 15 bytes, as in the kernel. */
const struct ph_ids *image_find_ids(const struct ph_image *image, const char *comm);
const struct ph_ids *image_find_trait(const struct ph_image *image, const struct ph_trait *trait);
const struct ph_grant *image_find_grant(const struct ph_image *image, uint64_t id);
const struct ph_image_source *image_find_source(const struct ph_image *image, uint64_t id);
const struct ph_prefix *image_find_prefix(const struct ph_image *image,
					  const struct ph_prefix_key *key);

/*
 * Adds those that are not there, as the kernel does: where there is no room for all, policies that only
 * watch give theirs to the others, or are left out.
 */
void image_add_ids(const struct ph_image *image, struct ph_ids *ids, const struct ph_ids *more);
void image_add_trait(const struct ph_image *image, struct ph_ids *ids,
		     const struct ph_trait *trait);
void image_add_id(const struct ph_image *image, struct ph_ids *ids, uint64_t id);

static inline const struct ph_chunk *ph_find_chunk(ph_tables tables, __u32 place)
{
	return place < tables->n_chunks ? &tables->chunks[place] : NULL;
}

static inline const struct ph_prefix *ph_find_prefix(ph_tables tables,
						     const struct ph_prefix_key *key)
{
	return image_find_prefix(tables, key);
}

/* Whether the grant covers the flow. Mode and conditions (uid, cgroup) are not looked at. */
bool decide_policy(const struct ph_image *image, const struct ph_grant *grant,
		   const struct ph_flow *flow);

/* The kind of socket that a `socket` rule admits; and back, if it takes such a rule. */
uint16_t rule_socket_kind(enum ph_rule_socket socket);
bool kind_rule_socket(unsigned kind, enum ph_rule_socket *ret);

/* Of enum ph_socket_kind: "tcp", "udp", "icmp", …; "other" for what no rule admits. */
const char *socket_kind_name(unsigned kind);

#define PH_SPEC_FLOWS_MAX 2

/*
 * What a user's words ask the kernel: how many flows, all of which must be covered. A local address
 * that is left out is the wildcard of the remote's family, or of both where there is no remote.
 */
size_t spec_flows(const struct ph_flow_spec *spec, struct ph_flow ret[PH_SPEC_FLOWS_MAX]);

bool decide_spec(const struct ph_image *image, const struct ph_grant *grant,
		 const struct ph_flow_spec *spec);

#endif
