// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "policy/text.h"
#include "util/cleanup.h"

int usage_error(const char *verb, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "porthold %s: ", verb);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "; see porthold %s --help\n", verb);
	return PH_EXIT_USAGE;
}

int no_memory(const char *verb)
{
	(void)fprintf(stderr, "porthold %s: out of memory\n", verb);
	return PH_EXIT_IMPOSSIBLE;
}

static int take_backend(struct ph_apply_options *options, const char *value)
{
	static const char *const names[] = {
		[PH_CHOICE_AUTO] = "auto",
		[PH_CHOICE_BEST] = "best",
		[PH_CHOICE_LSM] = "lsm",
		[PH_CHOICE_CGROUP] = "cgroup",
	};

	for (unsigned i = PH_CHOICE_AUTO; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->backend = i;
		return 0;
	}
	(void)fprintf(stderr,
		      "porthold: --backend %s: no such backend; auto, best, lsm or cgroup\n",
		      value);
	return PH_EXIT_USAGE;
}

static int take_existing(struct ph_apply_options *options, const char *value)
{
	static const char *const names[] = {
		[PH_EXISTING_REPORT] = "report",
		[PH_EXISTING_KEEP] = "keep",
		[PH_EXISTING_KILL] = "kill",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->existing = i;
		return 0;
	}
	(void)fprintf(stderr, "porthold: --existing %s: report, keep or kill\n", value);
	return PH_EXIT_USAGE;
}

int take_apply_option(struct ph_apply_options *options, int option, const char *value)
{
	switch (option) {
	case PH_OPTION_BACKEND:
		return take_backend(options, value);
	case PH_OPTION_ATTACH:
		options->attach = value;
		return 0;
	case PH_OPTION_EXISTING:
		return take_existing(options, value);
	default:
		options->accept = value;
		return 0;
	}
}

int report_failure(const struct ph_problems *problems, const struct ph_fault *f)
{
	cleanup_free char *text = NULL;

	if (problems && problems->n && !problems_format(problems, &text))
		(void)fputs(text, stderr);
	(void)fprintf(stderr, "porthold: %s\n", f->text);
	return f->status;
}

/* Arguments may hold anything; what could move a terminal's cursor is shown as \xXX. */
static void print_plain(const char *text, FILE *to)
{
	(void)fputc('"', to);
	for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
		if (*byte < ' ' || *byte == 0x7f)
			(void)fprintf(to, "\\x%02x", *byte);
		else
			(void)fputc(*byte, to);
	}
	(void)fputc('"', to);
}

int report_text_error(const char *verb, const char *text, const struct ph_text_error *error)
{
	(void)fprintf(stderr, "porthold %s: ", verb);
	print_plain(text, stderr);
	(void)fprintf(stderr, ": %s%s%s\n", error->message, *error->remedy ? "; " : "",
		      error->remedy);
	return PH_EXIT_USAGE;
}

int require_root(const char *verb)
{
	if (!geteuid())
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold %s: needs root (CAP_BPF, CAP_NET_ADMIN and more); "
		      "try sudo porthold %s\n",
		      verb, verb);
	return PH_EXIT_IMPOSSIBLE;
}

void print_doors(uint64_t doors)
{
	for (size_t i = 0; i < ph_promises_n; i++)
		if (doors >> i & 1)
			(void)printf("  %-12s %s\n", ph_promises[i].name, ph_promises[i].what);
}

void print_applied(const struct ph_applied *applied)
{
	if (!applied->in_force) {
		(void)printf("No policy is in force; nothing is attached.\n");
		return;
	}
	(void)printf("In force: backend %s, generation %llu%s, %zu process%s confined now.\n",
		     backend_name(applied->backend), (unsigned long long)applied->generation,
		     applied->changed ? "" : " (unchanged)", applied->confined,
		     applied->confined == 1 ? "" : "es");
	if (*applied->attach)
		(void)printf("Covers only %s.\n", applied->attach);
	if (applied->open) {
		(void)printf("Open doors:\n");
		print_doors(applied->open);
	}
}

