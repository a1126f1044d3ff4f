// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/lookout.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "kernel/counters.h"
#include "policy/print.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define WRITER_PAUSE_MS 50

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static void lookout_release(struct ph_lookout *lookout)
{
	wake_close(&lookout->wake);
	slots_close(&lookout->slots);
	kernel_close(&lookout->kernel);
	policy_done(&lookout->policy);
	free(lookout->path);
	fd_close(lookout->file);
	*lookout = (struct ph_lookout)PH_LOOKOUT_NULL;
}

/* --- Beginning */

/* The audit twin: the same match, and nothing granted. */
static int make_twin(const struct ph_policy *subject, struct ph_lookout *lookout)
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
	lookout->policy = twin;
	lookout->id = policy_id(&twin);
	return store_path(PH_RUN_POLICIES, twin.name, &lookout->path) ? no_memory("learn") : 0;
}

/* Whoever watches holds a lock on the file; asking for it takes none. */
static bool is_locked(int file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(file, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static void lock_file(struct ph_lookout *lookout)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	lookout->file = open(lookout->path, O_RDWR | O_CLOEXEC);
	if (lookout->file >= 0)
		(void)fcntl(lookout->file, F_OFD_SETLK, &lock);
}

static int look_for_others(struct ph_lookout *lookout)
{
	cleanup_close int file = open(lookout->path, O_RDONLY | O_CLOEXEC);

	lookout->adopted = file >= 0;
	if (!lookout->adopted || !is_locked(file))
		return 0;
	(void)fprintf(stderr, "porthold learn: another learn watches the same; let it end\n");
	return PH_EXIT_IMPOSSIBLE;
}

static int open_events(struct ph_lookout *lookout)
{
	struct ph_fault f = {};
	int r = kernel_open(&lookout->kernel, &f);

	if (!r)
		r = slots_open(&lookout->kernel, &lookout->slots);
	if (!r)
		r = wake_open(&lookout->kernel, &lookout->wake);
	if (!r)
		return 0;
	(void)fprintf(stderr, "porthold learn: cannot read the events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}

/* Events of an earlier watch are still counted, and may still be in the slots. */
static void note_earlier(struct ph_lookout *lookout)
{
	struct ph_kernel kernel = PH_KERNEL_NULL;

	lookout->since = boot_now();
	if (!kernel_open(&kernel, &(struct ph_fault){}))
		(void)counters_sum(&kernel, lookout->id, PH_COUNT_AUDIT, &lookout->counted);
	lookout->withheld = health_read(&kernel, PH_HEALTH_WITHHELD);
	kernel_close(&kernel);
}

/* The lock on all changes is held. */
static int drop_policy(struct ph_lookout *lookout)
{
	const struct ph_apply_options recorded = {};
	struct ph_applied applied = {};

	if (!access(lookout->path, F_OK))
		return replace_policy(lookout->path, NULL, &recorded, &applied);
	lookout->stopped = true;
	return 0;
}

static int end_policy(struct ph_lookout *lookout)
{
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int r;

	lock = apply_lock(&f);
	r = lock < 0 ? report_failure(NULL, &f) : drop_policy(lookout);
	if (r)
		(void)fprintf(stderr,
			      "porthold learn: the audit policy %s may still be in force; it "
			      "refuses nothing. To drop it: porthold remove %s\n",
			      lookout->policy.name, lookout->policy.name);
	return r;
}

/* A policy of somebody's that has the name of the twin would be out of force meanwhile. */
static int look_for_namesake(const struct ph_lookout *lookout)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_policy *found;

	if (store_load_good(NULL, &set, &problems))
		return 0; /* the change will say what is wrong */
	found = policy_set_find(&set, lookout->policy.name);
	if (!found || !strcmp(found->file, lookout->path))
		return 0;
	(void)fprintf(stderr,
		      "porthold learn: %s:%u: the policy is called %s, which learn needs; rename "
		      "it\n",
		      found->file, found->line, found->name);
	return PH_EXIT_IMPOSSIBLE;
}

/* The lock on all changes is held. On failure nothing is left in force. */
static int put_in_force(struct ph_lookout *lookout, const struct ph_apply_options *options)
{
	cleanup_(policy_donep) struct ph_policy policy = {};
	struct ph_applied applied = {};
	int r = look_for_others(lookout);

	if (!r)
		r = look_for_namesake(lookout);
	if (r)
		return r;
	note_earlier(lookout);
	if (policy_copy(&lookout->policy, &policy))
		return no_memory("learn");
	policy.file = lookout->path;
	policy.line = PH_ONE_POLICY_LINE;
	r = replace_policy(lookout->path, &policy, options, &applied);
	if (r) {
		/* The canary may have failed with the policy in force. */
		(void)drop_policy(lookout);
		return r;
	}
	lookout->backend = applied.backend;
	lock_file(lookout);
	return 0;
}

int lookout_begin(struct ph_lookout *lookout, const struct ph_policy *subject,
		  const struct ph_apply_options *options)
{
	struct ph_fault f = {};
	int r = make_twin(subject, lookout), lock;

	if (!r) {
		lock = apply_lock(&f);
		r = lock < 0 ? report_failure(NULL, &f) : put_in_force(lookout, options);
		fd_close(lock);
	}
	if (!r) {
		r = open_events(lookout);
		if (r)
			(void)end_policy(lookout);
	}
	if (r)
		lookout_release(lookout);
	return r;
}

/* --- Looking */

static bool is_ours(const struct ph_lookout *lookout, const struct ph_event *event)
{
	return event->policy == lookout->id && event->kind == PH_EVENT_AUDIT &&
	       event->time >= lookout->since;
}

/* *ret_more: an event is still being written, and nothing may tell when it is there. */
static int look(struct ph_lookout *lookout, struct ph_seen *seen, bool *ret_more)
{
	struct ph_event event;
	int r;

	while ((r = slots_next(&lookout->slots, &event)) == 1) {
		r = is_ours(lookout, &event) ? seen_add(seen, &event) : 0;
		if (r)
			break;
	}
	*ret_more = r == -EAGAIN;
	if (!r || r == -EAGAIN)
		return 0;
	(void)fprintf(stderr, "porthold learn: cannot take in the events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}

/* Readable when files of the directory go. */
static int watch_removals(const char *path)
{
	cleanup_free char *copy = strdup(path);
	cleanup_close int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (!copy || fd < 0)
		return copy ? -errno : -ENOMEM;
	if (inotify_add_watch(fd, dirname(copy), IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Readable when the time is up; 0: never. */
static int open_timer(unsigned seconds)
{
	const struct itimerspec time = { .it_value.tv_sec = seconds };
	cleanup_close int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &time, NULL))
		return -errno;
	return TAKE_FD(fd);
}

enum {
	WAIT_EVENTS,
	WAIT_REMOVALS,
	WAIT_SIGNAL,
	WAIT_TIME,
	WAITS
};

/* Whether to go on, when there may be something to look at. */
static bool wait_for_news(struct ph_lookout *lookout, struct pollfd waits[WAITS], bool more)
{
	char removed[4096];

	(void)poll(waits, WAITS, more ? WRITER_PAUSE_MS : -1);
	wake_clear(&lookout->wake);
	(void)!read(waits[WAIT_REMOVALS].fd, removed, sizeof(removed));
	lookout->stopped = access(lookout->path, F_OK);
	return !lookout->stopped && !waits[WAIT_SIGNAL].revents && !waits[WAIT_TIME].revents;
}

static int look_on(struct ph_lookout *lookout, struct pollfd waits[WAITS], struct ph_seen *seen)
{
	bool more;
	int r;

	do
		r = look(lookout, seen, &more);
	while (!r && wait_for_news(lookout, waits, more));
	lookout->until = boot_now();
	return r;
}

int lookout_run(struct ph_lookout *lookout, const sigset_t *signals, unsigned seconds,
		struct ph_seen *seen)
{
	cleanup_close int removals = watch_removals(lookout->path);
	cleanup_close int timer = open_timer(seconds);
	cleanup_close int signal = signalfd(-1, signals, SFD_CLOEXEC);
	int r = signal < 0 ? -errno : removals < 0 ? removals : timer < 0 ? timer : 0;
	struct pollfd waits[WAITS] = {
		[WAIT_EVENTS] = { .fd = lookout->wake.fd, .events = POLLIN },
		[WAIT_REMOVALS] = { .fd = removals, .events = POLLIN },
		[WAIT_SIGNAL] = { .fd = signal, .events = POLLIN },
		[WAIT_TIME] = { .fd = timer, .events = POLLIN },
	};

	if (!r)
		return look_on(lookout, waits, seen);
	(void)fprintf(stderr, "porthold learn: cannot wait for events: %s\n", strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}

/* --- Ending */

/* What was folded only repeats what was seen; what was overwritten or withheld may be anything. */
static void account(const struct ph_lookout *lookout, struct ph_seen *seen,
		    struct ph_lookout_report *watched)
{
	uint64_t counted = 0;
	uint64_t withheld = health_read(&lookout->kernel, PH_HEALTH_WITHHELD);
	uint64_t gone = lookout->slots.lost + withheld - lookout->withheld, unseen;

	/* What cannot be read is taken for what was seen. */
	(void)counters_sum(&lookout->kernel, lookout->id, PH_COUNT_AUDIT, &counted);
	counted = counted > lookout->counted ? counted - lookout->counted : 0;
	unseen = counted > seen->calls ? counted - seen->calls : 0;
	watched->lost = unseen < gone ? unseen : gone;
	seen->calls += unseen - watched->lost;
}

int lookout_end(struct ph_lookout *lookout, struct ph_seen *seen, struct ph_lookout_report *ret)
{
	struct ph_lookout_report watched = { .backend = lookout->backend };
	int r = lookout->stopped ? 0 : end_policy(lookout), last;
	bool more;

	last = look(lookout, seen, &more);
	account(lookout, seen, &watched);
	watched.seconds = (lookout->until - lookout->since + PH_SECOND / 2) / PH_SECOND;
	watched.stopped = lookout->stopped;
	lookout_release(lookout);
	*ret = watched;
	return r ? r : last;
}

int lookout_spare(const struct ph_edits *edits)
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

bool lookout_is(const struct ph_policy *policy, bool *ret_left)
{
	cleanup_close int file = -1;

	if (policy->mode != PH_POLICY_AUDIT || !policy->file ||
	    strncmp(policy->name, PH_LEARN_PREFIX, strlen(PH_LEARN_PREFIX)))
		return false;
	file = open(policy->file, O_RDONLY | O_CLOEXEC);
	*ret_left = file < 0 || !is_locked(file);
	return true;
}
