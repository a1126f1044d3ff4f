// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The doors, one attempt each:
 *
 *	probe list [--json]
 *	probe run NAME --as PATH [OPTIONS]	exit status: the answer (0 allowed, 1 denied,
 *						2 untried, 3 other)
 *	probe all --as PATH [--twin] [--open PROMISE,...] [OPTIONS]
 *						exit status: 0 when no answer is WRONG, 1 when one
 *						is
 *	probe serve --control PATH [--ports 4040,4041]
 *	probe count --control PATH		what has reached the server, one line per count
 *
 * PATH is executed for the attempt, so that its last part is the process' name; it has to be this
 * program, a link to it or a copy of it. A PATH without a slash means a link made for this run.
 * --twin: the name is one that no policy matches, and what is expected to be denied has to work.
 *
 * `all` prints one line per probe: ok, untried, WRONG or open; name; door; expected; answer;
 * detail; promise (src/kernel/doors.c), or - for what has to work. `open` is what would be WRONG
 * if --open did not name its promise.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/doors.h"
#include "probe/probe.h"
#include "probe/server.h"
#include "probe/stand.h"

#define EXIT_USAGE 64
#define EXIT_BROKEN 70

static struct {
	const char *verb, *name, *door, *as, *control, *pin, *gate;
	uint16_t ports[SERVER_PORTS];
	size_t n_ports;
	unsigned int timeout_ms;
	uint64_t open; /* promises */
	bool json, twin, exe_rule;
} arg = { .ports = { 4040, 4041 }, .n_ports = 2, .timeout_ms = 30000 };

static struct probe_stand stand;
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	interrupted = signal_number;
}

static int usage(const char *problem)
{
	fprintf(stderr,
		"probe: %s\n"
		"usage: probe list [--json]\n"
		"       probe run NAME --as PATH [OPTIONS]\n"
		"       probe all --as PATH [--twin] [--json] [--door DOOR] [--open PROMISE,...]\n"
		"                 [OPTIONS]\n"
		"       probe serve --control PATH [--ports ALLOWED,DENIED]\n"
		"       probe count --control PATH\n"
		"options: --allowed PORT --denied PORT --control PATH --pin PATH --gate DIRECTORY\n"
		"         --exe-rule --timeout MS\n",
		problem);
	return EXIT_USAGE;
}

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || *end || port == 0 || port > UINT16_MAX)
		return -1;
	*ret = (uint16_t)port;
	return 0;
}

static int parse_ports(char *text)
{
	arg.n_ports = 0;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		if (arg.n_ports == SERVER_PORTS || parse_port(word, &arg.ports[arg.n_ports++]) < 0)
			return -1;
	}
	return arg.n_ports ? 0 : -1;
}

enum option_id {
	OPTION_AS = 1,
	OPTION_ALLOWED,
	OPTION_DENIED,
	OPTION_PORTS,
	OPTION_CONTROL,
	OPTION_PIN,
	OPTION_GATE,
	OPTION_DOOR,
	OPTION_OPEN,
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_TWIN,
	OPTION_EXE_RULE,
};

static const struct option options[] = {
	{ "as", required_argument, NULL, OPTION_AS },
	{ "allowed", required_argument, NULL, OPTION_ALLOWED },
	{ "denied", required_argument, NULL, OPTION_DENIED },
	{ "ports", required_argument, NULL, OPTION_PORTS },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "pin", required_argument, NULL, OPTION_PIN },
	{ "gate", required_argument, NULL, OPTION_GATE },
	{ "door", required_argument, NULL, OPTION_DOOR },
	{ "open", required_argument, NULL, OPTION_OPEN },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "twin", no_argument, NULL, OPTION_TWIN },
	{ "exe-rule", no_argument, NULL, OPTION_EXE_RULE },
	{},
};

