// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf/verdict.h over an image. Look-ups are binary searches; the longest prefix is found from its
 * neighbour in the sorted table, which shares more of the address than any other entry.
 */
#include "kernel/decide.h"

#include <endian.h>
#include <string.h>

/* --- Look-ups */

typedef int (*order_fn)(const void *key, const void *entry);

/* The last entry that is not greater than the key, or NULL. */
static const void *floor_of(const void *key, const void *array, size_t n, size_t size,
			    order_fn order)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(key, (const char *)array + middle * size) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low ? (const char *)array + (low - 1) * size : NULL;
}

static const void *find(const void *key, const void *array, size_t n, size_t size, order_fn order)
{
	const void *entry = floor_of(key, array, n, size, order);

	return entry && !order(key, entry) ? entry : NULL;
}

static int order_trait(const void *key, const void *entry)
{
	const struct ph_trait *a = key, *b = entry;

	for (size_t i = 0; i < PH_COMM_LEN / 8; i++)
		if (a->word[i] != b->word[i])
			return a->word[i] < b->word[i] ? -1 : 1;
	return 0;
}

/* A grant and a source begin with their id. */
static int order_id(const void *key, const void *entry)
{
	uint64_t a = *(const uint64_t *)key, b;

	memcpy(&b, entry, sizeof(b));
	return (a > b) - (a < b);
}

static int order_prefix(const void *key, const void *entry)
{
	const struct ph_prefix_key *a = key, *b = entry;
	int order;

	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	order = memcmp(a->word, b->word, sizeof(a->word));
	if (order)
		return order;
	return (a->prefixlen > b->prefixlen) - (a->prefixlen < b->prefixlen);
}

const struct ph_ids *image_find_ids(const struct ph_image *image, const char *comm)
{
	struct ph_trait name = {};

	memcpy(&name, comm, strnlen(comm, PH_COMM_LEN - 1));
	return image_find_trait(image, &name);
}

const struct ph_ids *image_find_trait(const struct ph_image *image, const struct ph_trait *trait)
{
	const struct ph_image_trait *found;

	found = find(trait, image->traits, image->n_traits, sizeof(*found), order_trait);
	return found ? &found->value : NULL;
}

const struct ph_grant *image_find_grant(const struct ph_image *image, uint64_t id)
{
	return find(&id, image->grants, image->n_grants, sizeof(*image->grants), order_id);
}

static bool only_watches(const struct ph_image *image, uint64_t id)
{
	const struct ph_grant *grant = image_find_grant(image, id);

	return grant && grant->mode == PH_MODE_AUDIT;
}

/* As evict_for() in bpf/identity.bpf.h. */
static void evict_for(const struct ph_image *image, struct ph_ids *ids, uint64_t id)
{
	if (only_watches(image, id))
		return;
	for (unsigned i = 0; i < PH_LABEL_MAX; i++)
		if (only_watches(image, ids->id[i])) {
			ids->id[i] = id;
			return;
		}
	ids->count = PH_OVERFULL;
}

void image_add_id(const struct ph_image *image, struct ph_ids *ids, uint64_t id)
{
	for (unsigned i = 0; i < PH_LABEL_MAX; i++)
		if (ids->id[i] == id)
			return;
	if (ids->count < PH_LABEL_MAX)
		ids->id[ids->count++] = id;
	else
		evict_for(image, ids, id);
}

void image_add_ids(const struct ph_image *image, struct ph_ids *ids, const struct ph_ids *more)
{
	for (unsigned i = 0; i < more->count && i < PH_LABEL_MAX; i++)
		image_add_id(image, ids, more->id[i]);
	if (more->count > PH_LABEL_MAX)
		ids->count = PH_OVERFULL;
}

void image_add_trait(const struct ph_image *image, struct ph_ids *ids, const struct ph_trait *trait)
{
	const struct ph_ids *brought = image_find_trait(image, trait);

	if (brought)
		image_add_ids(image, ids, brought);
}

const struct ph_image_source *image_find_source(const struct ph_image *image, uint64_t id)
{
	return find(&id, image->sources, image->n_sources, sizeof(*image->sources), order_id);
}

/* How many leading bits, up to max, two addresses share. */
static unsigned common_bits(const __u32 a[4], const __u32 b[4], unsigned max)
{
	unsigned bits = 0;

	for (int i = 0; i < 4 && bits < max; i++, bits += 32) {
		__u32 differ = be32toh(a[i] ^ b[i]);

		if (differ) {
			bits += __builtin_clz(differ);
			break;
		}
	}
	return bits < max ? bits : max;
}

static void cut_address(__u32 word[4], unsigned bits)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned keep = bits > i * 32 ? bits - i * 32 : 0;

		if (!keep)
			word[i] = 0;
		else if (keep < 32)
			word[i] &= htobe32(~0u << (32 - keep));
	}
}

/*
 * Of two networks that overlap one holds the other, so every network that holds the address but not
 * its neighbour below is shorter than what the two share: the search goes on with that.
 */
