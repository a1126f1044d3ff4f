// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The child makes its stage while it is still free: a network of its own, a listener, a connection,
 * a datagram socket; that this works is the control. Then it takes the label of the canary's policy, and
 * tries each door once.
 */
#include "canary-doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "canary.h"
#include "policy/policy.h"
#include "util/cleanup.h"

#define DENIED_PORT (PH_CANARY_PORT + 1) /* somebody listens there */
#define FREE_PORT (PH_CANARY_PORT + 2) /* nobody does */
#define UNTRIED (-1) /* this host has no such thing: nothing to refuse */
#define BYTE "c"

struct stage {
	int listener; /* on DENIED_PORT */
	int connection; /* to it */
	int datagram;
	int server; /* on PH_CANARY_PORT */
};

/* --- What is tried: each gives 0, an errno, or UNTRIED */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int open_socket(int family, int type, int protocol)
{
	return socket(family, type | SOCK_CLOEXEC, protocol);
}

static int try_listen_allowed(struct stage *stage)
{
	struct sockaddr_in address = loopback(PH_CANARY_PORT);

	stage->server = open_socket(AF_INET, SOCK_STREAM, 0);
	if (stage->server < 0 ||
	    bind(stage->server, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(stage->server, 1))
		return errno;
	return 0;
}

/* A byte goes all the way. */
static int try_connect_allowed(struct stage *stage)
{
	cleanup_close int client = open_socket(AF_INET, SOCK_STREAM, 0), peer = -1;
	struct sockaddr_in address = loopback(PH_CANARY_PORT);
	char byte;

	if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof(address)))
		return errno;
	peer = accept4(stage->server, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0 || send(client, BYTE, 1, MSG_NOSIGNAL) != 1 || recv(peer, &byte, 1, 0) != 1)
		return errno;
	return 0;
}

static int try_connect(struct stage *stage)
{
	cleanup_close int fd = open_socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = loopback(DENIED_PORT);

	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
}

static int try_connect_v6(struct stage *stage)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_port = htons(DENIED_PORT),
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	cleanup_close int fd = open_socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? UNTRIED : errno;
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
}

static int try_bind(struct stage *stage)
{
	cleanup_close int fd = open_socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = loopback(FREE_PORT);

	if (fd < 0)
		return errno;
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
}

static int try_datagram(struct stage *stage)
{
	struct sockaddr_in address = loopback(DENIED_PORT);

	return sendto(stage->datagram, BYTE, 1, 0, (struct sockaddr *)&address, sizeof(address)) <
			       0 ?
		       errno :
		       0;
}

static int try_fastopen(struct stage *stage)
{
	cleanup_close int fd = open_socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = loopback(DENIED_PORT);

	if (fd < 0)
		return errno;
	return sendto(fd, BYTE, 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&address,
		      sizeof(address)) < 0 ?
		       errno :
		       0;
}

static int try_socket(int family, int type, int protocol)
{
	cleanup_close int fd = open_socket(family, type, protocol);

	return fd < 0 ? errno : 0;
}

