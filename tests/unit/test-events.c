// SPDX-License-Identifier: GPL-2.0-or-later
/* From events to rules, records, lines and kinds; points in time. */
#include "events/fold.h"
#include "events/format.h"
#include "events/rule.h"
#include "events/when.h"
#include "kernel/decide.h"
#include "policy/rule.h"
#include "policy/text.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/terminal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_record, record_done);
DEFINE_CLEANUP_DONE(struct ph_folds, folds_done);

/* --- Events */

static struct ph_address address(const char *text)
{
	struct ph_address ret = { .v6 = strchr(text, ':') != NULL };

	assert_int_equal(inet_pton(ret.v6 ? AF_INET6 : AF_INET, text, ret.word), 1);
	return ret;
}

static struct ph_event event_of(unsigned door, unsigned question, unsigned type)
{
	struct ph_event event = {
		.seq = 1,
		.time = 1,
		.policy = 0xabcdef,
		.pid = 101,
		.tgid = 100,
		.comm = "myprocess",
		.leader = "myprocess",
		.family = AF_INET,
		.type = type,
		.door = door,
		.question = question,
		.reason = PH_REASON_NO_RULE,
		.backend = PH_BACKEND_LSM,
	};

	event.local = event.remote = address("0.0.0.0");
	return event;
}

static void set_local(struct ph_event *event, const char *text, uint16_t port)
{
	event->local = address(text);
	event->local_port = port;
}

static void set_remote(struct ph_event *event, const char *text, uint16_t port)
{
	event->remote = address(text);
	event->remote_port = port;
}

static void check_rule(const struct ph_event *event, const char *expected)
{
	cleanup_free char *rule = NULL;
	const char *why = NULL;

	assert_int_equal(event_rule(event, &rule, &why), 0);
	assert_non_null(rule);
	assert_string_equal(rule, expected);
	assert_null(why);
}

static void check_no_rule(const struct ph_event *event, const char *words)
{
	const char *why = NULL;
	char *rule = NULL;

	assert_int_equal(event_rule(event, &rule, &why), 0);
	assert_null(rule);
	assert_non_null(why);
	if (!strstr(why, words))
		fail_msg("\"%s\" is not in: %s", words, why);
}

/* --- The rule */

static void test_rule_of_clients(void **state)
{
	struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);

	set_remote(&event, "10.1.2.3", 5432);
	check_rule(&event, "connect tcp 5432 to 10.1.2.3");
	set_remote(&event, "2001:db8::1", 443);
	event.family = AF_INET6;
	check_rule(&event, "connect tcp 443 to 2001:db8::1");
	event = event_of(PH_DOOR_SEND, PH_ASK_TRAFFIC, SOCK_DGRAM);
	set_remote(&event, "127.0.0.1", 53);
	set_local(&event, "0.0.0.0", 40000);
	check_rule(&event, "connect udp 53 to 127.0.0.1");
	/* connect() of UDP asks for nothing but a udp rule. */
	event = event_of(PH_DOOR_CONNECT, PH_ASK_SOCKET, SOCK_DGRAM);
	set_remote(&event, "127.0.0.1", 40000);
	set_local(&event, "127.0.0.1", 5353);
	check_rule(&event, "connect udp 40000 to 127.0.0.1");
}

static void test_rule_of_servers(void **state)
{
	struct ph_event event = event_of(PH_DOOR_BIND, PH_ASK_BIND, SOCK_STREAM);

	set_local(&event, "0.0.0.0", 80);
	check_rule(&event, "bind tcp 80");
	set_local(&event, "127.0.0.1", 80);
	check_rule(&event, "bind tcp 80 on 127.0.0.1");
	event = event_of(PH_DOOR_LISTEN, PH_ASK_LISTEN, SOCK_STREAM);
	set_local(&event, "::1", 81);
	check_rule(&event, "bind tcp 81 on ::1");
	event = event_of(PH_DOOR_PACKET_IN, PH_ASK_SERVE, SOCK_STREAM);
	set_local(&event, "10.0.0.1", 8080);
	set_remote(&event, "10.9.9.9", 1024);
	check_rule(&event, "bind tcp 8080 on 10.0.0.1 from 10.9.9.9");
	event = event_of(PH_DOOR_RECEIVE, PH_ASK_TRAFFIC, SOCK_STREAM);
	set_local(&event, "10.0.0.1", 8080);
	set_remote(&event, "10.9.9.9", 45000);
	check_rule(&event, "bind tcp 8080 on 10.0.0.1 from 10.9.9.9");
	event = event_of(PH_DOOR_RECEIVE, PH_ASK_SOCKET, SOCK_DGRAM);
	set_local(&event, "0.0.0.0", 5353);
	check_rule(&event, "bind udp 5353");
}

