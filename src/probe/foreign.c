// SPDX-License-Identifier: GPL-2.0-or-later
/* Inherited sockets of kinds that a policy of TCP rules never admits, used by every call. */
#define _GNU_SOURCE 1
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <unistd.h>
#include "probe/internal.h"

#define SCTP_BINDX_ADD 100
#define SCTP_CONNECTX_OLD 107
#define SCTP_CONNECTX 110

static int prepare_socket(struct probe_env *env)
{
	const struct probe *probe = env->probe;

	if (!probe_has_protocol(env, probe->family, probe->type, probe->protocol))
		return -1;
	env->fd[0] = socket(probe->family, probe->type | SOCK_CLOEXEC, probe->protocol);
	if (env->fd[0] < 0)
		return probe_cannot(env, "socket");
	probe_set_timeouts(env->fd[0]);
	return 0;
}

static enum probe_answer bind_inherited(struct probe_env *env)
{
	struct probe_address target;

	probe_address(&target, PROBE_SECOND_V4, env->denied);
	return probe_judge(env, "bind", bind(env->fd[0], &target.any, target.length));
}

static enum probe_answer listen_inherited(struct probe_env *env)
{
	return probe_judge(env, "listen", listen(env->fd[0], 1));
}

/* The probe's `how` is a further flag of sendto(). */
static enum probe_answer send_inherited(struct probe_env *env)
{
	struct probe_address target;

	probe_target(env, &target);
	return probe_judge(env, "sendto",
			   sendto(env->fd[0], "p", 1, MSG_NOSIGNAL | env->probe->how, &target.any,
				  target.length));
}

/* setsockopt() that connects or binds. */
static enum probe_answer sctp_option(struct probe_env *env)
{
	bool binds = env->probe->how == SCTP_BINDX_ADD;
	struct probe_address target;

	probe_address(&target, binds ? PROBE_SECOND_V4 : PROBE_V4, env->denied);
	return probe_judge(env, "setsockopt",
			   setsockopt(env->fd[0], IPPROTO_SCTP, env->probe->how, &target.any,
				      target.length));
}

static enum probe_answer send_ping(struct probe_env *env)
{
	struct icmphdr echo = { .type = ICMP_ECHO };
	struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST };
	struct probe_address target;

	probe_address(&target, env->probe->where, 0);
	if (env->probe->where == PROBE_V6)
		return probe_judge(env, "sendto",
				   sendto(env->fd[0], &echo6, sizeof(echo6), 0, &target.any,
					  target.length));
	return probe_judge(env, "sendto",
			   sendto(env->fd[0], &echo, sizeof(echo), 0, &target.any, target.length));
}

static enum probe_answer send_raw(struct probe_env *env)
{
	struct probe_address target;

	probe_address(&target, env->probe->where, 0);
	if (env->probe->how == AF_UNSPEC)
		target.any.sa_family = AF_UNSPEC;
	return probe_judge(env, "sendto",
			   sendto(env->fd[0], "p", 1, 0, &target.any, target.length));
}

/* The IP header is the sender's own. */
static enum probe_answer send_own_header(struct probe_env *env)
{
	struct {
		struct iphdr ip;
		char payload[4];
	} packet = { .ip = { .version = 4,
			     .ihl = 5,
			     .ttl = 1,
			     .tot_len = htons(sizeof(packet)),
			     .protocol = SERVER_RAW_PROTOCOL,
			     .daddr = htonl(INADDR_LOOPBACK) },
		     .payload = "raw" };
	struct probe_address target;

	probe_address(&target, PROBE_V4, 0);
	return probe_judge(env, "sendto",
			   sendto(env->fd[0], &packet, sizeof(packet), 0, &target.any,
				  target.length));
}

static enum probe_answer send_frame(struct probe_env *env)
{
	struct sockaddr_ll target = { .sll_family = AF_PACKET,
				      .sll_protocol = htons(SERVER_FRAME_PROTOCOL),
				      .sll_ifindex = (int)if_nametoindex("lo"),
				      .sll_halen = 6 };
	char frame[60] = {};

	frame[12] = (char)(SERVER_FRAME_PROTOCOL >> 8);
	frame[13] = (char)(SERVER_FRAME_PROTOCOL & 0xff);
	return probe_judge(env, "sendto",
			   sendto(env->fd[0], frame, sizeof(frame), 0, (struct sockaddr *)&target,
				  sizeof(target)));
}

static enum probe_answer receive_frame(struct probe_env *env)
{
	char frame[2048];

	return probe_judge(env, "recv", recv(env->fd[0], frame, sizeof(frame), 0));
}

