/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_RECORD_H
#define PH_RECORD_H
/*
 * A denial as it is told: what the kernel wrote, and what user space knows or can find out about
 * it. That of the program is looked up when the record is made, as long as the process is there: NULL
 * says that it was gone. That of a cgroup the kernel side keeps.
 */
#include <stddef.h>
#include <stdint.h>

#include "kernel/load.h"
#include "sources.h"

struct ph_record {
	struct ph_event event; /* the first of its kind, as the kernel wrote it */
	char *policy; /* the name; where nothing is known of it, the id in hexadecimal */
	char *file; /* where it stood under that generation; "": unknown */
	unsigned line;
	char *exe; /* path of the program; NULL: unknown */
	char *cgroup; /* path below the cgroup2 root; NULL: unknown */
	char *rule; /* the smallest rule that would have allowed it; NULL: none could */
	const char *no_rule; /* why there is none; NULL: there is one */
	uint64_t count; /* of denials of its kind */
	uint64_t last; /* boot time of the last one, ns */
};

/* What making records needs; it keeps what was found last. */
struct ph_lookup {
	struct ph_sources sources;
	int cgroup_root; /* descriptor; -1: there is no cgroup2 hierarchy */
	char mount[PH_PATH_LEN]; /* its path */
	int gone; /* the map of cgroups that have ended; borrowed */
	uint64_t cgroup; /* the id that was looked up last */
	char *cgroup_path;
	uint32_t process; /* likewise; in this batch */
	uint64_t process_start; /* boot time, ns; 0: it is gone */
	uint64_t exe_inode;
	char *exe_path;
};

#define PH_LOOKUP_NULL                        \
	{                                     \
		.cgroup_root = -1, .gone = -1 \
	}

/* The maps are borrowed. */
void lookup_open(const struct ph_kernel *kernel, struct ph_lookup *ret);
void lookup_close(struct ph_lookup *lookup);

/* Before a batch of records: takes in what `apply` has changed. */
void lookup_refresh(struct ph_lookup *lookup);

/* 0 or -ENOMEM; *ret is untouched on failure. */
int record_make(const struct ph_event *event, struct ph_lookup *lookup, struct ph_record *ret);
void record_done(struct ph_record *record);

/*
 * Whether it is of a policy of porthold's own, that of the canary, of a selftest or a learn: nobody's
 * denial.
 */
bool record_is_own(const struct ph_record *record);

#endif
