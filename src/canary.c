// SPDX-License-Identifier: GPL-2.0-or-later
#include "canary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "canary-doors.h"
#include "kernel/attached.h"
#include "kernel/bpffs.h"
#include "kernel/counters.h"
#include "kernel/generation.h"
#include "kernel/labels.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"

#define FTRACE_SWITCH "/proc/sys/kernel/ftrace_enabled"
#define RESULT_PATH PH_RUN_DIR "/canary.json"
#define RESULT_SIZE_MAX (1U << 20)

DEFINE_CLEANUP_DONE(struct ph_claim_offer, claim_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);

/* The port at the addresses of this host that cannot be reached from elsewhere. */
static int make_rule(bool connect, struct ph_rule *ret)
{
	static const struct ph_cidr loopback[] = {
		{ .family = 4, .len = 8, .addr = { 127 } },
		{ .family = 6, .len = 128, .addr = { [15] = 1 } },
	};
	struct ph_rule rule = { .kind = PH_RULE_PORTS, .connect = connect, .bind = !connect };
	struct ph_cidrs *addresses = connect ? &rule.to : &rule.on;

	rule.ranges = calloc(1, sizeof(*rule.ranges));
	addresses->v = malloc(sizeof(loopback));
	if (!rule.ranges || !addresses->v) {
		rule_done(&rule);
		return -ENOMEM;
	}
	rule.n_ranges = 1;
	rule.ranges[0] = (struct ph_range){ PH_CANARY_PORT, PH_CANARY_PORT };
	memcpy(addresses->v, loopback, sizeof(loopback));
	addresses->n = sizeof(loopback) / sizeof(loopback[0]);
	*ret = rule;
	return 0;
}

static int add_rule(struct ph_policy *policy, bool connect)
{
	struct ph_rule rule;
	int r = make_rule(connect, &rule);

	if (r)
		return r;
	r = policy_add_rule(policy, &rule);
	if (r)
		rule_done(&rule);
	return r;
}

int canary_add_policy(struct ph_policy_set *set)
{
	cleanup_(policy_donep) struct ph_policy policy = { .name = strdup(PH_CANARY_NAME),
							   .match.run = true };
	int r = policy.name ? 0 : -ENOMEM;

	if (!r)
		r = add_rule(&policy, true);
	if (!r)
		r = add_rule(&policy, false);
	return r ? r : policy_set_add(set, &policy);
}

/* --- Outcomes */

static void succeed(struct ph_canary *canary, enum ph_canary_check check)
{
	canary->check[check].outcome = PH_CANARY_OK;
}

__attribute__((format(printf, 3, 4))) static void
fail(struct ph_canary *canary, enum ph_canary_check check, const char *format, ...)
{
	va_list arguments;

	canary->check[check].outcome = PH_CANARY_FAILED;
	va_start(arguments, format);
	(void)vsnprintf(canary->check[check].detail, sizeof(canary->check[check].detail), format,
			arguments);
	va_end(arguments);
}

bool canary_ok(const struct ph_canary *canary)
{
	for (int i = 0; i < PH_CANARY_CHECKS; i++)
		if (canary->check[i].outcome == PH_CANARY_FAILED)
			return false;
	return true;
}

const char *canary_check_name(enum ph_canary_check check)
{
	static const char *const names[PH_CANARY_CHECKS] = {
		[PH_CANARY_PROGRAMS] = "programs", [PH_CANARY_GENERATION] = "generation",
		[PH_CANARY_TABLES] = "tables",	   [PH_CANARY_DOORS] = "doors",
		[PH_CANARY_COUNTERS] = "counters",
	};

	return names[check];
}

/* --- Programs, generation, tables */

/* What the checks are about. */
struct subject {
	struct ph_kernel kernel;
	struct ph_state state;
	const struct ph_image *image; /* what should be in force; NULL: nobody knows */
};

