// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run: confined from the first instruction, whatever the name. A child takes the label of the policy by
 * its id, and it stays when the child executes the command. What a policy asks anew at each call must
 * hold already. This process waits, passes signals on, and takes away the policy that it made once
 * nobody is under it any more; if it is killed, the command stays confined.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/change.h"
#include "kernel/claim.h"
#include "kernel/cover.h"
#include "kernel/labels.h"
#include "kernel/maps.h"
#include "policy/parse.h"
#include "kernel/powers.h"
#include "policy/print.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/stream.h"

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_claim_offer, claim_done);

enum {
	EXIT_NOT_EXECUTABLE = 126, /* as the shells have it, and so env(1) and nohup(1) */
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128, /* and the number of the signal that ended the command */
};

struct request {
	const char *what; /* ports, or the name of a policy */
	char **command;
	struct ph_apply_options apply;
	bool keep_caps;
};

/* What the command shall be under. */
struct target {
	uint64_t id; /* of the policy */
	char *path; /* of the policy file, if it was made for this; NULL */
	char *place; /* what it asks of a process, in words */
	int lock; /* until the command is under the policy, so that nobody takes that away */
};

static void target_done(struct target *target)
{
	fd_close(target->lock);
	free(target->path);
	free(target->place);
}

DEFINE_CLEANUP_DONE(struct target, target_done);

enum {
	OPTION_KEEP_CAPS = PH_OPTION_OWN,
};

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS,
		{ "keep-caps", no_argument, NULL, OPTION_KEEP_CAPS },
		{},
	};
	int option, r = 0;

	/* "+": what follows the first word is the command's. */
	while (!r && (option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == '?')
			return option_error("run");
		if (option == OPTION_KEEP_CAPS)
			request->keep_caps = true;
		else
			r = take_apply_option("run", &request->apply, option, optarg);
	}
	if (r)
		return r;
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--"))
		return usage_error("run", "expected PORTS or POLICY, then -- and a command");
	request->what = argv[optind];
	request->command = argv + optind + 2;
	return 0;
}

/* A name that tells the ports where they fit into it, and is theirs alone where they do not. */
static void name_ports(const char *ports, char ret[PH_COMM_MAX + 1])
{
	uint32_t hash = 2166136261u;

	if (strlen(ports) <= PH_COMM_MAX - 4 && !strpbrk(ports, ",/")) {
		(void)snprintf(ret, PH_COMM_MAX + 1, "run-%.11s", ports);
		return;
	}
	for (const char *at = ports; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	(void)snprintf(ret, PH_COMM_MAX + 1, "run-%08x", hash);
}

/* A policy for these ports that nobody is under but whom this puts there. */
static int make_policy(const struct request *request, struct ph_policy *ret)
{
	struct ph_text_error error;
	char name[PH_COMM_MAX + 1];
	int r = port_rules_parse(request->what, strlen(request->what), ret, &error);

	if (r)
		return r == -ENOMEM ? no_memory("run") :
				      report_text_error("run", request->what, &error);
	name_ports(request->what, name);
	ret->match.run = true;
	ret->name = strdup(name);
	ret->line = PH_ONE_POLICY_LINE;
	return ret->name ? PH_EXIT_OK : no_memory("run");
}

static void warn_of_dns(const char *ports, enum ph_dns dns)
{
	if (dns == PH_DNS_NONE && strcmp(ports, "none"))
		(void)fprintf(stderr,
			      "porthold run: warning: DNS is not among the ports %s: no name can "
			      "be resolved; add dns, as in %s,dns\n",
			      ports, ports);
	if (dns == PH_DNS_TCP)
		(void)fprintf(stderr,
			      "porthold run: warning: port 53 of UDP, where names are asked for, "
			      "is not among the ports %s; add dns, as in %s,dns\n",
			      ports, ports);
}

/* That the name of the policy stands for nothing else in the directory: to overrule is not for run. */
static int refuse_others(const char *directory, const char *name, const char *path)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems ignored = {};
	const struct ph_policy *other;
	int r = store_load_directory(directory, &set, &ignored);

	if (r == -ENOMEM)
		return no_memory("run");
	other = r ? NULL : policy_set_find(&set, name);
	if (!other || (other->match.run && !strcmp(other->file, path)))
		return PH_EXIT_OK;
	(void)fprintf(
		stderr,
		"porthold run: %s:%u: policy %s is not of porthold run, which would make its own "
		"of that name for these ports; rename it there, and apply\n",
		other->file, other->line, name);
	return PH_EXIT_REFUSED;
}

