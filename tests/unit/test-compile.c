// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stands in each table of an image. Policies are written as rules in the grammar of rule.h.
 * With PH_TEST_MANY set, the time and size of large sets are printed too.
 */
#include "kernel/places.h"
#include "kernel/compile.h"
#include "kernel/decide.h"
#include "policy/rule.h"
#include "util/cleanup.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* --- Sets */

static void add_rule(struct ph_policy *policy, const char *text)
{
	struct ph_text_error error;
	struct ph_rule rule;

	if (rule_parse(text, strlen(text), &rule, &error))
		fail_msg("%s: %s", text, error.message);
	assert_int_equal(policy_add_rule(policy, &rule), 0);
}

static struct ph_policy *add_policy(struct ph_policy_set *set, const char *name, const char *comm,
				    const char *const *rules)
{
	struct ph_policy policy = { .name = strdup(name), .file = "test.yaml", .line = 7 };

	assert_non_null(policy.name);
	strcpy(policy.match.comm, comm);
	for (; rules && *rules; rules++)
		add_rule(&policy, *rules);
	assert_int_equal(policy_set_add(set, &policy), 0);
	return &set->policies[set->n - 1];
}

static void compile(const struct ph_policy_set *set, struct ph_image *ret)
{
	cleanup_(problems_donep) struct ph_problems problems = {};

	assert_int_equal(image_compile(set, ret, &problems), 0);
	assert_int_equal(problems.n, 0);
}

/* One policy of these rules. */
static void compile_rules(const char *const *rules, struct ph_image *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};

	add_policy(&set, "p", "p", rules);
	compile(&set, ret);
	assert_int_equal(ret->n_grants, 1);
}

static bool is_in_filter(const struct ph_image *image, const struct ph_trait *trait)
{
	uint64_t hash = ph_trait_hash(trait), bits = ph_filter_bits(hash);

	return !(bits & ~image->filter[ph_filter_word(hash)]);
}

/* The set must be refused, with this in the problem. */
static void refuse(const struct ph_policy_set *set, const char *words)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	struct ph_image image, before;

	memset(&image, 0x5a, sizeof(image));
	before = image;
	assert_int_equal(image_compile(set, &image, &problems), -EINVAL);
	assert_memory_equal(&image, &before, sizeof(image));
	assert_true(problems.n_errors >= 1);
	assert_string_equal(problems.v[0].file, "test.yaml");
	assert_int_equal(problems.v[0].line, 7);
	if (!strstr(problems.v[0].message, words))
		fail_msg("\"%s\" is not in: %s", words, problems.v[0].message);
}

static void check_span(const struct ph_ports *ports, int i, unsigned first, unsigned last)
{
	assert_int_equal(ports->span[i].first, first);
	assert_int_equal(ports->span[i].last, last);
}

/* --- Names and grants */

static void test_empty(void **state)
{
	const struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};

	compile(&set, &image);
	assert_int_equal(image.n_grants + image.n_traits + image.n_prefixes + image.n_chunks, 0);
	assert_int_equal(image.header.features, 0);
	assert_null(image_find_ids(&image, "x"));
	assert_null(image_find_grant(&image, 1));
}

static void test_names(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_ids *ids;

	for (int i = 0; i < PH_LABEL_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "crowd-%d", i);
		add_policy(&set, name, "fifteen-bytes-x", NULL);
	}
	add_policy(&set, "alone", "a", NULL);
	compile(&set, &image);
	assert_int_equal(image.n_traits, 2);
	assert_int_equal(image.header.features, PH_FEATURE_COMM);
	ids = image_find_ids(&image, "fifteen-bytes-x and more");
	assert_non_null(ids);
	assert_int_equal(ids->count, PH_LABEL_MAX);
	for (int i = 0; i < PH_LABEL_MAX; i++)
		assert_non_null(image_find_grant(&image, ids->id[i]));
	ids = image_find_ids(&image, "a");
	assert_non_null(ids);
	assert_int_equal(ids->count, 1);
	assert_int_equal(ids->id[0], policy_id(policy_set_find(&set, "alone")));
	assert_int_equal(ids->id[1], 0);
	assert_null(image_find_ids(&image, "b"));
	for (size_t i = 0; i < image.n_traits; i++) {
		assert_true(is_in_filter(&image, &image.traits[i].key));
	}
	add_policy(&set, "crowd-9", "fifteen-bytes-x", NULL);
	refuse(&set, "more than 8 policies match the name fifteen-bytes-x: ");
	refuse(&set, "crowd-9 (test.yaml:7)");
}

