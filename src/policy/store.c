// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/check.h"
#include "policy/parse.h"
#include "policy/paths.h"
#include "policy/seal.h"
#include "util/cleanup.h"
#include "util/file.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

#define HALF_WRITTEN_MAX 600 /* s: whoever takes longer was killed */

const char *const ph_directories[PH_DIRECTORIES] = { PH_RUN_POLICIES, PH_ETC_POLICIES };

/* --- Edits */

static void edit_done(struct ph_edit *edit)
{
	free(edit->path);
	free(edit->text);
	free(edit->origin);
}

void edits_done(struct ph_edits *edits)
{
	for (size_t i = 0; i < edits->n; i++)
		edit_done(&edits->v[i]);
	free(edits->v);
	*edits = (struct ph_edits){};
}

int edits_add(struct ph_edits *edits, const char *path, char *text, const char *origin)
{
	struct ph_edit edit = { .path = strdup(path), .origin = origin ? strdup(origin) : NULL };
	struct ph_edit *more = NULL;

	if (edit.path && (edit.origin || !origin))
		more = reallocarray(edits->v, edits->n + 1, sizeof(*more));
	if (!more) {
		edit_done(&edit);
		return -ENOMEM;
	}
	edit.text = text;
	edits->v = more;
	edits->v[edits->n++] = edit;
	return 0;
}

static bool is_unchanged(const struct ph_edit *edit)
{
	cleanup_free char *old = NULL;
	size_t length;

	return edit->text && !file_read(edit->path, PH_FILE_SIZE_MAX, &old, &length) &&
	       !strcmp(old, edit->text);
}

int edits_part_unchanged(struct ph_edits *edits, struct ph_edits *ret)
{
	size_t n = 0;

	ret->v = calloc(edits->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < edits->n; i++) {
		struct ph_edit edit = edits->v[i];

		if (is_unchanged(&edit))
			ret->v[ret->n++] = edit;
		else
			edits->v[n++] = edit;
	}
	edits->n = n;
	return 0;
}

static bool is_edited(const struct ph_edits *edits, const char *path)
{
	for (size_t i = 0; edits && i < edits->n; i++)
		if (!strcmp(edits->v[i].path, path))
			return true;
	return false;
}

static bool lies_in(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return !strncmp(path, directory, length) && path[length] == '/' &&
	       !strchr(path + length + 1, '/');
}

/* --- What is kept */

/* The name of a kept file: its path, with what parts folders made plain. */
static int kept_name(const char *path, char **ret)
{
	*ret = strdup(path + 1);
	if (!*ret)
		return -ENOMEM;
	for (char *at = *ret; (at = strchr(at, '/'));)
		*at = '+';
	return 0;
}

static int kept_path(const char *path, char **ret)
{
	cleanup_free char *name = NULL;

	if (kept_name(path, &name))
		return -ENOMEM;
	return asprintf(ret, "%s/%s", PH_GOOD_POLICIES, name) < 0 ? -ENOMEM : 0;
}

/* The file's name in the directory, if it was kept for one of this directory; else NULL. */
static const char *kept_for(const char *entry, const char *directory)
{
	cleanup_free char *prefix = NULL;
	size_t length = strlen(directory);

	if (kept_name(directory, &prefix) || strncmp(entry, prefix, length - 1) ||
	    entry[length - 1] != '+')
		return NULL;
	return entry + length;
}

static bool is_any_kept(const char *directory)
{
	cleanup_closedir DIR *dir = opendir(PH_GOOD_POLICIES);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (kept_for(entry->d_name, directory))
			return true;
	return false;
}

/* That of /run goes at every boot. */
static bool is_away(const char *directory)
{
	return !strcmp(directory, PH_ETC_POLICIES) && access(directory, F_OK) && errno == ENOENT &&
	       is_any_kept(directory);
}

/* Whether the names in it, and those that it lacks, are what root means by it. */
static bool is_sure(const char *directory)
{
	return path_is_ours(directory) && !is_away(directory);
}

static bool has_error(const struct ph_problems *problems, const char *path)
{
	for (size_t i = 0; i < problems->n; i++)
		if (problems->v[i].severity == PH_ERROR && !strcmp(problems->v[i].file, path))
			return true;
	return false;
}

/* Whether a copy may be one of a build that wrote no seals: until this one has sealed them all. */
static bool is_older(const char *text, size_t length)
{
	return access(PH_SEALED, F_OK) && errno == ENOENT && strlen(text) == length &&
	       !seal_is_near(text);
}

