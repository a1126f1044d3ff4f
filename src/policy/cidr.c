// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses and networks: text <-> struct ph_cidr, and lists of them.
 *
 * Invariants: policy.h. A v4-mapped IPv6 address turns into IPv4 here, and nowhere else needs care.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cidr.h"
#include "policy/text.h"

#define ADDRESS_TEXT_MAX 64

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static unsigned bits_of(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

bool address_parse(const char *text, size_t len, uint8_t *ret_family, uint8_t ret[16])
{
	char copy[ADDRESS_TEXT_MAX];
	uint8_t addr[16] = {};
	uint8_t family;

	if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, addr) == 1)
		family = 4;
	else if (inet_pton(AF_INET6, copy, addr) == 1)
		family = 6;
	else
		return false;
	*ret_family = family;
	memcpy(ret, addr, sizeof(addr));
	return true;
}

bool address_unmap(uint8_t *family, uint8_t addr[16])
{
	if (*family != 6 || memcmp(addr, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return false;
	memmove(addr, addr + sizeof(mapped_prefix), 4);
	memset(addr + 4, 0, 12);
	*family = 4;
	return true;
}

void address_format(uint8_t family, const uint8_t addr[16], char ret[static PH_ADDRESS_TEXT_MAX])
{
	(void)inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, ret, PH_ADDRESS_TEXT_MAX);
}

void cidr_format(const struct ph_cidr *cidr, char ret[static PH_CIDR_TEXT_MAX])
{
	char address[PH_ADDRESS_TEXT_MAX];

	address_format(cidr->family, cidr->addr, address);
	if (cidr->len == bits_of(cidr->family))
		(void)snprintf(ret, PH_CIDR_TEXT_MAX, "%s", address);
	else
		(void)snprintf(ret, PH_CIDR_TEXT_MAX, "%s/%u", address, cidr->len);
}

static void mask(struct ph_cidr *cidr)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = cidr->len > i * 8 ? cidr->len - i * 8 : 0;

		if (kept < 8)
			cidr->addr[i] &= (uint8_t)(0xff00U >> kept);
	}
}

static bool holds_only(const struct ph_word *word, const char *characters)
{
	for (size_t i = 0; i < word->len; i++)
		if (!word->text[i] || !strchr(characters, word->text[i]))
			return false;
	return true;
}

static bool has(const struct ph_word *word, char c)
{
	return memchr(word->text, c, word->len) != NULL;
}

/* What somebody may have meant who wrote this for an address. */
static int wrong_address(struct ph_scanner *scanner, const struct ph_word *word)
{
	const char *colon = memchr(word->text, ':', word->len);
	struct ph_word before = *word;

	if (has(word, '%')) {
		before.len =
			(size_t)((const char *)memchr(word->text, '%', word->len) - word->text);
		text_wrong(scanner, word->offset, "%s names an interface", quote(word).text);
		return text_right(scanner, "leave out what follows the address: %s",
				  quote_bare(&before).text);
	}
	if (word->len > 1 && word->text[0] == '[' && word->text[word->len - 1] == ']') {
		before = (struct ph_word){ word->text + 1, word->len - 2, word->offset + 1 };
		text_wrong(scanner, word->offset, "%s has brackets", quote(word).text);
		return text_right(scanner, "write %s", quote_bare(&before).text);
	}
	if (has(word, '.') && holds_only(word, "0123456789.")) {
		text_wrong(scanner, word->offset, "%s is not an IPv4 address", quote(word).text);
		return text_right(scanner, "write four numbers from 0 to 255, such as 10.0.0.0/8");
	}
	if (colon) {
		before.len = (size_t)(colon - word->text);
		if (has(&before, '.')) {
			text_wrong(scanner, word->offset, "%s holds a port", quote(word).text);
			return text_right(scanner,
					  "ports stand before the addresses: write %s here",
					  quote_bare(&before).text);
		}
		text_wrong(scanner, word->offset, "%s is not an IPv6 address", quote(word).text);
		return text_right(scanner, "write it like 2001:db8::/32 or 2001:db8::1");
	}
	text_wrong(scanner, word->offset, "%s is not an address", quote(word).text);
	if (word_is(word, "any") || word_is(word, "all") || word_is(word, "*"))
		return text_right(
			scanner,
			"for every address write 0.0.0.0/0,::/0, or leave the addresses out");
	return text_right(
		scanner,
		"names are not looked up: write an address such as 10.1.2.3 or 2001:db8::1, or a network such as 10.0.0.0/8");
}

