// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	free(question->brought);
	policy_set_done(&question->set);
}

static void add_by_id(struct question *question, uint64_t id, unsigned layer)
{
	for (size_t i = 0; i < question->set.n; i++)
		if (policy_id(&question->set.policies[i]) == id)
			question->matching[question->n_matching++] =
				(struct matching){ .position = i, .layer = layer };
}

/* What the kernel holds the process to now, if it does and these are the policies in force. */
static bool find_labelled(struct question *question)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r = question->subject.pid ? labels_pass(&labels) : -ENOENT;

	question->unasked = r && r != -ENOENT;
	if (r)
		return false;
	for (size_t i = 0; i < labels.n; i++) {
		const struct ph_ids *ids = &labels.v[i].policies;

		if ((pid_t)labels.v[i].pid != question->subject.pid)
			continue;
		for (unsigned j = 0; j < PH_LABEL_MAX; j++)
			if (ids->id[j])
				add_by_id(question, ids->id[j], ph_layer_at(ids, j));
	}
	return question->n_matching;
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

static void tell_unheld(const struct ph_policy *policy)
{
	(void)fprintf(
		stderr,
		"porthold explain: policy %s names %s, which is this file by now; that is held "
		"after porthold apply\n",
		policy->name, policy->match.exe);
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
		tell_unheld(policy);
	return fit;
}

int question_match(struct question *question)
{
	question->matching = calloc(question->set.n + PH_LABEL_MAX, sizeof(*question->matching));
	if (!question->matching)
		return -ENOMEM;
	question->labelled = !question->outside && find_labelled(question);
	if (question->labelled)
		return 0;
	ask_of_program(question);
	for (size_t i = 0; !question->outside && i < question->set.n; i++) {
		struct matching *matching = &question->matching[question->n_matching];
		int fit = fits(question, &question->set.policies[i], &matching->condition);

		if (fit < 0)
			return fit;
		matching->position = i;
		question->n_matching += fit != PH_FIT_NO;
	}
	return 0;
}