/* --- Open sockets that are refused */

static const char *kind_name(const struct ph_socket *socket)
{
	switch (socket->flow.kind) {
	case PH_SOCKET_TCP:
		return "tcp";
	case PH_SOCKET_UDP:
		return "udp";
	case PH_SOCKET_ICMP:
		return "icmp";
	case PH_SOCKET_RAW:
		return "raw";
	case PH_SOCKET_PACKET:
		return "packet";
	case PH_SOCKET_VSOCK:
		return "vsock";
	default:
		return "other";
	}
}

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

static void print_end(const struct ph_address *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->word, text, sizeof(text));
	(void)printf(address->v6 ? "[%s]:%u" : "%s:%u", text, port);
}

static void print_socket(const struct ph_socket *socket)
{
	struct ph_word comm = { .text = socket->comm, .len = strlen(socket->comm) };
	const struct ph_flow *flow = &socket->flow;

	(void)printf("  pid %d, %s, fd %d: %s", (int)socket->pid, quote_bare(&comm).text,
		     socket->fd, kind_name(socket));
	if (!(flow->kind & (PH_SOCKET_TCP | PH_SOCKET_UDP))) {
		(void)printf(" (family %u, type %u, protocol %u)", socket->family, socket->type,
			     socket->protocol);
		return;
	}
	(void)putchar(' ');
	print_end(&flow->local, flow->local_port);
	if (flow->remote_port) {
		(void)printf(" -> ");
		print_end(&flow->remote, flow->remote_port);
	}
	if (socket->state)
		(void)printf(", %s", state_name(socket->state));
}

/* Whether what was asked for became of the socket, or cannot by design. */
static bool print_outcome(const struct ph_socket *socket, enum ph_existing existing)
{
	bool shared = socket->sharer && existing == PH_EXISTING_KILL;

	if (socket->sharer)
		(void)printf(", shared with pid %d", (int)socket->sharer);
	if (existing != PH_EXISTING_REPORT && !socket->error)
		(void)printf(", %s", existing == PH_EXISTING_KEEP ? "kept" : "killed");
	else if (shared)
		(void)printf(", not killed: that process may use it");
	else if (existing != PH_EXISTING_REPORT)
		(void)printf(", not %s: %s", existing == PH_EXISTING_KEEP ? "kept" : "killed",
			     strerror(-socket->error));
	(void)putchar('\n');
	return !socket->error || shared;
}

static const char *heading(enum ph_existing existing, enum ph_backend backend)
{
	if (existing == PH_EXISTING_KEEP)
		return "Open sockets that no rule grants, kept until they close:";
	/* Its hooks see no use of a connection that is there. */
	if (backend == PH_BACKEND_CGROUP)
		return "Open sockets that no rule grants; this backend cannot refuse all use of "
		       "them:";
	return "Open sockets that are refused from now on:";
}

int print_refused(const struct ph_sockets *sockets, enum ph_existing existing,
		  enum ph_backend backend)
{
	bool done = true;

	if (sockets->n)
		(void)printf("%s\n", heading(existing, backend));
	for (size_t i = 0; i < sockets->n; i++) {
		print_socket(&sockets->v[i]);
		done &= print_outcome(&sockets->v[i], existing);
	}
	if (sockets->unseen)
		(void)printf("%zu open sockets cannot be looked at (is kernel.yama.ptrace_scope "
			     "3?); they are judged at each use.\n",
			     sockets->unseen);
	if (existing == PH_EXISTING_REPORT || (done && !sockets->unseen))
		return PH_EXIT_OK;
	(void)fprintf(stderr,
		      "porthold: the policies are in force, but not all open sockets were "
		      "%s\n",
		      existing == PH_EXISTING_KEEP ? "kept" : "killed");
	return existing == PH_EXISTING_KEEP ? PH_EXIT_IMPOSSIBLE : PH_EXIT_REFUSED;
}