static int try_raw_socket(struct stage *stage)
{
	return try_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int try_packet_socket(struct stage *stage)
{
	return try_socket(AF_PACKET, SOCK_RAW, 0);
}

static int try_autobind(struct stage *stage)
{
	cleanup_close int fd = open_socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return errno;
	return listen(fd, 1) ? errno : 0;
}

static int try_send_on_old(struct stage *stage)
{
	return send(stage->connection, BYTE, 1, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static int try_receive_on_old(struct stage *stage)
{
	char byte;

	return recv(stage->connection, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

/* In this order: the listener is there before somebody connects to it. */
static const struct door {
	const char *what;
	int (*try)(struct stage *stage);
	int expect; /* errno, or 0 */
	bool lsm; /* the other backend leaves it open */
} doors[] = {
	{ "listening on the allowed port", try_listen_allowed, 0, false },
	{ "connecting to the allowed port", try_connect_allowed, 0, false },
	{ "connecting to another port", try_connect, EPERM, false },
	{ "connecting to another port by IPv6", try_connect_v6, EPERM, false },
	{ "binding another port", try_bind, EPERM, false },
	{ "sending a datagram", try_datagram, EPERM, false },
	{ "connecting by a first send", try_fastopen, EPERM, false },
	{ "a raw socket", try_raw_socket, EPERM, false },
	{ "a packet socket", try_packet_socket, EPERM, true },
	{ "listening on a port of the kernel's choice", try_autobind, EPERM, true },
	{ "sending on a connection from before", try_send_on_old, EPERM, true },
	{ "receiving on a connection from before", try_receive_on_old, EPERM, true },
};

enum {
	DOORS = sizeof(doors) / sizeof(doors[0])
};

static bool is_tried(const struct door *door, enum ph_backend backend)
{
	return backend == PH_BACKEND_LSM || !door->lsm;
}

/* --- The child */

/* What the child tells: a door's answer, or the errno of what its stage lacks. */
struct report {
	int door; /* DOORS: the stage */
	int answer;
};

static int enter_cgroup(const char *cgroup)
{
	char path[PH_PATH_LEN * 2];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -errno;
}

/* The descriptor of a datagram socket in a network of its own whose loopback is up. */
static int own_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_close int fd = -1;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = open_socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		return -errno;
	return TAKE_FD(fd);
}

/* Also the control: while it is free, the child may do what is refused later. */
static int make_stage(struct stage *stage)
{
	struct sockaddr_in address = loopback(DENIED_PORT);

	stage->datagram = own_network();
	if (stage->datagram < 0)
		return stage->datagram;
	stage->listener = open_socket(AF_INET, SOCK_STREAM, 0);
	stage->connection = open_socket(AF_INET, SOCK_STREAM, 0);
	if (stage->listener < 0 || stage->connection < 0 ||
	    bind(stage->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(stage->listener, 8) ||
	    connect(stage->connection, (struct sockaddr *)&address, sizeof(address)) ||
	    send(stage->connection, BYTE, 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return 0;
}

static void tell(int to, int door, int answer)
{
	const struct report report = { door, answer };

	if (write(to, &report, sizeof(report)) != sizeof(report))
		_exit(1);
}

/* The caller's handlers and masks are not the child's; whatever hangs, ends. */
static void arm_timer(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)signal(SIGALRM, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)alarm(PH_CANARY_SECONDS);
}

/* Nothing here may take a lock: the caller may have had threads. */
_Noreturn static void be_canary(enum ph_backend backend, const struct ph_claim_offer *offer,
				const char *cgroup, int to)
{
	struct stage stage = { -1, -1, -1, -1 };
	int r;

	arm_timer();
	r = cgroup ? enter_cgroup(cgroup) : 0;
	if (!r)
		r = make_stage(&stage);
	if (!r)
		r = claim_take(offer);
	tell(to, DOORS, -r);
	if (r)
		_exit(1);
	for (int i = 0; i < DOORS; i++)
		if (is_tried(&doors[i], backend))
			tell(to, i, doors[i].try(&stage));
	_exit(0);
}

/* --- The parent */

struct results {
	bool told[DOORS + 1]; /* the last: the stage */
	int answer[DOORS + 1];
};

static void collect(int from, struct results *results)
{
	struct report report;
	ssize_t got;

	do {
		got = read(from, &report, sizeof(report));
		if (got != sizeof(report) || report.door < 0 || report.door > DOORS)
			continue;
		results->told[report.door] = true;
		results->answer[report.door] = report.answer;
	} while (got > 0 || (got < 0 && errno == EINTR));
}

static const char *answer_name(int answer)
{
	return answer ? strerrorname_np(answer) ?: "an unknown errno" : "allowed";
}

static int judge(const struct results *results, enum ph_backend backend, size_t *ret_refused,
		 char *ret, size_t size)
{
	size_t refused = 0;

	if (!results->told[DOORS] || results->answer[DOORS]) {
		(void)snprintf(ret, size, "the canary has no stage: %s",
			       results->told[DOORS] ? strerror(results->answer[DOORS]) :
						      "its process died");
		return results->told[DOORS] ? -results->answer[DOORS] : -ECHILD;
	}
	for (int i = 0; i < DOORS; i++) {
		if (!is_tried(&doors[i], backend) ||
		    (results->told[i] && results->answer[i] == UNTRIED))
			continue;
		if (!results->told[i] || results->answer[i] != doors[i].expect) {
			(void)snprintf(ret, size, "%s: %s, expected: %s", doors[i].what,
				       results->told[i] ? answer_name(results->answer[i]) :
							  "no answer",
				       answer_name(doors[i].expect));
			return 1;
		}
		refused += doors[i].expect != 0;
	}
	*ret_refused = refused;
	return 0;
}

/* The child's end, or -errno. */
static int start(enum ph_backend backend, const struct ph_claim_offer *offer, const char *cgroup,
		 pid_t *ret)
{
	cleanup_close int from = -1, to = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	from = ends[0];
	to = ends[1];
	*ret = fork();
	if (*ret < 0)
		return -errno;
	if (!*ret)
		be_canary(backend, offer, cgroup, to);
	return TAKE_FD(from);
}

int canary_try_doors(enum ph_backend backend, const struct ph_claim_offer *offer,
		     const char *cgroup, size_t *ret_refused, char *ret, size_t size)
{
	struct results results = {};
	pid_t child = -1;
	cleanup_close int from = start(backend, offer, cgroup, &child);

	if (from < 0) {
		(void)snprintf(ret, size, "cannot start the canary: %s", strerror(-from));
		return from;
	}
	collect(from, &results);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return judge(&results, backend, ret_refused, ret, size);
}