static int confine_ports(const struct request *request, struct target *target)
{
	cleanup_(policy_donep) struct ph_policy policy = {};
	cleanup_free char *path = NULL;
	struct ph_applied applied;
	struct ph_fault f = {};
	enum ph_dns dns;
	int r = make_policy(request, &policy);

	if (r)
		return r;
	target->lock = apply_lock(&f);
	if (target->lock < 0)
		return report_failure(NULL, &f);
	if (store_path(PH_RUN_POLICIES, policy.name, &path))
		return no_memory("run");
	r = refuse_others(PH_ETC_POLICIES, policy.name, path);
	if (!r)
		r = refuse_others(PH_RUN_POLICIES, policy.name, path);
	if (r)
		return r;
	target->path = TAKE_PTR(path);
	policy.file = target->path;
	target->id = policy_id(&policy);
	dns = ports_reach_dns(&policy);
	r = replace_policy(target->path, &policy, &request->apply, &applied);
	if (!r && applied.changed)
		warn_of_dns(request->what, dns);
	return r;
}

/* What the policy asks of a process at each call, in words; empty: nothing. */
static int format_place(const struct ph_match *match, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return -ENOMEM;
	if (match->has_uid)
		(void)fprintf(stream.file, " with uid %u", match->uid);
	if (match->cgroup)
		(void)fprintf(stream.file, " in cgroup %s", match->cgroup);
	if (match->unit)
		(void)fprintf(stream.file, " in unit %s", match->unit);
	return stream_end(&stream, ret);
}

/* What is neither ports nor a policy in the directories; a file of policies is easily given. */
static int refuse_word(const char *word)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems ignored = {};
	const char *name = "POLICY";

	if (access(word, R_OK)) {
		(void)fprintf(stderr,
			      "porthold run: %s: neither ports nor a policy; see porthold status\n",
			      word);
		return PH_EXIT_NO;
	}
	if (!policy_parse_file(word, &set, &ignored) && set.n)
		name = set.policies[0].name;
	return usage_error("run",
			   "%s is a file, and run takes the name of a policy that is in force: "
			   "porthold apply %s, then porthold run %s -- CMD",
			   word, word, name);
}

static int find_policy(const char *name, struct target *target)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_policy *policy;
	struct ph_fault f = { .status = PH_EXIT_NO };

	if (store_load_good(NULL, &set, &problems)) {
		(void)fault(&f, 0, PH_EXIT_NO, "the policy files cannot be read");
		return report_failure(&problems, &f);
	}
	policy = policy_set_find(&set, name);
	if (!policy)
		return refuse_word(name);
	if (policy->children == PH_CHILDREN_LEAVE) {
		(void)fprintf(stderr,
			      "porthold run: policy %s says children: leave, so the command "
			      "would be free; say children: confine\n",
			      name);
		return PH_EXIT_REFUSED;
	}
	if (!apply_in_force()) {
		(void)fprintf(stderr, "porthold run: no policy is in force; porthold apply\n");
		return PH_EXIT_NO;
	}
	if (policy->mode == PH_POLICY_AUDIT)
		(void)fprintf(
			stderr,
			"porthold run: policy %s is in audit mode: the command is watched, and "
			"refused nothing\n",
			name);
	target->id = policy_id(policy);
	return format_place(&policy->match, &target->place) ? no_memory("run") : 0;
}

/* --- The label */

enum witnessed {
	WITNESSED_LABEL,
	WITNESSED_NONE,
	WITNESSED_NO_LABELS, /* the host keeps none */
};

/* Whether a process is under the policy now, with all that the policy asks at each call; 0: any. */
static enum witnessed look_for(pid_t pid, uint64_t id)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r = labels_pass(&labels);

	if (r)
		return r == -ENOENT ? WITNESSED_NO_LABELS : WITNESSED_NONE;
	for (size_t i = 0; i < labels.n; i++)
		if ((!pid || (pid_t)labels.v[i].pid == pid) && label_holds(&labels.v[i], id))
			return WITNESSED_LABEL;
	return WITNESSED_NONE;
}

/* --- The child */

struct child {
	pid_t pid;
	int from; /* what it says */
	int to; /* a byte: it shall execute the command */
};

