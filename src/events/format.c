// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/format.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "events/rule.h"
#include "events/when.h"
#include "kernel/doors.h"
#include "policy/text.h"
#include "util/cleanup.h"
#include "util/stream.h"
#include "util/terminal.h"

const char *record_verdict(const struct ph_record *record)
{
	return record->event.kind == PH_EVENT_AUDIT ? "audit" : "deny";
}

const char *record_mode(const struct ph_record *record)
{
	return record->event.kind == PH_EVENT_AUDIT ? "audit" : "enforce";
}

const char *address_text(const struct ph_address *address, char ret[PH_ENDPOINT_SIZE])
{
	*ret = 0;
	(void)inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->word, ret, PH_ENDPOINT_SIZE);
	return ret;
}

const char *endpoint_text(const struct ph_address *address, unsigned port,
			  char ret[PH_ENDPOINT_SIZE])
{
	char text[PH_ENDPOINT_SIZE];

	(void)snprintf(ret, PH_ENDPOINT_SIZE, address->v6 ? "[%.45s]:%u" : "%.45s:%u",
		       address_text(address, text), port);
	return ret;
}

char *comm_text(const __u8 comm[PH_COMM_LEN])
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	const char *bytes = (const char *)comm;
	size_t length = strnlen(bytes, PH_COMM_LEN - 1), used = 0;
	char text[3 * PH_COMM_LEN];

	for (size_t i = 0; i < length;) {
		uint32_t character;
		size_t n = utf8_decode(bytes + i, length - i, &character);

		memcpy(text + used, n ? bytes + i : replacement, n ? n : 3);
		used += n ? n : 3;
		i += n ? n : 1;
	}
	return strndup(text, used);
}

/* --- Text */

static bool is_bare(const char *text)
{
	size_t length = strlen(text), n;

	for (size_t i = 0; i < length; i += n) {
		uint32_t character;

		n = utf8_decode(text + i, length - i, &character);
		if (!n || is_control(character) || strchr(" \"\\=", text[i]))
			return false;
	}
	return length;
}

/* Whoever reads a line can tell where a value ends; nothing in it reaches a terminal's controls. */
static void print_value(FILE *to, const char *text)
{
	size_t length = strlen(text);
	bool bare = is_bare(text);

	if (!bare)
		(void)fputc('"', to);
	for (size_t i = 0; i < length;) {
		uint32_t character;
		size_t n = utf8_decode(text + i, length - i, &character);

		if (!n || is_control(character))
			(void)fprintf(to, "\\x%02x", (unsigned char)text[i]);
		else
			(void)fprintf(to, "%s%.*s", strchr("\"\\", text[i]) ? "\\" : "", (int)n,
				      text + i);
		i += n && !is_control(character) ? n : 1;
	}
	if (!bare)
		(void)fputc('"', to);
}

static void print_field(FILE *to, const char *key, const char *value)
{
	(void)fprintf(to, " %s=", key);
	print_value(to, value);
}

static void print_comm(FILE *to, const char *key, const __u8 comm[PH_COMM_LEN])
{
	cleanup_free char *text = comm_text(comm);

	print_field(to, key, text ? text : "?");
}

/* Nothing is known of the caller where packets are dropped. */
static void print_caller(FILE *to, const struct ph_record *record)
{
	const struct ph_event *event = &record->event;

	if (!event->tgid)
		return;
	(void)fprintf(to, " pid=%u", event->tgid);
	if (event->pid != event->tgid)
		(void)fprintf(to, " tid=%u", event->pid);
	print_comm(to, "comm", event->comm);
	if (memcmp(event->comm, event->leader, PH_COMM_LEN))
		print_comm(to, "leader", event->leader);
	(void)fprintf(to, " uid=%u", event->uid);
	if (record->exe)
		print_field(to, "exe", record->exe);
	if (record->cgroup)
		print_field(to, "cgroup", record->cgroup);
}

static void print_policy(FILE *to, const struct ph_record *record)
{
	print_field(to, "policy", record->policy);
	if (!*record->file)
		return;
	print_field(to, "at", record->file);
	(void)fprintf(to, ":%u", record->line);
}

static void print_question(FILE *to, const struct ph_event *event)
{
	bool local = event_is_local(event);
	uint16_t port = local ? event->local_port : event->remote_port;
	char endpoint[PH_ENDPOINT_SIZE];

	(void)fprintf(to, "%s", door_name(event->door));
	if (event->family)
		(void)fprintf(to, " %s", event_protocol(event));
	if (port)
		(void)fprintf(to, " %s",
			      endpoint_text(local ? &event->local : &event->remote, port,
					    endpoint));
}

