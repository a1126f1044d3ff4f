// SPDX-License-Identifier: GPL-2.0-or-later
/* apply: installs policy files and puts in force what lies in the two policy directories. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/change.h"
#include "policy/check.h"
#include "policy/mark.h"
#include "policy/origin.h"
#include "policy/parse.h"
#include "policy/paths.h"
#include "policy/text.h"
#include "trial.h"
#include "util/cleanup.h"
#include "util/file.h"

#define CONFIRM_MAX (7u * 24 * 3600) /* s */

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_origins, origins_done);
DEFINE_CLEANUP_DONE(struct ph_paths, paths_done);
DEFINE_CLEANUP_DONE(struct ph_said, said_done);
DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);

struct request {
	struct ph_apply_options apply;
	struct ph_lasting lasting;
	bool json;
	char **paths; /* ends with NULL */
};

enum {
	OPTION_DRY_RUN = PH_OPTION_OWN,
	OPTION_CONFIRM,
	OPTION_JSON,
};

/* --- Arguments */

static int take_seconds(const char *text, unsigned *ret)
{
	struct ph_word word = { .text = text, .len = strlen(text) };
	uint64_t seconds = word_is_number(&word) ? word_number(&word, CONFIRM_MAX) : 0;

	if (!seconds || seconds > CONFIRM_MAX)
		return usage_error("apply", "--confirm %s: a number of seconds from 1 to %u",
				   quote_bare(&word).text, CONFIRM_MAX);
	*ret = seconds;
	return 0;
}

static int take_option(struct request *request, int option)
{
	switch (option) {
	case OPTION_DRY_RUN:
		request->apply.dry_run = true;
		return 0;
	case OPTION_CONFIRM:
		return take_seconds(optarg, &request->apply.confirm);
	case PH_OPTION_PERMANENT:
	case PH_OPTION_ENABLE:
		take_lasting_option(&request->lasting, option);
		return 0;
	case OPTION_JSON:
		request->json = true;
		return 0;
	case '?':
		return option_error("apply");
	default:
		return take_apply_option("apply", &request->apply, option, optarg);
	}
}

/* Options that do not go together. */
static int check_options(const struct request *request)
{
	const struct ph_apply_options *apply = &request->apply;

	if (apply->confirm && !*request->paths)
		return usage_error("apply", "--confirm holds files back until they are confirmed; "
					    "name them");
	if (apply->confirm && apply->existing != PH_EXISTING_REPORT)
		return usage_error("apply", "--existing cannot be taken back: confirm first, then "
					    "apply --existing");
	if (request->lasting.permanent && !*request->paths)
		return usage_error("apply", "--permanent says where files go; name them");
	return check_lasting("apply", &request->lasting);
}

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS,
		PH_EXISTING_OPTION,
		PH_LASTING_OPTIONS,
		{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
		{ "confirm", required_argument, NULL, OPTION_CONFIRM },
		PH_FORCE_OPTION,
		{ "json", no_argument, NULL, OPTION_JSON },
		{},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(request, option);
		if (r)
			return r;
	}
	request->paths = argv + optind;
	/* A lock-out only where the machine comes back. */
	request->apply.force = request->apply.replace && request->apply.confirm;
	return check_options(request);
}

/* --- Files */

/* Whether the file lies in the directory that it would be copied to, or overrules it from there. */
static bool lies_there(const char *path, const char *directory)
{
	cleanup_free char *real = realpath(path, NULL);
	char *slash = real ? strrchr(real, '/') : NULL;

	if (!slash)
		return false;
	*slash = 0;
	return !strcmp(real, directory) || !strcmp(real, PH_ETC_POLICIES);
}

static const struct ph_edit *find_edit(const struct ph_edits *edits, const char *path)
{
	for (size_t i = 0; i < edits->n; i++)
		if (!strcmp(edits->v[i].path, path))
			return &edits->v[i];
	return NULL;
}

static int add_text(struct ph_edits *edits, const char *path, const char *target,
		    struct ph_problems *problems)
{
	cleanup_free char *text = NULL;
	size_t length;
	int r = policy_read_file(path, &text, &length, problems);

	/* The parser says what is wrong with a zero byte; an edit's text ends there. */
	if (!r && strlen(text) != length)
		return problems_refuse(problems, path,
				       "a policy file is plain text: is this the right file?",
				       "a zero byte");
	if (!r)
		r = edits_add(edits, target, text, path);
	if (!r)
		text = NULL;
	return r;
}

/* What goes to /etc would be overruled by a file of the same name in /run. */
static int drop_transient(struct ph_edits *edits, const char *name)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, PH_RUN_POLICIES "/%s", name) < 0)
		return -ENOMEM;
	return access(path, F_OK) ? 0 : edits_add(edits, path, NULL, NULL);
}

static int add_file(const struct request *request, const char *path, struct ph_edits *edits,
		    struct ph_problems *problems)
{
	const char *directory = request->lasting.permanent ? PH_ETC_POLICIES : PH_RUN_POLICIES;
	const char *name = basename(path);
	cleanup_free char *target = NULL;
	const struct ph_edit *other;
	int r;

