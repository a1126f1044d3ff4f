// SPDX-License-Identifier: GPL-2.0-or-later
#define SD_JOURNAL_SUPPRESS_LOCATION /* a denial comes from no line of ours */
#include "events/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "events/format.h"
#include "events/rule.h"
#include "events/when.h"
#include "kernel/doors.h"
#include "util/cleanup.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX 40

struct fields {
	struct iovec v[FIELDS_MAX];
	int n;
};

static void fields_done(struct fields *fields)
{
	for (int i = 0; i < fields->n; i++)
		free(fields->v[i].iov_base);
}

DEFINE_CLEANUP_DONE(struct fields, fields_done);

/* "KEY=value"; one that cannot be had for want of memory is left out. */
static void add(struct fields *fields, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct fields *fields, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	if (fields->n == FIELDS_MAX)
		return;
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length >= 0)
		fields->v[fields->n++] = (struct iovec){ text, (size_t)length };
}

static void add_endpoint(struct fields *fields, const char *end, const struct ph_address *address,
			 unsigned port)
{
	char text[PH_ENDPOINT_SIZE];

	add(fields, "PORTHOLD_%s_ADDRESS=%s", end, address_text(address, text));
	add(fields, "PORTHOLD_%s_PORT=%u", end, port);
}

static void add_comm(struct fields *fields, const char *key, const __u8 comm[PH_COMM_LEN])
{
	cleanup_free char *text = comm_text(comm);

	add(fields, "PORTHOLD_%s=%s", key, text ? text : "?");
}

static void add_caller(struct fields *fields, const struct ph_record *record)
{
	const struct ph_event *event = &record->event;

	if (!event->tgid)
		return;
	add(fields, "PORTHOLD_PID=%u", event->tgid);
	add(fields, "PORTHOLD_TID=%u", event->pid);
	add(fields, "PORTHOLD_UID=%u", event->uid);
	add_comm(fields, "COMM", event->comm);
	add_comm(fields, "LEADER", event->leader);
	add(fields, "PORTHOLD_EXE_DEVICE=%u", event->exe_device);
	add(fields, "PORTHOLD_EXE_INODE=%llu", (unsigned long long)event->exe_inode);
	if (record->exe)
		add(fields, "PORTHOLD_EXE=%s", record->exe);
	add(fields, "PORTHOLD_CGROUP_ID=%llu", (unsigned long long)event->cgroup);
	if (record->cgroup)
		add(fields, "PORTHOLD_CGROUP=%s", record->cgroup);
}

static void add_question(struct fields *fields, const struct ph_event *event)
{
	add(fields, "PORTHOLD_DOOR=%s", door_name(event->door));
	add(fields, "PORTHOLD_REASON=%s", reason_name(event->reason));
	add(fields, "PORTHOLD_BACKEND=%s", backend_name(event->backend));
	add(fields, "PORTHOLD_GENERATION=%llu", (unsigned long long)event->generation);
	add(fields, "PORTHOLD_PROTOCOL=%s", event_protocol(event));
	add_endpoint(fields, "LOCAL", &event->local, event->local_port);
	add_endpoint(fields, "REMOTE", &event->remote, event->remote_port);
}

static void add_record(struct fields *fields, const struct ph_record *record)
{
	char time[PH_WHEN_SIZE];

	add(fields, "PORTHOLD_VERDICT=%s", record_verdict(record));
	add(fields, "PORTHOLD_MODE=%s", record_mode(record));
	add(fields, "PORTHOLD_POLICY=%s", record->policy);
	if (*record->file) {
		add(fields, "PORTHOLD_FILE=%s", record->file);
		add(fields, "PORTHOLD_LINE=%u", record->line);
	}
	add_question(fields, &record->event);
	add_caller(fields, record);
	if (record->rule)
		add(fields, "PORTHOLD_RULE=%s", record->rule);
	else
		add(fields, "PORTHOLD_NO_RULE=%s", record->no_rule);
	add(fields, "PORTHOLD_COUNT=%llu", (unsigned long long)record->count);
	add(fields, "PORTHOLD_TIME=%s", when_format(record->event.time, time));
	add(fields, "PORTHOLD_LAST=%s", when_format(record->last, time));
}

static int send(struct fields *fields, const char *id, int priority)
{
	/* Where there is none, the library says that it was sent. */
	if (access(JOURNAL_SOCKET, F_OK))
		return -errno;
	add(fields, "MESSAGE_ID=%s", id);
	add(fields, "PRIORITY=%d", priority);
	add(fields, "SYSLOG_IDENTIFIER=porthold");
	return sd_journal_sendv(fields->v, fields->n);
}

int journal_record(const struct ph_record *record)
{
	cleanup_(fields_donep) struct fields fields = {};
	cleanup_free char *text = NULL;
	int r = record_text(record, 0, &text);

	if (r)
		return r;
	add(&fields, "MESSAGE=%s", text);
	add_record(&fields, record);
	return send(&fields, PH_DENIAL_MESSAGE,
		    record->event.kind == PH_EVENT_AUDIT ? LOG_INFO : LOG_WARNING);
}

int journal_lost(uint64_t count, const char *why)
{
	cleanup_(fields_donep) struct fields fields = {};

	add(&fields, "MESSAGE=%llu denials are told only as a number: %s",
	    (unsigned long long)count, why);
	add(&fields, "PORTHOLD_COUNT=%llu", (unsigned long long)count);
	return send(&fields, PH_LOST_MESSAGE, LOG_WARNING);
}