/* All LSM programs of the machine hang on it, and anybody with root's rights can write it. */
static bool tracing_is_off(void)
{
	cleanup_close int fd = open(FTRACE_SWITCH, O_RDONLY | O_CLOEXEC);
	char value = 0;

	return fd >= 0 && read(fd, &value, 1) == 1 && value == '0';
}

void canary_put_right(void)
{
	cleanup_close int fd = -1;

	if (!tracing_is_off())
		return;
	fd = open(FTRACE_SWITCH, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "1", 1); /* what does not help is seen at the next look */
}

/* All, unless somebody has looked since these programs were attached. */
static struct ph_missed missed_since_last(const struct ph_missed *missed)
{
	json_t *last = canary_last();
	json_int_t labels = 0, calls = 0;
	struct ph_missed news = *missed;

	if (!json_unpack(last, "{s:{s:I, s:I}}", "missed", "labels", &labels, "calls", &calls) &&
	    (uint64_t)labels <= missed->labels && (uint64_t)calls <= missed->calls) {
		news.labels -= (uint64_t)labels;
		news.calls -= (uint64_t)calls;
	}
	json_decref(last);
	return news;
}

static void check_programs(const struct subject *subject, struct ph_canary *canary)
{
	char amiss[128];
	int r = attached_check(&subject->kernel, &subject->state, amiss, sizeof(amiss),
			       &canary->missed);

	canary->news = missed_since_last(&canary->missed);
	if (r)
		fail(canary, PH_CANARY_PROGRAMS, "%s", r > 0 ? amiss : strerror(-r));
	else if (subject->state.backend == PH_BACKEND_LSM && !attached_is_run())
		fail(canary, PH_CANARY_PROGRAMS,
		     "the kernel runs no LSM program%s; of sockets only those are held that "
		     "confined processes opened before",
		     tracing_is_off() ? ": sysctl kernel.ftrace_enabled=1" : "");
	else if (canary->news.calls)
		fail(canary, PH_CANARY_PROGRAMS,
		     "%" PRIu64
		     " calls passed that nobody looked at, as the kernel does not run an "
		     "LSM program while another task is preempted in it; boot with "
		     "preempt=voluntary",
		     canary->news.calls);
	else
		succeed(canary, PH_CANARY_PROGRAMS);
}

static void check_tables(const struct subject *subject, const struct ph_header *header,
			 struct ph_canary *canary)
{
	const char *table = "";
	int r = generation_check(&subject->kernel, subject->image, header->slot, &table);

	if (!r)
		succeed(canary, PH_CANARY_TABLES);
	else
		fail(canary, PH_CANARY_TABLES, "%s: %s", table,
		     r > 0 ? "does not hold what the policies say" : strerror(-r));
}

/* But for what the policies do not say. */
static bool is_header_of(const struct ph_header *header, const struct ph_image *image)
{
	__u32 differ = header->features ^ image->header.features;

	return !(differ & ~(__u32)(PH_FEATURE_KEEP | PH_FEATURE_LABELLED));
}

/* The last one that was made, or, when that was on trial and is over, the one before. */
static bool is_last(const struct subject *subject, const struct ph_header *header)
{
	struct ph_header trial;

	return header->generation == subject->state.generation ||
	       (!generation_trial(&subject->kernel, &trial) &&
		trial.generation == subject->state.generation);
}

static void check_generation(const struct subject *subject, struct ph_canary *canary)
{
	struct ph_header header;
	int r = generation_current(&subject->kernel, &header);

	if (r)
		fail(canary, PH_CANARY_GENERATION, "%s",
		     r == -ENOENT ? "no generation is in force" : strerror(-r));
	else if (!is_last(subject, &header))
		fail(canary, PH_CANARY_GENERATION,
		     "generation %" PRIu64 " is in force, the last one is %" PRIu64,
		     (uint64_t)header.generation, (uint64_t)subject->state.generation);
	else if (!subject->image)
		succeed(canary, PH_CANARY_GENERATION);
	else if (header.hash != subject->image->header.hash)
		fail(canary, PH_CANARY_GENERATION, "what is in force is not what was put there");
	else if (!is_header_of(&header, subject->image))
		fail(canary, PH_CANARY_GENERATION, "its header is not what the policies say");
	else
		succeed(canary, PH_CANARY_GENERATION);
	if (subject->image && canary->check[PH_CANARY_GENERATION].outcome == PH_CANARY_OK)
		check_tables(subject, &header, canary);
}