static void test_rule_of_sockets(void **state)
{
	struct ph_event event = event_of(PH_DOOR_SOCKET, PH_ASK_SOCKET, SOCK_RAW);

	event.protocol = IPPROTO_ICMP;
	check_rule(&event, "socket raw");
	event.type = SOCK_DGRAM;
	check_rule(&event, "socket icmp");
	event.family = AF_PACKET;
	check_rule(&event, "socket packet");
	event.family = AF_VSOCK;
	check_rule(&event, "socket vsock");
}

static void test_no_rule(void **state)
{
	static const unsigned closed[] = { PH_DOOR_TUN,	      PH_DOOR_BPF,   PH_DOOR_PTRACE,
					   PH_DOOR_MODULE,    PH_DOOR_PINS,  PH_DOOR_MOUNT,
					   PH_DOOR_SYSCTL,    PH_DOOR_FILES, PH_DOOR_UPCALL,
					   PH_DOOR_NET_ADMIN, PH_DOOR_KERNEL };
	struct ph_event event = event_of(PH_DOOR_SOCKET, PH_ASK_SOCKET, SOCK_STREAM);

	event.protocol = IPPROTO_SCTP;
	check_no_rule(&event, "no rule admits such sockets");
	event.family = AF_BLUETOOTH;
	check_no_rule(&event, "no rule admits such sockets");
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		event = (struct ph_event){ .door = closed[i], .reason = PH_REASON_NO_RULE };
		check_no_rule(&event, "no rule opens this door");
	}
	event = event_of(PH_DOOR_SOCKET, PH_ASK_SOCKET, SOCK_DGRAM);
	check_no_rule(&event, "any udp rule");
	event = event_of(PH_DOOR_LISTEN, PH_ASK_LISTEN, SOCK_STREAM);
	check_no_rule(&event, "bind one first");
	event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);
	check_no_rule(&event, "no port");
	event.remote_port = 80;
	event.reason = PH_REASON_OVERFULL;
	check_no_rule(&event, "more policies match");
	check_no_rule(&event, "not be found out what confines it");
}

/* --- The rule, by the decision itself */

static void compile_rule(const char *text, struct ph_image *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	struct ph_policy policy = { .name = strdup("p"), .match = { .comm = "p" } };
	struct ph_text_error error;
	struct ph_rule rule;

	if (rule_parse(text, strlen(text), &rule, &error))
		fail_msg("%s: %s", text, error.message);
	assert_int_equal(policy_add_rule(&policy, &rule), 0);
	assert_int_equal(policy_set_add(&set, &policy), 0);
	assert_int_equal(image_compile(&set, ret, &problems), 0);
}

static struct ph_flow flow_of(const struct ph_event *event)
{
	struct ph_flow flow = {
		.question = event->question,
		.kind = event_socket_kind(event),
		.local_port = event->local_port,
		.remote_port = event->remote_port,
		.local = event->local,
		.remote = event->remote,
	};

	flow.udp = flow.kind == PH_SOCKET_UDP;
	return flow;
}

static uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33) % limit;
}

static struct ph_address random_address(bool v6)
{
	struct ph_address ret = { .v6 = v6 };

	for (int i = 0; i < (v6 ? 4 : 1); i++)
		ret.word[i] = random_below(UINT32_MAX) | (i ? 0 : htonl(0x20000000));
	return ret;
}

