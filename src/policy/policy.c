// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Life and death of policies and sets of them (policy.h has the contract).
 *
 * The index of a set is open addressing over the names, at most half full; an entry is a position
 * in the array plus one. Removing a policy rebuilds it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_rule, rule_done);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);

void rule_done(struct ph_rule *rule)
{
	free(rule->ranges);
	free(rule->to.v);
	free(rule->on.v);
	free(rule->from.v);
	free(rule->except.v);
	*rule = (struct ph_rule){};
}

void policy_done(struct ph_policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		rule_done(&policy->rules[i]);
	free(policy->rules);
	free(policy->expects);
	free(policy->name);
	free(policy->match.exe);
	free(policy->match.cgroup);
	free(policy->match.unit);
	*policy = (struct ph_policy){};
}

void policy_set_done(struct ph_policy_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		policy_done(&set->policies[i]);
	for (size_t i = 0; i < set->n_files; i++)
		free(set->files[i]);
	free(set->policies);
	free(set->files);
	free(set->index);
	*set = (struct ph_policy_set){};
}

/* A copy of n elements; n 0 gives NULL. */
static int copy_array(const void *from, size_t n, size_t size, void **ret)
{
	void *copy = NULL;

	if (n) {
		copy = malloc(n * size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from, n * size);
	}
	*ret = copy;
	return 0;
}

static int copy_cidrs(const struct ph_cidrs *from, struct ph_cidrs *to)
{
	void *copy;
	int r = copy_array(from->v, from->n, sizeof(*from->v), &copy);

	if (r < 0)
		return r;
	*to = (struct ph_cidrs){ copy, from->n };
	return 0;
}

static int copy_string(const char *from, char **to)
{
	char *copy = NULL;

	if (from) {
		copy = strdup(from);
		if (!copy)
			return -ENOMEM;
	}
	*to = copy;
	return 0;
}

int rule_copy(const struct ph_rule *rule, struct ph_rule *ret)
{
	cleanup_(rule_donep) struct ph_rule copy = *rule;
	void *ranges;
	int r;

	copy.ranges = NULL;
	copy.to = copy.on = copy.from = copy.except = (struct ph_cidrs){};
	r = copy_array(rule->ranges, rule->n_ranges, sizeof(*rule->ranges), &ranges);
	if (r < 0)
		return r;
	copy.ranges = ranges;
	if (copy_cidrs(&rule->to, &copy.to) < 0 || copy_cidrs(&rule->on, &copy.on) < 0 ||
	    copy_cidrs(&rule->from, &copy.from) < 0 || copy_cidrs(&rule->except, &copy.except) < 0)
		return -ENOMEM;
	*ret = copy;
	copy = (struct ph_rule){};
	return 0;
}

