// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/check.h"
#include "policy/paths.h"
#include "policy/text.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/json.h"

#define PLAN PH_PENDING "/plan.json"
#define HIDDEN ".pending-"
#define BESIDE_MAX 100 /* files that were laid beside one of a name */
#define STATE_SIZE 48

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);

static bool lies_in_run(const char *path)
{
	return !strncmp(path, PH_RUN_POLICIES "/", strlen(PH_RUN_POLICIES "/"));
}

static bool lies_in(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return !strncmp(path, directory, length) && path[length] == '/' &&
	       is_policy_file(path + length + 1) && !strchr(path + length + 1, '/');
}

/* Where the file waits, which lies in one of the directories: on the file system that it goes to. */
static int waiting_path(const char *path, char **ret)
{
	const char *name = strrchr(path, '/') + 1;
	int n;

	if (lies_in_run(path))
		n = asprintf(ret, PH_PENDING "/%s", name);
	else
		n = asprintf(ret, "%.*s" HIDDEN "%s", (int)(name - path), path, name);
	return n < 0 ? -ENOMEM : 0;
}

/* What stands there, in a word that is another one once it was changed; "" nothing. 0 or -errno. */
static int read_state(const char *path, char ret[STATE_SIZE])
{
	cleanup_free char *text = NULL;
	size_t length;
	int r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);

	*ret = 0;
	if (!r)
		(void)snprintf(ret, STATE_SIZE, "%016" PRIx64 "-%zu", text_hash(text), length);
	if (r == -EISDIR || r == -ENOTSUP || r == -EFBIG)
		(void)snprintf(ret, STATE_SIZE, "no text");
	return *ret || r == -ENOENT ? 0 : r;
}

/* Whether the file can be moved into its place, or away from it: afterwards it is too late to find out. */
static int check_place(const char *path)
{
	cleanup_free char *copy = strdup(path);
	struct statx st;

	if (!copy)
		return -ENOMEM;
	if (faccessat(AT_FDCWD, dirname(copy), W_OK, AT_EACCESS))
		return -errno;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st))
		return errno == ENOENT ? 0 : -errno;
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EBUSY;
	return st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND) ? -EPERM : 0;
}

static int write_waiting(const struct ph_edit *edit)
{
	cleanup_free char *path = NULL;
	int r = mkdir_above(edit->path, 0755);

	if (!r)
		r = check_place(edit->path);
	if (r || !edit->text)
		return r;
	r = waiting_path(edit->path, &path);
	return r ? r : file_write_like(path, edit->path, edit->text, strlen(edit->text), 0644);
}

static int plan_file(const struct ph_edit *edit, json_t *files)
{
	char was[STATE_SIZE];
	int r = read_state(edit->path, was);

	if (!r &&
	    json_array_append_new(files, json_pack("{s:s, s:b, s:s}", "path", edit->path, "removed",
						   edit->text == NULL, "was", was)))
		r = -ENOMEM;
	return r;
}

static int write_plan(const struct ph_edits *edits, uint64_t generation)
{
	json_auto_t *files = json_array(), *plan = NULL;
	cleanup_free char *text = NULL;
	int r = 0;

	for (size_t i = 0; !r && i < edits->n; i++)
		r = plan_file(&edits->v[i], files);
	if (r)
		return r;
	plan = json_pack("{s:I, s:O}", "generation", (json_int_t)generation, "files", files);
	text = plan ? json_to_text(plan, JSON_COMPACT) : NULL;
	return text ? file_write_atomic(PLAN, text, strlen(text), 0644) : -ENOMEM;
}

int pending_write(const struct ph_edits *edits, uint64_t generation)
{
	int r = mkdir_parents(PH_PENDING, 0755);

	for (size_t i = 0; !r && i < edits->n; i++)
		r = write_waiting(&edits->v[i]);
	if (!r)
		r = write_plan(edits, generation);
	if (r)
		(void)pending_discard();
	return r;
}

