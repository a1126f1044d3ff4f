/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_WORDS_H
#define READERS_WORDS_H
/*
 * Two policies, as files say them and in plain C: what comes out of the programs is held against these
 * words, which share no code with them.
 */
#define POLICIES                                                    \
	"porthold: 1\n"                                             \
	"policies:\n"                                               \
	"  - name: first\n"                                         \
	"    match: {comm: confined}\n"                             \
	"    allow:\n"                                              \
	"      - tcp 4040\n"                                        \
	"      - connect tcp 443 to 10.0.0.0/8,2001:db8::/32\n"     \
	"      - connect tcp 80 to 127.0.0.0/8\n"                   \
	"      - connect tcp 81 to ::1\n"                           \
	"      - bind tcp 8080 on 127.0.0.0/8 from 10.0.0.0/8\n"    \
	"      - udp 5353\n"                                        \
	"      - connect udp 53 to 10.0.0.0/8 except 10.9.0.0/16\n" \
	"      - bind udp 9090 from 10.0.0.0/8\n"                   \
	"  - name: second\n"                                        \
	"    match: {comm: further}\n"                              \
	"    allow: [tcp 4040, connect tcp 443, udp any]\n"

/* An address: 4 or 16 bytes. Nowhere: it is not known, and no rule with addresses holds. */
struct where {
	unsigned family; /* 4, 6; 0: nowhere */
	unsigned char byte[16];
};

/* What an address of 16 bytes means: one that begins as v4-mapped ones do is the last four. */
static struct where where_of(unsigned family, const unsigned char *bytes)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct where where = { .family = family };

	if (family == 6 && !memcmp(bytes, mapped, 12))
		return where_of(4, bytes + 12);
	memcpy(where.byte, bytes, family == 6 ? 16 : 4);
	return where;
}

static bool is_nobody(const struct where *where)
{
	static const unsigned char zeros[16];

	return where->family && !memcmp(where->byte, zeros, where->family == 6 ? 16 : 4);
}

static bool in_ten(const struct where *where)
{
	return where->family == 4 && where->byte[0] == 10;
}

static bool in_loopback(const struct where *where)
{
	return where->family == 4 && where->byte[0] == 127;
}

static bool is_v6_loopback(const struct where *where)
{
	static const unsigned char one[16] = { [15] = 1 };

	return where->family == 6 && !memcmp(where->byte, one, 16);
}

static bool in_documentation(const struct where *where)
{
	return where->family == 6 && !memcmp(where->byte, "\x20\x01\x0d\xb8", 4);
}

static bool may_connect_tcp(const struct where *to, unsigned port)
{
	switch (port) {
	case 4040:
		return true;
	case 443:
		return in_ten(to) || in_documentation(to);
	case 80:
		return in_loopback(to);
	case 81:
		return is_v6_loopback(to);
	}
	return false;
}

static bool may_connect_udp(const struct where *to, unsigned port)
{
	return port == 5353 || (port == 53 && in_ten(to) && to->byte[1] != 9);
}

/* Whether a port may be served there; to a peer, or, without one, at all. */
static bool may_serve_tcp(const struct where *on, unsigned port, const struct where *from)
{
	return port == 4040 || (port == 8080 && in_loopback(on) && (!from || in_ten(from)));
}

static bool may_serve_udp(unsigned port, const struct where *from)
{
	return port == 5353 || (port == 9090 && (!from || in_ten(from)));
}

/* What is asked, of both layers where there are two. */
struct wish {
	bool udp, further;
	bool connects, serves; /* either is enough */
	const struct where *local, *remote, *from; /* from: NULL: nobody in particular */
	unsigned local_port, remote_port;
};

static bool first_may(const struct wish *wish)
{
	if (wish->connects && (wish->udp ? may_connect_udp(wish->remote, wish->remote_port) :
					   may_connect_tcp(wish->remote, wish->remote_port)))
		return true;
	if (!wish->serves)
		return false;
	/* A rule with addresses tells nothing of what goes nowhere that is known. */
	if (!wish->remote->family)
		return wish->local_port == (wish->udp ? 5353 : 4040);
	return wish->udp ? may_serve_udp(wish->local_port, wish->from) :
			   may_serve_tcp(wish->local, wish->local_port, wish->from);
}

static bool second_may(const struct wish *wish)
{
	if (wish->udp)
		return (wish->connects && wish->remote_port) || (wish->serves && wish->local_port);
	return (wish->connects && (wish->remote_port == 4040 || wish->remote_port == 443)) ||
	       (wish->serves && wish->local_port == 4040);
}

static bool may(const struct wish *wish)
{
	return first_may(wish) && (!wish->further || second_may(wish));
}

#endif
