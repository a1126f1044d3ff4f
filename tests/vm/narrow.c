// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	narrow policies FOLDER		prints the policies that the second form wants in force
 *	narrow run FOLDER OPTION...	random sequences of acts
 *
 * Each sequence is of one process, whom nothing confines at first. After each act it tries eight
 * ports, and what it gets has to be what the model says (narrow-model.h). Apart from the model: what
 * a process may do after an act of its own, it could do before.
 *
 * Options: --seed N, --count N, --only K (one of them; its acts are printed), --failures N (then it
 * ends; 8), --open DOOR (which is not held here: the acts that go through it are left out), --free (no
 * policy is in force: all may do all). FOLDER has a copy of the actor for each program, under each name;
 * see tests/vm/narrow. Exits with 1 if a sequence failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "narrow-model.h"

#define CGROUPS "/sys/fs/cgroup"
#define DEPTH 30 /* of the deepest cgroups, below that of a policy */
#define ANSWER_SECONDS 120
#define HISTORY_LENGTH 4096
#define LINE_LENGTH 1024
#define DOWNS_MAX 3
#define OPEN_MAX 32
#define HELD_MAX 8 /* more policies on one process are all refused */
#define UID_PLAIN 1000
#define UID_SUBORDINATE 100000 /* in the namespace: */
#define UID_SUBORDINATE_INSIDE 5000

struct settings {
	const char *folder;
	uint64_t seed;
	unsigned long count;
	long only;
	const char *open[OPEN_MAX]; /* doors */
	unsigned open_count;
	unsigned long failures; /* after so many it ends */
};

struct run {
	const struct settings *settings;
	struct world world;
	uint64_t random;
	int actor;
	pid_t group;
	unsigned owner; /* of its user namespace */
	bool privileged, vforked, failed;
	bool headless; /* the first thread has ended, and another goes on alone */
	unsigned downs;
	uint8_t before, leader_before;
	bool let_go; /* by this act it may have got more than it had */
	bool label_alone; /* it drops its name before each act */
	char history[HISTORY_LENGTH];
};

static const char *const names[] = {
	"name-a", "name-b",    "name-c",     "name-d",	"name-e",	   "name-f",
	"name-a", "name-both", "name-audit", "neutral", "porthold-canary", "run-4041",
};

static int listeners[PORTS];
static pid_t bystander;