static void print_verdict(FILE *to, const struct ph_record *record, bool colours)
{
	const char *colour = record->event.kind == PH_EVENT_AUDIT ? PH_YELLOW : PH_RED;

	(void)fprintf(to, "%s%s%s ", colours ? colour : "", record_verdict(record),
		      colours ? PH_PLAIN : "");
}

int record_text(const struct ph_record *record, unsigned how, char **ret)
{
	cleanup_(stream_donep) struct ph_stream stream = {};
	char time[PH_WHEN_SIZE];
	FILE *to;

	if (stream_begin(&stream))
		return -ENOMEM;
	to = stream.file;
	if (how & PH_TEXT_TIME)
		(void)fprintf(to, "%s ", when_format(record->event.time, time));
	print_verdict(to, record, how & PH_TEXT_COLOURS);
	print_question(to, &record->event);
	print_policy(to, record);
	print_caller(to, record);
	if (record->rule)
		print_field(to, "rule", record->rule);
	else
		print_field(to, "no-rule", record->no_rule);
	if (record->count > 1)
		(void)fprintf(to, " count=%llu last=%s", (unsigned long long)record->count,
			      when_format(record->last, time));
	return stream_end(&stream, ret);
}

/* --- JSON */

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* Paths need not be UTF-8, and then are left out; so is what is unknown. */
static void set_text(json_t *object, const char *key, const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	set(object, key, value ? value : json_null());
}

static void set_time(json_t *object, const char *key, uint64_t boot)
{
	char text[PH_WHEN_SIZE];

	set(object, key, json_string(when_format(boot, text)));
}

static void set_endpoint(json_t *object, const char *key, const struct ph_address *address,
			 unsigned port)
{
	char text[PH_ENDPOINT_SIZE];
	json_t *end = json_object();

	set(end, "address", json_string(address_text(address, text)));
	set(end, "port", number(port));
	set(object, key, end);
}

static void set_comm(json_t *object, const char *key, const __u8 comm[PH_COMM_LEN])
{
	cleanup_free char *text = comm_text(comm);

	set_text(object, key, text);
}

static void set_question(json_t *object, const struct ph_event *event)
{
	set(object, "door", json_string(door_name(event->door)));
	set(object, "reason", json_string(reason_name(event->reason)));
	set(object, "backend", json_string(backend_name(event->backend)));
	set(object, "generation", number(event->generation));
	set(object, "protocol", json_string(event_protocol(event)));
	set(object, "family", number(event->family));
	set(object, "type", number(event->type));
	set(object, "protocol_number", number(event->protocol));
	set_endpoint(object, "local", &event->local, event->local_port);
	set_endpoint(object, "remote", &event->remote, event->remote_port);
}

static void set_caller(json_t *object, const struct ph_record *record)
{
	const struct ph_event *event = &record->event;
	json_t *exe = json_object(), *cgroup = json_object();

	set(object, "pid", number(event->tgid));
	set(object, "tid", number(event->pid));
	set_comm(object, "comm", event->comm);
	set_comm(object, "leader", event->leader);
	set(object, "uid", number(event->uid));
	set(exe, "device", number(event->exe_device));
	set(exe, "inode", number(event->exe_inode));
	set_text(exe, "path", record->exe);
	set(object, "exe", exe);
	set(cgroup, "id", number(event->cgroup));
	set_text(cgroup, "path", record->cgroup);
	set(object, "cgroup", cgroup);
}

json_t *record_json(const struct ph_record *record)
{
	const struct ph_event *event = &record->event;
	json_t *object = json_object();

	if (!object)
		return NULL;
	set(object, "number", number(event->seq - 1));
	set_time(object, "time", event->time);
	set(object, "boot_ns", number(event->time));
	set(object, "verdict", json_string(record_verdict(record)));
	set(object, "mode", json_string(record_mode(record)));
	set_text(object, "policy", record->policy);
	set_text(object, "file", record->file);
	set(object, "line", number(record->line));
	set_question(object, event);
	set_caller(object, record);
	set_text(object, "rule", record->rule);
	set_text(object, "no_rule", record->no_rule);
	set(object, "count", number(record->count));
	set_time(object, "last", record->last);
	return object;
}
