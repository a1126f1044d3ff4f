/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FUZZ_DRAW_H
#define FUZZ_DRAW_H
/* Ports and addresses out of any bytes: mostly those that some rule of tests/readers/words.h is about. */
#include <string.h>

static const __u16 known_ports[] = { 0, 53, 80, 81, 443, 4040, 5353, 8080, 9090 };

static __u16 port_of(__u16 drawn)
{
	return drawn < 0x8000 ? known_ports[drawn % (sizeof(known_ports) / sizeof(__u16))] : drawn;
}

static void draw_address(__u8 *to, size_t size, const __u8 *drawn)
{
	static const __u8 known[][16] = {
		{ 10, 1, 1, 1 },
		{ 10, 9, 1, 1 },
		{ 127, 0, 0, 1 },
		{ 0 },
		{ 0x20, 0x01, 0x0d, 0xb8, [15] = 7 },
		{ [10] = 0xff, 0xff, 10, 1, 1, 1 },
		{ [10] = 0xff, 0xff, 127, 0, 0, 1 },
		{ [15] = 1 },
	};

	memcpy(to, drawn[0] < 0xe0 ? known[drawn[0] & 7] : drawn, size);
}

#endif