/* --- Reading it again */

/* A plan says of nothing else what shall become of it, whoever has written it. */
static int read_entry(const json_t *entry, const char **ret_path, bool *ret_removed)
{
	int removed;

	errno = 0;
	if (json_unpack((json_t *)entry, "{s:s, s:b}", "path", ret_path, "removed", &removed))
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	if (!lies_in(*ret_path, PH_RUN_POLICIES) && !lies_in(*ret_path, PH_ETC_POLICIES))
		return -EBADMSG;
	*ret_removed = removed;
	return 0;
}

static int read_file(const json_t *entry, void *edits)
{
	cleanup_free char *waiting = NULL, *text = NULL;
	const char *path;
	size_t length;
	bool removed;
	int r = read_entry(entry, &path, &removed);

	if (!r)
		r = waiting_path(path, &waiting);
	if (!r && !removed)
		r = file_read(waiting, PH_FILE_SIZE_MAX, &text, &length);
	/* Moved already: the file in place is it. */
	if (r == -ENOENT)
		r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);
	if (!r)
		r = edits_add(edits, path, text, NULL);
	if (!r)
		text = NULL;
	return r;
}

static int check_entries(const json_t *files)
{
	const json_t *entry;
	const char *path;
	bool removed;
	int r = json_is_array(files) ? 0 : -EBADMSG;
	size_t i;

	json_array_foreach(files, i, entry)
		if (!r)
			r = read_entry(entry, &path, &removed);
	return r;
}

/* 0, -EBADMSG or -ENOMEM. */
static int unpack_plan(json_t *plan, json_t **ret_files, uint64_t *ret_generation)
{
	json_int_t generation;

	errno = 0;
	if (json_unpack(plan, "{s:I, s:o}", "generation", &generation, "files", ret_files))
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	*ret_generation = generation;
	return check_entries(*ret_files);
}

static int read_plan(json_t **ret, json_t **ret_files, uint64_t *ret_generation)
{
	cleanup_free char *text = NULL;
	size_t length;
	json_t *plan;
	int r = file_read(PLAN, PH_FILE_SIZE_MAX, &text, &length);

	if (r == -ENOTDIR || r == -EISDIR || r == -ENOTSUP || r == -EFBIG)
		return -EBADMSG;
	if (r)
		return r;
	r = json_from_text(text, length, &plan);
	if (r)
		return r;
	r = unpack_plan(plan, ret_files, ret_generation);
	if (r)
		json_decref(plan);
	else
		*ret = plan;
	return r;
}

/* What is done with each file of a plan; nonzero ends the walk. */
typedef int (*entry_function)(const json_t *entry, void *with);

/* 0; 1: there is no plan; -errno. */
static int each_entry(entry_function each, void *with, uint64_t *ret_generation)
{
	json_auto_t *plan = NULL;
	json_t *files, *entry;
	size_t i;
	int r = read_plan(&plan, &files, ret_generation);

	if (r)
		return r == -ENOENT ? 1 : r;
	json_array_foreach(files, i, entry)
		if (!r)
			r = each(entry, with);
	return r;
}

int pending_generation(uint64_t *ret)
{
	json_auto_t *plan = NULL;
	json_t *files;

	return read_plan(&plan, &files, ret);
}

int pending_read(struct ph_edits *ret, uint64_t *ret_generation)
{
	cleanup_(edits_donep) struct ph_edits edits = {};
	int r = each_entry(read_file, &edits, ret_generation);

	if (r)
		return r == 1 ? -ENOENT : r;
	*ret = edits;
	edits = (struct ph_edits){};
	return 0;
}

/* --- Its end */

/* Into a directory that somebody has mounted there, it takes a copy. */
static int move_file(const char *from, const char *to)
{
	cleanup_free char *text = NULL;
	size_t length;
	int r;

	if (!rename(from, to))
		return sync_parent(to);
	if (errno != EXDEV)
		return -errno;
	r = file_read(from, PH_FILE_SIZE_MAX, &text, &length);
	return r ? r : file_write_like(to, from, text, length, 0644);
}