static void test_grant(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_grant *grant;
	struct ph_policy *policy;
	unsigned levels;

	policy = add_policy(&set, "full", "x", RULES("socket icmp", "socket raw", "udp 53"));
	policy->mode = PH_POLICY_AUDIT;
	policy->children = PH_CHILDREN_LEAVE;
	policy->match.has_uid = true;
	policy->match.uid = 1000;
	policy->match.cgroup = strdup("/system.slice/web.service");
	add_policy(&set, PH_CANARY_NAME, PH_CANARY_NAME, RULES("tcp 1", "socket packet"));
	compile(&set, &image);

	grant = image_find_grant(&image, policy_id(policy_set_find(&set, "full")));
	assert_int_equal(grant->mode, PH_MODE_AUDIT);
	assert_int_equal(grant->flags, PH_GRANT_LEAVE | PH_GRANT_UID | PH_GRANT_CGROUP);
	assert_int_equal(grant->sockets, PH_SOCKET_LOCAL | PH_SOCKET_TCP | PH_SOCKET_UDP |
						 PH_SOCKET_UDP_ANSWERS | PH_SOCKET_ICMP |
						 PH_SOCKET_RAW);
	assert_int_equal(grant->uid, 1000);
	assert_int_equal(grant->cgroup_level, 2);
	assert_int_equal(grant->cgroup, cgroup_path_hash("/system.slice/web.service", &levels));
	assert_int_equal(image.header.features,
			 PH_FEATURE_COMM | PH_FEATURE_UID | PH_FEATURE_CGROUP | PH_FEATURE_AUDIT);

	grant = image_find_grant(&image, policy_id(policy_set_find(&set, PH_CANARY_NAME)));
	assert_int_equal(grant->mode, PH_MODE_ENFORCE);
	assert_int_equal(grant->id, PH_CANARY_ID);
	assert_int_equal(grant->flags, 0);
	assert_int_equal(grant->sockets,
			 PH_SOCKET_LOCAL | PH_SOCKET_TCP | PH_SOCKET_UDP | PH_SOCKET_PACKET);
	assert_string_equal(image_find_source(&image, grant->id)->name, PH_CANARY_NAME);
	assert_string_equal(image_find_source(&image, grant->id)->file, "test.yaml");
	assert_int_equal(image_find_source(&image, grant->id)->line, 7);
}

/* The expected numbers come from another program, written from the comment in bpf/verdict.h. */
static void test_hashes(void **state)
{
	char full[57] = "";
	unsigned levels;

	memset(full, 'x', 56);
	assert_true(component_hash("abcdefghi", 9) == 0xb764d9cb86c9c3ce);
	/* A full chunk is followed by an empty one. */
	assert_true(component_hash(full, 56) == 0xd58a41ca542a3fab);
	assert_true(cgroup_path_hash("/", &levels) == PH_HASH_START);
	assert_int_equal(levels, 0);
	assert_true(cgroup_path_hash("/abcdefghi", &levels) == 0xc1080785aceec777);
	assert_true(cgroup_path_hash("/abcdefghi/b", &levels) == 0xb0d7cf72fdb74c1);
	assert_int_equal(levels, 2);
	assert_true(cgroup_path_hash("//abcdefghi//b/", &levels) == 0xb0d7cf72fdb74c1);
	assert_true(cgroup_path_hash("/b/abcdefghi", &levels) == 0xc43875a484fd9aaf);
}

static void test_exe_hash(void **state)
{
	unsigned components;

	assert_true(exe_path_hash("/usr/bin/env", &components) == 0x1e0b76f5fd39dba0);
	assert_int_equal(components, 3);
	assert_true(exe_path_hash("//usr//bin/env", &components) == 0x1e0b76f5fd39dba0);
	assert_true(exe_path_hash("/usr/env/bin", &components) != 0x1e0b76f5fd39dba0);
	assert_true(exe_path_hash("/", &components) == PH_HASH_START);
	assert_int_equal(components, 0);
}

