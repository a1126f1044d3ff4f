/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_COVER_H
#define PH_COVER_H
/*
 * Which processes are covered. The LSM hooks see every process of the machine; the cgroup programs,
 * where they are alone, only what is in the cgroup that they hang on, or below. Who is outside is not
 * held, whatever policy matches it, and is to be counted nowhere.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/labels.h"
#include "kernel/load.h"
#include "kernel/processes.h"

struct ph_cover {
	bool whole; /* all of the machine */
	char path[PH_PATH_LEN]; /* else of this cgroup, below the root of the hierarchy; "": nothing */
};

/* Whether programs on this cgroup see the whole machine. */
bool attach_is_whole(const char *attach, const char *root);

/* Of the programs on the cgroup with this id. */
void cover_find(enum ph_backend backend, uint64_t attach_id, struct ph_cover *ret);

/* Of what is in force; what nobody can tell of covers nothing. */
void cover_recorded(struct ph_cover *ret);

/* As /proc shows it: the pid is one of our own pid namespace. */
bool cover_has_process(const struct ph_cover *cover, pid_t pid);

/* Drops those that are not covered: of labels by what the kernel told of them, if it did. */
void cover_labels(const struct ph_cover *cover, struct ph_labels *labels);
void cover_processes(const struct ph_cover *cover, struct ph_processes *processes);

/*
 * Whether in this cgroup, open as a directory, or below it, there are processes of other pid namespaces: 1,
 * 0 or -errno.
 */
int cgroup_has_strangers(int cgroup);

/* Whether this process sees every cgroup: not in a cgroup namespace. */
bool cgroups_are_all_seen(void);

/*
 * The path of a cgroup below the mount point of the hierarchy, which is open at `root`; the caller's
 * to free. NULL: it is gone, or outside of what is mounted there.
 */
char *cgroup_path(int root, const char *mount, uint64_t id);

#endif