static int parse_option(int option)
{
	char unknown[64];

	switch (option) {
	case OPTION_AS:
		arg.as = optarg;
		return 0;
	case OPTION_ALLOWED:
		return parse_port(optarg, &arg.ports[0]);
	case OPTION_DENIED:
		return parse_port(optarg, &arg.ports[1]);
	case OPTION_PORTS:
		return parse_ports(optarg);
	case OPTION_CONTROL:
		arg.control = optarg;
		return 0;
	case OPTION_PIN:
		arg.pin = optarg;
		return 0;
	case OPTION_GATE:
		arg.gate = optarg;
		return 0;
	case OPTION_DOOR:
		arg.door = optarg;
		return 0;
	case OPTION_OPEN:
		return doors_parse(optarg, &arg.open, unknown, sizeof(unknown));
	case OPTION_TIMEOUT:
		arg.timeout_ms = (unsigned int)atoi(optarg);
		return arg.timeout_ms ? 0 : -1;
	case OPTION_JSON:
		arg.json = true;
		return 0;
	case OPTION_TWIN:
		arg.twin = true;
		return 0;
	case OPTION_EXE_RULE:
		arg.exe_rule = true;
		return 0;
	default:
		return -1;
	}
}

static int parse_arguments(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (parse_option(option) < 0)
			return -1;
	if (optind == argc)
		return -1;
	arg.verb = argv[optind++];
	if (optind < argc)
		arg.name = argv[optind++];
	return optind == argc ? 0 : -1;
}

/* -- what a run needs ---------------------------------------------------------------------- */

static int make_all(void)
{
	int r = stand_make(&stand, arg.as ?: "probe-twin");

	if (r < 0) {
		fprintf(stderr, "probe: cannot make %s in a directory of its own: %s\n",
			arg.as ?: "a link", strerror(-r));
		return r;
	}
	if (arg.control)
		return 0;
	r = stand_serve(&stand, arg.ports, arg.n_ports, true);
	if (r < 0)
		fprintf(stderr, "probe: cannot serve on ports %u and %u: %s\n", arg.ports[0],
			arg.ports[1], strerror(-r));
	return r;
}

static struct probe_options run_options(void)
{
	return (struct probe_options){ .as = stand.as,
				       .self = stand.self,
				       .dir = stand.dir,
				       .control = arg.control ?: stand.control,
				       .pin = arg.pin,
				       .gate = arg.gate,
				       .exe_rule = arg.exe_rule,
				       .allowed = arg.ports[0],
				       .denied = arg.ports[1],
				       .timeout_ms = arg.timeout_ms };
}

/* -- output -------------------------------------------------------------------------------- */

static void print_json_string(const char *key, const char *value, const char *end)
{
	printf("\"%s\": \"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			printf("\\%c", *value);
		else if ((unsigned char)*value < ' ')
			printf("\\u%04x", (unsigned int)*value);
		else
			putchar(*value);
	}
	printf("\"%s", end);
}

static enum probe_answer expected(const struct probe *probe)
{
	return arg.twin ? probe->twin : probe->expect;
}

static const char *judge(const struct probe *probe, enum probe_answer answer)
{
	if (answer == expected(probe))
		return "ok";
	if (answer == PROBE_UNTRIED)
		return "untried";
	return expected(probe) == PROBE_DENIED && arg.open & promise_bit(probe->promise) ? "open" :
											   "WRONG";
}

static void print_result(const struct probe *probe, const struct probe_result *result)
{
	if (!arg.json) {
		printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", judge(probe, result->answer), probe->name,
		       probe->door, probe_answer_name(expected(probe)),
		       probe_answer_name(result->answer), result->detail, probe->promise ?: "-");
		fflush(stdout);
		return;
	}
	printf("  {");
	print_json_string("name", probe->name, ", ");
	print_json_string("door", probe->door, ", ");
	print_json_string("expected", probe_answer_name(expected(probe)), ", ");
	print_json_string("answer", probe_answer_name(result->answer), ", ");
	print_json_string("verdict", judge(probe, result->answer), ", ");
	print_json_string("detail", result->detail, ", ");
	print_json_string("promise", probe->promise ?: "-", "}");
}

/* -- verbs --------------------------------------------------------------------------------- */

static int verb_list(void)
{
	const struct probe *probe;

	if (arg.json)
		printf("[\n");
	for (size_t i = 0; (probe = probe_at(i)); i++) {
		if (!arg.json) {
			printf("%s\t%s\t%s\t%s\t%s\n", probe->name, probe->door,
			       probe_answer_name(probe->expect), probe->what,
			       probe->promise ?: "-");
			continue;
		}
		printf("%s  {", i ? ",\n" : "");
		print_json_string("name", probe->name, ", ");
		print_json_string("door", probe->door, ", ");
		print_json_string("expected", probe_answer_name(probe->expect), ", ");
		print_json_string("unconfined", probe_answer_name(probe->twin), ", ");
		print_json_string("what", probe->what, ", ");
		print_json_string("promise", probe->promise ?: "-", "}");
	}
	if (arg.json)
		printf("\n]\n");
	return 0;
}