static void test_cgroup_described(void **state)
{
	struct ph_cgroup cgroup;
	unsigned levels;

	cgroup_describe("/a//bc", &cgroup);
	assert_int_equal(cgroup.levels, 2);
	assert_true(cgroup.hash[0] == PH_HASH_START);
	assert_true(cgroup.hash[1] == cgroup_path_hash("/a", &levels));
	assert_true(cgroup.hash[2] == cgroup_path_hash("/a/bc", &levels));
	assert_true(cgroup.hash[3] == 0);
	assert_true(cgroup.hash[PH_CGROUP_DEPTH + 1] == 0);
	assert_true(cgroup.hash[PH_CGROUP_DEPTH + 2] == component_hash("a", 1));
	assert_true(cgroup.hash[PH_CGROUP_DEPTH + 3] == component_hash("bc", 2));
	/* What systemd escapes is the unit that it stands for, and its own path. */
	cgroup_describe("/_memory.service", &cgroup);
	assert_true(cgroup.hash[1] == cgroup_path_hash("/_memory.service", &levels));
	assert_true(cgroup.hash[PH_CGROUP_DEPTH + 2] == component_hash("memory.service", 14));
	/* What lies deeper than can be seen is left out. */
	cgroup_describe("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/b", &cgroup);
	assert_int_equal(cgroup.levels, 16);
	assert_true(cgroup.hash[2 * PH_CGROUP_DEPTH + 1] == component_hash("a", 1));
}

/* --- Whom policies confine */

static void set_match(struct ph_policy *policy, const char *cgroup, const char *unit, int uid)
{
	policy->match.cgroup = cgroup ? strdup(cgroup) : NULL;
	policy->match.unit = unit ? strdup(unit) : NULL;
	policy->match.has_uid = uid >= 0;
	policy->match.uid = uid;
}

/* The trait brings exactly this policy. */
static void check_brings(const struct ph_image *image, struct ph_trait trait,
			 const struct ph_policy_set *set, const char *name)
{
	const struct ph_ids *ids = image_find_trait(image, &trait);

	assert_non_null(ids);
	assert_int_equal(ids->count, 1);
	assert_true(ids->id[0] == policy_id(policy_set_find(set, name)));
	assert_true(is_in_filter(image, &trait));
}

static void test_live_traits(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_grant *grant;
	unsigned levels;

	set_match(add_policy(&set, "uid", "", NULL), NULL, NULL, 1000);
	set_match(add_policy(&set, "cgroup", "", NULL), "/a/b", NULL, -1);
	set_match(add_policy(&set, "unit", "", NULL), NULL, "memory.service", -1);
	compile(&set, &image);
	assert_int_equal(image.n_traits, 3);
	check_brings(&image, ph_trait(PH_TRAIT_UID, 1000), &set, "uid");
	check_brings(&image, ph_trait(PH_TRAIT_CGROUP, cgroup_path_hash("/a/b", &levels)), &set,
		     "cgroup");
	check_brings(&image, ph_trait(PH_TRAIT_UNIT, component_hash("memory.service", 14)), &set,
		     "unit");
	assert_int_equal(image.header.features, PH_FEATURE_UID | PH_FEATURE_BY_UID |
							PH_FEATURE_CGROUP | PH_FEATURE_BY_CGROUP);
	/* What finds a policy is no condition of it. */
	for (size_t i = 0; i < image.n_grants; i++)
		assert_int_equal(image.grants[i].flags & PH_GRANT_LIVE, 0);
	for (size_t i = 0; i < 3; i++) {
		grant = image_find_grant(&image, policy_id(&set.policies[i]));
		assert_int_equal(grant->flags & PH_GRANT_BY_CGROUP,
				 i == 0 ? 0 : PH_GRANT_BY_CGROUP);
	}
}

/* Whom `run` puts under a policy has no trait by which it could be found. */
static void test_run(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};

	add_policy(&set, "named", "name", NULL);
	add_policy(&set, "by-id", "", NULL)->match.run = true;
	compile(&set, &image);
	assert_int_equal(image.n_traits, 1);
	assert_int_equal(image.n_grants, 2);
	assert_non_null(image_find_grant(&image, policy_id(policy_set_find(&set, "by-id"))));
	assert_null(image_find_ids(&image, "by-id"));
}

