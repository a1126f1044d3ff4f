// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "apply.h"
#include "cmd/status.h"
#include "covered.h"
#include "daemon/single.h"
#include "guard.h"
#include "kernel/bpffs.h"
#include "kernel/generation.h"
#include "kernel/programs.h"
#include "kernel/sockets.h"
#include "policy/paths.h"
#include "presence.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

void status_facts_done(struct status_facts *facts)
{
	kernel_close(&facts->kernel);
	expected_done(&facts->expected);
	counters_done(&facts->counters);
	labels_done(&facts->labels);
	processes_done(&facts->processes);
	problems_done(&facts->programs);
	problems_done(&facts->ignored);
	*facts = (struct status_facts){ .kernel = PH_KERNEL_NULL };
}

static void look_for_trial(struct status_facts *facts)
{
	struct ph_header fallback;

	facts->on_trial = !generation_trial(&facts->kernel, &facts->trial);
	if (facts->on_trial && !generation_fallback(&facts->kernel, &fallback))
		facts->fallback = fallback.generation;
}

static int read_what_is_in_force(struct status_facts *facts, struct ph_fault *f)
{
	int r = kernel_open(&facts->kernel, f);

	if ((!r && !kernel_attached()) || (r && bpffs_is_covered(facts->remedy)))
		r = -ENOENT;
	if (r)
		return r;
	r = kernel_state_read(&facts->kernel, &facts->state);
	if (!r)
		r = generation_current(&facts->kernel, &facts->header);
	look_for_trial(facts);
	/* What should be there and is not is the canary's to tell; after a first trial nothing is. */
	if (r == -ENOENT && !facts->on_trial)
		r = 0;
	return r && r != -ENOENT ? fault(f, r, PH_EXIT_IMPOSSIBLE,
					 "cannot read what is in force: %s", strerror(-r)) :
				   r;
}

/* Whom it confines, and what it refused. */
static int count(struct status_facts *facts, struct ph_fault *f)
{
	int r = counters_read(&facts->kernel, &facts->counters);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read the counters: %s",
			     strerror(-r));
	cover_recorded(&facts->cover);
	facts->has_labels = !labels_pass(&facts->labels);
	if (!facts->has_labels && processes_read(&facts->processes))
		return fault(f, -EIO, PH_EXIT_IMPOSSIBLE, "cannot read /proc");
	cover_labels(&facts->cover, &facts->labels);
	cover_processes(&facts->cover, &facts->processes);
	if (facts->header.features & PH_FEATURE_KEEP && labels_know_pid())
		(void)sockets_count_kept(&facts->labels, &facts->kept);
	return 0;
}

/* What the programs of policies in force are by now. */
static int look_at_programs(struct status_facts *facts, struct ph_fault *f)
{
	cleanup_(problems_donep) struct ph_problems withheld = {};
	struct ph_expected *expected = &facts->expected;
	struct ph_image *image = expected->known ? &expected->image : NULL;
	int r = 0;

	if (image && image->n_programs)
		r = guard_check(&expected->set, PH_GUARD_FORCED, &(struct ph_edits){}, image,
				&withheld, f);
	if (r)
		return r;
	facts->withheld = withheld.n;
	for (size_t i = 0; !r && i < withheld.n; i++) {
		withheld.v[i].severity = PH_ERROR;
		r = problems_add(&facts->programs, &withheld.v[i]);
	}
	if (image && image->n_programs)
		(void)programs_moved(&facts->kernel, image, facts->header.slot, &facts->moved);
	if (!r)
		r = presence_check_programs(&expected->set, &facts->programs);
	return r ? fault(f, r, PH_EXIT_IMPOSSIBLE, "%s", strerror(-r)) : 0;
}

/* *ret_nothing: nothing is in force. */
static int gather(struct status_facts *facts, bool check, bool *ret_nothing, struct ph_fault *f)
{
	const struct ph_image *image;
	int r = read_what_is_in_force(facts, f), found;

	*ret_nothing = r == -ENOENT;
	if (r && !*ret_nothing)
		return r;
	*f = (struct ph_fault){};
	for (size_t i = 0; i < PH_DIRECTORIES; i++)
		(void)paths_warn_of_others(ph_directories[i], &facts->ignored);
	found = expected_find(facts->header.generation ? &facts->header : NULL, &facts->expected,
			      f);
	if (found || *ret_nothing)
		return found;
	r = features_probe(&facts->features, f);
	if (r)
		return r;
	image = facts->expected.known ? &facts->expected.image : NULL;
	if (check)
		canary_run(image, &facts->canary);
	else
		canary_look(image, &facts->canary);
	r = look_at_programs(facts, f);
	return r ? r : count(facts, f);
}

/* Of an apply that is at work the same could be said. */
static bool is_doubtful(const struct status_facts *facts, bool nothing)
{
	json_t *last = nothing ? canary_last() : NULL;
	bool gone = last;

	json_decref(last);
	return gone || facts->expected.files != PH_FILES_APPLIED || !facts->expected.kept ||
	       (!nothing && !canary_ok(&facts->canary));
}

/* The daemon loads its programs for a while when it starts. */
static int wait_for_others(struct ph_fault *f)
{
	int lock = apply_lock_only(f);
	pid_t daemon = lock == -EBUSY ? single_pid() : 0;

	if (daemon)
		return fault(f, -EBUSY, PH_EXIT_IMPOSSIBLE,
			     "loading: the daemon, process %d, or another porthold is putting "
			     "policies in force; ask again in a moment",
			     (int)daemon);
	return lock;
}

/* With nothing in between, if need be. */
static int gather_surely(struct status_facts *facts, bool check, bool *ret_nothing,
			 struct ph_fault *f)
{
	cleanup_close int lock = check ? wait_for_others(f) : -1;
	int r = check && lock < 0 ? lock : gather(facts, check, ret_nothing, f);

	if (check || (!r && !is_doubtful(facts, *ret_nothing)))
		return r;
	lock = wait_for_others(f);
	if (lock < 0)
		return lock;
	status_facts_done(facts);
	return gather(facts, check, ret_nothing, f);
}

int status_gather(struct status_facts *facts, bool check, bool *ret_nothing, struct ph_fault *f)
{
	int r = gather_surely(facts, check, ret_nothing, f);

	if (!r && *ret_nothing && !facts->on_trial)
		facts->out_of_reach = covered_count(facts->remedy);
	return r;
}
