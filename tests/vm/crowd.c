// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	crowd free FOLDER		processes whom no policy matches, each of which does one kind of
 *					work over and over, until SIGTERM; FOLDER: a cgroup of theirs
 *	crowd held NAME ALLOWED DENIED	children that take the name, try both ports, and end, some with
 *					threads and children of their own; unreaped for a while
 *	crowd stays NAME		a process with a thread that takes the name, and stays
 *	crowd once			one connection to itself, for those who execute it
 *
 * Of the first nobody may ever get EPERM; of the second all must get it at DENIED and nothing but a
 * connection at ALLOWED. Prints at the end what was done; exits with 1 if anything was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHERE_LENGTH 48
#define BATCH 40 /* children that are unreaped at a time */

struct count {
	unsigned long done, refused, failed;
	int last; /* what failed */
	char where[WHERE_LENGTH]; /* what was refused, or failed */
};

static struct count *count; /* of this process; in memory that it shares with its parent */
static const char *cgroup_folder;
static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	ended = signal_number;
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define FD __attribute__((cleanup(close_fd))) int

/* Also notes the first that was refused. */
static bool fails(long r, const char *what)
{
	if (r >= 0)
		return false;
	if (errno == EPERM && !count->refused++)
		(void)snprintf(count->where, sizeof(count->where), "%s", what);
	if (errno == EPERM)
		return true;
	count->failed++;
	count->last = errno;
	if (!count->refused)
		(void)snprintf(count->where, sizeof(count->where), "%s", what);
	return true;
}

/* --- Kinds of work */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t loopback(union address *ret, int family, unsigned port)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = (sa_family_t)family;
	if (family == AF_INET6) {
		ret->v6.sin6_addr = in6addr_loopback;
		ret->v6.sin6_port = htons(port);
		return sizeof(ret->v6);
	}
	ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ret->v4.sin_port = htons(port);
	return sizeof(ret->v4);
}

/* On a port that the kernel chose, which is left in the address. */
static int bound(int family, int type, union address *ret)
{
	socklen_t length = loopback(ret, family, 0);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fails(fd, "socket"))
		return -1;
	if (!fails(bind(fd, &ret->any, length), "bind") &&
	    !fails(getsockname(fd, &ret->any, &length), "getsockname"))
		return fd;
	(void)close(fd);
	return -1;
}

static int listening(int family, union address *ret)
{
	int fd = bound(family, SOCK_STREAM, ret);

	if (fd < 0 || !fails(listen(fd, 8), "listen"))
		return fd;
	(void)close(fd);
	return -1;
}

static socklen_t length_of(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

/* A reset at close leaves nothing in TIME_WAIT: ports would run out. */
static int connected(const union address *to)
{
	const struct linger reset = { .l_onoff = 1 };
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fails(fd, "socket"))
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (!fails(connect(fd, &to->any, length_of(to)), "connect"))
		return fd;
	(void)close(fd);
	return -1;
}

static void pass_a_byte(int from, int to)
{
	char byte = 'x';

	if (!fails(send(from, &byte, 1, 0), "send"))
		(void)fails(recv(to, &byte, 1, 0), "recv");
}

static void stream(int family)
{
	union address at;
	FD listener = listening(family, &at);
	FD client = listener < 0 ? -1 : connected(&at);
	FD server = client < 0 ? -1 : accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (client < 0 || fails(server, "accept"))
		return;
	pass_a_byte(client, server);
	pass_a_byte(server, client);
}

static void do_tcp(void)
{
	stream(AF_INET);
}

static void do_tcp6(void)
{
	stream(AF_INET6);
}

static void do_udp(void)
{
	union address at;
	FD server = bound(AF_INET, SOCK_DGRAM, &at);
	FD client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x';

	if (server < 0 || fails(client, "socket"))
		return;
	if (!fails(sendto(client, &byte, 1, 0, &at.any, length_of(&at)), "sendto"))
		(void)fails(recv(server, &byte, 1, 0), "recv");
}

static void do_udp6(void)
{
	union address at;
	FD server = bound(AF_INET6, SOCK_DGRAM, &at);
	FD client = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (server < 0 || fails(client, "socket"))
		return;
	if (!fails(connect(client, &at.any, length_of(&at)), "connect"))
		pass_a_byte(client, server);
}

