// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/store.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "policy/parse.h"
#include "util/cleanup.h"
#include "util/file.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static int is_policy_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       !strcmp(entry->d_name + length - 5, ".yaml");
}

/* The name of a kept file: its path, with what parts folders made plain. */
static int good_path(const char *path, char **ret)
{
	char *at;

	if (asprintf(ret, "%s/%s", PH_GOOD_POLICIES, path + 1) < 0)
		return -ENOMEM;
	for (at = *ret + strlen(PH_GOOD_POLICIES) + 1; (at = strchr(at, '/'));)
		*at = '+';
	return 0;
}

static bool has_error(const struct ph_problems *problems, const char *path)
{
	for (size_t i = 0; i < problems->n; i++)
		if (problems->v[i].severity == PH_ERROR && !strcmp(problems->v[i].file, path))
			return true;
	return false;
}

/* What the file said when it was last in force; nothing, if it never was. */
static int load_kept(const char *path, struct ph_policy_set *set)
{
	cleanup_(problems_donep) struct ph_problems ignored = {};
	cleanup_free char *kept = NULL, *text = NULL;
	size_t length;

	if (good_path(path, &kept))
		return -ENOMEM;
	if (file_read(kept, PH_FILE_SIZE_MAX, &text, &length))
		return 0;
	return policy_parse_text(path, text, length, set, &ignored) == -ENOMEM ? -ENOMEM : 0;
}

/* How the files of a directory are to be read. */
struct reading {
	const char *without; /* a path, or NULL */
	bool good; /* a bad file counts as it last was */
	struct ph_problems *problems;
};

static int load_file(const char *directory, const char *name, const struct reading *reading,
		     struct ph_policy_set *set)
{
	cleanup_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	if (reading->without && !strcmp(path, reading->without))
		return 0;
	r = policy_parse_file(path, set, reading->problems);
	return r == -EINVAL && reading->good ? load_kept(path, set) : r;
}

static int load_directory(const char *directory, const struct reading *reading,
			  struct ph_policy_set *set)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, is_policy_file, alphasort), r = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		int one = load_file(directory, entries[i]->d_name, reading, set);

		/* A bad file does not hide the problems of the next. */
		if (one && (!r || one != -EINVAL))
			r = one;
		free(entries[i]);
	}
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

int store_load(const char *without, struct ph_policy_set *ret, struct ph_problems *problems)
{
	const struct reading reading = { .without = without, .problems = problems };

	return load_both(&reading, ret);
}

int store_load_good(const char *without, struct ph_policy_set *ret, struct ph_problems *problems)
{
	const struct reading reading = { .without = without, .good = true, .problems = problems };

	return load_both(&reading, ret);
}

static int keep_file(const char *path)
{
	cleanup_free char *kept = NULL, *text = NULL;
	size_t length;
	int r = good_path(path, &kept);

	if (!r)
		r = file_read(path, PH_FILE_SIZE_MAX, &text, &length);
	return r ? r : file_write_atomic(kept, text, length, 0600);
}

static int keep_directory(const char *directory, const struct ph_problems *problems)
{
	cleanup_closedir DIR *dir = opendir(directory);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; !r && (entry = readdir(dir));) {
		cleanup_free char *path = NULL;

		if (!is_policy_file(entry))
			continue;
		if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
			return -ENOMEM;
		if (!has_error(problems, path))
			r = keep_file(path);
	}
	return r;
}

int store_keep(const struct ph_problems *problems)
{
	int r = mkdir_parents(PH_GOOD_POLICIES, 0700);

	if (!r)
		r = keep_directory(PH_ETC_POLICIES, problems);
	return r ? r : keep_directory(PH_RUN_POLICIES, problems);
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
