/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_COMPILE_H
#define PH_COMPILE_H
/*
 * Policies -> image: the content of the kernel's tables, as bpf/abi.h describes them.
 *
 * Invariants of an image:
 * - every table is sorted and holds no key twice: traits by their words, grants and sources by id
 *   (sources[i] tells where grants[i] was written), prefixes by scope, address bytes and length;
 * - it depends on what the policies mean alone: their order, that of their rules, and how they are
 *   spelt change nothing in the tables and the hash;
 * - unused bytes are zero, unused spans {1, 0};
 * - it borrows nothing from the set.
 */
#include "policy/policy.h"
#include "policy/problem.h"

#include <linux/types.h>
#include <linux/bpf.h>

#include "abi.h"

/* Limits on what comes from outside: more is a problem of the set. */
#define PH_IMAGE_PREFIXES_MAX (1U << 20) /* entries of the prefix table */
#define PH_IMAGE_CHUNKS_MAX (1U << 18) /* entries of the port table */
#define PH_IMAGE_TOUCHES_MAX (1U << 25) /* networks looked at, the same one for each region anew */

struct ph_image_trait {
	struct ph_trait key;
	struct ph_ids value;
};

struct ph_image_prefix {
	struct ph_prefix_key key;
	struct ph_prefix value;
};

struct ph_image_source {
	uint64_t id;
	const char *name;
	const char *file; /* NULL: made by hand */
	unsigned line;
};

/* A program that a policy names, with the name that the process must have as well; zeros: any. */
struct ph_image_program {
	const char *exe;
	struct ph_trait name;
	uint64_t id;
	bool withheld; /* what lies at its path is not told: see guard.h */
};

struct ph_image {
	/*
	 * Generation, deadline and slot are the caller's to fill. The hash is of all that the
	 * kernel gets; names of policies, files and lines do not count.
	 */
	struct ph_header header;
	__u64 *filter; /* PH_FILTER_WORDS: ph_filter.trait */
	struct ph_image_trait *traits;
	size_t n_traits;
	struct ph_grant *grants; /* the key is the id */
	size_t n_grants;
	struct ph_chunk *chunks;
	size_t n_chunks;
	struct ph_image_prefix *prefixes;
	size_t n_prefixes;
	struct ph_image_source *sources;
	size_t n_sources;
	struct ph_image_program *programs; /* by id */
	size_t n_programs;
	char *strings; /* private: what sources and programs point to */
};

/* Takes a zeroed object or a made one, and leaves a zeroed one. */
void image_done(struct ph_image *image);

/*
 * The set must be resolved (policy/resolve.h).
 * -EINVAL: problems got at least one error. Other -errno: -ENOMEM. *ret is untouched on failure.
 */
int image_compile(const struct ph_policy_set *set, struct ph_image *ret,
		  struct ph_problems *problems);

/* The program that the policy names, if it names one; borrowed from it. */
struct ph_image_program policy_program(const struct ph_policy *policy);

/*
 * A hash of the policy's name and match, never 0: neither can change under the same id. The
 * canary's, whose match never changes, is PH_CANARY_ID.
 */
uint64_t policy_id(const struct ph_policy *policy);

/* A hash of the data and of what was hashed before: parts cannot run into each other. */
uint64_t hash_more(uint64_t before, const void *data, size_t len);

/* Hashes as the kernel programs compute them; empty components do not count. */
uint64_t component_hash(const char *name, size_t len);
uint64_t exe_path_hash(const char *path, unsigned *ret_components);
uint64_t cgroup_path_hash(const char *path, unsigned *ret_levels); /* below the cgroup2 root */

#endif
