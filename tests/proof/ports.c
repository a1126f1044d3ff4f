// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A set of ports holds what its spans and its chunks say, for each of the 65,536 ports; port 0 of a
 * listener stands for all of them.
 *
 * Bounds: PH_SPANS spans and a set of up to CHUNKS places, with any content.
 * Taken for granted, as the compiler of policies makes them (tests/unit/test-compile.c): each chunk lies at the
 * place that its number gives, and no other does; what no chunk fell on is all zero.
 *
 * Prover: --unwind 18 -DCHUNKS=2
 * Refuted by: bpf/verdict.h s/(low - first) | (last - high)/(low - first) | (last - low)/
 * Refuted by: bpf/verdict.h s/found->chunk == chunk/1/
 * Refuted by: bpf/verdict.h s/found->bits >> (port % PH_CHUNK_PORTS)/found->bits >> (port % 32)/
 * Refuted by: bpf/verdict.h s/ph_outside(ports, 1, 65535)/ph_outside(ports, 2, 65535)/
 * Refuted by: bpf/verdict.h s/return ports->set \&\&/return ports->set > 1 \&\&/
 */
#include "verdict.h"

static bool span_holds(const struct ph_span *span, unsigned port)
{
	return port >= span->first && port <= span->last;
}

/* Chunk n holds 64 n and the 63 ports after it, a bit each. */
static bool chunk_holds(const struct ph_chunk *chunk, unsigned port)
{
	unsigned first = 64 * chunk->chunk;

	return port >= first && port < first + 64 && (chunk->bits >> (port - first)) % 2;
}

static bool set_holds(const struct proof_tables *tables, const struct ph_ports *ports,
		      unsigned port)
{
	for (unsigned i = 0; i < CHUNKS; i++)
		if (i + 1 >= ports->set && i + 1 <= ports->set + ports->mask &&
		    chunk_holds(&tables->chunk[i], port))
			return true;
	return false;
}

static bool holds(const struct proof_tables *tables, const struct ph_ports *ports, unsigned port)
{
	for (unsigned i = 0; i < PH_SPANS; i++)
		if (span_holds(&ports->span[i], port))
			return true;
	return ports->set && set_holds(tables, ports, port);
}

static void as_compiled(const struct proof_tables *tables, const struct ph_ports *ports)
{
	ASSUME(ports->mask == 0 || ports->mask == 1 || ports->mask == 3);
	ASSUME(ports->set <= CHUNKS && ports->set + ports->mask <= CHUNKS);
	for (unsigned i = 0; i < CHUNKS; i++) {
		const struct ph_chunk *chunk = &tables->chunk[i];
		unsigned place = ((unsigned)chunk->chunk * ports->mix >> 6) & ports->mask;

		ASSUME(chunk->chunk < PH_CHUNKS);
		if (ports->set && i + 1 >= ports->set && i + 1 <= ports->set + ports->mask)
			ASSUME(!chunk->bits || i == ports->set - 1 + place);
	}
}

int main(void)
{
	struct proof_tables tables;
	struct ph_ports ports;
	unsigned short port, any;

	ANY(tables);
	ANY(ports);
	ANY(port);
	ANY(any);
	as_compiled(&tables, &ports);
	PROVE(ph_ports_have(&tables, &ports, port) == holds(&tables, &ports, port),
	      "a port is held if a span or a chunk holds it");
	if (port)
		PROVE(ph_ports_serve(&tables, &ports, port) == holds(&tables, &ports, port),
		      "a port that is named may be served if it is held");
	if (ph_ports_serve(&tables, &ports, 0))
		PROVE(!any || holds(&tables, &ports, any),
		      "port 0 of a listener may be served if every port is held");
}