static int wrong_length(struct ph_scanner *scanner, const struct ph_word *address, uint8_t family,
			const struct ph_word *length)
{
	if (length->len == 0) {
		text_wrong(scanner, length->offset, "the prefix length after '/' is missing");
		return text_right(scanner, "write %s/%u, or leave '/' out for this one address",
				  quote_bare(address).text, family == 4 ? 24 : 64);
	}
	if (has(length, '.')) {
		text_wrong(scanner, length->offset, "%s is a netmask", quote(length).text);
		return text_right(
			scanner,
			"write the prefix length, such as /8 for 255.0.0.0 and /24 for 255.255.255.0");
	}
	text_wrong(scanner, length->offset, "%s is not a prefix length of IPv%u",
		   quote(length).text, family);
	return text_right(scanner, "write a number from 0 to %u", bits_of(family));
}

int cidr_parse_word(struct ph_scanner *scanner, const struct ph_word *word, struct ph_cidr *ret)
{
	const char *slash = memchr(word->text, '/', word->len);
	struct ph_word address = *word, length = {};
	struct ph_cidr cidr = {}, masked;
	char right[PH_CIDR_TEXT_MAX];

	if (slash) {
		address.len = (size_t)(slash - word->text);
		length = (struct ph_word){ slash + 1, word->len - address.len - 1,
					   word->offset + address.len + 1 };
	}
	if (!address_parse(address.text, address.len, &cidr.family, cidr.addr))
		return wrong_address(scanner, &address);
	cidr.len = (uint8_t)bits_of(cidr.family);
	if (slash) {
		if (!word_is_number(&length) || word_number(&length, cidr.len) > cidr.len)
			return wrong_length(scanner, &address, cidr.family, &length);
		cidr.len = (uint8_t)word_number(&length, cidr.len);
	}
	if (cidr.len >= 96 && address_unmap(&cidr.family, cidr.addr))
		cidr.len -= 96;
	masked = cidr;
	mask(&masked);
	if (memcmp(&masked, &cidr, sizeof(cidr)) != 0) {
		cidr_format(&masked, right);
		text_wrong(scanner, word->offset,
			   "%s is an address inside a network, not the network", quote(word).text);
		return text_right(scanner, "write %s for the network, or %s for the one address",
				  right, quote_bare(&address).text);
	}
	*ret = cidr;
	return 0;
}

int cidr_parse(const char *text, size_t len, struct ph_cidr *ret, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = scanner_word(&scanner);

	if (word.len == 0) {
		text_wrong(&scanner, word.offset, "an address is missing");
		return text_right(
			&scanner,
			"write an address such as 10.1.2.3, or a network such as 10.0.0.0/8");
	}
	if (!scanner_at_end(&scanner)) {
		text_wrong(&scanner, scanner.pos, "more follows the address");
		return text_right(&scanner, "write one address or network");
	}
	return cidr_parse_word(&scanner, &word, ret);
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00U >> rest) & 0xff) == 0;
}

bool cidr_holds(const struct ph_cidr *cidr, uint8_t family, const uint8_t addr[16])
{
	return cidr->family == family && prefix_equal(cidr->addr, addr, cidr->len);
}

bool cidrs_hold(const struct ph_cidrs *list, uint8_t family, const uint8_t addr[16])
{
	for (size_t i = 0; i < list->n; i++)
		if (cidr_holds(&list->v[i], family, addr))
			return true;
	return false;
}

int cidr_compare(const struct ph_cidr *a, const struct ph_cidr *b)
{
	int r;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	r = memcmp(a->addr, b->addr, sizeof(a->addr));
	if (r != 0)
		return r;
	return (a->len > b->len) - (a->len < b->len);
}

static int compare_for_sort(const void *a, const void *b)
{
	return cidr_compare(a, b);
}

/* Sorted, a network stands right before all that lies in it. */
void cidrs_normalize(struct ph_cidrs *list)
{
	size_t kept = 0;

	if (list->n == 0)
		return;
	qsort(list->v, list->n, sizeof(*list->v), compare_for_sort);
	for (size_t i = 1; i < list->n; i++) {
		const struct ph_cidr *cidr = &list->v[i];

		if (!cidr_holds(&list->v[kept], cidr->family, cidr->addr))
			list->v[++kept] = *cidr;
	}
	list->n = kept + 1;
}
