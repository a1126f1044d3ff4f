// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	bench [--port PORT] [--expect EPERM|EACCES] [--landlock RULES] CALL...
 *	bench --serve PROGRAM CALL...
 *
 * Instructions of one system call. For the guest of `tools/vm --icount`, where the time stamp
 * counter counts instructions: elsewhere the figures are noise. Prints a line for each call, with
 * tabs: its name, the median of SAMPLES after WARM_UPS, then the percentiles 5, 25, 75 and 95.
 * Every one of the calls has to succeed, or with --expect to fail with that errno; else it exits
 * with 1.
 * --landlock first confines this process to the port, by a ruleset of so many ports. --serve makes
 * the server's sockets, and executes PROGRAM, a copy of this one, to use them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include "calls.h"
#include "landlock.h"

enum {
	WARM_UPS = 300,
	SAMPLES = 1000,
};

struct settings {
	unsigned port;
	int expect; /* errno, or 0 */
	unsigned landlock_rules;
	char *program; /* to serve */
	bool served;
};

static uint64_t clock_now(void)
{
	uint64_t now;

	_mm_lfence();
	now = __rdtsc();
	_mm_lfence();
	return now;
}

static void check_result(const struct call *call, long result, int expect)
{
	if (expect ? result < 0 && errno == expect : result >= 0)
		return;
	(void)fprintf(stderr, "bench: %s: %s, expected: %s\n", call->name,
		      result < 0 ? strerror(errno) : "no error",
		      expect ? strerror(expect) : "no error");
	exit(1);
}

static uint64_t time_once(const struct call *call, struct stage *stage, int expect)
{
	uint64_t start, end;
	long result;

	call->before(stage);
	start = clock_now();
	result = call->run(stage);
	end = clock_now();
	check_result(call, result, expect);
	call->after(stage);
	return end - start;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_samples(const char *name, const uint64_t *sorted)
{
	static const int percentiles[] = { 50, 5, 25, 75, 95 };

	(void)printf("%s", name);
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(*percentiles); i++)
		(void)printf("\t%lu", sorted[SAMPLES * percentiles[i] / 100]);
	(void)printf("\n");
	(void)fflush(stdout); /* a child of the next call would print it again */
}

static void measure(const struct call *call, struct stage *stage, int expect)
{
	static uint64_t sample[SAMPLES];

	call->open(stage);
	for (int i = 0; i < WARM_UPS; i++)
		(void)time_once(call, stage, expect);
	for (int i = 0; i < SAMPLES; i++)
		sample[i] = time_once(call, stage, expect);
	stage_clear(stage);

	qsort(sample, SAMPLES, sizeof(*sample), compare);
	print_samples(call->name, sample);
}

static const struct call *find_call(const char *name)
{
	for (size_t i = 0; i < calls_count; i++) {
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	}
	(void)fprintf(stderr, "bench: no call is named %s\n", name);
	exit(2);
}

static int errno_named(const char *name)
{
	if (!strcmp(name, "EPERM"))
		return EPERM;
	if (!strcmp(name, "EACCES"))
		return EACCES;
	(void)fprintf(stderr, "bench: EPERM or EACCES is expected, not %s\n", name);
	exit(2);
}

static void parse_options(struct settings *ret, int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "expect", required_argument, NULL, 'e' },
		{ "landlock", required_argument, NULL, 'l' },
		{ "serve", required_argument, NULL, 's' },
		{ "served", no_argument, NULL, 'S' }, /* what --serve tells PROGRAM */
		{ "nothing", no_argument, NULL, 'n' }, /* what the call "exec" executes */
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			ret->port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'e':
			ret->expect = errno_named(optarg);
			break;
		case 'l':
			ret->landlock_rules = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			ret->program = optarg;
			break;
		case 'S':
			ret->served = true;
			break;
		case 'n':
			exit(0);
		default:
			exit(2);
		}
	}
}

/* argv is "bench --serve PROGRAM CALL...": the last two words before CALL become PROGRAM's own. */
static void serve(struct stage *stage, char **argv)
{
	static char served[] = "--served";

	argv[1] = argv[2];
	argv[2] = served;
	stage_serve(stage);
	(void)execv(argv[1], argv + 1);
	die(argv[1]);
}

int main(int argc, char **argv)
{
	struct settings settings = { .port = 4040 };
	static struct stage stage;

	parse_options(&settings, argc, argv);
	if (settings.landlock_rules && landlock_confine(4040, settings.landlock_rules))
		die("landlock");
	stage_init(&stage, argv[0], settings.port, settings.expect);
	stage.served = settings.served;
	if (settings.program)
		serve(&stage, argv);
	for (int i = optind; i < argc; i++)
		measure(find_call(argv[i]), &stage, settings.expect);
	return 0;
}
