// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "daemon/denials.h"
#include "daemon/exposition.h"
#include "daemon/health.h"
#include "daemon/metrics.h"
#include "daemon/mounts.h"
#include "daemon/outcome.h"
#include "daemon/privileges.h"
#include "daemon/reload.h"
#include "daemon/say.h"
#include "daemon/settings.h"
#include "daemon/single.h"
#include "daemon/watch.h"
#include "daemon/worker.h"
#include "kernel/bpffs.h"
#include "kernel/doors.h"
#include "kernel/labels.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"

#define MSEC 1000ull
#define SECOND (1000 * MSEC)

#define SETTLE (100 * MSEC) /* after the last change of several */
#define SETTLE_MAX SECOND /* after the first */
#define BUSY_PAUSE (2 * SECOND)
#define LOCKED_LIMIT \
	(60 * PH_SECOND) /* for which who asked for a reload waits for another porthold */
#define RETRY_PAUSE (30 * SECOND)
#define ACCURACY (10 * MSEC)
#define HEALTH_PAUSE (60 * SECOND)
#define UNCHECKED_LIMIT 3 /* times in a row that the canary may find the policies locked */
#define HEALTH_ACCURACY SECOND

struct daemon {
	sd_event *event;
	int lock;
	int first_root; /* see mounts.h; negative: what is mounted over the files is not noticed */

	const char *settings_path;
	bool settings_must_exist;
	struct ph_settings settings;
	char *settings_said; /* what was wrong with them when they were last read; the old ones hold */

	struct ph_watch watch;
	sd_event_source *watch_source;
	sd_event_source *due; /* the time of the next apply */
	uint64_t first_change; /* that it waits for; 0: none */

	struct ph_worker apply;
	struct ph_reload_order order;
	char *other; /* a file that is another one for the first process */
	struct ph_reload_report report; /* the last one of an apply that was not put off */
	char *said; /* its text */
	uint64_t began; /* boot time of the last apply */
	uint64_t asked; /* boot time of the last reload that waits for an answer; 0: none does */
	bool wanted; /* another apply, once this one is done */
	bool started;
	bool stopping;
	bool disabled; /* by the kernel's command line */

	struct ph_worker health;
	sd_event_source *health_due;
	char *ill; /* what the canary found amiss; NULL: it is well */
	unsigned unchecked; /* times in a row that it could not look */

	struct ph_denials denials;
	struct ph_metrics metrics;
	struct ph_exposed exposed;
};

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static void daemon_done(struct daemon *d)
{
	worker_cancel(&d->apply);
	worker_cancel(&d->health);
	metrics_stop(&d->metrics);
	denials_close(&d->denials);
	d->health_due = sd_event_source_disable_unref(d->health_due);
	d->watch_source = sd_event_source_disable_unref(d->watch_source);
	d->due = sd_event_source_disable_unref(d->due);
	watch_done(&d->watch);
	settings_done(&d->settings);
	free(d->settings_said);
	free(d->said);
	free(d->ill);
	free(d->other);
	fd_close(d->first_root);
	fd_close(d->lock);
	d->event = sd_event_unref(d->event);
}

DEFINE_CLEANUP_DONE(struct daemon, daemon_done);

/* --- What is told */

static void tell_state(const struct daemon *d)
{
	const struct ph_reload_report *report = &d->report;
	const char *bad = "";

	if (d->ill)
		bad = "; THE CANARY FAILED, see the log";
	else if (report->elsewhere)
		bad = "; THE POLICY FILES ARE COVERED, see the log";
	else if (report->lost)
		bad = "; POLICY FILES ARE LOST, see the log";
	else if (report->status || report->bad_files)
		bad = "; bad policy files, see the log";
	else if (d->settings_said)
		bad = "; bad settings, see the log: the old ones hold";
	else if (report->in_force && report->degraded)
		bad = "; doors are open, see porthold status";
	if (d->disabled)
		say_status("porthold.disable is on the kernel's command line: nothing is applied");
	else if (!report->in_force)
		say_status("%sno policy is in force%s", *bad ? "DEGRADED: " : "", bad);
	else
		say_status("%sgeneration %llu is in force%s", *bad ? "DEGRADED: " : "",
			   (unsigned long long)report->generation, bad);
}

