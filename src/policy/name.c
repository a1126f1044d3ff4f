// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What may stand as a name or a path in a policy (name.h has the contract).
 *
 * Names end up in messages, tables and file names: none holds a control character, and a policy's
 * name no slash.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memrchr */
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/name.h"
#include "policy/text.h"

#define STARTING 3 /* kinds of units, the first of them, that start services */

/* Not empty, UTF-8, and one line without controls. */
static int check_text(struct ph_scanner *scanner, const char *what)
{
	if (scanner->len == 0) {
		text_wrong(scanner, 0, "the %s is empty", what);
		return text_right(scanner, "write a %s there", what);
	}
	for (size_t i = 0; i < scanner->len;) {
		uint32_t character;
		size_t n = utf8_decode(scanner->text + i, scanner->len - i, &character);

		if (n == 0) {
			text_wrong(scanner, i, "the %s is not UTF-8 text", what);
			return text_right(scanner, "a policy can only hold UTF-8");
		}
		if (is_control(character)) {
			text_wrong(scanner, i, "the %s holds a %s", what,
				   character == '\n' ? "line break" : "control character");
			return text_right(scanner, "write it without");
		}
		i += n;
	}
	return 0;
}

static int check_length(struct ph_scanner *scanner, const char *what, size_t max)
{
	if (scanner->len <= max)
		return 0;
	text_wrong(scanner, 0, "the %s is %zu bytes long", what, scanner->len);
	return text_right(scanner, "%zu bytes are the most", max);
}

static int check_not_canary(struct ph_scanner *scanner, const struct ph_word *word)
{
	if (!word_is(word, PH_CANARY_NAME))
		return 0;
	text_wrong(scanner, 0, "%s is the name of porthold's own watchdog", quote(word).text);
	return text_right(scanner, "choose another name");
}

static bool ends_with(const struct ph_word *word, const char *end)
{
	size_t n = strlen(end);

	return word->len > n && memcmp(word->text + word->len - n, end, n) == 0;
}

/* Where a pattern begins, as a shell has them; len: there is none. A lone [ is a program's name. */
static size_t find_pattern(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '*' || text[i] == '?' ||
		    (text[i] == '[' && memchr(text + i, ']', len - i)))
			return i;
	return len;
}

/* Taken as it stands, it would match nothing: whoever writes one expects more. */
static int check_no_pattern(struct ph_scanner *scanner, const char *what, const char *remedy)
{
	struct ph_word word = { scanner->text, scanner->len, 0 };
	size_t at = find_pattern(scanner->text, scanner->len);

	if (at == scanner->len)
		return 0;
	text_wrong(scanner, at, "the %s %s is a pattern, and patterns are not supported", what,
		   quote(&word).text);
	return text_right(scanner, "%s", remedy);
}

static const char *const kernel_threads[] = {
	"cpuhp",      "idle_inject", "irq",	    "jbd2",	  "kauditd",	 "kblockd",
	"kcompactd",  "kdevtmpfs",   "khugepaged",  "khungtaskd", "kintegrityd", "ksmd",
	"ksoftirqd",  "kswapd",	     "kthreadd",    "kthrotld",	  "kworker",	 "migration",
	"oom_reaper", "rcu_gp",	     "rcu_preempt", "rcu_sched",  "scsi_eh",	 "watchdogd",
	"xfsaild",    NULL,
};

bool name_is_listed(const char *const *list, const char *name, size_t len, const char *tail)
{
	size_t body = len;

	while (body && strchr(tail, name[body - 1]))
		body--;
	for (; *list; list++) {
		size_t n = strlen(*list);

		if ((n == len || n == body) && !memcmp(*list, name, n))
			return true;
	}
	return false;
}

/* kswapd0, scsi_eh_0, irq/24-ahci, and with the brackets of ps: numbers do not count. */
bool comm_is_of_kernel(const char *name, size_t len)
{
	const char *slash;

	if (len > 2 && name[0] == '[' && name[len - 1] == ']') {
		name++;
		len -= 2;
	}
	slash = memchr(name, '/', len);
	return name_is_listed(kernel_threads, name, slash ? (size_t)(slash - name) : len,
			      "0123456789_-");
}

