/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CMD_STATUS_H
#define PH_CMD_STATUS_H
/*
 * What `status` tells: gathered (status-gather.c), put as JSON (status-json.c), and printed from that as
 * text (status-text.c).
 */
#include <jansson.h>

#include "canary.h"
#include "expected.h"
#include "kernel/counters.h"
#include "kernel/cover.h"
#include "kernel/features.h"
#include "kernel/labels.h"
#include "kernel/load.h"
#include "kernel/processes.h"
#include "kernel/programs.h"

/* Everything the verb tells, as JSON; the text is printed from it. */
struct status_facts {
	struct ph_kernel kernel;
	struct ph_state state;
	struct ph_header header;
	struct ph_features features;
	struct ph_expected expected;
	bool on_trial; /* or it was, and is over, with nobody having tidied up */
	struct ph_header trial;
	uint64_t fallback; /* generation; 0: none */
	struct ph_counters counters;
	struct ph_cover cover;
	struct ph_labels labels; /* of whom is covered */
	bool has_labels;
	size_t kept; /* sockets: --existing=keep */
	struct ph_processes processes;
	struct ph_canary canary;
	struct ph_moved moved; /* programs, since policies were applied */
	struct ph_problems ignored; /* files in the policy directories that do not count */
	struct ph_problems programs; /* that policies in force name, and that are none */
	size_t withheld; /* others of these, that the guard keeps from being held */
	int out_of_reach; /* programs that are attached, and whose pins nobody sees */
	char remedy[PH_PATH_LEN]; /* brings them back; empty: nobody knows what does */
};

void status_facts_done(struct status_facts *facts);

/* With `check` the doors are tried. *ret_nothing: nothing is in force. 0, or -errno with the fault. */
int status_gather(struct status_facts *facts, bool check, bool *ret_nothing, struct ph_fault *f);

/* The caller's to give back; without "backend" nothing is in force. */
json_t *status_json(const struct status_facts *facts, bool nothing);

/* The words of files.state, by enum ph_files. */
extern const char *const status_files_words[];

/* Whether nothing of the canary's failed, now or when it last tried the doors. */
bool status_canary_is_well(const json_t *canary);

/* Of a problem: else it is a warning. */
bool status_is_error(const json_t *problem);

void status_print(const json_t *object);

#endif
