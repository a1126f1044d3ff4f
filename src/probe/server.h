/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PORTHOLD_PROBE_SERVER_H
#define PORTHOLD_PROBE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * The server of the probes: listens on loopback, echoes, and counts what reaches it. Questions
 * come as one struct server_request per packet on an AF_UNIX SOCK_SEQPACKET socket, and each has
 * one struct server_reply as answer. A count is exact: everything that has arrived is read first.
 */

enum server_kind {
	SERVER_TCP,
	SERVER_UDP,
	SERVER_UDPLITE,
	SERVER_SCTP,
	SERVER_DCCP,
	SERVER_VSOCK,
	SERVER_RAW, /* IP protocol 253; counted under the first port */
	SERVER_FRAME, /* ethernet protocol 0x88b5 on lo; counted under the first port */
	SERVER_DIALLED, /* connections that the server opened on request */
	SERVER_KINDS,
};

#define SERVER_PORTS 4
#define SERVER_RAW_PROTOCOL 253
#define SERVER_FRAME_PROTOCOL 0x88b5

enum server_verb {
	SERVER_COUNT, /* nothing but the counts */
	SERVER_PAUSE, /* close the TCP listener of (family, port) until the next reset */
	SERVER_RESET, /* close all connections, listen again; counts stay */
	SERVER_DIAL, /* connect to the second address of (family, port), send a byte */
};

struct server_request {
	uint32_t verb;
	uint16_t family;
	uint16_t port;
};

struct server_count {
	uint64_t connections;
	uint64_t messages; /* datagrams, frames, or reads of a stream */
	uint64_t bytes;
};

struct server_reply {
	int32_t error; /* 0 or -errno of the request */
	uint16_t port[SERVER_PORTS];
	uint8_t present[SERVER_KINDS][2]; /* by kind; 0: IPv4 or no family, 1: IPv6 */
	struct server_count count[SERVER_KINDS][2][SERVER_PORTS];
};

extern const char *const server_kind_names[SERVER_KINDS];

/*
 * Serves until it is killed, or until `parent` is no longer its parent (0: for ever). `loads`: also
 * the protocols that the kernel loads for it.
 */
int server_run(const uint16_t *ports, size_t n_ports, const char *control, bool loads,
	       pid_t parent);

/* The same in a child process, returned once it listens. 0, or -errno. */
int server_spawn(const uint16_t *ports, size_t n_ports, const char *control, bool loads,
		 pid_t *ret);

/* A connection to the control socket, or -errno. */
int server_connect(const char *control);

/* Asks; 0, or -errno of the exchange or of the request itself. */
int server_ask(int fd, enum server_verb verb, int family, uint16_t port, struct server_reply *ret);

#endif