/* A name without a slash and without brackets could be anybody's. */
static int check_not_of_kernel(struct ph_scanner *scanner, const struct ph_word *word)
{
	if ((*word->text != '[' && !memchr(word->text, '/', word->len)) ||
	    !comm_is_of_kernel(word->text, word->len))
		return 0;
	text_wrong(scanner, 0, "%s is a thread of the kernel, which no policy confines",
		   quote(word).text);
	return text_right(scanner, "name a program");
}

static int check_no_path(struct ph_scanner *scanner, const struct ph_word *word)
{
	const char *slash = memrchr(word->text, '/', word->len);
	struct ph_word base = {};

	if (!slash)
		return 0;
	base.text = slash + 1;
	base.len = (size_t)(word->text + word->len - base.text);
	text_wrong(scanner, 0, "%s is a path, not a process name", quote(word).text);
	if (base.len == 0 || base.len > PH_COMM_MAX)
		return text_right(
			scanner,
			"write the name of the process, or exe: and the path of its program");
	return text_right(scanner, "write %s for the process name, or exe: %s for the program file",
			  quote_bare(&base).text,
			  *word->text == '/' ? quote_bare(word).text : "/its/whole/path");
}

int comm_check(const char *text, size_t len, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = { text, len, 0 }, kept = word;
	int r = check_text(&scanner, "process name");

	if (!r)
		r = check_not_of_kernel(&scanner, &word);
	if (!r)
		r = check_no_path(&scanner, &word);
	if (r < 0)
		return r;
	if (len > PH_COMM_MAX) {
		kept.len = PH_COMM_MAX;
		text_wrong(&scanner, 0,
			   "the process name %s is %zu bytes long, and the kernel keeps %u",
			   quote(&word).text, len, PH_COMM_MAX);
		return text_right(
			&scanner,
			"write %s, which is what the kernel would hold, or match the program file with exe: /path/to/%s",
			quote(&kept).text, quote_bare(&word).text);
	}
	r = check_no_pattern(&scanner, "process name",
			     "write one policy for each name, or match what holds them all: "
			     "unit:, cgroup: or uid:");
	return r < 0 ? r : check_not_canary(&scanner, &word);
}

int policy_name_check(const char *text, size_t len, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = { text, len, 0 };
	const char *slash = len ? memchr(text, '/', len) : NULL;
	int r;

	r = check_text(&scanner, "policy name");
	if (r == 0)
		r = check_length(&scanner, "policy name", PH_POLICY_NAME_MAX);
	if (r < 0)
		return r;
	if (slash) {
		text_wrong(&scanner, (size_t)(slash - text), "the policy name holds a slash");
		return text_right(&scanner, "write - in its place");
	}
	return check_not_canary(&scanner, &word);
}

/* An absolute path without empty, "." and ".." parts, as the kernel itself reports paths. */
static int check_path(struct ph_scanner *scanner, const char *what, const char *example)
{
	size_t from = 0;

	if (scanner->text[0] != '/') {
		text_wrong(scanner, 0, "the %s does not begin with a slash", what);
		return text_right(scanner, "write the whole path, such as %s", example);
	}
	while (from < scanner->len) {
		struct ph_word part = { scanner->text + from + 1, 0, from };
		size_t left = scanner->len - from - 1;
		const char *slash = memchr(part.text, '/', left);

		part.len = slash ? (size_t)(slash - part.text) : left;
		if (part.len == 0) {
			text_wrong(scanner, from, "the %s has a slash too many", what);
			return text_right(scanner, "leave it out");
		}
		if (word_is(&part, ".") || word_is(&part, "..")) {
			text_wrong(scanner, from + 1, "the %s holds %s", what, quote(&part).text);
			return text_right(scanner, "write the path that it leads to");
		}
		from += part.len + 1;
	}
	return 0;
}

