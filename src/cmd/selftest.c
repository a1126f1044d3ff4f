// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * selftest: tries the doors on this host, from children of a name that nobody else bears, under a
 * policy that is there only meanwhile. It talks to itself on loopback, loads no kernel module, and
 * leaves in force what was in force before.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "guard.h"
#include "kernel/generation.h"
#include "policy/print.h"
#include "policy/store.h"
#include "probe/stand.h"
#include "util/cleanup.h"
#include "util/file.h"

#define TEST_POLICY PH_RUN_POLICIES "/" PH_TEST_NAME ".yaml"
#define TEST_PIN "/sys/fs/bpf/" PH_TEST_NAME
#define POLICY_LINE 3 /* of the file that policy_format() makes */
#define FIRST_PROBE "allow-connect-v4"
#define PROBE_TIMEOUT_MS 10000
#define PORT_ROUNDS 20

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

enum verdict {
	VERDICT_OK,
	VERDICT_OPEN, /* and said to be */
	VERDICT_UNTRIED,
	VERDICT_WRONG,
	VERDICTS,
};

static const char *const verdict_names[VERDICTS] = {
	[VERDICT_OK] = "ok",
	[VERDICT_OPEN] = "open",
	[VERDICT_UNTRIED] = "untried",
	[VERDICT_WRONG] = "WRONG",
};

struct selftest {
	struct ph_apply_options apply;
	const char *door; /* NULL: all */
	bool json;
	bool in_force; /* policies were, before */
	struct ph_state before;
	struct ph_applied applied;
	struct probe_stand stand;
	uint16_t ports[2]; /* the allowed one, and another */
	char home[2 * PH_PATH_LEN]; /* the cgroup to go back to; "": this process never left it */
	size_t count[VERDICTS];
	uint64_t tried; /* promises, as bits */
	uint64_t wrong;
	json_t *results;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	interrupted = signal_number;
}

static void catch_signals(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		(void)signal(caught[i], interrupt);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* --- Arguments */

static bool is_chosen(const char *door, const struct probe *probe)
{
	return !door || !strcmp(door, probe->door) ||
	       (probe->promise && !strcmp(door, probe->promise));
}

static bool is_tried(const char *door)
{
	const struct probe *probe;

	for (size_t i = 0; (probe = probe_at(i)); i++)
		if (is_chosen(door, probe))
			return true;
	return false;
}

static int check_door(const char *door)
{
	if (!door || is_tried(door))
		return 0;
	(void)fprintf(
		stderr,
		"porthold selftest: --door %s: nothing tries a door of this name; one of:", door);
	for (size_t i = 0; i < ph_promises_n; i++)
		if (is_tried(ph_promises[i].name))
			(void)fprintf(stderr, " %s", ph_promises[i].name);
	(void)fputc('\n', stderr);
	return PH_EXIT_USAGE;
}

static int parse_arguments(int argc, char **argv, struct selftest *test)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS,
		{ "door", required_argument, NULL, PH_OPTION_OWN },
		{ "json", no_argument, NULL, 'j' },
		{},
	};
	int option, r = 0;

	while (!r && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			r = option_error("selftest");
		else if (option == 'j')
			test->json = true;
		else if (option == PH_OPTION_OWN)
			test->door = optarg;
		else
			r = take_apply_option("selftest", &test->apply, option, optarg);
	}
	if (r)
		return r;
	if (optind != argc)
		return usage_error("selftest", "unexpected argument %s", argv[optind]);
	return check_door(test->door);
}

/* --- The policy */

static int make_policy(const struct selftest *test, struct ph_policy *ret)
{
	struct ph_rule rule = { .kind = PH_RULE_PORTS, .connect = true, .bind = true };
	struct ph_text_error error;
	char port[8];
	int r = snprintf(port, sizeof(port), "%u", test->ports[0]);

	r = ports_parse(port, (size_t)r, &rule.ranges, &rule.n_ranges, &error);
	if (r)
		return r;
	ret->name = strdup(PH_TEST_NAME);
	ret->file = TEST_POLICY;
	ret->line = POLICY_LINE;
	(void)snprintf(ret->match.comm, sizeof(ret->match.comm), "%s", PH_TEST_NAME);
	r = ret->name ? policy_add_rule(ret, &rule) : -ENOMEM;
	rule_done(&rule);
	return r;
}

