// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flow grammar: text <-> struct ph_flow_spec and struct ph_expect (rule.h has the grammar).
 *
 * Addresses of a flow are kept as they are meant: v4-mapped IPv6 is IPv4.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memrchr */
#endif
#include <errno.h>
#include <string.h>

#include "policy/cidr.h"
#include "policy/ports.h"
#include "policy/words.h"
#include "util/cleanup.h"
#include "util/stream.h"

/* What an endpoint may leave out. */
enum endpoint_form {
	REMOTE, /* ADDRESS:PORT */
	REMOTE_PEER, /* ADDRESS or ADDRESS:PORT */
	LOCAL, /* PORT or ADDRESS:PORT */
	LOCAL_BIND, /* the same, and the port may be 0 */
};

/* What follows the protocol; `more` is the word before the second endpoint. */
struct door_form {
	enum ph_flow_door door;
	bool udp;
	enum endpoint_form first;
	const char *more;
	bool more_needed;
	enum endpoint_form second;
	const char *example;
};

static const struct door_form door_forms[] = {
	{ .door = PH_FLOW_CONNECT,
	  .udp = true,
	  .first = REMOTE,
	  .example = "connect tcp 10.1.2.3:5432" },
	{ .door = PH_FLOW_BIND, .udp = true, .first = LOCAL_BIND, .example = "bind tcp 8080" },
	{ .door = PH_FLOW_LISTEN, .first = LOCAL, .example = "listen tcp 8080" },
	{ .door = PH_FLOW_ACCEPT,
	  .first = LOCAL,
	  .more = "from",
	  .more_needed = true,
	  .second = REMOTE_PEER,
	  .example = "accept tcp 8080 from 10.1.2.3" },
	{ .door = PH_FLOW_SEND,
	  .udp = true,
	  .first = REMOTE,
	  .more = "on",
	  .second = LOCAL,
	  .example = "send udp 10.1.2.3:53" },
	{ .door = PH_FLOW_RECEIVE,
	  .udp = true,
	  .first = REMOTE,
	  .more = "on",
	  .second = LOCAL,
	  .example = "receive udp 10.1.2.3:53" },
};

#define N_DOOR_FORMS (sizeof(door_forms) / sizeof(door_forms[0]))

/* Splits at the colon before the port; false where there is none. */
static bool split_port(const struct ph_word *word, struct ph_word *ret_address,
		       struct ph_word *ret_port)
{
	const char *colon = memrchr(word->text, ':', word->len);
	size_t len;

	if (!colon)
		return false;
	len = (size_t)(colon - word->text);
	*ret_address = (struct ph_word){ word->text, len, word->offset };
	*ret_port = (struct ph_word){ colon + 1, word->len - len - 1, word->offset + len + 1 };
	return true;
}

static bool in_brackets(const struct ph_word *word)
{
	return word->len >= 2 && word->text[0] == '[' && word->text[word->len - 1] == ']';
}

static bool parse_address(const struct ph_word *word, struct ph_endpoint *endpoint)
{
	bool brackets = in_brackets(word);
	uint8_t family;

	if (!address_parse(word->text + brackets, word->len - 2 * brackets, &family,
			   endpoint->addr))
		return false;
	if (brackets && family != 6)
		return false;
	endpoint->family = family;
	(void)address_unmap(&endpoint->family, endpoint->addr);
	return true;
}

static int wrong_endpoint(struct ph_scanner *scanner, const struct ph_word *word,
			  enum endpoint_form form)
{
	struct ph_endpoint endpoint;

	if (word->len == 0)
		text_wrong(scanner, word->offset,
			   form == LOCAL || form == LOCAL_BIND ? "the port is missing" :
								 "the address is missing");
	else if (word_is_number(word))
		text_wrong(scanner, word->offset, "%s has no address", quote(word).text);
	else if (parse_address(word, &endpoint) && endpoint.family)
		text_wrong(scanner, word->offset, "%s has no port", quote(word).text);
	else
		text_wrong(scanner, word->offset, "%s is not an address with a port",
			   quote(word).text);
	if (form == LOCAL || form == LOCAL_BIND)
		return text_right(
			scanner,
			"write a port such as 8080, or an address with a port such as 127.0.0.1:8080 or [::1]:8080");
	return text_right(scanner, "write it like 10.1.2.3:5432 or [2001:db8::1]:5432");
}

static int parse_endpoint(struct ph_scanner *scanner, enum endpoint_form form,
			  struct ph_endpoint *ret)
{
	struct ph_word word = scanner_word(scanner), address, port;
	bool local = form == LOCAL || form == LOCAL_BIND;
	struct ph_endpoint endpoint = {};
	int r;

