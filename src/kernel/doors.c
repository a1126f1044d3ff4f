// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/doors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cover.h"

static bool always(enum ph_backend backend, const struct ph_features *features)
{
	return true;
}

static bool by_lsm(enum ph_backend backend, const struct ph_features *features)
{
	return backend == PH_BACKEND_LSM;
}

static bool by_tracing(enum ph_backend backend, const struct ph_features *features)
{
	return features->tracing_programs;
}

static bool by_cgroup_moves(enum ph_backend backend, const struct ph_features *features)
{
	return features->cgroup_moves;
}

/* A fork whose label cannot be kept is refused: only the LSM hook over task storage can. */
static bool by_task_storage(enum ph_backend backend, const struct ph_features *features)
{
	return backend == PH_BACKEND_LSM && features->task_storage;
}

/* As root, or by what else a capability lets one do: no hook sees it without a price for everybody. */
static bool never(enum ph_backend backend, const struct ph_features *features)
{
	return false;
}

/* Without labels only the live name tells who is confined there. */
static bool by_sysctl(enum ph_backend backend, const struct ph_features *features)
{
	return features->sysctl_programs;
}

/* The hook that sees it sees every read of the machine; it is there only where it is needed. */
static bool by_file_permission(enum ph_backend backend, const struct ph_features *features)
{
	return backend == PH_BACKEND_LSM && !features->splice_sends;
}

/* The place is the bit that pinned state holds: new ones go to the end. */
const struct ph_promise ph_promises[] = {
	{ "connect", "connecting anywhere", always, false },
	{ "bind", "taking any local port", always, false },
	{ "send", "sending datagrams anywhere", always, false },
	{ "socket", "IP sockets of any protocol", always, false },
	{ "fastopen", "connecting by a first send", always, false },
	{ "listen", "the call succeeds on a port that nobody can reach", by_lsm, false },
	{ "families", "packet, vsock, Bluetooth and other sockets that are not IP", by_lsm, false },
	{ "handed-over", "using sockets that were opened elsewhere or before", by_lsm, false },
	{ "rename", "a process that takes another name is free", by_tracing, false },
	{ "children", "a program that the process starts is free", by_tracing, false },
	{ "label-loss",
	  "a child is free if the kernel runs out of room for labels; before Linux 5.12 a process that more than eight policies match is refused all, though some only watch",
	  by_task_storage, false },
	{ "splice-read", "reading by splice from a socket that was handed over", by_file_permission,
	  true },
	{ "tun", "frames through a tun or tap device", by_lsm, false },
	{ "ptrace", "making another process do it, by its memory", by_lsm, false },
	{ "bpf", "BPF programs and maps, the policy's own among them", by_lsm, false },
	{ "module", "loading kernel modules", by_lsm, false },
	{ "pins", "removing the pins that hold the policy in the kernel", by_lsm, false },
	{ "cgroup-move",
	  "a process that changes its cgroup loses what the old one brought it, and gains what the new one does",
	  by_cgroup_moves, false },
	{ "uid-change",
	  "a process that changes its uid loses what the old one brought it, and gains what the new one does",
	  by_lsm, false },
	{ "moved-out",
	  "leaving the cgroup that --attach names: outside, programs of cgroups hold nothing",
	  always, true },
	{ "source-route",
	  "setting a route for packets; those that take one are dropped where rules have addresses",
	  by_lsm, false },
	{ "mounts", "mounting over the pins, taking mounts away, network file systems", by_lsm,
	  false },
	{ "sysctl", "kernel settings, which can switch LSM programs off", by_sysctl, false },
	{ "files", "adding, removing or replacing porthold's own files", by_lsm, false },
	{ "upcalls", "programs that the kernel starts for somebody, by request_key", by_lsm,
	  false },
	{ "net-admin", "netfilter, routes, tunnels and devices, by CAP_NET_ADMIN", by_lsm, false },
	{ "kernel", "the kernel's memory, ports and debugfs, another kernel, reboot", by_lsm,
	  false },
	{ "privileged",
	  "what root can use where no hook sees it: policy files in place, cron, macvtap, a container's network",
	  never, true },
};