/* What was in force is put in force again, with `policy` (NULL: without it). */
static int put_in_force(struct selftest *test, struct ph_policy *policy, struct ph_fault *f)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(edits_donep) struct ph_edits edits = {};
	int r = edits_add(&edits, TEST_POLICY, NULL, NULL);

	if (!r && test->in_force)
		r = store_load(&edits, &set, &problems);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "the policy files cannot be read (%s); see "
			     "porthold check " PH_RUN_POLICIES " " PH_ETC_POLICIES,
			     strerror(-r));
	if (policy) {
		(void)policy_set_remove(&set, PH_TEST_NAME);
		if (policy_format(policy, &edits.v[0].text) || policy_set_add(&set, policy))
			return fault(f, -ENOMEM, PH_EXIT_IMPOSSIBLE, "out of memory");
	}
	r = guard_leave_out(&set, &edits, &problems, f);
	if (r)
		return r;
	return apply_policies(&set, &test->apply, &edits, &test->applied, &problems, f);
}

static void read_state(struct selftest *test)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;

	struct ph_header header;

	if (kernel_open(&kernel, &(struct ph_fault){}))
		return;
	(void)kernel_state_read(&kernel, &test->before);
	test->in_force = !generation_current(&kernel, &header) && kernel_attached();
}

/* What is in force is tested as it is: another backend would hold the others' policies less. */
static int check_options(const struct selftest *test, struct ph_fault *f)
{
	static const enum ph_backend wanted[] = {
		[PH_CHOICE_AUTO] = PH_BACKEND_LSM,
		[PH_CHOICE_LSM] = PH_BACKEND_LSM,
		[PH_CHOICE_CGROUP] = PH_BACKEND_CGROUP,
	};
	enum ph_backend_choice choice = test->apply.backend;
	const struct ph_state *before = &test->before;

	if (!test->in_force)
		return 0;
	if ((choice == PH_CHOICE_RECORDED || choice == PH_CHOICE_BEST ||
	     wanted[choice] == before->backend) &&
	    (!test->apply.attach || !strcmp(test->apply.attach, before->attach)) &&
	    !test->apply.accept)
		return 0;
	return fault(f, -EBUSY, PH_EXIT_REFUSED,
		     "policies are in force with backend %s on %s, and are tested as they are; "
		     "leave out --backend, --attach and --accept-degraded, or porthold stop first",
		     backend_name(before->backend), before->attach);
}

/* The backend of a test is no choice for what comes after. */
static int forget_choice(const struct ph_state *before)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_state state;
	int r = kernel_open(&kernel, &(struct ph_fault){});

	if (!r)
		r = kernel_state_read(&kernel, &state);
	if (r)
		return r;
	state.backend = before->backend;
	state.accepted = before->accepted;
	memcpy(state.attach, before->attach, sizeof(state.attach));
	return kernel_state_write(&kernel, &state);
}

static int begin(struct selftest *test, struct ph_fault *f)
{
	cleanup_(policy_donep) struct ph_policy policy = {};
	cleanup_close int lock = apply_lock(f);
	int r;

	if (lock < 0)
		return lock;
	read_state(test);
	r = check_options(test, f);
	if (r)
		return r;
	if (test->in_force)
		test->apply = (struct ph_apply_options){};
	if (make_policy(test, &policy))
		return fault(f, -ENOMEM, PH_EXIT_IMPOSSIBLE, "out of memory");
	r = put_in_force(test, &policy, f);
	/* Then it was put in force all the same. */
	if (r && f->status == PH_EXIT_CANARY)
		(void)put_in_force(test, NULL, &(struct ph_fault){});
	if (r && !test->in_force)
		(void)forget_choice(&test->before);
	return r;
}