	if (!access(path, F_OK) && !is_policy_file(name))
		return problems_refuse(problems, path, "call it NAME.yaml",
				       "in the policy directories only *.yaml counts");
	if (lies_there(path, directory))
		return 0;
	if (asprintf(&target, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	other = find_edit(edits, target);
	if (other && other->origin && strcmp(other->origin, path))
		return problems_refuse(
			problems, path, "rename one of them",
			"another of the files has the same name, and would be replaced");
	if (other)
		return 0;
	r = add_text(edits, path, target, problems);
	return r || !request->lasting.permanent ? r : drop_transient(edits, name);
}

static int read_files(const struct request *request, struct ph_edits *edits,
		      struct ph_problems *problems)
{
	cleanup_(paths_donep) struct ph_paths paths = {};
	int r = 0;

	for (char **path = request->paths; *path; path++)
		r = problems_worse(r, paths_add(&paths, *path, problems));
	for (size_t i = 0; i < paths.n; i++)
		r = problems_worse(r, add_file(request, paths.v[i], edits, problems));
	return r;
}

/* All of what is wrong with all of them; what could not be read is told with the rest. */
static int collect(const struct request *request, struct ph_edits *edits,
		   struct ph_problems *problems)
{
	struct ph_policy_set set = {};
	struct ph_fault f = {};
	int r = read_files(request, edits, problems);

	if (!r)
		return 0;
	if (r == -EINVAL) {
		(void)store_load(edits, &set, problems);
		policy_set_done(&set);
	}
	(void)fault(&f, r, r == -EINVAL ? PH_EXIT_NO : PH_EXIT_IMPOSSIBLE,
		    "nothing was changed%s%s", r == -EINVAL ? "" : ": ",
		    r == -EINVAL ? "" : strerror(-r));
	return report_failure(problems, &f);
}

/* --- Files that are there already */

/* Where the copy of that name comes from: also of one that goes since it would overrule it. */
static const char *origin_of(const struct ph_edits *edits, const struct ph_edit *edit)
{
	for (size_t i = 0; !edit->origin && i < edits->n; i++)
		if (edits->v[i].origin && !strcmp(basename(edits->v[i].path), basename(edit->path)))
			return edits->v[i].origin;
	return edit->origin;
}

static void tell_other(const char *path, const char *origin, const char *other, const char *lost)
{
	(void)fprintf(stderr, "porthold apply: %s would replace %s, which ", origin, path);
	if (other)
		(void)fprintf(stderr, "is a copy of %s", other);
	else
		(void)fprintf(stderr, "people wrote or edited%s%s",
			      lost ? ", or where it comes from is not known: " PH_ORIGINS " " : "",
			      lost ? lost : "");
	(void)fprintf(stderr, ". Nothing was changed; rename one of them, or --force\n");
}

/* What is there is what will be, or a copy of the same file as it was, or nothing that people wrote. */
static int refuse_other(const struct ph_edits *edits, const struct ph_edit *edit,
			const struct ph_origins *origins)
{
	const char *origin = origin_of(edits, edit), *other = NULL;
	cleanup_free char *text = NULL;
	size_t length;
	int r = file_read(edit->path, PH_FILE_SIZE_MAX, &text, &length);

	if (r == -ENOENT)
		return PH_EXIT_OK;
	if (r) {
		(void)fprintf(stderr, "porthold apply: %s cannot be read: %s\n", edit->path,
			      strerror(-r));
		return PH_EXIT_IMPOSSIBLE;
	}
	if (edit->text && !strcmp(edit->text, text))
		return PH_EXIT_OK;
	if (!file_is_link(edit->path) &&
	    (mark_fits(text) || origins_know(origins, edit->path, text, origin, &other)))
		return PH_EXIT_OK;
	tell_other(edit->path, origin, other, origins->lost);
	return PH_EXIT_NO;
}

static int refuse_others(const struct ph_edits *edits, const struct ph_origins *origins)
{
	int refused = PH_EXIT_OK;

	for (size_t i = 0; i < edits->n; i++) {
		int r = refuse_other(edits, &edits->v[i], origins);

		refused = r ? r : refused;
	}
	return refused;
}

/* Whether the files may take the place of what is there. */
static int check_places(const struct request *request, const struct ph_edits *edits)
{
	cleanup_(origins_donep) struct ph_origins origins = {};
	int r;

	if (request->apply.replace)
		return PH_EXIT_OK;
	r = origins_read(&origins);
	if (!r)
		return refuse_others(edits, &origins);
	(void)fprintf(stderr,
		      "porthold apply: " PH_ORIGINS " cannot be read: %s; nothing was changed\n",
		      strerror(-r));
	return PH_EXIT_IMPOSSIBLE;
}

/* Their next form may take the place of this one. */
static void note_origins(const struct ph_edits *edits, const struct ph_edits *unchanged)
{
	cleanup_(origins_donep) struct ph_origins origins = {};
	int r;

	r = origins_read(&origins);
	if (!r)
		r = origins_note(&origins, edits, unchanged);
	if (r)
		(void)fprintf(stderr,
			      "porthold apply: warning: " PH_ORIGINS " cannot be written: %s; the "
			      "next apply of these files will want --force\n",
			      strerror(-r));
	else if (origins.damaged && !access(PH_BAD_ORIGINS, F_OK))
		(void)fprintf(stderr, "porthold apply: warning: " PH_ORIGINS
				      " was damaged, and is " PH_BAD_ORIGINS
				      " now: another apply of other files may want --force\n");
}

/* --- Answers */

static json_t *doors_json(uint64_t doors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ph_promises_n; i++)
		if (doors >> i & 1)
			(void)json_array_append_new(list, json_string(ph_promises[i].name));
	return list;
}

/* Nothing that could be taken for done. */
static void tell_as_tried(json_t *object, const struct ph_applied *applied, const json_t *changes)
{
	static const char *const done[] = { "in_force", "changed", "generation",
					    "processes_confined" };

	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		(void)json_object_del(object, done[i]);
	(void)json_object_set_new(object, "would_be_in_force", json_boolean(applied->in_force));
	(void)json_object_set_new(
		object, "would_change",
		json_boolean(json_array_size(json_object_get(changes, "policies"))));
}

static int print_json(const struct request *request, const struct ph_applied *applied,
		      json_t *changes)
{
	json_t *refused;
	int r = refused_json(request->apply.refused, request->apply.existing, &refused);
	json_t *object = json_pack(
		"{s:b, s:b, s:b, s:s, s:I, s:s, s:I, s:I, s:o, s:o, s:O}", "dry_run",
		request->apply.dry_run, "changed", applied->changed, "in_force", applied->in_force,
		"backend", applied->in_force ? backend_name(applied->backend) : "none",
		"generation", (json_int_t)applied->generation, "covers", applied->attach,
		"processes_confined", (json_int_t)applied->confined, "programs_missing",
		(json_int_t)applied->missing, "open_doors", doors_json(applied->open), "refused",
		refused, "changes", changes);

	if (applied->trial)
		(void)json_object_set_new(object, "confirm_within",
					  json_integer(request->apply.confirm));
	if (request->apply.dry_run)
		tell_as_tried(object, applied, changes);
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
	return r;
}

static void print_trial(const struct request *request, const struct ph_applied *applied)
{
	if (applied->trial)
		(void)printf("On trial for %u s: porthold confirm makes it stay; else what was in "
			     "force before comes back.\n",
			     request->apply.confirm);
	else if (request->apply.confirm)
		(void)printf("Nothing has to be confirmed.\n");
}

static void print_text(const struct request *request, const struct ph_applied *applied,
		       const json_t *changes)
{
	changes_print(changes);
	if (request->apply.dry_run) {
		(void)printf(json_array_size(json_object_get(changes, "policies")) ?
				     "Nothing was done (--dry-run).\n" :
				     "Nothing would change.\n");
		return;
	}
	print_applied(applied);
	print_trial(request, applied);
}

static int apply_files(struct request *request, struct ph_edits *edits, struct ph_applied *ret,
		       struct ph_said *said)
{
	cleanup_(sockets_donep) struct ph_sockets refused = {};
	int r;

