// SPDX-License-Identifier: GPL-2.0-or-later
/* Which open sockets the policies refuse. */
#include "kernel/sockets.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "kernel/places.h"
#include "kernel/processes.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_processes, processes_done);

void sockets_done(struct ph_sockets *sockets)
{
	free(sockets->v);
	*sockets = (struct ph_sockets){};
}

/* --- Descriptors of processes */

int sockets_of(pid_t pid, ph_socket_fn each, void *data)
{
	cleanup_closedir DIR *dir = NULL;
	char path[32], link[64];
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	/* A process that has ended has none. */
	for (struct dirent *entry; dir && !r && (entry = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		unsigned long long inode;

		if (n <= 0)
			continue;
		link[n] = 0;
		if (sscanf(link, "socket:[%llu]", &inode) == 1)
			r = each(pid, atoi(entry->d_name), inode, data);
	}
	return r;
}

int socket_borrow(pid_t pid, int fd, uint64_t inode)
{
	cleanup_close int process = pidfd_open(pid, 0);
	cleanup_close int copy = -1;
	struct stat st;

	if (process < 0)
		return -errno;
	copy = pidfd_getfd(process, fd, 0);
	if (copy < 0 || fstat(copy, &st))
		return -errno;
	return st.st_ino == inode ? TAKE_FD(copy) : -ENOENT;
}

static int order_tasks(const void *a, const void *b)
{
	const struct ph_labelled *x = a, *y = b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return (x->pid != x->tgid) - (y->pid != y->tgid);
}

/* One label for each process: its leader's, or else that of one of its threads. */
static int labels_of_processes(const struct ph_labels *labels, struct ph_labels *ret)
{
	struct ph_labelled *v = malloc((labels->n + 1) * sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	if (labels->n) {
		memcpy(v, labels->v, labels->n * sizeof(*v));
		qsort(v, labels->n, sizeof(*v), order_tasks);
	}
	for (size_t i = 0; i < labels->n; i++)
		if (!n || v[n - 1].tgid != v[i].tgid)
			v[n++] = v[i];
	*ret = (struct ph_labels){ .v = v, .n = n };
	return 0;
}

int sockets_of_labelled(const struct ph_labels *labels, ph_socket_fn each, void *data)
{
	cleanup_(labels_donep) struct ph_labels processes = {};
	int r = labels_of_processes(labels, &processes);

	for (size_t i = 0; !r && i < processes.n; i++)
		r = sockets_of(processes.v[i].tgid, each, data);
	return r;
}

/* --- What a socket is */

void socket_names(int fd, struct ph_socket_names *ret)
{
	socklen_t size = sizeof(ret->local);

	*ret = (struct ph_socket_names){};
	if (getsockname(fd, (struct sockaddr *)&ret->local, &size))
		ret->local.ss_family = AF_UNSPEC;
	size = ret->local.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						  sizeof(struct sockaddr_in);
	/* As getpeername(), but it also tells whom a socket is connecting to. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &ret->remote, &size))
		ret->remote.ss_family = AF_UNSPEC;
}

static int option(int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = 0;

	(void)getsockopt(fd, level, name, &value, &size);
	return value;
}

static void take_name(const struct sockaddr_storage *name, struct ph_address *address,
		      uint16_t *port)
{
	const struct sockaddr_in6 *v6 = (const void *)name;
	const struct sockaddr_in *v4 = (const void *)name;
	__u32 word[4] = {};

	if (name->ss_family == AF_INET6)
		memcpy(word, &v6->sin6_addr, sizeof(word));
	if (name->ss_family == AF_INET6 || name->ss_family == AF_INET)
		*port = ntohs(v4->sin_port); /* at the same place in both */
	ph_address(address, name->ss_family, v4->sin_addr.s_addr, word);
}

/* The ports that the kernel chooses for clients. */
static bool is_clients_port(uint16_t port)
{
	cleanup_fclose FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;

	if (!file || fscanf(file, "%u %u", &first, &last) != 2)
		return port >= 32768;
	return first <= port && port <= last;
}

/*
 * As ask_about_use() in bpf/sockets.bpf.h asks; but that a port was bound by name is told by its number
 * alone.
 */
static void ask(struct ph_socket *socket)
{
	struct ph_flow *flow = &socket->flow;

	bool ended = !flow->udp &&
		     socket->state == TCP_CLOSE; /* a connection, which carries nothing more */

	flow->question = PH_ASK_SOCKET;
	if (flow->remote_port && !ended)
		flow->question = PH_ASK_TRAFFIC;
	else if (flow->udp ? flow->local_port && !is_clients_port(flow->local_port) :
			     socket->state == TCP_LISTEN)
		flow->question = PH_ASK_LISTEN;
}

static void view(int fd, struct ph_socket *ret)
{
	struct ph_flow *flow = &ret->flow;
	struct ph_socket_names names;
	struct tcp_info info = {};
	socklen_t size = sizeof(info);

	ret->family = option(fd, SOL_SOCKET, SO_DOMAIN);
	ret->type = option(fd, SOL_SOCKET, SO_TYPE);
	ret->protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
	flow->kind = ph_socket_kind(ret->family, ret->type, ret->protocol);
	flow->udp = flow->kind == PH_SOCKET_UDP;
	if (flow->kind == PH_SOCKET_TCP && !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		ret->state = info.tcpi_state;
	if (flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP)) {
		socket_names(fd, &names);
		take_name(&names.local, &flow->local, &flow->local_port);
		take_name(&names.remote, &flow->remote, &flow->remote_port);
	}
	ask(ret);
}

/* --- What is refused */

struct search {
	const struct ph_image *image;
	const struct ph_labelled *task;
	struct ph_sockets *sockets;
	size_t allocated;
};

/* What follows `word` in the file; "" if it cannot be read. */
static void read_field(pid_t pid, const char *file, const char *word, char *ret, size_t size)
{
	char path[64];
	cleanup_fclose FILE *stream = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	stream = fopen(path, "re");
	while (stream && fgets(ret, size, stream)) {
		if (strncmp(ret, word, strlen(word)))
			continue;
		ret[strcspn(ret, "\n")] = 0;
		memmove(ret, ret + strlen(word), strlen(ret + strlen(word)) + 1);
		return;
	}
	*ret = 0;
}

/* Where the process is in the cgroup2 hierarchy; false: nobody can tell. */
static bool find_cgroup(pid_t pid, struct ph_cgroup *ret)
{
	char path[PATH_MAX];

	read_field(pid, "cgroup", "0::", path, sizeof(path));
	cgroup_describe(path, ret);
	return *path;
}

static bool find_uid(pid_t pid, uint32_t *ret)
{
	char text[64];

	read_field(pid, "status", "Uid:", text, sizeof(text));
	*ret = strtoul(text, NULL, 10);
	return *text;
}

static bool is_in_unit(const struct ph_cgroup *cgroup, const struct ph_grant *grant)
{
	for (unsigned i = PH_CGROUP_DEPTH + 2; i < 2 * (PH_CGROUP_DEPTH + 1); i++)
		if (cgroup->hash[i] == grant->unit)
			return true;
	return false;
}

/* The conditions that are tested at each call; what cannot be known holds. */
static bool in_scope(pid_t pid, const struct ph_grant *grant)
{
	struct ph_cgroup cgroup;
	uint32_t uid;

	if (grant->flags & PH_GRANT_UID && find_uid(pid, &uid) && uid != grant->uid)
		return false;
	if (!(grant->flags & (PH_GRANT_CGROUP | PH_GRANT_UNIT)) || !find_cgroup(pid, &cgroup))
		return true;
	if (grant->flags & PH_GRANT_CGROUP && cgroup.hash[grant->cgroup_level] != grant->cgroup)
		return false;
	return !(grant->flags & PH_GRANT_UNIT) || is_in_unit(&cgroup, grant);
}

/* As judge() in bpf/judge.bpf.h: the first policy that refuses in a layer where none grants, or 0. */
static uint64_t refusing(const struct search *search, const struct ph_socket *socket)
{
	const struct ph_ids *ids = &search->task->policies;
	unsigned granting = 0, refusing = 0;
	struct ph_flow flow = socket->flow;

	/* It waits for answers. */
	if (flow.udp && flow.question == PH_ASK_SOCKET)
		flow.kind = PH_SOCKET_UDP_ANSWERS;
	if (ids->count > PH_LABEL_MAX)
		return ids->id[0];
	for (unsigned i = 0; i < ids->count; i++) {
		const struct ph_grant *grant = image_find_grant(search->image, ids->id[i]);

		if (!grant || grant->mode == PH_MODE_AUDIT ||
		    (!(ids->held >> i & 1) && !in_scope(socket->pid, grant)))
			continue;
		if (decide_policy(search->image, grant, &flow))
			granting |= 1u << ph_layer_at(ids, i);
		else
			refusing |= 1u << i;
	}
	for (unsigned i = 0; i < ids->count; i++)
		if (refusing >> i & 1 && !(granting >> ph_layer_at(ids, i) & 1))
			return ids->id[i];
	return 0;
}

static int add_socket(struct search *search, const struct ph_socket *socket)
{
	struct ph_sockets *list = search->sockets;

	if (list->n == search->allocated) {
		size_t allocated = search->allocated ? search->allocated * 2 : 64;
		struct ph_socket *more = reallocarray(list->v, allocated, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->v = more;
		search->allocated = allocated;
	}
	list->v[list->n++] = *socket;
	return 0;
}

static int look(pid_t pid, int fd, uint64_t inode, void *data)
{
	struct search *search = data;
	const struct ph_labelled *task = search->task;
	struct ph_socket socket = { .pid = pid, .fd = fd, .inode = inode };
	cleanup_close int copy = socket_borrow(pid, fd, inode);

	if (copy < 0) {
		search->sockets->unseen += copy != -ENOENT && copy != -ESRCH && copy != -EBADF;
		return 0;
	}
	view(copy, &socket);
	if (socket.flow.kind == PH_SOCKET_LOCAL)
		return 0;
	socket.policy = refusing(search, &socket);
	if (!socket.policy)
		return 0;
	memcpy(socket.comm, task->comm, sizeof(socket.comm) - 1);
	/* A thread that is confined alone shares with its process. */
	if (task->pid != task->tgid)
		socket.sharer = task->tgid;
	return add_socket(search, &socket);
}

/* --- Who else holds them */

static int order_sockets(const void *a, const void *b)
{
	const struct ph_socket *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

/* The first of the list that is not before this inode. */
static size_t find_inode(const struct ph_sockets *sockets, uint64_t inode)
{
	size_t low = 0, high = sockets->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sockets->v[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int note_sharer(pid_t pid, int fd, uint64_t inode, void *data)
{
	struct ph_sockets *sockets = data;
	size_t first = find_inode(sockets, inode);

	for (size_t i = first; i < sockets->n && sockets->v[i].inode == inode; i++)
		if (sockets->v[i].pid == pid)
			return 0;
	for (size_t i = first; i < sockets->n && sockets->v[i].inode == inode; i++)
		sockets->v[i].sharer = pid;
	return 0;
}

static int find_sharers(struct ph_sockets *sockets)
{
	cleanup_closedir DIR *dir = NULL;

	if (!sockets->n)
		return 0;
	qsort(sockets->v, sockets->n, sizeof(*sockets->v), order_sockets);
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (isdigit((unsigned char)entry->d_name[0]))
			(void)sockets_of(atoi(entry->d_name), note_sharer, sockets);
	return 0;
}

int sockets_refused(const struct ph_image *image, const struct ph_labels *labels,
		    struct ph_sockets *ret)
{
	cleanup_(labels_donep) struct ph_labels processes = {};
	cleanup_(sockets_donep) struct ph_sockets sockets = {};
	struct search search = { .image = image, .sockets = &sockets };
	int r = labels_of_processes(labels, &processes);

	for (size_t i = 0; !r && i < processes.n; i++) {
		search.task = &processes.v[i];
		r = sockets_of(search.task->tgid, look, &search);
	}
	if (!r)
		r = find_sharers(&sockets);
	if (r)
		return r;
	*ret = sockets;
	sockets = (struct ph_sockets){};
	return 0;
}

/* --- Before there are labels */

/* What uid and cgroup bring. */
static void add_live(const struct ph_image *image, pid_t pid, struct ph_ids *ids)
{
	struct ph_cgroup cgroup;
	struct ph_ids brought;
	struct ph_trait trait;
	uint32_t uid;

	if (image->header.features & PH_FEATURE_BY_UID && find_uid(pid, &uid)) {
		trait = ph_trait(PH_TRAIT_UID, uid);
		image_add_trait(image, ids, &trait);
	}
	if (!(image->header.features & PH_FEATURE_BY_CGROUP) || !find_cgroup(pid, &cgroup))
		return;
	cgroup_brings(image, &cgroup, &brought);
	image_add_ids(image, ids, &brought);
}

/* By its path; which file it is, only the kernel knows. */
static void add_program(const struct ph_image *image, const struct ph_process *process,
			struct ph_ids *ids)
{
	struct ph_trait name = {}, trait;
	char link[64], path[PATH_MAX];
	unsigned components;
	uint64_t hash;
	ssize_t n;

	if (!(image->header.features & PH_FEATURE_EXE))
		return;
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)process->pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = 0;
	hash = exe_path_hash(path, &components);
	trait = ph_trait(PH_TRAIT_PATH, hash);
	image_add_trait(image, ids, &trait);
	memcpy(&name, process->comm, strnlen(process->comm, PH_COMM_LEN - 1));
	trait = ph_trait(PH_TRAIT_NAMED_PATH, ph_with_name(hash, &name));
	image_add_trait(image, ids, &trait);
}

static void expect(const struct ph_image *image, const struct ph_labels *labels,
		   const struct ph_process *process, struct ph_labelled *ret)
{
	const struct ph_ids *named = image_find_ids(image, process->comm);

	*ret = (struct ph_labelled){ .pid = process->pid, .tgid = process->pid };
	memcpy(ret->comm, process->comm, strnlen(process->comm, PH_COMM_LEN - 1));
	if (named)
		ret->policies = *named;
	add_program(image, process, &ret->policies);
	add_live(image, process->pid, &ret->policies);
	for (size_t i = 0; i < labels->n; i++) {
		const struct ph_labelled *label = &labels->v[i];

		if (label->pid != ret->pid)
			continue;
		for (__u32 j = 0; j < label->policies.count && j < PH_LABEL_MAX; j++)
			if (image_find_grant(image, label->policies.id[j]))
				image_add_id(image, &ret->policies, label->policies.id[j]);
	}
}

int labels_expect(const struct ph_image *image, struct ph_labels *ret)
{
	cleanup_(processes_donep) struct ph_processes processes = {};
	cleanup_(labels_donep) struct ph_labels labels = {}, expected = {};
	int r = processes_read(&processes);

	if (r)
		return r;
	/* Without a generation in force, or labels that go by our numbers, names are all there is. */
	if (labels_know_pid())
		(void)labels_pass(&labels);
	expected.v = calloc(processes.n + 1, sizeof(*expected.v));
	if (!expected.v)
		return -ENOMEM;
	for (size_t i = 0; i < processes.n; i++) {
		expect(image, &labels, &processes.v[i], &expected.v[expected.n]);
		expected.n += expected.v[expected.n].policies.count > 0;
	}
	*ret = expected;
	expected.v = NULL;
	return 0;
}
