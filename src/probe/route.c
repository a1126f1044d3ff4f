// SPDX-License-Identifier: GPL-2.0-or-later
/* Options that send packets by way of another host than the one they are addressed to. */
#define _GNU_SOURCE 1
#include <linux/in6.h>
#include <netinet/ip.h>
#include <string.h>
#include "probe/internal.h"

enum {
	HOME_ROUTE = 2, /* types of routing headers */
	SEGMENTS_ROUTE = 4,
	OPTION_2292_PKTOPTIONS = 6,
	LABEL = 0x12345,
};

/* A routing header with one address, ::1. */
struct segments {
	uint8_t next, length, type, left, last, flags;
	uint16_t tag;
	struct in6_addr address;
};

static struct segments segments(void)
{
	return (struct segments){ .length = 2,
				  .type = SEGMENTS_ROUTE,
				  .address = IN6ADDR_LOOPBACK_INIT };
}

static enum probe_answer set_header(struct probe_env *env)
{
	struct segments route = segments();
	int fd = probe_socket(env, SOCK_STREAM, 0);

	return probe_judge(env, "setsockopt(IPV6_RTHDR)",
			   setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)));
}

/* The same by way of what stands beside a message. */
static enum probe_answer set_packet_options(struct probe_env *env)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct segments))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(struct segments)),
				  .cmsg_level = IPPROTO_IPV6,
				  .cmsg_type = IPV6_RTHDR } };
	struct segments route = segments();
	int r, fd = probe_socket(env, SOCK_DGRAM, 0);

	route.type = HOME_ROUTE;
	route.left = 1;
	memcpy(CMSG_DATA(&control.header), &route, sizeof(route));
	r = setsockopt(fd, IPPROTO_IPV6, OPTION_2292_PKTOPTIONS, &control, sizeof(control));
	if (r < 0 && errno == EINVAL)
		return probe_say(env, PROBE_UNTRIED, "no mobile IPv6 here");
	return probe_judge(env, "setsockopt(IPV6_2292PKTOPTIONS)", r);
}

static enum probe_answer set_label(struct probe_env *env)
{
	struct in6_flowlabel_req request = { .flr_dst = IN6ADDR_LOOPBACK_INIT,
					     .flr_label = htonl(LABEL),
					     .flr_action = IPV6_FL_A_GET,
					     .flr_share = IPV6_FL_S_EXCL,
					     .flr_flags = IPV6_FL_F_CREATE };
	int fd = probe_socket(env, SOCK_STREAM, 0);

	return probe_judge(env, "setsockopt(IPV6_FLOWLABEL_MGR)",
			   setsockopt(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, &request,
				      sizeof(request)));
}

static enum probe_answer set_options(struct probe_env *env)
{
	static const uint8_t route[] = { IPOPT_LSRR, 7, 4, 127, 0, 0, 1, IPOPT_EOL };
	int fd = probe_socket(env, SOCK_STREAM, 0);

	return probe_judge(env, "setsockopt(IP_OPTIONS)",
			   setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route)));
}

#define SETS(probe_name, meaning, at, function)                                           \
	{                                                                                 \
		.name = probe_name, .door = "setsockopt", .promise = "source-route",      \
		.what = meaning, .where = at, .expect = PROBE_DENIED, .attempt = function \
	}

const struct probe probe_route[] = {
	SETS("route-header", "a routing header, by IPV6_RTHDR", PROBE_V6, set_header),
	SETS("route-packet-options", "a routing header, by IPV6_2292PKTOPTIONS", PROBE_V6,
	     set_packet_options),
	SETS("route-flow-label", "a flow label, which may bring a routing header", PROBE_V6,
	     set_label),
	SETS("route-options", "a loose source route, by IP_OPTIONS", PROBE_V4, set_options),
	{},
};