/* One trait finds the policy, the others are conditions. */
static void test_several(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_grant *grant;

	set_match(add_policy(&set, "all", "name", NULL), "/a", "b.service", 0);
	set_match(add_policy(&set, "some", "", NULL), "/a", "c.service", 7);
	compile(&set, &image);
	assert_int_equal(image.n_traits, 2);
	assert_int_equal(image.header.features, PH_FEATURE_COMM | PH_FEATURE_UID |
							PH_FEATURE_CGROUP | PH_FEATURE_BY_CGROUP);
	grant = image_find_grant(&image, policy_id(policy_set_find(&set, "all")));
	assert_int_equal(grant->flags, PH_GRANT_UID | PH_GRANT_CGROUP | PH_GRANT_UNIT);
	assert_true(grant->unit == component_hash("b.service", 9));
	grant = image_find_grant(&image, policy_id(policy_set_find(&set, "some")));
	assert_int_equal(grant->flags, PH_GRANT_UID | PH_GRANT_CGROUP | PH_GRANT_BY_CGROUP);
	assert_int_equal(grant->uid, 7);
}

static void test_programs(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_policy *policy;
	struct ph_trait name = {};
	uint64_t hash;
	unsigned n;

	add_policy(&set, "exe", "", NULL)->match.exe = strdup("/bin/a");
	add_policy(&set, "both", "x", NULL)->match.exe = strdup("/bin/a");
	policy = add_policy(&set, "uid", "", NULL);
	policy->match.exe = strdup("/bin/b");
	set_match(policy, NULL, NULL, 3);
	compile(&set, &image);
	hash = exe_path_hash("/bin/a", &n);
	memcpy(&name, "x", 1);
	check_brings(&image, ph_trait(PH_TRAIT_PATH, hash), &set, "exe");
	check_brings(&image, ph_trait(PH_TRAIT_NAMED_PATH, ph_with_name(hash, &name)), &set,
		     "both");
	check_brings(&image, ph_trait(PH_TRAIT_PATH, exe_path_hash("/bin/b", &n)), &set, "uid");
	assert_int_equal(image.n_traits, 3);
	assert_int_equal(image.header.features,
			 PH_FEATURE_EXE | PH_FEATURE_NAMED_EXE | PH_FEATURE_UID);
	/* A name that is asked for together with a program is nothing alone. */
	assert_null(image_find_ids(&image, "x"));
	assert_int_equal(image.n_programs, 3);
	assert_string_equal(image.programs[0].exe, "/bin/a");
	assert_true(image.programs[0].id == policy_id(&set.policies[0]));
	assert_memory_equal(&image.programs[1].name, &name, sizeof(name));
}

/* What a cgroup brings: by its path, that of those above it, and the names on the way. */
static void test_places(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_cgroup cgroup;
	struct ph_ids ids;

	set_match(add_policy(&set, "path", "", NULL), "/a", NULL, -1);
	set_match(add_policy(&set, "unit", "", NULL), NULL, "b.service", -1);
	set_match(add_policy(&set, "name", "x", NULL), "/a", NULL, -1);
	compile(&set, &image);
	cgroup_describe("/a/c", &cgroup);
	cgroup_brings(&image, &cgroup, &ids);
	assert_int_equal(ids.count, 1);
	assert_true(ids.id[0] == policy_id(policy_set_find(&set, "path")));
	cgroup_describe("/c/b.service/d", &cgroup);
	cgroup_brings(&image, &cgroup, &ids);
	assert_int_equal(ids.count, 1);
	assert_true(ids.id[0] == policy_id(policy_set_find(&set, "unit")));
	cgroup_describe("/a/b.service", &cgroup);
	cgroup_brings(&image, &cgroup, &ids);
	assert_int_equal(ids.count, 2);
	cgroup_describe("/b/a", &cgroup);
	cgroup_brings(&image, &cgroup, &ids);
	assert_int_equal(ids.count, 0);
}

/* Nine units, one in another, of which the last or none enforces. */
static void bring_nested(bool enforces, struct ph_ids *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_cgroup cgroup;

	for (int i = 0; i <= PH_LABEL_MAX; i++) {
		char name[] = { 'a' + i, 0 };
		struct ph_policy *policy = add_policy(&set, name, "", NULL);

		set_match(policy, NULL, name, -1);
		policy->mode = PH_POLICY_AUDIT;
	}
	if (enforces)
		set.policies[PH_LABEL_MAX].mode = PH_POLICY_ENFORCE;
	compile(&set, &image);
	cgroup_describe("/a/b/c/d/e/f/g/h/i", &cgroup);
	cgroup_brings(&image, &cgroup, ret);
}