static void tell_change(const struct ph_reload_report *report)
{
	if (!report->in_force) {
		say(LOG_NOTICE, "no policy is in force; nothing is attached");
		return;
	}
	say(LOG_NOTICE,
	    "generation %llu is in force: policies: %zu, backend %s%s, confined now: %zu",
	    (unsigned long long)report->generation, report->policies, backend_name(report->backend),
	    report->covers_part ? " for a part of the machine" : "", report->confined);
}

/* Not again and again the same. Takes the text over; NULL: nothing is to be told. */
static void tell_once(char **said, int priority, char *text)
{
	if (text && (!*said || strcmp(*said, text)))
		say_lines(priority, text);
	free(*said);
	*said = text;
}

/* --- Settings */

static void read_settings(struct daemon *d)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	char *text = NULL;
	int r = settings_read(d->settings_path, d->settings_must_exist, &d->settings, &problems);

	if (r && problems_format(&problems, &text))
		text = NULL;
	tell_once(&d->settings_said, LOG_ERR, text);
}

/* What the settings say of denials and metrics. */
static void serve(struct daemon *d)
{
	denials_follow(&d->denials, d->event, &d->settings);
	metrics_serve(&d->metrics, d->event, &d->settings.metrics, exposition_write, &d->exposed);
}

/* --- What is answered to whoever asked for a reload */

static const char *state_in_words(const struct daemon *d)
{
	if (d->disabled)
		return "porthold.disable is on the kernel's command line: nothing is applied\n";
	return d->settings_said ? "bad settings: the old ones hold\n" : "";
}

/* Unless all was read before it was asked for. text (may be NULL) says what came of the policies. */
static void tell_outcome(struct daemon *d, int status, const char *text)
{
	struct ph_outcome outcome = {
		.began = d->began,
		.status = status || !d->settings_said ? status : PH_EXIT_NO,
	};
	int r = -ENOMEM;

	if (!d->asked || d->began < d->asked)
		return;
	d->asked = 0;
	if (asprintf(&outcome.text, "%s%s%s", d->settings_said ?: "", state_in_words(d),
		     text ?: "") < 0)
		outcome.text = NULL;
	else
		r = outcome_write(&outcome);
	/* Somebody waits for it. */
	if (r && outcome.text)
		r = outcome_write(&outcome);
	outcome_done(&outcome);
	if (r)
		say(LOG_WARNING, "who asked for a reload cannot be answered: %s", strerror(-r));
}

/* --- The canary */

/* Takes the text over: what is amiss; NULL: nothing. */
static void take_health(struct daemon *d, char *ill)
{
	if (d->ill && !ill)
		say(LOG_NOTICE, "the canary is well again");
	d->exposed.checked = boot_now();
	d->exposed.checks++;
	d->exposed.failed_checks += ill != NULL;
	d->exposed.check_succeeded = !ill;
	tell_once(&d->ill, LOG_ALERT, ill);
	tell_state(d);
}

static void apply_soon(struct daemon *d);

/* NULL: out of memory. */
static char *describe_ill(enum ph_health_result result, const char *found)
{
	const char *what = result == PH_HEALTH_ILL ? "what is in force does not hold" :
						     "it cannot look";
	char *text = NULL;

	return asprintf(&text, "THE CANARY FAILED: %s: %s", what, found) < 0 ? NULL : text;
}

static void on_checked(void *user, const char *answer, size_t length)
{
	enum ph_health_result result = PH_HEALTH_BUSY;
	struct daemon *d = user;
	const char *found = "";
	bool ill;

	if (answer && length >= sizeof(result)) {
		memcpy(&result, answer, sizeof(result));
		found = answer + sizeof(result);
	}
	if (result == PH_HEALTH_TRIAL)
		return;
	d->unchecked = result == PH_HEALTH_BUSY ? d->unchecked + 1 : 0;
	if (d->unchecked && d->unchecked < UNCHECKED_LIMIT)
		return;
	ill = d->unchecked || result == PH_HEALTH_ILL;
	take_health(d, ill ? describe_ill(result, found) : NULL);
	/* What is amiss may be mended by that; what was refused would be so again. */
	if (result == PH_HEALTH_ILL || (result == PH_HEALTH_CHANGED && !d->report.status))
		apply_soon(d);
}

