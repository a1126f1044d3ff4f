// SPDX-License-Identifier: GPL-2.0-or-later
#include "presence.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/check.h"
#include "policy/diff.h"
#include "policy/text.h"
#include "subject.h"
#include "util/cleanup.h"
#include "util/writers.h"

#define SCRIPT_LINE 256 /* what the kernel reads of it */
#define NEAREST_MAX 50
#define CGROUPS_DEPTH 16 /* how deep units are looked for */

DEFINE_CLEANUP_DONE(struct ph_subject, subject_done);

/* Where programs lie that no user calls by their name, besides PATH. */
static const char *const program_folders[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/games",
};

static const char *const unit_folders[] = {
	"/etc/systemd/system",		 "/run/systemd/system",	    "/run/systemd/transient",
	"/run/systemd/generator",	 "/usr/lib/systemd/system", "/lib/systemd/system",
	"/usr/local/lib/systemd/system", "/etc/systemd/user",	    "/usr/lib/systemd/user",
};

static const char *const cgroup_mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

/* Sorted once it is whole, for names_have(). */
struct names {
	char **v;
	size_t n, allocated;
	bool whole;
};

struct look {
	struct ph_problems *problems;
	bool programs_alone; /* whether they are there, and no more */
	bool mildly; /* what is wrong with a policy that is in force already is no reason to refuse anything */
	struct names comms; /* of programs and tasks, as the kernel cuts them */
	struct names units; /* of unit files, and of cgroups */
	struct names uids; /* of processes, as numbers in text */
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static void look_done(struct look *look)
{
	names_done(&look->comms);
	names_done(&look->units);
	names_done(&look->uids);
}

DEFINE_CLEANUP_DONE(struct look, look_done);

#define NOTE(look, severity, policy, remedy, ...)                                                 \
	problems_note((look)->problems, (look)->mildly ? PH_WARNING : (severity), (policy)->file, \
		      (policy)->line, (policy)->column, remedy, __VA_ARGS__)

/* --- Names */

static int names_add(struct names *names, const char *name, size_t max)
{
	/* One more for the NULL that ends the list. */
	if (names->n + 1 >= names->allocated) {
		size_t allocated = names->allocated ? 2 * names->allocated : 1024;
		char **more = reallocarray(names->v, allocated, sizeof(*more));

		if (!more)
			return -ENOMEM;
		names->v = more;
		names->allocated = allocated;
	}
	names->v[names->n] = strndup(name, max);
	if (!names->v[names->n])
		return -ENOMEM;
	names->v[++names->n] = NULL;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_finish(struct names *names)
{
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), compare_names);
	names->whole = true;
}

static bool names_have(const struct names *names, const char *name)
{
	return names->n && bsearch(&name, names->v, names->n, sizeof(*names->v), compare_names);
}

/* Looking is slow, and of very many problems nobody reads the last. */
static const char *find_nearest(const struct look *look, const struct names *names,
				const struct ph_word *word)
{
	if (!names->n || look->problems->n_warnings >= NEAREST_MAX)
		return NULL;
	return word_nearest(word, (const char *const *)names->v);
}

/* What cannot be read adds nothing. */
static int add_entries(struct names *names, const char *folder, size_t max)
{
	cleanup_closedir DIR *dir = opendir(folder);
	int r = 0;

	for (struct dirent *entry; dir && !r && (entry = readdir(dir));)
		if (*entry->d_name != '.')
			r = names_add(names, entry->d_name, max);
	return r;
}

/* --- Names of processes */

static int add_path(struct names *names)
{
	const char *path = getenv("PATH");
	cleanup_free char *copy = strdup(path ? path : "");
	char *rest = copy, *folder;
	int r = copy ? 0 : -ENOMEM;

	while (!r && (folder = strsep(&rest, ":")))
		if (*folder == '/')
			r = add_entries(names, folder, PH_COMM_MAX);
	for (size_t i = 0; !r && i < sizeof(program_folders) / sizeof(*program_folders); i++)
		r = add_entries(names, program_folders[i], PH_COMM_MAX);
	return r;
}

static bool lies_in(const char *folder, size_t length, const char *name)
{
	char path[PH_EXE_MAX];

	return snprintf(path, sizeof(path), "%.*s/%s", (int)length, folder, name) <
		       (int)sizeof(path) &&
	       !access(path, F_OK);
}