/* Policies that only watch make room; and no policy comes twice. */
static void test_crowded_places(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_cgroup cgroup;
	struct ph_ids ids;

	bring_nested(false, &ids);
	assert_int_equal(ids.count, PH_LABEL_MAX);
	bring_nested(true, &ids);
	assert_int_equal(ids.count, PH_LABEL_MAX);
	set_match(add_policy(&set, "i", "", NULL), NULL, "i", -1);
	assert_true(ids.id[0] == policy_id(&set.policies[0]));
	compile(&set, &image);
	cgroup_describe("/i/i/i/i/i/i/i/i/i", &cgroup);
	cgroup_brings(&image, &cgroup, &ids);
	assert_int_equal(ids.count, 1);
	for (int i = 0; i < PH_LABEL_MAX; i++) {
		char name[] = { 'a' + i, 0 };

		set_match(add_policy(&set, name, "", NULL), NULL, name, -1);
	}
	image_done(&image);
	compile(&set, &image);
	cgroup_describe("/a/b/c/d/e/f/g/h/i", &cgroup);
	cgroup_brings(&image, &cgroup, &ids);
	assert_int_equal(ids.count, PH_OVERFULL);
}

static void test_crowds(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};

	for (int i = 0; i <= PH_LABEL_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "crowd-%d", i);
		set_match(add_policy(&set, name, "", NULL), NULL, "a.service", -1);
	}
	refuse(&set, "more than 8 policies match the unit a.service: ");
	for (size_t i = 0; i < set.n; i++) {
		free(set.policies[i].match.unit);
		set_match(&set.policies[i], "/a", NULL, 5);
	}
	refuse(&set, "more than 8 policies match the cgroup /a: ");
	for (size_t i = 0; i < set.n; i++) {
		free(set.policies[i].match.cgroup);
		set_match(&set.policies[i], NULL, NULL, 5);
	}
	refuse(&set, "more than 8 policies match the uid 5: ");
}

/* --- Ports */

static void test_spans(void **state)
{
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_ports *ports;

	compile_rules(RULES("connect tcp 80,443", "tcp 81-90,444", "bind udp any"), &image);
	ports = image.grants[0].plain;
	check_span(&ports[PH_PLANE_CONNECT_TCP], 0, 80, 90);
	check_span(&ports[PH_PLANE_CONNECT_TCP], 1, 443, 444);
	check_span(&ports[PH_PLANE_CONNECT_TCP], 2, 1, 0);
	check_span(&ports[PH_PLANE_BIND_TCP], 0, 81, 90);
	check_span(&ports[PH_PLANE_BIND_TCP], 1, 444, 444);
	check_span(&ports[PH_PLANE_CONNECT_UDP], 0, 1, 0);
	check_span(&ports[PH_PLANE_BIND_UDP], 0, 1, 65535);
	for (int i = 0; i < PH_PLANES; i++) {
		assert_int_equal(ports[i].set, 0);
		assert_int_equal(image.grants[0].scope[i], 0);
	}
	assert_int_equal(image.n_chunks, 0);
}

static bool has_chunk(const struct ph_image *image, const struct ph_ports *ports, __u32 chunk,
		      __u64 bits)
{
	const struct ph_chunk *found = &image->chunks[ph_chunk_at(ports, chunk)];

	return found->chunk == chunk && found->bits == bits;
}

/* The widest spans stay inside the grant, the others share bitmaps. */
static void test_chunks(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_ports *a, *b;

	add_policy(&set, "a", "a", RULES("tcp 1,511-513,600-700,800-900,1024-60000,65535"));
	add_policy(&set, "b", "b", RULES("bind tcp 1,510-514,600-700,800-900,1024-61000,65535"));
	compile(&set, &image);
	a = image_find_grant(&image, policy_id(&set.policies[0]))->plain;
	b = image_find_grant(&image, policy_id(&set.policies[1]))->plain;
	check_span(&a[PH_PLANE_CONNECT_TCP], 0, 1024, 60000);
	check_span(&a[PH_PLANE_CONNECT_TCP], 1, 600, 700);
	check_span(&a[PH_PLANE_CONNECT_TCP], 2, 800, 900);
	check_span(&a[PH_PLANE_CONNECT_TCP], 3, 511, 513);
	assert_int_equal(a[PH_PLANE_CONNECT_TCP].set, 1);
	assert_int_equal(a[PH_PLANE_BIND_TCP].set, 1);
	assert_int_equal(b[PH_PLANE_BIND_TCP].set, 1);
	assert_int_equal(b[PH_PLANE_CONNECT_TCP].set, 0);
	assert_int_equal(image.n_chunks, 2);
	assert_true(has_chunk(&image, &a[PH_PLANE_BIND_TCP], 0, 2));
	assert_true(has_chunk(&image, &a[PH_PLANE_BIND_TCP], 1023, 1ull << 63));
}

