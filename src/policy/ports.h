/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_PORTS_H
#define PH_PORTS_H
/*
 * Ports and port ranges, for the parsers and printers of this directory. What others need of it is
 * in rule.h.
 */
#include <stdio.h>

#include "policy/text.h"

/* The PORTS of a rule, up to the first word that is no part of it; *ret is the caller's to free. */
int ports_parse_list(struct ph_scanner *scanner, struct ph_range **ret, size_t *ret_n);

/* One port, 1 to 65535; 0 too if may_be_zero. */
int port_parse_word(struct ph_scanner *scanner, const struct ph_word *word, bool may_be_zero,
		    uint16_t *ret);

void ports_print(FILE *stream, const struct ph_range *ranges, size_t n);

#endif
