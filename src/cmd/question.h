/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_QUESTION_H
#define PH_QUESTION_H
/* What explain is asked: of whom, by which policies, and which of them hold it. */
#include "answer.h"
#include "kernel/cover.h"
#include "standing.h"
#include "subject.h"

/* A policy that matches, or may. */
struct matching {
	size_t position; /* in the set */
	unsigned layer; /* enum ph_layer: each has to grant */
	char *condition; /* NULL: it does match */
};

/* What a thread has and its process has not. */
struct held_thread {
	pid_t tid;
	char comm[PH_COMM_MAX + 1];
	size_t position; /* in the set */
	unsigned layer;
	bool overfull; /* more than a label holds, and no one policy */
};

/* What is gone by, of a process. */
enum basis {
	BASIS_UNASKED, /* what it is: the kernel could not be asked */
	BASIS_NOTHING, /* what it is: nothing is in force */
	BASIS_FILES, /* what it is, and the files say: the kernel holds it to none of that */
	BASIS_KERNEL, /* what the kernel holds it to, be it nothing */
};

struct question {
	struct ph_policy_set set;
	struct ph_bench bench;
	struct ph_subject subject;
	struct ph_cover cover;
	bool outside; /* the process is not covered: no policy holds it */
	struct matching *matching;
	size_t n_matching;
	struct ph_standing standing; /* of the set, unless files were named */
	uint64_t *brought; /* policies that the kernel has the subject's program bring */
	size_t n_brought;
	bool asked; /* it was asked for these */
	enum basis basis;
	bool overfull; /* PH_OVERFULL_MEANING: all is refused */
	struct held_thread *threads; /* by the kernel */
	size_t n_threads;
	bool unasked; /* it may know of layers, and does not tell us */
};

void question_done(struct question *question);

/* Finds the policies that match, once the rest is there; what has to be said of that is. 0 or -errno. */
int question_match(struct question *question);

/* The policy of a place among those. */
static inline const struct ph_policy *question_policy(const struct question *question, size_t i)
{
	return &question->set.policies[question->matching[i].position];
}

#endif