int exe_check(const char *text, size_t len, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	int r = check_text(&scanner, "path");

	if (r == 0)
		r = check_length(&scanner, "path", PH_EXE_MAX);
	if (r == 0)
		r = check_path(&scanner, "path of the program", "/usr/bin/curl");
	return r < 0 ? r :
		       check_no_pattern(&scanner, "path of the program",
					"write one policy for each program, or match what holds "
					"them all: unit:, cgroup: or uid:");
}

/* What is above the pattern holds all that it would match. */
static int check_no_cgroup_pattern(struct ph_scanner *scanner)
{
	struct ph_word above = { scanner->text, find_pattern(scanner->text, scanner->len), 0 };
	char remedy[160];

	while (above.len && above.text[above.len - 1] != '/')
		above.len--;
	above.len -= above.len > 0;
	if (above.len)
		(void)snprintf(remedy, sizeof(remedy), "write %s, which means all below it",
			       quote_bare(&above).text);
	else
		(void)snprintf(remedy, sizeof(remedy),
			       "write the path of one cgroup, which means all below it");
	return check_no_pattern(scanner, "cgroup", remedy);
}

/* Takes the folder from the head of the path, if it is there. */
static bool word_cut(struct ph_word *path, const char *folder)
{
	size_t n = strlen(folder);

	if (path->len < n || memcmp(path->text, folder, n) != 0 ||
	    (path->len > n && path->text[n] != '/'))
		return false;
	path->text += n;
	path->len -= n;
	return true;
}

/* /sys/fs/cgroup, and unified below it where cgroups of both versions are mounted. */
static int check_no_mount(struct ph_scanner *scanner)
{
	static const char mount[] = "/sys/fs/cgroup", second[] = "/unified";
	struct ph_word rest = { scanner->text, scanner->len, 0 };

	if (!word_cut(&rest, mount))
		return 0;
	(void)word_cut(&rest, second);
	text_wrong(scanner, 0, "the cgroup holds the place where cgroups are mounted");
	if (rest.len < 2)
		return text_right(scanner, "name one below it, such as /system.slice/web.service");
	return text_right(scanner, "write it from there on: %s", quote_bare(&rest).text);
}

int cgroup_check(const char *text, size_t len, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = { text, len, 0 };
	int r = check_text(&scanner, "cgroup");

	if (r == 0)
		r = check_length(&scanner, "cgroup", PH_CGROUP_MAX);
	if (r == 0)
		r = check_no_mount(&scanner);
	if (r < 0)
		return r;
	if (word_is(&word, "/")) {
		text_wrong(&scanner, 0, "every process is in the cgroup '/'");
		return text_right(&scanner, "name one below it, such as /system.slice/web.service");
	}
	r = check_path(&scanner, "cgroup", "/system.slice/web.service");
	return r < 0 ? r : check_no_cgroup_pattern(&scanner);
}

/* What starts a service is a unit of its own, and so is what is mounted or reached. */
static int check_runs(struct ph_scanner *scanner, const struct ph_word *word)
{
	static const char *const kinds[] = { "socket", "timer",	    "path", "target",
					     "mount",  "automount", "swap", "device" };
	const char *dot = memrchr(word->text, '.', word->len);
	struct ph_word name = { word->text, dot ? (size_t)(dot - word->text) : 0, 0 };
	struct ph_word end = {};

	if (!dot)
		return 0;
	end.text = dot + 1;
	end.len = word->len - name.len - 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!word_is(&end, kinds[i]))
			continue;
		text_wrong(scanner, 0, "%s is a %s unit, in which no service runs",
			   quote(word).text, kinds[i]);
		if (i < STARTING)
			return text_right(scanner,
					  "name the unit that it starts, most often %s.service",
					  quote_bare(&name).text);
		return text_right(scanner,
				  "name a service, a scope, or a slice that holds several");
	}
	return 0;
}

/* web@.service: what runs is an instance, which has a name behind the @. */
static int check_no_template(struct ph_scanner *scanner, const struct ph_word *word)
{
	const char *at = memchr(word->text, '@', word->len);
	struct ph_word end = { at ? at + 1 : NULL, 0, 0 };
	struct ph_word name = { word->text, at ? (size_t)(at - word->text) : 0, 0 };

	if (!at || at[1] != '.')
		return 0;
	end.len = word->len - name.len - 1;
	text_wrong(scanner, 0, "%s is a template, and no process runs in one", quote(word).text);
	return text_right(scanner,
			  "write an instance of it, such as %s@1%s, or the slice that its "
			  "instances run in",
			  quote_bare(&name).text, quote_bare(&end).text);
}

