// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/around.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/files.h"
#include "util/cleanup.h"
#include "util/namespace.h"

#define MAX_OPEN 256 /* files that this process may have open besides */

DEFINE_CLEANUP(struct files_bpf *, files_bpf__destroy);

/*
 * Porthold's directories. What holds one of them may not be moved, nor be given to somebody who could:
 * another would take its place.
 */
static const struct {
	const char *path;
	mode_t mode; /* to make it with; 0: it is not made */
} own[] = {
	{ "/etc/porthold", 0755 },
	{ "/run/porthold", 0755 },
	{ "/var/lib/porthold", 0700 },
	{ "/etc/porthold/policy.d", 0 }, /* something may be mounted there */
	{ "/run/porthold/policy.d", 0 },
	{ "/etc", 0 },
	{ "/run", 0 },
	{ "/var", 0 },
	{ "/var/lib", 0 },
	{ "/", 0 },
	{ "/proc/self/exe", 0 },
};

#define OWN (sizeof(own) / sizeof(own[0]))

_Static_assert(OWN <= PH_AROUND_FILES && PH_AROUND_WITHIN == 5, "the directories come first");

/* The directories that the program lies in, from the innermost, as many as there is room for. */
static size_t open_holders(int *fds, size_t max)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	size_t n = 0;

	path[length < 0 ? 0 : length] = 0;
	for (char *end; n < max && (end = strrchr(path, '/')) && end != path;) {
		*end = 0;
		fds[n++] = open(path, O_PATH | O_CLOEXEC);
	}
	return n;
}

/* What is not there, and cannot be made by a service that may not write there, is left out. */
static size_t open_own(int fds[PH_AROUND_FILES])
{
	for (size_t i = 0; i < OWN; i++) {
		if (own[i].mode)
			(void)mkdir(own[i].path, own[i].mode);
		fds[i] = open(own[i].path, O_PATH | O_CLOEXEC);
	}
	return OWN + open_holders(fds + OWN, PH_AROUND_FILES - OWN);
}

static int ask_own(const int *fds, size_t n_fds, struct ph_around *around)
{
	cleanup_(files_bpf__destroyp) struct files_bpf *bpf = NULL;
	struct ph_told_file answers[MAX_OPEN];
	size_t n = 0;
	int r = files_load(&bpf);

	if (!r)
		r = files_ask(bpf, answers, MAX_OPEN, &n);
	for (size_t i = 0; !r && i < n_fds; i++) {
		const struct ph_told_file *answer = files_find(answers, n, fds[i]);

		if (fds[i] < 0)
			continue;
		if (!answer)
			return -ENOENT;
		around->file[i] =
			(struct ph_around_file){ .inode = answer->inode, .device = answer->device };
	}
	return r;
}

static int find_own(struct ph_around *around)
{
	int fds[PH_AROUND_FILES], r;
	size_t n;

	for (size_t i = 0; i < PH_AROUND_FILES; i++)
		around->file[i].inode = UINT64_MAX;
	n = open_own(fds);
	r = ask_own(fds, n, around);
	for (size_t i = 0; i < n; i++)
		fd_close(fds[i]);
	return r;
}

/* A namespace that this process may not see is 0, and the programs take every one for that. */
int around_find(bool files, struct ph_around *ret)
{
	struct ph_around around = { .mounts = namespace_number("/proc/1/ns/mnt"),
				    .net = namespace_number("/proc/1/ns/net") };
	int r = files ? find_own(&around) : 0;

	if (!r)
		*ret = around;
	return r;
}