const size_t ph_promises_n = sizeof(ph_promises) / sizeof(ph_promises[0]);

uint64_t doors_open(enum ph_backend backend, const struct ph_features *features)
{
	uint64_t open = 0;

	for (size_t i = 0; i < ph_promises_n; i++)
		if (!ph_promises[i].closed(backend, features))
			open |= 1ull << i;
	return open;
}

uint64_t doors_open_at(enum ph_backend backend, const struct ph_features *features,
		       const char *attach)
{
	uint64_t open = doors_open(backend, features);

	return attach_is_whole(attach, features->cgroup_root) ? open :
								open | promise_bit("moved-out");
}

uint64_t doors_optional(void)
{
	uint64_t optional = 0;

	for (size_t i = 0; i < ph_promises_n; i++)
		if (ph_promises[i].optional)
			optional |= 1ull << i;
	return optional;
}

static uint64_t find_bit(const char *name, size_t length)
{
	for (size_t i = 0; i < ph_promises_n; i++)
		if (strlen(ph_promises[i].name) == length &&
		    !strncmp(ph_promises[i].name, name, length))
			return 1ull << i;
	return 0;
}

uint64_t promise_bit(const char *name)
{
	return name ? find_bit(name, strlen(name)) : 0;
}

int doors_parse(const char *text, uint64_t *ret, char *ret_bad, size_t size)
{
	uint64_t doors = 0;

	for (const char *at = text; *at; at += *at == ',') {
		size_t length = strcspn(at, ",");
		uint64_t bit = find_bit(at, length);

		if (!bit) {
			(void)snprintf(ret_bad, size, "%.*s", (int)length, at);
			return -EINVAL;
		}
		doors |= bit;
		at += length;
	}
	*ret = doors;
	return 0;
}

const char *backend_name(enum ph_backend backend)
{
	switch (backend) {
	case PH_BACKEND_LSM:
		return "lsm";
	case PH_BACKEND_CGROUP:
		return "cgroup";
	default:
		return "none";
	}
}

const char *door_name(unsigned door)
{
	static const char *const names[PH_DOOR_MAX] = {
		[PH_DOOR_SOCKET] = "socket",
		[PH_DOOR_BIND] = "bind",
		[PH_DOOR_CONNECT] = "connect",
		[PH_DOOR_LISTEN] = "listen",
		[PH_DOOR_ACCEPT] = "accept",
		[PH_DOOR_SEND] = "send",
		[PH_DOOR_RECEIVE] = "receive",
		[PH_DOOR_FASTOPEN] = "fastopen",
		[PH_DOOR_RECEIVE_FD] = "handed-over",
		[PH_DOOR_SPLICE] = "splice",
		[PH_DOOR_PACKET_OUT] = "packet-out",
		[PH_DOOR_PACKET_IN] = "packet-in",
		[PH_DOOR_TUN] = "tun",
		[PH_DOOR_BPF] = "bpf",
		[PH_DOOR_PTRACE] = "ptrace",
		[PH_DOOR_MODULE] = "module",
		[PH_DOOR_PINS] = "pins",
		[PH_DOOR_ROUTE] = "source-route",
		[PH_DOOR_MOUNT] = "mounts",
		[PH_DOOR_SYSCTL] = "sysctl",
		[PH_DOOR_FILES] = "files",
		[PH_DOOR_UPCALL] = "upcalls",
		[PH_DOOR_NET_ADMIN] = "net-admin",
		[PH_DOOR_KERNEL] = "kernel",
	};

	return door < PH_DOOR_MAX ? names[door] : "unknown";
}

const char *reason_name(unsigned reason)
{
	static const char *const names[PH_REASON_MAX] = {
		[PH_REASON_RULE] = "rule",
		[PH_REASON_NO_RULE] = "no-rule",
		[PH_REASON_OVERFULL] = "too-many-policies",
	};

	return reason < PH_REASON_MAX ? names[reason] : "unknown";
}