static int read_copy(const char *kept, char **ret, size_t *ret_len)
{
	return file_read(kept, PH_FILE_SIZE_MAX + PH_SEAL_SIZE, ret, ret_len);
}

/* The copy of the file, without its seal. 0; -ENOENT; -EINVAL: it is not what was kept; other -errno. */
static int read_kept(const char *path, char **ret, size_t *ret_len)
{
	cleanup_free char *kept = NULL, *text = NULL;
	int r = kept_path(path, &kept);

	if (!r)
		r = read_copy(kept, &text, ret_len);
	if (!r && !is_older(text, *ret_len))
		r = seal_open(text, ret_len);
	if (!r)
		*ret = TAKE_PTR(text);
	return r;
}

/* What the file said when it was last in force. 0; -ENOENT: it never was; -EINVAL: the copy is bad. */
static int load_kept(const char *path, struct ph_policy_set *set)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_free char *text = NULL;
	size_t length;
	int r = read_kept(path, &text, &length);

	return r ? r : policy_parse_text(path, text, length, set, &ignored);
}

void lost_done(struct ph_lost *lost)
{
	for (size_t i = 0; i < lost->n; i++)
		free(lost->paths[i]);
	free(lost->paths);
	*lost = (struct ph_lost){};
}

static int add_lost(struct ph_lost *lost, const char *path)
{
	char **more = reallocarray(lost->paths, lost->n + 1, sizeof(*more));
	char *copy = strdup(path);

	if (more)
		lost->paths = more;
	if (!more || !copy) {
		free(copy);
		return -ENOMEM;
	}
	more[lost->n++] = copy;
	return 0;
}

/* --- Loading */

/* How the files of a directory are to be read. */
struct reading {
	const struct ph_edits *edits;
	bool good; /* a bad file counts as it last was */
	bool last; /* every file does */
	struct ph_lost *lost; /* NULL: nobody asks */
	struct ph_problems *problems;
};

/* What nobody can read at this moment is not lost. */
static int load_last_form(const char *path, const struct reading *reading,
			  struct ph_policy_set *set)
{
	struct ph_problem problem = { .severity = PH_ERROR, .file = (char *)path };
	int r = load_kept(path, set);

	if (r != -ENOENT && r != -EINVAL)
		return r;
	problem.message = (char *)(r == -ENOENT ? "no good copy of this file is kept" :
						  "the copy that was kept of this file is damaged");
	problem.remedy = (char *)"mend the file: until then nothing of it counts";
	r = reading->problems ? problems_add(reading->problems, &problem) : 0;
	return r || !reading->lost ? r : add_lost(reading->lost, path);
}

static int filter(const struct dirent *entry)
{
	return is_policy_file(entry->d_name);
}

static int load_file(const char *directory, const char *name, const struct reading *reading,
		     struct ph_policy_set *set)
{
	cleanup_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	if (is_edited(reading->edits, path))
		return 0;
	if (reading->last)
		return load_last_form(path, reading, set);
	r = path_check_owner(path, reading->problems);
	if (!r)
		r = policy_parse_file(path, set, reading->problems);
	return r == -EINVAL && reading->good ? load_last_form(path, reading, set) : r;
}

static int load_edit(const struct ph_edit *edit, struct ph_policy_set *set,
		     struct ph_problems *problems)
{
	const char *name = edit->origin ? edit->origin : edit->path;

	return policy_parse_text(name, edit->text, strlen(edit->text), set, problems);
}

/* What was read somewhere stands in its place from now on; until here it was told of there. */
static int name_places(const char *directory, const struct ph_edits *edits,
		       struct ph_policy_set *set)
{
	int r = 0;

	for (size_t i = 0; !r && edits && i < edits->n; i++)
		if (edits->v[i].text && edits->v[i].origin && lies_in(edits->v[i].path, directory))
			r = policy_set_rename_file(set, edits->v[i].origin, edits->v[i].path);
	return r;
}

static int load_edits(const char *directory, const struct reading *reading,
		      struct ph_policy_set *set)
{
	const struct ph_edits *edits = reading->edits;
	int r = 0;

	for (size_t i = 0; edits && i < edits->n; i++)
		if (edits->v[i].text && lies_in(edits->v[i].path, directory))
			r = problems_worse(r, load_edit(&edits->v[i], set, reading->problems));
	return r ? r : name_places(directory, edits, set);
}

