// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mode: switches one policy between audit and enforce. Files stay the truth: a policy of /run is
 * changed in its place there, with all that stands around it; one of /etc gets a copy in /run that
 * overrules it, and loses it again when the two say the same.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/change.h"
#include "cmd/lookout.h"
#include "policy/diff.h"
#include "policy/edit.h"
#include "policy/mark.h"
#include "policy/origin.h"
#include "policy/parse.h"
#include "policy/paths.h"
#include "policy/print.h"
#include "util/cleanup.h"
#include "util/file.h"

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_said, said_done);
DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);

struct request {
	struct ph_apply_options apply;
	const char *name;
	enum ph_policy_mode mode;
};

static int take_mode(const char *text, enum ph_policy_mode *ret)
{
	*ret = !strcmp(text, "audit") ? PH_POLICY_AUDIT : PH_POLICY_ENFORCE;
	return *ret == PH_POLICY_AUDIT || !strcmp(text, "enforce") ?
		       0 :
		       usage_error("mode", "expected NAME audit or NAME enforce");
}

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS, PH_EXISTING_OPTION, PH_FORCE_OPTION, {}
	};
	int r = take_apply_options("mode", argc, argv, "", options, &request->apply);

	if (r)
		return r;
	if (argc - optind != 2)
		return usage_error("mode", "expected NAME audit or NAME enforce");
	request->name = argv[optind];
	return take_mode(argv[optind + 1], &request->mode);
}

static int fail(int error)
{
	(void)fprintf(stderr, "porthold mode: %s\n", strerror(-error));
	return PH_EXIT_IMPOSSIBLE;
}

/* --- The files */

static bool lies_in_run(const struct ph_policy *policy)
{
	return !strncmp(policy->file, PH_RUN_POLICIES "/", strlen(PH_RUN_POLICIES "/"));
}

/* Whether /etc says the same, so that nothing has to overrule it. */
static bool is_told_by_etc(const struct ph_policy *policy)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_set_donep) struct ph_policy_set etc = {};
	const struct ph_policy *same;

	if (store_load_directory(PH_ETC_POLICIES, &etc, &problems))
		return false;
	same = policy_set_find(&etc, policy->name);
	return same && policy_equal(same, policy);
}

/* What porthold wrote stays so marked. */
static int edit_text(const char *old, const struct ph_policy *policy, char **ret)
{
	cleanup_free char *text = NULL;
	int r = edit_mode(old, policy->name, policy->mode, &text);

	if (!r && mark_fits(old))
		return mark_text(text, ret);
	if (!r)
		*ret = TAKE_PTR(text);
	return r;
}

/* In its file; a copy that porthold made and that says nothing else than /etc goes. */
static int edit_in_place(const struct ph_policy *found, const struct ph_policy *policy,
			 struct ph_edits *edits, struct ph_problems *problems)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_free char *old = NULL, *text = NULL;
	size_t length;
	int r = file_is_link(found->file) ? -EMLINK :
					    file_read(found->file, PH_FILE_SIZE_MAX, &old, &length);

	if (!r)
		r = path_check_owner(found->file, problems);
	if (!r)
		r = policy_parse_text(found->file, old, length, &set, problems);
	if (!r && !(set.n == 1 && mark_fits(old) && is_told_by_etc(policy)))
		r = edit_text(old, policy, &text);
	if (!r && text && origins_carry(found->file, old, text))
		(void)fprintf(stderr,
			      "porthold mode: warning: " PH_ORIGINS " cannot be written; the "
			      "next apply of the file may want --force\n");
	if (!r)
		r = edits_add(edits, found->file, text, NULL);
	if (!r)
		text = NULL;
	return r;
}

/* A copy in /run, which overrules the file of /etc. */
static int copy_to_run(const struct ph_policy *policy, struct ph_edits *edits)
{
	cleanup_free char *path = NULL, *plain = NULL, *text = NULL;
	int r = store_path(PH_RUN_POLICIES, policy->name, &path);

	if (!r)
		r = policy_format(policy, &plain);
	if (!r)
		r = mark_text(plain, &text);
	if (!r)
		r = edits_add(edits, path, text, NULL);
	if (!r)
		text = NULL;
	return r;
}