/* As the hooks make them: each question with the ends that it has. */
static struct ph_event random_event(void)
{
	static const unsigned doors[] = { PH_DOOR_CONNECT, PH_DOOR_BIND, PH_DOOR_LISTEN,
					  PH_DOOR_ACCEPT,  PH_DOOR_SEND, PH_DOOR_RECEIVE };
	unsigned question = PH_ASK_CONNECT + random_below(PH_ASK_TRAFFIC - PH_ASK_CONNECT + 1);
	bool v6 = random_below(2), wildcard = random_below(2);
	struct ph_event event = event_of(doors[random_below(6)], question,
					 random_below(2) ? SOCK_STREAM : SOCK_DGRAM);

	if (question == PH_ASK_CONNECT || question == PH_ASK_SERVE || question == PH_ASK_TRAFFIC) {
		event.remote = random_address(v6);
		event.remote_port = 1 + random_below(65535);
	}
	if (question != PH_ASK_CONNECT) {
		event.local_port = 1 + random_below(65535);
		event.local = wildcard ? (struct ph_address){ .v6 = v6 } : random_address(v6);
	}
	event.family = v6 ? AF_INET6 : AF_INET;
	return event;
}

static bool covers(const char *rule, const struct ph_event *event)
{
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_flow flow = flow_of(event);

	compile_rule(rule, &image);
	return decide_policy(&image, &image.grants[0], &flow);
}

/* Not the next port, nor the same port elsewhere. */
static void check_just_that(const char *rule, const struct ph_event *event)
{
	struct ph_event other = *event;

	assert_true(covers(rule, event));
	other.local_port ^= 1;
	other.remote_port ^= 1;
	assert_false(covers(rule, &other));
	other = *event;
	if (event_is_local(event))
		other.local = random_address(event->local.v6);
	else
		other.remote = random_address(event->remote.v6);
	if (strstr(rule, " on ") || strstr(rule, " to "))
		assert_false(covers(rule, &other));
}

static void test_rule_allows_just_that(void **state)
{
	for (int i = 0; i < 3000; i++) {
		struct ph_event event = random_event();
		cleanup_free char *rule = NULL;
		const char *why;

		assert_int_equal(event_rule(&event, &rule, &why), 0);
		assert_non_null(rule);
		check_just_that(rule, &event);
	}
}

/* --- Lines */

static void make_record(const struct ph_event *event, struct ph_record *ret)
{
	struct ph_lookup lookup = PH_LOOKUP_NULL;

	assert_int_equal(record_make(event, &lookup, ret), 0);
	lookup_close(&lookup);
}

static void check_text(const struct ph_event *event, const char *expected)
{
	cleanup_(record_donep) struct ph_record record = {};
	cleanup_free char *text = NULL;

	make_record(event, &record);
	assert_int_equal(record_text(&record, 0, &text), 0);
	assert_string_equal(text, expected);
}

static void test_text(void **state)
{
	struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);

	set_remote(&event, "127.0.0.1", 8080);
	event.tgid = UINT32_MAX; /* nobody's */
	event.uid = 7;
	check_text(&event, "deny connect tcp 127.0.0.1:8080 policy=0000000000abcdef "
			   "pid=4294967295 tid=101 comm=myprocess uid=7 "
			   "rule=\"connect tcp 8080 to 127.0.0.1\"");
	event = (struct ph_event){ .door = PH_DOOR_BPF, .kind = PH_EVENT_AUDIT, .policy = 1 };
	check_text(&event, "audit bpf policy=0000000000000001 no-rule=\"no rule opens this door\"");
}

/* Nobody's id, where a label has no room for all. */
static void test_text_of_too_many(void **state)
{
	cleanup_(record_donep) struct ph_record record = {};
	struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);

	event.reason = PH_REASON_OVERFULL;
	event.policy = 0;
	make_record(&event, &record);
	assert_string_equal(record.policy, "too-many-policies");
	assert_string_equal(record.file, "");
}

