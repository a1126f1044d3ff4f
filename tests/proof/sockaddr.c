// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What bpf/sockets.bpf.h reads of the address of a call: no byte behind the length that the call says,
 * whatever the bytes and the socket; and what it takes is the port and the address of those bytes.
 *
 * Bounds: addresses of 0 to 29 bytes, and of the 128 that the kernel takes at most.
 *
 * Prover: --unwind 34 --object-bits 12
 * Refuted by: bpf/sockets.bpf.h s/if (size > sizeof(\*into))/if (size < sizeof(*into))/
 * Refuted by: bpf/sockets.bpf.h s/if (length < (__s32)sizeof(address->family))/if (length < 1)/
 * Refuted by: bpf/sockets.bpf.h s/V6_LENGTH = 24/V6_LENGTH = 20/
 * Refuted by: bpf/sockets.bpf.h s/attempt->flow.remote_port = bpf_ntohs(name.port)/attempt->flow.remote_port = name.port/
 */
#define PH_CLAIM_BPF_H
#include "../../bpf/sockets.bpf.h"

#include "bytes.h"

static void check_name(const struct attempt *attempt, const __u8 *bytes, int length, int answer)
{
	__u32 family = length >= 2 ? bytes[0] + 256 * bytes[1] : 0;
	__u32 need = family == PH_AF_INET6 ? 24 : 16;

	if (length < 2) {
		PROVE(answer == ADDRESS_SHORT, "no family, no address");
		return;
	}
	if (family) {
		PROVE((answer == ADDRESS_SHORT) == (length < need), "a short address is one");
	} else {
		PROVE(answer == (length < 16 ? ADDRESS_NONE : ADDRESS_UNSPEC),
		      "family 0 is no address");
	}
	if (answer == ADDRESS_SHORT || answer == ADDRESS_NONE)
		return;
	PROVE(attempt->flow.remote_port == bytes[2] * 256 + bytes[3],
	      "the port is that of the address");
	if (family == PH_AF_INET) {
		__u8 said[4];

		memcpy(said, attempt->flow.remote.word, 4);
		for (__u32 i = 0; i < 4; i++)
			PROVE(said[i] == bytes[4 + i], "so is the address");
		PROVE(!attempt->flow.remote.v6, "and its family");
	}
}

static void check(int length)
{
	struct attempt attempt = { 0 };
	__u8 *bytes = make_bytes(length), any;
	bool other;
	__u16 port;
	int answer;

	ANY(any);
	ANY(attempt.family);
	other = any & 1;
	attempt.flow.kind = other ? PH_SOCKET_RAW : any & 2 ? PH_SOCKET_UDP : PH_SOCKET_TCP;
	answer = view_port(&attempt, &port, (struct socket_address *)bytes, length);
	if (!other && answer != ADDRESS_SHORT && answer != ADDRESS_NONE)
		PROVE(port == bytes[2] * 256 + bytes[3], "the port is that of the address");
	view_bind_address(&attempt, (struct socket_address *)bytes, length);
	answer = view_remote_address(&attempt, bytes, length);
	if (!other)
		check_name(&attempt, bytes, length, answer);
}

int main(void)
{
	for (int length = 0; length <= 29; length++)
		check(length);
	check(128);
}
