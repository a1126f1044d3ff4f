// SPDX-License-Identifier: GPL-2.0-or-later
#include "expected.h"

#include <errno.h>
#include <string.h>

#include "apply.h"
#include "guard.h"
#include "kernel/generation.h"
#include "policy/check.h"
#include "trial.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_expected, expected_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

void expected_done(struct ph_expected *expected)
{
	policy_set_done(&expected->set);
	image_done(&expected->image);
	problems_done(&expected->problems);
	problems_done(&expected->left_out);
	lost_done(&expected->lost);
}

/* The files as they are in force: with those that wait for it. */
static int load_files(struct ph_policy_set *ret, struct ph_expected *expected)
{
	cleanup_(edits_donep) struct ph_edits edits = {};
	int r = trial_edits(&edits);

	if (!r)
		r = store_load_best(&edits, ret, &expected->problems, &expected->lost);
	/* That no copy is kept of a bad file is no second fault of it. */
	expected->bad_files = expected->problems.n_errors - expected->lost.n;
	expected->waiting = edits.n;
	return r;
}

/* Takes the set over if what it says is in force. 1, 0 or -errno; -EINVAL: it does not compile. */
static int take_if_in_force(struct ph_policy_set *set, const struct ph_header *header,
			    struct ph_expected *expected, struct ph_fault *f)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_(image_donep) struct ph_image image = {};
	int r = policies_compile(set, &image, NULL, &ignored, f);

	if (r)
		return r;
	if (!header || image.header.hash != header->hash)
		return 0;
	expected->known = true;
	expected->set = *set;
	expected->image = image;
	*set = (struct ph_policy_set){};
	image = (struct ph_image){};
	return 1;
}

/* What was kept when it was applied, if that is what is in force. 0 or -errno. */
static int take_kept(const struct ph_header *header, struct ph_expected *expected)
{
	cleanup_(policy_set_donep) struct ph_policy_set kept = {};
	int r = header ? store_load_kept(&kept) : 0;

	if (!r && header)
		r = take_if_in_force(&kept, header, expected, &(struct ph_fault){});
	return r == -ENOMEM ? r : 0;
}

/* More of them are no few that the guard had to leave out. */
#define LEFT_OUT_MAX 64

/* Takes the policies out of the set that confine and are not in force, up to so many. */
static int part_left_out(const struct ph_kernel *kernel, struct ph_policy_set *set,
			 struct ph_problems *ret)
{
	int r = 0;

	for (size_t i = set->n; !r && i-- > 0 && ret->n < LEFT_OUT_MAX;) {
		const struct ph_policy *policy = &set->policies[i];

		if (policy->mode != PH_POLICY_ENFORCE ||
		    generation_enforces(kernel, policy_id(policy)))
			continue;
		r = problems_note(ret, PH_ERROR, policy->file ?: "", policy->line, policy->column,
				  "porthold apply says what is in its way",
				  "policy %s is NOT ENFORCED: it was refused, and left out",
				  policy->name);
		(void)policy_set_remove(set, policy->name);
	}
	problems_sort(ret, 0);
	return r;
}

/* The set without what was left out at boot, or since, if that is what is in force. 0 or -errno. */
static int take_admitted(struct ph_policy_set *set, const struct ph_header *header,
			 struct ph_expected *expected)
{
	cleanup_(problems_donep) struct ph_problems left_out = {};
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	int r;

	if (kernel_open(&kernel, &(struct ph_fault){}))
		return 0;
	r = part_left_out(&kernel, set, &left_out);
	if (r || !left_out.n)
		return r;
	r = take_if_in_force(set, header, expected, &(struct ph_fault){});
	if (r == 1) {
		expected->left_out = left_out;
		left_out = (struct ph_problems){};
	}
	return r == -ENOMEM ? r : 0;
}

/* Of files that are not what is in force: whether they could be. */
static int judge_files(const struct ph_policy_set *set, int compiled, struct ph_expected *expected,
		       struct ph_fault *f)
{
	int r = compiled < 0 ?
			compiled :
			guard_check(set, PH_GUARD_PATHS, &(struct ph_edits){}, NULL, NULL, f);

	if (r && r != -EINVAL && r != -EPERM)
		return r;
	expected->files = r ? PH_FILES_REFUSED : PH_FILES_CHANGED;
	(void)snprintf(expected->why, sizeof(expected->why), "%s", r ? f->text : "");
	*f = (struct ph_fault){};
	return 0;
}

/* By the times of the files; where these leave a doubt, by what the copies say. */
static int look_for_copies(const struct ph_header *header, struct ph_expected *expected)
{
	struct ph_expected copies = {};
	int r = store_is_kept();

	expected->kept = r == 1;
	if (r != 0)
		return 0;
	r = take_kept(header, &copies);
	expected->kept = copies.known;
	expected_done(&copies);
	return r;
}

int expected_find(const struct ph_header *header, struct ph_expected *ret, struct ph_fault *f)
{
	cleanup_(expected_donep) struct ph_expected expected = { .kept = true };
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	int r = load_files(&set, &expected);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "the policy files cannot be read: %s",
			     strerror(-r));
	r = take_if_in_force(&set, header, &expected, f);
	if (r == 1) {
		r = header->deadline ? 0 : look_for_copies(header, &expected);
	} else if (!header && !set.n) {
		r = 0;
	} else {
		r = judge_files(&set, r, &expected, f);
		if (!r)
			r = take_kept(header, &expected);
		if (!r && header && !expected.known)
			r = take_admitted(&set, header, &expected);
		if (!r && !expected.known) {
			expected.set = set;
			set = (struct ph_policy_set){};
		}
	}
	if (r)
		return f->status ? r :
				   fault(f, r, PH_EXIT_IMPOSSIBLE,
					 "cannot compare the policies: %s", strerror(-r));
	*ret = expected;
	expected = (struct ph_expected){};
	return 0;
}