_Noreturn static void die(const char *what)
{
	(void)printf("narrow: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- Chance, the same each time for the same seed */

static uint64_t draw(struct run *run)
{
	uint64_t z = run->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned pick(struct run *run, unsigned n)
{
	return (unsigned)(draw(run) >> 33) % n;
}

static const char *pick_name(struct run *run)
{
	return names[pick(run, sizeof(names) / sizeof(names[0]))];
}

/* --- The actor */

__attribute__((format(printf, 2, 3))) static void tell(struct run *run, const char *format, ...)
{
	size_t n = strlen(run->history);
	va_list list;

	va_start(list, format);
	(void)vsnprintf(run->history + n, sizeof(run->history) - n, format, list);
	va_end(list);
}

static void read_answer(struct run *run, char *ret, size_t size)
{
	struct pollfd wait = { .fd = run->actor, .events = POLLIN };
	ssize_t n = 0;

	if (poll(&wait, 1, ANSWER_SECONDS * 1000) > 0)
		n = read(run->actor, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (*ret)
		return;
	(void)snprintf(ret, size, "no answer");
	run->failed = true;
}

__attribute__((format(printf, 4, 5))) static void ask(struct run *run, char *ret, size_t size,
						      const char *format, ...)
{
	char line[LINE_LENGTH];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(line, sizeof(line) - 1, format, list);
	va_end(list);
	line[n] = '\n';
	if (write(run->actor, line, (size_t)n + 1) != n + 1)
		run->failed = true;
	read_answer(run, ret, size);
	line[n] = '\0';
	tell(run, "; %s%s%s", line, strcmp(ret, "ok") ? " = " : "", strcmp(ret, "ok") ? ret : "");
}

/* Whether it answered that it is done. */
__attribute__((format(printf, 2, 3))) static bool act(struct run *run, const char *format, ...)
{
	char line[LINE_LENGTH], answer[64];
	va_list list;

	va_start(list, format);
	(void)vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	ask(run, answer, sizeof(answer), "%s", line);
	return !strcmp(answer, "ok");
}

static void drain_listeners(void)
{
	for (unsigned i = 0; i < PORTS; i++)
		for (int fd; (fd = accept(listeners[i], NULL, NULL)) >= 0;)
			(void)close(fd);
}

static uint8_t try_ports(struct run *run, const char *how)
{
	size_t said = strlen(run->history);
	char answer[64];
	uint8_t granted = 0;

	ask(run, answer, sizeof(answer), "%s %d %d", how, PORT_FIRST, PORTS);
	run->history[said] = '\0';
	tell(run, " [%s%s]", *how == 'l' ? "leader " : "", answer);
	drain_listeners();
	if (strspn(answer, "+-") != PORTS)
		run->failed = true;
	for (unsigned i = 0; i < PORTS && answer[i]; i++)
		if (answer[i] == '+')
			granted |= (uint8_t)(1u << i);
	return granted;
}

/* Its last line is in the history, but of no use there. */
static pid_t find_pid(struct run *run)
{
	size_t said = strlen(run->history);
	char answer[64];

	ask(run, answer, sizeof(answer), "ids");
	run->history[said] = '\0';
	return atoi(answer);
}

/* --- What came of an act */

static void tell_expected(struct run *run, bool leader)
{
	tell(run, " but the model says");
	for (unsigned i = 0; i < run->world.count; i++) {
		uint8_t granted = world_granted(&run->world, i, leader);

		tell(run, " ");
		for (unsigned j = 0; j < PORTS; j++)
			tell(run, "%c", granted & 1u << j ? '+' : '-');
	}
}

static void check_one(struct run *run, bool leader, uint8_t *before)
{
	uint8_t granted = try_ports(run, leader ? "leader-ports" : "ports");

	if (run->failed)
		return;
	if (!world_answers(&run->world, granted, leader)) {
		tell_expected(run, leader);
		run->failed = true;
	}
	if (granted & ~*before && !run->let_go) {
		tell(run, " and it gained by an act of its own");
		run->failed = true;
	}
	*before = granted;
}

static void check_ports(struct run *run)
{
	check_one(run, false, &run->before);
	if (run->world.threaded && !run->failed)
		check_one(run, true, &run->leader_before);
}

/* --- Acts: each says whether it was done */

static bool has_room(struct run *run, uint32_t more)
{
	return world_held_with(&run->world, more) <= HELD_MAX;
}

/* A name that counts together with a place would be half a match of a thread. */
static const char *pick_name_that_fits(struct run *run)
{
	const char *name = pick_name(run);

	while (!has_room(run, match_name(name)) ||
	       (run->world.threaded && !strcmp(name, "name-both")))
		name = pick_name(run);
	return name;
}

static bool act_rename(struct run *run)
{
	const char *name = pick_name_that_fits(run);

	if (!act(run, "%s %s", pick(run, 2) ? "rename" : "rename-by-proc", name))
		return false;
	world_rename(&run->world, name, false);
	return true;
}

static bool act_rename_leader(struct run *run)
{
	const char *name = pick_name_that_fits(run);

	if (!act(run, "rename-leader %s", name))
		return false;
	world_rename(&run->world, name, true);
	return true;
}

static bool act_execute(struct run *run)
{
	enum program program = pick(run, run->world.in_userns ? PROGRAM_SETUID : PROGRAMS);
	const char *name = pick_name(run);

	while (!has_room(run, match_name(name) | match_program(program)))
		name = "neutral", program = PROGRAM_PLAIN;
	if (!act(run, "exec %s/%s/%s", run->settings->folder, program_names[program], name))
		return false;
	world_execute(&run->world, program, name);
	run->vforked = run->headless = false;
	run->privileged |= program == PROGRAM_SETUID;
	return true;
}

static bool act_fork(struct run *run)
{
	if (!act(run, "fork"))
		return false;
	world_fork(&run->world);
	run->headless = false;
	return true;
}

static bool act_vfork(struct run *run)
{
	if (!act(run, "vfork"))
		return false;
	world_fork(&run->world);
	run->headless = false;
	run->vforked = true;
	return true;
}

static bool act_thread(struct run *run)
{
	bool first = !run->world.threaded;

	if (!act(run, "thread"))
		return false;
	world_start_thread(&run->world);
	if (first)
		run->leader_before = run->before;
	return true;
}

/* Who goes on is the process, for whoever moves it as well. */
static bool act_end_leader(struct run *run)
{
	if (!act(run, "end-leader"))
		return false;
	world_fork(&run->world);
	run->headless = true;
	return true;
}

static bool pick_place(struct run *run, char *ret)
{
	static const char *const tops[] = { "none", "one", "two" };
	int n = snprintf(ret, PATH_LENGTH, "/narrow/%s", tops[pick(run, 3)]);

	for (unsigned i = 0; i < DEPTH && (i || pick(run, 3) == 0); i++)
		n += snprintf(ret + n, PATH_LENGTH - (size_t)n, "/d");
	return has_room(run, match_place(ret));
}

static bool act_move(struct run *run)
{
	char cgroup[PATH_LENGTH];

	if (!pick_place(run, cgroup) || !act(run, "move %s", cgroup))
		return false;
	world_move(&run->world, cgroup);
	run->downs = 0;
	return true;
}

static bool act_fork_into(struct run *run)
{
	char cgroup[PATH_LENGTH];

	if (!pick_place(run, cgroup) || !act(run, "into %s", cgroup))
		return false;
	world_fork(&run->world);
	world_move(&run->world, cgroup);
	run->headless = false;
	run->downs = 0;
	return true;
}

static bool act_down(struct run *run)
{
	const char *name = pick(run, 2) ? "narrow.service" : "own";
	char cgroup[PATH_LENGTH];

	(void)snprintf(cgroup, sizeof(cgroup), "%.400s/%s", run->world.cgroup, name);
	if (!has_room(run, match_place(cgroup)) || !act(run, "down %s", name))
		return false;
	world_move(&run->world, cgroup);
	run->downs++;
	return true;
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return done;
}

/* By one whom nothing confines, which is us. */
static bool act_be_moved(struct run *run)
{
	char cgroup[PATH_LENGTH], path[PATH_LENGTH + 64], pid[16];

	if (!pick_place(run, cgroup))
		return false;
	(void)snprintf(path, sizeof(path), CGROUPS "%s/cgroup.procs", cgroup);
	(void)snprintf(pid, sizeof(pid), "%d", find_pid(run));
	tell(run, "; is moved to %s", cgroup);
	if (!write_text(path, pid))
		return false;
	world_is_moved(&run->world, cgroup);
	run->downs = 0;
	run->let_go = true;
	return true;
}

/* The uid as it is called where the actor is. */
static unsigned inside(const struct run *run, unsigned uid)
{
	if (run->world.in_userns && uid == run->owner)
		return 0;
	return uid == UID_SUBORDINATE ? UID_SUBORDINATE_INSIDE : uid;
}

static unsigned pick_uid(struct run *run)
{
	static const unsigned uids[] = { UID_ONE, UID_TWO, UID_PLAIN, UID_SUBORDINATE };

	return uids[pick(run, run->world.in_userns ? 4 : 3)];
}

static bool change_uid(struct run *run, unsigned uid, unsigned others)
{
	bool lets_go = world_lets_go(&run->world, uid);

	if (!has_room(run, match_uid(uid)))
		return false;
	if (!act(run, "uids %u %u %u", inside(run, uid), others, others))
		return false;
	world_change_uid(&run->world, uid);
	run->let_go = lets_go;
	return true;
}

static bool act_change_uid(struct run *run)
{
	return change_uid(run, pick_uid(run), 0);
}

static bool act_drop_privileges(struct run *run)
{
	unsigned uid = pick_uid(run);

	if (!change_uid(run, uid, inside(run, uid)))
		return false;
	run->privileged = run->world.in_userns && uid == run->owner;
	return true;
}

static bool map_uids(struct run *run, pid_t pid)
{
	static const unsigned uids[] = { 0, UID_PLAIN, UID_ONE, UID_TWO };
	char path[64], map[256];
	int n = 0;

	for (unsigned i = 0; i < 4; i++)
		if (uids[i] || !run->owner)
			n += snprintf(map + n, sizeof(map) - (size_t)n, "%u %u 1\n",
				      inside(run, uids[i]), uids[i]);
	(void)snprintf(map + n, sizeof(map) - (size_t)n, "%u %u 100\n", UID_SUBORDINATE_INSIDE,
		       UID_SUBORDINATE);
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	return write_text(path, map);
}

static bool act_userns(struct run *run)
{
	if (!act(run, "userns"))
		return false;
	run->owner = run->privileged ? 0 : run->world.uid;
	run->world.in_userns = true;
	if (!map_uids(run, find_pid(run))) {
		tell(run, " cannot be mapped");
		run->failed = true;
	}
	/* It has every capability there. */
	run->privileged = true;
	return true;
}

static bool act_reach_for_others(struct run *run)
{
	bool confined = world_is_confined(&run->world), done;

	done = act(run, "%s %d", pick(run, 2) ? "memory" : "attach", bystander);
	if (done && confined) {
		tell(run, " but it is confined");
		run->failed = true;
	}
	return done || confined;
}

/* --- Which act */

static bool is_alone(const struct run *run)
{
	return !run->world.threaded;
}

static bool has_thread(const struct run *run)
{
	return run->world.threaded;
}

static bool is_alone_for_good(const struct run *run)
{
	return !run->world.threaded && !run->vforked && !run->headless;
}

static bool may_thread(const struct run *run)
{
	return !run->vforked && !run->headless && !run->world.named;
}

static bool may_change_uid(const struct run *run)
{
	return !run->world.threaded && run->privileged;
}

static bool may_go_down(const struct run *run)
{
	return run->downs < DOWNS_MAX;
}

static bool may_leave_namespace(const struct run *run)
{
	return is_alone_for_good(run) && !run->world.in_userns;
}

static bool is_root(const struct run *run)
{
	return run->privileged && !run->world.in_userns && !run->world.threaded;
}

static bool is_anybody(const struct run *run)
{
	return true;
}

static bool has_memory_of_its_own(const struct run *run)
{
	return !run->vforked;
}

static struct kind {
	const char *name;
	unsigned weight;
	bool (*may)(const struct run *run);
	bool (*act)(struct run *run);
	const char *door; /* unless this one is open; NULL */
	unsigned long done, not_done;
} kinds[] = {
	{ "rename", 6, is_anybody, act_rename, NULL, 0, 0 },
	{ "rename the leader", 5, has_thread, act_rename_leader, NULL, 0, 0 },
	{ "execute", 5, is_anybody, act_execute, NULL, 0, 0 },
	{ "fork", 2, has_memory_of_its_own, act_fork, NULL, 0, 0 },
	{ "vfork", 1, is_alone_for_good, act_vfork, NULL, 0, 0 },
	{ "start a thread", 2, may_thread, act_thread, NULL, 0, 0 },
	{ "end the first thread", 2, has_thread, act_end_leader, NULL, 0, 0 },
	{ "fork into a cgroup", 2, has_memory_of_its_own, act_fork_into, "cgroup-move", 0, 0 },
	{ "move to a cgroup", 4, is_anybody, act_move, "cgroup-move", 0, 0 },
	{ "make a cgroup, and move there", 3, may_go_down, act_down, NULL, 0, 0 },
	{ "be moved to a cgroup", 2, is_alone, act_be_moved, NULL, 0, 0 },
	{ "change the uid", 4, may_change_uid, act_change_uid, "uid-change", 0, 0 },
	{ "drop privileges", 1, may_change_uid, act_drop_privileges, "uid-change", 0, 0 },
	{ "make a user namespace", 2, may_leave_namespace, act_userns, "uid-change", 0, 0 },
	{ "reach for another's memory", 1, is_root, act_reach_for_others, "ptrace", 0, 0 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool is_left_out(const struct settings *settings, const struct kind *kind)
{
	for (unsigned i = 0; kind->door && i < settings->open_count; i++)
		if (!strcmp(kind->door, settings->open[i]))
			return true;
	return false;
}

static bool may_do(const struct run *run, const struct kind *kind)
{
	return !is_left_out(run->settings, kind) && kind->may(run);
}

static struct kind *pick_kind(struct run *run)
{
	unsigned all = 0, at;

	for (unsigned i = 0; i < KINDS; i++)
		all += may_do(run, &kinds[i]) ? kinds[i].weight : 0;
	at = pick(run, all);
	for (unsigned i = 0; i < KINDS; i++) {
		if (!may_do(run, &kinds[i]))
			continue;
		if (at < kinds[i].weight)
			return &kinds[i];
		at -= kinds[i].weight;
	}
	return &kinds[0];
}

/* So that only what was noted of it tells who it is. */
static void drop_names(struct run *run)
{
	if (act(run, "rename neutral"))
		world_rename(&run->world, "neutral", false);
	if (run->world.threaded && act(run, "rename-leader neutral"))
		world_rename(&run->world, "neutral", true);
}

static void do_one(struct run *run)
{
	struct kind *kind;

	if (run->label_alone)
		drop_names(run);
	kind = pick_kind(run);
	run->let_go = false;
	if (kind->act(run))
		kind->done++;
	else
		kind->not_done++;
	if (!run->failed)
		check_ports(run);
}

/* --- A sequence */

static void become_actor(const struct run *run, int channel)
{
	char path[PATH_LENGTH];

	(void)setpgid(0, 0);
	if (!write_text(CGROUPS "/narrow/none/cgroup.procs", "0"))
		_exit(1);
	if (dup2(channel, STDIN_FILENO) < 0 || dup2(channel, STDOUT_FILENO) < 0)
		_exit(1);
	(void)snprintf(path, sizeof(path), "%s/plain/neutral", run->settings->folder);
	(void)execl(path, path, NULL);
	_exit(1);
}

static void begin(struct run *run)
{
	int channel[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		die("no channel");
	run->group = fork();
	if (!run->group)
		become_actor(run, channel[1]);
	if (run->group < 0)
		die("cannot fork");
	(void)setpgid(run->group, run->group);
	(void)close(channel[1]);
	run->actor = channel[0];
}

/* Those whose parents have ended are ours as well. */
static void end(struct run *run)
{
	(void)close(run->actor);
	(void)kill(-run->group, SIGKILL);
	while (waitpid(-run->group, NULL, 0) > 0)
		;
}

static bool run_sequence(const struct settings *settings, unsigned long number, bool show)
{
	struct run run = { .settings = settings,
			   .random = settings->seed * 1000003 + number,
			   .privileged = true,
			   .before = 0xff,
			   .leader_before = 0xff };
	unsigned acts = 3 + pick(&run, 6);

	run.label_alone = pick(&run, 2);
	world_begin(&run.world);
	begin(&run);
	check_ports(&run);
	for (unsigned i = 0; i < acts && !run.failed; i++)
		do_one(&run);
	end(&run);
	if (show || run.failed)
		(void)printf("%s: --seed %llu --only %lu: born%s\n", run.failed ? "FAILED" : "held",
			     (unsigned long long)settings->seed, number, run.history);
	return !run.failed;
}

/* --- All of them */

static void make_cgroup(const char *cgroup)
{
	char path[PATH_LENGTH + 64];

	(void)snprintf(path, sizeof(path), CGROUPS "%s", cgroup);
	if (mkdir(path, 0777) && errno != EEXIST)
		die(path);
	(void)snprintf(path, sizeof(path), CGROUPS "%s/cgroup.procs", cgroup);
	if (chmod(path, 0666))
		die(path);
}

static void make_cgroups(void)
{
	static const char *const tops[] = { "/narrow/none", "/narrow/one", "/narrow/two" };
	char path[PATH_LENGTH];

	make_cgroup("/narrow");
	for (unsigned i = 0; i < 3; i++) {
		strcpy(path, tops[i]);
		make_cgroup(path);
		for (unsigned j = 0; j < DEPTH; j++) {
			strcat(path, "/d");
			make_cgroup(path);
		}
	}
}

static int listen_on(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 64))
		die("cannot listen");
	return fd;
}

/* A network of our own: nobody else's ports. */
static void make_network(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		die("no network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback))
		die("no loopback device");
	(void)close(fd);
	for (unsigned i = 0; i < PORTS; i++)
		listeners[i] = listen_on(PORT_FIRST + i);
}

static void start_bystander(void)
{
	bystander = fork();
	if (bystander < 0)
		die("cannot fork");
	if (bystander)
		return;
	for (;;)
		(void)pause();
}

static void report(const struct settings *settings, unsigned long failed)
{
	(void)printf("seed %llu: %lu sequences, %lu failed\n", (unsigned long long)settings->seed,
		     settings->count, failed);
	for (unsigned i = 0; i < KINDS; i++)
		(void)printf("%s: %s: %lu done, %lu not\n",
			     is_left_out(settings, &kinds[i]) ? "left out" : "act", kinds[i].name,
			     kinds[i].done, kinds[i].not_done);
}

static int run(const struct settings *settings)
{
	unsigned long failed = 0;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)umask(0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	make_cgroups();
	make_network();
	start_bystander();
	for (unsigned long i = 0; i < settings->count && failed < settings->failures; i++)
		if (settings->only < 0 || (unsigned long)settings->only == i)
			failed += !run_sequence(settings, i, settings->only >= 0);
	(void)kill(bystander, SIGKILL);
	report(settings, failed);
	return failed != 0;
}

/* --- The policies, as text */

static void print_match(const struct policy *policy, const char *folder)
{
	const char *comma = "";

	if (policy->traits & TRAIT_NAME) {
		(void)printf("comm: %s", policy->name);
		comma = ", ";
	}
	if (policy->traits & TRAIT_PROGRAM)
		(void)printf("%sexe: %s/%s/neutral", comma, folder, program_names[policy->program]);
	if (policy->traits & TRAIT_CGROUP)
		(void)printf("%scgroup: %s", comma, policy->cgroup);
	if (policy->traits & TRAIT_UNIT)
		(void)printf("%sunit: %s", comma, policy->cgroup);
	if (policy->traits & TRAIT_UID)
		(void)printf("%suid: %u", comma, policy->uid);
}

static int print_policies(const char *folder)
{
	(void)printf("porthold: 1\npolicies:\n");
	for (unsigned i = 0; i < policy_count; i++) {
		const char *comma = "";

		(void)printf("  - {name: %s, match: {", policies[i].label);
		print_match(&policies[i], folder);
		(void)printf("}, mode: %s, allow: [\"tcp ",
			     policies[i].audit ? "audit" : "enforce");
		for (unsigned j = 0; j < PORTS; j++)
			if (policies[i].ports & 1u << j) {
				(void)printf("%s%u", comma, PORT_FIRST + j);
				comma = ",";
			}
		(void)printf("\"]}\n");
	}
	return 0;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: narrow policies FOLDER\n"
			      "       narrow run FOLDER [--seed N] [--count N] [--only K] "
			      "[--failures N] [--open DOOR]... [--free]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "only", required_argument, NULL, 'o' },
		{ "failures", required_argument, NULL, 'f' },
		{ "open", required_argument, NULL, 'd' },
		{ "free", no_argument, NULL, 'n' },
		{},
	};
	struct settings settings = { .seed = 1, .count = 2000, .only = -1, .failures = 8 };

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (option) {
		case 's':
			settings.seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			settings.count = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			settings.only = atol(optarg);
			break;
		case 'f':
			settings.failures = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			if (settings.open_count < OPEN_MAX)
				settings.open[settings.open_count++] = optarg;
			break;
		case 'n':
			policy_count = 0;
			break;
		default:
			return usage();
		}
	if (argc - optind != 2)
		return usage();
	settings.folder = argv[optind + 1];
	if (!strcmp(argv[optind], "policies"))
		return print_policies(settings.folder);
	return strcmp(argv[optind], "run") ? usage() : run(&settings);
}
