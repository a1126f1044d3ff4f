/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CANARY_H
#define PH_CANARY_H
/*
 * Is what was promised in force? Looked at from both ends: the pins, the tables and the files must
 * be those of the generation in force; and a child process, under a policy that every generation
 * holds, must be let through one door and be refused at the others, with our errno and with our
 * counters moving by as much.
 *
 * The child has a network namespace of its own: it meets no firewall, disturbs no port, and sends
 * nothing anywhere. Its hooks are those of every other process. It needs CAP_SYS_ADMIN (unshare)
 * and CAP_NET_ADMIN (its loopback), and goes into the cgroup that the programs cover.
 *
 * What it is refused is counted under PH_CANARY_ID and makes no event.
 */
#include <stdint.h>

#include "kernel/attached.h"
#include "kernel/compile.h"
#include "policy/policy.h"

enum ph_canary_check {
	PH_CANARY_PROGRAMS, /* every program is attached, and is the one that was */
	PH_CANARY_GENERATION, /* the generation in force is the last one, and what it should be */
	PH_CANARY_TABLES, /* a sample of the policies can be looked up in the tables in force */
	PH_CANARY_DOORS, /* the child: what is allowed works, what is not is refused */
	PH_CANARY_COUNTERS, /* each of the refusals was counted, once */
	PH_CANARY_CHECKS,
};

enum ph_canary_outcome {
	PH_CANARY_UNTRIED,
	PH_CANARY_OK,
	PH_CANARY_FAILED,
};

struct ph_canary {
	uint64_t time; /* boot time, ns */
	struct {
		enum ph_canary_outcome outcome;
		char detail[200]; /* of a failure: what is amiss */
	} check[PH_CANARY_CHECKS];
	struct ph_missed missed; /* since the programs were attached */
	struct ph_missed news; /* the part of it since the last canary_run() */
};

/* Adds the canary's own policy to a set that is about to be compiled. 0 or -errno. */
int canary_add_policy(struct ph_policy_set *set);

/*
 * The checks that cost next to nothing: PROGRAMS, GENERATION and TABLES. `image` is what should be
 * in force; NULL: nobody knows, and so its tables are not looked at.
 */
void canary_look(const struct ph_image *image, struct ph_canary *ret);

/*
 * All checks; where labels may have been missed, all are made anew. The caller has the lock
 * (apply_lock()): no generation comes or goes meanwhile, and no second canary counts. Takes some
 * milliseconds, and at most PH_CANARY_SECONDS.
 */
#define PH_CANARY_SECONDS 10
void canary_run(const struct ph_image *image, struct ph_canary *ret);

/* Switches on again what makes the kernel run LSM programs, where somebody has switched it off. */
void canary_put_right(void);

/* Nothing failed. */
bool canary_ok(const struct ph_canary *canary);

const char *canary_check_name(enum ph_canary_check check);

/* "programs: …; doors: …": what failed, cut to fit. */
void canary_text(const struct ph_canary *canary, char *ret, size_t size);

typedef struct json_t json_t;

/* {"ok": …, "time": …, "checks": {NAME: {"outcome": …, "detail": …}}}; NULL: out of memory. */
json_t *canary_json(const struct ph_canary *canary);

/* The last result of canary_run(), which keeps it under /run/porthold; NULL: there is none. */
json_t *canary_last(void);

/* Forgets it. 0 or -errno. */
int canary_forget(void);

#endif