static void test_chunk_edges(void **state)
{
	cleanup_(image_donep) struct ph_image image = {};
	const struct ph_ports *ports;

	/* Equal widths: the first four stay inside. */
	compile_rules(RULES("connect tcp 1-2,4-5,7-8,10-11,511-512,1023-1024"), &image);
	ports = &image.grants[0].plain[PH_PLANE_CONNECT_TCP];
	assert_int_equal(image.n_chunks, 4);
	assert_true(has_chunk(&image, ports, 7, 1ull << 63));
	assert_true(has_chunk(&image, ports, 8, 1));
	assert_true(has_chunk(&image, ports, 15, 1ull << 63));
	assert_true(has_chunk(&image, ports, 16, 1));
	assert_false(has_chunk(&image, ports, 0, 1));
}

/* Chunks that lie close together take no more places than there are, up to the next power of two. */
static void test_dense_set(void **state)
{
	cleanup_(image_donep) struct ph_image image = {};
	char text[16384] = "connect tcp 44-45";
	size_t len = strlen(text);

	for (unsigned port = 48; port <= 4040; port += 4)
		len += snprintf(text + len, sizeof(text) - len, ",%u-%u", port, port + 1);
	compile_rules(RULES(text), &image);
	assert_int_equal(image.n_chunks, 64);
}

/* --- Addresses */

static void check_prefix(const struct ph_image *image, size_t i, unsigned scope, unsigned len,
			 uint32_t address)
{
	const struct ph_prefix_key *key = &image->prefixes[i].key;

	assert_int_equal(key->scope, scope);
	assert_int_equal(key->prefixlen, 32 + len);
	assert_int_equal(__builtin_bswap32(key->word[0]), address);
}

static void test_prefixes(void **state)
{
	cleanup_(image_donep) struct ph_image image = {};
	unsigned scope;

	compile_rules(RULES("connect tcp 80 to 10.0.0.0/8,2001:db8::/32 except 10.9.0.0/16",
			    "connect tcp 443 to 10.1.0.0/16", "connect tcp 80 to 10.2.0.0/16"),
		      &image);
	scope = image.grants[0].scope[PH_PLANE_CONNECT_TCP];
	assert_true(scope && !(scope & 1));
	check_span(&image.grants[0].plain[PH_PLANE_CONNECT_TCP], 0, 1, 0);
	/* 10.2.0.0/16 says nothing that 10.0.0.0/8 does not. */
	assert_int_equal(image.n_prefixes, 4);
	check_prefix(&image, 0, scope, 8, 0x0a000000);
	check_span(&image.prefixes[0].value.ports, 0, 80, 80);
	check_span(&image.prefixes[0].value.ports, 1, 1, 0);
	check_prefix(&image, 1, scope, 16, 0x0a010000);
	check_span(&image.prefixes[1].value.ports, 0, 80, 80);
	check_span(&image.prefixes[1].value.ports, 1, 443, 443);
	check_prefix(&image, 2, scope, 16, 0x0a090000);
	check_span(&image.prefixes[2].value.ports, 0, 1, 0);
	check_prefix(&image, 3, scope + 1, 32, 0x20010db8);
	assert_int_equal(image.prefixes[3].value.peers, 0);
}

