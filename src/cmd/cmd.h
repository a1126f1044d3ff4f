/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CMD_H
#define PH_CMD_H
/*
 * The verbs. Each takes its own arguments, argv[0] being "porthold VERB", prints its answer on standard
 * output and its complaints on standard error, and returns the exit status.
 */
#include <getopt.h>
#include <stdbool.h>

#include "apply.h"
#include "policy/problem.h"
#include "policy/rule.h"
#include "util/fault.h"

int cmd_allow(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_confirm(int argc, char **argv);
int cmd_mode(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_learn(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_selftest(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_daemon(int argc, char **argv);

/* --- What several verbs share */

/*
 * What a verb returns in place of PH_EXIT_OK once it has changed something: whoever called porthold gets
 * PH_EXIT_OK for it, unless the answer cannot be written. Then it is not told as if nothing was done.
 */
#define PH_VERB_CHANGED 256

static inline int verb_changed(int status)
{
	return status == PH_EXIT_OK ? PH_VERB_CHANGED : status;
}

/* Options that come after these in a verb's own table take other values. */
enum ph_option {
	PH_OPTION_BACKEND = 256,
	PH_OPTION_ATTACH,
	PH_OPTION_ACCEPT,
	PH_OPTION_EXISTING,
	PH_OPTION_PERMANENT,
	PH_OPTION_ENABLE,
	PH_OPTION_FORCE,
	PH_OPTION_OWN,
};

#define PH_APPLY_OPTIONS                                                     \
	{ "backend", required_argument, NULL, PH_OPTION_BACKEND },           \
		{ "attach", required_argument, NULL, PH_OPTION_ATTACH },     \
	{                                                                    \
		"accept-degraded", required_argument, NULL, PH_OPTION_ACCEPT \
	}

/* For verbs that replace or remove policy files. */
#define PH_FORCE_OPTION                                     \
	{                                                   \
		"force", no_argument, NULL, PH_OPTION_FORCE \
	}

/* For verbs that hand over a list for what is refused, and print it: print_refused(). */
#define PH_EXISTING_OPTION                                              \
	{                                                               \
		"existing", required_argument, NULL, PH_OPTION_EXISTING \
	}

/* Takes one of PH_APPLY_OPTIONS, PH_EXISTING_OPTION or PH_FORCE_OPTION: 0, or an exit status after a complaint. */
int take_apply_option(const char *verb, struct ph_apply_options *options, int option,
		      const char *value);

/*
 * For verbs that have no others: getopt_long() until the arguments come, at optind. order is its
 * third argument. 0, or an exit status after a complaint.
 */
int take_apply_options(const char *verb, int argc, char **argv, const char *order,
		       const struct option *options, struct ph_apply_options *ret);

/* Where to read on, after getopt_long() has said what is wrong; returns PH_EXIT_USAGE. */
int option_error(const char *verb);

/* "porthold VERB: …", and how to ask for more; returns PH_EXIT_USAGE. */
int usage_error(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for want of memory; returns PH_EXIT_IMPOSSIBLE. */
int no_memory(const char *verb);

/* Prints the problems, then the fault; returns its status. */
int report_failure(const struct ph_problems *problems, const struct ph_fault *f);

/* Points at the character of an argument that is wrong; returns PH_EXIT_USAGE. */
int report_text_error(const char *verb, const char *text, const struct ph_text_error *error);

/*
 * Puts in force all policy files but `path`, and in its place `policy` (taken over; NULL: nothing);
 * writes or removes that file alike, which is refused if a person has written it. The lock is the caller's. 0, or an exit status after a
 * complaint.
 */
int replace_policy(const char *path, struct ph_policy *policy,
		   const struct ph_apply_options *options, struct ph_applied *ret);

/* The value of --resolvers: 0, or an exit status after a complaint. */
int take_resolvers(const char *verb, const char *value, const char **ret);

/* PH_EXIT_OK, or complains that this needs root. */
int require_root(const char *verb);

/* What is in force after a change, with its open doors. */
void print_applied(const struct ph_applied *applied);

/* The open sockets that are refused and what became of them; the exit status. */
int print_refused(const struct ph_sockets *sockets, enum ph_existing existing,
		  enum ph_backend backend);

typedef struct json_t json_t;

/* What is wrong with a policy, as an object. */
json_t *problem_json(const struct ph_problem *problem);

/* Its rules as they are written in files, an array. */
json_t *rules_of_policy_json(const struct ph_policy *policy);

/* print_refused() as an object, the caller's; the exit status. */
int refused_json(const struct ph_sockets *sockets, enum ph_existing existing, json_t **ret);

/* "  door   what stays possible", a line each. */
void print_doors(uint64_t doors);

/* Of `n` processes that could get around their confinement, one of the first PH_HOLDERS_SHOWN. */
void print_holder(const char *name, long long pid, const char *holds);

/* Behind them: how many more there are, and what takes it from them. */
void print_holders_end(size_t n);

#endif