/* Whether a person has written there since: 1, 0 or -errno. `wanted`: what waits; "" its removal. */
static int is_overtaken(const json_t *entry, const char *path, const char *wanted)
{
	const char *was = json_string_value(json_object_get(entry, "was"));
	char now[STATE_SIZE], then[STATE_SIZE];
	int r = read_state(path, now);

	if (!r)
		r = read_state(wanted, then);
	return r ? r : was && *now && strcmp(now, was) && strcmp(now, then);
}

/* *ret_beside: where it is now. 0 or -errno. */
static int lay_beside(const char *waiting, const char *path, char ret_beside[PATH_MAX])
{
	for (int i = 0; i < BESIDE_MAX; i++) {
		(void)snprintf(ret_beside, PATH_MAX, i ? "%s.new.%d" : "%s.new", path, i);
		if (!access(ret_beside, F_OK))
			continue;
		return move_file(waiting, ret_beside);
	}
	return -EEXIST;
}

static int keep_out(const char *waiting, const char *path, struct ph_problems *told)
{
	char beside[PATH_MAX];
	int r = lay_beside(waiting, path, beside);

	if (r)
		return r;
	return problems_note(told, PH_WARNING, path, 0, 0, NULL,
			     "this was written while another form of it waited for its place: it "
			     "stays and counts from now on; the other one is %s",
			     beside);
}

static int remove_file(const json_t *entry, const char *path, struct ph_problems *told)
{
	int r = is_overtaken(entry, path, "");

	if (r < 0)
		return r;
	if (r)
		return problems_note(told, PH_WARNING, path, 0, 0, NULL,
				     "this was written while its removal waited: it stays and "
				     "counts from now on");
	return file_remove(path);
}

static int finish_file(const json_t *entry, void *told)
{
	cleanup_free char *waiting = NULL;
	const char *path;
	bool removed;
	int r = read_entry(entry, &path, &removed);

	if (r)
		return r;
	if (removed)
		return remove_file(entry, path, told);
	r = waiting_path(path, &waiting);
	/* What is not there was moved before a crash. */
	if (r || (access(waiting, F_OK) && errno == ENOENT))
		return r;
	r = is_overtaken(entry, path, waiting);
	if (r)
		return r < 0 ? r : keep_out(waiting, path, told);
	return move_file(waiting, path);
}

int pending_finish(struct ph_problems *told)
{
	uint64_t generation;
	int r = each_entry(finish_file, told, &generation);

	if (r)
		return r == 1 ? 0 : r;
	return pending_discard();
}

/* The first such path. */
static int find_overtaken(const json_t *entry, void *with)
{
	cleanup_free char *waiting = NULL;
	char **ret = with;
	const char *path;
	bool removed;
	int r = read_entry(entry, &path, &removed);

	if (!r)
		r = waiting_path(path, &waiting);
	if (!r)
		r = is_overtaken(entry, path, removed ? "" : waiting);
	if (r <= 0 || *ret)
		return r < 0 ? r : 0;
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

int pending_overtaken(char **ret)
{
	uint64_t generation;
	int r;

	*ret = NULL;
	r = each_entry(find_overtaken, ret, &generation);
	return r == 1 ? 0 : r;
}

static void remove_files(const char *directory, const char *prefix)
{
	cleanup_closedir DIR *dir = opendir(directory);

	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
}

/* The plan first: without it, what is left is rubbish. In the place of either may be whatever it likes. */
int pending_discard(void)
{
	if (remove(PLAN) && errno != ENOENT && errno != ENOTDIR)
		return -errno;
	remove_files(PH_PENDING, "");
	remove_files(PH_ETC_POLICIES, HIDDEN);
	(void)remove(PH_PENDING);
	return 0;
}
