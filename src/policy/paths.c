// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/check.h"
#include "policy/parse.h"
#include "util/cleanup.h"

static int is_policy_file(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t length = strlen(name);

	return *name != '.' && length > 5 && !strcmp(name + length - 5, ".yaml");
}

/* The first failure that is not merely a bad file counts. */
static int worse(int r, int next)
{
	return !r || r == -EINVAL ? (next ? next : r) : r;
}

static int parse_entry(const char *directory, const char *name, struct ph_policy_set *set,
		       struct ph_problems *problems)
{
	size_t length = strlen(directory);
	cleanup_free char *path = NULL;

	while (length > 1 && directory[length - 1] == '/')
		length--;
	if (asprintf(&path, "%.*s/%s", (int)length, directory, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return policy_parse_file(path, set, problems);
}

static int refuse(struct ph_problems *problems, const char *path, const char *remedy,
		  const char *message)
{
	int r = problems_note(problems, PH_ERROR, path, 0, 0, remedy, "%s", message);

	return r ? r : -EINVAL;
}

static int parse_directory(const char *path, struct ph_policy_set *set,
			   struct ph_problems *problems, size_t *files)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, is_policy_file, alphasort), r = 0;

	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0)
		return refuse(problems, path, "check its permissions", strerror(errno));
	if (!n)
		r = refuse(problems, path, "name a directory of policy files",
			   "there is no *.yaml in this directory");
	for (int i = 0; i < n; i++) {
		r = worse(r, parse_entry(path, entries[i]->d_name, set, problems));
		free(entries[i]);
	}
	free(entries);
	if (files)
		*files += n;
	return r;
}

int policy_path_parse(const char *path, struct ph_policy_set *set, struct ph_problems *problems,
		      size_t *files)
{
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return parse_directory(path, set, problems, files);
	if (files)
		++*files;
	return policy_parse_file(path, set, problems);
}