static int on_health_due(sd_event_source *source, uint64_t now, void *user)
{
	struct daemon *d = user;

	/* What is about to change is looked at then. */
	if (d->report.in_force && !worker_busy(&d->apply) && !d->first_change &&
	    !worker_busy(&d->health))
		(void)worker_start(&d->health, d->event, health_check, NULL, on_checked, d);
	(void)sd_event_source_set_time(source, now + HEALTH_PAUSE);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int watch_health(struct daemon *d)
{
	return sd_event_add_time_relative(d->event, &d->health_due, CLOCK_BOOTTIME, HEALTH_PAUSE,
					  HEALTH_ACCURACY, on_health_due, d);
}

/* --- Apply */

static void begin_apply(struct daemon *d);

static int on_due(sd_event_source *source, uint64_t now, void *user)
{
	struct daemon *d = user;

	d->first_change = 0;
	begin_apply(d);
	return 0;
}

static void apply_at(struct daemon *d, uint64_t when)
{
	if (sd_event_source_set_time(d->due, when) < 0 ||
	    sd_event_source_set_enabled(d->due, SD_EVENT_ONESHOT) < 0)
		say(LOG_ERR, "no timer: the policy files will not be read again");
}

static uint64_t now_of(const struct daemon *d)
{
	uint64_t now = 0;

	(void)sd_event_now(d->event, CLOCK_MONOTONIC, &now);
	return now;
}

/* Unless a change waits, which is to be met sooner. */
static void apply_later(struct daemon *d, uint64_t pause)
{
	if (!d->first_change)
		apply_at(d, now_of(d) + pause);
}

/* Changes come in flocks: they are taken together, but none waits for ever. */
static void apply_soon(struct daemon *d)
{
	uint64_t now = now_of(d), settled = now + SETTLE;

	if (!d->first_change)
		d->first_change = now;
	if (settled > d->first_change + SETTLE_MAX)
		settled = d->first_change + SETTLE_MAX;
	apply_at(d, settled);
}

static void become_ready(struct daemon *d)
{
	tell_state(d);
	say_ready();
}

/* A daemon that has nothing to keep and cannot do what it is for does not pretend. */
static bool must_end(const struct daemon *d, const struct ph_reload_report *report)
{
	return !d->started && report->status && !report->in_force;
}

/* By the settings: whoever requires the daemon is not to start without what is lost. */
static bool must_fail(const struct daemon *d, const struct ph_reload_report *report)
{
	return !d->started && report->lost && d->settings.fail_at_boot;
}

/* Whoever is told that it ended well may take enforcement for well. */
static int end_status(const struct daemon *d)
{
	return d->ill ? PH_EXIT_CANARY : PH_EXIT_OK;
}

static void count_apply(struct daemon *d, const struct ph_reload_report *report)
{
	d->exposed.applied = boot_now();
	d->exposed.apply_succeeded = !report->status;
	if (report->status)
		d->exposed.failed_applies++;
	else
		d->exposed.applies++;
}

/* After a failure what was in force stays, and with it what is known of it. */
static void keep_report(struct daemon *d, const struct ph_reload_report *report)
{
	if (!report->status || outcome_in_force(report->outcome)) {
		d->report = *report;
		return;
	}
	d->report.status = report->status;
	d->report.elsewhere = report->elsewhere;
	d->report.in_force = report->in_force;
	d->report.generation = report->generation;
}

/* Somebody else is at work, or what they made is on trial: that may last. */
static void put_off(struct daemon *d, const struct ph_reload_report *report, char *text)
{
	tell_once(&d->said, LOG_NOTICE, text);
	apply_later(d, BUSY_PAUSE);
	if (!d->started && !report->in_force)
		return;
	d->report.in_force = report->in_force;
	d->report.generation = report->generation;
	become_ready(d);
}

static int priority_of(const struct ph_reload_report *report)
{
	if (report->elsewhere)
		return LOG_ALERT;
	return report->status || report->bad_files ? LOG_ERR : LOG_WARNING;
}

static void take_report(struct daemon *d, const struct ph_reload_report *report, char *text)
{
	if (report->busy) {
		put_off(d, report, text);
		return;
	}
	if (must_end(d, report) || must_fail(d, report)) {
		say_lines(LOG_ERR, text);
		free(text);
		if (must_fail(d, report))
			say(LOG_ERR, "on-boot-failure: fail: the daemon ends; what could be put in "
				     "force is");
		(void)sd_event_exit(d->event, report->status ?: PH_EXIT_NO);
		return;
	}
	if ((!report->status || outcome_in_force(report->outcome)) &&
	    (!d->started || report->generation != d->report.generation ||
	     report->in_force != d->report.in_force))
		tell_change(report);
	count_apply(d, report);
	keep_report(d, report);
	if (report->status == PH_EXIT_CANARY)
		take_health(d, text);
	else
		tell_once(&d->said, priority_of(report), text);
	if (!report->status && report->in_force)
		take_health(d, NULL);
	/* Nor are the settings to be believed. */
	if (!report->elsewhere)
		serve(d);
	d->started = true;
	become_ready(d);
	if (report->status == PH_EXIT_IMPOSSIBLE || report->elsewhere)
		apply_later(d, RETRY_PAUSE);
}

static void on_applied(void *user, const char *answer, size_t length)
{
	struct daemon *d = user;
	struct ph_reload_report report = { .status = PH_EXIT_IMPOSSIBLE };
	cleanup_free char *said = NULL;
	char *text;

	if (answer && length >= sizeof(report)) {
		memcpy(&report, answer, sizeof(report));
		text = strdup(answer + sizeof(report));
	} else {
		report.in_force = d->report.in_force;
		report.generation = d->report.generation;
		text = strdup("the policy files could not be applied: what was in force stays\n");
	}
	said = text ? strdup(text) : NULL;
	if (!said) {
		free(text);
		(void)sd_event_exit(d->event, PH_EXIT_IMPOSSIBLE);
		return;
	}
	take_report(d, &report, text);
	/* Another porthold, or the canary each minute, is done in a moment: the next attempt is the answer. */
	if (!report.locked || boot_now() >= d->asked + LOCKED_LIMIT)
		tell_outcome(d, report.status, said);
	if (d->stopping)
		(void)sd_event_exit(d->event, end_status(d));
	else if (TAKE_(d->wanted, false))
		apply_soon(d);
}

/* The watches first: what changes from here on is noticed. */
static void watch_anew(struct daemon *d)
{
	int r = mkdir_parents(PH_RUN_POLICIES, 0755);

	if (!r)
		r = watch_open(d->settings_path, &d->watch);
	if (!r && d->watch_source)
		r = sd_event_source_set_io_fd(d->watch_source, d->watch.fd);
	if (r < 0)
		say(LOG_ERR,
		    "cannot watch the policy directories (%s): after a change, reload porthold",
		    strerror(-r));
}

/* Somebody may have emptied /run: the lock goes with its file. */
static bool keep_lock(struct daemon *d)
{
	struct ph_fault f = {};
	int fd;

	if (single_is_current(d->lock))
		return true;
	fd = single_lock(&f);
	if (fd < 0) {
		say(LOG_ERR, "%s", f.text);
		(void)sd_event_exit(d->event, f.status);
		return false;
	}
	fd_close(d->lock);
	d->lock = fd;
	return true;
}

/* What others mounted over the files is not read, and the settings are files, too. */
static void read_what_counts(struct daemon *d)
{
	free(d->other);
	d->other = NULL;
	if (d->first_root >= 0 && mounts_find_other(d->first_root, d->settings_path, &d->other))
		say(LOG_WARNING, "out of memory: whether the files are covered is not known");
	if (d->started && !d->other)
		read_settings(d);
}

static void begin_apply(struct daemon *d)
{
	int r;

	if (worker_busy(&d->apply)) {
		d->wanted = true;
		return;
	}
	d->began = boot_now();
	watch_anew(d);
	if (!keep_lock(d))
		return;
	read_what_counts(d);
	d->order = (struct ph_reload_order){
		.settings = &d->settings,
		.first = !d->started,
		.other = d->other,
	};
	r = worker_start(&d->apply, d->event, reload, &d->order, on_applied, d);
	if (r) {
		say(LOG_ERR, "cannot begin to apply the policy files: %s", strerror(-r));
		tell_outcome(d, PH_EXIT_IMPOSSIBLE, "cannot begin to apply the policy files\n");
		apply_later(d, RETRY_PAUSE);
	}
}

static int on_change(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct daemon *d = user;

	if (watch_changed(&d->watch))
		apply_soon(d);
	return 0;
}

/* --- Signals */

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct daemon *d = user;

	say_reloading();
	d->asked = boot_now();
	/* A file that was moved away, as log rotation does, is opened anew. */
	denials_close(&d->denials);
	if (d->disabled) {
		d->began = boot_now();
		become_ready(d);
		tell_outcome(d, PH_EXIT_OK, NULL);
	} else {
		begin_apply(d);
	}
	return 0;
}

