// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policy files: good ones become the model they say; every kind of bad one is refused with its
 * message at its place, all errors in one run, in bounded time and memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "policy/print.h"
#include "policy/rule.h"
#include "util/file.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD "porthold: 1\npolicies:\n"
#define POLICY "  - name: a\n    match: {comm: a}\n"

static char directory[] = "/tmp/porthold-test-XXXXXX";

static char *parse_problems(const char *text, size_t len, int expected)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	char *shown;

	assert_int_equal(policy_parse_text("f.yaml", text, len, &set, &problems), expected);
	assert_int_equal(problems_format(&problems, &shown), 0);
	if (expected < 0)
		assert_int_equal(set.n, 0);
	policy_set_done(&set);
	problems_done(&problems);
	return shown;
}

static const char design[] =
	"porthold: 1\n"
	"policies:\n"
	"  - name: web-backend\n"
	"    match: {comm: myprocess}          # one or more of comm, exe, cgroup, unit, uid\n"
	"    mode: enforce                     # or audit; default enforce\n"
	"    children: confine                 # or leave; default confine\n"
	"    allow:\n"
	"      - tcp 4040\n"
	"      - connect tcp 5432 to 10.0.0.0/8 except 10.9.0.0/16\n"
	"      - bind tcp 8080-8090 on 127.0.0.1 from 10.0.0.0/8\n"
	"      - dns\n"
	"    expect:                           # tests of the policy\n"
	"      - allow connect tcp 10.1.2.3:5432\n"
	"      - deny connect udp [2001:db8::1]:53\n";

static void test_design_example(void **state)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	const struct ph_policy *policy;

	(void)state;
	assert_int_equal(policy_parse_text("f.yaml", design, sizeof(design) - 1, &set, &problems),
			 0);
	assert_int_equal(set.n, 1);
	policy = policy_set_find(&set, "web-backend");
	assert_non_null(policy);
	assert_string_equal(policy->match.comm, "myprocess");
	assert_int_equal(policy->mode, PH_POLICY_ENFORCE);
	assert_int_equal(policy->children, PH_CHILDREN_CONFINE);
	assert_string_equal(policy->file, "f.yaml");
	assert_int_equal(policy->line, 3);
	assert_int_equal(policy->column, 5);
	assert_int_equal(policy->n_rules, 4);
	assert_int_equal(policy->rules[1].line, 9);
	assert_int_equal(policy->rules[1].column, 9);
	assert_int_equal(policy->rules[3].kind, PH_RULE_DNS);
	assert_int_equal(policy->n_expects, 2);
	assert_false(policy->expects[1].allow);
	assert_int_equal(policy->expects[1].line, 14);
	assert_null(policy_set_find(&set, "web"));
	policy_set_done(&set);
	problems_done(&problems);
}

/* All in one file: each key, CR LF, a byte order mark, flow style, JSON-like quotes. */
static void test_spellings(void **state)
{
	static const char text[] =
		"\xef\xbb\xbfporthold: 1\r\n"
		"policies: [{\"name\": \"b c\", 'match': {exe: /usr/bin/curl, cgroup: /a, "
		"unit: x.service, uid: 0, comm: \"\\u00e9\"}, mode: audit, children: leave,\r\n"
		"  allow: [\"tcp 1,2\", loopback]}]\r\n";
	static const char canonical[] = HEAD
		"  - name: \"b c\"\n"
		"    match: {comm: \"\xc3\xa9\", exe: /usr/bin/curl, cgroup: /a, unit: x.service, "
		"uid: 0}\n"
		"    mode: audit\n    children: leave\n    allow:\n      - tcp 1-2\n"
		"      - loopback\n";
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	char *printed;

	(void)state;
	assert_int_equal(policy_parse_text("f", text, sizeof(text) - 1, &set, &problems), 0);
	assert_int_equal(policy_set_format(&set, &printed), 0);
	assert_string_equal(printed, canonical);
	free(printed);
	policy_set_done(&set);
	problems_done(&problems);
}