int policy_copy(const struct ph_policy *policy, struct ph_policy *ret)
{
	cleanup_(policy_donep) struct ph_policy copy = *policy;

	copy.name = copy.match.exe = copy.match.cgroup = copy.match.unit = NULL;
	copy.rules = NULL;
	copy.expects = NULL;
	copy.n_rules = copy.n_expects = 0;
	if (copy_string(policy->name, &copy.name) < 0 ||
	    copy_string(policy->match.exe, &copy.match.exe) < 0 ||
	    copy_string(policy->match.cgroup, &copy.match.cgroup) < 0 ||
	    copy_string(policy->match.unit, &copy.match.unit) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_rules; i++) {
		cleanup_(rule_donep) struct ph_rule rule = {};

		if (rule_copy(&policy->rules[i], &rule) < 0 || policy_add_rule(&copy, &rule) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < policy->n_expects; i++)
		if (policy_add_expect(&copy, &policy->expects[i]) < 0)
			return -ENOMEM;
	*ret = copy;
	copy = (struct ph_policy){};
	return 0;
}

/* Room for one more in an array that is doubled whenever n is a power of two. */
static int grow(void **array, size_t n, size_t size)
{
	void *larger;

	if (n & (n - 1))
		return 0;
	larger = reallocarray(*array, n ? n * 2 : 1, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

int policy_add_rule(struct ph_policy *policy, struct ph_rule *rule)
{
	if (grow((void **)&policy->rules, policy->n_rules, sizeof(*rule)) < 0)
		return -ENOMEM;
	policy->rules[policy->n_rules++] = *rule;
	*rule = (struct ph_rule){};
	return 0;
}

int policy_add_expect(struct ph_policy *policy, const struct ph_expect *expect)
{
	if (grow((void **)&policy->expects, policy->n_expects, sizeof(*expect)) < 0)
		return -ENOMEM;
	policy->expects[policy->n_expects++] = *expect;
	return 0;
}

/* FNV-1a with a final mix: the low bits pick the place. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	hash ^= hash >> 15;
	return hash * 2246822519U ^ hash >> 13;
}

/* The place of the name in the index, or the empty one where it belongs. */
static size_t index_place(const struct ph_policy_set *set, const char *name)
{
	size_t place = hash_name(name) & (set->n_index - 1);

	while (set->index[place] && strcmp(set->policies[set->index[place] - 1].name, name) != 0)
		place = (place + 1) & (set->n_index - 1);
	return place;
}

static void index_rebuild(struct ph_policy_set *set)
{
	memset(set->index, 0, set->n_index * sizeof(*set->index));
	for (size_t i = 0; i < set->n; i++)
		set->index[index_place(set, set->policies[i].name)] = (uint32_t)(i + 1);
}

/* After this, adding up to `more` policies cannot fail. */
static int reserve(struct ph_policy_set *set, size_t more)
{
	size_t n = set->n + more, n_allocated = set->n_allocated, n_index = set->n_index;

	if (n > PH_POLICIES_MAX)
		return -E2BIG;
	while (n_allocated < n)
		n_allocated = n_allocated ? n_allocated * 2 : 1;
	while (n_index < n * 2)
		n_index = n_index ? n_index * 2 : 2;
	if (n_allocated > set->n_allocated) {
		struct ph_policy *larger;

		larger = reallocarray(set->policies, n_allocated, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		set->policies = larger;
		set->n_allocated = n_allocated;
	}
	if (n_index > set->n_index) {
		uint32_t *larger = reallocarray(set->index, n_index, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		set->index = larger;
		set->n_index = n_index;
		index_rebuild(set);
	}
	return 0;
}

struct ph_policy *policy_set_find(const struct ph_policy_set *set, const char *name)
{
	uint32_t entry = set->n_index ? set->index[index_place(set, name)] : 0;

	return entry ? &set->policies[entry - 1] : NULL;
}

static void append(struct ph_policy_set *set, struct ph_policy *policy)
{
	size_t place = index_place(set, policy->name);

	set->policies[set->n++] = *policy;
	set->index[place] = (uint32_t)set->n;
	*policy = (struct ph_policy){};
}

int policy_set_add(struct ph_policy_set *set, struct ph_policy *policy)
{
	int r;

	if (policy_set_find(set, policy->name))
		return -EEXIST;
	r = reserve(set, 1);
	if (r < 0)
		return r;
	append(set, policy);
	return 0;
}

int policy_set_add_file(struct ph_policy_set *set, const char *file, const char **ret)
{
	cleanup_free char *copy = strdup(file);

	if (!copy || grow((void **)&set->files, set->n_files, sizeof(*set->files)) < 0)
		return -ENOMEM;
	set->files[set->n_files] = TAKE_PTR(copy);
	*ret = set->files[set->n_files++];
	return 0;
}

int policy_set_rename_file(struct ph_policy_set *set, const char *from, const char *to)
{
	for (size_t i = 0; i < set->n_files; i++) {
		char *old = set->files[i], *new;

		if (strcmp(old, from))
			continue;
		new = strdup(to);
		if (!new)
			return -ENOMEM;
		set->files[i] = new;
		for (size_t k = 0; k < set->n; k++)
			if (set->policies[k].file == old)
				set->policies[k].file = new;
		free(old);
	}
	return 0;
}

int policy_set_merge(struct ph_policy_set *set, struct ph_policy_set *other)
{
	size_t n_new = 0, n_files = set->n_files + other->n_files, n = 1;
	char **files;
	int r;

	for (size_t i = 0; i < other->n; i++)
		n_new += !policy_set_find(set, other->policies[i].name);
	r = reserve(set, n_new);
	if (r < 0)
		return r;
	/* The size that grow() counts on. */
	while (n < n_files)
		n *= 2;
	files = reallocarray(set->files, n, sizeof(*files));
	if (!files)
		return -ENOMEM;
	set->files = files;
	if (other->n_files)
		memcpy(set->files + set->n_files, other->files, other->n_files * sizeof(*files));
	set->n_files = n_files;
	other->n_files = 0;
	for (size_t i = 0; i < other->n; i++) {
		struct ph_policy *policy = &other->policies[i];
		struct ph_policy *old = policy_set_find(set, policy->name);

		if (!old) {
			append(set, policy);
			continue;
		}
		policy->overruled_file = old->file;
		policy->overruled_line = old->line;
		policy_done(old);
		*old = *policy;
	}
	other->n = 0;
	policy_set_done(other);
	return 0;
}

int policy_set_remove(struct ph_policy_set *set, const char *name)
{
	struct ph_policy *policy = policy_set_find(set, name);
	size_t position;

	if (!policy)
		return -ENOENT;
	position = (size_t)(policy - set->policies);
	policy_done(policy);
	set->n--;
	memmove(policy, policy + 1, (set->n - position) * sizeof(*policy));
	index_rebuild(set);
	return 0;
}

const char *policy_mode_name(enum ph_policy_mode mode)
{
	return mode == PH_POLICY_AUDIT ? "audit" : "enforce";
}

const char *policy_children_name(enum ph_children children)
{
	return children == PH_CHILDREN_LEAVE ? "leave" : "confine";
}

const char *proto_name(enum ph_proto proto)
{
	return proto == PH_PROTO_UDP ? "udp" : "tcp";
}

const char *rule_socket_name(enum ph_rule_socket kind)
{
	static const char *const names[] = {
		[PH_KIND_ICMP] = "icmp",
		[PH_KIND_RAW] = "raw",
		[PH_KIND_PACKET] = "packet",
		[PH_KIND_VSOCK] = "vsock",
	};

	return names[kind];
}

const char *flow_door_name(enum ph_flow_door door)
{
	static const char *const names[] = {
		[PH_FLOW_CONNECT] = "connect", [PH_FLOW_BIND] = "bind",
		[PH_FLOW_LISTEN] = "listen",   [PH_FLOW_ACCEPT] = "accept",
		[PH_FLOW_SEND] = "send",       [PH_FLOW_RECEIVE] = "receive",
		[PH_FLOW_SOCKET] = "socket",
	};

	return names[door];
}
