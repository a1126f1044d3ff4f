// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of policies: which ones a path means, edits, and where a policy is said to be from. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "policy/edit.h"
#include "policy/mark.h"
#include "policy/parse.h"
#include "policy/paths.h"
#include "policy/seal.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/file.h"

DEFINE_CLEANUP_DONE(struct ph_edits, edits_done);
DEFINE_CLEANUP_DONE(struct ph_paths, paths_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static char folder[] = "/tmp/porthold-files-XXXXXX";

static char *in_folder(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

static void write_file(const char *name, const char *text)
{
	cleanup_free char *path = in_folder(name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	cleanup_closedir DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	return rmdir(folder);
}

/* --- What lasts over a crash; --wrap puts these in the place of the system calls */

static char calls[64]; /* in their order */
static int write_error; /* what shall come of writing; 0: what comes of it */
static size_t write_at_most; /* bytes of one call; 0: all */

int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __real_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *data, size_t size);

static void note(const char *call)
{
	(void)strncat(calls, call, sizeof(calls) - strlen(calls) - 1);
}

int __wrap_fsync(int fd)
{
	struct stat st;

	note(!fstat(fd, &st) && S_ISDIR(st.st_mode) ? "sync-directory " : "sync ");
	return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
	note("rename ");
	return __real_rename(from, to);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	note("write ");
	if (write_error) {
		errno = write_error;
		return -1;
	}
	return __real_write(fd, data, write_at_most && size > write_at_most ? write_at_most : size);
}

static void assert_text(const char *path, const char *expected)
{
	cleanup_free char *text = NULL;
	size_t length;

	assert_int_equal(file_read(path, 1000, &text, &length), 0);
	assert_string_equal(text, expected);
}

/* The text first, then its place, then the place's own place. */
static void test_lasting(void **state)
{
	cleanup_free char *path = in_folder("lasting");

	*calls = 0;
	assert_int_equal(file_write_atomic(path, "one", 3, 0600), 0);
	assert_string_equal(calls, "write sync rename sync-directory ");
	*calls = 0;
	write_at_most = 2;
	assert_int_equal(file_write_atomic(path, "three", 5, 0600), 0);
	write_at_most = 0;
	assert_string_equal(calls, "write write write sync rename sync-directory ");
	assert_text(path, "three");
	assert_int_equal(unlink(path), 0);
}

/* What was there stays, and nothing else does. */
static void test_full_disk(void **state)
{
	cleanup_free char *path = in_folder("full");
	cleanup_closedir DIR *dir = NULL;

	assert_int_equal(file_write_atomic(path, "old", 3, 0600), 0);
	write_error = ENOSPC;
	assert_int_equal(file_write_atomic(path, "new", 3, 0600), -ENOSPC);
	write_error = 0;
	assert_text(path, "old");
	assert_int_equal(unlink(path), 0);
	dir = opendir(folder);
	for (struct dirent *entry; (entry = readdir(dir));)
		assert_false(file_is_temporary(entry->d_name));
}

/* Whose mode and group a file gets, but for what lets others write. */
static void test_like(void **state)
{
	cleanup_free char *path = in_folder("like"), *open_path = in_folder("open");
	struct stat st;

	write_file("open", "");
	assert_int_equal(chmod(open_path, 0666), 0);
	assert_int_equal(file_write_like(path, open_path, "x", 1, 0600), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(open_path), 0);
}

/* --- Which files are policies */

static void test_names(void **state)
{
	assert_true(is_policy_file("web.yaml"));
	assert_true(is_policy_file("a.b.yaml"));
	assert_false(is_policy_file(".yaml"));
	assert_false(is_policy_file(".hidden.yaml"));
	assert_false(is_policy_file("web.yml"));
	assert_false(is_policy_file("web.yaml~"));
	assert_false(is_policy_file("yaml"));
}

static void test_directory(void **state)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(paths_donep) struct ph_paths paths = {};

	assert_int_equal(paths_add(&paths, folder, &problems), -EINVAL);
	assert_int_equal(problems.n_errors, 1);
	write_file("b.yaml", "");
	write_file("a.yaml", "");
	write_file(".c.yaml", "");
	write_file("d.txt", "");
	assert_int_equal(paths_add(&paths, folder, &problems), 0);
	assert_int_equal(paths.n, 2);
	assert_string_equal(strrchr(paths.v[0], '/'), "/a.yaml");
	assert_string_equal(strrchr(paths.v[1], '/'), "/b.yaml");
	assert_int_equal(paths_add(&paths, "/nonexistent/x.yaml", &problems), 0);
	assert_string_equal(paths.v[2], "/nonexistent/x.yaml");
}

static void add_edit(struct ph_edits *edits, const char *name, const char *text)
{
	cleanup_free char *path = in_folder(name);

	assert_int_equal(edits_add(edits, path, text ? strdup(text) : NULL, NULL), 0);
}

static void test_unchanged(void **state)
{
	cleanup_(edits_donep) struct ph_edits edits = {}, unchanged = {};

	write_file("same.yaml", "x");
	write_file("other.yaml", "x");
	write_file("longer.yaml", "xy");
	add_edit(&edits, "same.yaml", "x");
	add_edit(&edits, "other.yaml", "y");
	add_edit(&edits, "longer.yaml", "x");
	add_edit(&edits, "new.yaml", "x");
	add_edit(&edits, "gone.yaml", NULL);
	assert_int_equal(edits_part_unchanged(&edits, &unchanged), 0);
	assert_int_equal(unchanged.n, 1);
	assert_string_equal(strrchr(unchanged.v[0].path, '/'), "/same.yaml");
	assert_int_equal(edits.n, 4);
	assert_string_equal(strrchr(edits.v[0].path, '/'), "/other.yaml");
	assert_string_equal(strrchr(edits.v[3].path, '/'), "/gone.yaml");
	assert_null(edits.v[3].text);
}

static void test_rename(void **state)
{
	static const char one[] =
		"porthold: 1\npolicies:\n  - {name: one, match: {comm: one}, allow: []}\n"
		"  - {name: two, match: {comm: two}, allow: []}\n";
	static const char three[] =
		"porthold: 1\npolicies:\n  - {name: three, match: {comm: c}, allow: []}\n";
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};

	assert_int_equal(policy_parse_text("a", one, strlen(one), &set, &problems), 0);
	assert_int_equal(policy_parse_text("b", three, strlen(three), &set, &problems), 0);
	assert_int_equal(policy_set_rename_file(&set, "a", "/etc/a.yaml"), 0);
	assert_string_equal(policy_set_find(&set, "one")->file, "/etc/a.yaml");
	assert_string_equal(policy_set_find(&set, "two")->file, "/etc/a.yaml");
	assert_string_equal(policy_set_find(&set, "three")->file, "b");
}

