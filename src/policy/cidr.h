/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CIDR_H
#define PH_CIDR_H
/*
 * Addresses and networks, for the parsers and printers of this directory. What others need of it is
 * in rule.h.
 */
#include "policy/text.h"

#define PH_ADDRESS_TEXT_MAX 46 /* with the NUL; INET6_ADDRSTRLEN */
#define PH_CIDR_TEXT_MAX (PH_ADDRESS_TEXT_MAX + 4) /* "/128" */

/* An address of either family, as it is written. */
bool address_parse(const char *text, size_t len, uint8_t *ret_family, uint8_t ret[16]);
/* Turns a v4-mapped IPv6 address into the IPv4 address that it is; whether it was one. */
bool address_unmap(uint8_t *family, uint8_t addr[16]);
void address_format(uint8_t family, const uint8_t addr[16], char ret[static PH_ADDRESS_TEXT_MAX]);

int cidr_parse_word(struct ph_scanner *scanner, const struct ph_word *word, struct ph_cidr *ret);
void cidr_format(const struct ph_cidr *cidr, char ret[static PH_CIDR_TEXT_MAX]);

/* By family, then address, then length. */
int cidr_compare(const struct ph_cidr *a, const struct ph_cidr *b);

#endif