/* --- The child */

/* Calls of the canary that were refused so far, at whatever door. 0 or -errno. */
static int count_refused(const struct ph_kernel *kernel, uint64_t *ret)
{
	return counters_sum(kernel, PH_CANARY_ID, PH_COUNT_ATTEMPT, ret);
}

/* Each of its refusals must have been counted once, and nobody else counts for it. */
static void check_counters(const struct subject *subject, uint64_t before, size_t refused,
			   struct ph_canary *canary)
{
	uint64_t after = 0;
	int r = count_refused(&subject->kernel, &after);

	if (r)
		fail(canary, PH_CANARY_COUNTERS, "they cannot be read: %s", strerror(-r));
	else if (after < before)
		fail(canary, PH_CANARY_COUNTERS,
		     "%zu calls were refused, and the count fell from %" PRIu64 " to %" PRIu64,
		     refused, before, after);
	else if (after - before != refused)
		fail(canary, PH_CANARY_COUNTERS, "%zu calls were refused, %" PRIu64 " were counted",
		     refused, after - before);
	else
		succeed(canary, PH_CANARY_COUNTERS);
}

/* Where only a part of the machine is covered, the child goes there; NULL: it need not. */
static const char *make_cgroup(const struct ph_state *state, char ret[PH_PATH_LEN * 2])
{
	char root[PH_PATH_LEN];

	if (!cgroup_root_find(root, sizeof(root)) && !strcmp(root, state->attach))
		return NULL;
	(void)snprintf(ret, PH_PATH_LEN * 2, "%s/" PH_CANARY_NAME, state->attach);
	(void)mkdir(ret, 0755); /* a failure is the child's to tell */
	return ret;
}

/* What canary_try_doors() answers, and 1 for a child that got no label. */
static int send_canary(const struct subject *subject, const struct ph_claim_offer *offer,
		       size_t *ret_refused, char *ret, size_t size)
{
	char path[PH_PATH_LEN * 2];
	const char *cgroup = make_cgroup(&subject->state, path);
	int r = canary_try_doors(subject->state.backend, offer, cgroup, ret_refused, ret, size);

	if (cgroup)
		(void)rmdir(cgroup);
	if (claim_settle(&subject->kernel)) {
		(void)snprintf(ret, size, "the canary's process was not labelled");
		r = 1;
	}
	(void)labels_drop(&subject->kernel, PH_CANARY_ID);
	return r;
}

static void check_doors(const struct subject *subject, struct ph_canary *canary)
{
	cleanup_(claim_donep) struct ph_claim_offer offer = PH_CLAIM_NULL;
	uint64_t before = 0;
	char amiss[160];
	size_t refused = 0;
	int r = claim_offer(&subject->kernel, PH_CANARY_ID, &offer), unread;

	if (r) {
		fail(canary, PH_CANARY_DOORS, "the canary's label cannot be offered: %s",
		     strerror(-r));
		return;
	}
	/* No other canary is at work while the offer stands. */
	unread = count_refused(&subject->kernel, &before);
	r = send_canary(subject, &offer, &refused, amiss, sizeof(amiss));
	if (r) {
		fail(canary, PH_CANARY_DOORS, "%s", amiss);
		return;
	}
	succeed(canary, PH_CANARY_DOORS);
	if (unread)
		fail(canary, PH_CANARY_COUNTERS, "they cannot be read: %s", strerror(-unread));
	else
		check_counters(subject, before, refused, canary);
}

/* --- All of it */

static void look(struct subject *subject, const struct ph_image *image, struct ph_canary *canary)
{
	check_programs(subject, canary);
	subject->image = image;
	check_generation(subject, canary);
	subject->image = NULL;
}