/* What a worker has begun is brought to its end. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct daemon *d = user;

	say_stopping();
	d->stopping = true;
	return worker_busy(&d->apply) ? 0 : sd_event_exit(d->event, end_status(d));
}

/* Before the lock is there: whoever finds it may send one, and none may end the process. */
static int block_signals(void)
{
	sigset_t signals;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigaddset(&signals, SIGCHLD);
	return sigprocmask(SIG_BLOCK, &signals, NULL) ? -errno : 0;
}

static int set_up_signals(struct daemon *d)
{
	int r = sd_event_add_signal(d->event, NULL, SIGTERM, on_stop, d);

	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, on_stop, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGHUP, on_reload, d);
	return r;
}

/* --- Start */

static bool is_disabled(void)
{
	cleanup_free char *line = NULL;
	size_t length;

	if (file_read("/proc/cmdline", 1 << 16, &line, &length))
		return false;
	for (char *rest = line, *word; (word = strsep(&rest, " \n"));)
		if (!strcmp(word, "porthold.disable"))
			return true;
	return false;
}

static int set_up_events(struct daemon *d)
{
	int r = sd_event_new(&d->event);

	if (r >= 0)
		r = set_up_signals(d);
	if (r >= 0)
		r = sd_event_add_time(d->event, &d->due, CLOCK_MONOTONIC, 0, ACCURACY, on_due, d);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->due, SD_EVENT_OFF);
	if (r >= 0)
		r = watch_health(d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, true);
	return r < 0 ? r : 0;
}

