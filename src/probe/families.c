// SPDX-License-Identifier: GPL-2.0-or-later
/* Creating sockets of all kinds: what is not TCP, UDP, AF_UNIX, AF_NETLINK or AF_ALG is refused. */
#define _GNU_SOURCE 1
#include <linux/if_alg.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

#define HIGH_FAMILY 23
#define LAST_FAMILY 45
#define LAST_TYPE 6
#define BT_HCI 1

/* The families in three parts, for the time that modprobe takes. */
enum {
	PART_INET,
	PART_LOW,
	PART_HIGH,
};

static enum probe_answer create(struct probe_env *env)
{
	const struct probe *probe = env->probe;
	int fd;

	if (!probe_has_protocol(env, probe->family, probe->type, probe->protocol))
		return PROBE_UNTRIED;
	fd = socket(probe->family, probe->type | SOCK_CLOEXEC, probe->protocol);
	if (fd < 0 && (errno == EACCES || errno == ENODEV))
		return probe_say(env, PROBE_UNTRIED, "socket: %s, from the kernel itself",
				 strerrorname_np(errno));
	return probe_judge(env, "socket", fd);
}

static bool may_exist(int family, int type, int protocol)
{
	if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG)
		return true;
	if (family != AF_INET && family != AF_INET6)
		return false;
	return (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP)) ||
	       (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP));
}

struct sweep {
	unsigned int refused, offenders, absent;
	char names[PROBE_DETAIL];
};

static void sweep_one(struct probe_env *env, struct sweep *sweep, int family, int type,
		      int protocol)
{
	size_t used = strlen(sweep->names);
	bool wrong;
	int fd;

	if (!probe_has_protocol(env, family, type, protocol)) {
		sweep->absent++;
		return;
	}
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0 && errno != EPERM) {
		sweep->absent++;
		return;
	}
	sweep->refused += fd < 0;
	wrong = (fd >= 0) != may_exist(family, type, protocol);
	/* the kernel's own EPERM, for want of a privilege, is no offence of the policy's */
	wrong = wrong && (fd >= 0 || family == AF_UNIX || family == AF_INET || family == AF_INET6);
	if (fd >= 0)
		(void)close(fd);
	if (!wrong)
		return;
	sweep->offenders++;
	if (used < sizeof(sweep->names) - 40)
		(void)snprintf(sweep->names + used, sizeof(sweep->names) - used, " %d/%d/%d%s",
			       family, type, protocol, fd < 0 ? "(refused)" : "");
}

/*
 * What the kernel does not have is asked for once: each failure costs a run of modprobe. A refusal
 * comes before that.
 */
static bool is_absent(struct probe_env *env, int family, int type, int error)
{
	int fd;

	if (!probe_has_protocol(env, family, type, 0))
		return false;
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)close(fd);
	return fd < 0 && errno == error;
}

static enum probe_answer judge_sweep(struct probe_env *env, const struct sweep *sweep)
{
	if (sweep->offenders)
		return probe_say(env, PROBE_ALLOWED, "%u wrong, as family/type/protocol:%.200s",
				 sweep->offenders, sweep->names);
	return probe_say(env, sweep->refused ? PROBE_DENIED : PROBE_UNTRIED,
			 "%u refused, %u absent", sweep->refused, sweep->absent);
}

static bool in_part(int family, int part)
{
	if (family == AF_INET || family == AF_INET6)
		return part == PART_INET;
	return part == (family < HIGH_FAMILY ? PART_LOW : PART_HIGH);
}

static enum probe_answer sweep_families(struct probe_env *env)
{
	static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP };
	struct sweep sweep = {};

	for (int family = 0; family <= LAST_FAMILY; family++) {
		if (!in_part(family, env->probe->how) ||
		    is_absent(env, family, SOCK_STREAM, EAFNOSUPPORT))
			continue;
		for (int type = 1; type <= LAST_TYPE; type++) {
			if (is_absent(env, family, type, ESOCKTNOSUPPORT))
				continue;
			for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
				sweep_one(env, &sweep, family, type, protocols[i]);
		}
	}
	return judge_sweep(env, &sweep);
}