static void do_pair(void)
{
	int fds[2];

	if (fails(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "socketpair"))
		return;
	pass_a_byte(fds[0], fds[1]);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void do_unix(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(sa_family_t);
	FD server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	FD client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x';

	if (fails(server, "socket") || fails(client, "socket"))
		return;
	if (fails(bind(server, (struct sockaddr *)&at, length), "bind")) /* a name of its own */
		return;
	length = sizeof(at);
	if (fails(getsockname(server, (struct sockaddr *)&at, &length), "getsockname"))
		return;
	(void)fails(sendto(client, &byte, 1, 0, (struct sockaddr *)&at, length), "sendto");
}

static void do_netlink(void)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg message;
	} ask = { .header = { .nlmsg_len = sizeof(ask),
			      .nlmsg_type = RTM_GETLINK,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		  .message = { .rtgen_family = AF_UNSPEC } };
	FD fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char answer[8192];

	if (fails(fd, "socket") || fails(send(fd, &ask, sizeof(ask), 0), "send"))
		return;
	(void)fails(recv(fd, answer, sizeof(answer), 0), "recv");
}

/* The child's count is its parent's. */
static void reap(pid_t child)
{
	if (!fails(child, "fork"))
		(void)fails(waitpid(child, NULL, 0), "waitpid");
}

static void do_fork(void)
{
	pid_t child = fork();

	if (!child) {
		do_tcp();
		_exit(0);
	}
	reap(child);
}

static void *connect_in_thread(void *unused)
{
	do_udp6();
	return NULL;
}

static void do_thread(void)
{
	pthread_t threads[4];
	unsigned n = 0;

	while (n < 4 && !pthread_create(&threads[n], NULL, connect_in_thread, NULL))
		n++;
	while (n)
		(void)pthread_join(threads[--n], NULL);
}

/* The program says by its status whether it was refused. */
static void take_status(pid_t child)
{
	int status = 0;

	if (fails(child, "spawn") || fails(waitpid(child, &status, 0), "waitpid"))
		return;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	(void)fails(errno ? -1 : 0, "a program that it executed");
}

static void do_exec(void)
{
	pid_t child = fork();

	if (!child) {
		(void)execl("/proc/self/exe", "crowd", "once", NULL);
		_exit(errno);
	}
	take_status(child);
}

static void do_spawn(void)
{
	static char *const arguments[] = { "crowd", "once", NULL };
	pid_t child = -1;

	errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, NULL);
	take_status(errno ? -1 : child);
}

static void do_rename(void)
{
	char name[16];

	for (unsigned i = 0; i < sizeof(name) - 1; i++)
		name[i] = (char)('a' + rand() % 26);
	name[rand() % (int)sizeof(name)] = '\0';
	name[sizeof(name) - 1] = '\0';
	if (!fails(prctl(PR_SET_NAME, name), "prctl"))
		do_tcp();
}

static void do_setuid(void)
{
	uid_t uid = 3000 + (uid_t)rand() % 1000;
	pid_t child = fork();

	if (!child) {
		if (!fails(setresuid(uid, uid, uid), "setresuid"))
			do_tcp();
		_exit(0);
	}
	reap(child);
}

static bool move_to(const char *folder)
{
	char path[256];
	int r;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	FD fd = open(path, O_WRONLY | O_CLOEXEC);
	r = fails(fd, "open of cgroup.procs");
	return !r && !fails(write(fd, "0", 1), "write to cgroup.procs");
}

static void do_move(void)
{
	if (move_to(cgroup_folder))
		do_udp();
	if (move_to("/sys/fs/cgroup"))
		do_tcp();
}

static void do_epoll(void)
{
	union address at;
	struct epoll_event event = { .events = EPOLLOUT };
	FD listener = listening(AF_INET, &at);
	FD client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FD poll = epoll_create1(EPOLL_CLOEXEC);

	if (listener < 0 || fails(client, "socket") || fails(poll, "epoll_create1"))
		return;
	if (connect(client, &at.any, length_of(&at)) && errno != EINPROGRESS &&
	    fails(-1, "connect"))
		return;
	if (!fails(epoll_ctl(poll, EPOLL_CTL_ADD, client, &event), "epoll_ctl"))
		(void)fails(epoll_wait(poll, &event, 1, 1000), "epoll_wait");
}