static const struct {
	const char *text;
	const char *problems; /* each without its source lines */
} bad_texts[] = {
	{ "",
	  "f.yaml: the file is empty; write porthold: 1, then policies: and a list of policies" },
	{ "# nothing\n",
	  "f.yaml: the file is empty; write porthold: 1, then policies: and a list of policies" },
	{ "hello\n",
	  "f.yaml:1:1: a policy file must be a mapping, and this is text; write porthold: 1, then "
	  "policies: and a list of policies" },
	{ "- a\n",
	  "f.yaml:1:1: a policy file must be a mapping, and this is a list; write porthold: 1, then "
	  "policies: and a list of policies" },
	{ "policies: []\n",
	  "f.yaml:1:1: a policy file has no porthold; begin the file with porthold: 1" },
	{ "porthold: 1\n",
	  "f.yaml:1:1: a policy file has no policies; add policies: and a list of policies" },
	{ "porthold: 2\npolicies: []\n",
	  "f.yaml:1:11: this porthold does not know version '2' of policy files; write porthold: 1" },
	{ "porthold: 1\npolicies: []\nporthold: 1\n",
	  "f.yaml:3:1: the key porthold stands here twice; leave one of them out" },
	{ "porthold: 1\npolicies: []\n---\na: b\n",
	  "f.yaml:3:1: a second document begins here; a policy file holds one: leave out the line "
	  "with --- or ..." },
	{ "porthold: 1\npolicies: {}\n",
	  "f.yaml:2:11: policies must be a list, and this is a mapping; begin each policy with "
	  "'- name: NAME'; for none, write policies: []" },
	{ "porthold: 1\npolicies: []\nextra: 1\n",
	  "f.yaml:3:1: unknown key 'extra'; the keys of a policy file are porthold, policies" },
	{ HEAD "  - a\n",
	  "f.yaml:3:5: a policy must be a mapping, and this is text; write '- name: NAME', and match: "
	  "and allow: below name:" },
	{ HEAD "  - {}\n",
	  "f.yaml:3:5: a policy has no allow; add allow: and a list of rules; to allow nothing, write "
	  "allow: []\n"
	  "f.yaml:3:5: a policy has no match; add match: {comm: PROCESS} to say whom it confines\n"
	  "f.yaml:3:5: a policy has no name; add name: and a name of your choice" },
	{ HEAD POLICY "    allow: []\n    alow: []\n",
	  "f.yaml:6:5: unknown key 'alow'; did you mean allow?" },
	{ HEAD POLICY "    alow: []\n", "f.yaml:5:5: unknown key 'alow'; did you mean allow?" },
	{ HEAD POLICY "    rule: [tcp 80]\n",
	  "f.yaml:5:5: unknown key 'rule'; did you mean allow?" },
	{ HEAD POLICY "    alow: []\n    alow: []\n    allow: []\n    allow: []\n",
	  "f.yaml:5:5: unknown key 'alow'; did you mean allow?\n"
	  "f.yaml:6:5: unknown key 'alow'; did you mean allow?\n"
	  "f.yaml:8:5: the key allow stands here twice; leave one of them out" },
	{ HEAD "  - name: a\n    match: {gid: 5}\n    allow: []\n",
	  "f.yaml:4:13: unknown key 'gid'; groups are not matched; uid: is the user, cgroup: and "
	  "unit: are places" },
	{ HEAD "  - name: a\n    match: {pid: 5}\n    allow: []\n",
	  "f.yaml:4:13: unknown key 'pid'; write comm: and the name of the process; ps -o comm PID "
	  "shows it" },
	{ HEAD POLICY "    allow: [tcp 443/tcp]\n",
	  "f.yaml:5:17: '443/tcp' is not a port; in a rule the protocol comes first: tcp 443" },
	{ HEAD "  - name: a\n    mach: {comm: a}\n    alow: []\n",
	  "f.yaml:4:5: unknown key 'mach'; did you mean match?\n"
	  "f.yaml:5:5: unknown key 'alow'; did you mean allow?" },
	{ "portold: 1\npolices: []\n",
	  "f.yaml:1:1: unknown key 'portold'; did you mean porthold?\n"
	  "f.yaml:2:1: unknown key 'polices'; did you mean policies?" },
	{ HEAD POLICY "    allow: []\n    mode: audited\n",
	  "f.yaml:6:11: mode cannot be 'audited'; write mode: enforce or mode: audit" },
	{ HEAD POLICY "    allow: []\n    children: [leave]\n",
	  "f.yaml:6:15: children must be text, and this is a list; write children: confine or "
	  "children: leave" },
	{ HEAD POLICY "    allow: tcp 80\n",
	  "f.yaml:5:12: allow must be a list, and this is text; write each rule on its own line, as in "
	  "'- tcp 4040'; to allow nothing, write allow: []" },
	{ HEAD POLICY "    allow:\n",
	  "f.yaml:5:5: allow must be a list, and this is nothing; write each rule on its own line, as "
	  "in '- tcp 4040'; to allow nothing, write allow: []" },
	{ HEAD POLICY "    allow:\n      - tcp 80: x\n",
	  "f.yaml:6:9: each line of allow must be text, and this is a mapping; write a rule such as "
	  "tcp 4040; put one that holds ': ' in quotes" },
	{ HEAD POLICY "    allow:\n      -  tcp 80,http\n",
	  "f.yaml:6:17: 'http' is not a port; write a number from 1 to 65535 such as 4040, a range such "
	  "as 8080-8090, or any" },
	{ HEAD POLICY "    allow:\n      - \"tcp 65536\"\n",
	  "f.yaml:6:14: port 65536 is too large; the largest port is 65535" },
	{ HEAD POLICY "    allow: []\n    expect:\n      - deny connect tcp 10.0.0.1:0\n",
	  "f.yaml:7:35: port 0 does not exist; write a port from 1 to 65535, or any for all of them" },
	{ HEAD "  - name: a\n    match: {}\n    allow: []\n",
	  "f.yaml:4:12: match is empty, which would confine every process; name at least one of comm, "
	  "exe, cgroup, unit and uid" },
	{ HEAD "  - name: a\n    match: a\n    allow: []\n",
	  "f.yaml:4:12: match must be a mapping, and this is text; write match: and below it, "
	  "indented, comm: and a process name; or exe:, cgroup:, unit:, uid:" },
	{ HEAD "  - name: a\n    match: {comm: ~}\n    allow: []\n",
	  "f.yaml:4:19: comm must be text, and this is nothing; write a process name, such as comm: "
	  "nginx" },
	{ HEAD "  - name: a\n    match: {uid: 4294967295}\n    allow: []\n",
	  "f.yaml:4:18: the user id 4294967295 is too large; the largest is 4294967294" },
	{ HEAD POLICY "    allow: []\n" POLICY "    allow: []\n",
	  "f.yaml:6:5: there is a policy a already (f.yaml:3); give one of them another name" },
	{ HEAD "  - name: porthold-canary\n    match: {comm: a}\n    allow: []\n",
	  "f.yaml:3:11: 'porthold-canary' is the name of porthold's own watchdog; choose another "
	  "name" },
	{ "policies: \"b\nc: d\n",
	  "f.yaml:1:11: this is not YAML: wrongly indented double-quoted scalar; close the quote on the "
	  "line where it opens" },
	{ "porthold: 1\npolicies:\n\t- a\n",
	  "f.yaml:3:1: this is not YAML: tab character may not be used as indentation; indent with "
	  "spaces" },
	{ "porthold: 1\nx: a: b\n",
	  "f.yaml:2:1: unknown key 'x'; the keys of a policy file are porthold, policies\n"
	  "f.yaml:2:5: this is not YAML: invalid nested block mapping on the same line; put a value "
	  "that holds ': ' in quotes" },
	{ "a: &x b\n",
	  "f.yaml:1:1: a policy file has no policies; add policies: and a list of policies\n"
	  "f.yaml:1:1: a policy file has no porthold; begin the file with porthold: 1\n"
	  "f.yaml:1:1: unknown key 'a'; the keys of a policy file are porthold, policies\n"
	  "f.yaml:1:4: policy files have no anchors (&); write the text out; put text that begins with "
	  "&, * or ! in quotes" },
	{ "porthold: 1\npolicies: *x\n",
	  "f.yaml:2:11: policy files have no aliases (*); write the text out; put text that begins with "
	  "&, * or ! in quotes" },
	{ "porthold: 1\npolicies: !x []\n",
	  "f.yaml:2:11: policy files have no tags (!); write the text out; put text that begins with &, "
	  "* or ! in quotes" },
	{ "  &x a\n",
	  "f.yaml:1:3: policy files have no anchors (&); write the text out; put text that begins with "
	  "&, * or ! in quotes" },
	{ "%YAML 1.2\n---\n",
	  "f.yaml:1:1: policy files have no directives (%); leave the line out" },
	{ "a: \xff\n", "f.yaml:1:4: this is not UTF-8 text; save the file as UTF-8" },
	{ "\xc3\xa9: \xe2\x82\n", "f.yaml:1:4: this is not UTF-8 text; save the file as UTF-8" },
	{ "\xff\xfe"
	  "a",
	  "f.yaml:1:1: this is UTF-16 text; save the file as UTF-8" },
	{ "a: \x1b[1m\n", "f.yaml:1:4: the control character U+001B; remove it" },
	{ "a\rb\n",
	  "f.yaml:1:2: a carriage return without a line feed; end lines with LF or CR LF" },
	{ HEAD "  - |\n    a\n  - >\n \n",
	  "f.yaml:4:1: policy files have no blocks of text (| >); write it on one line\n"
	  "f.yaml:6:1: policy files have no blocks of text (| >); write it on one line" },
	{ "[[[[[[[[[[[[[[[[[[",
	  "f.yaml:1:1: a policy file must be a mapping, and this is a list; "
	  "write porthold: 1, then policies: and a list of policies\n"
	  "f.yaml:1:17: lists and mappings are nested too deep here; check the brackets and the "
	  "indentation" },
};

