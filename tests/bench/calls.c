// SPDX-License-Identifier: GPL-2.0-or-later
#include "calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The server's sockets, where they are handed on. */
enum {
	SERVED_LISTENER = 10,
	SERVED_DATAGRAMS = 11,
};

/* --- The stage */

void die(const char *what)
{
	(void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void stage_init(struct stage *ret, const char *self, unsigned port, bool refused)
{
	memset(ret, 0, sizeof(*ret));
	ret->self = self;
	ret->refused = refused;
	ret->address.sin_family = AF_INET;
	ret->address.sin_port = htons(port);
	ret->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ret->server = ret->address;
	ret->server.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	ret->listener = ret->socket = ret->peer = ret->file = -1;
	for (int i = 0; i < MOST_KEPT; i++)
		ret->kept[i] = -1;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void stage_clear(struct stage *stage)
{
	drop(&stage->listener);
	drop(&stage->socket);
	drop(&stage->peer);
	drop(&stage->file);
	for (int i = 0; i < MOST_KEPT; i++)
		drop(&stage->kept[i]);
}

static int checked(int r, const char *what)
{
	if (r < 0)
		die(what);
	return r;
}

/* --- Sockets */

static const struct sockaddr *any(const struct sockaddr_in *address)
{
	return (const struct sockaddr *)address;
}

/* A connection that is reset leaves nothing in TIME_WAIT: ports would run out. */
static void reset_at_close(int fd)
{
	const struct linger reset = { .l_onoff = 1 };

	checked(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), "SO_LINGER");
}

static int new_socket(int type)
{
	return checked(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");
}

static void open_tcp(struct stage *stage)
{
	stage->socket = new_socket(SOCK_STREAM);
	reset_at_close(stage->socket);
}

static void bind_to(int fd, const struct sockaddr_in *address)
{
	const int yes = 1;

	checked(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), "SO_REUSEADDR");
	checked(bind(fd, any(address), sizeof(*address)), "bind");
}

static int new_server(const struct stage *stage, int type)
{
	int fd = new_socket(type);

	bind_to(fd, &stage->server);
	if (type == SOCK_STREAM)
		checked(listen(fd, 1), "listen");
	return fd;
}

void stage_serve(struct stage *stage)
{
	checked(dup2(new_server(stage, SOCK_STREAM), SERVED_LISTENER), "dup2");
	checked(dup2(new_server(stage, SOCK_DGRAM), SERVED_DATAGRAMS), "dup2");
}

/* The server's socket of this kind; -1 where a call is to be refused. */
static int open_server(const struct stage *stage, int type)
{
	if (stage->refused)
		return -1;
	if (!stage->served)
		return new_server(stage, type);
	return checked(dup(type == SOCK_STREAM ? SERVED_LISTENER : SERVED_DATAGRAMS), "dup");
}

static void open_listener(struct stage *stage)
{
	stage->listener = open_server(stage, SOCK_STREAM);
}

static void connect_tcp(struct stage *stage)
{
	open_tcp(stage);
	checked(connect(stage->socket, any(&stage->server), sizeof(stage->server)), "connect");
}

/*
 * Where an object lies last in its slab, the allocator takes its slow path. A call that gives back
 * what it took meets the same place each time: one socket more now and then moves it on.
 */
static void keep_more(struct stage *stage)
{
	const int calls_each = 40;
	int i = stage->played++ / calls_each % MOST_KEPT;

	if (stage->kept[i] < 0)
		stage->kept[i] = new_socket(SOCK_STREAM);
}

static void before_accept(struct stage *stage)
{
	keep_more(stage);
	connect_tcp(stage);
}

static void accept_peer(struct stage *stage)
{
	stage->peer = checked(accept4(stage->listener, NULL, NULL, SOCK_CLOEXEC), "accept");
}

static void open_connection(struct stage *stage)
{
	open_listener(stage);
	connect_tcp(stage);
	accept_peer(stage);
}

/* Room for a block of a stream, as nobody reads while it is sent. */
static void widen(int fd)
{
	const int bytes = 2 * STREAM_BYTES;

	checked(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), "SO_SNDBUF");
	checked(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), "SO_RCVBUF");
}

