// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/change.h"
#include "cmd/lookout.h"
#include "guard.h"
#include "meeting.h"
#include "policy/check.h"
#include "policy/mark.h"
#include "policy/parse.h"
#include "policy/print.h"
#include "presence.h"
#include "service.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/stream.h"

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_lost, lost_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static int out_of_memory(void)
{
	(void)fprintf(stderr, "porthold: out of memory\n");
	return PH_EXIT_IMPOSSIBLE;
}

static void warn_of_bad_files(const struct ph_problems *problems)
{
	cleanup_free char *text = NULL;

	if (!problems->n_errors || problems_format(problems, &text))
		return;
	(void)fputs(text, stderr);
	(void)fputs("porthold: these files are wrong: of them, what was in force before stays\n",
		    stderr);
}

static int load(const struct ph_edits *edits, enum ph_bad_files bad, struct ph_policy_set *ret,
		struct ph_problems *problems)
{
	cleanup_(lost_donep) struct ph_lost lost = {};
	struct ph_fault f = {};
	int r = bad == PH_BAD_FILES_WARN ? store_load_best(edits, ret, problems, &lost) :
					   store_load(edits, ret, problems);

	if (!r && apply_would_lose(&lost, &f))
		return report_failure(problems, &f);
	if (!r) {
		warn_of_bad_files(problems);
		return 0;
	}
	(void)fault(&f, r, r == -EINVAL ? PH_EXIT_NO : PH_EXIT_IMPOSSIBLE,
		    r == -EINVAL ? "nothing was changed; what was in force stays" :
				   "the policy files cannot be read: %s",
		    strerror(-r));
	return report_failure(problems, &f);
}

/* What is in force; nothing, if nothing is. 0 or -errno. */
static int load_before(struct ph_policy_set *ret)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	int r;

	if (!apply_in_force())
		return 0;
	r = store_load_kept(ret);
	/* Where nothing can be kept, the files as they are come closest. */
	return r || ret->n ? r : store_load_good(NULL, ret, &ignored);
}

/* The problems behind the first so many, which were told. */
static struct ph_problems untold(const struct ph_problems *problems, size_t told)
{
	struct ph_problems rest = *problems;

	rest.v += told;
	rest.n -= told;
	if (told)
		rest.n_left_out = 0;
	return rest;
}

/* What the guard had to leave out is told, however it ends. */
static void print_since(const struct ph_problems *problems, size_t before)
{
	const struct ph_problems rest = untold(problems, before);
	cleanup_free char *text = NULL;

	if (rest.n && !problems_format(&rest, &text))
		(void)fputs(text, stderr);
}

/*
 * What the set says, and the files after the edits. What is in force is kept as the last good set,
 * whatever the canary says of it; what is on trial is not in force yet, should it come to that.
 */
static int put_in_force(struct ph_policy_set *set, const struct ph_edits *edits,
			enum ph_bad_files bad, const struct ph_apply_options *given,
			struct ph_applied *ret, struct ph_problems *problems)
{
	size_t told = problems->n_errors ? problems->n : 0; /* by load() */
	size_t before = problems->n;
	struct ph_apply_options options = *given;
	struct ph_problems rest;
	struct ph_fault f = {};
	int r = lookout_spare(edits);

	if (r)
		return r;
	options.spare = bad == PH_BAD_FILES_WARN;
	if (options.spare && !options.force && guard_leave_out(set, edits, problems, &f))
		return report_failure(NULL, &f);
	r = apply_policies(set, &options, edits, ret, problems, &f);
	if (!options.dry_run)
		apply_keep(problems, ret, &f);
	rest = untold(problems, told);
	if (r || ret->outcome != PH_DONE)
		return report_failure(&rest, &f);
	print_since(problems, before);
	return PH_EXIT_OK;
}

void said_done(struct ph_said *said)
{
	json_decref(said->changes);
	free(said->overrules);
	free(said->lost);
	problems_done(&said->remarks);
}

/* What is wrong with what changes, though it is well written, is no reason to leave the rest. */
static void make_warnings(struct ph_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		problems->v[i].severity = PH_WARNING;
	problems->n_warnings += problems->n_errors;
	problems->n_errors = 0;
}

/* What can be said before anything is done; what stands in the way is told. */
static int say(const struct ph_policy_set *set, const struct ph_edits *edits, enum ph_bad_files bad,
	       struct ph_said *said)
{
	cleanup_(policy_set_donep) struct ph_policy_set before = {};
	struct ph_fault f = {};
	int r = load_before(&before);