static int verb_run(void)
{
	const struct probe *probe = arg.name ? probe_find(arg.name) : NULL;
	struct probe_options run = run_options();
	struct probe_result result;
	int r;

	if (!probe)
		return usage("no such probe");
	r = probe_run(probe, &run, &result);
	if (r < 0) {
		fprintf(stderr, "probe: %s: %s\n", probe->name, strerror(-r));
		return EXIT_BROKEN;
	}
	printf("%s: %s: %s\n", probe->name, probe_answer_name(result.answer), result.detail);
	return (int)result.answer;
}

static int verb_all(void)
{
	struct probe_options run = run_options();
	const struct probe *probe;
	struct probe_result result;
	bool wrong = false, first = true;

	if (arg.json)
		printf("[\n");
	for (size_t i = 0; !interrupted && (probe = probe_at(i)); i++) {
		int r;

		if (arg.door && strcmp(arg.door, probe->door) != 0)
			continue;
		r = probe_run(probe, &run, &result);
		if (r < 0) {
			fprintf(stderr, "probe: %s: %s\n", probe->name, strerror(-r));
			return EXIT_BROKEN;
		}
		if (arg.json && !first)
			printf(",\n");
		first = false;
		print_result(probe, &result);
		wrong |= strcmp(judge(probe, result.answer), "WRONG") == 0;
	}
	if (arg.json)
		printf("\n]\n");
	return interrupted ? EXIT_BROKEN : wrong;
}

static int verb_serve(void)
{
	int r;

	if (!arg.control)
		return usage("serve needs --control PATH");
	r = server_run(arg.ports, arg.n_ports, arg.control, true, 0);
	fprintf(stderr, "probe: cannot serve: %s\n", strerror(-r));
	return EXIT_BROKEN;
}

static void print_counts(const struct server_reply *reply)
{
	for (size_t i = 0; i < SERVER_KINDS * 2 * SERVER_PORTS; i++) {
		size_t kind = i / (2 * SERVER_PORTS), v6 = i / SERVER_PORTS % 2;
		size_t port = i % SERVER_PORTS;
		const struct server_count *count = &reply->count[kind][v6][port];

		if (!count->connections && !count->messages)
			continue;
		printf("%s\t%s\t%u\t%llu\t%llu\t%llu\n", server_kind_names[kind],
		       v6 ? "ipv6" : "ipv4", reply->port[port],
		       (unsigned long long)count->connections, (unsigned long long)count->messages,
		       (unsigned long long)count->bytes);
	}
}

static int verb_count(void)
{
	struct server_reply reply;
	int fd, r;

	if (!arg.control)
		return usage("count needs --control PATH");
	fd = server_connect(arg.control);
	r = fd < 0 ? fd : server_ask(fd, SERVER_COUNT, 0, 0, &reply);
	if (r < 0) {
		fprintf(stderr, "probe: %s: %s\n", arg.control, strerror(-r));
		return EXIT_BROKEN;
	}
	print_counts(&reply);
	return 0;
}

static int with_all(int (*verb)(void))
{
	int status;

	(void)signal(SIGINT, interrupt);
	(void)signal(SIGTERM, interrupt);
	status = make_all() < 0 ? EXIT_BROKEN : verb();
	stand_remove(&stand);
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], PROBE_ATTEMPT_VERB) == 0)
		return probe_attempt_main(argc, argv);
	if (parse_arguments(argc, argv) < 0)
		return usage("bad arguments");
	if (strcmp(arg.verb, "list") == 0)
		return verb_list();
	if (strcmp(arg.verb, "serve") == 0)
		return verb_serve();
	if (strcmp(arg.verb, "count") == 0)
		return verb_count();
	if (strcmp(arg.verb, "run") != 0 && strcmp(arg.verb, "all") != 0)
		return usage("no such verb");
	if (!arg.as && !arg.twin)
		return usage("--as PATH is missing");
	return with_all(strcmp(arg.verb, "run") == 0 ? verb_run : verb_all);
}