static void test_colours(void **state)
{
	struct ph_event event = { .door = PH_DOOR_BPF, .policy = 1 };
	cleanup_(record_donep) struct ph_record record = {};
	cleanup_free char *deny = NULL, *audit = NULL;

	make_record(&event, &record);
	assert_int_equal(record_text(&record, PH_TEXT_COLOURS, &deny), 0);
	assert_string_equal(deny, "\x1b[31mdeny\x1b[m bpf policy=0000000000000001 "
				  "no-rule=\"no rule opens this door\"");
	record.event.kind = PH_EVENT_AUDIT;
	assert_int_equal(record_text(&record, PH_TEXT_COLOURS, &audit), 0);
	assert_memory_equal(audit, "\x1b[33maudit\x1b[m bpf ", 18);
}

/* A terminal of its own, whoever runs the test. */
static int open_terminal(int *ret_master)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), terminal;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	*ret_master = master;
	return terminal;
}

static void test_who_gets_colours(void **state)
{
	cleanup_close int master = -1, terminal = open_terminal(&master);
	cleanup_close int file = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_int_equal(unsetenv("NO_COLOR"), 0);
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	assert_true(terminal_takes_colours(terminal));
	assert_false(terminal_takes_colours(file));
	assert_int_equal(setenv("TERM", "dumb", 1), 0);
	assert_false(terminal_takes_colours(terminal));
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	assert_int_equal(setenv("NO_COLOR", "", 1), 0);
	assert_true(terminal_takes_colours(terminal));
	assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
	assert_false(terminal_takes_colours(terminal));
}

/* A name may hold anything: it stays one value in one line, and out of the terminal's controls. */
static void test_hostile_names(void **state)
{
	static const char *const names[] = { "a\nb",	  "\x1b[2J",	  "x uid=0 z",
					     "\"quo\\te", "\xff\xfe bad", "\xe2\x80\xaerev" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ph_event event = event_of(PH_DOOR_BPF, PH_ASK_SOCKET, SOCK_STREAM);
		cleanup_(record_donep) struct ph_record record = {};
		cleanup_free char *text = NULL, *comm = NULL;
		json_t *object;

		memset(event.comm, 0, sizeof(event.comm));
		strcpy((char *)event.comm, names[i]);
		make_record(&event, &record);
		assert_int_equal(record_text(&record, 0, &text), 0);
		assert_non_null(strstr(text, "comm=\""));
		for (size_t at = 0, n; text[at]; at += n) {
			uint32_t character;

			n = utf8_decode(text + at, strlen(text + at), &character);
			assert_true(n > 0);
			assert_false(is_control(character));
		}
		object = record_json(&record);
		comm = comm_text(event.comm);
		assert_string_equal(json_string_value(json_object_get(object, "comm")), comm);
		json_decref(object);
	}
}

static void test_json(void **state)
{
	static const char *const keys[] = {
		"number",   "time",   "boot_ns", "verdict", "mode",    "policy",
		"file",	    "line",   "door",	 "reason",  "backend", "generation",
		"protocol", "family", "type",	 "local",   "remote",  "protocol_number",
		"pid",	    "tid",    "comm",	 "leader",  "uid",     "exe",
		"cgroup",   "rule",   "no_rule", "count",   "last",
	};
	struct ph_event event = event_of(PH_DOOR_BIND, PH_ASK_BIND, SOCK_STREAM);
	cleanup_(record_donep) struct ph_record record = {};
	json_t *object;

	set_local(&event, "::1", 82);
	make_record(&event, &record);
	object = record_json(&record);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!json_object_get(object, keys[i]))
			fail_msg("no %s", keys[i]);
	assert_int_equal(json_object_size(object), sizeof(keys) / sizeof(keys[0]));
	assert_string_equal(json_string_value(json_object_get(object, "rule")),
			    "bind tcp 82 on ::1");
	assert_true(json_is_null(json_object_get(object, "no_rule")));
	json_decref(object);
}

/* --- Kinds */

