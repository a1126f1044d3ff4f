// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "kernel/decide.h"
#include "kernel/labels.h"
#include "kernel/programs.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);

void question_done(struct question *question)
{
	for (size_t i = 0; i < question->n_matching; i++)
		free(question->matching[i].condition);
	free(question->matching);
	subject_done(&question->subject);
	bench_done(&question->bench);
	standing_done(&question->standing);
	free(question->threads);
	free(question->brought);
	policy_set_done(&question->set);
}

/* The place in the set of the policy with this id; false: it is none of the set's. */
static bool find_position(const struct question *question, uint64_t id, size_t *ret)
{
	for (size_t i = 0; i < question->set.n; i++) {
		if (policy_id(&question->set.policies[i]) != id)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static void add_by_id(struct question *question, uint64_t id, unsigned layer)
{
	struct matching matching = { .layer = layer };

	if (find_position(question, id, &matching.position))
		question->matching[question->n_matching++] = matching;
}

static int add_thread(struct question *question, const struct ph_labelled *label,
		      const struct held_thread *held)
{
	struct held_thread *more =
		reallocarray(question->threads, question->n_threads + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	question->threads = more;
	more += question->n_threads++;
	*more = *held;
	more->tid = (pid_t)label->pid;
	(void)snprintf(more->comm, sizeof(more->comm), "%.*s", PH_COMM_MAX,
		       (const char *)label->comm);
	return 0;
}

/* What its process has not; `leader` NULL: that has nothing. */
static int add_of_thread(struct question *question, const struct ph_labelled *label,
			 const struct ph_labelled *leader)
{
	int r = 0;

	if (label->policies.count > PH_LABEL_MAX && !question->overfull)
		return add_thread(question, label, &(struct held_thread){ .overfull = true });
	for (unsigned i = 0; !r && i < PH_LABEL_MAX; i++) {
		uint64_t id = label->policies.id[i];
		struct held_thread held = { .layer = ph_layer_at(&label->policies, i) };

		if (id && !(leader && label_holds(leader, id)) &&
		    find_position(question, id, &held.position))
			r = add_thread(question, label, &held);
	}
	return r;
}

static int add_threads(struct question *question, const struct ph_labels *labels,
		       const struct ph_labelled *leader)
{
	int r = 0;

	for (size_t i = 0; !r && i < labels->n; i++)
		if ((pid_t)labels->v[i].tgid == question->subject.pid && &labels->v[i] != leader)
			r = add_of_thread(question, &labels->v[i], leader);
	return r;
}

static const struct ph_labelled *find_leader(const struct question *question,
					     const struct ph_labels *labels)
{
	for (size_t i = 0; i < labels->n; i++)
		if ((pid_t)labels->v[i].pid == question->subject.pid)
			return &labels->v[i];
	return NULL;
}

/* What the kernel holds the process to; if that is nothing, of what is in force. 0 or -ENOMEM. */
static int take_labels(struct question *question, const struct ph_labels *labels)
{
	const struct ph_labelled *leader = find_leader(question, labels);

	for (unsigned i = 0; leader && i < PH_LABEL_MAX; i++)
		if (leader->policies.id[i])
			add_by_id(question, leader->policies.id[i],
				  ph_layer_at(&leader->policies, i));
	question->overfull = leader && leader->policies.count > PH_LABEL_MAX;
	question->basis = question->n_matching || question->overfull ||
					  question->standing.state == PH_STANDING_IN_FORCE ?
				  BASIS_KERNEL :
				  BASIS_FILES;
	return question->basis == BASIS_KERNEL ? add_threads(question, labels, leader) : 0;
}

/* The numbers in labels are not those of a pid namespace. */
static int ask_of_labels(struct question *question)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r = question->subject.pid ? labels_pass(&labels) : -ENOENT;

	if (!r && !labels_know_pid())
		r = -EXDEV;
	question->unasked = r && r != -ENOENT;
	question->basis = question->standing.state == PH_STANDING_NOTHING ? BASIS_NOTHING :
									    BASIS_UNASKED;
	return r ? 0 : take_labels(question, &labels);
}

/* By links and by what was there when it last looked, the kernel may know a program otherwise. */
static void ask_of_program(struct question *question)
{
	const struct ph_subject *subject = &question->subject;
	struct ph_standing *standing = &question->standing;
	char own[64];

	/* That of a process may be gone from its path. */
	(void)snprintf(own, sizeof(own), "/proc/%d/exe", (int)subject->pid);
	if (standing->state != PH_STANDING_IN_FORCE || !standing->image.n_programs ||
	    !subject->exe || subject->exe_error)
		return;
	(void)guard_check(&question->set, PH_GUARD_FORCED, &(struct ph_edits){}, &standing->image,
			  NULL, &(struct ph_fault){});
	question->asked = !programs_of_path(&standing->kernel, &standing->image,
					    standing->header.slot,
					    subject->pid ? own : subject->exe, &question->brought,
					    &question->n_brought);
}

static bool is_brought(const struct question *question, const struct ph_policy *policy)
{
	for (size_t i = 0; i < question->n_brought; i++)
		if (question->brought[i] == policy_id(policy))
			return true;
	return false;
}

static bool is_withheld(const struct ph_image *image, const struct ph_policy *policy)
{
	for (size_t i = 0; i < image->n_programs; i++)
		if (image->programs[i].id == policy_id(policy) && image->programs[i].withheld)
			return true;
	return false;
}

static void tell_unheld(const struct question *question, const struct ph_policy *policy)
{
	(void)fprintf(
		stderr,
		"porthold explain: policy %s names %s, which is this file by now; that is %s\n",
		policy->name, policy->match.exe,
		is_withheld(&question->standing.image, policy) ?
			"not held, as it can lock you out: see porthold status" :
			"held after porthold apply");
}

/* subject_fits(), of the program by what the kernel knows of it, if it was asked. */
static int fits(const struct question *question, const struct ph_policy *policy, char **ret_if)
{
	static char nowhere[] = "";
	const struct ph_subject *subject = &question->subject;
	struct ph_policy as_known = *policy;
	int fit, by_files;

	if (!question->asked || !policy->match.exe)
		return subject_fits(subject, subject->comm, policy, ret_if);
	by_files = subject_fits(subject, subject->comm, policy, ret_if);
	free(*ret_if);
	as_known.match.exe = is_brought(question, policy) ? subject->exe : nowhere;
	fit = by_files < 0 ? by_files : subject_fits(subject, subject->comm, &as_known, ret_if);
	if (by_files != PH_FIT_NO && fit == PH_FIT_NO)
		tell_unheld(question, policy);
	return fit;
}

/* By what the process is; what only may match is not counted. */
static int match_by_files(struct question *question)
{
	size_t sure = 0;

	ask_of_program(question);
	for (size_t i = 0; i < question->set.n; i++) {
		const struct ph_policy *policy = &question->set.policies[i];
		struct matching *matching = &question->matching[question->n_matching];
		int fit = fits(question, policy, &matching->condition);

		if (fit < 0)
			return fit;
		matching->position = i;
		question->n_matching += fit != PH_FIT_NO;
		sure += fit == PH_FIT_YES && policy->mode == PH_POLICY_ENFORCE;
	}
	question->overfull = sure > PH_LABEL_MAX;
	return 0;
}

/* Of what the kernel holds to nothing: whether that will be otherwise. */
static int tell_of_programs(struct question *question)
{
	ask_of_program(question);
	for (size_t i = 0; i < question->set.n; i++) {
		cleanup_free char *condition = NULL;

		if (question->set.policies[i].match.exe &&
		    fits(question, &question->set.policies[i], &condition) < 0)
			return -ENOMEM;
	}
	return 0;
}

int question_match(struct question *question)
{
	int r = 0;

	question->matching = calloc(question->set.n + PH_LABEL_MAX, sizeof(*question->matching));
	if (!question->matching)
		return -ENOMEM;
	if (question->outside)
		return 0;
	r = ask_of_labels(question);
	if (r || question->n_matching || question->overfull)
		return r;
	return question->basis == BASIS_KERNEL ? tell_of_programs(question) :
						 match_by_files(question);
}
