// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/counters.h"
#include "policy/print.h"
#include "policy/store.h"
#include "util/cleanup.h"

#define NSEC 1000000000ull
#define POLL_NS (50 * 1000 * 1000)

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static uint64_t boot_time(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * NSEC + now.tv_nsec;
}

static void watch_release(struct ph_watch *watch)
{
	slots_close(&watch->slots);
	kernel_close(&watch->kernel);
	policy_done(&watch->policy);
	free(watch->path);
	fd_close(watch->file);
	*watch = (struct ph_watch)PH_WATCH_NULL;
}

/* --- Beginning */

/* The audit twin: the same match, and nothing granted. */
static int make_twin(const struct ph_policy *subject, struct ph_watch *watch)
{
	cleanup_(policy_donep) struct ph_policy copy = {};
	struct ph_policy twin = { .mode = PH_POLICY_AUDIT, .children = subject->children };

	if (strlen(subject->name) + strlen(PH_LEARN_PREFIX) > PH_POLICY_NAME_MAX)
		return usage_error("learn", "%s: the name is too long to be watched",
				   subject->name);
	if (policy_copy(subject, &copy) ||
	    asprintf(&twin.name, PH_LEARN_PREFIX "%s", subject->name) < 0)
		return no_memory("learn");
	twin.match = copy.match;
	copy.match = (struct ph_match){};
	watch->policy = twin;
	watch->id = policy_id(&twin);
	return store_path(PH_RUN_POLICIES, twin.name, &watch->path) ? no_memory("learn") : 0;
}