/* Only the lines that name the file: the source lines are indented. */
static char *without_source_lines(const char *shown)
{
	char *kept = calloc(1, strlen(shown) + 2);

	while (*shown) {
		size_t n = strcspn(shown, "\n") + 1;

		if (shown[0] != ' ')
			strncat(kept, shown, n);
		shown += n;
	}
	kept[strlen(kept) - 1] = '\0';
	return kept;
}

static void test_bad_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(bad_texts); i++) {
		char *shown = parse_problems(bad_texts[i].text, strlen(bad_texts[i].text), -EINVAL);
		char *kept = without_source_lines(shown);

		assert_string_equal(kept, bad_texts[i].problems);
		free(kept);
		free(shown);
	}
}

static void test_zero_byte(void **state)
{
	static const char text[] = "a: b\nc:\0d\n";
	char *shown = parse_problems(text, sizeof(text) - 1, -EINVAL);

	(void)state;
	assert_string_equal(shown,
			    "f.yaml:2:3: a zero byte; a policy file is plain text: is this the "
			    "right file?\n    c:?d\n      ^\n");
	free(shown);
}

static void test_caret(void **state)
{
	static const char text[] = HEAD POLICY "    allow:\n      - tcp\t\xc3\xa9\n";
	static const char *const start = "f.yaml:6:13: '\xc3\xa9' is not a port;";
	char wide[1000], *shown, *line;

	(void)state;
	shown = parse_problems(text, sizeof(text) - 1, -EINVAL);
	assert_memory_equal(shown, start, strlen(start));
	assert_string_equal(strchr(shown, '\n'), "\n          - tcp \xc3\xa9\n                ^\n");
	free(shown);
	/* Of a long line, what is around the column. */
	(void)snprintf(wide, sizeof(wide), HEAD POLICY "    allow: [%0300d]\n", 0);
	shown = parse_problems(wide, strlen(wide), -EINVAL);
	line = strchr(shown, '\n') + 1;
	assert_int_equal(strcspn(line, "\n"), 4 + 100);
	free(shown);
	(void)snprintf(wide, sizeof(wide), HEAD POLICY "    allow: [tcp 1,%*stcp x]\n", 200, "");
	shown = parse_problems(wide, strlen(wide), -EINVAL);
	line = strchr(shown, '\n') + 1;
	assert_memory_equal(line, "    ...  ", 9);
	assert_int_equal(strcspn(strchr(line, '\n') + 1, "^"), 4 + 60);
	free(shown);
}