static void test_lock_file(void **state)
{
	cleanup_free char *directory = in_folder("made"), *path = in_folder("made/lock");
	cleanup_free char *link = in_folder("link");
	cleanup_close int first = lock_file_open(path), second = lock_file_open(path);
	struct stat a, b;

	assert_true(first >= 0 && second >= 0);
	assert_int_equal(fstat(first, &a), 0);
	assert_int_equal(fstat(second, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_mode & 07777, 0600);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(lock_file_open(link), -ELOOP);
	/* An empty directory there is in nobody's way; one with something in it is. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	fd_close(lock_file_open(path));
	assert_int_equal(stat(path, &a), 0);
	assert_true(S_ISREG(a.st_mode));
	assert_int_equal(lock_file_open(folder), -EISDIR);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void test_mark(void **state)
{
	static const char plain[] = "porthold: 1\npolicies: []\n";
	cleanup_free char *marked = NULL, *again = NULL, *path = in_folder("marked.yaml");
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	char *at;

	assert_int_equal(mark_text(plain, &marked), 0);
	assert_true(mark_fits(marked));
	assert_false(mark_fits(plain));
	assert_false(mark_fits(""));
	assert_int_equal(policy_parse_text("m", marked, strlen(marked), &set, &problems), 0);
	/* To mark it again changes nothing; the rest stands where it stood. */
	assert_int_equal(mark_text(marked, &again), 0);
	assert_string_equal(again, marked);
	assert_string_equal(strchr(marked, '\n'), strchr(plain, '\n'));
	write_file("marked.yaml", marked);
	assert_int_equal(mark_fits_file(path), 1);
	/* Whatever somebody changes, wherever. */
	for (at = marked; *at; at++) {
		char was = *at;

		*at = was == 'x' ? 'y' : 'x';
		assert_false(mark_fits(marked));
		*at = was;
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mark_fits_file(path), -ENOENT);
}

#define HEAD "porthold: 1 # one\n"

static void test_edit_mode(void **state)
{
	static const struct {
		const char *before, *after; /* of policy x, to audit; NULL: not possible */
	} cases[] = {
		{ "policies:\n- name: x # its name\n  match: {comm: x} # who\n  allow: []\n",
		  "policies:\n- name: x # its name\n  mode: audit\n  match: {comm: x} # who\n  allow: []\n" },
		{ "policies:\r\n  - name: x\r\n    match: {comm: x}\r\n    allow: []\r\n",
		  "policies:\r\n  - name: x\r\n    mode: audit\r\n    match: {comm: x}\r\n    allow: []\r\n" },
		{ "policies:\n  - match: {comm: x}\n    allow: []\n    name: x",
		  "policies:\n  - match: {comm: x}\n    allow: []\n    name: x\n    mode: audit" },
		{ "policies: [{match: {comm: x}, allow: [], name: \"x\"}]\n",
		  "policies: [{match: {comm: x}, allow: [], name: \"x\", mode: audit}]\n" },
		{ "policies:\n  - {name: x, mode: enforce, match: {comm: x}, allow: []}\n",
		  "policies:\n  - {name: x, mode: audit, match: {comm: x}, allow: []}\n" },
		{ "policies:\n  - name: y\n    mode: 'enforce'\n    match: {comm: y}\n    allow: []\n  - name: x\n"
		  "    mode: 'enforce' # for now\n    match: {comm: x}\n    allow: []\n",
		  "policies:\n  - name: y\n    mode: 'enforce'\n    match: {comm: y}\n    allow: []\n  - name: x\n"
		  "    mode: audit # for now\n    match: {comm: x}\n    allow: []\n" },
		{ "policies:\n  - name: \"\\x78\"\n    mode: \"\\x65nforce\"\n    match: {comm: x}\n    allow: []\n",
		  "policies:\n  - name: \"\\x78\"\n    mode: audit\n    match: {comm: x}\n    allow: []\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *before = NULL, *after = NULL, *result = NULL;

		assert_true(asprintf(&before, HEAD "%s", cases[i].before) > 0);
		assert_true(asprintf(&after, HEAD "%s", cases[i].after) > 0);
		assert_int_equal(edit_mode(before, "x", PH_POLICY_AUDIT, &result), 0);
		assert_string_equal(result, after);
		free(TAKE_PTR(result));
		/* A byte order mark in front changes nothing. */
		free(TAKE_PTR(before));
		assert_true(asprintf(&before, "\xef\xbb\xbf" HEAD "%s", cases[i].before) > 0);
		assert_int_equal(edit_mode(before, "x", PH_POLICY_AUDIT, &result), 0);
		assert_string_equal(result + 3, after);
	}
}

static void test_edit_refused(void **state)
{
	cleanup_free char *result = NULL;

	assert_int_equal(edit_mode(HEAD "policies: []\n", "x", PH_POLICY_AUDIT, &result), -ENOENT);
	assert_int_equal(edit_mode("nonsense: [", "x", PH_POLICY_AUDIT, &result), -EINVAL);
	/* A name over two lines: what would go behind the first is not in a line of its own. */
	assert_int_equal(
		edit_mode(
			HEAD
			"policies:\n  - name: \"x\n      y\"\n    match: {comm: x}\n    allow: []\n",
			"x y", PH_POLICY_AUDIT, &result),
		0);
	assert_non_null(strstr(result, "y\"\n    mode: audit\n"));
}

/* Every byte of a copy counts, those of the seal among them. */
static void test_seal(void **state)
{
	static const char text[] = HEAD "policies: []";
	cleanup_free char *sealed = NULL, *copy = NULL;
	size_t length, opened;

	(void)state;
	assert_int_equal(seal_text(text, &sealed, &length), 0);
	assert_int_equal(length, strlen(text) + PH_SEAL_SIZE);
	copy = malloc(length + 1);
	assert_non_null(copy);
	for (size_t i = 0; i < length; i++) {
		memcpy(copy, sealed, length + 1);
		copy[i] ^= 1;
		opened = length;
		assert_int_equal(seal_open(copy, &opened), -EINVAL);
	}
	for (size_t cut_at = 0; cut_at < length; cut_at++) {
		size_t cut = cut_at;

		memcpy(copy, sealed, length + 1);
		copy[cut] = 0;
		assert_int_equal(seal_open(copy, &cut), -EINVAL);
	}
	opened = length;
	assert_int_equal(seal_open(sealed, &opened), 0);
	assert_int_equal(opened, strlen(text));
	assert_string_equal(sealed, text);
}

/* What was read from a directory is told of where it lies; elsewhere nobody cares who may write. */
static void test_place(void **state)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_free char *path = in_folder("open.yaml");

	(void)state;
	write_file("open.yaml", HEAD "policies: []\n");
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(path_check_place(path, &problems), 0);
	assert_int_equal(path_check_owner(path, &problems), -EINVAL);
	assert_int_equal(problems.n_errors, 1);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_directory),
		cmocka_unit_test(test_unchanged), cmocka_unit_test(test_rename),
		cmocka_unit_test(test_lock_file), cmocka_unit_test(test_mark),
		cmocka_unit_test(test_edit_mode), cmocka_unit_test(test_edit_refused),
		cmocka_unit_test(test_seal),	  cmocka_unit_test(test_place),
		cmocka_unit_test(test_lasting),	  cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_like),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
