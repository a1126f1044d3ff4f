// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counting echo server. Two epoll sets: `data` for everything that is counted, `control` for
 * questions. Data is always handled first, so an answer counts all that has arrived before it.
 * TCP and UDP must be there; other protocols are served where the kernel has them. All of it is
 * bound to loopback.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/internal.h"
#include "util/cleanup.h"

#define CONNECTIONS_MAX 512
#define BACKLOG 2048
#define DRAIN_MAX 100000
#define DIAL_TIMEOUT_MS 500

const char *const server_kind_names[SERVER_KINDS] = {
	[SERVER_TCP] = "tcp",	[SERVER_UDP] = "udp",	  [SERVER_UDPLITE] = "udplite",
	[SERVER_SCTP] = "sctp", [SERVER_DCCP] = "dccp",	  [SERVER_VSOCK] = "vsock",
	[SERVER_RAW] = "raw",	[SERVER_FRAME] = "frame", [SERVER_DIALLED] = "dialled",
};

static const struct {
	int type, protocol;
	bool listens, required;
} protocols[] = {
	[SERVER_TCP] = { SOCK_STREAM, IPPROTO_TCP, true, true },
	[SERVER_UDP] = { SOCK_DGRAM, IPPROTO_UDP, false, true },
	[SERVER_UDPLITE] = { SOCK_DGRAM, IPPROTO_UDPLITE, false, false },
	[SERVER_SCTP] = { SOCK_STREAM, IPPROTO_SCTP, true, false },
	[SERVER_DCCP] = { SOCK_DCCP, IPPROTO_DCCP, true, false },
};

enum role {
	LISTENER,
	DATAGRAMS,
	CONNECTION,
	QUESTIONS
};

struct endpoint {
	enum role role;
	enum server_kind kind;
	int v6;
	size_t port; /* index */
	int fd;
	struct endpoint *next;
};

struct server {
	int data, control;
	bool loads;
	size_t n_connections;
	struct endpoint *endpoints;
	struct server_reply state;
};

static int endpoint_add(struct server *server, int epoll, struct endpoint endpoint)
{
	struct endpoint *added = malloc(sizeof(*added));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = added };

	if (!added || epoll_ctl(epoll, EPOLL_CTL_ADD, endpoint.fd, &event) < 0) {
		free(added);
		fd_close(endpoint.fd);
		return -ENOMEM;
	}
	*added = endpoint;
	added->next = server->endpoints;
	server->endpoints = added;
	server->n_connections += endpoint.role == CONNECTION;
	return 0;
}

static void endpoint_remove(struct server *server, struct endpoint *endpoint)
{
	struct endpoint **at = &server->endpoints;

	while (*at != endpoint)
		at = &(*at)->next;
	*at = endpoint->next;
	server->n_connections -= endpoint->role == CONNECTION;
	fd_close(endpoint->fd);
	free(endpoint);
}

static struct server_count *endpoint_count(struct server *server, const struct endpoint *endpoint)
{
	return &server->state.count[endpoint->kind][endpoint->v6][endpoint->port];
}

static socklen_t loopback(struct sockaddr_storage *ret, int v6, uint32_t v4_host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (v6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_addr = in6addr_loopback;
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(v4_host);
	return sizeof(*in);
}

static bool may_open(const struct server *server, int family, int type, int protocol)
{
	return server->loads || protocol_is_loaded(family, type, protocol);
}

static int open_inet(struct server *server, enum server_kind kind, int v6, size_t port)
{
	cleanup_close int fd = -1;
	struct sockaddr_storage address;
	socklen_t length = loopback(&address, v6, INADDR_LOOPBACK, server->state.port[port]);
	bool listens = protocols[kind].listens;
	int family = v6 ? AF_INET6 : AF_INET, type = protocols[kind].type;

	if (!may_open(server, family, type, protocols[kind].protocol))
		return -EPROTONOSUPPORT;
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocols[kind].protocol);
	if (fd < 0)
		return -errno;
	if (v6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, SOCKOPT_ON);
	if (listens)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, SOCKOPT_ON);
	if (bind(fd, (struct sockaddr *)&address, length) < 0)
		return -errno;
	if (listens && listen(fd, BACKLOG) < 0)
		return -errno;
	server->state.present[kind][v6] = 1;
	return endpoint_add(server, server->data,
			    (struct endpoint){ .role = listens ? LISTENER : DATAGRAMS,
					       .kind = kind,
					       .v6 = v6,
					       .port = port,
					       .fd = TAKE_FD(fd) });
}

static void open_vsock(struct server *server, size_t port)
{
	struct sockaddr_vm address = { .svm_family = AF_VSOCK,
				       .svm_cid = VMADDR_CID_LOCAL,
				       .svm_port = server->state.port[port] };
	cleanup_close int fd = -1;

	if (may_open(server, AF_VSOCK, SOCK_STREAM, 0))
		fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		return;
	server->state.present[SERVER_VSOCK][0] = 1;
	(void)endpoint_add(
		server, server->data,
		(struct endpoint){
			.role = LISTENER, .kind = SERVER_VSOCK, .port = port, .fd = TAKE_FD(fd) });
}

