// SPDX-License-Identifier: GPL-2.0-or-later
#include "subject.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/stream.h"

#define DELETED " (deleted)"

DEFINE_CLEANUP_DONE(struct ph_subject, subject_done);

void subject_done(struct ph_subject *subject)
{
	free(subject->exe);
	free(subject->cgroup);
	free(subject->threads);
	*subject = (struct ph_subject){};
}

static void take_file(struct ph_subject *subject, const struct stat *st)
{
	subject->exe_device = st->st_dev;
	subject->exe_inode = st->st_ino;
}

int subject_of_exe(const char *exe, struct ph_subject *ret)
{
	struct ph_subject subject = { .exe = strdup(exe) };
	struct stat st;

	if (!subject.exe)
		return -ENOMEM;
	(void)snprintf(subject.comm, sizeof(subject.comm), "%s", basename(exe));
	if (stat(exe, &st))
		subject.exe_error = errno;
	else if (!S_ISREG(st.st_mode))
		subject.exe_error = S_ISDIR(st.st_mode) ? EISDIR : ENOEXEC;
	else
		take_file(&subject, &st);
	*ret = subject;
	return 0;
}

/* --- /proc */

/* A name may hold any byte but NUL; the kernel puts a line break behind it. */
static int read_comm(const char *path, char ret[PH_COMM_MAX + 1])
{
	cleanup_fclose FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -errno;
	memset(ret, 0, PH_COMM_MAX + 1);
	n = fread(ret, 1, PH_COMM_MAX + 1, file);
	if (!n)
		return -ESRCH;
	ret[n - 1] = 0;
	return 0;
}

/* The first line that begins with the word; what follows it is the caller's to free. */
static int read_field(const char *path, const char *word, char **ret)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!file)
		return -errno;
	while ((n = getline(&line, &size, file)) > 0) {
		if (strncmp(line, word, strlen(word)))
			continue;
		line[n - 1] = 0;
		*ret = strdup(line + strlen(word));
		return *ret ? 0 : -ENOMEM;
	}
	return 0;
}

/* Only whoever may trace the process sees its program. */
static int read_exe(struct ph_subject *subject)
{
	char link[64], path[PH_EXE_MAX + sizeof(DELETED)];
	size_t tail = strlen(DELETED);
	struct stat st;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)subject->pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = 0;
	if ((size_t)n > tail && !strcmp(path + n - tail, DELETED))
		path[n - tail] = 0;
	subject->exe = strdup(path);
	/* The file itself, which may be gone from that path. */
	if (!stat(link, &st))
		take_file(subject, &st);
	return subject->exe ? 0 : -ENOMEM;
}

static int add_thread(struct ph_subject *subject, const char *tid)
{
	struct ph_thread thread = { .tid = atoi(tid) }, *more;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)subject->pid,
		       (int)thread.tid);
	if (read_comm(path, thread.comm) || !strcmp(thread.comm, subject->comm))
		return 0;
	more = reallocarray(subject->threads, subject->n_threads + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	subject->threads = more;
	more[subject->n_threads++] = thread;
	return 0;
}

static int read_threads(struct ph_subject *subject)
{
	cleanup_closedir DIR *dir = NULL;
	char path[64];
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)subject->pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	for (struct dirent *entry; !r && (entry = readdir(dir));)
		if (isdigit((unsigned char)entry->d_name[0]))
			r = add_thread(subject, entry->d_name);
	return r;
}

/* A first thread that has ended stays, in that state, as long as others go on. */
static int read_status(struct ph_subject *subject)
{
	char path[64], line[256], state = 0;
	cleanup_fclose FILE *file = NULL;
	int threads = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)subject->pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "State: %c", &state);
		(void)sscanf(line, "Threads: %d", &threads);
		if (sscanf(line, "Uid: %u", &subject->uid) == 1)
			subject->has_uid = true;
	}
	subject->ended = state && strchr("ZX", state) && threads <= 1;
	return 0;
}