static void open_stream(struct stage *stage)
{
	open_connection(stage);
	widen(stage->socket);
	widen(stage->peer);
}

static void drop_connection(struct stage *stage)
{
	drop(&stage->socket);
	drop(&stage->peer);
}

static void open_udp(struct stage *stage)
{
	stage->socket = new_socket(SOCK_DGRAM);
}

/* Two sockets: `peer` is the server's. */
static void open_udp_pair(struct stage *stage)
{
	open_udp(stage);
	stage->peer = open_server(stage, SOCK_DGRAM);
}

static long send_datagram(struct stage *stage)
{
	return sendto(stage->socket, stage->data, MESSAGE_BYTES, 0, any(&stage->server),
		      sizeof(stage->server));
}

static void receive_at_peer(struct stage *stage)
{
	if (!stage->refused && recv(stage->peer, stage->data, MESSAGE_BYTES, 0) != MESSAGE_BYTES)
		die("recv");
}

/* --- Calls */

static long run_nothing(struct stage *stage)
{
	return 0;
}

static long run_socket_tcp(struct stage *stage)
{
	return stage->socket = socket(AF_INET, SOCK_STREAM, 0);
}

static long run_socket_udp(struct stage *stage)
{
	return stage->socket = socket(AF_INET, SOCK_DGRAM, 0);
}

static long run_socket_raw(struct stage *stage)
{
	return stage->socket = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long run_connect(struct stage *stage)
{
	return connect(stage->socket, any(&stage->server), sizeof(stage->server));
}

static void after_connect(struct stage *stage)
{
	if (!stage->refused)
		accept_peer(stage);
	drop_connection(stage);
}

static long run_bind(struct stage *stage)
{
	return bind(stage->socket, any(&stage->address), sizeof(stage->address));
}

/* To be refused it has to choose its port itself: no other could be bound. */
static void before_listen(struct stage *stage)
{
	open_tcp(stage);
	if (!stage->refused)
		bind_to(stage->socket, &stage->address);
}

static long run_listen(struct stage *stage)
{
	return listen(stage->socket, 1);
}

static long run_accept(struct stage *stage)
{
	return stage->peer = accept(stage->listener, NULL, NULL);
}

static long run_send(struct stage *stage)
{
	return send(stage->socket, stage->data, MESSAGE_BYTES, 0);
}

static void before_receive(struct stage *stage)
{
	if (send(stage->peer, stage->data, MESSAGE_BYTES, 0) != MESSAGE_BYTES)
		die("send");
}

static long run_receive(struct stage *stage)
{
	return recv(stage->socket, stage->data, MESSAGE_BYTES, 0);
}

static void before_receive_datagram(struct stage *stage)
{
	if (send_datagram(stage) != MESSAGE_BYTES)
		die("sendto");
}

static long run_receive_datagram(struct stage *stage)
{
	return recv(stage->peer, stage->data, MESSAGE_BYTES, 0);
}

/* Both ends of a stream: a block is sent, and received. */
static long run_stream(struct stage *stage)
{
	size_t received = 0;
	ssize_t n;

	if (send(stage->socket, stage->data, STREAM_BYTES, 0) != STREAM_BYTES)
		return -1;
	while (received < STREAM_BYTES) {
		n = recv(stage->peer, stage->data, STREAM_BYTES, 0);
		if (n <= 0)
			return -1;
		received += n;
	}
	return 0;
}

/* A child that ends at once, until it has ended. */
static long run_fork(struct stage *stage)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0);
}

