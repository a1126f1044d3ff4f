// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/paths.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "policy/check.h"
#include "policy/parse.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/writers.h"

DEFINE_CLEANUP_DONE(struct ph_paths, paths_done);

bool is_policy_file(const char *name)
{
	size_t length = strlen(name);

	return *name != '.' && length > 5 && !strcmp(name + length - 5, ".yaml");
}

static bool path_is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool path_is_ours(const char *path)
{
	struct stat st;

	return stat(path, &st) || writers_of(&st) == PH_WRITERS_NONE;
}

int path_check_owner(const char *path, struct ph_problems *problems)
{
	if (path_is_ours(path))
		return 0;
	return problems_refuse(problems, path,
			       "look at what it says, then chown root and chmod go-w it",
			       "others than root may write here, and so say whom policies confine");
}

/* Without the slashes at its end. */
static size_t bare_length(const char *directory)
{
	size_t length = strlen(directory);

	while (length > 1 && directory[length - 1] == '/')
		length--;
	return length;
}

/* One of porthold's own directories. */
static bool is_own(const char *path)
{
	size_t length = bare_length(path);

	for (size_t i = 0; i < PH_DIRECTORIES; i++)
		if (strlen(ph_directories[i]) == length && !memcmp(path, ph_directories[i], length))
			return true;
	return false;
}

int path_check_place(const char *path, struct ph_problems *problems)
{
	cleanup_free char *copy = strdup(path), *real = NULL;

	if (!copy)
		return -ENOMEM;
	/* A link in there counts, whatever it leads to. */
	real = realpath(path_is_directory(path) ? path : dirname(copy), NULL);
	return real && is_own(real) ? path_check_owner(path, problems) : 0;
}

/* web.yml, web.YAML: whoever wrote it takes it for a policy. */
static bool is_nearly_policy_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	return *name != '.' && dot && !is_policy_file(name) &&
	       (!strcasecmp(dot, ".yml") || !strcasecmp(dot, ".yaml"));
}

int path_warn_of_name(const char *path, struct ph_problems *problems)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	cleanup_free char *remedy = NULL;

	if (!is_nearly_policy_file(name))
		return 0;
	if (asprintf(&remedy, "call it %.*s.yaml", (int)(dot - name), name) < 0)
		return -ENOMEM;
	return problems_note(problems, PH_WARNING, path, 0, 0, remedy,
			     "the file does not count: only *.yaml does");
}

static int warn_of_other(const char *directory, const char *name, struct ph_problems *problems)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	return path_warn_of_name(path, problems);
}

int paths_warn_of_others(const char *directory, struct ph_problems *problems)
{
	cleanup_closedir DIR *dir = opendir(directory);
	int r = 0;

	for (struct dirent *entry; dir && !r && (entry = readdir(dir));)
		r = warn_of_other(directory, entry->d_name, problems);
	return r;
}

void paths_done(struct ph_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->v[i]);
	free(paths->v);
	*paths = (struct ph_paths){};
}

/* Takes the path over; NULL is one for which there was no memory. */
static int append(struct ph_paths *paths, char *path)
{
	char **more = path ? reallocarray(paths->v, paths->n + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(path);
		return -ENOMEM;
	}
	paths->v = more;
	paths->v[paths->n++] = path;
	return 0;
}

static int add_entry(struct ph_paths *paths, const char *directory, const char *name)
{
	char *path;

	if (asprintf(&path, "%.*s/%s", (int)bare_length(directory), directory, name) < 0)
		return -ENOMEM;
	return append(paths, path);
}

static int filter(const struct dirent *entry)
{
	return is_policy_file(entry->d_name);
}

static int add_directory(struct ph_paths *paths, const char *path, struct ph_problems *problems)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, filter, alphasort), r = 0;

	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0)
		return problems_refuse(problems, path, "check its permissions", strerror(errno));
	/* Ours may be empty: installing makes them so. */
	if (!n && !is_own(path))
		r = problems_refuse(problems, path, "name a directory of policy files",
				    "there is no *.yaml in this directory");
	for (int i = 0; i < n; i++) {
		if (!r)
			r = add_entry(paths, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return problems_worse(r, paths_warn_of_others(path, problems));
}

int paths_add(struct ph_paths *paths, const char *path, struct ph_problems *problems)
{
	if (path_is_directory(path))
		return add_directory(paths, path, problems);
	return append(paths, strdup(path));
}

int policy_path_parse(const char *path, struct ph_policy_set *set, struct ph_policy_set *rest,
		      struct ph_problems *problems, size_t *files)
{
	cleanup_(paths_donep) struct ph_paths paths = {};
	int r = paths_add(&paths, path, problems);

	if (path_is_directory(path))
		r = problems_worse(r, path_check_place(path, problems));
	for (size_t i = 0; i < paths.n; i++) {
		r = problems_worse(r, path_check_place(paths.v[i], problems));
		r = problems_worse(r, policy_parse_file_rest(paths.v[i], set, rest, problems));
	}
	if (files)
		*files += paths.n;
	return r;
}