	if (local && word_is_number(&word)) {
		port = word;
	} else if (form == REMOTE_PEER && parse_address(&word, &endpoint)) {
		*ret = endpoint;
		return 0;
	} else if (!split_port(&word, &address, &port) ||
		   /* an IPv6 address needs its brackets, or its end would be read as a port */
		   (memchr(address.text, ':', address.len) && !in_brackets(&address)) ||
		   !parse_address(&address, &endpoint)) {
		return wrong_endpoint(scanner, &word, form);
	}
	r = port_parse_word(scanner, &port, form == LOCAL_BIND, &endpoint.port);
	if (r < 0)
		return r;
	*ret = endpoint;
	return 0;
}

static int wrong_flow_proto(struct ph_scanner *scanner, const struct ph_word *word,
			    const struct door_form *form)
{
	if (word->len == 0)
		text_wrong(scanner, word->offset, "the protocol is missing after %s",
			   flow_door_name(form->door));
	else if (word_is(word, "udp"))
		text_wrong(scanner, word->offset, "UDP has no %s", flow_door_name(form->door));
	else
		text_wrong(scanner, word->offset, "%s is not a protocol", quote(word).text);
	return text_right(scanner, "write it like %s", form->example);
}

static int parse_door_flow(struct ph_scanner *scanner, const struct door_form *form,
			   struct ph_flow_spec *flow)
{
	struct ph_endpoint *first = &flow->local, *second = &flow->remote;
	struct ph_word word = scanner_word(scanner);
	int r;

	flow->door = form->door;
	if (!proto_parse(&word, &flow->proto) || (flow->proto == PH_PROTO_UDP && !form->udp))
		return wrong_flow_proto(scanner, &word, form);
	if (form->first == REMOTE) {
		first = &flow->remote;
		second = &flow->local;
	}
	r = parse_endpoint(scanner, form->first, first);
	if (r < 0)
		return r;
	if (!form->more || (scanner_at_end(scanner) && !form->more_needed))
		return 0;
	word = scanner_word(scanner);
	if (!word_is(&word, form->more)) {
		if (word.len == 0)
			text_wrong(scanner, word.offset, "the peer is missing");
		else
			text_wrong(scanner, word.offset, "%s does not belong here",
				   quote(&word).text);
		return text_right(scanner, "write it like %s%s", form->example,
				  form->more_needed ?
					  "" :
					  ", with on and the local port behind it if that matters");
	}
	return parse_endpoint(scanner, form->second, second);
}

static int parse_socket_flow(struct ph_scanner *scanner, struct ph_flow_spec *flow)
{
	struct ph_word word = scanner_word(scanner);

	flow->door = PH_FLOW_SOCKET;
	if (proto_parse(&word, &flow->proto))
		return 0;
	if (rule_socket_parse(&word, &flow->socket)) {
		flow->has_socket_kind = true;
		return 0;
	}
	if (word.len == 0)
		text_wrong(scanner, word.offset, "the kind of socket is missing");
	else
		text_wrong(scanner, word.offset, "%s is not a kind of socket", quote(&word).text);
	return text_right(scanner, "write socket tcp, udp, icmp, raw, packet or vsock");
}

static int wrong_door(struct ph_scanner *scanner, const struct ph_word *word)
{
	static const char *const doors[] = { "connect", "bind",	   "listen", "accept",
					     "send",	"receive", "socket", NULL };
	const char *nearest = word_nearest(word, doors);
	enum ph_proto proto;

	if (word->len == 0)
		text_wrong(scanner, word->offset, "the flow is missing");
	else
		text_wrong(scanner, word->offset, "%s does not begin a flow", quote(word).text);
	if (nearest)
		return text_right(scanner, "did you mean %s?", nearest);
	if (proto_parse(word, &proto))
		return text_right(scanner,
				  "write connect or bind before it, as in connect %s 10.1.2.3:5432",
				  proto_name(proto));
	return text_right(
		scanner,
		"write what the process would do, such as connect tcp 10.1.2.3:5432 or bind tcp 8080");
}

static int parse_flow(struct ph_scanner *scanner, struct ph_flow_spec *ret)
{
	struct ph_word word = scanner_word(scanner);
	struct ph_flow_spec flow = {};
	size_t i = 0;
	int r;

	while (i < N_DOOR_FORMS && !word_is(&word, flow_door_name(door_forms[i].door)))
		i++;
	if (i < N_DOOR_FORMS)
		r = parse_door_flow(scanner, &door_forms[i], &flow);
	else if (word_is(&word, "socket"))
		r = parse_socket_flow(scanner, &flow);
	else
		r = wrong_door(scanner, &word);
	if (r < 0)
		return r;
	if (!scanner_at_end(scanner)) {
		word = scanner_word(scanner);
		text_wrong(scanner, word.offset, "%s follows a flow that is complete",
			   quote(&word).text);
		return text_right(scanner, "leave it out");
	}
	*ret = flow;
	return 0;
}