static int end(struct selftest *test, struct ph_fault *f)
{
	cleanup_close int lock = apply_lock(f);
	int r = lock < 0 ? lock : put_in_force(test, NULL, f);

	if (!r && !test->in_force) {
		r = forget_choice(&test->before);
		if (r)
			(void)fault(f, r, PH_EXIT_IMPOSSIBLE, "%s", strerror(-r));
	}
	return r;
}

/* --- Where the probes run */

static int enter_cgroup(const char *path)
{
	char procs[3 * PH_PATH_LEN];
	cleanup_close int fd = -1;

	(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -errno;
}

static int find_home(char *ret, size_t size)
{
	cleanup_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	char root[PH_PATH_LEN], line[PH_PATH_LEN];

	if (!file || cgroup_root_find(root, sizeof(root)))
		return -ENOENT;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = 0;
		(void)snprintf(ret, size, "%s%s", root, line + 3);
		return 0;
	}
	return -ENOENT;
}

/* Where only a part of the machine is covered, the probes have to be in it. */
static int enter_covered(struct selftest *test, struct ph_fault *f)
{
	char path[2 * PH_PATH_LEN], home[2 * PH_PATH_LEN];
	int r;

	if (!*test->applied.attach)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/" PH_TEST_NAME, test->applied.attach);
	r = find_home(home, sizeof(home));
	if (!r && mkdir(path, 0755) && errno != EEXIST)
		r = -errno;
	if (!r)
		r = enter_cgroup(path);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot run in %s: %s", path, strerror(-r));
	memcpy(test->home, home, sizeof(home));
	return 0;
}

static void leave_covered(struct selftest *test)
{
	char path[2 * PH_PATH_LEN];

	if (!*test->home)
		return;
	(void)snprintf(path, sizeof(path), "%s/" PH_TEST_NAME, test->applied.attach);
	(void)enter_cgroup(test->home);
	(void)rmdir(path);
}

/* A port that is free on loopback, and that is another one when its bytes are swapped. */
static int find_port(uint16_t *ret)
{
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		return -errno;
	*ret = ntohs(address.sin_port);
	return 0;
}

static int serve(struct selftest *test, struct ph_fault *f)
{
	int r = stand_make(&test->stand, PH_TEST_NAME);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot make a directory for the test: %s",
			     strerror(-r));
	r = -EADDRINUSE;
	for (int i = 0; r == -EADDRINUSE && i < PORT_ROUNDS; i++) {
		r = find_port(&test->ports[0]) ?: find_port(&test->ports[1]);
		if (!r &&
		    (test->ports[0] == test->ports[1] || htons(test->ports[0]) == test->ports[0] ||
		     htons(test->ports[0]) == test->ports[1]))
			r = -EADDRINUSE;
		if (!r)
			r = stand_serve(&test->stand, test->ports, 2, false);
	}
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot serve on loopback: %s",
			     strerror(-r));
	return 0;
}

/* A map of no use, pinned: for what tries to open and to remove pins. */
static void make_pin(void)
{
	cleanup_close int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "porthold_test", 4, 4, 1, NULL);

	if (fd >= 0)
		(void)bpf_obj_pin(fd, TEST_PIN);
}

/* --- Results */

static enum verdict judge(const struct selftest *test, const struct probe *probe,
			  enum probe_answer answer)
{
	if (answer == probe->expect)
		return VERDICT_OK;
	if (answer == PROBE_UNTRIED)
		return VERDICT_UNTRIED;
	return promise_bit(probe->promise) & test->applied.open ? VERDICT_OPEN : VERDICT_WRONG;
}

static const char *shown_door(const struct probe *probe)
{
	return probe->promise ?: "(allowed)";
}

static void print_head(const struct selftest *test)
{
	if (!test->json)
		(void)printf("%-12s %-27s %-9s %s\n", "DOOR", "PROBE", "EXPECTED", "ANSWER");
}