	request->apply.refused = &refused;
	r = apply_edits(edits, PH_BAD_FILES_BLOCK, &request->apply, ret, said);
	/* The trial goes on, whatever came after it began. */
	if (r && ret->trial && !request->json)
		print_trial(request, ret);
	if (r)
		return r;
	if (request->json) {
		r = print_json(request, ret, said->changes);
	} else {
		print_text(request, ret, said->changes);
		r = print_refused(&refused, request->apply.existing, ret->backend);
	}
	print_warnings(&said->remarks);
	return r;
}

static int install_and_apply(struct request *request)
{
	cleanup_(edits_donep) struct ph_edits edits = {}, unchanged = {};
	cleanup_(said_donep) struct ph_said said = {
		.most = request->json ? SIZE_MAX : PH_CHANGES_SHOWN,
	};
	struct ph_lasting *lasting = &request->lasting;
	struct ph_applied applied = {};
	int r = collect(request, &edits, &said.remarks);

	if (!r)
		r = check_places(request, &edits);
	if (!r && lasting->permanent && !(request->apply.dry_run && lasting->enable))
		r = begin_lasting(lasting);
	if (r)
		return r;
	if (edits_part_unchanged(&edits, &unchanged))
		return no_memory("apply");
	r = apply_files(request, &edits, &applied, &said);
	if (outcome_in_force(applied.outcome) && !request->apply.dry_run)
		note_origins(&edits, &unchanged);
	if (r)
		undo_lasting(lasting, &applied);
	return request->apply.dry_run ? r : verb_changed(r);
}

int cmd_apply(int argc, char **argv)
{
	cleanup_close int lock = -1;
	struct request request = {};
	struct ph_fault f = {};
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("apply");
	if (r)
		return r;
	/* The lock is a file: a dry run makes none. */
	if (request.apply.dry_run)
		r = trial_look(&f);
	else
		r = lock = apply_lock(&f);
	return r < 0 ? report_failure(NULL, &f) : install_and_apply(&request);
}
