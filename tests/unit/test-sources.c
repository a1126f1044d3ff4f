// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of sources: right for every generation that an event refers to, bounded whatever is
 * applied, and no danger when it is damaged.
 */
#include "sources.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

DEFINE_CLEANUP_DONE(struct ph_sources, sources_close);

static char folder[] = "/tmp/porthold-sources-XXXXXX";
static char path[sizeof(folder) + 16];

/* One policy of this id. */
static void write_one(uint64_t id, unsigned line, uint64_t generation,
		      const struct ph_reference *references, size_t n)
{
	struct ph_image_source source = { .id = id, .name = "web", .file = "/p.yaml", .line = line };
	const struct ph_image image = { .sources = &source, .n_sources = 1 };

	assert_int_equal(sources_write(path, &image, generation, references, n), 0);
}

static unsigned line_of(uint64_t id, uint64_t generation)
{
	cleanup_(sources_closep) struct ph_sources sources = {};
	struct ph_origin source;

	sources_refresh(&sources, path);
	if (!sources_find(&sources, id, generation, &source))
		return 0;
	assert_string_equal(source.name, "web");
	assert_string_equal(source.file, "/p.yaml");
	return source.line;
}

static off_t table_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static int begin(void **state)
{
	(void)unlink(path);
	return 0;
}

static void test_missing(void **state)
{
	assert_int_equal(line_of(1, 1), 0);
	write_one(1, 10, 1, NULL, 0);
	assert_int_equal(line_of(2, 1), 0);
}

static void test_generations(void **state)
{
	const struct ph_reference references[] = { { 1, 1 }, { 1, 4 } };

	write_one(1, 10, 1, references, 2);
	write_one(1, 10, 2, references, 2);
	write_one(1, 20, 3, references, 2);
	write_one(1, 20, 4, references, 2);
	write_one(2, 30, 5, references, 2);
	assert_int_equal(line_of(1, 1), 10);
	assert_int_equal(line_of(1, 2), 10);
	assert_int_equal(line_of(1, 3), 20);
	assert_int_equal(line_of(1, 4), 20);
	assert_int_equal(line_of(2, 5), 30);
	/* An event may be there before the table says so. */
	assert_int_equal(line_of(2, 6), 30);
}

/* The file was edited, but means the same: no new generation, and other lines. */
static void test_same_generation(void **state)
{
	const struct ph_reference references[] = { { 1, 2 }, { 1, 3 } };

	write_one(1, 10, 2, references, 2);
	write_one(1, 11, 3, references, 2);
	write_one(1, 12, 3, references, 2);
	assert_int_equal(line_of(1, 2), 10);
	assert_int_equal(line_of(1, 3), 12);
}

static void test_forgets(void **state)
{
	const struct ph_reference reference = { 1, 1 };
	off_t size;

	write_one(1, 10, 1, NULL, 0);
	size = table_size();
	write_one(2, 20, 2, &reference, 1);
	write_one(2, 20, 3, &reference, 1);
	assert_int_equal(line_of(1, 1), 10);
	assert_true(table_size() > size);
	write_one(2, 20, 4, NULL, 0);
	assert_int_equal(line_of(1, 1), 0);
	assert_int_equal(table_size(), size);
}

/* apply --confirm, not confirmed: generation 2 is in force again, and 3 was. */
static void test_falls_back(void **state)
{
	const struct ph_reference references[] = { { 1, 2 }, { 1, 3 }, { 1, 4 } };

	write_one(1, 10, 2, NULL, 0);
	write_one(1, 11, 3, NULL, 0);
	assert_int_equal(line_of(1, 2), 10);
	write_one(1, 10, 2, references, 3);
	assert_int_equal(line_of(1, 2), 10);
	assert_int_equal(line_of(1, 3), 11);
	write_one(1, 10, 4, references, 3);
	write_one(1, 10, 5, references, 3);
	assert_int_equal(line_of(1, 2), 10);
	assert_int_equal(line_of(1, 3), 11);
	assert_int_equal(line_of(1, 4), 10);
}

static struct ph_image many(struct ph_image_source *sources, size_t n, unsigned line)
{
	for (size_t i = 0; i < n; i++)
		sources[i] = (struct ph_image_source){
			.id = i * 7 + 1, .name = "web", .file = "/p.yaml", .line = line + i
		};
	return (struct ph_image){ .sources = sources, .n_sources = n };
}

/* A storm of changes, with an event of the first generation that stays in the slots. */
static void test_bound(void **state)
{
	const struct ph_reference references[] = { { 1, 1 }, { 8, 1 } };
	static struct ph_image_source sources[10000];
	struct ph_image image = many(sources, 10000, 1);
	uint64_t before;
	off_t first;

	assert_int_equal(sources_write(path, &image, 1, references, 2), 0);
	first = table_size();
	assert_true(first < 10000 * 48);
	before = clock_now(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 2; i <= 100; i++) {
		image = many(sources, 10000, i * 5);
		assert_int_equal(sources_write(path, &image, i, references, 2), 0);
	}
	/* 20 ms each is far above what it takes, and far below what would be felt. */
	assert_true(clock_now(CLOCK_PROCESS_CPUTIME_ID) - before < 100 * 20 * 1000 * 1000ull);
	assert_true(table_size() < 2 * first + 1000); /* two generations */
	assert_int_equal(line_of(1, 1), 1);
	assert_int_equal(line_of(8, 1), 2);
	assert_int_equal(line_of(8, 100), 501);
}

static void test_refresh(void **state)
{
	cleanup_(sources_closep) struct ph_sources sources = {};
	struct ph_origin source;
	const void *mapped;

	write_one(1, 10, 1, NULL, 0);
	sources_refresh(&sources, path);
	mapped = sources.head;
	sources_refresh(&sources, path);
	assert_ptr_equal(sources.head, mapped);
	write_one(1, 11, 2, NULL, 0);
	sources_refresh(&sources, path);
	assert_true(sources_find(&sources, 1, 2, &source));
	assert_int_equal(source.line, 11);
	assert_int_equal(unlink(path), 0);
	sources_refresh(&sources, path);
	assert_false(sources_find(&sources, 1, 2, &source));
}

/* Any one byte wrong, and any length: an answer or none, but nothing worse. */
static void test_damaged(void **state)
{
	cleanup_free char *good = NULL;
	struct ph_origin source;
	size_t length;

	write_one(1, 10, 1, NULL, 0);
	assert_int_equal(file_read(path, 4096, &good, &length), 0);
	for (size_t i = 0; i < length * 2; i++) {
		cleanup_(sources_closep) struct ph_sources sources = {};
		size_t size = i < length ? length : i - length;

		if (i < length)
			good[i] ^= 0xff;
		assert_int_equal(file_write_atomic(path, good, size, 0600), 0);
		if (i < length)
			good[i] ^= 0xff;
		sources_refresh(&sources, path);
		if (sources_find(&sources, 1, 1, &source))
			assert_true(strlen(source.name) + strlen(source.file) < length);
	}
	/* And it can be written again. */
	write_one(1, 12, 2, NULL, 0);
	assert_int_equal(line_of(1, 2), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_missing, begin),
		cmocka_unit_test_setup(test_generations, begin),
		cmocka_unit_test_setup(test_same_generation, begin),
		cmocka_unit_test_setup(test_forgets, begin),
		cmocka_unit_test_setup(test_falls_back, begin),
		cmocka_unit_test_setup(test_bound, begin),
		cmocka_unit_test_setup(test_refresh, begin),
		cmocka_unit_test_setup(test_damaged, begin),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/sources", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(folder);
	return failed;
}
