// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/reload.h"

#include <errno.h>
#include <string.h>

#include "guard.h"
#include "kernel/generation.h"
#include "policy/paths.h"
#include "policy/resolve.h"
#include "policy/store.h"
#include "presence.h"
#include "trial.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_lost, lost_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

static int load(const struct ph_reload_order *order, struct ph_policy_set *set,
		struct ph_reload_report *report, struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(lost_donep) struct ph_lost lost = {};
	int r = order->first ? store_load_best(NULL, set, problems, &lost) :
			       store_load(NULL, set, problems);

	if (!r && apply_would_lose(&lost, f))
		return -EINVAL;
	report->lost = lost.n;
	if (r == -EINVAL)
		return fault(f, r, PH_EXIT_NO,
			     "policy files are bad: what was in force stays in force");
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "the policy files cannot be read (%s): what was in force stays",
			     strerror(-r));
	return 0;
}

static bool something_in_force(uint64_t *ret_generation)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header header;

	if (!kernel_attached() || kernel_open(&kernel, &(struct ph_fault){}) ||
	    generation_current(&kernel, &header))
		return false;
	*ret_generation = header.generation;
	return true;
}

static void describe(const struct ph_applied *applied, struct ph_reload_report *report)
{
	report->in_force = applied->in_force;
	report->changed = applied->changed;
	report->backend = applied->backend;
	report->degraded = applied->open & ~doors_optional();
	report->generation = applied->generation;
	report->open = applied->open;
	report->confined = applied->confined;
	report->covers_part = *applied->attach;
}

static int apply_set(const struct ph_reload_order *order, const struct ph_policy_set *set,
		     struct ph_reload_report *report, struct ph_applied *ret,
		     struct ph_problems *problems, struct ph_fault *f)
{
	const struct ph_apply_options options = {
		.backend = order->settings->backend,
		.attach = order->settings->attach,
		.accept = order->settings->accept,
		.spare = true,
	};
	int r = apply_policies(set, &options, &(struct ph_edits){}, ret, problems, f);

	report->outcome = ret->outcome;
	if (outcome_in_force(ret->outcome)) {
		report->policies = set->n;
		describe(ret, report);
	}
	return r;
}

/* What was last in force. 0, or -errno with *ret_unfit; nothing may come of it. */
static int apply_last(const struct ph_reload_order *order, struct ph_reload_report *report,
		      bool *ret_unfit, struct ph_fault *f)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(lost_donep) struct ph_lost lost = {};
	struct ph_applied applied = {};
	int r = store_load_last(&set, &lost);

	report->lost = lost.n;
	if (!r)
		r = apply_set(order, &set, report, &applied, &ignored, f);
	*ret_unfit = applied.outcome == PH_UNFIT;
	return r;
}

/* At boot there is nothing that could stay in force: what was last in force is; else what may be of the files. */
static int fall_back(const struct ph_reload_order *order, struct ph_policy_set *set,
		     struct ph_reload_report *report, struct ph_problems *problems,
		     struct ph_fault *f)
{
	const char *what = "what they said last is in force";
	struct ph_fault refusal = *f;
	struct ph_applied applied = {};
	bool unfit;
	int r;

	*f = (struct ph_fault){};
	r = apply_last(order, report, &unfit, f);
	report->bad_files = true;
	if (unfit || (!r && !report->in_force)) {
		*f = (struct ph_fault){};
		what = "their other policies are in force";
		r = guard_leave_out(set, &(struct ph_edits){}, problems, f);
		if (!r)
			r = apply_set(order, set, report, &applied, problems, f);
		unfit = applied.outcome == PH_UNFIT;
	}
	if (r && !unfit)
		return r;
	return fault(f, 0, PH_EXIT_OK, "%s\nuntil the files are mended, %s", refusal.text,
		     report->in_force ? what : "nothing is in force");
}

/* What apply refuses when it is asked to: the files are there already, and their other policies no worse for it. */
static void warn_of_programs(const struct ph_policy_set *set, struct ph_problems *problems)
{
	cleanup_(problems_donep) struct ph_problems found = {};

	(void)presence_check_programs(set, &found);
	for (size_t i = 0; i < found.n; i++) {
		if (found.v[i].severity != PH_ERROR)
			continue;
		found.v[i].severity = PH_WARNING;
		(void)problems_add(problems, &found.v[i]);
	}
}

/* What apply would say as well, but for what may come yet. */
static void warn_of_unfit(const struct ph_policy_set *set, const struct ph_applied *applied,
			  struct ph_problems *problems)
{
	warn_of_programs(set, problems);
	(void)resolvers_warn(set, PH_RESOLV_CONF, applied->no_resolvers, problems);
	for (size_t i = 0; i < PH_DIRECTORIES; i++)
		(void)paths_warn_of_others(ph_directories[i], problems);
}

/* Whoever mounted it there says whom policies confine. */
static int refuse_other(const char *path, struct ph_fault *f)
{
	return fault(
		f, -EXDEV, PH_EXIT_REFUSED,
		"%s is not the one of the first process: something is mounted over it for the "
		"daemon alone, or what the daemon reads lies elsewhere. What was in force stays "
		"in force; take that mount away, or start the daemon anew",
		path);
}

static int apply_files(const struct ph_reload_order *order, struct ph_reload_report *report,
		       struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_close int lock = apply_lock(f);
	struct ph_applied applied = {};
	int r = lock < 0 ? lock : load(order, &set, report, problems, f);

	if (r)
		return r;
	report->bad_files = problems->n_errors;
	r = apply_set(order, &set, report, &applied, problems, f);
	if (applied.outcome == PH_UNFIT && order->first && !something_in_force(&report->generation))
		return fall_back(order, &set, report, problems, f);
	apply_keep(problems, &applied, f);
	if (outcome_in_force(applied.outcome))
		warn_of_unfit(&set, &applied, problems);
	report->outcome = applied.outcome;
	return r || applied.outcome == PH_DONE ? r : -EIO;
}

void reload(const void *argument, FILE *answer)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	struct ph_reload_report report = {};
	cleanup_free char *text = NULL;
	struct ph_fault f = {};
	const struct ph_reload_order *order = argument;
	int r = order->other ? refuse_other(order->other, &f) :
			       apply_files(order, &report, &problems, &f);

	report.elsewhere = order->other;
	if (r) {
		report.status = f.status;
		report.busy = r == -EBUSY;
		report.locked = report.busy && !trial_look(&(struct ph_fault){});
		report.in_force |= something_in_force(&report.generation);
	}
	(void)fwrite(&report, sizeof(report), 1, answer);
	if (problems.n && !problems_format(&problems, &text))
		(void)fputs(text, answer);
	if (*f.text)
		(void)fprintf(answer, "%s\n", f.text);
	if (report.lost)
		(void)fprintf(
			answer,
			"DEGRADED: of %zu policy file%s neither what stands there nor a kept copy "
			"can be put in force: what they said is NOT ENFORCED\n",
			report.lost, report.lost == 1 ? "" : "s");
}
