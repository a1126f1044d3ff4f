// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hashes: the ids of policies, the paths of cgroups, and the content of an image.
 */
#include "kernel/compile-internal.h"

#include <endian.h>
#include <string.h>

#include "kernel/decide.h" /* verdict.h: the hashes of paths */

static uint64_t rotated(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotated(v[1], 13) ^ v[0];
	v[0] = rotated(v[0], 32);
	v[2] += v[3];
	v[3] = rotated(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotated(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotated(v[1], 17) ^ v[2];
	v[2] = rotated(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

/* SipHash-2-4 under a fixed key and what was hashed before: parts cannot run into each other. */
uint64_t hash_more(uint64_t before, const void *data, size_t len)
{
	uint64_t v[4] = { before ^ 0x736f6d6570736575, 0x646f72616e646f6d ^ 0x706f7274686f6c64,
			  before ^ 0x6c7967656e657261, 0x7465646279746573 ^ 0x706f7274686f6c64 };
	const uint8_t *bytes = data;
	uint64_t word;

	for (size_t left = len; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sip_word(v, word);
		bytes += sizeof(word);
	}
	word = 0;
	if (len % sizeof(word))
		memcpy(&word, bytes, len % sizeof(word));
	sip_word(v, word);
	sip_word(v, len);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t hash_text(uint64_t before, const char *text)
{
	return hash_more(before, text, text ? strlen(text) : 0);
}

uint64_t policy_id(const struct ph_policy *policy)
{
	const struct ph_match *match = &policy->match;
	uint64_t hash = hash_text(0, policy->name);

	if (!strcmp(policy->name, PH_CANARY_NAME))
		return PH_CANARY_ID;
	hash = hash_text(hash, match->comm);
	hash = hash_text(hash, match->exe);
	hash = hash_text(hash, match->cgroup);
	hash = hash_text(hash, match->unit);
	hash = hash_more(hash, &match->uid, match->has_uid ? sizeof(match->uid) : 0);
	if (match->run)
		hash = hash_text(hash, "run");
	return hash > PH_CANARY_ID ? hash : hash + PH_CANARY_ID + 1;
}

uint64_t component_hash(const char *name, size_t len)
{
	uint64_t hash = PH_HASH_START;

	for (size_t at = 0; at <= len; at += PH_NAME_CHUNK) {
		uint64_t words[PH_NAME_CHUNK / 8] = {};

		memcpy(words, name + at, len - at < sizeof(words) ? len - at : sizeof(words));
		for (size_t i = 0; i < PH_NAME_CHUNK / 8; i++)
			hash = ph_hash_word(hash, le64toh(words[i]));
	}
	return ph_hash_word(hash, len);
}

/* From the last component to the first, as the kernel side walks. */
uint64_t exe_path_hash(const char *path, unsigned *ret_components)
{
	const char *end = path + strlen(path);
	uint64_t hash = PH_HASH_START;
	unsigned components = 0;

	while (end > path) {
		const char *slash = memrchr(path, '/', end - path);
		const char *start = slash ? slash + 1 : path;

		if (start != end) {
			hash = ph_hash_word(hash, component_hash(start, end - start));
			components++;
		}
		end = slash ? slash : path;
	}
	*ret_components = components;
	return hash;
}

uint64_t cgroup_path_hash(const char *path, unsigned *ret_levels)
{
	uint64_t hash = PH_HASH_START;
	unsigned levels = 0;

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");

		hash = ph_hash_word(hash, component_hash(path, len));
		path += len;
		levels++;
	}
	*ret_levels = levels;
	return hash;
}

/* Of the header only what is made by now: not the hash, nor what the caller fills in. */
void image_hash(struct ph_image *image)
{
	uint64_t hash = hash_more(PH_ABI_VERSION, &image->header, sizeof(image->header));

	hash = hash_more(hash, image->traits, image->n_traits * sizeof(*image->traits));
	hash = hash_more(hash, image->grants, image->n_grants * sizeof(*image->grants));
	hash = hash_more(hash, image->chunks, image->n_chunks * sizeof(*image->chunks));
	image->header.hash =
		hash_more(hash, image->prefixes, image->n_prefixes * sizeof(*image->prefixes));
}
