// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/denials.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/say.h"
#include "util/cleanup.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define ACCURACY_USEC 100000

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

void denials_counts(const struct ph_denials *denials, struct ph_eventlog_counts *ret)
{
	struct ph_eventlog_counts now = {};

	if (denials->log)
		eventlog_counts(denials->log, &now);
	*ret = denials->before;
	ret->read += now.read;
	ret->lost += now.lost;
	ret->told += now.told;
	ret->withheld += now.withheld;
	ret->unrecorded += now.unrecorded;
	ret->failed += now.failed;
}

void denials_close(struct ph_denials *denials)
{
	struct ph_eventlog_counts counts;

	denials_counts(denials, &counts);
	denials->before = counts;
	denials->io = sd_event_source_disable_unref(denials->io);
	denials->timer = sd_event_source_disable_unref(denials->timer);
	if (denials->log)
		denials->log = eventlog_close(denials->log);
	if (denials->json)
		(void)fclose(TAKE_PTR(denials->json));
	free(TAKE_PTR(denials->sinks.json));
	kernel_close(&denials->kernel);
}

static void run(struct ph_denials *denials)
{
	uint64_t due = 0;
	int r = eventlog_run(denials->log, &due);

	if (r < 0) {
		say(LOG_ERR, "cannot read the denials: %s", strerror(-r));
		denials_close(denials);
		return;
	}
	(void)sd_event_source_set_time(denials->timer, due / 1000);
	(void)sd_event_source_set_enabled(denials->timer, due ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *user)
{
	run(user);
	return 0;
}

static int on_due(sd_event_source *source, uint64_t now, void *user)
{
	run(user);
	return 0;
}

static FILE *open_json(const char *path)
{
	cleanup_close int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "a");

	if (file)
		(void)TAKE_FD(fd);
	else
		say(LOG_ERR, "%s: %s: no denials are told there", path, strerror(errno));
	return file;
}

/* Borrows from the settings. */
static struct ph_sinks sinks_of(const struct ph_settings *settings)
{
	bool journal = settings->has_sinks ? settings->journal : !access(JOURNAL_SOCKET, W_OK);

	return (struct ph_sinks){
		.journal = journal,
		.text = settings->has_sinks ? settings->text : !journal,
		.json = settings->json,
	};
}

static bool same_sinks(const struct ph_sinks *a, const struct ph_sinks *b)
{
	return a->journal == b->journal && a->text == b->text &&
	       !strcmp(a->json ? a->json : "", b->json ? b->json : "");
}

static int open_log(struct ph_denials *denials, const struct ph_sinks *sinks)
{
	struct ph_eventlog_options options = {
		.journal = sinks->journal,
		.text = sinks->text ? stderr : NULL,
		.position = PH_EVENTS_POSITION,
	};

	denials->sinks = *sinks;
	denials->sinks.json = sinks->json ? strdup(sinks->json) : NULL;
	if (denials->sinks.json)
		options.json = denials->json = open_json(denials->sinks.json);
	return eventlog_open(&denials->kernel, &options, &denials->log);
}

static int wait_for_events(struct ph_denials *denials, sd_event *event)
{
	int r = sd_event_add_io(event, &denials->io, eventlog_fd(denials->log), EPOLLIN, on_event,
				denials);

	if (r >= 0)
		r = sd_event_add_time(event, &denials->timer, CLOCK_BOOTTIME, 0, ACCURACY_USEC,
				      on_due, denials);
	return r;
}

/* The number of the map behind a descriptor; 0: none. */
static __u32 map_number(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.id;
}

void denials_follow(struct ph_denials *denials, sd_event *event, const struct ph_settings *settings)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	const struct ph_sinks sinks = sinks_of(settings);
	struct ph_fault f = {};
	int r = kernel_open(&kernel, &f);

	if (r) {
		if (r != -ENOENT)
			say(LOG_ERR, "%s", f.text);
		denials_close(denials);
		return;
	}
	if (denials->log && same_sinks(&denials->sinks, &sinks) &&
	    map_number(kernel.map[PH_MAP_EVENTS]) == map_number(denials->kernel.map[PH_MAP_EVENTS]))
		return;
	denials_close(denials);
	denials->kernel = kernel;
	kernel = (struct ph_kernel)PH_KERNEL_NULL;
	r = open_log(denials, &sinks);
	if (r >= 0)
		r = wait_for_events(denials, event);
	if (r >= 0) {
		run(denials);
		return;
	}
	say(LOG_ERR, "cannot follow the denials: %s", strerror(-r));
	denials_close(denials);
}
