// SPDX-License-Identifier: GPL-2.0-or-later
/* The open sockets that a new policy refuses, and what became of them, as text and as JSON. */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "policy/text.h"

/* As in linux/tcp_states.h. */
static const char *state_name(uint8_t state)
{
	static const char *const names[] = {
		"",	      "established", "syn-sent",  "syn-received",
		"fin-wait-1", "fin-wait-2",  "time-wait", "closed",
		"close-wait", "last-ack",    "listening", "closing",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "";
}

struct end {
	char text[INET6_ADDRSTRLEN + sizeof("[]:65535")];
};

static struct end format_end(const struct ph_address *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct end end;

	(void)inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->word, text, sizeof(text));
	(void)snprintf(end.text, sizeof(end.text), address->v6 ? "[%s]:%u" : "%s:%u", text, port);
	return end;
}

static bool has_ports(const struct ph_socket *socket)
{
	return socket->flow.kind & (PH_SOCKET_TCP | PH_SOCKET_UDP);
}

/* Somebody else may use it, so it is left alone. */
static bool is_spared(const struct ph_socket *socket, enum ph_existing existing)
{
	return socket->sharer && existing == PH_EXISTING_KILL;
}

/* What was asked for became of every socket, or cannot by design. */
static int refused_status(const struct ph_sockets *sockets, enum ph_existing existing)
{
	bool done = !sockets->unseen;

	for (size_t i = 0; i < sockets->n; i++)
		done &= !sockets->v[i].error || is_spared(&sockets->v[i], existing);
	if (existing == PH_EXISTING_REPORT || done)
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold: the policies are in force, but not all open sockets were "
		      "%s\n",
		      existing == PH_EXISTING_KEEP ? "kept" : "killed");
	return existing == PH_EXISTING_KEEP ? PH_EXIT_IMPOSSIBLE : PH_EXIT_REFUSED;
}

/* --- As text */

static void print_socket(const struct ph_socket *socket)
{
	struct ph_word comm = { .text = socket->comm, .len = strlen(socket->comm) };
	const struct ph_flow *flow = &socket->flow;

	(void)printf("  pid %d, %s, fd %d: %s", (int)socket->pid, quote_bare(&comm).text,
		     socket->fd, socket_kind_name(socket->flow.kind));
	if (!has_ports(socket)) {
		(void)printf(" (family %u, type %u, protocol %u)%s", socket->family, socket->type,
			     socket->protocol,
			     socket->family == AF_PACKET || socket->family == AF_XDP ?
				     ", but for rings that it has mapped" :
				     "");
		return;
	}
	(void)printf(" %s", format_end(&flow->local, flow->local_port).text);
	if (flow->remote_port)
		(void)printf(" -> %s", format_end(&flow->remote, flow->remote_port).text);
	if (socket->state)
		(void)printf(", %s", state_name(socket->state));
}

static void print_outcome(const struct ph_socket *socket, enum ph_existing existing)
{
	if (socket->sharer)
		(void)printf(", shared with pid %d", (int)socket->sharer);
	if (existing != PH_EXISTING_REPORT && !socket->error)
		(void)printf(", %s", existing == PH_EXISTING_KEEP ? "kept" : "killed");
	else if (is_spared(socket, existing))
		(void)printf(", not killed: that process may use it");
	else if (existing != PH_EXISTING_REPORT)
		(void)printf(", not %s: %s", existing == PH_EXISTING_KEEP ? "kept" : "killed",
			     strerror(-socket->error));
	(void)putchar('\n');
}

static const char *heading(enum ph_existing existing, enum ph_backend backend)
{
	if (existing == PH_EXISTING_KEEP)
		return "Open sockets that no rule grants, kept until they close:";
	if (existing == PH_EXISTING_KILL)
		return "Open sockets that no rule grants:";
	/* Its hooks see no use of a connection that is there. */
	if (backend == PH_BACKEND_CGROUP)
		return "Open sockets that no rule grants; this backend cannot refuse all use of "
		       "them:";
	return "Open sockets that are refused from now on:";
}

/* Those that an earlier generation keeps, or the others; nothing, if there are none. How many there were. */
static size_t print_some(const struct ph_sockets *sockets, bool exempt, enum ph_existing existing,
			 enum ph_backend backend)
{
	size_t n = 0;

	for (size_t i = 0; i < sockets->n; i++) {
		if (sockets->v[i].exempt != exempt)
			continue;
		if (!n++)
			(void)printf("%s\n", heading(existing, backend));
		print_socket(&sockets->v[i]);
		print_outcome(&sockets->v[i], existing);
	}
	return n;
}

/* What is there for it to take stays there, and the kernel says so each time. */
static void print_spinning(void)
{
	(void)printf("A server that asks for them over and over may use up a processor: start it "
		     "anew, or end them with porthold apply --existing kill.\n");
}

int print_refused(const struct ph_sockets *sockets, enum ph_existing existing,
		  enum ph_backend backend)
{
	size_t n = print_some(sockets, false, existing, backend);

	if (n && existing == PH_EXISTING_REPORT && backend == PH_BACKEND_LSM)
		print_spinning();
	(void)print_some(sockets, true, PH_EXISTING_KEEP, backend);
	if (sockets->unseen)
		(void)printf("%zu open sockets cannot be looked at (is kernel.yama.ptrace_scope "
			     "3?); they are judged at each use.\n",
			     sockets->unseen);
	return refused_status(sockets, existing);
}

/* --- As JSON */

static const char *outcome(const struct ph_socket *socket, enum ph_existing existing)
{
	if (existing == PH_EXISTING_REPORT)
		return socket->exempt ? "kept" : "refused";
	if (socket->error)
		return is_spared(socket, existing) ? "shared" : "failed";
	return existing == PH_EXISTING_KEEP ? "kept" : "killed";
}

static json_t *socket_json(const struct ph_socket *socket, enum ph_existing existing)
{
	struct ph_word comm = { .text = socket->comm, .len = strlen(socket->comm) };
	const struct ph_flow *flow = &socket->flow;
	json_t *object = json_pack("{s:i, s:s, s:i, s:s, s:s}", "pid", (int)socket->pid, "comm",
				   quote_bare(&comm).text, "fd", socket->fd, "kind",
				   socket_kind_name(socket->flow.kind), "outcome",
				   outcome(socket, existing));

	if (has_ports(socket))
		(void)json_object_set_new(
			object, "local",
			json_string(format_end(&flow->local, flow->local_port).text));
	if (has_ports(socket) && flow->remote_port)
		(void)json_object_set_new(
			object, "remote",
			json_string(format_end(&flow->remote, flow->remote_port).text));
	if (socket->state)
		(void)json_object_set_new(object, "state", json_string(state_name(socket->state)));
	if (socket->sharer)
		(void)json_object_set_new(object, "shared_with", json_integer(socket->sharer));
	return object;
}

int refused_json(const struct ph_sockets *sockets, enum ph_existing existing, json_t **ret)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sockets->n; i++)
		(void)json_array_append_new(list, socket_json(&sockets->v[i], existing));
	*ret = json_pack("{s:o, s:I}", "sockets", list, "unseen", (json_int_t)sockets->unseen);
	return refused_status(sockets, existing);
}