static bool has_edits(const char *directory, const struct ph_edits *edits)
{
	for (size_t i = 0; edits && i < edits->n; i++)
		if (lies_in(edits->v[i].path, directory))
			return true;
	return false;
}

/* What is wrong with a directory as a whole. -EINVAL, or what else failed. */
static int refuse_directory(const char *directory, struct ph_problems *problems)
{
	int r = path_check_owner(directory, problems);

	return r ? r :
		   problems_refuse(problems, directory,
				   "put it back; if the policies that it held shall end, make an "
				   "empty one",
				   "this directory is gone, and policies of it were in force");
}

static int load_last_of(const char *directory, const char *name, const struct reading *reading,
			struct ph_policy_set *set)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	return load_last_form(path, reading, set);
}

static bool has_copy(const char *directory, const char *name)
{
	cleanup_free char *path = NULL, *kept = NULL;

	return asprintf(&path, "%s/%s", directory, name) >= 0 && !kept_path(path, &kept) &&
	       !access(kept, F_OK);
}

/* What was in force of the directory, whatever is in it now; the entries are told that never were. */
static int load_copies(const char *directory, struct dirent *const *entries, int n,
		       const struct reading *reading, struct ph_policy_set *set)
{
	struct dirent **copies = NULL;
	int n_copies = scandir(PH_GOOD_POLICIES, &copies, NULL, alphasort), r = 0;

	if (n_copies < 0 && errno != ENOENT)
		return -errno;
	for (int i = 0; i < n_copies; i++) {
		const char *name = kept_for(copies[i]->d_name, directory);

		if (name)
			r = problems_worse(r, load_last_of(directory, name, reading, set));
		free(copies[i]);
	}
	free(copies);
	for (int i = 0; i < n; i++)
		if (!has_copy(directory, entries[i]->d_name))
			r = problems_worse(r, load_last_of(directory, entries[i]->d_name, reading,
							   set));
	return r;
}

/* Edits come last, so that a name that is taken is told of the edit. */
static int load_files(const char *directory, struct dirent *const *entries, int n,
		      const struct reading *reading, struct ph_policy_set *set)
{
	int r = 0;

	for (int i = 0; i < n; i++)
		r = problems_worse(r, load_file(directory, entries[i]->d_name, reading, set));
	return problems_worse(r, load_edits(directory, reading, set));
}

/* A directory that is not sure counts as it last was, and nothing is put there or taken away. */
static int load_unsure(const char *directory, struct dirent *const *entries, int n,
		       const struct reading *reading, struct ph_policy_set *set)
{
	int r = reading->last ? 0 : refuse_directory(directory, reading->problems);

	if (r && (r != -EINVAL || !reading->good || has_edits(directory, reading->edits)))
		return problems_worse(r, load_files(directory, entries, n, reading, set));
	return load_copies(directory, entries, n, reading, set);
}

static int load_directory(const char *directory, const struct reading *reading,
			  struct ph_policy_set *set)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, filter, alphasort), r;

	if (n < 0 && errno != ENOENT)
		return -errno;
	r = is_sure(directory) ? load_files(directory, entries, n, reading, set) :
				 load_unsure(directory, entries, n, reading, set);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return r;
}

static int load_both(const struct reading *reading, struct ph_policy_set *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set kept = {}, transient = {};
	int r = load_directory(PH_ETC_POLICIES, reading, &kept);
	int second = load_directory(PH_RUN_POLICIES, reading, &transient);

	if (r || second)
		return r ? r : second;
	r = policy_set_merge(&kept, &transient);
	if (r)
		return r;
	*ret = kept;
	kept = (struct ph_policy_set){};
	return 0;
}

int store_load(const struct ph_edits *edits, struct ph_policy_set *ret,
	       struct ph_problems *problems)
{
	const struct reading reading = { .edits = edits, .problems = problems };

	return load_both(&reading, ret);
}

int store_load_good(const struct ph_edits *edits, struct ph_policy_set *ret,
		    struct ph_problems *problems)
{
	const struct reading reading = { .edits = edits, .good = true, .problems = problems };

	return load_both(&reading, ret);
}

int store_load_best(const struct ph_edits *edits, struct ph_policy_set *ret,
		    struct ph_problems *problems, struct ph_lost *lost)
{
	const struct reading reading = {
		.edits = edits,
		.good = true,
		.lost = lost,
		.problems = problems,
	};

