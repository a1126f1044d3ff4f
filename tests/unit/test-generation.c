// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In which order a generation comes into force and goes: the front is memory of the test, and what the
 * kernel would be told is written down. --wrap puts the functions here in the place of the real ones.
 */
#include "kernel/generation.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/front.h"
#include "kernel/places.h"
#include "kernel/programs.h"
#include "kernel/rewriters.h"
#include "util/clock.h"

static struct ph_kernel kernel = PH_KERNEL_NULL;
static struct ph_front *front;
static struct ph_state state;
static char told[512]; /* what happened, in its order */
static int wait_error, state_error; /* errno of what shall fail; 0: nothing */

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	size_t used = strlen(told);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(told + used, sizeof(told) - used, format, arguments);
	va_end(arguments);
}

/* --- In the place of the kernel */

void __wrap_front_set(__u64 *entry, __u64 naming);

void __wrap_front_set(__u64 *entry, __u64 naming)
{
	/* Another mapping of the same memory, so the place in it tells. */
	const char *name = (uintptr_t)entry % 4096 == offsetof(struct ph_front, current) ?
				   "current" :
				   "fallback";

	tell("%s=%llu%s ", name, (unsigned long long)naming >> PH_FRONT_GENERATION,
	     naming & PH_FRONT_DEADLINE ? "d" : "");
	*entry = naming;
}

int __wrap_kernel_state_read(const struct ph_kernel *of, struct ph_state *ret);
int __wrap_kernel_state_write(const struct ph_kernel *of, const struct ph_state *value);
int __wrap_kernel_table(const struct ph_kernel *of, enum ph_map_id outer, __u32 slot);

int __wrap_kernel_state_read(const struct ph_kernel *of, struct ph_state *ret)
{
	*ret = state;
	return 0;
}

int __wrap_kernel_state_write(const struct ph_kernel *of, const struct ph_state *value)
{
	if (state_error)
		return -state_error;
	tell("state=%llu ", (unsigned long long)value->generation);
	state = *value;
	return 0;
}

int __wrap_kernel_table(const struct ph_kernel *of, enum ph_map_id outer, __u32 slot)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int __wrap_places_tell(const struct ph_kernel *of, const struct ph_image *image, __u32 slot);
int __wrap_rewriters_tell(const struct ph_kernel *of);

int __wrap_places_tell(const struct ph_kernel *of, const struct ph_image *image, __u32 slot)
{
	tell("filled=%u ", slot);
	return 0;
}

int __wrap_rewriters_tell(const struct ph_kernel *of)
{
	return 0;
}

int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 n, const struct bpf_map_create_opts *options);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_freeze(int fd);

int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 n, const struct bpf_map_create_opts *options)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* The tables are laid in before the slot is filled; what comes after that waits for calls. */
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	if (!strstr(told, "current"))
		return 0;
	errno = wait_error;
	tell("wait=%u ", *(const __u32 *)key);
	return wait_error ? -1 : 0;
}

int __wrap_bpf_map_freeze(int fd)
{
	return 0;
}

/* --- The cases */

static int set_up(void **unused)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = (sizeof(*front) + page - 1) / page * page;
	int fd = memfd_create("front", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		return -1;
	kernel.map[PH_MAP_FRONT] = fd;
	front = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	state = (struct ph_state){};
	wait_error = state_error = 0;
	return front == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **unused)
{
	(void)munmap(front, sizeof(*front));
	return close(kernel.map[PH_MAP_FRONT]);
}

static int install(uint64_t deadline)
{
	struct ph_image image = { .header.deadline = deadline };
	struct ph_fault f = {};
	int r;

	image.filter = calloc(1, sizeof(front->filter[0].trait));
	assert_non_null(image.filter);
	*told = 0;
	r = generation_install(&kernel, &image, &f);
	free(image.filter);
	return r;
}

static uint64_t current(void)
{
	struct ph_header header;

	return generation_current(&kernel, &header) ? 0 : header.generation;
}

static uint64_t soon(void)
{
	return boot_now() + 3600 * PH_SECOND;
}

static void test_install(void **unused)
{
	assert_int_equal(install(0), 0);
	/* The number is counted before anything goes by it, and the slot is full before. */
	assert_string_equal(told, "filled=0 state=1 current=1 wait=0 fallback=0 ");
	assert_int_equal(install(0), 0);
	assert_string_equal(told, "filled=1 state=2 current=2 wait=1 fallback=0 ");
	assert_int_equal(current(), 2);
}

/* Whoever sees that there is a deadline may look for what comes after it: that is there before. */
static void test_trial(void **unused)
{
	struct ph_header header;
	struct ph_fault f = {};

	assert_int_equal(install(0), 0);
	assert_int_equal(install(soon()), 0);
	assert_string_equal(told, "filled=1 state=2 fallback=1 current=2d wait=1 ");
	assert_int_equal(current(), 2);
	assert_int_equal(generation_fallback(&kernel, &header), 0);
	assert_int_equal(header.generation, 1);
	assert_int_equal(install(0), -EBUSY);
	*told = 0;
	assert_int_equal(generation_keep(&kernel, &f), 0);
	assert_string_equal(told, "current=2 wait=1 fallback=0 ");
	assert_int_equal(front->header[1].deadline, 0);
	assert_int_equal(generation_trial(&kernel, &header), -ENOENT);
}

/* What comes back has a number of its own, so that it is the last that was counted. */
static void test_fallback(void **unused)
{
	struct ph_fault f = {};

	assert_int_equal(install(0), 0);
	assert_int_equal(install(boot_now()), 0);
	assert_int_equal(current(), 1);
	*told = 0;
	assert_int_equal(generation_drop(&kernel, &f), 0);
	assert_string_equal(told, "state=3 current=3 wait=0 fallback=0 ");
	assert_int_equal(current(), 3);
	assert_int_equal(state.generation, 3);
}

static void test_first_trial(void **unused)
{
	struct ph_header header;
	struct ph_fault f = {};

	assert_int_equal(install(boot_now()), 0);
	assert_int_equal(current(), 0);
	assert_int_equal(generation_fallback(&kernel, &header), -ENOENT);
	*told = 0;
	assert_int_equal(generation_drop(&kernel, &f), 0);
	assert_string_equal(told, "current=0 fallback=0 wait=0 ");
}

/* It is in force, and calls that had begun may go by the old one: what they look at stays. */
static void test_unsettled(void **unused)
{
	struct ph_fault f = {};

	assert_int_equal(install(0), 0);
	assert_int_equal(install(soon()), 0);
	wait_error = ENOMEM;
	*told = 0;
	assert_int_equal(generation_keep(&kernel, &f), PH_UNSETTLED);
	assert_string_equal(told, "current=2 wait=1 ");
	assert_int_equal(front->fallback >> PH_FRONT_GENERATION, 1);
	assert_true(front->header[1].deadline > 0);
	*told = 0;
	assert_int_equal(generation_clear(&kernel, &f), PH_UNSETTLED);
	assert_int_equal(current(), 0);
}

static void test_uncounted(void **unused)
{
	assert_int_equal(install(0), 0);
	state_error = EIO;
	assert_int_equal(install(0), -EIO);
	assert_string_equal(told, "filled=1 ");
	assert_int_equal(current(), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_install),	CASE(test_trial),     CASE(test_fallback),
		CASE(test_first_trial), CASE(test_unsettled), CASE(test_uncounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