	if (r) {
		(void)fault(&f, r, PH_EXIT_IMPOSSIBLE,
			    "nothing was changed: what is in force cannot be compared with, as its "
			    "copies in " PH_GOOD_POLICIES " cannot be read: %s",
			    strerror(-r));
		return report_failure(NULL, &f);
	}
	said->changes = changes_find(&before, set, said->most);
	r = said->changes ? find_remarks(set, &before, edits, &said->remarks) : -ENOMEM;
	if (r == -EINVAL && bad == PH_BAD_FILES_WARN) {
		make_warnings(&said->remarks);
		r = 0;
	}
	if (!r)
		return 0;
	if (r != -EINVAL)
		return out_of_memory();
	(void)problems_add_lines(&said->remarks, 0);
	(void)fault(&f, r, PH_EXIT_NO, "nothing was changed; what was in force stays");
	return report_failure(&said->remarks, &f);
}

int apply_edits(const struct ph_edits *edits, enum ph_bad_files bad,
		const struct ph_apply_options *options, struct ph_applied *ret,
		struct ph_said *said)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	struct ph_applied applied = {};
	struct ph_cover covered;
	int r = load(edits, bad, &set, &problems);

	if (!r && said)
		r = say(&set, edits, bad, said);
	if (r)
		return r;
	cover_recorded(&covered);
	r = put_in_force(&set, edits, bad, options, &applied, &problems);
	*ret = applied;
	if (!r && said)
		changes_cover(said->changes, &covered, &applied.cover);
	return r;
}

static bool lies_in_run(const char *path)
{
	return !strncmp(path, PH_RUN_POLICIES "/", strlen(PH_RUN_POLICIES "/"));
}

/* A name may be defined once in a directory, and that of /run overrules every other. */
static int refuse_second(const struct ph_policy_set *set, const char *name, const char *path)
{
	const struct ph_policy *other = policy_set_find(set, name);
	size_t length = strrchr(path, '/') - path + 1;

	if (!other || (strncmp(other->file, path, length) && !lies_in_run(other->file)))
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold: %s:%u: policy %s stands there already; change or remove it "
		      "there, and apply\n",
		      other->file, other->line, name);
	return PH_EXIT_NO;
}

/* Those in the file but one of this name (NULL: all), with commas; NULL: there are none, or it is bad. */
static char *list_policies(const char *path, const char *but)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(stream_donep) struct ph_stream stream = {};
	const char *separator = "";
	char *text = NULL;

	if (policy_parse_file(path, &set, &ignored) || stream_begin(&stream))
		return NULL;
	for (size_t i = 0; i < set.n; i++) {
		if (but && !strcmp(set.policies[i].name, but))
			continue;
		(void)fprintf(stream.file, "%s%s", separator, set.policies[i].name);
		separator = ", ";
	}
	return *separator && !stream_end(&stream, &text) ? text : NULL;
}

static void refuse_file(const char *path)
{
	cleanup_free char *policies = list_policies(path, NULL);
	bool several = policies && strchr(policies, ',');

	(void)fprintf(stderr,
		      "porthold: %s stands in the way: porthold did not write it, or it was edited "
		      "since%s%s. Nothing was changed; move it away, or remove or replace it with "
		      "--force\n",
		      path, several ? "; it holds the policies " : "", several ? policies : "");
}

int refuse_foreign(const struct ph_edits *edits, const struct ph_apply_options *options)
{
	int refused = PH_EXIT_OK;

	for (size_t i = 0; i < edits->n && !options->replace; i++) {
		const struct ph_edit *edit = &edits->v[i];
		int r = file_is_link(edit->path) ? 0 : mark_fits_file(edit->path);

		if (r == 1 || r == -ENOENT)
			continue;
		if (r < 0 && r != -EISDIR)
			(void)fprintf(stderr, "porthold: %s cannot be read: %s\n", edit->path,
				      strerror(-r));
		else
			refuse_file(edit->path);
		refused = r < 0 && r != -EISDIR ? PH_EXIT_IMPOSSIBLE : PH_EXIT_NO;
	}
	return refused;
}

static int format_marked(const struct ph_policy *policy, char **ret)
{
	cleanup_free char *text = NULL;
	int r = policy_format(policy, &text);

	return r ? r : mark_text(text, ret);
}

/* The policy takes the place of what is in the set of its name. */
static int put_into(struct ph_policy_set *set, struct ph_policy *policy, struct ph_edit *edit,
		    struct ph_said *said)
{
	const struct ph_policy *other = policy_set_find(set, policy->name);

