// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	eventlog POSITION [journal]
 *
 * Keeps the log of events as the daemon does, as text on standard output and in the journal, until
 * standard input ends. Then it says on standard error what it took.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "events/log.h"
#include "util/clock.h"

/* 1: something may have happened; 0: standard input has ended. */
static int wait_until(const struct ph_eventlog *log, uint64_t due)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = eventlog_fd(log), .events = POLLIN },
	};
	uint64_t now = boot_now();
	int timeout = !due ? -1 : due <= now ? 0 : (int)((due - now) / 1000000 + 1);

	while (poll(fds, 2, timeout) < 0 && errno == EINTR)
		;
	return !fds[0].revents;
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long size = 0, resident = 0;

	if (file && fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (file)
		(void)fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void tell_cost(const struct ph_eventlog *log, unsigned long runs)
{
	struct ph_eventlog_counts counts;
	struct rusage usage;

	eventlog_counts(log, &counts);
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)fprintf(
		stderr,
		"{\"read\":%llu,\"lost\":%llu,\"told\":%llu,\"withheld\":%llu,"
		"\"unrecorded\":%llu,\"failed\":%llu,\"runs\":%lu,\"cpu_ms\":%ld,\"resident_kb\":%ld}\n",
		(unsigned long long)counts.read, (unsigned long long)counts.lost,
		(unsigned long long)counts.told, (unsigned long long)counts.withheld,
		(unsigned long long)counts.unrecorded, (unsigned long long)counts.failed, runs,
		(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
			(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000,
		resident_kb());
}

int main(int argc, char **argv)
{
	const struct ph_eventlog_options options = { .text = stdout,
						     .position = argc > 1 ? argv[1] : NULL,
						     .journal = argc > 2 };
	struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_eventlog *log = NULL;
	struct ph_fault f = {};
	unsigned long runs = 0;
	uint64_t due = 0;
	int r = kernel_open(&kernel, &f);

	if (!r)
		r = eventlog_open(&kernel, &options, &log);
	do {
		if (!r)
			r = eventlog_run(log, &due);
		runs++;
	} while (!r && wait_until(log, due));
	if (!r)
		tell_cost(log, runs);
	else
		(void)fprintf(stderr, "eventlog: %d\n", r);
	eventlog_close(log);
	kernel_close(&kernel);
	return r != 0;
}