/* Types and protocols of IPv4 and IPv6; few that do not exist, since each costs a modprobe. */
static enum probe_answer sweep_protocols(struct probe_env *env)
{
	static const struct {
		int type, protocol;
	} kinds[] = {
		{ SOCK_STREAM, IPPROTO_UDP },	  { SOCK_STREAM, IPPROTO_SCTP },
		{ SOCK_STREAM, PROTOCOL_SMC },	  { SOCK_STREAM, PROTOCOL_MPTCP },
		{ SOCK_SEQPACKET, IPPROTO_SCTP }, { SOCK_DGRAM, IPPROTO_TCP },
		{ SOCK_DGRAM, IPPROTO_UDP },	  { SOCK_DGRAM, IPPROTO_UDPLITE },
		{ SOCK_DGRAM, IPPROTO_ICMP },	  { SOCK_DGRAM, IPPROTO_ICMPV6 },
		{ SOCK_DGRAM, PROTOCOL_L2TP },	  { SOCK_RAW, IPPROTO_ICMP },
		{ SOCK_RAW, IPPROTO_IGMP },	  { SOCK_RAW, IPPROTO_TCP },
		{ SOCK_RAW, IPPROTO_UDP },	  { SOCK_RAW, IPPROTO_IPV6 },
		{ SOCK_RAW, IPPROTO_GRE },	  { SOCK_RAW, IPPROTO_ESP },
		{ SOCK_RAW, IPPROTO_ICMPV6 },	  { SOCK_RAW, IPPROTO_RAW },
	};
	struct sweep sweep = {};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		sweep_one(env, &sweep, AF_INET, kinds[i].type, kinds[i].protocol);
		sweep_one(env, &sweep, AF_INET6, kinds[i].type, kinds[i].protocol);
	}
	return judge_sweep(env, &sweep);
}

static enum probe_answer talk_unix(struct probe_env *env)
{
	int ends[2];
	char byte = 0;

	if (socketpair(AF_UNIX, env->probe->type | SOCK_CLOEXEC, 0, ends) < 0)
		return probe_judge(env, "socketpair", -1);
	if (send(ends[0], "p", 1, 0) != 1)
		return probe_judge(env, "send", -1);
	return probe_judge(env, "recv", recv(ends[1], &byte, 1, 0));
}