/* A socket that comes from another. */
static void do_hand_over(void)
{
	union address at;
	FD udp = bound(AF_INET, SOCK_DGRAM, &at);
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fds[2], got = -1;

	if (udp < 0 || fails(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "socketpair"))
		return;
	memcpy(CMSG_DATA(&control.header), &udp, sizeof(udp));
	if (!fails(sendmsg(fds[0], &message, 0), "sendmsg") &&
	    !fails(recvmsg(fds[1], &message, 0), "recvmsg")) {
		memcpy(&got, CMSG_DATA(&control.header), sizeof(got));
		(void)fails(sendto(got, &byte, 1, 0, &at.any, length_of(&at)), "sendto");
		(void)close(got);
	}
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void do_sendfile(void)
{
	union address at;
	FD file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	FD listener = listening(AF_INET, &at);
	FD client = listener < 0 ? -1 : connected(&at);

	if (client < 0 || fails(file, "open"))
		return;
	(void)fails(sendfile(client, file, NULL, 4096), "sendfile");
}

static void do_ring(void)
{
	struct io_uring_cqe *done;
	struct io_uring ring;
	union address at;
	FD listener = listening(AF_INET, &at);
	FD client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = -io_uring_queue_init(4, &ring, 0);

	errno = r;
	if (listener < 0 || fails(client, "socket") || fails(-r, "io_uring_setup"))
		return;
	io_uring_prep_connect(io_uring_get_sqe(&ring), client, &at.any, length_of(&at));
	if (!fails(io_uring_submit_and_wait(&ring, 1), "io_uring_enter") &&
	    !io_uring_peek_cqe(&ring, &done)) {
		errno = done->res < 0 ? -done->res : 0;
		(void)fails(done->res, "connect by io_uring");
	}
	io_uring_queue_exit(&ring);
}

static void do_raw(void)
{
	struct icmphdr echo = { .type = ICMP_ECHO };
	union address to;
	socklen_t length = loopback(&to, AF_INET, 0);
	FD fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (!fails(fd, "socket"))
		(void)fails(sendto(fd, &echo, sizeof(echo), 0, &to.any, length), "sendto");
}

static void do_packet(void)
{
	FD fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_LOOP));

	(void)fails(fd, "socket");
}

static void do_trace(void)
{
	pid_t child = fork();

	if (!child) {
		for (;;)
			(void)pause();
	}
	if (fails(child, "fork"))
		return;
	if (!fails(ptrace(PTRACE_ATTACH, child, NULL, NULL), "ptrace"))
		(void)fails(waitpid(child, NULL, 0), "waitpid");
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

static void do_bpf(void)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};
	FD fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));

	(void)fails(fd, "bpf");
}

static const struct kind {
	const char *name;
	void (*work)(void);
} kinds[] = {
	{ "tcp", do_tcp },	     { "tcp over IPv6", do_tcp6 },
	{ "udp", do_udp },	     { "udp over IPv6, connected", do_udp6 },
	{ "socketpair", do_pair },   { "unix datagrams", do_unix },
	{ "netlink", do_netlink },   { "fork", do_fork },
	{ "threads", do_thread },    { "exec", do_exec },
	{ "posix_spawn", do_spawn }, { "rename", do_rename },
	{ "setuid", do_setuid },     { "cgroup moves", do_move },
	{ "epoll", do_epoll },	     { "sockets handed over", do_hand_over },
	{ "sendfile", do_sendfile }, { "io_uring", do_ring },
	{ "raw socket", do_raw },    { "packet socket", do_packet },
	{ "ptrace", do_trace },	     { "bpf", do_bpf },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void work(const struct kind *kind)
{
	(void)signal(SIGTERM, end);
	while (!ended) {
		kind->work();
		count->done++;
		(void)sched_yield();
	}
	_exit(0);
}

/* What did not come about for another reason is told, as it may have been the load. */
static int tell(const struct count *counts)
{
	int r = 0;

	for (unsigned i = 0; i < KINDS; i++) {
		const struct count *of = &counts[i];
		bool wrong = of->refused || !of->done || of->failed >= of->done;

		(void)printf("%s: %s: done %lu refused %lu failed %lu", wrong ? "WRONG" : "right",
			     kinds[i].name, of->done, of->refused, of->failed);
		if (of->refused || of->failed)
			(void)printf(" (%s%s%s)", of->where, of->failed ? ", " : "",
				     of->failed ? strerror(of->last) : "");
		(void)putchar('\n');
		r |= wrong;
	}
	return r;
}

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("crowd: mmap");
		exit(2);
	}
	return memory;
}