static void open_raw(struct server *server, int v6)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			SERVER_RAW_PROTOCOL);

	if (fd < 0)
		return;
	server->state.present[SERVER_RAW][v6] = 1;
	(void)endpoint_add(
		server, server->data,
		(struct endpoint){ .role = DATAGRAMS, .kind = SERVER_RAW, .v6 = v6, .fd = fd });
}

static void open_frames(struct server *server)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(SERVER_FRAME_PROTOCOL),
				       .sll_ifindex = (int)if_nametoindex("lo") };
	cleanup_close int fd = -1;

	if (may_open(server, AF_PACKET, SOCK_DGRAM, 0))
		fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return;
	server->state.present[SERVER_FRAME][0] = 1;
	(void)endpoint_add(
		server, server->data,
		(struct endpoint){ .role = DATAGRAMS, .kind = SERVER_FRAME, .fd = TAKE_FD(fd) });
}

static int open_ports(struct server *server, size_t n_ports)
{
	for (enum server_kind kind = SERVER_TCP; kind <= SERVER_DCCP; kind++) {
		for (size_t i = 0; i < n_ports * 2; i++) {
			int v6 = (int)(i & 1), r = open_inet(server, kind, v6, i / 2);

			if (r < 0 && protocols[kind].required && !v6)
				return r;
			if (r == -EADDRINUSE)
				return r;
		}
	}
	for (size_t i = 0; i < n_ports; i++)
		open_vsock(server, i);
	open_raw(server, 0);
	open_raw(server, 1);
	open_frames(server);
	return 0;
}

static void take_connection(struct server *server, const struct endpoint *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct endpoint connection = *listener;

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, SOCKOPT_ON);
	endpoint_count(server, listener)->connections++;
	if (server->n_connections >= CONNECTIONS_MAX) {
		fd_close(fd);
		return;
	}
	connection.role = CONNECTION;
	connection.fd = fd;
	(void)endpoint_add(server, server->data, connection);
}

