// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "canary.h"
#include "cmd/cmd.h"
#include "covered.h"
#include "daemon/outcome.h"
#include "daemon/single.h"
#include "events/position.h"
#include "kernel/generation.h"
#include "policy/mark.h"
#include "policy/paths.h"
#include "policy/pending.h"
#include "sources.h"
#include "util/cleanup.h"
#include "util/file.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

#define SHOWN 20u /* files that went, or were moved */
#define STOPPED_POLICIES "/run/porthold/stopped"
#define ASIDE_MAX 100 /* files of one name there */
#define ALIKE_MAX (1 << 20) /* bytes of those that are compared */

/* The first of what could not be removed; nothing of the rest is left out for it. */
struct leftover {
	int error;
	const char *what;
	pid_t daemon; /* that does not end; 0: there is none */
	int lingers; /* why enforcement has not ended at once; 0: it has */
	int held; /* programs whose pins cannot be reached */
};

static void note(struct leftover *leftover, int r, const char *what)
{
	if (!r || leftover->error)
		return;
	leftover->error = r;
	leftover->what = what;
}

static bool are_alike(const char *path, const char *other)
{
	cleanup_free char *text = NULL, *other_text = NULL;
	size_t length, other_length;

	return !file_read(path, ALIKE_MAX, &text, &length) &&
	       !file_read(other, ALIKE_MAX, &other_text, &other_length) && length == other_length &&
	       !memcmp(text, other_text, length);
}

/* From a directory that somebody has mounted there. 0 or -errno. */
static int move_across(const char *path, const char *to)
{
	cleanup_free char *text = NULL;
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	size_t size;
	int r;

	if (length >= 0) {
		target[length] = 0;
		return symlink(target, to) ? -errno : file_remove(path);
	}
	if (!faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	r = file_read(path, SIZE_MAX - 2, &text, &size);
	if (!r)
		r = file_write_like(to, path, text, size, 0644);
	return r ? r : file_remove(path);
}

/* To where nothing is, or its like. 0, -EEXIST or another -errno. */
static int move_file(const char *path, const char *to)
{
	int r = renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) ? -errno : 0;

	if (r == -EXDEV)
		r = move_across(path, to);
	return r == -EEXIST && are_alike(path, to) ? file_remove(path) : r;
}

/* What people have written is moved away, and replaces nothing there. 0 or -errno. */
static int set_aside(const char *path, const char *name, bool tell)
{
	int r = mkdir_parents(STOPPED_POLICIES, 0755);
	char to[PATH_MAX];

	if (r)
		return r;
	for (int i = 0; i < ASIDE_MAX; i++) {
		(void)snprintf(to, sizeof(to), i ? "%s/%s.%d" : "%s/%s", STOPPED_POLICIES, name, i);
		r = move_file(path, to);
		if (!r && tell)
			(void)printf("Moved %s to %s.\n", path, to);
		if (r != -EEXIST)
			return r;
	}
	return r;
}

/* What porthold has made there is removed; everything else is somebody's. 0 or -errno. */
static int empty_entry(const char *folder, const char *name, bool tell)
{
	char file[PATH_MAX];
	int ours;

	(void)snprintf(file, sizeof(file), "%s/%s", folder, name);
	if (file_is_temporary(name))
		return file_remove(file);
	ours = is_policy_file(name) ? mark_fits_file(file) : 0;
	if (ours != 1)
		return set_aside(file, name, tell);
	if (unlink(file))
		return -errno;
	if (tell)
		(void)printf("Removed %s.\n", file);
	return 0;
}

static int empty_directory(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	size_t n = 0;
	int r = 0, one;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_type != DT_REG && entry->d_type != DT_LNK)
			continue;
		one = empty_entry(path, entry->d_name, n < SHOWN);
		n += !one && !file_is_temporary(entry->d_name);
		r = one ? one : r;
	}
	if (n > SHOWN)
		(void)printf("%zu more files there.\n", n - SHOWN);
	return r;
}