static struct ph_fold *fold_in(struct ph_folds *folds, struct ph_event event, uint64_t number,
			       int expected)
{
	struct ph_lookup lookup = PH_LOOKUP_NULL;
	struct ph_fold *fold;

	event.seq = number + 1;
	event.time = 1000 + number;
	assert_int_equal(folds_add(folds, &event, &lookup, &fold), expected);
	return fold;
}

static void test_fold_counts(void **state)
{
	cleanup_(folds_donep) struct ph_folds folds = {};
	struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);
	struct ph_fold *fold;

	set_remote(&event, "127.0.0.1", 8080);
	assert_int_equal(folds_init(&folds, 4), 0);
	fold_in(&folds, event, 5, 1);
	/* Another thread, another client port: the same. */
	event.pid = 7;
	event.local_port = 40001;
	fold = fold_in(&folds, event, 6, 0);
	assert_int_equal(folds.n, 1);
	assert_int_equal(fold->record.count, 2);
	assert_int_equal(fold->record.event.time, 1005);
	assert_int_equal(fold->record.last, 1006);
	assert_int_equal(fold->number, 5);
	fold_restart(fold);
	fold = fold_in(&folds, event, 9, 0);
	assert_int_equal(fold->record.count, 1);
	assert_int_equal(fold->record.event.time, 1009);
	assert_int_equal(fold->number, 9);
}

static void test_fold_parts(void **state)
{
	const struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);
	cleanup_(folds_donep) struct ph_folds folds = {};
	struct ph_event other;
	uint64_t number = 0;

	assert_int_equal(folds_init(&folds, 64), 0);
	fold_in(&folds, event, number++, 1);
#define PARTS(field, value)                          \
	do {                                         \
		other = event;                       \
		other.field = value;                 \
		fold_in(&folds, other, number++, 1); \
		fold_in(&folds, other, number++, 0); \
	} while (0)
	PARTS(policy, 2);
	PARTS(door, PH_DOOR_SEND);
	PARTS(kind, PH_EVENT_AUDIT);
	PARTS(reason, PH_REASON_OVERFULL);
	PARTS(type, SOCK_DGRAM);
	PARTS(uid, 1);
	PARTS(exe_inode, 1);
	PARTS(exe_device, 1);
	PARTS(comm[0], 'x');
	PARTS(leader[0], 'x');
	PARTS(remote_port, 1);
	PARTS(remote.word[0], 1);
#undef PARTS
	assert_int_equal(folds.n, 13);
	/* What is one protocol in all that is told is one. */
	other = event;
	other.protocol = IPPROTO_TCP;
	fold_in(&folds, other, number++, 0);
	other.family = AF_INET6;
	fold_in(&folds, other, number++, 0);
	assert_int_equal(folds.n, 13);
	fold_in(&folds, event, number, 0);
	assert_int_equal(folds.newest->record.last, 1000 + number);
}

/* Of programs whose paths nobody knows nothing tells one from another. */
static void test_fold_unseen(void **state)
{
	struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);
	cleanup_(folds_donep) struct ph_folds folds = {};
	struct ph_fold *seen;

	assert_int_equal(folds_init(&folds, 16), 0);
	for (uint64_t i = 0; i < 3; i++) {
		event.exe_inode = 100 + i;
		fold_in(&folds, event, i, 1);
	}
	event.exe_inode = 200;
	seen = fold_in(&folds, event, 3, 1);
	seen->record.exe = strdup("/usr/bin/known");
	event.uid++;
	fold_in(&folds, event, 4, 1);
	folds_merge_unseen(&folds);
	assert_int_equal(folds.n, 3);
	assert_int_equal(folds.oldest->record.count, 3);
	assert_int_equal(folds.oldest->record.event.time, 1000);
	assert_int_equal(folds.oldest->record.last, 1002);
	assert_ptr_equal(folds.oldest->newer, seen);
	assert_int_equal(folds.newest->record.count, 1);
}