static int run_free(const char *folder)
{
	struct count *counts = share(KINDS * sizeof(*counts));
	pid_t workers[KINDS];

	cgroup_folder = folder;
	(void)signal(SIGTERM, end);
	for (unsigned i = 0; i < KINDS; i++) {
		count = &counts[i];
		workers[i] = fork();
		if (!workers[i])
			work(&kinds[i]);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (!ended)
		(void)pause();
	for (unsigned i = 0; i < KINDS; i++)
		(void)kill(workers[i], SIGTERM);
	while (wait(NULL) > 0)
		;
	return tell(counts);
}

static int run_once(void)
{
	count = share(sizeof(*count));
	do_udp6();
	return count->refused ? EPERM : count->failed ? count->last : 0;
}

/* --- Those who are held */

struct holding {
	const char *name;
	unsigned allowed, denied;
	struct count *right, *wrong; /* shared */
};

static int try_port(unsigned port)
{
	const struct linger reset = { .l_onoff = 1 };
	union address to;
	socklen_t length = loopback(&to, AF_INET, port);
	FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return connect(fd, &to.any, length) ? errno : 0;
}

static void try_both(const struct holding *holding)
{
	int allowed = try_port(holding->allowed), denied = try_port(holding->denied);

	__atomic_add_fetch(&holding->right->done, 1, __ATOMIC_RELAXED);
	if (!allowed && denied == EPERM)
		return;
	__atomic_add_fetch(&holding->wrong->done, 1, __ATOMIC_RELAXED);
	holding->wrong->last = allowed ? allowed : denied;
	(void)snprintf(holding->wrong->where, WHERE_LENGTH, "%s", allowed ? "allowed" : "denied");
}

static void *try_in_thread(void *holding)
{
	try_both(holding);
	return NULL;
}

/* Some take the name in a thread, some fork, some end at once, some have a thread that ends last. */
_Noreturn static void be_held(struct holding *holding, unsigned form)
{
	pthread_t thread;

	if (prctl(PR_SET_NAME, holding->name))
		_exit(1);
	if (form % 4 == 1 && !fork())
		try_both(holding);
	if (form % 4 == 2 && !pthread_create(&thread, NULL, try_in_thread, holding))
		pthread_exit(NULL);
	if (form % 4 == 3)
		try_both(holding);
	_exit(0);
}

static int run_held(const char *name, unsigned allowed, unsigned denied)
{
	struct count *counts = share(2 * sizeof(*counts));
	struct holding holding = { name, allowed, denied, &counts[0], &counts[1] };
	unsigned long born = 0;

	(void)signal(SIGTERM, end);
	while (!ended) {
		for (unsigned i = 0; i < BATCH && !ended; i++) {
			pid_t child = fork();

			if (!child)
				be_held(&holding, i);
			born += child > 0;
		}
		(void)usleep(200000); /* they are dead by now, and lie about */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	(void)printf("born %lu, tried %lu, wrong %lu", born, counts[0].done, counts[1].done);
	if (counts[1].done)
		(void)printf(" (%s: %s)", counts[1].where, strerror(counts[1].last));
	(void)putchar('\n');
	return counts[1].done || !counts[0].done;
}

static void *stay_in_thread(void *unused)
{
	for (;;)
		(void)pause();
	return NULL;
}

static int stay(const char *name)
{
	pthread_t thread;

	if (prctl(PR_SET_NAME, name) || pthread_create(&thread, NULL, stay_in_thread, NULL))
		return 2;
	(void)puts("ready");
	(void)fflush(stdout);
	(void)stay_in_thread(NULL);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	(void)signal(SIGPIPE, SIG_IGN);
	srand((unsigned)getpid());
	if (!strcmp(what, "free") && argc == 3)
		return run_free(argv[2]);
	if (!strcmp(what, "held") && argc == 5)
		return run_held(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	if (!strcmp(what, "stays") && argc == 3)
		return stay(argv[2]);
	if (!strcmp(what, "once"))
		return run_once();
	(void)fprintf(stderr, "usage: crowd free FOLDER | held NAME ALLOWED DENIED | stays NAME | "
			      "once\n");
	return 2;
}
