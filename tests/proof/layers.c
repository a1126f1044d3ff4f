// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * judge() of bpf/judge.bpf.h: a call passes if in every layer that has a policy which enforces, one of that
 * layer covers it; what only watches changes nothing. Who has more policies than a label holds is refused
 * all, as are the policies of a socket. And a layer more never grants more: what was refused before stays so.
 *
 * Bounds: up to two policies, and more than a label holds; in the long form up to PH_LABEL_MAX. Each enforces or
 * watches, covers the call or does not, or is one that the tables do not know.
 * Taken for granted: the places of a set behind its count are 0, as add_id() of bpf/identity.bpf.h leaves them, ids
 * differ, and the features of a generation tell whether a policy only watches. Conditions hold.
 *
 * Prover: --unwind 18
 * Refuted by: bpf/judge.bpf.h s/opinions->granting >> ph_layer_at(ids, i) \& 1/opinions->granting/
 * Refuted by: bpf/judge.bpf.h s/add_up(\&who->policies);/true;/
 * Refuted by: bpf/judge.bpf.h s/if (count > PH_LABEL_MAX) {/if (count > PH_OVERFULL) {/
 * Refuted by: bpf/judge.bpf.h s/covers ? WEIGHT_NONE : WEIGHT_AUDIT_MISSED/covers ? WEIGHT_COVERED : WEIGHT_AUDIT_MISSED/
 * Refuted by: bpf/verdict.h s/ids->layers >> (PH_LAYER_BITS \* i)/ids->layers >> i/
 * Refuted by: bpf/judge.bpf.h s/return !has_feature(who, PH_FEATURE_AUDIT)/return has_feature(who, PH_FEATURE_AUDIT)/
 */
#define PH_PACKETS
#include "../../bpf/judge.bpf.h"

#include "kernel.h"
#include "proof.h"

enum answer {
	GONE,
	COVERS,
	MISSES,
	WATCHES_AND_COVERS,
	WATCHES_AND_MISSES,
	ANSWERS,
};

static struct ph_grant grants[PH_LABEL_MAX];
static __u8 answers[PH_LABEL_MAX];

/* By its id, which is one more than its place. */
static void *find_table(void *map, const void *key)
{
	static __u32 index;
	static char of_index, of_grants;

	if (map == &ph_index)
		return &of_index;
	if (map == &ph_grants)
		return &of_grants;
	if (map == &of_index) {
		__u64 id = *(const __u64 *)key;

		if (!id || id > PH_LABEL_MAX || answers[id - 1] == GONE)
			return NULL;
		index = id - 1;
		return &index;
	}
	if (map == &of_grants)
		return &grants[*(const __u32 *)key & (PH_LABEL_MAX - 1)];
	return NULL;
}

/* A kind of socket that the grant admits, or does not: of nothing else weigh() has to know. */
static void make_grants(void)
{
	for (unsigned i = 0; i < PH_LABEL_MAX; i++) {
		bool covers = answers[i] == COVERS || answers[i] == WATCHES_AND_COVERS;

		ASSUME(answers[i] < ANSWERS);
		grants[i] = (struct ph_grant){ .id = i + 1,
					       .index = i,
					       .sockets = covers ? PH_SOCKET_RAW : 0,
					       .mode = answers[i] >= WATCHES_AND_COVERS ?
							       PH_MODE_AUDIT :
							       PH_MODE_ENFORCE };
	}
}

/* The words of DESIGN 3.4 and 3.13. */
static bool is_refused(const struct ph_ids *ids, const __u8 *layers)
{
	if (ids->count > PH_LABEL_MAX)
		return true;
	for (unsigned i = 0; i < ids->count; i++) {
		bool granted = false;

		for (unsigned j = 0; j < ids->count; j++)
			granted |= layers[j] == layers[i] && answers[j] == COVERS;
		if (answers[i] == MISSES && !granted)
			return true;
	}
	return false;
}

static bool ask(const struct ph_ids *ids, __u32 features)
{
	struct attempt attempt = { .flow.kind = PH_SOCKET_RAW };
	struct who who = { .features = features | WHO_SETTLED, .generation = 1, .policies = *ids };

	return judge(&who, &attempt, NULL);
}

static __u8 layers[PH_LABEL_MAX];
static __u32 watched[PH_LABEL_MAX + 1]; /* the features where the first so many are in force */

/* The first so many policies, in whichever layers. */
static struct ph_ids make_ids(__u32 count)
{
	struct ph_ids ids = { .count = count };

	for (__u32 i = 0; i < count && i < PH_LABEL_MAX; i++) {
		ids.id[i] = i + 1;
		ids.layers |= (__u32)layers[i] << (4 * i);
	}
	return ids;
}

static void check(__u32 count)
{
	__u32 known = count < PH_LABEL_MAX ? count : PH_LABEL_MAX;
	struct ph_ids ids = make_ids(count), fewer = make_ids(count ? count - 1 : 0);
	bool refused = ask(&ids, watched[known]), alone = true;

	PROVE(refused == is_refused(&ids, layers),
	      "a call is refused if some layer has a policy that misses, and none that covers");
	for (__u32 i = 0; i + 1 < known; i++)
		alone &= layers[i] != layers[known - 1];
	if (count && count <= PH_LABEL_MAX && alone)
		PROVE(refused || !is_refused(&fewer, layers),
		      "what is refused stays so with a layer more");
}

int main(void)
{
	__u8 any[PH_LABEL_MAX], layer[PH_LABEL_MAX];

	ANY(any);
	ANY(layer);
	for (__u32 i = 0; i < PH_LABEL_MAX; i++) {
		answers[i] = any[i];
		layers[i] = layer[i];
		ASSUME(layers[i] < 16);
		watched[i + 1] = watched[i];
		if (answers[i] >= WATCHES_AND_COVERS)
			watched[i + 1] = PH_FEATURE_AUDIT;
	}
	make_grants();
	ph_front.header[0].generation = 1;
	settings.ph_backend = PH_BACKEND_LSM;
#ifdef PROOF_LONG
	for (__u32 count = 0; count <= PH_LABEL_MAX + 1; count++)
		check(count);
#else
	for (__u32 count = 0; count <= 2; count++)
		check(count);
	check(PH_LABEL_MAX + 1);
#endif
}