/* What is most often so, without looking at all that there is. */
static bool is_program(const char *name)
{
	const char *path = getenv("PATH");

	for (size_t length; path && *path; path += length + (path[length] == ':')) {
		length = strcspn(path, ":");
		if (lies_in(path, length, name))
			return true;
	}
	for (size_t i = 0; i < sizeof(program_folders) / sizeof(*program_folders); i++)
		if (lies_in(program_folders[i], strlen(program_folders[i]), name))
			return true;
	return false;
}

static int add_task(struct names *names, const char *pid, const char *tid)
{
	char path[64], comm[PH_COMM_MAX + 2] = "";
	cleanup_fclose FILE *file = NULL;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%.10s/task/%.10s/comm", pid, tid);
	file = fopen(path, "re");
	n = file ? fread(comm, 1, sizeof(comm) - 1, file) : 0;
	if (!n)
		return 0;
	comm[n - 1] = 0; /* the kernel's line break */
	return names_add(names, comm, PH_COMM_MAX);
}

static int add_tasks(struct names *names, const char *pid)
{
	cleanup_closedir DIR *dir = NULL;
	char path[64];
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%.10s/task", pid);
	dir = opendir(path);
	for (struct dirent *entry; dir && !r && (entry = readdir(dir));)
		if (isdigit((unsigned char)*entry->d_name))
			r = add_task(names, pid, entry->d_name);
	return r;
}

static int find_comms(struct names *names)
{
	cleanup_closedir DIR *dir = opendir("/proc");
	int r = add_path(names);

	for (struct dirent *entry; dir && !r && (entry = readdir(dir));)
		if (isdigit((unsigned char)*entry->d_name))
			r = add_tasks(names, entry->d_name);
	names_finish(names);
	return r;
}

/* A number that no program is called: that of a process, most likely. */
static int note_number(struct look *look, const struct ph_policy *policy)
{
	cleanup_(subject_donep) struct ph_subject subject = {};
	char remedy[200] = "write the name of the process; ps -o comm PID shows it";
	const char *comm = policy->match.comm;

	if (strlen(comm) < 10 && !subject_of_pid(atoi(comm), &subject)) {
		struct ph_word name = { .text = subject.comm, .len = strlen(subject.comm) };

		(void)snprintf(remedy, sizeof(remedy), "write the name of process %s: comm: %s",
			       comm, quote_bare(&name).text);
	}
	return NOTE(look, PH_WARNING, policy, remedy,
		    "policy %s: comm: %s is a number, and no process is called so", policy->name,
		    comm);
}

static int look_at_comm(struct look *look, const struct ph_policy *policy)
{
	const char *comm = policy->match.comm, *nearest;
	struct ph_word word = { .text = comm, .len = strlen(comm) };
	char remedy[200] = "check the spelling: ps -eo comm shows the names of what runs";
	int r;

	if (is_program(comm))
		return 0;
	r = look->comms.whole ? 0 : find_comms(&look->comms);
	if (r || names_have(&look->comms, comm))
		return r;
	if (word_is_number(&word))
		return note_number(look, policy);
	nearest = find_nearest(look, &look->comms, &word);
	if (nearest) {
		struct ph_word near = { .text = nearest, .len = strlen(nearest) };

		(void)snprintf(remedy, sizeof(remedy), "did you mean %s?", quote_bare(&near).text);
	}
	return NOTE(look, PH_WARNING, policy, remedy,
		    "policy %s: no program on PATH is called %s, and nothing of this name runs",
		    policy->name, quote_bare(&word).text);
}

/* --- Programs */

void script_done(struct ph_script *script)
{
	free(script->interpreter);
	free(script->runs);
	*script = (struct ph_script){};
}

DEFINE_CLEANUP_DONE(struct ph_script, script_done);

/* The first line, as far as the kernel reads it; false: the file begins with something else. */
static bool read_script_line(const char *path, char line[SCRIPT_LINE + 1])
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	n = pread(fd, line, SCRIPT_LINE, 0);
	if (n < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	return true;
}

