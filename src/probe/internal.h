/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PORTHOLD_PROBE_INTERNAL_H
#define PORTHOLD_PROBE_INTERNAL_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "probe/probe.h"
#include "probe/server.h"

/*
 * What the topics share. Everything here runs in a child that ends with the probe, so descriptors
 * and memory of an attempt are left to the kernel.
 */

#define SOCKOPT_ON &(int){ 1 }, sizeof(int)
#define ANSWER_TIMEOUT_MS 2000

/* Numbers that the C library's headers may lack. */
#define FAMILY_SMC 43
#define FAMILY_MCTP 45
#define PROTOCOL_L2TP 115
#define PROTOCOL_SMC 256
#define PROTOCOL_MPTCP 262

struct probe_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage storage;
	};
	socklen_t length;
};

/* The tables, one per topic, each ended by an entry without name. */
extern const struct probe probe_tcp[], probe_fastopen[], probe_listen[], probe_udp[],
	probe_families[], probe_foreign[], probe_inherited[], probe_received[], probe_uring[],
	probe_uring_files[], probe_identity[], probe_protect[], probe_route[], probe_around[];

/* verdict.c: what a call's outcome means. `result` < 0 means failure, errno says which. */
enum probe_answer probe_judge(struct probe_env *env, const char *call, long result);
/* The same where the refusal shows as another errno than EPERM. */
enum probe_answer probe_judge_errno(struct probe_env *env, const char *call, long result,
				    int refusal);
/* The same for a call that cannot succeed: any other failure comes after it was let through. */
enum probe_answer probe_judge_passed(struct probe_env *env, const char *call, long result);
/* The same for a call that the kernel itself must refuse; PROBE_DENIED when it fails. */
enum probe_answer probe_judge_invalid(struct probe_env *env, const char *call, long result);
/* Writes the detail and returns the answer. */
enum probe_answer probe_say(struct probe_env *env, enum probe_answer answer, const char *format,
			    ...) __attribute__((format(printf, 3, 4)));
/* For prepare: the detail with errno, and -1. */
int probe_cannot(struct probe_env *env, const char *call);
/* Writes the answer where probe_run() reads it, after a look at the server; ends the process. */
void probe_finish(struct probe_env *env, enum probe_answer answer) __attribute__((noreturn));
/* All that has reached the server and that the policy forbids. */
int probe_forbidden(struct probe_env *env, uint64_t *ret);

/* net.c: addresses and plain conversations */
uint16_t probe_port(const struct probe_env *env);
void probe_address(struct probe_address *ret, enum probe_where where, uint16_t port);
void probe_target(const struct probe_env *env, struct probe_address *ret);
int probe_family(enum probe_where where);
void probe_set_timeouts(int fd);
/* A socket for the probe's address family, with timeouts; -1 and errno. */
int probe_socket(const struct probe_env *env, int type, int protocol);
/* A TCP socket connected to the probe's target, or -1. */
int probe_connect(const struct probe_env *env);
/* The plain attempt: a TCP connect to the target. */
enum probe_answer probe_try_connect(struct probe_env *env);
/* Sends a byte and waits for the echo: 0, or -1 and errno. */
int probe_exchange(int fd);
bool probe_readable(int fd, int timeout_ms);
/* For prepare: a TCP connection to the target in fd[0]; the same with the server's echo waiting. */
int probe_prepare_connected(struct probe_env *env);
int probe_prepare_echo(struct probe_env *env);
/* The attempt with a socket that is there: connect fd[0] to the target. */
enum probe_answer probe_connect_inherited(struct probe_env *env);

/*
 * present.c: whether the kernel has something already. Always true unless the options forbid to
 * load modules; false: the detail says so.
 */
bool probe_has_protocol(struct probe_env *env, int family, int type, int protocol);
/* What TCP_ULP may make of a TCP socket. */
bool probe_has_upgrade(struct probe_env *env, const char *name);
bool probe_has_tun(struct probe_env *env);
/* The first without a probe: for the server. */
bool protocol_is_loaded(int family, int type, int protocol);

/* data.c: the ways to send and to receive; -1 and errno, or what the last call returned */
enum probe_send {
	SEND_WRITE,
	SEND_WRITEV,
	SEND_SEND,
	SEND_SENDTO,
	SEND_SENDMSG,
	SEND_SENDMMSG,
	SEND_SENDFILE,
	SEND_SPLICE,
	SEND_VMSPLICE,
	SEND_ZEROCOPY,
	SEND_AIO,
	SEND_MORE,
	SEND_OOB,
};

enum probe_receive {
	RECEIVE_READ,
	RECEIVE_READV,
	RECEIVE_RECV,
	RECEIVE_PEEK,
	RECEIVE_RECVFROM,
	RECEIVE_RECVMSG,
	RECEIVE_RECVMMSG,
	RECEIVE_SPLICE,
	RECEIVE_AIO,
	RECEIVE_ZEROCOPY,
};

#define SEND_LENGTH 64
long probe_send(int fd, enum probe_send how);
long probe_receive(int fd, enum probe_receive how);
const char *probe_send_name(enum probe_send how);
const char *probe_receive_name(enum probe_receive how);

/* ring.c: io_uring requests. Each ends the probe where this kernel has no such thing. */
struct io_uring_sqe;

enum probe_ring {
	RING_INLINE = 0,
	RING_ASYNC = 1, /* by a worker thread */
	RING_POLLED = 2, /* by the kernel's submission thread */
	RING_MODES = 3, /* mask */
	RING_FIXED = 4, /* the descriptor is an index of the ring's own table */
};

struct io_uring;
/* For prepare: whether rings can be had here at all; 0 or -1. */
int probe_ring_check(struct probe_env *env);
/* The attempt's ring, in the mode that the probe's `how` says. */
struct io_uring *probe_ring_open(struct probe_env *env);
/* A request for this operation, to be filled in and run. */
struct io_uring_sqe *probe_ring_request(struct probe_env *env, struct io_uring *ring,
					unsigned int operation);
/* Its result; -1 and errno. */
long probe_ring_run(struct probe_env *env, struct io_uring *ring, struct io_uring_sqe *request);
/* Gives the ring a table whose first entry is `fd`, which may be -1. */
void probe_ring_table(struct probe_env *env, struct io_uring *ring, int fd);

/* listen.c: a listener in fd[0] with a connection waiting */
int probe_prepare_listener(struct probe_env *env);

/* stage.c: executing and forking */
/*
 * The arguments for executing this program again as the attempt's next step; everything that the
 * step needs is kept over the exec. NULL on failure.
 */
char **probe_next(struct probe_env *env, const char *argv0);
/*
 * Forks a child under the present name that holds `env->fd`, runs `serve` on its end of
 * `env->helper_link`, and ends. 0, or -1 and errno.
 */
int probe_helper(struct probe_env *env, void (*serve)(struct probe_env *env, int link));
/* The file to execute for the attempt, made where needed: 0, or -1 and errno. */
int probe_executable(struct probe_env *env, char path[PROBE_PATH_SIZE]);
/* The first, unconfined stage, which ends in the exec of the second. */
void probe_prepare_main(struct probe_env *env) __attribute__((noreturn));
/* The name under test: the last part of the path. */
const char *probe_name(const struct probe_env *env);

#endif