static void print_result(struct selftest *test, const struct probe *probe,
			 const struct probe_result *result, enum verdict verdict)
{
	const char *expected = probe_answer_name(probe->expect);
	const char *answer = probe_answer_name(result->answer);

	if (test->json) {
		(void)json_array_append_new(
			test->results,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "door",
				  probe->promise ?: "", "probe", probe->name, "what", probe->what,
				  "expected", expected, "answer", answer, "verdict",
				  verdict_names[verdict], "detail", result->detail));
		return;
	}
	(void)printf("%-12s %-27s %-9s ", shown_door(probe), probe->name, expected);
	if (verdict == VERDICT_OK)
		(void)printf("%s\n", answer);
	else
		(void)printf("%-8s %s: %s\n", answer, verdict_names[verdict], result->detail);
}

static void show_progress(const struct selftest *test, const char *name)
{
	size_t done = 0;

	if (!isatty(STDERR_FILENO) || (isatty(STDOUT_FILENO) && !test->json))
		return;
	for (size_t i = 0; i < VERDICTS; i++)
		done += test->count[i];
	(void)fprintf(stderr, "\r\033[K%s%zu %s", *name ? "" : "\r\033[K", done, name);
}

/* --- Running */

static struct probe_options options_of(const struct selftest *test)
{
	bool refused_first = test->applied.backend == PH_BACKEND_LSM;

	return (struct probe_options){
		.as = test->stand.as,
		.self = test->stand.self,
		.dir = test->stand.dir,
		.control = test->stand.control,
		.pin = TEST_PIN,
		.loads = refused_first ? PROBE_LOADS_IF_REFUSED : PROBE_LOADS_NOTHING,
		.allowed = test->ports[0],
		.denied = test->ports[1],
		.timeout_ms = PROBE_TIMEOUT_MS,
	};
}

/* What is neither allowed nor refused may be the host's doing, and is tried twice. */
static int run_probe(const struct selftest *test, const struct probe *probe,
		     struct probe_result *ret, struct ph_fault *f)
{
	struct probe_options options = options_of(test);
	int r = probe_run(probe, &options, ret);

	if (!r && ret->answer == PROBE_OTHER && !interrupted)
		r = probe_run(probe, &options, ret);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "%s cannot be tried: %s", probe->name,
			     strerror(-r));
	return 0;
}

/* Without this every other probe goes untried. */
static int check_allowed(const struct selftest *test, struct ph_fault *f)
{
	struct probe_result result;
	int r = run_probe(test, probe_find(FIRST_PROBE), &result, f);

	if (r || result.answer == PROBE_ALLOWED)
		return r;
	return fault(f, -EPERM, PH_EXIT_NO, "what the test's policy allows does not work (%s): %s",
		     FIRST_PROBE, result.detail);
}

static int run_all(struct selftest *test, struct ph_fault *f)
{
	const struct probe *probe;
	struct probe_result result;

	print_head(test);
	for (size_t i = 0; !interrupted && (probe = probe_at(i)); i++) {
		enum verdict verdict;
		int r;

		if (!is_chosen(test->door, probe))
			continue;
		show_progress(test, probe->name);
		r = run_probe(test, probe, &result, f);
		if (r)
			return r;
		verdict = judge(test, probe, result.answer);
		test->count[verdict]++;
		if (verdict != VERDICT_UNTRIED)
			test->tried |= promise_bit(probe->promise);
		if (verdict == VERDICT_WRONG)
			test->wrong |= promise_bit(probe->promise);
		print_result(test, probe, &result, verdict);
	}
	show_progress(test, "");
	if (interrupted)
		return fault(f, -EINTR, PH_EXIT_IMPOSSIBLE, "interrupted");
	return 0;
}

/* --- Summary */

static json_t *list_doors(uint64_t doors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ph_promises_n; i++)
		if (doors >> i & 1)
			(void)json_array_append_new(list, json_string(ph_promises[i].name));
	return list;
}