/* env executes its first argument that is no option and no variable, which then has its own name. */
static char *name_run_by_env(char *arguments)
{
	const char *slash;
	char *word;

	while ((word = strsep(&arguments, " \t"))) {
		if (!*word || *word == '-' || strchr(word, '='))
			continue;
		slash = strrchr(word, '/');
		return strndup(slash ? slash + 1 : word, PH_COMM_MAX);
	}
	return NULL;
}

void script_read(const char *path, struct ph_script *ret)
{
	char line[SCRIPT_LINE + 1], *rest, *word;
	const char *slash;

	*ret = (struct ph_script){};
	if (!read_script_line(path, line))
		return;
	rest = line + 2 + strspn(line + 2, " \t");
	word = strsep(&rest, " \t");
	slash = strrchr(word, '/');
	ret->interpreter = strdup(word);
	if (rest && !strcmp(slash ? slash + 1 : word, "env"))
		ret->runs = name_run_by_env(rest);
}

static int note_script(struct look *look, const struct ph_policy *policy,
		       const struct ph_script *script)
{
	const char *slash = strrchr(policy->match.exe, '/');
	struct ph_word comm = { .text = slash + 1, .len = strnlen(slash + 1, PH_COMM_MAX) };
	struct ph_word interpreter = { script->interpreter, strlen(script->interpreter), 0 };
	struct ph_word runs = { script->runs, script->runs ? strlen(script->runs) : 0, 0 };
	char remedy[256];

	if (script->runs)
		(void)snprintf(remedy, sizeof(remedy),
			       "match the unit or cgroup that it runs in; comm: %s means whatever "
			       "that runs",
			       quote_bare(&runs).text);
	else
		(void)snprintf(remedy, sizeof(remedy),
			       "match the name that it runs under, comm: %s; or its unit or cgroup",
			       quote_bare(&comm).text);
	return NOTE(look, PH_ERROR, policy, remedy,
		    "policy %s: %s is a script: the program that runs is its interpreter, %s",
		    policy->name, policy->match.exe,
		    quote_bare(script->runs ? &runs : &interpreter).text);
}

/* What they put there the policy confines, be it a link to root's shell. */
static int note_writer(struct look *look, const struct ph_policy *policy,
		       const struct ph_writer *writer)
{
	char who[sizeof(writer->path) + 64];

	writer_text(writer, who, sizeof(who));
	return NOTE(look, PH_WARNING, policy,
		    "let root own it and each directory above it, and nobody else write there",
		    "policy %s: others than root may put another program in the place of %s, or a "
		    "link to root's shell, and so say whom the policy confines: %s",
		    policy->name, policy->match.exe, who);
}

/* Where links lead is looked up when policies are applied. */
static int look_at_links(struct look *look, const struct ph_policy *policy)
{
	const char *exe = policy->match.exe;
	cleanup_free char *real = realpath(exe, NULL), *remedy = NULL;

	if (!real || !strcmp(real, exe))
		return 0;
	if (asprintf(&remedy, "name it: exe: %s", real) < 0)
		return -ENOMEM;
	return NOTE(look, PH_WARNING, policy, remedy,
		    "policy %s: %s is a link, now to %s: should it lead elsewhere, that is held "
		    "after the next apply, or when the daemon has looked (each minute)",
		    policy->name, exe, real);
}

/* Whether the kernel may execute it by itself; so as well where it cannot be read. */
static bool may_be_program(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char magic[4];
	ssize_t n = fd < 0 ? -1 : pread(fd, magic, sizeof(magic), 0);

	return n < 0 || (n == sizeof(magic) && !memcmp(magic, "\177ELF", sizeof(magic)));
}

/* A shell runs it all the same, or what binfmt_misc knows for it: in its own name. */
static int note_no_program(struct look *look, const struct ph_policy *policy)
{
	const char *slash = strrchr(policy->match.exe, '/');
	char remedy[128];

	(void)snprintf(remedy, sizeof(remedy),
		       "match the name that it runs under, comm: %.*s; or its unit or cgroup",
		       PH_COMM_MAX, slash + 1);
	return NOTE(look, PH_WARNING, policy, remedy,
		    "policy %s: %s is no ELF file: what runs is an interpreter of it, and this is "
		    "never matched",
		    policy->name, policy->match.exe);
}

