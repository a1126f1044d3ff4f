// SPDX-License-Identifier: GPL-2.0-or-later
#include "trial.h"

#include <errno.h>
#include <string.h>

#include "canary.h"
#include "kernel/generation.h"
#include "kernel/labels.h"
#include "policy/pending.h"
#include "util/cleanup.h"
#include "util/clock.h"

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static int complain_waiting(uint64_t left, struct ph_fault *f)
{
	return fault(f, -EBUSY, PH_EXIT_IMPOSSIBLE,
		     "what was applied last is on trial for another %llu s; first porthold "
		     "confirm, or wait until it is taken back",
		     (unsigned long long)((left + PH_SECOND - 1) / PH_SECOND));
}

/* The kernel has fallen back. Programs that were there for the trial alone go. */
static int end_trial(const struct ph_kernel *kernel, struct ph_fault *f)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	struct ph_header fallback;
	bool was_first = generation_fallback(kernel, &fallback) == -ENOENT;
	int r = was_first ? canary_forget() : 0;

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot forget what the canary found: %s",
			     strerror(-r));
	r = generation_drop(kernel, f);
	if (r < 0)
		return r;
	if (was_first)
		return kernel_detach(f);
	(void)labels_pass(&labels);
	return 0;
}

int trial_finish_files(void)
{
	cleanup_(problems_donep) struct ph_problems told = {};
	cleanup_free char *text = NULL;
	int r = pending_finish(&told);

	if (told.n && !problems_format(&told, &text))
		(void)fputs(text, stderr);
	return r;
}

static int finish_files(uint64_t generation, struct ph_fault *f)
{
	int r = trial_finish_files();

	if (!r)
		return 0;
	return fault(f, r, PH_EXIT_IMPOSSIBLE,
		     generation ? "policies are in force whose files cannot be put in place: %s" :
				  "policies have ended whose files cannot be removed: %s",
		     strerror(-r));
}

static int settle_files(uint64_t generation, struct ph_fault *f)
{
	uint64_t wanted;
	int r = pending_generation(&wanted), discarded;

	/* A plan that cannot be read at this moment may be that of what is in force. */
	if (r && r != -ENOENT && r != -EBADMSG)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "cannot read what waits in " PH_PENDING ": %s", strerror(-r));
	if (!r && wanted == generation)
		return finish_files(generation, f);
	discarded = pending_discard();
	if (discarded)
		return fault(f, discarded, PH_EXIT_IMPOSSIBLE,
			     "cannot remove what waits in " PH_PENDING ": %s",
			     strerror(-discarded));
	if (r == -EBADMSG)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "what waited in " PH_PENDING
			     " was damaged, and is removed; the policy "
			     "files are as they were, try again");
	return 0;
}

/* Programs are there while a policy is in force; these are left over. */
static int settle_programs(bool in_force, struct ph_fault *f)
{
	return in_force || !kernel_attached() ? 0 : kernel_detach(f);
}

/* 1: it is over; 0: there is none; -EBUSY: its time is not up. */
static int find_trial(const struct ph_kernel *kernel, struct ph_fault *f)
{
	struct ph_header trial;
	uint64_t now = boot_now();

	if (generation_trial(kernel, &trial))
		return 0;
	return now < trial.deadline ? complain_waiting(trial.deadline - now, f) : 1;
}

int trial_look(struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;

	/* What else is wrong there is told where it matters. */
	if (kernel_open(&kernel, &(struct ph_fault){}))
		return 0;
	return find_trial(&kernel, f) < 0 ? -EBUSY : 0;
}

int trial_settle(struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header current = {};
	int r = kernel_open(&kernel, f), found;

	/* What another version had under way ends with it. */
	if (r)
		return r == -ENOENT || r == -ESTALE ? settle_files(0, f) : r;
	r = find_trial(&kernel, f);
	if (r == 1)
		r = end_trial(&kernel, f);
	if (r)
		return r;
	found = generation_current(&kernel, &current);
	if (found && found != -ENOENT)
		return fault(f, found, PH_EXIT_IMPOSSIBLE, "cannot read what is in force: %s",
			     strerror(-found));
	r = settle_files(current.generation, f);
	return r ? r : settle_programs(!found, f);
}

int trial_edits(struct ph_edits *ret)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header current = {};
	struct ph_edits edits = {};
	uint64_t generation;
	int r;

	if (kernel_open(&kernel, &(struct ph_fault){}))
		return 0;
	r = generation_current(&kernel, &current);
	if (r && r != -ENOENT)
		return r;
	r = pending_read(&edits, &generation);
	/* A plan that is damaged is removed by whoever changes something next. */
	if (r)
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	if (generation == current.generation)
		*ret = edits;
	else
		edits_done(&edits);
	return 0;
}

/* What a person has written since was not on trial. */
static int refuse_overtaken(struct ph_fault *f)
{
	cleanup_free char *path = NULL;
	int r = pending_overtaken(&path);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "cannot read what waits in " PH_PENDING ": %s", strerror(-r));
	return !path ? 0 :
		       fault(f, -EEXIST, PH_EXIT_NO,
			     "%s was written since, and is not what is on trial; move it away and "
			     "confirm, or let the time pass and apply. Nothing was changed",
			     path);
}

int trial_confirm(struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header trial;
	int r = kernel_open(&kernel, f);

	if (r && r != -ENOENT)
		return r;
	if (r || generation_trial(&kernel, &trial)) {
		r = trial_settle(f);
		return r ? r : fault(f, -ENOENT, PH_EXIT_NO, "nothing waits to be confirmed");
	}
	if (boot_now() >= trial.deadline) {
		r = trial_settle(f);
		if (r)
			return r;
		return fault(f, -ENOENT, PH_EXIT_NO,
			     "too late: the time was up, and what was in force before is so again");
	}
	r = refuse_overtaken(f);
	if (r)
		return r;
	/* Unsettled or not: before and after, calls go by the same policies. */
	r = generation_keep(&kernel, f);
	if (r < 0)
		return r;
	r = settle_files(trial.generation, f);
	if (!r)
		return 0;
	return fault(f, PH_UNFINISHED_TRIAL, PH_EXIT_IMPOSSIBLE,
		     "confirmed, but the files cannot be put in place: %s; porthold apply does the "
		     "rest",
		     strerror(-r));
}
