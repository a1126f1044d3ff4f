/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SUBJECT_H
#define PH_SUBJECT_H
/*
 * A process that somebody asks about: one that runs, or one of which only the name or the program
 * is known. What is not known becomes a condition.
 */
#include "policy/policy.h"

#include <sys/types.h>

struct ph_thread {
	pid_t tid;
	char comm[PH_COMM_MAX + 1];
};

struct ph_subject {
	char comm[PH_COMM_MAX + 1]; /* any bytes: not fit to be shown */
	char *exe; /* NULL: not known; so are the others */
	dev_t exe_device; /* 0: not known */
	ino_t exe_inode;
	int exe_error; /* of subject_of_exe(): why the file is not known; 0: it is */
	char *cgroup;
	bool has_uid;
	uint32_t uid;
	pid_t pid; /* 0: none */
	bool ended; /* it is a zombie: no thread of it is left */
	struct ph_thread *threads; /* those with another name than the leader */
	size_t n_threads;
};

enum ph_fit {
	PH_FIT_NO,
	PH_FIT_YES,
	PH_FIT_MAYBE, /* on a condition */
};

void subject_done(struct ph_subject *subject);

/* The program under the name that exec gives it, whether or not it is there. 0 or -ENOMEM. */
int subject_of_exe(const char *exe, struct ph_subject *ret);

/* 0; -ENOENT: it does not run; other -errno. */
int subject_of_pid(pid_t pid, struct ph_subject *ret);

/*
 * Whether the policy matches a thread of this name in the process: the subject's own comm, for the
 * process. *ret_if is the condition of PH_FIT_MAYBE in words, the caller's to free, else NULL.
 * A process keeps a policy that it matched before a rename; that is not seen here. PH_FIT_*, or
 * -ENOMEM.
 */
int subject_fits(const struct ph_subject *subject, const char *comm, const struct ph_policy *policy,
		 char **ret_if);

#endif