	return load_both(&reading, ret);
}

int store_load_last(struct ph_policy_set *ret, struct ph_lost *lost)
{
	return load_both(&(struct reading){ .last = true, .lost = lost }, ret);
}

int store_load_directory(const char *directory, struct ph_policy_set *ret,
			 struct ph_problems *problems)
{
	const struct reading reading = { .good = true, .problems = problems };

	return load_directory(directory, &reading, ret);
}

static int load_kept_of(const char *directory, struct ph_policy_set *set)
{
	cleanup_closedir DIR *dir = opendir(PH_GOOD_POLICIES);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; !r && (entry = readdir(dir));) {
		const char *name = kept_for(entry->d_name, directory);
		cleanup_free char *path = NULL;

		if (!name)
			continue;
		if (asprintf(&path, "%s/%s", directory, name) < 0)
			return -ENOMEM;
		r = load_kept(path, set);
		if (r == -EINVAL || r == -ENOENT)
			r = 0;
	}
	return r;
}

int store_load_kept(struct ph_policy_set *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set kept = {}, transient = {};
	int r = load_kept_of(PH_ETC_POLICIES, &kept);

	if (!r)
		r = load_kept_of(PH_RUN_POLICIES, &transient);
	if (!r)
		r = policy_set_merge(&kept, &transient);
	if (r)
		return r;
	*ret = kept;
	kept = (struct ph_policy_set){};
	return 0;
}

/* --- Keeping */

/* Whether the copy was written after the file was. */
static int is_kept(const char *path)
{
	cleanup_free char *kept = NULL;
	struct stat file, copy;

	if (kept_path(path, &kept))
		return -ENOMEM;
	if (stat(path, &file))
		return errno == ENOENT ? 1 : -errno;
	if (stat(kept, &copy))
		return errno == ENOENT ? 0 : -errno;
	return copy.st_size == file.st_size + PH_SEAL_SIZE &&
	       (copy.st_mtim.tv_sec != file.st_ctim.tv_sec ?
			copy.st_mtim.tv_sec > file.st_ctim.tv_sec :
			copy.st_mtim.tv_nsec >= file.st_ctim.tv_nsec);
}

/* And is what was kept, which its size and its time do not tell. */
static int is_kept_whole(const char *path)
{
	cleanup_free char *text = NULL;
	size_t length;
	int r = is_kept(path);

	if (r != 1)
		return r;
	r = read_kept(path, &text, &length);
	/* A file that is gone needs no copy. */
	return !r || r == -ENOENT ? 1 : r == -EINVAL ? 0 : r;
}

static int write_copy(const char *kept, const char *text)
{
	cleanup_free char *sealed = NULL;
	size_t length;
	int r = seal_text(text, &sealed, &length);

	return r ? r : file_write_atomic(kept, sealed, length, 0600);
}

/* Its time is what tells whether the file was written since. */
static int seal_older(const char *kept)
{
	cleanup_free char *text = NULL;
	struct timespec times[2];
	struct stat st;
	size_t length;
	int r = lstat(kept, &st) ? -errno : 0;

	if (r || !S_ISREG(st.st_mode))
		return r;
	r = read_copy(kept, &text, &length);
	if (r || !is_older(text, length))
		return r == -EFBIG ? 0 : r;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	r = write_copy(kept, text);
	return r || !utimensat(AT_FDCWD, kept, times, 0) ? r : -errno;
}

/* Before anything else is kept: a copy of a file that is bad now stays as it is. */
static int seal_all_older(void)
{
	cleanup_closedir DIR *dir = NULL;
	int r = 0, one;

	if (!access(PH_SEALED, F_OK))
		return 0;
	dir = opendir(PH_GOOD_POLICIES);
	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		cleanup_free char *kept = NULL;

		if (!is_policy_file(entry->d_name))
			continue;
		one = asprintf(&kept, "%s/%s", PH_GOOD_POLICIES, entry->d_name) < 0 ?
			      -ENOMEM :
			      seal_older(kept);
		r = r ? r : one;
	}
	return r ? r : file_write_atomic(PH_SEALED, "", 0, 0600);
}

