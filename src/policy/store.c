// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/store.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "policy/parse.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);

static int is_policy_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       !strcmp(entry->d_name + length - 5, ".yaml");
}

static int load_file(const char *directory, const char *name, const char *without,
		     struct ph_policy_set *set, struct ph_problems *problems)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	if (without && !strcmp(path, without))
		return 0;
	return policy_parse_file(path, set, problems);
}

static int load_directory(const char *directory, const char *without, struct ph_policy_set *set,
			  struct ph_problems *problems)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, is_policy_file, alphasort), r = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		int one = load_file(directory, entries[i]->d_name, without, set, problems);

		/* A bad file does not hide the problems of the next. */
		if (one && (!r || one != -EINVAL))
			r = one;
		free(entries[i]);
	}
	free(entries);
	return r;
}

int store_load(const char *without, struct ph_policy_set *ret, struct ph_problems *problems)
{
	cleanup_(policy_set_donep) struct ph_policy_set kept = {}, transient = {};
	int r = load_directory(PH_ETC_POLICIES, without, &kept, problems);
	int second = load_directory(PH_RUN_POLICIES, without, &transient, problems);

	if (r || second)
		return r ? r : second;
	r = policy_set_merge(&kept, &transient);
	if (r)
		return r;
	*ret = kept;
	kept = (struct ph_policy_set){};
	return 0;
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