/* A packet socket in which a frame waits: the one that this very probe sends. */
static int prepare_frame(struct probe_env *env)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_IP),
				       .sll_ifindex = (int)if_nametoindex("lo") };
	struct probe_address target;
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (prepare_socket(env) < 0)
		return -1;
	if (bind(env->fd[0], (struct sockaddr *)&address, sizeof(address)) < 0)
		return probe_cannot(env, "bind");
	probe_address(&target, PROBE_V4, env->denied);
	if (sendto(udp, "p", 1, 0, &target.any, target.length) != 1 ||
	    !probe_readable(env->fd[0], ANSWER_TIMEOUT_MS))
		return probe_cannot(env, "a frame to receive");
	return 0;
}

static struct sockaddr_vm vsock_address(const struct probe_env *env)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK,
				     .svm_cid = VMADDR_CID_LOCAL,
				     .svm_port = env->denied };
}

static int prepare_vsock(struct probe_env *env)
{
	struct server_reply reply;

	if (server_ask(env->server, SERVER_COUNT, 0, 0, &reply) < 0 ||
	    !reply.present[SERVER_VSOCK][0]) {
		(void)probe_say(env, PROBE_UNTRIED, "the server has no vsock listener");
		return -1;
	}
	return prepare_socket(env);
}

static enum probe_answer connect_vsock(struct probe_env *env)
{
	struct sockaddr_vm target = vsock_address(env);

	if (connect(env->fd[0], (struct sockaddr *)&target, sizeof(target)) == 0)
		return probe_say(env, PROBE_ALLOWED, "connect: 0");
	if (errno == ENODEV || errno == EADDRNOTAVAIL)
		return probe_say(env, PROBE_UNTRIED, "connect: no vsock loopback here");
	return probe_judge(env, "connect", -1);
}

static int prepare_connected_vsock(struct probe_env *env)
{
	struct sockaddr_vm target = vsock_address(env);

	if (prepare_vsock(env) < 0)
		return -1;
	if (connect(env->fd[0], (struct sockaddr *)&target, sizeof(target)) < 0)
		return probe_cannot(env, "connect");
	return 0;
}

static int prepare_connected(struct probe_env *env)
{
	struct probe_address target;

	if (prepare_socket(env) < 0)
		return -1;
	probe_target(env, &target);
	if (connect(env->fd[0], &target.any, target.length) < 0)
		return probe_cannot(env, "connect");
	return 0;
}

static enum probe_answer write_inherited(struct probe_env *env)
{
	return probe_judge(env, "write", write(env->fd[0], "p", 1));
}

#define PROBE(probe_name, through, tested, meaning, first, function, ...)                  \
	{                                                                                  \
		.name = probe_name, .door = through, .promise = tested, .what = meaning,   \
		.expect = PROBE_DENIED, .prepare = first, .attempt = function, __VA_ARGS__ \
	}
#define HANDED(probe_name, through, ...) PROBE(probe_name, through, "handed-over", __VA_ARGS__)
#define KIND(of_family, of_type, of_protocol) \
	.family = of_family, .type = of_type, .protocol = of_protocol
#define SCTP_STREAM KIND(AF_INET, SOCK_STREAM, IPPROTO_SCTP)
#define SCTP_MANY KIND(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP)
#define UDPLITE KIND(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)
#define DCCP KIND(AF_INET, SOCK_DCCP, IPPROTO_DCCP)
#define MPTCP KIND(AF_INET, SOCK_STREAM, PROTOCOL_MPTCP)
#define VSOCK KIND(AF_VSOCK, SOCK_STREAM, 0)
#define ARRIVES .flags = PROBE_ARRIVES
#define NET_RAW .needs = PROBE_NEEDS_NET_RAW

