// SPDX-License-Identifier: GPL-2.0-or-later
#include "events/format.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/doors.h"
#include "sources.h"
#include "util/cleanup.h"

#define NSEC 1000000000ull

/* Boot time to wall-clock time, by what both say now. */
static void wall_clock(uint64_t boot, char ret[40])
{
	struct timespec real, since_boot;
	char seconds[32];
	struct tm parts;
	uint64_t now, then;
	time_t whole;

	(void)clock_gettime(CLOCK_REALTIME, &real);
	(void)clock_gettime(CLOCK_BOOTTIME, &since_boot);
	now = since_boot.tv_sec * NSEC + since_boot.tv_nsec;
	then = real.tv_sec * NSEC + real.tv_nsec - (now - boot);
	whole = then / NSEC;
	(void)gmtime_r(&whole, &parts);
	(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(ret, 40, "%s.%03uZ", seconds, (unsigned)(then % NSEC / 1000000));
}

static void format_address(const struct ph_address *address, char ret[INET6_ADDRSTRLEN])
{
	(void)inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->word, ret, INET6_ADDRSTRLEN);
}

static void format_endpoint(const struct ph_address *address, unsigned port, char *ret, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	format_address(address, text);
	(void)snprintf(ret, size, address->v6 ? "[%s]:%u" : "%s:%u", text, port);
}

static const char *protocol_name(const struct ph_event *event)
{
	switch (event->protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_IP:
		if (event->family != AF_INET && event->family != AF_INET6)
			return "other";
		return event->type == SOCK_STREAM ? "tcp" :
		       event->type == SOCK_DGRAM  ? "udp" :
						    "raw";
	default:
		return "other";
	}
}

static bool is_local_question(const struct ph_event *event)
{
	return event->door == PH_DOOR_BIND || event->door == PH_DOOR_LISTEN ||
	       event->door == PH_DOOR_ACCEPT;
}

static bool has_ports(const struct ph_event *event)
{
	return event->local_port || event->remote_port;
}

char *event_rule(const struct ph_event *event)
{
	const char *protocol = protocol_name(event);
	char address[INET6_ADDRSTRLEN], *rule = NULL;

	if (!strcmp(protocol, "other") || !strcmp(protocol, "raw")) {
		if (event->family == AF_PACKET || event->family == AF_VSOCK ||
		    !strcmp(protocol, "raw"))
			rule = strdup(event->family == AF_PACKET ? "socket packet" :
				      event->family == AF_VSOCK	 ? "socket vsock" :
								   "socket raw");
		return rule;
	}
	if (is_local_question(event)) {
		if (event->local_port &&
		    asprintf(&rule, "bind %s %u", protocol, event->local_port) < 0)
			rule = NULL;
		return rule;
	}
	if (!event->remote_port)
		return NULL;
	format_address(&event->remote, address);
	if (asprintf(&rule, "connect %s %u to %s", protocol, event->remote_port, address) < 0)
		rule = NULL;
	return rule;
}

char *event_text(const struct ph_event *event, const json_t *sources)
{
	char when[40], remote[INET6_ADDRSTRLEN + 8], *text = NULL;
	cleanup_free char *rule = event_rule(event);
	struct ph_source source;
	int r;

	wall_clock(event->time, when);
	(void)sources_find(sources, event->policy, &source);
	format_endpoint(is_local_question(event) ? &event->local : &event->remote,
			is_local_question(event) ? event->local_port : event->remote_port, remote,
			sizeof(remote));
	r = asprintf(&text, "%s %s %s %s%s%s pid=%u comm=%.15s leader=%.15s uid=%u policy=%s%s%s%s",
		     when, event->kind == PH_EVENT_AUDIT ? "audit" : "deny", door_name(event->door),
		     protocol_name(event), has_ports(event) ? " " : "",
		     has_ports(event) ? remote : "", event->tgid, event->comm, event->leader,
		     event->uid, source.name, rule ? " rule=\"" : "", rule ? rule : "",
		     rule ? "\"" : "");
	return r < 0 ? NULL : text;
}

static json_t *endpoint_json(const struct ph_address *address, unsigned port)
{
	char text[INET6_ADDRSTRLEN];

	format_address(address, text);
	return json_pack("{s:s, s:i}", "address", text, "port", (int)port);
}

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static json_t *comm_json(const __u8 comm[PH_COMM_LEN])
{
	const char *text = (const char *)comm;
	json_t *exact = json_stringn(text, strnlen(text, PH_COMM_LEN - 1));

	/* A name need not be UTF-8. */
	return exact ? exact : json_string("?");
}

json_t *event_json(const struct ph_event *event, const json_t *sources)
{
	cleanup_free char *rule = event_rule(event);
	json_t *object = json_object();
	struct ph_source source;
	char when[40];

	wall_clock(event->time, when);
	(void)sources_find(sources, event->policy, &source);
	set(object, "seq", json_integer((json_int_t)event->seq - 1));
	set(object, "time", json_string(when));
	set(object, "boot_ns", json_integer((json_int_t)event->time));
	set(object, "verdict", json_string(event->kind == PH_EVENT_AUDIT ? "audit" : "deny"));
	set(object, "policy", json_string(source.name));
	set(object, "file", json_string(source.file));
	set(object, "line", json_integer(source.line));
	set(object, "door", json_string(door_name(event->door)));
	set(object, "reason", json_string(reason_name(event->reason)));
	set(object, "backend", json_string(backend_name(event->backend)));
	set(object, "generation", json_integer((json_int_t)event->generation));
	set(object, "protocol", json_string(protocol_name(event)));
	set(object, "family", json_integer(event->family));
	set(object, "type", json_integer(event->type));
	set(object, "protocol_number", json_integer(event->protocol));
	set(object, "local", endpoint_json(&event->local, event->local_port));
	set(object, "remote", endpoint_json(&event->remote, event->remote_port));
	set(object, "pid", json_integer(event->tgid));
	set(object, "tid", json_integer(event->pid));
	set(object, "comm", comm_json(event->comm));
	set(object, "leader", comm_json(event->leader));
	set(object, "uid", json_integer(event->uid));
	set(object, "cgroup", json_integer((json_int_t)event->cgroup));
	set(object, "exe",
	    json_pack("{s:I, s:I}", "device", (json_int_t)event->exe_device, "inode",
		      (json_int_t)event->exe_inode));
	if (rule)
		set(object, "rule", json_string(rule));
	return object;
}