const struct ph_prefix *image_find_prefix(const struct ph_image *image,
					  const struct ph_prefix_key *key)
{
	struct ph_prefix_key wanted = *key;

	for (;;) {
		const struct ph_image_prefix *below;
		unsigned shared;

		below = floor_of(&wanted, image->prefixes, image->n_prefixes, sizeof(*below),
				 order_prefix);
		if (!below || below->key.scope != key->scope)
			return NULL;
		shared = common_bits(below->key.word, key->word, wanted.prefixlen - 32);
		if (below->key.prefixlen - 32 <= shared)
			return &below->value;
		wanted.prefixlen = 32 + shared;
		cut_address(wanted.word, shared);
	}
}

/* --- Decisions */

bool decide_policy(const struct ph_image *image, const struct ph_grant *grant,
		   const struct ph_flow *flow)
{
	return ph_covers(image, grant, flow);
}

static __u8 question_of(const struct ph_flow_spec *spec)
{
	switch (spec->door) {
	case PH_FLOW_CONNECT:
		return spec->proto == PH_PROTO_UDP ? PH_ASK_TRAFFIC : PH_ASK_CONNECT;
	case PH_FLOW_BIND:
		return PH_ASK_BIND;
	case PH_FLOW_LISTEN:
		return PH_ASK_LISTEN;
	case PH_FLOW_ACCEPT:
		return PH_ASK_SERVE;
	case PH_FLOW_SEND:
	case PH_FLOW_RECEIVE:
		return PH_ASK_TRAFFIC;
	case PH_FLOW_SOCKET:
		break;
	}
	return PH_ASK_SOCKET;
}

uint16_t rule_socket_kind(enum ph_rule_socket socket)
{
	static const uint16_t kinds[] = {
		[PH_KIND_ICMP] = PH_SOCKET_ICMP,
		[PH_KIND_RAW] = PH_SOCKET_RAW,
		[PH_KIND_PACKET] = PH_SOCKET_PACKET,
		[PH_KIND_VSOCK] = PH_SOCKET_VSOCK,
	};

	return kinds[socket];
}

bool kind_rule_socket(unsigned kind, enum ph_rule_socket *ret)
{
	for (enum ph_rule_socket socket = PH_KIND_ICMP; socket <= PH_KIND_VSOCK; socket++) {
		if (rule_socket_kind(socket) != kind)
			continue;
		*ret = socket;
		return true;
	}
	return false;
}

const char *socket_kind_name(unsigned kind)
{
	enum ph_rule_socket socket;

	if (kind == PH_SOCKET_TCP)
		return proto_name(PH_PROTO_TCP);
	if (kind == PH_SOCKET_UDP)
		return proto_name(PH_PROTO_UDP);
	return kind_rule_socket(kind, &socket) ? rule_socket_name(socket) : "other";
}

static __u16 kind_of(const struct ph_flow_spec *spec)
{
	if (spec->door == PH_FLOW_SOCKET && spec->has_socket_kind)
		return rule_socket_kind(spec->socket);
	return spec->proto == PH_PROTO_UDP ? PH_SOCKET_UDP : PH_SOCKET_TCP;
}

static struct ph_address address_of(const struct ph_endpoint *endpoint, __u8 family)
{
	struct ph_address address = { .v6 = family == 6 };
	__u32 word[4];

	memcpy(word, endpoint->addr, sizeof(word));
	if (endpoint->family)
		ph_address(&address, endpoint->family == 6 ? PH_AF_INET6 : PH_AF_INET, word[0],
			   word);
	return address;
}

/* Calls name a remote; what arrives has one. */
static bool names_remote(const struct ph_flow_spec *spec)
{
	return spec->door == PH_FLOW_CONNECT || spec->door == PH_FLOW_SEND;
}

size_t spec_flows(const struct ph_flow_spec *spec, struct ph_flow ret[PH_SPEC_FLOWS_MAX])
{
	bool both = !spec->local.family && !spec->remote.family && spec->door != PH_FLOW_SOCKET;
	struct ph_flow flow = {
		.question = question_of(spec),
		.kind = kind_of(spec),
		.local_port = spec->local.port,
		.remote_port = spec->remote.port,
		.local = address_of(&spec->local, spec->remote.family),
		.remote = address_of(&spec->remote, 0),
	};

	flow.udp = flow.kind == PH_SOCKET_UDP;
	if (names_remote(spec))
		ph_settle(&flow.remote, &flow.local);
	ret[0] = flow;
	if (!both)
		return 1;
	flow.local.v6 = 1;
	ret[1] = flow;
	return 2;
}

bool decide_spec(const struct ph_image *image, const struct ph_grant *grant,
		 const struct ph_flow_spec *spec)
{
	struct ph_flow flows[PH_SPEC_FLOWS_MAX];
	size_t n = spec_flows(spec, flows);

	for (size_t i = 0; i < n; i++)
		if (!decide_policy(image, grant, &flows[i]))
			return false;
	return true;
}