/* Whoever watches holds a lock on the file; asking for it takes none. */
static bool is_locked(int file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(file, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static void lock_file(struct ph_watch *watch)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	watch->file = open(watch->path, O_RDWR | O_CLOEXEC);
	if (watch->file >= 0)
		(void)fcntl(watch->file, F_OFD_SETLK, &lock);
}

static int look_for_others(struct ph_watch *watch)
{
	cleanup_close int file = open(watch->path, O_RDONLY | O_CLOEXEC);

	watch->adopted = file >= 0;
	if (!watch->adopted || !is_locked(file))
		return 0;
	(void)fprintf(stderr, "porthold learn: another learn watches the same; let it end\n");
	return PH_EXIT_IMPOSSIBLE;
}

static int open_events(struct ph_watch *watch)
{
	struct ph_fault f = {};
	int r = kernel_open(&watch->kernel, &f);

	if (!r)
		r = slots_open(&watch->kernel, &watch->slots);
	if (!r)
		return 0;
	(void)fprintf(stderr, "porthold learn: cannot read the events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}

/* Events of an earlier watch are still counted, and may still be in the slots. */
static void note_earlier(struct ph_watch *watch)
{
	struct ph_kernel kernel = PH_KERNEL_NULL;

	watch->since = boot_time();
	if (!kernel_open(&kernel, &(struct ph_fault){}))
		watch->counted = counters_sum(&kernel, watch->id, PH_COUNT_AUDIT);
	kernel_close(&kernel);
}

/* The lock on all changes is held. */
static int drop_policy(struct ph_watch *watch)
{
	const struct ph_apply_options recorded = {};
	struct ph_applied applied = {};

	if (!access(watch->path, F_OK))
		return replace_policy(watch->path, NULL, &recorded, &applied);
	watch->stopped = true;
	return 0;
}

static int end_policy(struct ph_watch *watch)
{
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int r;

	lock = apply_lock(&f);
	r = lock < 0 ? report_failure(NULL, &f) : drop_policy(watch);
	if (r)
		(void)fprintf(stderr,
			      "porthold learn: the audit policy %s may still be in force; it "
			      "refuses nothing. To drop it: porthold remove %s\n",
			      watch->policy.name, watch->policy.name);
	return r;
}

/* A policy of somebody's that has the name of the twin would be out of force meanwhile. */
static int look_for_namesake(const struct ph_watch *watch)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_policy *found;

	if (store_load_good(NULL, &set, &problems))
		return 0; /* the change will say what is wrong */
	found = policy_set_find(&set, watch->policy.name);
	if (!found || !strcmp(found->file, watch->path))
		return 0;
	(void)fprintf(stderr,
		      "porthold learn: %s:%u: the policy is called %s, which learn needs; rename "
		      "it\n",
		      found->file, found->line, found->name);
	return PH_EXIT_IMPOSSIBLE;
}

/* The lock on all changes is held. On failure nothing is left in force. */
static int put_in_force(struct ph_watch *watch, const struct ph_apply_options *options)
{
	cleanup_(policy_donep) struct ph_policy policy = {};
	struct ph_applied applied = {};
	int r = look_for_others(watch);

	if (!r)
		r = look_for_namesake(watch);
	if (r)
		return r;
	note_earlier(watch);
	if (policy_copy(&watch->policy, &policy))
		return no_memory("learn");
	policy.file = watch->path;
	policy.line = PH_ONE_POLICY_LINE;
	r = replace_policy(watch->path, &policy, options, &applied);
	if (r) {
		/* The canary may have failed with the policy in force. */
		(void)drop_policy(watch);
		return r;
	}
	watch->backend = applied.backend;
	lock_file(watch);
	return 0;
}

int watch_begin(struct ph_watch *watch, const struct ph_policy *subject,
		const struct ph_apply_options *options)
{
	struct ph_fault f = {};
	int r = make_twin(subject, watch), lock;

	if (!r) {
		lock = apply_lock(&f);
		r = lock < 0 ? report_failure(NULL, &f) : put_in_force(watch, options);
		fd_close(lock);
	}
	if (!r) {
		r = open_events(watch);
		if (r)
			(void)end_policy(watch);
	}
	if (r)
		watch_release(watch);
	return r;
}

/* --- Looking */

static bool is_ours(const struct ph_watch *watch, const struct ph_event *event)
{
	return event->policy == watch->id && event->kind == PH_EVENT_AUDIT &&
	       event->time >= watch->since;
}

static int look(struct ph_watch *watch, struct ph_seen *seen)
{
	struct ph_event event;
	int r;

	while ((r = slots_next(&watch->slots, &event)) == 1) {
		r = is_ours(watch, &event) ? seen_add(seen, &event) : 0;
		if (r)
			break;
	}
	if (!r || r == -EAGAIN) /* the next one is being written: at the next look */
		return 0;
	(void)fprintf(stderr, "porthold learn: cannot take in the events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}

int watch_run(struct ph_watch *watch, const sigset_t *signals, unsigned seconds,
	      struct ph_seen *seen)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t end = boot_time() + seconds * NSEC;
	int r;

	do {
		r = look(watch, seen);
		watch->stopped = access(watch->path, F_OK);
		watch->until = boot_time();
	} while (!r && !watch->stopped && (!seconds || watch->until < end) &&
		 sigtimedwait(signals, NULL, &pause) < 0);
	return r;
}

/* --- Ending */

int watch_end(struct ph_watch *watch, struct ph_seen *seen, struct ph_watched *ret)
{
	struct ph_watched watched = { .backend = watch->backend };
	int r = watch->stopped ? 0 : end_policy(watch), last;
	uint64_t counted;

	last = look(watch, seen);
	counted = counters_sum(&watch->kernel, watch->id, PH_COUNT_AUDIT) - watch->counted;
	watched.lost = counted > seen->calls ? counted - seen->calls : 0;
	watched.seconds = (watch->until - watch->since + NSEC / 2) / NSEC;
	watched.stopped = watch->stopped;
	watch_release(watch);
	*ret = watched;
	return r ? r : last;
}

int watch_spare(const struct ph_edits *edits)
{
	for (size_t i = 0; i < edits->n; i++) {
		const struct ph_edit *edit = &edits->v[i];
		cleanup_close int file = edit->text ? open(edit->path, O_RDONLY | O_CLOEXEC) : -1;

		if (file < 0 || !is_locked(file))
			continue;
		(void)fprintf(stderr, "porthold: %s belongs to a learn at work; let it end\n",
			      edit->path);
		return PH_EXIT_IMPOSSIBLE;
	}
	return PH_EXIT_OK;
}

bool watch_is(const struct ph_policy *policy, bool *ret_left)
{
	cleanup_close int file = -1;

	if (policy->mode != PH_POLICY_AUDIT || !policy->file ||
	    strncmp(policy->name, PH_LEARN_PREFIX, strlen(PH_LEARN_PREFIX)))
		return false;
	file = open(policy->file, O_RDONLY | O_CLOEXEC);
	*ret_left = file < 0 || !is_locked(file);
	return true;
}