static int set_up_watch(struct daemon *d)
{
	int r;

	watch_anew(d);
	if (d->watch.fd < 0)
		return 0;
	r = sd_event_add_io(d->event, &d->watch_source, d->watch.fd, EPOLLIN, on_change, d);
	return r < 0 ? r : 0;
}

static void find_first_root(struct daemon *d)
{
	d->first_root = mounts_first_root();
	if (d->first_root == -EXDEV)
		say(LOG_NOTICE, "a root directory of its own, as in a container: the policy files "
				"are those that lie in it, and what is mounted over them is not "
				"noticed");
	else if (d->first_root < 0)
		say(LOG_WARNING,
		    "cannot see the files of the first process (%s): what is mounted over the "
		    "policy files for the daemon alone is not noticed",
		    strerror(-d->first_root));
}

static int start(struct daemon *d)
{
	int r = set_up_events(d);

	if (r)
		return r;
	if (d->disabled) {
		say(LOG_WARNING,
		    "porthold.disable is on the kernel's command line: nothing is applied");
		become_ready(d);
		return 0;
	}
	find_first_root(d);
	r = set_up_watch(d);
	if (!r)
		begin_apply(d);
	return r;
}

static int complain(const struct ph_fault *f)
{
	say(LOG_ERR, "%s", f->text);
	return f->status;
}

/* Every apply would be refused. */
static int check_namespace(const struct ph_settings *settings, struct ph_fault *f)
{
	if (labels_know_pid() || settings->attach)
		return 0;
	return fault(f, -EXDEV, PH_EXIT_REFUSED,
		     "this is a pid namespace, from which most processes that policies would "
		     "confine cannot be seen: run in that of the host (podman or docker run --pid "
		     "host), or say attach: in the settings");
}

int daemon_run(const char *settings, bool must_exist)
{
	cleanup_(daemon_donep) struct daemon d = {
		.lock = -1,
		.first_root = -1,
		.watch = PH_WATCH_NULL,
		.settings_path = settings,
		.settings_must_exist = must_exist,
		.disabled = is_disabled(),
		.denials = PH_DENIALS_NULL,
		.exposed = { .report = &d.report, .denials = &d.denials },
	};
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_free char *text = NULL;
	struct ph_fault f = {};
	int r;

	if (settings_read(settings, must_exist, &d.settings, &problems)) {
		if (!problems_format(&problems, &text))
			say_lines(LOG_ERR, text);
		return PH_EXIT_NO;
	}
	if (block_signals())
		say(LOG_WARNING, "signals cannot be blocked: one of them may end the daemon");
	d.lock = single_lock(&f);
	if (d.lock < 0 || check_namespace(&d.settings, &f) || (!d.disabled && bpffs_ready(&f)))
		return complain(&f);
	if (privileges_drop())
		say(LOG_WARNING, "cannot give up the capabilities that are not needed");
	r = start(&d);
	if (!r)
		r = sd_event_loop(d.event);
	if (r < 0) {
		say(LOG_ERR, "the event loop failed: %s", strerror(-r));
		return PH_EXIT_IMPOSSIBLE;
	}
	return r;
}