/* What is kept already is not written again: most files do not change. */
static int keep_file(const char *path)
{
	cleanup_free char *kept = NULL, *text = NULL, *old = NULL;
	size_t length, old_length;
	int r = kept_path(path, &kept);

	if (!r)
		r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);
	if (r)
		return r;
	if (read_kept(path, &old, &old_length) || old_length != length ||
	    memcmp(old, text, length) != 0)
		return write_copy(kept, text);
	return is_kept(path) == 1 || !utimensat(AT_FDCWD, kept, NULL, 0) ? 0 : -errno;
}

/* One that cannot be kept is no reason to forget the others: the first failure is told. */
static int keep_directory(const char *directory, const struct ph_problems *problems)
{
	cleanup_closedir DIR *dir = opendir(directory);
	int r = 0, one;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		cleanup_free char *path = NULL;

		if (!is_policy_file(entry->d_name))
			continue;
		if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
			return -ENOMEM;
		one = has_error(problems, path) ? 0 : keep_file(path);
		r = r ? r : one;
	}
	return r;
}

static int is_directory_kept(const char *directory, int (*is)(const char *path))
{
	cleanup_closedir DIR *dir = opendir(directory);
	int r = 1;

	if (!dir)
		return errno == ENOENT ? 1 : -errno;
	if (!is_sure(directory))
		return 1;
	for (struct dirent *entry; r == 1 && (entry = readdir(dir));) {
		cleanup_free char *path = NULL;

		if (!is_policy_file(entry->d_name))
			continue;
		if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
			return -ENOMEM;
		r = is(path);
	}
	return r;
}

static int are_kept(int (*is)(const char *path))
{
	int r = 1;

	for (size_t i = 0; r == 1 && i < PH_DIRECTORIES; i++)
		r = is_directory_kept(ph_directories[i], is);
	return r;
}

int store_is_kept(void)
{
	return are_kept(is_kept_whole);
}

/* The file's name, if the copy is of one of this directory that is not there any more; else NULL. */
static const char *gone_from(const char *entry, const char *directory)
{
	const char *name = kept_for(entry, directory);
	cleanup_free char *path = NULL;

	if (!name || asprintf(&path, "%s/%s", directory, name) < 0)
		return NULL;
	return access(path, F_OK) ? name : NULL;
}

static void forget_gone(const char *directory)
{
	cleanup_closedir DIR *dir = opendir(PH_GOOD_POLICIES);

	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (gone_from(entry->d_name, directory))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
}

static bool is_any_gone(const char *directory)
{
	cleanup_closedir DIR *dir = is_sure(directory) ? opendir(PH_GOOD_POLICIES) : NULL;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (gone_from(entry->d_name, directory))
			return true;
	return false;
}

int store_is_current(void)
{
	int r = are_kept(is_kept);

	for (size_t i = 0; r == 1 && i < PH_DIRECTORIES; i++)
		r = !is_any_gone(ph_directories[i]);
	return r;
}

int store_keep(const struct ph_problems *problems)
{
	int r = mkdir_parents(PH_GOOD_POLICIES, 0700), one;

	r = r ? r : seal_all_older();
	for (size_t i = 0; i < PH_DIRECTORIES; i++) {
		if (!is_sure(ph_directories[i]))
			continue;
		one = keep_directory(ph_directories[i], problems);
		r = r ? r : one;
		forget_gone(ph_directories[i]);
	}
	return r;
}

void store_tidy(void)
{
	for (size_t i = 0; i < PH_DIRECTORIES; i++)
		files_remove_temporary(ph_directories[i], 0);
	files_remove_temporary(PH_STATE_DIR, 0);
	files_remove_temporary(PH_GOOD_POLICIES, 0);
	files_remove_temporary(PH_RUN_DIR, HALF_WRITTEN_MAX);
}

/* A process name may hold anything but '/' and NUL: what is not plain is written as %XX. */
int store_path(const char *directory, const char *name, char **ret)
{
	char plain[3 * PH_POLICY_NAME_MAX + 1], *at = plain;

	if (strlen(name) > PH_POLICY_NAME_MAX)
		return -EINVAL;
	for (const unsigned char *byte = (const unsigned char *)name; *byte; byte++) {
		if (isalnum(*byte) || strchr("-_+:@", *byte) || (*byte == '.' && at != plain))
			*at++ = *byte;
		else
			at += sprintf(at, "%%%02X", *byte);
	}
	*at = 0;
	return asprintf(ret, "%s/%s.yaml", directory, plain) < 0 ? -ENOMEM : 0;
}
