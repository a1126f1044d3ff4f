// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What bpf/sockets.bpf.h reads of what stands beside a message: nothing outside of it, whatever its bytes;
 * and what brings a route is told.
 *
 * Bounds: CONTROLS bytes at most.
 *
 * Prover: --unwind 18 -DCONTROLS=32
 * Refuted by: bpf/sockets.bpf.h s/left >= sizeof(control); i++/left >= 8; i++/
 * Refuted by: bpf/sockets.bpf.h s/return control->type == IP_RETOPTS_;/return false;/
 * Refuted by: bpf/sockets.bpf.h s/step > left)/0)/
 */
#define PH_CLAIM_BPF_H
#include "../../bpf/sockets.bpf.h"

#include "bytes.h"

#ifndef CONTROLS
#define CONTROLS 40
#endif

/* The first header is looked at whatever comes after it. */
static bool begins_with_route(const __u8 *bytes, __u64 size)
{
	struct control first;

	if (size < 16)
		return false;
	memcpy(&first, bytes, 16);
	return (first.level == 0 && first.type == 7) ||
	       (first.level == 41 && (first.type == 5 || first.type == 57));
}

int main(void)
{
	for (__u64 size = 0; size <= CONTROLS; size += 8) {
		__u8 *bytes = make_bytes(size);
		int answer = brings_route((__u64)bytes, size);

		PROVE(answer || !begins_with_route(bytes, size), "a route is seen");
		PROVE(!answer || size >= 16, "what has no header brings none");
	}
}