static int look_at_file(struct look *look, const struct ph_policy *policy, const struct stat *st)
{
	const char *exe = policy->match.exe;
	cleanup_(script_donep) struct ph_script script;
	struct ph_writer writer;

	script_read(exe, &script);
	if (script.interpreter)
		return note_script(look, policy, &script);
	if (!(st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return NOTE(look, PH_WARNING, policy, "name the program that is executed",
			    "policy %s: %s is not executable: nothing can run it", policy->name,
			    exe);
	if (!may_be_program(exe))
		return note_no_program(look, policy);
	if (look->programs_alone)
		return 0;
	return writers_find(exe, &writer) ? note_writer(look, policy, &writer) :
					    look_at_links(look, policy);
}

/* Who may not look cannot tell. */
static int look_at_nothing(struct look *look, const struct ph_policy *policy, int error)
{
	struct ph_writer writer;
	int r;

	if (error == EACCES)
		return 0;
	r = NOTE(look, PH_WARNING, policy, "check the path",
		 "policy %s: %s: %s; it is held once it comes to that path", policy->name,
		 policy->match.exe, strerror(error));
	if (r || look->programs_alone || !writers_find(policy->match.exe, &writer))
		return r;
	return note_writer(look, policy, &writer);
}

static int look_at_exe(struct look *look, const struct ph_policy *policy)
{
	const char *exe = policy->match.exe;
	struct stat st;

	if (stat(exe, &st))
		return look_at_nothing(look, policy, errno);
	if (S_ISDIR(st.st_mode))
		return NOTE(look, PH_ERROR, policy,
			    "name the program in it; or match unit:, cgroup: or uid:",
			    "policy %s: %s is a directory, not a program", policy->name, exe);
	if (!S_ISREG(st.st_mode))
		return NOTE(look, PH_ERROR, policy, "name the file of a program",
			    "policy %s: %s is no file that can be executed", policy->name, exe);
	return look_at_file(look, policy, &st);
}

/* --- Cgroups and units */

/* Where the cgroup2 hierarchy is mounted; NULL: nobody can tell. */
static const char *find_cgroups(void)
{
	char path[64];

	for (size_t i = 0; i < sizeof(cgroup_mounts) / sizeof(*cgroup_mounts); i++) {
		(void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup_mounts[i]);
		if (!access(path, F_OK))
			return cgroup_mounts[i];
	}
	return NULL;
}

static int look_at_cgroup(struct look *look, const struct ph_policy *policy)
{
	const char *mount = find_cgroups();
	cleanup_free char *path = NULL;

	if (!mount)
		return 0;
	if (asprintf(&path, "%s%s", mount, policy->match.cgroup) < 0)
		return -ENOMEM;
	if (!access(path, F_OK))
		return 0;
	return NOTE(look, PH_WARNING, policy, "systemd-cgls shows those that are there",
		    "policy %s: there is no cgroup %s now; it is held once it is made",
		    policy->name, policy->match.cgroup);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as CGROUPS_DEPTH. */
static int add_cgroups(struct names *names, const char *folder, unsigned depth)
{
	cleanup_closedir DIR *dir = opendir(folder);
	int r = 0;

	for (struct dirent *entry; dir && !r && (entry = readdir(dir));) {
		cleanup_free char *path = NULL;

		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		/* systemd puts an underscore before what could be taken for a file. */
		r = names_add(names, entry->d_name + (*entry->d_name == '_'), PH_UNIT_MAX);
		if (r || !depth)
			continue;
		r = asprintf(&path, "%s/%s", folder, entry->d_name) < 0 ?
			    -ENOMEM :
			    add_cgroups(names, path, depth - 1);
	}
	return r;
}

static int find_units(struct names *names)
{
	const char *mount = find_cgroups();
	int r = mount ? add_cgroups(names, mount, CGROUPS_DEPTH) : 0;

	for (size_t i = 0; !r && i < sizeof(unit_folders) / sizeof(*unit_folders); i++)
		r = add_entries(names, unit_folders[i], PH_UNIT_MAX);
	names_finish(names);
	return r;
}

/* The unit's own file, or that of its template: web@1.service comes of web@.service. */
static bool is_unit(const struct names *units, const char *unit)
{
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');
	char template[PH_UNIT_MAX + 1];

	if (names_have(units, unit))
		return true;
	if (!at || !dot || dot < at)
		return false;
	(void)snprintf(template, sizeof(template), "%.*s@%s", (int)(at - unit), unit, dot);
	return names_have(units, template);
}

static int look_at_unit(struct look *look, const struct ph_policy *policy)
{
	const char *unit = policy->match.unit, *nearest;
	struct ph_word word = { .text = unit, .len = strlen(unit) };
	char remedy[320] = "systemctl list-units --all shows those that are there";
	int r = look->units.whole ? 0 : find_units(&look->units);

	if (r || is_unit(&look->units, unit))
		return r;
	nearest = find_nearest(look, &look->units, &word);
	if (nearest)
		(void)snprintf(remedy, sizeof(remedy), "did you mean %s?", nearest);
	return NOTE(look, PH_WARNING, policy, remedy,
		    "policy %s: there is no unit %s, neither a file nor a cgroup of it",
		    policy->name, unit);
}

/* --- Users */

#define UID_SIZE sizeof("4294967295")

/* Whom a process runs as is whose its directory of /proc is, as long as it is fit to be looked at. */
static int find_uids(struct names *uids)
{
	cleanup_closedir DIR *dir = opendir("/proc");
	char uid[UID_SIZE];
	struct stat st;
	int r = 0;

	for (struct dirent *entry; dir && !r && (entry = readdir(dir));) {
		if (!isdigit((unsigned char)*entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st, 0))
			continue;
		(void)snprintf(uid, sizeof(uid), "%u", st.st_uid);
		r = names_add(uids, uid, sizeof(uid));
	}
	names_finish(uids);
	return r;
}

static int look_at_uid(struct look *look, const struct ph_policy *policy)
{
	char uid[UID_SIZE];
	int r;

	if (getpwuid(policy->match.uid))
		return 0;
	r = look->uids.whole ? 0 : find_uids(&look->uids);
	(void)snprintf(uid, sizeof(uid), "%u", policy->match.uid);
	if (r || names_have(&look->uids, uid))
		return r;
	return NOTE(look, PH_WARNING, policy, "getent passwd shows the users",
		    "policy %s: nobody has the uid %s, and nothing runs as it", policy->name, uid);
}

/* --- All of it */

static int look_at_policy(struct look *look, const struct ph_policy *policy)
{
	const struct ph_match *match = &policy->match;
	int r = 0;

	if (*match->comm)
		r = look_at_comm(look, policy);
	if (!r && match->exe)
		r = look_at_exe(look, policy);
	if (!r && match->cgroup)
		r = look_at_cgroup(look, policy);
	if (!r && match->unit)
		r = look_at_unit(look, policy);
	return r || !match->has_uid ? r : look_at_uid(look, policy);
}

static bool is_known(const struct ph_policy_set *known, const struct ph_policy *policy)
{
	const struct ph_policy *same = known ? policy_set_find(known, policy->name) : NULL;

	return same && policy_equal(same, policy);
}

int presence_check(const struct ph_policy_set *set, const struct ph_policy_set *known,
		   struct ph_problems *problems)
{
	cleanup_(look_donep) struct look look = { .problems = problems };
	size_t n_errors = problems->n_errors;
	int r = 0;

	for (size_t i = 0; !r && i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];

		look.mildly = look.programs_alone = is_known(known, policy);
		if (!look.mildly)
			r = look_at_policy(&look, policy);
		else if (policy->match.exe)
			r = look_at_exe(&look, policy);
	}
	if (r)
		return r;
	return problems->n_errors > n_errors ? -EINVAL : 0;
}

int presence_check_writers(const struct ph_policy_set *set, const struct ph_policy_set *known,
			   struct ph_problems *problems)
{
	struct look look = { .problems = problems };
	int r = 0;

	for (size_t i = 0; !r && i < set->n; i++) {
		const struct ph_policy *policy = &set->policies[i];
		struct ph_writer writer;

		if (policy->match.exe && !is_known(known, policy) &&
		    writers_find(policy->match.exe, &writer))
			r = note_writer(&look, policy, &writer);
	}
	return r;
}

int presence_check_programs(const struct ph_policy_set *set, struct ph_problems *problems)
{
	struct look look = { .problems = problems, .programs_alone = true };
	int r = 0;

	for (size_t i = 0; !r && i < set->n; i++)
		if (set->policies[i].match.exe)
			r = look_at_exe(&look, &set->policies[i]);
	return r;
}
