// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/processes.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

void processes_done(struct ph_processes *processes)
{
	free(processes->v);
	*processes = (struct ph_processes){};
}

/* "PID (comm) S PPID PGRP SESSION TTY …": comm may hold anything, so its end is the last parenthesis. */
static bool read_process(const char *pid, struct ph_process *ret)
{
	char path[64], line[512], *open, *close;
	cleanup_fclose FILE *file = NULL;
	int session, terminal;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(line, 1, sizeof(line) - 1, file);
	line[n] = 0;
	open = strchr(line, '(');
	close = strrchr(line, ')');
	if (!open || !close ||
	    sscanf(close + 1, " %*c %d %*d %d %d", &ret->parent, &session, &terminal) != 3)
		return false;
	*close = 0;
	(void)snprintf(ret->comm, sizeof(ret->comm), "%.*s", PH_COMM_MAX, open + 1);
	ret->pid = atoi(pid);
	ret->leads_terminal = session == ret->pid && terminal;
	return true;
}

int processes_read(struct ph_processes *ret)
{
	cleanup_(processes_done) struct ph_processes list = {};
	cleanup_closedir DIR *dir = opendir("/proc");
	size_t allocated = 0;

	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct ph_process process = {};

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !read_process(entry->d_name, &process))
			continue;
		if (list.n == allocated) {
			struct ph_process *more;

			allocated = allocated ? allocated * 2 : 256;
			more = reallocarray(list.v, allocated, sizeof(*more));
			if (!more)
				return -ENOMEM;
			list.v = more;
		}
		list.v[list.n++] = process;
	}
	*ret = list;
	list.v = NULL;
	return 0;
}

static pid_t parent_of(const struct ph_processes *processes, pid_t pid)
{
	for (size_t i = 0; i < processes->n; i++)
		if (processes->v[i].pid == pid)
			return processes->v[i].parent;
	return 0;
}

bool process_descends(const struct ph_processes *processes, pid_t pid, pid_t ancestor)
{
	/* Bounded: the list is not one moment's, so it may hold a loop. */
	for (size_t i = 0; pid > 0 && i <= processes->n; i++) {
		if (pid == ancestor)
			return true;
		pid = parent_of(processes, pid);
	}
	return false;
}