static void test_peers(void **state)
{
	cleanup_(image_donep) struct ph_image image = {};
	unsigned scope, peers;

	compile_rules(RULES("bind tcp 80 from 10.0.0.0/8", "bind tcp 81 on 127.0.0.1"), &image);
	check_span(&image.grants[0].plain[PH_PLANE_BIND_TCP], 0, 1, 0);
	scope = image.grants[0].scope[PH_PLANE_BIND_TCP];
	/* On all of IPv4, all of IPv6, 127.0.0.1; two sets of rules, so two scopes of peers. */
	check_prefix(&image, 0, scope, 0, 0);
	check_span(&image.prefixes[0].value.ports, 0, 80, 80);
	peers = image.prefixes[0].value.peers;
	assert_true(peers && peers != scope && !(peers & 1));
	check_prefix(&image, 1, scope, 32, 0x7f000001);
	check_span(&image.prefixes[1].value.ports, 0, 80, 81);
	assert_true(image.prefixes[1].value.peers != peers);
	check_prefix(&image, 2, scope + 1, 0, 0);
	assert_int_equal(image.prefixes[2].value.peers, peers);
	/* Peers of the first: 10/8. Of the second: 81 from everywhere, 80 too from 10/8. */
	assert_int_equal(image.n_prefixes, 7);
	check_prefix(&image, 3, peers, 8, 0x0a000000);
	peers = image.prefixes[1].value.peers;
	check_prefix(&image, 4, peers, 0, 0);
	check_span(&image.prefixes[4].value.ports, 0, 81, 81);
	check_prefix(&image, 5, peers, 8, 0x0a000000);
	check_span(&image.prefixes[5].value.ports, 0, 80, 81);
	check_prefix(&image, 6, peers + 1, 0, 0);
}

/* No two planes or policies share a scope. */
static void test_scopes(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};
	unsigned used[8], n = 0;

	for (int i = 0; i < 2; i++)
		add_policy(&set, i ? "a" : "b", "x",
			   RULES("connect tcp 1 to 10.0.0.1", "connect udp 1 to 10.0.0.1",
				 "bind tcp 1 on 10.0.0.1", "bind udp 1 on 10.0.0.1"));
	compile(&set, &image);
	for (size_t i = 0; i < image.n_grants; i++)
		for (int plane = 0; plane < PH_PLANES; plane++)
			used[n++] = image.grants[i].scope[plane];
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(used[i] & 1, 0);
		assert_true(used[i] >= 2);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(used[i], used[j]);
	}
}

/* --- Problems */

static void test_too_deep(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	struct ph_policy *policy = add_policy(&set, "p", "p", RULES("tcp 1"));

	policy->match.cgroup = strdup("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17");
	refuse(&set, "17 levels deep, more than 15");
	free(TAKE_PTR(policy->match.cgroup));
	policy->match.exe = strdup("/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1");
	refuse(&set, "21 folders deep, more than 20");
	add_rule(policy, "dns");
	refuse(&set, "a keyword was not expanded");
}

static void test_same_id(void **state)
{
	struct ph_policy twice[2] = {
		{ .name = (char *)"p", .match.comm = "p", .file = "test.yaml", .line = 7 },
		{ .name = (char *)"p", .match.comm = "p", .file = "test.yaml", .line = 7 },
	};
	const struct ph_policy_set set = { .policies = twice, .n = 2 };

	refuse(&set, "have the same id");
}

/* 1,500 local networks with peers of their own each, all around one address: too many entries. */
static void test_too_many(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	struct ph_policy *policy = add_policy(&set, "p", "p", NULL);
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	assert_non_null(stream);
	fprintf(stream, "bind tcp 1 from 10.0.0.0");
	for (unsigned i = 1; i < 1000; i++)
		fprintf(stream, ",10.%u.%u.0", i / 250, i % 250);
	assert_int_equal(fclose(stream), 0);
	add_rule(policy, text);
	for (unsigned i = 0; i < 1500; i++) {
		char rule[64];

		snprintf(rule, sizeof(rule), "bind tcp %u on 10.%u.%u.0/24", 2 + i, i / 250,
			 i % 250);
		add_rule(policy, rule);
	}
	refuse(&set, "policy p does not fit: the tables hold 1048576 networks");
}

/* --- Identity */

static void test_id(void **state)
{
	struct ph_policy a = { .name = (char *)"a", .match.comm = "x" }, b = a;
	uint64_t id = policy_id(&a);

	assert_true(id != 0);
	b.line = 9;
	b.mode = PH_POLICY_AUDIT;
	assert_true(policy_id(&b) == id);
	b.match.cgroup = (char *)"x";
	assert_true(policy_id(&b) != id);
	b = a;
	b.match.has_uid = true;
	assert_true(policy_id(&b) != id);
	b = a;
	b.name = (char *)"ax";
	b.match.comm[0] = 0;
	assert_true(policy_id(&b) != id);
	b = a;
	strcpy(b.match.comm, "y");
	assert_true(policy_id(&b) != id);
	b.match.comm[0] = 0;
	b.match.exe = (char *)"x";
	id = policy_id(&b);
	b.match.unit = TAKE_PTR(b.match.exe);
	assert_true(policy_id(&b) != id);
}