static void tell_remaining(void)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};

	if (store_load(NULL, &set, &problems) || !set.n)
		return;
	(void)printf("These policies of " PH_ETC_POLICIES " return at the next apply or boot:\n");
	for (size_t i = 0; i < set.n; i++)
		(void)printf("  %s (%s:%u)\n", set.policies[i].name, set.policies[i].file,
			     set.policies[i].line);
}

/* At once: a link goes some time after its pin. Maps of another version are not ours to write. */
static int end_enforcement(struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	int r = kernel_open(&kernel, f);

	if (r == -ENOENT || r == -ESTALE || r == -EPROTONOSUPPORT)
		return 0;
	return r ? r : generation_clear(&kernel, f);
}

/* 0, or -errno with the fault: something may still be enforced. */
static int remove_all(struct leftover *leftover, struct ph_fault *f)
{
	struct ph_fault ignored = {};
	int r, removed;

	/* The files first: whatever still runs may apply them again. */
	note(leftover, pending_discard(), PH_PENDING);
	note(leftover, empty_directory(PH_RUN_POLICIES), PH_RUN_POLICIES);
	note(leftover, canary_forget(), "what the canary found");
	r = end_enforcement(f);
	removed = kernel_remove(r < 0 ? &ignored : f);
	if (r < 0 && removed)
		return r;
	leftover->lingers = r < 0 ? r : 0;
	note(leftover, removed, "what is pinned below " PH_PIN_DIR);
	note(leftover, sources_remove(), PH_SOURCES_PATH);
	note(leftover, outcome_remove(), "what the daemon answered last");
	store_tidy();
	note(leftover, position_remove(PH_EVENTS_POSITION), PH_EVENTS_POSITION);
	return 0;
}

static int tell_end(const struct leftover *leftover)
{
	if (leftover->daemon) {
		(void)fprintf(
			stderr,
			"porthold stop: %s, but the daemon, process %d, does not end, and may "
			"apply again: kill -9 %d, and porthold stop\n",
			leftover->lingers ? "what was in force ends within moments" :
					    "nothing is enforced any more",
			(int)leftover->daemon, (int)leftover->daemon);
		return PH_EXIT_IMPOSSIBLE;
	}
	if (leftover->lingers) {
		(void)fprintf(
			stderr,
			"porthold stop: what was in force ends within moments, since it could "
			"not be ended at once: %s; porthold stop again does the rest\n",
			strerror(-leftover->lingers));
		return PH_EXIT_IMPOSSIBLE;
	}
	if (leftover->error) {
		(void)fprintf(stderr,
			      "porthold stop: nothing is enforced any more, but %s cannot be "
			      "removed: %s; porthold stop again does the rest\n",
			      leftover->what, strerror(-leftover->error));
		return PH_EXIT_IMPOSSIBLE;
	}
	if (leftover->held) {
		(void)fprintf(stderr,
			      "porthold stop: %d programs hold what was put in force, and their "
			      "pins cannot be reached: are they elsewhere now? findmnt -t bpf\n",
			      leftover->held);
		return PH_EXIT_IMPOSSIBLE;
	}
	(void)printf("Stopped: nothing is enforced, nothing is attached.\n");
	tell_remaining();
	return PH_VERB_CHANGED;
}

int cmd_stop(int argc, char **argv)
{
	struct leftover leftover = {};
	char remedy[PH_PATH_LEN];
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int r;

	if (argc != 1)
		return usage_error("stop", "unexpected argument %s", argv[1]);
	r = require_root("stop");
	if (r)
		return r;
	/* What cannot be reached is not ended, and its files stay. */
	if (covered_fault(&f))
		return report_failure(NULL, &f);
	leftover.held = covered_count(remedy);
	r = single_stop(&f);
	lock = r && r != -EBUSY ? -1 : apply_lock_only(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	if (remove_all(&leftover, &f)) {
		(void)fprintf(stderr, "porthold stop: the policies may still be in force; porthold "
				      "stop again does the rest\n");
		return report_failure(NULL, &f);
	}
	/* One that was slow has ended meanwhile. */
	leftover.daemon = r ? single_pid() : 0;
	return tell_end(&leftover);
}