/* A file of errors is reported whole, up to a limit, and the rest is counted. */
static void test_many_errors(void **state)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	size_t size = 3000 * 16 + 200, used;
	char *text = malloc(size), *shown;

	(void)state;
	used = (size_t)sprintf(text, HEAD POLICY "    allow:\n");
	for (int i = 0; i < 3000; i++)
		used += (size_t)sprintf(text + used, "      - tcp 0\n");
	assert_int_equal(policy_parse_text("f", text, used, &set, &problems), -EINVAL);
	assert_int_equal(problems.n, PH_PROBLEMS_MAX);
	assert_int_equal(problems.n_errors, 3000);
	assert_int_equal(problems_format(&problems, &shown), 0);
	assert_non_null(strstr(shown, "\nand 2000 more problems\n"));
	free(shown);
	free(text);
	problems_done(&problems);
}

/* Ways to keep a reader of YAML busy: refused within seconds and a bearable amount of memory. */
static void test_bombs(void **state)
{
	static const struct {
		const char *start, *repeated;
	} bombs[] = {
		{ "", "[" },
		{ "", "[\n" },
		{ "", "{a\n" },
		{ HEAD, "- [\n" },
		{ HEAD, "- " },
		{ HEAD "- \"", "x\n" },
		{ "\"", "\n" },
		{ "'", "'\n" },
		{ "a: |\n", " x\n" },
		{ "a: |\n x\n", "\n" },
		{ "a: b\n", "\n" },
		{ "a: \"b\n", " \n" },
		{ "", "? &a\n" },
		{ HEAD, "- &a\n" },
		{ "", "- !a &b !c\n" },
		{ "", "---\n" },
		{ "", "a\n" },
		{ "", "a:\n" },
		{ "", "- *a\n" },
		{ "", "[a,a,a,a,a,a,a,a,a,a\n" },
		{ HEAD POLICY "    allow:\n", "    - tcp 0\n" },
		{ "", "#\n" },
		{ "", "\n" },
		{ "", "x" },
		{ "", "a: b\n" },
	};
	const size_t size = 8 << 20;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(bombs); i++) {
		size_t n = strlen(bombs[i].repeated), used = strlen(bombs[i].start);
		char *text = malloc(size + 1), *shown;
		time_t started = time(NULL);

		memcpy(text, bombs[i].start, used);
		for (; used + n <= size; used += n)
			memcpy(text + used, bombs[i].repeated, n);
		shown = parse_problems(text, used, -EINVAL);
		if (time(NULL) - started > 60)
			fail_msg("\"%s\" took %ld s", bombs[i].repeated,
				 (long)(time(NULL) - started));
		free(shown);
		free(text);
	}
}