int subject_of_pid(pid_t pid, struct ph_subject *ret)
{
	cleanup_(subject_donep) struct ph_subject subject = { .pid = pid };
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	r = read_comm(path, subject.comm);
	if (!r)
		r = read_status(&subject);
	if (!r)
		r = read_exe(&subject);
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (!r)
		r = read_field(path, "0::", &subject.cgroup);
	if (!r)
		r = read_threads(&subject);
	if (r)
		return r == -ESRCH ? -ENOENT : r;
	*ret = subject;
	subject = (struct ph_subject){};
	return 0;
}

/* --- Matching */

/* Whether the cgroup is the one of this path or lies below it; empty components do not count. */
static bool lies_below(const char *cgroup, const char *path)
{
	for (;;) {
		size_t n;

		path += strspn(path, "/");
		cgroup += strspn(cgroup, "/");
		n = strcspn(path, "/");
		if (!n)
			return true;
		if (n != strcspn(cgroup, "/") || memcmp(path, cgroup, n))
			return false;
		path += n;
		cgroup += n;
	}
}

static bool has_component(const char *cgroup, const char *unit)
{
	size_t n;

	for (cgroup += strspn(cgroup, "/"); *cgroup; cgroup += strspn(cgroup, "/")) {
		n = strcspn(cgroup, "/");
		if (n == strlen(unit) && !memcmp(cgroup, unit, n))
			return true;
		/* As systemd writes the name of a unit that could be taken for a file. */
		if (n == strlen(unit) + 1 && *cgroup == '_' && !memcmp(cgroup + 1, unit, n - 1))
			return true;
		cgroup += n;
	}
	return false;
}

/* By path, or by another path to the same file. */
static bool is_program(const struct ph_subject *subject, const char *exe)
{
	struct stat st;

	return !strcmp(exe, subject->exe) || (!stat(exe, &st) && st.st_dev == subject->exe_device &&
					      st.st_ino == subject->exe_inode);
}

static bool contradicts(const struct ph_subject *subject, const char *comm,
			const struct ph_match *match)
{
	if (match->run)
		return true;
	if (*match->comm && strcmp(match->comm, comm))
		return true;
	if (match->exe && subject->exe && !is_program(subject, match->exe))
		return true;
	if (match->has_uid && subject->has_uid && match->uid != subject->uid)
		return true;
	if (match->cgroup && subject->cgroup && !lies_below(subject->cgroup, match->cgroup))
		return true;
	return match->unit && subject->cgroup && !has_component(subject->cgroup, match->unit);
}

static void say_condition(FILE *stream, const char *what, const char *value, bool *first)
{
	(void)fprintf(stream, "%s%s %s", *first ? "" : " and ", what, value);
	*first = false;
}

/* What would have to hold besides what is known; empty: nothing. */
static int conditions(const struct ph_subject *subject, const struct ph_match *match, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};
	char uid[16];
	bool first = true;

	if (stream_begin(&stream))
		return -ENOMEM;
	(void)snprintf(uid, sizeof(uid), "%u", match->uid);
	if (match->exe && !subject->exe)
		say_condition(stream.file, "its program is", match->exe, &first);
	if (match->has_uid && !subject->has_uid)
		say_condition(stream.file, "its uid is", uid, &first);
	if (match->cgroup && !subject->cgroup)
		say_condition(stream.file, "it runs below the cgroup", match->cgroup, &first);
	if (match->unit && !subject->cgroup)
		say_condition(stream.file, "it runs in the unit", match->unit, &first);
	return stream_end(&stream, ret);
}

int subject_fits(const struct ph_subject *subject, const char *comm, const struct ph_policy *policy,
		 char **ret_if)
{
	cleanup_free char *text = NULL;
	int r;

	*ret_if = NULL;
	if (contradicts(subject, comm, &policy->match))
		return PH_FIT_NO;
	r = conditions(subject, &policy->match, &text);
	if (r)
		return r;
	if (!*text)
		return PH_FIT_YES;
	*ret_if = TAKE_PTR(text);
	return PH_FIT_MAYBE;
}