static void child_done(struct child *child)
{
	fd_close(child->from);
	fd_close(child->to);
}

DEFINE_CLEANUP_DONE(struct child, child_done);

/* What is left: without it no server starts as root and becomes another user. */
static void tell_powers(const char *command)
{
	struct ph_holder holder;
	char text[256];

	if (!holder_is_self(command, &holder))
		return;
	holder_text(&holder, text, sizeof(text));
	(void)fprintf(
		stderr,
		"porthold run: privileged now: %s (%d): %s; what takes that from it: setpriv, or "
		"User= in a unit\n",
		holder.comm, (int)holder.pid, text);
}

/* By these it could get around the policy; that it had one is said. */
static void give_up_powers(const struct request *request)
{
	int n = request->keep_caps ? 0 : powers_drop();

	if (n > 0)
		(void)fprintf(stderr,
			      "porthold run: dropped capabilities, CAP_NET_ADMIN and CAP_SYS_ADMIN "
			      "among them; --keep-caps leaves them\n");
	if (n >= 0) {
		tell_powers(request->command[0]);
		return;
	}
	(void)fprintf(stderr, "porthold run: cannot drop capabilities: %s; --keep-caps\n",
		      strerror(-n));
	_exit(PH_EXIT_IMPOSSIBLE);
}

