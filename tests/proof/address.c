// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An address means what its bytes say, whatever the socket's family: an IPv4-mapped one is the IPv4 address, and
 * no other is. The address of nobody reaches this host, and nobody else.
 *
 * Bounds: none.
 *
 * Prover: --unwind 17
 * Refuted by: bpf/verdict.h s/__builtin_bswap32(0xffff)/0xffff/
 * Refuted by: bpf/verdict.h s/keep = is_v6 \& ~is_mapped/keep = is_v6/
 * Refuted by: bpf/verdict.h s/if (remote->v6 \& source->v6)/if (remote->v6)/
 * Refuted by: bpf/verdict.h s/if (!ph_is_any(remote))/if (remote->word[0])/
 */
#include "verdict.h"

union bytes {
	unsigned int word[4];
	unsigned char byte[16];
};

/* ::ffff:0:0/96 */
static bool is_mapped(const union bytes *v6)
{
	for (unsigned i = 0; i < 10; i++)
		if (v6->byte[i])
			return false;
	return v6->byte[10] == 255 && v6->byte[11] == 255;
}

static void check_address(void)
{
	unsigned int family;
	union bytes v4, v6, is;
	struct ph_address address;

	ANY(family);
	ANY(v4);
	ANY(v6);
	ph_address(&address, family, v4.word[0], v6.word);
	__builtin_memcpy(&is, address.word, sizeof(is));
	PROVE(address.v6 == (family == 10 && !is_mapped(&v6)), "it is IPv6, or it is IPv4");
	for (unsigned i = 0; i < 16; i++) {
		unsigned char right = v6.byte[i];

		if (family != 10)
			right = i < 4 ? v4.byte[i] : 0;
		else if (is_mapped(&v6))
			right = i < 4 ? v6.byte[12 + i] : 0;
		PROVE(is.byte[i] == right, "each byte is where it belongs");
	}
}

static bool is_nobody(const struct ph_address *address)
{
	return !address->word[0] && !address->word[1] && !address->word[2] && !address->word[3];
}

/* Of this host: 127.0.0.0/8, ::1, or what the socket itself has. */
static bool is_here(const struct ph_address *address, const struct ph_address *own)
{
	unsigned first = __builtin_bswap32(address->word[0]);
	bool rest = address->word[1] || address->word[2];

	if (address->v6)
		return !first && !rest && __builtin_bswap32(address->word[3]) == 1;
	return !rest && !address->word[3] &&
	       (first >> 24 == 127 || (!own->v6 && address->word[0] == own->word[0]));
}

static void check_settled(void)
{
	struct ph_address remote, own, before;

	ANY(remote);
	ANY(own);
	ASSUME(remote.v6 <= 1 && own.v6 <= 1);
	ASSUME(remote.v6 || !(remote.word[1] | remote.word[2] | remote.word[3]));
	before = remote;
	ph_settle(&remote, &own);
	if (!is_nobody(&before)) {
		for (unsigned i = 0; i < 4; i++)
			PROVE(remote.word[i] == before.word[i], "who has an address keeps it");
		PROVE(remote.v6 == before.v6, "and its family");
		return;
	}
	PROVE(is_here(&remote, &own), "nobody is this host");
	PROVE(!is_nobody(&remote), "nobody is somebody by then");
	PROVE(!remote.v6 || own.v6, "a socket with an IPv4 address reaches none of IPv6");
	PROVE(before.v6 || !remote.v6, "0.0.0.0 stays IPv4");
}

int main(void)
{
	check_address();
	check_settled();
}