const struct probe probe_foreign[] = {
	HANDED("sctp-connect", "connect", "connect of an inherited SCTP socket", prepare_socket,
	       probe_connect_inherited, SCTP_STREAM, ARRIVES),
	HANDED("sctp-sendto", "send", "sendto on an inherited one-to-many SCTP socket",
	       prepare_socket, send_inherited, SCTP_MANY, ARRIVES),
	HANDED("sctp-connectx", "connect", "SCTP_SOCKOPT_CONNECTX on an inherited socket",
	       prepare_socket, sctp_option, SCTP_STREAM, .how = SCTP_CONNECTX),
	HANDED("sctp-connectx-old", "connect", "SCTP_SOCKOPT_CONNECTX_OLD on an inherited socket",
	       prepare_socket, sctp_option, SCTP_STREAM, .how = SCTP_CONNECTX_OLD),
	HANDED("sctp-bindx", "bind", "SCTP_SOCKOPT_BINDX_ADD on an inherited socket",
	       prepare_socket, sctp_option, SCTP_STREAM, .how = SCTP_BINDX_ADD),
	HANDED("sctp-bind", "bind", "bind of an inherited SCTP socket", prepare_socket,
	       bind_inherited, SCTP_STREAM),
	HANDED("sctp-listen", "listen", "listen on an inherited SCTP socket", prepare_socket,
	       listen_inherited, SCTP_STREAM),
	HANDED("sctp-write", "send", "write on an inherited, connected SCTP socket",
	       prepare_connected, write_inherited, SCTP_STREAM, ARRIVES),
	PROBE("udplite-sendto", "send", "send", "sendto on an inherited UDP-Lite socket",
	      prepare_socket, send_inherited, UDPLITE, ARRIVES),
	HANDED("udplite-connect", "connect", "connect of an inherited UDP-Lite socket",
	       prepare_socket, probe_connect_inherited, UDPLITE),
	HANDED("dccp-connect", "connect", "connect of an inherited DCCP socket", prepare_socket,
	       probe_connect_inherited, DCCP, ARRIVES),
	HANDED("dccp-write", "send", "write on an inherited, connected DCCP socket",
	       prepare_connected, write_inherited, DCCP, ARRIVES),
	PROBE("mptcp-connect", "connect", "connect", "connect of an inherited MPTCP socket",
	      prepare_socket, probe_connect_inherited, MPTCP, ARRIVES),
	HANDED("mptcp-connect-allowed", "connect",
	       "connect of an inherited MPTCP socket to the port allowed for TCP", prepare_socket,
	       probe_connect_inherited, MPTCP, .flags = PROBE_TO_ALLOWED),
	PROBE("mptcp-fastopen", "fastopen", "fastopen",
	      "sendto(MSG_FASTOPEN) on an inherited MPTCP socket", prepare_socket, send_inherited,
	      MPTCP, ARRIVES, .how = MSG_FASTOPEN),
	HANDED("mptcp-listen", "listen", "listen on an inherited MPTCP socket", prepare_socket,
	       listen_inherited, MPTCP),
	HANDED("mptcp-write", "send", "write on an inherited, connected MPTCP socket",
	       prepare_connected, write_inherited, MPTCP, ARRIVES),
	PROBE("smc-connect", "connect", "connect", "connect of an inherited AF_SMC socket",
	      prepare_socket, probe_connect_inherited, KIND(FAMILY_SMC, SOCK_STREAM, 0), ARRIVES),
	HANDED("ping-send", "send", "an echo request on an inherited ping socket", prepare_socket,
	       send_ping, KIND(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)),
	HANDED("ping-send-v6", "send", "the same, IPv6", prepare_socket, send_ping,
	       KIND(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6), .where = PROBE_V6),
	HANDED("raw-send", "send", "sendto on an inherited raw socket, protocol 253",
	       prepare_socket, send_raw, KIND(AF_INET, SOCK_RAW, SERVER_RAW_PROTOCOL), NET_RAW,
	       .how = AF_INET, ARRIVES),
	HANDED("raw-send-unspec", "send",
	       "sendto an address of family 0 on an inherited raw socket", prepare_socket, send_raw,
	       KIND(AF_INET, SOCK_RAW, SERVER_RAW_PROTOCOL), NET_RAW, .how = AF_UNSPEC, ARRIVES),
	HANDED("raw-send-v6", "send", "sendto on an inherited raw socket, protocol 253, IPv6",
	       prepare_socket, send_raw, KIND(AF_INET6, SOCK_RAW, SERVER_RAW_PROTOCOL), NET_RAW,
	       .how = AF_INET6, .where = PROBE_V6, ARRIVES),
	HANDED("raw-send-header", "send", "sendto with an own IP header on an inherited raw socket",
	       prepare_socket, send_own_header, KIND(AF_INET, SOCK_RAW, IPPROTO_RAW), NET_RAW,
	       ARRIVES),
	HANDED("packet-send", "send", "sendto on an inherited AF_PACKET socket", prepare_socket,
	       send_frame, KIND(AF_PACKET, SOCK_RAW, 0), NET_RAW, ARRIVES),
	HANDED("packet-receive", "receive", "recv on an inherited AF_PACKET socket", prepare_frame,
	       receive_frame, KIND(AF_PACKET, SOCK_RAW, 0), NET_RAW),
	HANDED("vsock-connect", "connect", "connect of an inherited AF_VSOCK socket", prepare_vsock,
	       connect_vsock, VSOCK, ARRIVES),
	HANDED("vsock-write", "send", "write on an inherited, connected AF_VSOCK socket",
	       prepare_connected_vsock, write_inherited, VSOCK, ARRIVES),
	{},
};