/* Bind, listen and connect at an abstract address. */
static enum probe_answer serve_unix(struct probe_env *env)
{
	struct sockaddr_storage address = { .ss_family = AF_UNIX };
	socklen_t length = sizeof(address);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0)
		return probe_judge(env, "bind", -1);
	(void)getsockname(listener, (struct sockaddr *)&address, &length);
	if (listen(listener, 1) < 0)
		return probe_judge(env, "listen", -1);
	if (connect(client, (struct sockaddr *)&address, length) < 0)
		return probe_judge(env, "connect", -1);
	return probe_judge(env, "accept", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

static enum probe_answer dump_routes(struct probe_env *env)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
	} request = { .header = { .nlmsg_len = sizeof(request),
				  .nlmsg_type = RTM_GETROUTE,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char reply[8192];

	if (fd < 0)
		return probe_judge(env, "socket", fd);
	if (connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return probe_judge(env, "connect", -1);
	if (send(fd, &request, sizeof(request), 0) < 0)
		return probe_judge(env, "send", -1);
	return probe_judge(env, "recv", recv(fd, reply, sizeof(reply), 0));
}

static enum probe_answer hash_bytes(struct probe_env *env)
{
	struct sockaddr_alg address = { .salg_family = AF_ALG,
					.salg_type = "hash",
					.salg_name = "sha256" };
	int fd, operation;

	if (!probe_has_protocol(env, AF_ALG, SOCK_SEQPACKET, 0))
		return PROBE_UNTRIED;
	fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return probe_judge(env, "socket", fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == ENOENT ? probe_say(env, PROBE_UNTRIED, "no sha256 here") :
					 probe_judge(env, "bind", -1);
	operation = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (operation < 0)
		return probe_judge(env, "accept", operation);
	return probe_judge(env, "send", send(operation, "p", 1, 0));
}

#define REFUSED(probe_name, tested, meaning, of_family, of_type, of_protocol, need)             \
	{                                                                                       \
		.name = "socket-" probe_name, .door = "socket", .promise = tested,              \
		.what = meaning, .family = of_family, .type = of_type, .protocol = of_protocol, \
		.needs = need, .expect = PROBE_DENIED, .attempt = create                        \
	}
#define IP(probe_name, ...) REFUSED(probe_name, "socket", __VA_ARGS__)
#define OTHER(probe_name, ...) REFUSED(probe_name, "families", __VA_ARGS__)
#define GRANTED(probe_name, meaning, of_family, of_type, of_protocol)                            \
	{                                                                                        \
		.name = "allow-socket-" probe_name, .door = "socket", .what = meaning,           \
		.family = of_family, .type = of_type, .protocol = of_protocol, .attempt = create \
	}
#define SWEEPS(probe_name, tested, families, part, need)                                           \
	{                                                                                          \
		.name = probe_name, .door = "socket", .promise = tested,                           \
		.what = families ", types 1 to 6, protocols 0, 6, 17: only what may", .how = part, \
		.needs = need, .expect = PROBE_DENIED, .attempt = sweep_families                   \
	}

const struct probe probe_families[] = {
	GRANTED("tcp-v4", "TCP socket, IPv4, protocol 0", AF_INET, SOCK_STREAM, 0),
	GRANTED("tcp-v4-proto", "TCP socket, IPv4, protocol 6", AF_INET, SOCK_STREAM, IPPROTO_TCP),
	GRANTED("tcp-v6", "TCP socket, IPv6, protocol 0", AF_INET6, SOCK_STREAM, 0),
	GRANTED("tcp-v6-proto", "TCP socket, IPv6, protocol 6", AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	GRANTED("unix-stream", "AF_UNIX stream", AF_UNIX, SOCK_STREAM, 0),
	GRANTED("unix-dgram", "AF_UNIX datagram", AF_UNIX, SOCK_DGRAM, 0),
	GRANTED("netlink", "AF_NETLINK, route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	{ .name = "allow-unix-stream",
	  .door = "send",
	  .what = "an AF_UNIX stream pair, both ways",
	  .type = SOCK_STREAM,
	  .attempt = talk_unix },
	{ .name = "allow-unix-dgram",
	  .door = "send",
	  .what = "an AF_UNIX datagram pair, both ways",
	  .type = SOCK_DGRAM,
	  .attempt = talk_unix },
	{ .name = "allow-unix-serve",
	  .door = "accept",
	  .what = "AF_UNIX bind, listen, connect, accept",
	  .attempt = serve_unix },
	{ .name = "allow-netlink-routes",
	  .door = "send",
	  .what = "a dump of the routes over AF_NETLINK",
	  .attempt = dump_routes },
	{ .name = "allow-alg", .door = "send", .what = "a hash by AF_ALG", .attempt = hash_bytes },
	IP("udplite-v4", "UDP-Lite, IPv4", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, 0),
	IP("udplite-v6", "UDP-Lite, IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, 0),
	IP("ping-v4", "ping socket, IPv4", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 0),
	IP("ping-v6", "ping socket, IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, 0),
	IP("raw-v4", "raw socket, IPPROTO_RAW, IPv4", AF_INET, SOCK_RAW, IPPROTO_RAW,
	   PROBE_NEEDS_NET_RAW),
	IP("raw-253", "raw socket, protocol 253, IPv4", AF_INET, SOCK_RAW, SERVER_RAW_PROTOCOL,
	   PROBE_NEEDS_NET_RAW),
	IP("raw-tcp", "raw socket, protocol 6, IPv4", AF_INET, SOCK_RAW, IPPROTO_TCP,
	   PROBE_NEEDS_NET_RAW),
	IP("raw-icmp", "raw socket, ICMP", AF_INET, SOCK_RAW, IPPROTO_ICMP, PROBE_NEEDS_NET_RAW),
	IP("raw-v6", "raw socket, IPPROTO_RAW, IPv6", AF_INET6, SOCK_RAW, IPPROTO_RAW,
	   PROBE_NEEDS_NET_RAW),
	IP("raw-icmpv6", "raw socket, ICMPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6,
	   PROBE_NEEDS_NET_RAW),
	OTHER("packet-raw", "AF_PACKET, SOCK_RAW", AF_PACKET, SOCK_RAW,
	      __builtin_bswap16(ETH_P_ALL), PROBE_NEEDS_NET_RAW),
	OTHER("packet-dgram", "AF_PACKET, SOCK_DGRAM", AF_PACKET, SOCK_DGRAM,
	      __builtin_bswap16(ETH_P_ALL), PROBE_NEEDS_NET_RAW),
	OTHER("packet-alias", "AF_INET with SOCK_PACKET, which is AF_PACKET", AF_INET, SOCK_PACKET,
	      __builtin_bswap16(ETH_P_ALL), PROBE_NEEDS_NET_RAW),
	OTHER("xdp", "AF_XDP", AF_XDP, SOCK_RAW, 0, PROBE_NEEDS_NET_RAW),
	OTHER("vsock-stream", "AF_VSOCK stream", AF_VSOCK, SOCK_STREAM, 0, 0),
	OTHER("vsock-dgram", "AF_VSOCK datagram", AF_VSOCK, SOCK_DGRAM, 0, 0),
	OTHER("vsock-seqpacket", "AF_VSOCK seqpacket", AF_VSOCK, SOCK_SEQPACKET, 0, 0),
	IP("sctp-stream", "SCTP, SOCK_STREAM", AF_INET, SOCK_STREAM, IPPROTO_SCTP, 0),
	IP("sctp-seqpacket", "SCTP, SOCK_SEQPACKET", AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, 0),
	IP("sctp-v6", "SCTP, SOCK_STREAM, IPv6", AF_INET6, SOCK_STREAM, IPPROTO_SCTP, 0),
	IP("dccp", "DCCP", AF_INET, SOCK_DCCP, IPPROTO_DCCP, 0),
	IP("dccp-v6", "DCCP, IPv6", AF_INET6, SOCK_DCCP, IPPROTO_DCCP, 0),
	IP("mptcp", "MPTCP", AF_INET, SOCK_STREAM, PROTOCOL_MPTCP, 0),
	IP("mptcp-v6", "MPTCP, IPv6", AF_INET6, SOCK_STREAM, PROTOCOL_MPTCP, 0),
	OTHER("smc", "AF_SMC", FAMILY_SMC, SOCK_STREAM, 0, 0),
	OTHER("smc-v6", "AF_SMC over IPv6", FAMILY_SMC, SOCK_STREAM, 1, 0),
	IP("smc-inet", "AF_INET with IPPROTO_SMC", AF_INET, SOCK_STREAM, PROTOCOL_SMC, 0),
	IP("smc-inet6", "AF_INET6 with IPPROTO_SMC", AF_INET6, SOCK_STREAM, PROTOCOL_SMC, 0),
	OTHER("bluetooth", "AF_BLUETOOTH", AF_BLUETOOTH, SOCK_RAW, BT_HCI, 0),
	OTHER("can", "AF_CAN", AF_CAN, SOCK_RAW, 1, 0),
	OTHER("tipc", "AF_TIPC", AF_TIPC, SOCK_RDM, 0, 0),
	OTHER("rds", "AF_RDS", AF_RDS, SOCK_SEQPACKET, 0, 0),
	OTHER("kcm", "AF_KCM", AF_KCM, SOCK_DGRAM, 0, 0),
	OTHER("rxrpc", "AF_RXRPC", AF_RXRPC, SOCK_DGRAM, AF_INET, 0),
	OTHER("pppox", "AF_PPPOX", AF_PPPOX, SOCK_STREAM, 0, 0),
	IP("l2tp", "L2TP over IP", AF_INET, SOCK_DGRAM, PROTOCOL_L2TP, 0),
	OTHER("key", "AF_KEY", AF_KEY, SOCK_RAW, 2, PROBE_NEEDS_NET_ADMIN),
	OTHER("nfc", "AF_NFC", AF_NFC, SOCK_SEQPACKET, 0, 0),
	OTHER("phonet", "AF_PHONET", AF_PHONET, SOCK_DGRAM, 0, 0),
	OTHER("qipcrtr", "AF_QIPCRTR", AF_QIPCRTR, SOCK_DGRAM, 0, 0),
	OTHER("mctp", "AF_MCTP", FAMILY_MCTP, SOCK_DGRAM, 0, 0),
	OTHER("ieee802154", "AF_IEEE802154", AF_IEEE802154, SOCK_DGRAM, 0, 0),
	OTHER("llc", "AF_LLC", AF_LLC, SOCK_DGRAM, 0, PROBE_NEEDS_NET_RAW),
	SWEEPS("socket-families-inet", "socket", "families 2 and 10", PART_INET, 0),
	SWEEPS("socket-families-low", "families", "families 0 to 22", PART_LOW,
	       PROBE_NEEDS_NET_RAW),
	SWEEPS("socket-families-high", "families", "families 23 to 45", PART_HIGH, 0),
	{ .name = "socket-protocols",
	  .door = "socket",
	  .promise = "socket",
	  .what = "IPv4 and IPv6 with 20 pairs of type and protocol: only what is allowed",
	  .expect = PROBE_DENIED,
	  .attempt = sweep_protocols },
	{},
};