/* Says 0 when it has taken the label, and the errno if it cannot execute the command. */
_Noreturn static void be_child(const struct request *request, const struct ph_claim_offer *offer,
			       int from, int to, const sigset_t *signals)
{
	int said = -claim_take(offer);
	char byte;

	(void)sigprocmask(SIG_SETMASK, signals, NULL);
	if (write(to, &said, sizeof(said)) != sizeof(said) || read(from, &byte, 1) != 1)
		_exit(PH_EXIT_IMPOSSIBLE);
	give_up_powers(request);
	(void)execvp(request->command[0], request->command);
	said = errno;
	(void)!write(to, &said, sizeof(said));
	_exit(said == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static int start_child(const struct request *request, const struct ph_claim_offer *offer,
		       const sigset_t *signals, struct child *ret)
{
	int up[2], down[2];

	if (pipe2(up, O_CLOEXEC))
		return -errno;
	if (pipe2(down, O_CLOEXEC)) {
		fd_close(up[0]);
		fd_close(up[1]);
		return -errno;
	}
	*ret = (struct child){ .pid = fork(), .from = up[0], .to = down[1] };
	if (!ret->pid) {
		(void)close(down[1]);
		be_child(request, offer, down[0], up[1], signals);
	}
	fd_close(up[1]);
	fd_close(down[0]);
	return ret->pid < 0 ? -errno : 0;
}

/* What the child says: 0 or its errno; -ECHILD: it ended. */
static int hear(const struct child *child)
{
	int said;

	return read(child->from, &said, sizeof(said)) == sizeof(said) ? said : -ECHILD;
}

/* What the child came to be seen with, or -errno. */
static int label_child(const struct request *request, const struct target *target,
		       const sigset_t *signals, struct child *child)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	cleanup_(claim_donep) struct ph_claim_offer offer = PH_CLAIM_NULL;
	int r = kernel_open(&kernel, &(struct ph_fault){});

	if (!r)
		r = claim_offer(&kernel, target->id, &offer);
	if (r)
		return r;
	r = start_child(request, &offer, signals, child);
	if (!r)
		r = hear(child);
	if (claim_settle(&kernel) || r)
		return r ? -abs(r) : WITNESSED_NONE;
	return look_for(child->pid, target->id);
}

/* --- Until the command ends */

/* What a terminal sends to both is not sent again. */
static void pass_on(const siginfo_t *signal, pid_t pid)
{
	if (signal->si_code != SI_KERNEL)
		(void)kill(pid, signal->si_signo);
}

static int status_of(int ended)
{
	return WIFSIGNALED(ended) ? EXIT_SIGNAL + WTERMSIG(ended) : WEXITSTATUS(ended);
}

/* The exit status of the child, however it ends. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	siginfo_t signal;
	int ended;

	for (;;) {
		if (waitpid(pid, &ended, WNOHANG) == pid)
			return status_of(ended);
		if (sigwaitinfo(signals, &signal) > 0 && signal.si_signo != SIGCHLD)
			pass_on(&signal, pid);
	}
}

static void block_signals(sigset_t *ret, sigset_t *ret_before)
{
	static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM,
					 SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD };

	(void)sigemptyset(ret);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		(void)sigaddset(ret, passed_on[i]);
	(void)sigprocmask(SIG_BLOCK, ret, ret_before);
}

static int complain(const struct request *request, const struct target *target, int result)
{
	(void)fprintf(stderr, "porthold run: %s is not run: ", request->command[0]);
	if (result < 0)
		(void)fprintf(stderr, "cannot take the label: %s\n", strerror(-result));
	else if (result == WITNESSED_NO_LABELS)
		(void)fprintf(stderr, "this host keeps no labels, see porthold doctor\n");
	else if (target->place && *target->place)
		(void)fprintf(stderr,
			      "policy %s holds only what runs%s; started there, it is held "
			      "without run\n",
			      request->what, target->place);
	else
		(void)fprintf(stderr,
			      "the kernel did not label it; is %s in force? See porthold "
			      "status\n",
			      request->what);
	return result < 0 ? PH_EXIT_IMPOSSIBLE : PH_EXIT_REFUSED;
}

/* Writes this process into a cgroup; 0 or -errno. */
static int enter(const char *cgroup)
{
	char path[PH_PATH_LEN + sizeof("/cgroup.procs")];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

/* Where only a part of the machine is covered, the command must be in it. */
static int go_where_covered(const struct request *request)
{
	struct ph_state state = {};
	struct ph_cover cover;
	int r;

	cover_recorded(&cover);
	if (cover_has_process(&cover, getpid()))
		return PH_EXIT_OK;
	r = state_peek(&state);
	if (!r)
		r = enter(state.attach);
	if (!r && cover_has_process(&cover, getpid()))
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold run: %s is not run: only what is in %s is covered, and this "
		      "process cannot go there%s%s; start it there\n",
		      request->command[0], state.attach, r ? ": " : "", r ? strerror(-r) : "");
	return PH_EXIT_REFUSED;
}

/* The byte lets the child execute the command; its end of the pipe closes when it does. */
static void let_go(const struct child *child, const char *command)
{
	int said = write(child->to, "", 1) == 1 ? hear(child) : -ECHILD;

	if (said > 0)
		(void)fprintf(stderr, "porthold run: %s: %s\n", command,
			      said == ENOENT && !strchr(command, '/') ? "command not found" :
									strerror(said));
}

static int execute(const struct request *request, struct target *target)
{
	cleanup_(child_donep) struct child child = { .from = -1, .to = -1 };
	sigset_t signals, before;
	int result, status;

	block_signals(&signals, &before);
	result = label_child(request, target, &before, &child);
	fd_close(target->lock);
	target->lock = -1;
	if (result == WITNESSED_LABEL)
		let_go(&child, request->command[0]);
	fd_close(child.to);
	child.to = -1;
	status = child.pid > 0 ? wait_for(child.pid, &signals) : 0;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return result == WITNESSED_LABEL ? status : complain(request, target, result);
}

/* Takes the policy away, unless somebody else is under it, and be it a child that outlives the command. */
static void tidy(struct target *target)
{
	struct ph_apply_options options = {};
	struct ph_applied applied;
	cleanup_close int lock = -1;
	struct ph_fault f = {};

	if (!target->path)
		return;
	fd_close(TAKE_FD(target->lock)); /* where the command did not come to run */
	lock = apply_lock(&f);
	if (lock < 0)
		(void)report_failure(NULL, &f);
	else if (look_for(0, target->id) == WITNESSED_NONE)
		(void)replace_policy(target->path, NULL, &options, &applied);
}

/* The child's number is looked for among those of the whole machine. */
static int require_pid(void)
{
	if (labels_know_pid())
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold run: this is a pid namespace, and labels go by the process numbers "
		      "of the whole machine: run in that of the host (podman or docker run --pid "
		      "host)\n");
	return PH_EXIT_REFUSED;
}

int cmd_run(int argc, char **argv)
{
	cleanup_(target_donep) struct target target = { .lock = -1 };
	struct request request = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("run");
	if (!r)
		r = require_pid();
	if (!r && ports_look_like(request.what))
		r = confine_ports(&request, &target);
	else if (!r)
		r = find_policy(request.what, &target);
	if (!r)
		r = go_where_covered(&request);
	if (!r)
		r = execute(&request, &target);
	tidy(&target);
	return r;
}