/* What the file says now is not what is in force of it. */
static int refuse_bad(const struct ph_policy *found, const struct ph_problems *problems)
{
	struct ph_fault f = {};

	(void)fault(
		&f, -EINVAL, PH_EXIT_NO,
		"nothing was changed: mend the file first; of %s, what was in force before stays",
		found->name);
	return report_failure(problems, &f);
}

static int refuse_in_place(int error, const struct ph_policy *found, enum ph_policy_mode mode)
{
	cleanup_free char *real = realpath(found->file, NULL);

	if (error == -EMLINK)
		(void)fprintf(stderr,
			      "porthold mode: %s is a link, which stays one; write mode: %s in %s, "
			      "and porthold apply\n",
			      found->file, policy_mode_name(mode),
			      real ? real : "what it leads to");
	else
		(void)fprintf(stderr,
			      "porthold mode: %s:%u: this is written in a way that cannot be "
			      "changed in its place; write mode: %s there, and porthold apply\n",
			      found->file, found->line, policy_mode_name(mode));
	return PH_EXIT_NO;
}

/* 0, or an exit status after a complaint. */
static int make_edits(const struct ph_policy *found, const struct request *request,
		      struct ph_edits *edits)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_donep) struct ph_policy policy = {};
	int r = policy_copy(found, &policy);

	policy.mode = request->mode;
	if (!r && !lies_in_run(found)) {
		r = copy_to_run(&policy, edits);
		return r ? fail(r) : refuse_foreign(edits, &request->apply);
	}
	if (!r)
		r = edit_in_place(found, &policy, edits, &problems);
	if (!r)
		return PH_EXIT_OK;
	if (problems.n_errors)
		return refuse_bad(found, &problems);
	if (r != -EOPNOTSUPP && r != -EINVAL && r != -ENOENT && r != -EMLINK)
		return fail(r);
	return refuse_in_place(r, found, request->mode);
}

/* --- The verb */

static int find_policy(const struct request *request, struct ph_policy_set *set,
		       const struct ph_policy **ret)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	struct ph_fault f = {};
	int r = store_load_good(NULL, set, &problems);

	if (r)
		return fail(r);
	*ret = policy_set_find(set, request->name);
	if (*ret)
		return PH_EXIT_OK;
	(void)fault(&f, -ENOENT, PH_EXIT_NO, "no policy is called %s%s; see porthold status",
		    request->name, problems.n_errors ? ", unless in a bad file" : "");
	return report_failure(&problems, &f);
}

/* What learn watches by grants nothing: enforced, it would refuse everything. */
static int spare_learner(const struct request *request, const struct ph_policy *policy)
{
	bool left;

	if (request->mode != PH_POLICY_ENFORCE || !lookout_is(policy, &left))
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold mode: %s is what learn watches by: it grants nothing, and "
		      "would refuse everything; ",
		      policy->name);
	if (left)
		(void)fprintf(stderr, "that learn was killed: porthold remove %s drops it\n",
			      policy->name);
	else
		(void)fprintf(stderr, "let learn end, and apply the policy that it prints\n");
	return PH_EXIT_NO;
}

static int switch_mode(struct request *request, const struct ph_policy *policy)
{
	cleanup_(sockets_donep) struct ph_sockets refused = {};
	cleanup_(edits_donep) struct ph_edits edits = {};
	cleanup_(said_donep) struct ph_said said = { .most = PH_CHANGES_SHOWN };
	struct ph_applied applied = {};
	int r = policy->mode == request->mode ? 0 : make_edits(policy, request, &edits);

	if (r)
		return r;
	request->apply.refused = &refused;
	r = apply_edits(&edits, PH_BAD_FILES_WARN, &request->apply, &applied, &said);
	if (r)
		return r;
	changes_print(said.changes);
	print_applied(&applied);
	(void)printf("Policy %s is in mode %s.\n", request->name, policy_mode_name(request->mode));
	r = print_refused(&refused, request->apply.existing, applied.backend);
	print_warnings(&said.remarks);
	return verb_changed(r);
}

int cmd_mode(int argc, char **argv)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	const struct ph_policy *policy;
	cleanup_close int lock = -1;
	struct request request = {};
	struct ph_fault f = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("mode");
	if (r)
		return r;
	lock = apply_lock(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	r = find_policy(&request, &set, &policy);
	if (!r)
		r = spare_learner(&request, policy);
	return r ? r : switch_mode(&request, policy);
}