void flow_settle(struct ph_flow_spec *flow)
{
	static const uint8_t zero[16], v4_loopback[16] = { 127, 0, 0, 1 },
				       v6_loopback[16] = { [15] = 1 };
	struct ph_endpoint local = flow->local, *remote = &flow->remote;

	if (flow->door != PH_FLOW_CONNECT && flow->door != PH_FLOW_SEND)
		return;
	(void)address_unmap(&local.family, local.addr);
	(void)address_unmap(&remote->family, remote->addr);
	if (memcmp(remote->addr, zero, sizeof(zero)))
		return;
	if (remote->family == 6 && local.family != 4) {
		memcpy(remote->addr, v6_loopback, sizeof(v6_loopback));
		return;
	}
	memcpy(remote->addr, v4_loopback, sizeof(v4_loopback));
	if (remote->family == 4 && local.family == 4 && memcmp(local.addr, zero, sizeof(zero)))
		memcpy(remote->addr, local.addr, sizeof(local.addr));
	remote->family = 4;
}

int flow_parse(const char *text, size_t len, struct ph_flow_spec *ret, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };

	return parse_flow(&scanner, ret);
}

int expect_parse(const char *text, size_t len, struct ph_expect *ret, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = scanner_word(&scanner);
	struct ph_expect expect = { .allow = word_is(&word, "allow") };
	int r;

	if (!expect.allow && !word_is(&word, "deny")) {
		if (word.len == 0)
			text_wrong(&scanner, word.offset, "the expectation is empty");
		else
			text_wrong(&scanner, word.offset, "%s does not begin an expectation",
				   quote(&word).text);
		return text_right(
			&scanner,
			"write allow or deny and a flow, such as deny connect tcp 10.1.2.3:22");
	}
	r = parse_flow(&scanner, &expect.flow);
	if (r < 0)
		return r;
	*ret = expect;
	return 0;
}

static void print_endpoint(FILE *stream, const struct ph_endpoint *endpoint)
{
	char address[PH_ADDRESS_TEXT_MAX];

	if (endpoint->family == 0) {
		(void)fprintf(stream, "%u", endpoint->port);
		return;
	}
	address_format(endpoint->family, endpoint->addr, address);
	(void)fprintf(stream, endpoint->family == 6 ? "[%s]" : "%s", address);
	(void)fprintf(stream, ":%u", endpoint->port);
}

static void print_peer(FILE *stream, const struct ph_endpoint *endpoint)
{
	char address[PH_ADDRESS_TEXT_MAX];

	if (endpoint->port) {
		print_endpoint(stream, endpoint);
		return;
	}
	address_format(endpoint->family, endpoint->addr, address);
	(void)fputs(address, stream);
}

static void flow_print(FILE *stream, const struct ph_flow_spec *flow)
{
	(void)fprintf(stream, "%s ", flow_door_name(flow->door));
	if (flow->has_socket_kind)
		(void)fputs(rule_socket_name(flow->socket), stream);
	else
		(void)fputs(proto_name(flow->proto), stream);
	switch (flow->door) {
	case PH_FLOW_SOCKET:
		return;
	case PH_FLOW_BIND:
	case PH_FLOW_LISTEN:
	case PH_FLOW_ACCEPT:
		(void)fputc(' ', stream);
		print_endpoint(stream, &flow->local);
		if (flow->door != PH_FLOW_ACCEPT)
			return;
		(void)fputs(" from ", stream);
		print_peer(stream, &flow->remote);
		return;
	case PH_FLOW_CONNECT:
	case PH_FLOW_SEND:
	case PH_FLOW_RECEIVE:
		(void)fputc(' ', stream);
		print_endpoint(stream, &flow->remote);
		if (flow->local.port == 0)
			return;
		(void)fputs(" on ", stream);
		print_endpoint(stream, &flow->local);
		return;
	}
}

void expect_print(FILE *stream, const struct ph_expect *expect)
{
	(void)fputs(expect->allow ? "allow " : "deny ", stream);
	flow_print(stream, &expect->flow);
}

int flow_format(const struct ph_flow_spec *flow, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	flow_print(stream.file, flow);
	return stream_end(&stream, ret);
}

int expect_format(const struct ph_expect *expect, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	expect_print(stream.file, expect);
	return stream_end(&stream, ret);
}
