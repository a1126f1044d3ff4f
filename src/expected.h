/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EXPECTED_H
#define PH_EXPECTED_H
/*
 * What should be in force: what the policy files say; or, where they say something else by now, what
 * they said when they were applied last, by the copies that were kept.
 */
#include "kernel/compile.h"
#include "kernel/load.h"
#include "policy/store.h"

enum ph_files {
	PH_FILES_APPLIED, /* the files are what is in force */
	PH_FILES_CHANGED, /* they are not, or not any more */
	PH_FILES_REFUSED, /* and cannot be: they do not compile, or the guard refuses them */
};

struct ph_expected {
	enum ph_files files;
	char why[sizeof(((struct ph_fault *)0)->text)]; /* PH_FILES_REFUSED */
	bool known; /* what was in force last is: else set and image are empty */
	struct ph_policy_set set;
	struct ph_image image;
	struct ph_problems problems; /* of the policy files */
	size_t bad_files; /* errors in them */
	struct ph_lost lost;
	size_t waiting; /* files of what is in force that are not in their place yet */
	struct ph_problems
		left_out; /* policies of the files that were kept out of what is in force */
	bool kept; /* a copy of what is in force is there for the next boot */
};

void expected_done(struct ph_expected *expected);

/* Compared with what is in force, or nothing (header NULL). 0, or -errno with the fault. */
int expected_find(const struct ph_header *header, struct ph_expected *ret, struct ph_fault *f);

#endif