static int open_subject(struct subject *ret, struct ph_canary *canary)
{
	char remedy[PH_PATH_LEN];
	struct ph_fault f = {};
	int r = kernel_open(&ret->kernel, &f);

	if (!r)
		r = kernel_state_read(&ret->kernel, &ret->state);
	if (r && bpffs_is_covered(remedy))
		fail(canary, PH_CANARY_PROGRAMS, "the pins cannot be reached: %s", remedy);
	else if (r)
		fail(canary, PH_CANARY_PROGRAMS, "%s", r == -ENOENT ? "the pins are gone" : f.text);
	return r;
}

static void keep_result(const struct ph_canary *canary)
{
	json_t *object = canary_json(canary);
	cleanup_free char *text = object ? json_to_text(object, JSON_COMPACT) : NULL;

	json_decref(object);
	/* Without it status says that nothing is known, which is then so. */
	if (!text || mkdir_parents(PH_RUN_DIR, 0755) ||
	    file_write_atomic(RESULT_PATH, text, strlen(text), 0644))
		(void)canary_forget();
}

void canary_look(const struct ph_image *image, struct ph_canary *ret)
{
	struct subject subject = { .kernel = PH_KERNEL_NULL };
	struct ph_canary canary = { .time = boot_now() };

	if (!open_subject(&subject, &canary))
		look(&subject, image, &canary);
	kernel_close(&subject.kernel);
	*ret = canary;
}

/* Of whom a name or a program brings a policy now; twice, as a fork can straddle the first pass. */
static void renew_labels(void)
{
	for (int pass = 0; pass < 2; pass++) {
		cleanup_(labels_donep) struct ph_labels labels = {};

		(void)labels_pass(&labels);
	}
}

void canary_run(const struct ph_image *image, struct ph_canary *ret)
{
	struct subject subject = { .kernel = PH_KERNEL_NULL };
	struct ph_canary canary = { .time = boot_now() };

	if (!open_subject(&subject, &canary)) {
		look(&subject, image, &canary);
		check_doors(&subject, &canary);
		if (canary.news.labels)
			renew_labels();
	}
	kernel_close(&subject.kernel);
	keep_result(&canary);
	*ret = canary;
}

/* --- Telling */

void canary_text(const struct ph_canary *canary, char *ret, size_t size)
{
	size_t used = 0;

	*ret = 0;
	for (int i = 0; i < PH_CANARY_CHECKS && used < size; i++)
		if (canary->check[i].outcome == PH_CANARY_FAILED)
			used += snprintf(ret + used, size - used, "%s%s: %s", used ? "; " : "",
					 canary_check_name(i), canary->check[i].detail);
}

json_t *canary_json(const struct ph_canary *canary)
{
	static const char *const outcomes[] = {
		[PH_CANARY_UNTRIED] = "untried",
		[PH_CANARY_OK] = "ok",
		[PH_CANARY_FAILED] = "failed",
	};
	json_t *checks = json_object();

	for (int i = 0; i < PH_CANARY_CHECKS; i++)
		(void)json_object_set_new(checks, canary_check_name(i),
					  json_pack("{s:s, s:s}", "outcome",
						    outcomes[canary->check[i].outcome], "detail",
						    canary->check[i].detail));
	return json_pack("{s:b, s:I, s:o, s:{s:I, s:I}}", "ok", canary_ok(canary), "time",
			 (json_int_t)canary->time, "checks", checks, "missed", "labels",
			 (json_int_t)canary->missed.labels, "calls",
			 (json_int_t)canary->missed.calls);
}

json_t *canary_last(void)
{
	cleanup_free char *text = NULL;
	size_t length;

	return file_read(RESULT_PATH, RESULT_SIZE_MAX, &text, &length) ?
		       NULL :
		       json_loadb(text, length, 0, NULL);
}

int canary_forget(void)
{
	return file_remove(RESULT_PATH);
}
