// SPDX-License-Identifier: GPL-2.0-or-later
/* What is done to open sockets: kept, killed, counted. */
#include "kernel/sockets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kernel/bpffs.h"
#include "util/cleanup.h"

#define MARKS_PIN "ph_socks"

/* --- Keeping */

static int open_marks(void)
{
	char path[PH_PATH_LEN];
	int fd;

	pin_path(path, sizeof(path), PH_MAPS_DIR, MARKS_PIN);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* The rest of a label stays as it is. */
static int mark(int marks, const struct ph_socket *socket, bool keep)
{
	cleanup_close int fd = socket_borrow(socket->pid, socket->fd, socket->inode);
	struct ph_sock_label label = {};

	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(marks, &fd, &label) && errno != ENOENT)
		return -errno;
	label.past.flags &= ~PH_SOCK_EXEMPT;
	if (keep)
		label.past.flags |= PH_SOCK_EXEMPT;
	return bpf_map_update_elem(marks, &fd, &label, BPF_ANY) ? -errno : 0;
}

int sockets_keep(struct ph_sockets *sockets)
{
	cleanup_close int marks = open_marks();

	if (marks < 0)
		return marks;
	for (size_t i = 0; i < sockets->n; i++)
		sockets->v[i].error = mark(marks, &sockets->v[i], true);
	return 0;
}

void sockets_unkeep(const struct ph_sockets *sockets)
{
	cleanup_close int marks = open_marks();

	for (size_t i = 0; marks >= 0 && i < sockets->n; i++)
		(void)mark(marks, &sockets->v[i], false);
}

static bool is_exempt(int marks, int fd)
{
	struct ph_sock_label label;

	return !bpf_map_lookup_elem(marks, &fd, &label) && label.past.flags & PH_SOCK_EXEMPT;
}

void sockets_find_exempt(struct ph_sockets *sockets)
{
	cleanup_close int marks = open_marks();

	for (size_t i = 0; marks >= 0 && i < sockets->n; i++) {
		struct ph_socket *socket = &sockets->v[i];
		cleanup_close int fd = socket_borrow(socket->pid, socket->fd, socket->inode);

		socket->exempt = fd >= 0 && is_exempt(marks, fd);
	}
}

struct count {
	int marks;
	uint64_t *inodes;
	size_t n;
};

static int count_one(pid_t pid, int fd, uint64_t inode, void *data)
{
	cleanup_close int copy = socket_borrow(pid, fd, inode);
	struct count *count = data;
	uint64_t *more;

	if (copy < 0 || !is_exempt(count->marks, copy))
		return 0;
	more = reallocarray(count->inodes, count->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	count->inodes = more;
	more[count->n++] = inode;
	return 0;
}

static int order_inodes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int sockets_count_kept(const struct ph_labels *labels, size_t *ret)
{
	cleanup_close int marks = open_marks();
	struct count count = { .marks = marks };
	size_t n = 0;
	int r;

	if (marks < 0)
		return marks;
	r = sockets_of_labelled(labels, count_one, &count);
	if (count.n)
		qsort(count.inodes, count.n, sizeof(*count.inodes), order_inodes);
	for (size_t i = 0; i < count.n; i++)
		n += !i || count.inodes[i] != count.inodes[i - 1];
	free(count.inodes);
	if (!r)
		*ret = n;
	return r;
}

/* --- Killing */

struct destroy_request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static void fill_end(const struct sockaddr_storage *name, __be16 *port, __be32 address[4])
{
	const struct sockaddr_in6 *v6 = (const void *)name;
	const struct sockaddr_in *v4 = (const void *)name;

	if (name->ss_family == AF_INET6) {
		*port = v6->sin6_port;
		memcpy(address, &v6->sin6_addr, sizeof(v6->sin6_addr));
	} else if (name->ss_family == AF_INET) {
		*port = v4->sin_port;
		*address = v4->sin_addr.s_addr;
	}
}

/* The cookie makes sure that it is this socket, and no other with the same addresses. */
static void fill_id(int fd, struct inet_diag_sockid *id)
{
	struct ph_socket_names names;
	uint64_t cookie = 0;
	int interface = 0;
	socklen_t size = sizeof(cookie);

	socket_names(fd, &names);
	fill_end(&names.local, &id->idiag_sport, id->idiag_src);
	fill_end(&names.remote, &id->idiag_dport, id->idiag_dst);
	(void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
	id->idiag_cookie[0] = cookie;
	id->idiag_cookie[1] = cookie >> 32;
	size = sizeof(interface);
	(void)getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, &size);
	id->idiag_if = interface;
}

/* A netlink socket in the network namespace of a socket, which need not be its process's. */
static int open_diag(int fd)
{
	cleanup_close int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cleanup_close int other = ioctl(fd, SIOCGSKNS);
	int diag, r;

	if (own < 0 || other < 0 || setns(other, CLONE_NEWNET))
		return -errno;
	diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	r = diag < 0 ? -errno : diag;
	/* Nothing of ours may go on in there. */
	if (setns(own, CLONE_NEWNET))
		abort();
	return r;
}

static int await_answer(int diag)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	ssize_t n = recv(diag, &answer, sizeof(answer), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(answer.error)) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error;
}

static int destroy(int fd, const struct ph_socket *socket)
{
	struct destroy_request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.body = { .sdiag_family = socket->family,
			  .sdiag_protocol = socket->protocol,
			  .idiag_states = -1 },
	};
	cleanup_close int diag = open_diag(fd);

	if (diag < 0)
		return diag;
	fill_id(fd, &request.body.id);
	if (send(diag, &request, sizeof(request), 0) < 0)
		return -errno;
	return await_answer(diag);
}

/* For kernels that cannot destroy, and sockets that cannot be found by their addresses. */
static int disconnect(int fd)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	return connect(fd, &nobody, sizeof(nobody)) ? -errno : 0;
}

/* Positive: it is dead; 0: it was closed meanwhile. */
static int kill_one(const struct ph_socket *socket)
{
	cleanup_close int fd = -1;
	int r;

	if (socket->sharer)
		return -EBUSY;
	if (!(socket->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)))
		return -EOPNOTSUPP;
	fd = socket_borrow(socket->pid, socket->fd, socket->inode);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH || fd == -EBADF ? 0 : fd;
	r = destroy(fd, socket);
	return r && disconnect(fd) ? r : 1;
}

void sockets_kill(struct ph_sockets *sockets)
{
	uint64_t dead = 0;

	for (size_t i = 0; i < sockets->n; i++) {
		struct ph_socket *socket = &sockets->v[i];
		int r = socket->inode == dead ? 0 : kill_one(socket);

		if (r > 0)
			dead = socket->inode;
		socket->error = r < 0 ? r : 0;
	}
}