/* A child that executes a program that ends at once, until that has ended. */
static long run_exec(struct stage *stage)
{
	char *const arguments[] = { (char *)stage->self, "--nothing", NULL };
	pid_t child = vfork();
	int status;

	if (!child) {
		(void)execv(stage->self, arguments);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return status ? -1 : 0;
}

static void open_file(struct stage *stage)
{
	stage->file = checked(memfd_create("bench", MFD_CLOEXEC), "memfd_create");
	if (pwrite(stage->file, stage->data, MESSAGE_BYTES, 0) != MESSAGE_BYTES)
		die("pwrite");
}

static long run_read(struct stage *stage)
{
	return pread(stage->file, stage->data, MESSAGE_BYTES, 0);
}

static long run_write(struct stage *stage)
{
	return pwrite(stage->file, stage->data, MESSAGE_BYTES, 0);
}

/* --- What root does, and seldom: on a tmpfs, where the path has to be free */

#define PLACE "/dev/shm/porthold-bench"
#define STRANGER 12345 /* a user */

static void make_file(struct stage *stage)
{
	drop(&stage->file);
	stage->file = checked(open(PLACE, O_CREAT | O_RDWR | O_CLOEXEC, 0600), PLACE);
}

static void remove_file(struct stage *stage)
{
	drop(&stage->file);
	checked(unlink(PLACE), PLACE);
}

static void make_strange_file(struct stage *stage)
{
	make_file(stage);
	checked(fchown(stage->file, STRANGER, STRANGER), PLACE);
	drop(&stage->file);
}

static long run_create(struct stage *stage)
{
	return stage->file = open(PLACE, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
}

/* Only a capability lets it. */
static long run_open(struct stage *stage)
{
	return stage->file = open(PLACE, O_RDONLY | O_CLOEXEC);
}

static long run_unlink(struct stage *stage)
{
	return unlink(PLACE);
}

static long run_chmod(struct stage *stage)
{
	return chmod(PLACE, 0600);
}

static void open_setting(struct stage *stage)
{
	stage->file = checked(open("/proc/sys/kernel/ostype", O_RDONLY | O_CLOEXEC), "ostype");
}

static void make_folder(struct stage *stage)
{
	checked(mkdir(PLACE, 0700), PLACE);
}

static void remove_folder(struct stage *stage)
{
	checked(rmdir(PLACE), PLACE);
}

static long run_mount(struct stage *stage)
{
	return mount("none", PLACE, "tmpfs", 0, NULL);
}

static long run_umount(struct stage *stage)
{
	return umount2(PLACE, 0);
}

static void mount_folder(struct stage *stage)
{
	make_folder(stage);
	checked((int)run_mount(stage), "mount");
}

static void umount_folder(struct stage *stage)
{
	checked((int)run_umount(stage), "umount");
	remove_folder(stage);
}

/* --- The table */

static void nothing(struct stage *stage)
{
}

const struct call calls[] = {
	{ "nothing", nothing, nothing, run_nothing, nothing },
	{ "socket-tcp", nothing, nothing, run_socket_tcp, drop_connection },
	{ "socket-udp", nothing, nothing, run_socket_udp, drop_connection },
	{ "socket-raw", nothing, nothing, run_socket_raw, drop_connection },
	{ "connect-udp", open_udp, nothing, run_connect, nothing },
	{ "connect-tcp", open_listener, open_tcp, run_connect, after_connect },
	{ "bind-tcp", nothing, open_tcp, run_bind, drop_connection },
	{ "listen", nothing, before_listen, run_listen, drop_connection },
	{ "accept", open_listener, before_accept, run_accept, drop_connection },
	{ "sendto-udp", open_udp_pair, nothing, send_datagram, receive_at_peer },
	{ "recv-udp", open_udp_pair, before_receive_datagram, run_receive_datagram, nothing },
	{ "send-tcp", open_connection, nothing, run_send, receive_at_peer },
	{ "recv-tcp", open_connection, before_receive, run_receive, nothing },
	{ "stream-tcp", open_stream, nothing, run_stream, nothing },
	{ "fork", nothing, nothing, run_fork, nothing },
	{ "exec", nothing, nothing, run_exec, nothing },
	{ "read-file", open_file, nothing, run_read, nothing },
	{ "write-file", open_file, nothing, run_write, nothing },
	{ "create", nothing, nothing, run_create, remove_file },
	{ "unlink", nothing, make_file, run_unlink, nothing },
	{ "chmod", nothing, make_file, run_chmod, remove_file },
	{ "override", nothing, make_strange_file, run_open, remove_file },
	{ "setting", open_setting, nothing, run_read, nothing },
	{ "mount", nothing, make_folder, run_mount, umount_folder },
	{ "umount", nothing, mount_folder, run_umount, remove_folder },
};

const size_t calls_count = sizeof(calls) / sizeof(*calls);