/* The echo is best effort: what the peer does not take at once is dropped. */
static void take_stream(struct server *server, struct endpoint *endpoint)
{
	static char buffer[65536];
	ssize_t n = recv(endpoint->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		endpoint_remove(server, endpoint);
		return;
	}
	endpoint_count(server, endpoint)->messages++;
	endpoint_count(server, endpoint)->bytes += (uint64_t)n;
	if (endpoint->kind != SERVER_DIALLED)
		(void)send(endpoint->fd, buffer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_datagram(struct server *server, const struct endpoint *endpoint)
{
	static char buffer[65536];
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	ssize_t n = recvfrom(endpoint->fd, buffer, sizeof(buffer), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &length);

	if (n < 0)
		return;
	endpoint_count(server, endpoint)->messages++;
	endpoint_count(server, endpoint)->bytes += (uint64_t)n;
	if (endpoint->kind == SERVER_UDP || endpoint->kind == SERVER_UDPLITE)
		(void)sendto(endpoint->fd, buffer, (size_t)n, MSG_DONTWAIT,
			     (struct sockaddr *)&from, length);
}

static void drain(struct server *server)
{
	struct epoll_event event;

	for (int i = 0; i < DRAIN_MAX && epoll_wait(server->data, &event, 1, 0) == 1; i++) {
		struct endpoint *endpoint = event.data.ptr;

		if (endpoint->role == LISTENER)
			take_connection(server, endpoint);
		else if (endpoint->role == CONNECTION)
			take_stream(server, endpoint);
		else
			take_datagram(server, endpoint);
	}
}

static struct endpoint *find_listener(struct server *server, int v6, size_t port)
{
	struct endpoint *at;

	for (at = server->endpoints; at; at = at->next)
		if (at->role == LISTENER && at->kind == SERVER_TCP && at->v6 == v6 &&
		    at->port == port)
			break;
	return at;
}

static int reset(struct server *server)
{
	struct endpoint *at, *next;
	int ret = 0;

	for (at = server->endpoints; at; at = next) {
		next = at->next;
		if (at->role == CONNECTION)
			endpoint_remove(server, at);
	}
	for (size_t i = 0; i < SERVER_PORTS * 2 && server->state.port[i / 2]; i++) {
		int v6 = (int)(i & 1);

		if (!server->state.present[SERVER_TCP][v6] || find_listener(server, v6, i / 2))
			continue;
		ret = open_inet(server, SERVER_TCP, v6, i / 2) ?: ret;
	}
	return ret;
}

static int dial(struct server *server, int v6, size_t port)
{
	cleanup_close int fd =
		socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage address;
	socklen_t length = loopback(&address, v6, INADDR_LOOPBACK + 1, server->state.port[port]);
	struct pollfd wait = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
		return -errno;
	if (poll(&wait, 1, DIAL_TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	if (send(fd, "d", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return endpoint_add(server, server->data,
			    (struct endpoint){ .role = CONNECTION,
					       .kind = SERVER_DIALLED,
					       .v6 = v6,
					       .port = port,
					       .fd = TAKE_FD(fd) });
}

static int answer(struct server *server, const struct server_request *request)
{
	int v6 = request->family == AF_INET6;
	struct endpoint *listener;
	size_t port = 0;

	if (request->verb == SERVER_COUNT)
		return 0;
	if (request->verb == SERVER_RESET)
		return reset(server);
	while (port < SERVER_PORTS && server->state.port[port] != request->port)
		port++;
	if (port == SERVER_PORTS || !request->port)
		return -EINVAL;
	if (request->verb == SERVER_DIAL)
		return dial(server, v6, port);
	if (request->verb != SERVER_PAUSE)
		return -EINVAL;
	listener = find_listener(server, v6, port);
	if (listener)
		endpoint_remove(server, listener);
	return 0;
}

static void take_question(struct server *server, struct endpoint *endpoint)
{
	struct server_request request;
	ssize_t n = recv(endpoint->fd, &request, sizeof(request), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(request)) {
		endpoint_remove(server, endpoint);
		return;
	}
	server->state.error = answer(server, &request);
	drain(server);
	(void)send(endpoint->fd, &server->state, sizeof(server->state),
		   MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_control(struct server *server)
{
	struct epoll_event event;
	struct endpoint *endpoint;
	int fd;

	if (epoll_wait(server->control, &event, 1, 0) != 1)
		return;
	endpoint = event.data.ptr;
	if (endpoint->role == QUESTIONS) {
		take_question(server, endpoint);
		return;
	}
	fd = accept4(endpoint->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		(void)endpoint_add(server, server->control,
				   (struct endpoint){ .role = QUESTIONS, .fd = fd });
}

static int control_address(const char *control, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(control) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret->sun_path, control);
	return 0;
}

static int open_control(struct server *server, const char *control)
{
	cleanup_close int fd = -1;
	struct sockaddr_un address;
	int r = control_address(control, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(control);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		return -errno;
	return endpoint_add(server, server->control,
			    (struct endpoint){ .role = LISTENER, .fd = TAKE_FD(fd) });
}

static int server_open(struct server *server, const uint16_t *ports, size_t n_ports,
		       const char *control)
{
	int r;

	if (n_ports > SERVER_PORTS)
		return -E2BIG;
	memcpy(server->state.port, ports, n_ports * sizeof(*ports));
	server->data = epoll_create1(EPOLL_CLOEXEC);
	server->control = epoll_create1(EPOLL_CLOEXEC);
	if (server->data < 0 || server->control < 0)
		return -errno;
	r = open_ports(server, n_ports);
	return r < 0 ? r : open_control(server, control);
}

static void server_loop(struct server *server, pid_t parent)
{
	struct pollfd waits[] = { { .fd = server->data, .events = POLLIN },
				  { .fd = server->control, .events = POLLIN } };

	while (!parent || getppid() == parent) {
		if (poll(waits, 2, 1000) < 0 && errno != EINTR)
			return;
		drain(server);
		take_control(server);
	}
}

static void server_close(struct server *server)
{
	while (server->endpoints)
		endpoint_remove(server, server->endpoints);
	fd_close(server->data);
	fd_close(server->control);
}

int server_run(const uint16_t *ports, size_t n_ports, const char *control, bool loads, pid_t parent)
{
	struct server server = { .data = -1, .control = -1, .loads = loads };
	int r = server_open(&server, ports, n_ports, control);

	if (r >= 0)
		server_loop(&server, parent);
	server_close(&server);
	return r;
}

int server_spawn(const uint16_t *ports, size_t n_ports, const char *control, bool loads, pid_t *ret)
{
	struct server server = { .data = -1, .control = -1, .loads = loads };
	int r = server_open(&server, ports, n_ports, control);
	pid_t parent = getpid(), pid;

	if (r < 0) {
		server_close(&server);
		return r;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		server_loop(&server, parent);
		_exit(0);
	}
	r = pid < 0 ? -errno : 0;
	server_close(&server);
	*ret = pid;
	return r;
}

int server_connect(const char *control)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval timeout = { .tv_sec = 3 };
	struct sockaddr_un address;
	int r = control_address(control, &address);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return TAKE_FD(fd);
}

int server_ask(int fd, enum server_verb verb, int family, uint16_t port, struct server_reply *ret)
{
	struct server_request request = { .verb = verb, .family = (uint16_t)family, .port = port };
	ssize_t n;

	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
		return -errno;
	do {
		n = recv(fd, ret, sizeof(*ret), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*ret))
		return n < 0 ? -errno : -EPIPE;
	return ret->error;
}