	if (said && other && asprintf(&said->overrules, "%s:%u", other->file, other->line) < 0)
		return out_of_memory();
	(void)policy_set_remove(set, policy->name);
	if (format_marked(policy, &edit->text) || policy_set_add(set, policy))
		return out_of_memory();
	return PH_EXIT_OK;
}

/* What comes into force besides: nobody asked for it now. */
static int say_besides(const struct ph_policy_set *set, const struct ph_edits *edits,
		       struct ph_said *said)
{
	cleanup_(policy_set_donep) struct ph_policy_set before = {};

	if (apply_in_force() && store_is_current() == 1)
		return PH_EXIT_OK;
	if (load_before(&before))
		return PH_EXIT_OK; /* it cannot be known, and is no reason to change nothing */
	said->changes = changes_find(&before, set, SIZE_MAX);
	if (!said->changes)
		return out_of_memory();
	changes_leave_out(said->changes, edits);
	return presence_check_writers(set, &before, &said->remarks) ? out_of_memory() : PH_EXIT_OK;
}

/* Of files that people wrote, and want replaced. */
static int say_lost(const struct ph_edits *edits, const char *name, struct ph_said *said)
{
	cleanup_(stream_donep) struct ph_stream stream = {};

	if (stream_begin(&stream))
		return out_of_memory();
	for (size_t i = 0; i < edits->n; i++) {
		cleanup_free char *policies = list_policies(edits->v[i].path, name);

		if (policies)
			(void)fprintf(stream.file, "With %s as it was went policies: %s\n",
				      edits->v[i].path, policies);
	}
	return stream_end(&stream, &said->lost) ? out_of_memory() : PH_EXIT_OK;
}

void print_besides(const struct ph_said *said)
{
	if (said->lost)
		(void)fputs(said->lost, stdout);
	if (said->overrules)
		(void)printf("This overrules %s.\n", said->overrules);
	if (!json_array_size(json_object_get(said->changes, "policies")))
		return;
	(void)printf("Besides, what was edited before is in force now:\n");
	changes_print(said->changes);
}

int replace_files(struct ph_edits *edits, struct ph_policy *policy,
		  const struct ph_apply_options *options, struct ph_applied *ret,
		  struct ph_said *said)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	const char *name = policy ? policy->name : NULL; /* the set's, once that has it */
	int r = refuse_foreign(edits, options);

	if (!r)
		r = load(edits, PH_BAD_FILES_WARN, &set, &problems);
	if (!r && policy)
		r = refuse_second(&set, name, edits->v[0].path);
	if (!r && policy && said && options->replace)
		r = say_lost(edits, name, said);
	if (!r && policy)
		r = put_into(&set, policy, &edits->v[0], said);
	if (!r && said)
		r = say_besides(&set, edits, said);
	if (!r)
		r = put_in_force(&set, edits, PH_BAD_FILES_WARN, options, ret, &problems);
	if (!r && policy && said)
		(void)meeting_check_of(&set, name, &said->remarks);
	return r;
}

int replace_policy(const char *path, struct ph_policy *policy,
		   const struct ph_apply_options *options, struct ph_applied *ret)
{
	cleanup_(edits_donep) struct ph_edits edits = {};

	if (edits_add(&edits, path, NULL, NULL))
		return out_of_memory();
	return replace_files(&edits, policy, options, ret, NULL);
}

void take_lasting_option(struct ph_lasting *lasting, int option)
{
	if (option == PH_OPTION_ENABLE)
		lasting->enable = true;
	else
		lasting->permanent = true;
}

int check_lasting(const char *verb, const struct ph_lasting *lasting)
{
	if (lasting->enable && !lasting->permanent)
		return usage_error(verb, "--enable goes with --permanent");
	return 0;
}

int begin_lasting(struct ph_lasting *lasting)
{
	struct ph_fault f = {};

	if (service_enabled())
		return PH_EXIT_OK;
	if (!lasting->enable) {
		(void)fprintf(stderr,
			      "porthold: porthold.service is not enabled, so nothing would apply "
			      "/etc/porthold at boot; systemctl enable porthold, or --enable\n");
		return PH_EXIT_REFUSED;
	}
	if (service_enable(&f))
		return report_failure(NULL, &f);
	lasting->enabled_now = true;
	return PH_EXIT_OK;
}

void undo_lasting(const struct ph_lasting *lasting, const struct ph_applied *applied)
{
	if (lasting->enabled_now && !outcome_in_force(applied->outcome))
		service_disable();
}