static void test_large_file(void **state)
{
	const size_t n = 100000;
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	char *text = malloc(n * 150), name[32];
	size_t used;

	(void)state;
	used = (size_t)sprintf(text, HEAD);
	for (size_t i = 0; i < n; i++)
		used += (size_t)sprintf(text + used,
					"  - name: web-%zu\n    match: {comm: p%zu}\n"
					"    mode: enforce\n    allow:\n      - tcp %zu\n"
					"      - connect tcp 5432 to 10.0.0.0/8\n",
					i, i, i % 65535 + 1);
	assert_int_equal(policy_parse_text("f", text, used, &set, &problems), 0);
	assert_int_equal(set.n, n);
	for (size_t i = 0; i < n; i += 997) {
		(void)snprintf(name, sizeof(name), "web-%zu", i);
		assert_ptr_equal(policy_set_find(&set, name), &set.policies[i]);
		assert_int_equal(set.policies[i].line, 3 + 6 * i);
	}
	free(text);
	policy_set_done(&set);
	problems_done(&problems);
}

/* --- files that are bad in themselves */

static char *path_of(const char *name)
{
	static char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void check_file(const char *path, const char *expected)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	char *shown, *whole;

	assert_int_equal(policy_parse_file(path, &set, &problems), -EINVAL);
	assert_int_equal(problems_format(&problems, &shown), 0);
	assert_true(asprintf(&whole, "%s: %s\n", path, expected) > 0);
	assert_string_equal(shown, whole);
	free(whole);
	free(shown);
	problems_done(&problems);
}

