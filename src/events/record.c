// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/record.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "events/rule.h"
#include "kernel/cover.h"
#include "kernel/doors.h"
#include "kernel/features.h"
#include "policy/policy.h"
#include "util/cleanup.h"
#include "util/clock.h"

DEFINE_CLEANUP_DONE(struct ph_record, record_done);

/* --- Looking things up */

void lookup_open(const struct ph_kernel *kernel, struct ph_lookup *ret)
{
	struct ph_lookup lookup = PH_LOOKUP_NULL;

	lookup.gone = kernel->map[PH_MAP_GONE];
	if (!cgroup_root_find(lookup.mount, sizeof(lookup.mount)))
		lookup.cgroup_root = open(lookup.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret = lookup;
}

void lookup_close(struct ph_lookup *lookup)
{
	sources_close(&lookup->sources);
	fd_close(lookup->cgroup_root);
	free(lookup->cgroup_path);
	free(lookup->exe_path);
	*lookup = (struct ph_lookup)PH_LOOKUP_NULL;
}

void lookup_refresh(struct ph_lookup *lookup)
{
	sources_refresh(&lookup->sources, PH_SOURCES_PATH);
	lookup->process = 0;
}

/* What a symbolic link of /proc says; NULL if it says nothing. */
static char *read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	return length > 0 ? strndup(target, (size_t)length) : NULL;
}

/* Also of one that has ended. */
static char *find_cgroup(const struct ph_lookup *lookup, uint64_t id)
{
	char gone[PH_PATH_LEN];
	char *path = cgroup_path(lookup->cgroup_root, lookup->mount, id);

	if (path || bpf_map_lookup_elem(lookup->gone, &id, gone))
		return path;
	return strndup(gone, sizeof(gone));
}

static char *cgroup_of(struct ph_lookup *lookup, uint64_t id)
{
	if (!id)
		return NULL;
	if (lookup->cgroup != id) {
		free(lookup->cgroup_path);
		lookup->cgroup_path = find_cgroup(lookup, id);
		lookup->cgroup = id;
	}
	return lookup->cgroup_path ? strdup(lookup->cgroup_path) : NULL;
}

/* When the process was started: boot time, ns; 0: it is gone. */
static uint64_t process_start(uint32_t pid)
{
	cleanup_fclose FILE *file = NULL;
	unsigned long long ticks = 0;
	char path[64], line[1024];
	const char *at;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	/* The name before it may hold anything. */
	at = strrchr(line, ')');
	if (!at || sscanf(at + 1,
			  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %llu",
			  &ticks) != 1)
		return 0;
	return ticks * (PH_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void find_process(struct ph_lookup *lookup, uint32_t pid)
{
	char path[64];
	struct stat st;

	free(TAKE_PTR(lookup->exe_path));
	lookup->process = pid;
	lookup->process_start = process_start(pid);
	if (!lookup->process_start)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/exe", pid);
	if (stat(path, &st))
		return;
	lookup->exe_inode = st.st_ino;
	lookup->exe_path = read_link(path);
}

/*
 * The program, if the process is still the same and still executes it. The device is another one
 * for stat() on some file systems.
 */
static char *exe_of(struct ph_lookup *lookup, const struct ph_event *event)
{
	if (!event->tgid)
		return NULL;
	if (lookup->process != event->tgid)
		find_process(lookup, event->tgid);
	if (!lookup->exe_path || lookup->process_start > event->time ||
	    lookup->exe_inode != event->exe_inode)
		return NULL;
	return strdup(lookup->exe_path);
}

/* --- Records */

static int take_source(const struct ph_lookup *lookup, struct ph_record *record)
{
	const struct ph_event *event = &record->event;
	struct ph_origin source;
	char id[32];

	/* More policies than a label holds: none of them is the one. */
	if (event->reason == PH_REASON_OVERFULL && !event->policy)
		(void)snprintf(id, sizeof(id), "%s", reason_name(event->reason));
	else
		(void)snprintf(id, sizeof(id), "%016" PRIx64, (uint64_t)event->policy);
	if (!sources_find(&lookup->sources, event->policy, event->generation, &source))
		source = (struct ph_origin){ .name = id, .file = "" };
	record->policy = strdup(source.name);
	record->file = strdup(source.file);
	record->line = source.line;
	return record->policy && record->file ? 0 : -ENOMEM;
}

int record_make(const struct ph_event *event, struct ph_lookup *lookup, struct ph_record *ret)
{
	cleanup_(record_donep) struct ph_record record = {
		.event = *event,
		.count = 1,
		.last = event->time,
	};
	int r = take_source(lookup, &record);

	if (!r)
		r = event_rule(event, &record.rule, &record.no_rule);
	if (r)
		return r;
	record.exe = exe_of(lookup, event);
	record.cgroup = cgroup_of(lookup, event->cgroup);
	*ret = record;
	record = (struct ph_record){};
	return 0;
}

void record_done(struct ph_record *record)
{
	free(record->policy);
	free(record->file);
	free(record->exe);
	free(record->cgroup);
	free(record->rule);
	*record = (struct ph_record){};
}

bool record_is_own(const struct ph_record *record)
{
	if (!strcmp(record->policy, PH_CANARY_NAME) || !strcmp(record->policy, PH_TEST_NAME))
		return true;
	return record->event.kind == PH_EVENT_AUDIT &&
	       !strncmp(record->policy, PH_LEARN_PREFIX, strlen(PH_LEARN_PREFIX));
}
