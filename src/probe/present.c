// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel has already. To ask for a protocol by socket() loads its module, and on a host
 * that is only looked at nothing may change.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>
#include "probe/internal.h"
#include "util/cleanup.h"

/* As /proc/net/protocols calls them; what is not here counts as not loaded. */
static const struct {
	int family, protocol; /* AF_INET stands for IPv6 too */
	const char *name;
} protocols[] = {
	{ AF_INET, IPPROTO_SCTP, "SCTP" },
	{ AF_INET, IPPROTO_UDPLITE, "UDP-Lite" },
	{ AF_INET, PROTOCOL_MPTCP, "MPTCP" },
	{ AF_INET, PROTOCOL_L2TP, "L2TP/IP" },
	{ AF_PACKET, 0, "PACKET" },
	{ AF_XDP, 0, "XDP" },
	{ AF_VSOCK, 0, "AF_VSOCK" },
	{ AF_ALG, 0, "ALG" },
	{ FAMILY_SMC, 0, "SMC" },
};

/* Whether a word stands at the start of a line, or in a file of words. */
static bool stands_in(const char *path, const char *word, bool anywhere)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		char *rest = line, *found;

		while ((found = strsep(&rest, " \t\n"))) {
			if (strcmp(found, word) == 0)
				return true;
			if (*found && !anywhere)
				break;
		}
	}
	return false;
}

/* Part of every kernel that has the family at all; a raw socket may ask for any protocol. */
static bool is_built_in(int family, int type, int protocol)
{
	if (family == AF_UNIX || family == AF_NETLINK)
		return protocol == 0;
	if (family != AF_INET && family != AF_INET6)
		return false;
	switch (type) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP;
	case SOCK_DGRAM:
		return protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP ||
		       protocol == IPPROTO_ICMPV6;
	default:
		return type == SOCK_RAW && protocol;
	}
}

bool protocol_is_loaded(int family, int type, int protocol)
{
	if (is_built_in(family, type, protocol))
		return true;
	if (family == AF_INET6)
		family = AF_INET;
	if (family == AF_INET && type == SOCK_PACKET)
		family = AF_PACKET;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (protocols[i].family == family &&
		    (family != AF_INET || protocols[i].protocol == protocol))
			return stands_in("/proc/net/protocols", protocols[i].name, false);
	return false;
}

static bool would_load(struct probe_env *env, const char *what)
{
	(void)probe_say(env, PROBE_UNTRIED, "%s is not loaded, and nothing is to be loaded", what);
	return false;
}

bool probe_has_protocol(struct probe_env *env, int family, int type, int protocol)
{
	/* these pass every policy */
	bool granted = family == AF_UNIX || family == AF_NETLINK || family == AF_ALG;

	if (env->loads == PROBE_LOADS_MODULES || protocol_is_loaded(family, type, protocol))
		return true;
	if (env->loads == PROBE_LOADS_IF_REFUSED && env->step > 0 && !granted)
		return true;
	return would_load(env, "the protocol");
}

bool probe_has_upgrade(struct probe_env *env, const char *name)
{
	if (env->loads == PROBE_LOADS_MODULES ||
	    stands_in("/proc/sys/net/ipv4/tcp_available_ulp", name, true))
		return true;
	return would_load(env, name);
}

bool probe_has_tun(struct probe_env *env)
{
	if (env->loads == PROBE_LOADS_MODULES || stands_in("/proc/misc", "tun", true))
		return true;
	return would_load(env, "tun");
}
