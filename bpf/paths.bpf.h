/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PATHS_BPF_H
#define PH_PATHS_BPF_H

/* The hash of one component of a path, of which `name` is the address, as bpf/verdict.h has it. */
#include "state.bpf.h"

enum {
	NAME_CHUNKS = 5, /* a name has up to 255 bytes */
};

PH_FUNCTION __u64 hash_component(__u64 name)
{
	__u64 hash = PH_HASH_START, length = 0;

	for (__u32 i = 0; i < NAME_CHUNKS; i++) {
		__u64 word[PH_NAME_CHUNK / 8 + 1] = {};
		long got = bpf_probe_read_kernel_str(word, PH_NAME_CHUNK + 1,
						     (void *)(name + i * PH_NAME_CHUNK));

		for (__u32 j = 0; j < PH_NAME_CHUNK / 8; j++)
			hash = ph_hash_word(hash, word[j]);
		if (got > 0)
			length += got - 1;
		if (got <= PH_NAME_CHUNK)
			break;
	}
	return ph_hash_word(hash, length);
}

#endif