/* The hash of a set of these two policies, the second one first if asked. */
static uint64_t hash_of(const char *const *first, const char *const *second, bool swap)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(image_donep) struct ph_image image = {};

	if (swap)
		add_policy(&set, "b", "b", second);
	add_policy(&set, "a", "a", first)->line = swap ? 1 : 2;
	if (!swap)
		add_policy(&set, "b", "b", second);
	compile(&set, &image);
	assert_int_equal(image.header.generation, 0);
	assert_int_equal(image.header.slot, 0);
	return image.header.hash;
}

static void test_hash(void **state)
{
	const char *const *a = RULES("tcp 1,3,5,7,9,11", "bind udp 5 from 10.0.0.0/8", "tcp 13");
	const char *const *same =
		RULES("bind udp 5 from 10.0.0.0/8", "tcp 13,11,9,7", "tcp 1-1,3,5");
	const char *const *b = RULES("connect udp 53 to 10.0.0.1,10.0.0.3",
				     "connect tcp 2,4,6,8,10,12,14 to ::/0");
	uint64_t hash = hash_of(a, b, false);

	assert_true(hash == hash_of(a, b, false));
	assert_true(hash == hash_of(a, b, true));
	assert_true(hash == hash_of(same, b, true));
	assert_true(hash != hash_of(b, a, false));
	assert_true(hash != hash_of(a,
				    RULES("connect udp 53 to 10.0.0.1,10.0.0.2",
					  "connect tcp 2,4,6,8,10,12,14 to ::/0"),
				    false));
	assert_true(hash != hash_of(a,
				    RULES("connect udp 53 to 10.0.0.1,10.0.0.3",
					  "connect tcp 2,4,6,8,10,12,15 to ::/0"),
				    false));
}

/* --- Size */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void measure(const struct ph_policy_set *set, const char *what)
{
	cleanup_(image_donep) struct ph_image image = {};
	double start = seconds();

	compile(set, &image);
	print_message(
		"%s: %.3f s, %zu grants, %zu names, %zu chunks, %zu prefixes, %.1f MB\n", what,
		seconds() - start, image.n_grants, image.n_traits, image.n_chunks, image.n_prefixes,
		(image.n_grants * (sizeof(*image.grants) + sizeof(*image.sources)) +
		 image.n_traits * sizeof(*image.traits) + image.n_chunks * sizeof(*image.chunks) +
		 image.n_prefixes * sizeof(*image.prefixes)) /
			1e6);
}

static void measure_policies(const char *what, const char *format)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	unsigned n = getenv("PH_TEST_MANY") ? 100000 : 1000;

	for (unsigned i = 0; i < n; i++) {
		char name[16], rule[128];

		snprintf(name, sizeof(name), "p%u", i);
		snprintf(rule, sizeof(rule), format, i / 256 % 256, i % 256);
		add_policy(&set, name, name, RULES(rule));
	}
	measure(&set, what);
}

static void test_many(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	struct ph_policy *policy = add_policy(&set, "p", "p", NULL);

	measure_policies("policies of ports", "tcp 4040,6%03u,7%03u");
	measure_policies("policies of networks", "connect tcp 443 to 10.%u.%u.0/24");
	measure_policies("policies of peers", "bind tcp 443 from 10.%u.%u.0/24");
	for (unsigned i = 0; i < 1000; i++) {
		char rule[128];

		snprintf(rule, sizeof(rule), "connect tcp %u to 10.%u.%u.0/24", i + 1, i / 250,
			 i % 250);
		add_rule(policy, rule);
	}
	measure(&set, "1,000 networks");
	add_rule(policy, "connect tcp 5000 to 10.0.0.0/8,::/0");
	measure(&set, "1,000 networks in another");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_exe_hash),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_cgroup_described),
		cmocka_unit_test(test_live_traits),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_crowded_places),
		cmocka_unit_test(test_crowds),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_chunk_edges),
		cmocka_unit_test(test_dense_set),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_same_id),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
