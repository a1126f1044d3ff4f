/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CHANGE_H
#define PH_CHANGE_H
/*
 * What the verbs that change policies share: from edits of files to what is in force. The lock is
 * the caller's. All return 0, or an exit status after a complaint; *ret has the outcome in either case,
 * and what is in force if that is what was asked for.
 */
#include <jansson.h>

#include "cmd/cmd.h"
#include "policy/problem.h"
#include "policy/store.h"

/* Whether a bad file that the edits do not touch stands in the way. */
enum ph_bad_files {
	PH_BAD_FILES_BLOCK,
	PH_BAD_FILES_WARN, /* what they said last counts */
};

#define PH_CHANGES_SHOWN 200 /* policies that a person is told of */

/* What an apply says besides: what it changes, changes_find() with so many policies, and warnings. */
struct ph_said {
	size_t most;
	json_t *changes;
	char *lost; /* what stood in replaced files besides the policy, in words, or NULL */
	char *overrules; /* FILE:LINE of a policy that a new one of its name overrules, or NULL */
	struct ph_problems remarks; /* of the policies that change, for print_warnings() */
};

void said_done(struct ph_said *said);

/* Puts in force what the directories hold after the edits. `said` may be NULL. */
int apply_edits(const struct ph_edits *edits, enum ph_bad_files bad,
		const struct ph_apply_options *options, struct ph_applied *ret,
		struct ph_said *said);

/* Refuses edits of files that people have written, or complains that they cannot be read. */
int refuse_foreign(const struct ph_edits *edits, const struct ph_apply_options *options);

/*
 * replace_policy() with other edits besides; that of the policy's own file is the first. `said` (may be
 * NULL) gets what changes besides these, as somebody has edited it since.
 */
int replace_files(struct ph_edits *edits, struct ph_policy *policy,
		  const struct ph_apply_options *options, struct ph_applied *ret,
		  struct ph_said *said);

/* That, for who asked for one policy. */
void print_besides(const struct ph_said *said);

/* --- What check says */

/*
 * Nothing of policies that are the same in `known`. What an edit has read is named by where it was
 * read. 0, -EINVAL where something of it is an error, or -ENOMEM.
 */
int find_remarks(const struct ph_policy_set *set, const struct ph_policy_set *known,
		 const struct ph_edits *edits, struct ph_problems *ret);

/* On standard error, behind what is on standard output. */
void print_warnings(const struct ph_problems *problems);

/* What a policy that port_rules_parse() made lets through of DNS. */
enum ph_dns {
	PH_DNS_NONE,
	PH_DNS_TCP, /* and names are asked for over UDP first */
	PH_DNS_UDP,
};

enum ph_dns ports_reach_dns(const struct ph_policy *policy);

/* --- Whether files go to /etc, and what puts them in force at boot. */

struct ph_lasting {
	bool permanent;
	bool enable;
	bool enabled_now;
};

#define PH_LASTING_OPTIONS                                       \
	{ "permanent", no_argument, NULL, PH_OPTION_PERMANENT }, \
	{                                                        \
		"enable", no_argument, NULL, PH_OPTION_ENABLE    \
	}

void take_lasting_option(struct ph_lasting *lasting, int option);

/* Options that do not go together. */
int check_lasting(const char *verb, const struct ph_lasting *lasting);

/* PH_EXIT_OK if what lies in /etc is applied at boot, if need be by enabling that. */
int begin_lasting(struct ph_lasting *lasting);

/* Enables no longer what begin_lasting() has enabled, if nothing came of it. */
void undo_lasting(const struct ph_lasting *lasting, const struct ph_applied *applied);

/* --- What a change means */

/*
 * What differs between two sets: policies (the first `most`) and rules, and the running processes
 * whose policies change. The object is the caller's; NULL: out of memory.
 */
json_t *changes_find(const struct ph_policy_set *before, const struct ph_policy_set *after,
		     size_t most);

/* What was covered before, and is now: whom neither covers is not told of. */
void changes_cover(json_t *changes, const struct ph_cover *before, const struct ph_cover *after);

/* Policies of the files that are edited, and the processes: for who asked for these edits alone. */
void changes_leave_out(json_t *changes, const struct ph_edits *edits);

void changes_print(const json_t *changes);

#endif
