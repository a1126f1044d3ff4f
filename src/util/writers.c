// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/writers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

enum ph_writers writers_of(const struct stat *st)
{
	if (st->st_uid)
		return PH_WRITERS_OWNER;
	if (st->st_mode & S_IWOTH)
		return PH_WRITERS_ALL;
	return st->st_mode & S_IWGRP ? PH_WRITERS_GROUP : PH_WRITERS_NONE;
}

/* --- The way there */

struct walk {
	char at[PATH_MAX]; /* the directory that was reached, without links; "": the root */
	char entry[PATH_MAX]; /* what the next word is there */
	char rest[PATH_MAX]; /* what remains of the path behind that word */
	unsigned links;
};

static bool name(const char *path, const struct stat *st, struct ph_writer *ret)
{
	ret->who = writers_of(st);
	ret->id = ret->who == PH_WRITERS_OWNER ? st->st_uid : st->st_gid;
	(void)snprintf(ret->path, sizeof(ret->path), "%s", *path ? path : "/");
	return ret->who != PH_WRITERS_NONE;
}

/* Takes the next word off the rest; false: there is none, or no room. */
static bool next_entry(struct walk *walk)
{
	char *word = walk->rest + strspn(walk->rest, "/");
	size_t n = strcspn(word, "/");
	int length = snprintf(walk->entry, sizeof(walk->entry), "%s/%.*s", walk->at, (int)n, word);

	if (!n || length >= (int)sizeof(walk->entry))
		return false;
	memmove(walk->rest, word + n, strlen(word + n) + 1);
	return true;
}

static bool is_last(const struct walk *walk)
{
	return !walk->rest[strspn(walk->rest, "/")];
}

/* Whether others may put something else there; `entry` NULL: nothing is. */
static bool is_open(const struct walk *walk, const struct stat *entry, struct ph_writer *ret)
{
	struct stat st;

	if (stat(*walk->at ? walk->at : "/", &st) || !name(walk->at, &st, ret))
		return false;
	if (ret->who == PH_WRITERS_OWNER || !(st.st_mode & S_ISVTX) || !entry || is_last(walk))
		return true;
	return entry->st_uid && name(walk->entry, entry, ret);
}

/* The rest goes on from where the link leads. False: it leads nowhere. */
static bool follow(struct walk *walk)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlink(walk->entry, target, sizeof(target) - 1);

	if (n <= 0 || walk->links++ == LINKS_MAX)
		return false;
	target[n] = 0;
	memcpy(rest, walk->rest, sizeof(rest));
	if (*target == '/')
		*walk->at = 0;
	return snprintf(walk->rest, sizeof(walk->rest), "%s%s", target, rest) <
	       (int)sizeof(walk->rest);
}

static void enter(struct walk *walk)
{
	const char *word = strrchr(walk->entry, '/') + 1;
	char *slash = strrchr(walk->at, '/');

	if (!strcmp(word, "..")) {
		if (slash)
			*slash = 0;
	} else if (strcmp(word, ".")) {
		memcpy(walk->at, walk->entry, sizeof(walk->at));
	}
}

bool writers_find(const char *path, struct ph_writer *ret)
{
	struct walk walk = {};
	struct stat st;

	(void)snprintf(walk.rest, sizeof(walk.rest), "%s", path);
	while (next_entry(&walk)) {
		bool there = !lstat(walk.entry, &st);

		if (is_open(&walk, there ? &st : NULL, ret))
			return true;
		if (!there)
			return false;
		if (S_ISDIR(st.st_mode))
			enter(&walk);
		else if (!S_ISLNK(st.st_mode))
			return name(walk.entry, &st, ret);
		else if (!follow(&walk))
			return false;
	}
	return false;
}

void writer_text(const struct ph_writer *writer, char *ret, size_t size)
{
	if (writer->who == PH_WRITERS_OWNER)
		(void)snprintf(ret, size, "uid %u, who owns %s", writer->id, writer->path);
	else if (writer->who == PH_WRITERS_GROUP)
		(void)snprintf(ret, size, "group %u, which may write %s", writer->id, writer->path);
	else
		(void)snprintf(ret, size, "everybody, who may write %s", writer->path);
}