static void test_bad_files(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	(void)state;
	check_file(path_of("missing"), "there is no such file; check the path");
	check_file(directory, "this is a directory; name the policy files in it");
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	check_file(path_of("fifo"),
		   "this is a pipe, socket or device, not a file; put the policy into "
		   "a regular file");
	check_file("/dev/zero",
		   "this is a pipe, socket or device, not a file; put the policy into a "
		   "regular file");
	strcpy(address.sun_path, path_of("socket"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	check_file(path_of("socket"),
		   "this is a pipe, socket or device, not a file; put the policy "
		   "into a regular file");
	assert_int_equal(symlink("loop", path_of("loop")), 0);
	check_file(path_of("loop"),
		   "the path is a loop of symbolic links; check where the links lead");
	fd = open(path_of("large"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	(void)close(fd);
	check_file(path_of("large"),
		   "the file is larger than 64 MiB; split it into several files of at "
		   "most 64 MiB");
	check_file(path_of("large/x"), "a part of the path is not a directory; check the path");
	assert_int_equal(chmod(path_of("large"), 0), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_true(chmod(directory, 0755) == 0 || errno == EPERM);
	check_file(path_of("large"),
		   "the file cannot be read: permission denied; try again as root, or "
		   "make it readable");
	(void)seteuid(getuid());
}

static volatile bool stop_writing;

static void *keep_writing(void *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	while (!stop_writing)
		if (write(fd, "# more\n", 7) < 0)
			break;
	(void)close(fd);
	return NULL;
}

/* A file that grows all the time is either refused as such or was read between two writes. */
static void test_changing_file(void **state)
{
	bool refused = false;
	pthread_t writer;
	char *path;

	(void)state;
	path = strdup(path_of("changing"));
	assert_int_equal(file_write_atomic(path, design, sizeof(design) - 1, 0644), 0);
	assert_int_equal(pthread_create(&writer, NULL, keep_writing, path), 0);
	for (time_t end = time(NULL) + 30; !refused && time(NULL) < end;) {
		char *text = NULL;
		size_t len;
		int r = file_read(path, PH_FILE_SIZE_MAX, &text, &len);

		assert_true(r == 0 || r == -ESTALE);
		refused = r == -ESTALE;
		free(text);
	}
	stop_writing = true;
	(void)pthread_join(writer, NULL);
	assert_true(refused);
	free(path);
}

static void test_two_files(void **state)
{
	struct ph_policy_set set = {};
	struct ph_problems problems = {};
	char *path = strdup(path_of("one.yaml")), *link = strdup(path_of("two.yaml"));
	char expected[400];

	(void)state;
	assert_int_equal(file_write_atomic(path, design, sizeof(design) - 1, 0600), 0);
	assert_int_equal(symlink("one.yaml", link), 0);
	assert_int_equal(policy_parse_file(path, &set, &problems), 0);
	assert_int_equal(policy_parse_file(link, &set, &problems), -EINVAL);
	assert_int_equal(set.n, 1);
	(void)snprintf(expected, sizeof(expected), "there is a policy web-backend already (%s:3)",
		       path);
	assert_string_equal(problems.v[0].message, expected);
	policy_set_done(&set);
	problems_done(&problems);
	free(path);
	free(link);
}

static void test_util(void **state)
{
	char *path = strdup(path_of("a/b/c")), *text;
	struct stat st;
	size_t len;

	(void)state;
	assert_int_equal(mkdir_parents(path, 0750), 0);
	assert_int_equal(mkdir_parents(path, 0700), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	free(path);
	path = strdup(path_of("a/file"));
	assert_int_equal(mkdir_parents(path_of("one.yaml/x"), 0700), -ENOTDIR);
	assert_int_equal(file_write_atomic(path, "x", 1, 0640), 0);
	assert_int_equal(file_write_atomic(path, "yz", 2, 0640), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_read(path, 1, &text, &len), -EFBIG);
	assert_int_equal(file_read(path, 2, &text, &len), 0);
	assert_int_equal(len, 2);
	assert_string_equal(text, "yz");
	free(text);
	assert_int_equal(file_write_atomic(path_of("none/x"), "x", 1, 0640), -ENOENT);
	/* Files of /proc have no size. */
	assert_int_equal(file_read("/proc/self/status", 1 << 20, &text, &len), 0);
	assert_true(len > 0);
	free(text);
	free(path);
}

static int make_directory(void **state)
{
	(void)state;
	(void)umask(022);
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[100];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_design_example), cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_bad_texts),      cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_caret),	       cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_bombs),	       cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_bad_files),      cmocka_unit_test(test_changing_file),
		cmocka_unit_test(test_two_files),      cmocka_unit_test(test_util),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