static void name_doors(const char *text, uint64_t doors)
{
	const char *comma = "";

	if (!doors)
		return;
	(void)printf("%s", text);
	for (size_t i = 0; i < ph_promises_n; i++) {
		if (!(doors >> i & 1))
			continue;
		(void)printf("%s%s", comma, ph_promises[i].name);
		comma = ", ";
	}
	(void)printf("\n");
}

static void print_json(const struct selftest *test)
{
	json_auto_t *object = json_pack(
		"{s:s, s:b, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}, s:O}", "backend",
		backend_name(test->applied.backend), "passed", !test->count[VERDICT_WRONG],
		"failed_doors", list_doors(test->wrong), "open_doors",
		list_doors(test->applied.open), "tried_doors", list_doors(test->tried), "counts",
		"ok", (json_int_t)test->count[VERDICT_OK], "open",
		(json_int_t)test->count[VERDICT_OPEN], "untried",
		(json_int_t)test->count[VERDICT_UNTRIED], "wrong",
		(json_int_t)test->count[VERDICT_WRONG], "probes", test->results);

	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

static void print_summary(const struct selftest *test)
{
	uint64_t all = (1ull << ph_promises_n) - 1;

	(void)printf("\nBackend %s: %zu as expected, %zu wrong, %zu open as said, %zu not tried.\n",
		     backend_name(test->applied.backend), test->count[VERDICT_OK],
		     test->count[VERDICT_WRONG], test->count[VERDICT_OPEN],
		     test->count[VERDICT_UNTRIED]);
	name_doors("Open here, and said to be: ", test->applied.open);
	if (!test->door)
		name_doors("Closed by promise, and nothing could be tried: ",
			   all & ~test->applied.open & ~test->tried);
	name_doors("NOT CLOSED, though promised: ", test->wrong);
	if (!test->count[VERDICT_WRONG])
		(void)printf("Every promised door that was tried is closed.\n");
	else if (!test->wrong)
		(void)printf("Something that the policy allows does not work.\n");
}

/* --- All of it */

/* One at a time, on a directory that is there anyway. */
static int take_turn(struct ph_fault *f)
{
	cleanup_close int fd = -1;
	int r = mkdir_parents(PH_RUN_POLICIES, 0755);

	if (!r)
		fd = open(PH_RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!r && fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		return TAKE_FD(fd);
	r = r ?: -errno;
	if (r == -EWOULDBLOCK)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "another selftest is running");
	return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot open " PH_RUN_DIR ": %s", strerror(-r));
}

static int test_doors(struct selftest *test, struct ph_fault *f)
{
	int r = enter_covered(test, f);

	if (r)
		return r;
	make_pin();
	r = check_allowed(test, f);
	if (!r)
		r = run_all(test, f);
	(void)unlink(TEST_PIN);
	leave_covered(test);
	return r;
}

static int run(struct selftest *test, struct ph_fault *f)
{
	struct ph_fault other = {};
	struct ph_applied applied;
	int r = serve(test, f), ended;

	if (!r)
		r = begin(test, f);
	if (r)
		return r;
	applied = test->applied;
	r = test_doors(test, f);
	ended = end(test, &other);
	test->applied = applied;
	if (!ended)
		return r;
	return fault(f, ended, PH_EXIT_IMPOSSIBLE,
		     "the test's policy cannot be taken back (%s); porthold remove " PH_TEST_NAME,
		     other.text);
}

int cmd_selftest(int argc, char **argv)
{
	struct selftest test = {};
	cleanup_close int turn = -1;
	struct ph_fault f = {};
	int r = parse_arguments(argc, argv, &test);

	if (!r)
		r = require_root("selftest");
	if (r)
		return r;
	turn = take_turn(&f);
	if (turn < 0)
		return report_failure(NULL, &f);
	catch_signals();
	test.results = json_array();
	r = run(&test, &f);
	stand_remove(&test.stand);
	if (!r && test.json)
		print_json(&test);
	else if (!r)
		print_summary(&test);
	json_decref(test.results);
	if (r)
		return report_failure(NULL, &f);
	return test.count[VERDICT_WRONG] ? PH_EXIT_NO : PH_EXIT_OK;
}