int unit_check(const char *text, size_t len, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = { text, len, 0 };
	int r = check_text(&scanner, "unit");

	if (r == 0)
		r = check_length(&scanner, "unit", PH_UNIT_MAX);
	if (r < 0)
		return r;
	r = check_no_pattern(&scanner, "unit",
			     "a slice holds all units in it: write unit: and its name, such as "
			     "system.slice, or cgroup: and the path above them");
	if (r < 0)
		return r;
	if (memchr(text, '/', len)) {
		text_wrong(&scanner, 0, "the unit %s holds a slash", quote(&word).text);
		return text_right(
			&scanner,
			"write the unit's name, such as web.service, or cgroup: and the path");
	}
	r = check_runs(&scanner, &word);
	if (r < 0)
		return r;
	if (!ends_with(&word, ".service") && !ends_with(&word, ".scope") &&
	    !ends_with(&word, ".slice")) {
		text_wrong(&scanner, 0, "the unit %s does not end in .service, .scope or .slice",
			   quote(&word).text);
		return text_right(&scanner, "write its whole name, such as %s.service",
				  quote_bare(&word).text);
	}
	return check_no_template(&scanner, &word);
}

const char *comm_guarded(const char *comm)
{
	static const struct {
		const char *comm, *whose;
	} guarded[] = {
		{ "systemd", "the first process" },
		{ "init", "the first process" },
		{ "sshd", "the SSH server, the way into this machine" },
		{ "sshd-session", "the SSH server, the way into this machine" },
		{ "sshd-auth", "the SSH server, the way into this machine" },
		{ "porthold", "porthold itself" },
	};

	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++)
		if (!strcmp(comm, guarded[i].comm))
			return guarded[i].whose;
	return NULL;
}

/* Of an SSH server where systems have theirs: elsewhere, programs are called so that are nobody's way in. */
static const char *program_guarded(const char *path)
{
	static const char *const folders[] = { "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/sbin/",
					       "/usr/bin/" };

	if (strncmp(basename(path), "sshd", strlen("sshd")))
		return NULL;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (!strncmp(path, folders[i], strlen(folders[i])))
			return comm_guarded(basename(path));
	return NULL;
}

/* By the unit or by the cgroup. */
static const char *place_guarded(const char *place)
{
	static const char *const of_ssh[] = { "ssh.service", "sshd.service" };

	for (size_t i = 0; i < sizeof(of_ssh) / sizeof(of_ssh[0]); i++)
		if (!strcmp(basename(place), of_ssh[i]))
			return comm_guarded("sshd");
	return NULL;
}

const char *match_guarded(const struct ph_match *match)
{
	if (match->has_uid)
		return NULL;
	if (!match->cgroup && !match->unit)
		return match->exe ? program_guarded(match->exe) : comm_guarded(match->comm);
	if (match->exe || *match->comm)
		return NULL;
	return place_guarded(match->unit ? match->unit : match->cgroup);
}

int uid_parse(const char *text, size_t len, uint32_t *ret, struct ph_text_error *error)
{
	struct ph_scanner scanner = { text, len, 0, error };
	struct ph_word word = { text, len, 0 };
	/* (uid_t)-1 means "no user" to the kernel. */
	const uint32_t max = UINT32_MAX - 1;
	uint64_t number;

	if (!word_is_number(&word)) {
		text_wrong(&scanner, 0, "%s is not a user id", quote(&word).text);
		return text_right(&scanner, "write the number; id -u NAME shows it");
	}
	number = word_number(&word, max);
	if (number > max) {
		text_wrong(&scanner, 0, "the user id %s is too large", quote_bare(&word).text);
		return text_right(&scanner, "the largest is %u", max);
	}
	*ret = (uint32_t)number;
	return 0;
}