/* The table stays as small as it may be, whatever comes; the kind not seen for longest goes. */
static void test_fold_bound(void **state)
{
	struct ph_event event = event_of(PH_DOOR_CONNECT, PH_ASK_CONNECT, SOCK_STREAM);
	cleanup_(folds_donep) struct ph_folds folds = {};

	assert_int_equal(folds_init(&folds, 100), 0);
	for (unsigned i = 0; i < 10000; i++) {
		if (folds_full(&folds)) {
			assert_int_equal(folds.oldest->record.last, 1000 + i - 100);
			folds_remove(&folds, folds.oldest);
		}
		event.remote_port = i + 1;
		fold_in(&folds, event, i, 1);
		assert_true(folds.n <= 100);
	}
}

/* --- Time */

static void check_when(const char *text, uint64_t expected)
{
	struct ph_text_error error;
	uint64_t when = 0, slack = 5 * PH_SECOND;

	if (when_parse(text, &when, &error))
		fail_msg("%s: %s", text, error.message);
	if (when + slack < expected || when > expected + slack)
		fail_msg("%s: %llu, not %llu", text, (unsigned long long)when,
			 (unsigned long long)expected);
}

static void check_wall(const char *format, bool utc, uint64_t boot)
{
	time_t seconds = (time_t)(boot_to_wall(boot) / PH_SECOND);
	struct tm parts;
	char text[64];

	(void)(utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts));
	(void)strftime(text, sizeof(text), format, &parts);
	check_when(text, boot);
}

/* --wrap puts it in the place of the kernel's: this machine may not have run for so long. */
static uint64_t boot_time; /* 0: what it is */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (clock != CLOCK_BOOTTIME || !boot_time)
		return __real_clock_gettime(clock, ret);
	*ret = (struct timespec){ .tv_sec = (time_t)(boot_time / PH_SECOND) };
	return 0;
}

static void test_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} units[] = { { "1s", 1 },     { "1m", 60 },	 { "3h", 10800 },
		      { "1d", 86400 }, { "1w", 604800 }, { "20d", 20 * 86400 } };

	boot_time = 30 * 86400 * PH_SECOND;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct ph_text_error error;
		uint64_t when;

		assert_int_equal(when_parse(units[i].text, &when, &error), 0);
		assert_int_equal((boot_time - when) / PH_SECOND, units[i].seconds);
	}
	boot_time = 0;
}

static void test_when(void **state)
{
	uint64_t now = boot_now();

	check_when("boot", 0);
	check_when("now", now);
	check_when("1s", now - PH_SECOND);
	check_when("0m", now);
	check_when("1000000w", 0);
	check_when("1999-12-31", 0);
	check_when("1970-01-01T00:00Z", 0);
	for (int zone = 0; zone < 2; zone++) {
		(void)setenv("TZ", zone ? "Asia/Kolkata" : "America/Phoenix", 1);
		tzset();
		check_wall("%Y-%m-%dT%H:%M:%SZ", true, now);
		check_wall("%Y-%m-%dT%H:%M:%S", false, now);
		check_wall("%Y-%m-%d %H:%M:%S", false, now - PH_SECOND);
	}
}

static void test_when_wrong(void **state)
{
	static const char *const texts[] = {
		"",
		"10",
		"m",
		"10x",
		"-5m",
		"1000001s",
		"yesterday",
		"2026-02-30",
		"2026-13-01",
		"2026-01-01T25:00",
		"2026-01-01Zx",
		"10 m",
		"boot ",
		"99999999999999999999m",
		"\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ph_text_error error = {};
		uint64_t when = 77;

		if (!when_parse(texts[i], &when, &error))
			fail_msg("%s is taken for %llu", texts[i], (unsigned long long)when);
		assert_non_null(strstr(error.message, "is not a point in time"));
		assert_non_null(strstr(error.remedy, "10m"));
		assert_int_equal(when, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule_of_clients),
		cmocka_unit_test(test_rule_of_servers),
		cmocka_unit_test(test_rule_of_sockets),
		cmocka_unit_test(test_no_rule),
		cmocka_unit_test(test_rule_allows_just_that),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_of_too_many),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_who_gets_colours),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_fold_counts),
		cmocka_unit_test(test_fold_parts),
		cmocka_unit_test(test_fold_unseen),
		cmocka_unit_test(test_fold_bound),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_when_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
