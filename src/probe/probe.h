/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PORTHOLD_PROBE_H
#define PORTHOLD_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Probes: each tries one way to the network, from a process of a chosen name, and says what came
 * of it. `prepare` runs under the program's own, unconfined name and obtains what the attempt
 * shall inherit; then the program executes itself through a path whose last part is the name
 * under test, and `attempt` runs there. A server that counts what reaches it tells whether
 * something went through, whatever the calls returned.
 *
 * The expectations are those of a policy "tcp ALLOWED" for the name under test.
 */

enum probe_answer {
	PROBE_ALLOWED = 0,
	PROBE_DENIED = 1, /* refused with our errno, and nothing reached the server */
	PROBE_UNTRIED = 2, /* cannot be attempted here */
	PROBE_OTHER = 3, /* denied by something else, or not refused and nothing arrived */
};

enum probe_need {
	PROBE_NEEDS_NET_RAW = 1 << 0,
	PROBE_NEEDS_NET_ADMIN = 1 << 1,
	PROBE_NEEDS_SYS_ADMIN = 1 << 2,
	PROBE_NEEDS_SETUID = 1 << 3,
	PROBE_NEEDS_CHROOT = 1 << 4,
	PROBE_NEEDS_PIN = 1 << 5, /* a pin to try on */
	PROBE_NEEDS_EXE_RULE = 1 << 6, /* the policy matches by exe, not by name */
	PROBE_NEEDS_SYS_MODULE = 1 << 7,
};

enum probe_flag {
	PROBE_ARRIVES = 1 << 0, /* success means that the server counts something */
	PROBE_TO_ALLOWED = 1 << 1, /* aims at the allowed port, whatever is expected */
	PROBE_TO_DENIED = 1 << 2, /* aims at the denied port, whatever is expected */
};

/* Through which file the attempt is executed, and so under which name. */
enum probe_path {
	PROBE_AS_NAMED, /* the path under test */
	PROBE_AS_SELF, /* this program: the attempt takes the name in its own way */
	PROBE_AS_LONGER, /* the name with one character more */
	PROBE_AS_PREFIXED, /* the name behind an x */
	PROBE_AS_CAPITAL, /* the name with its first letter in the other case */
	PROBE_AS_SCRIPT, /* a script of that name, this program being its interpreter */
	PROBE_AS_HARD_LINK, /* another name for the file under test */
	PROBE_AS_COPY, /* a copy of the file under test, under another name */
	PROBE_AS_BIND_MOUNT, /* the file under test, mounted over another one */
	PROBE_AS_ARGV0, /* the path under test, with another argv[0] */
};

/* The address that a probe aims at; the port comes from the options. */
enum probe_where {
	PROBE_V4, /* 127.0.0.1 */
	PROBE_V6, /* ::1 */
	PROBE_MAPPED, /* ::ffff:127.0.0.1 */
	PROBE_V4_ON_V6, /* 127.0.0.1 as AF_INET address, on an AF_INET6 socket */
	PROBE_ANY_V4, /* 0.0.0.0 */
	PROBE_ANY_V6, /* :: */
	PROBE_SECOND_V4, /* 127.0.0.2, where no server listens */
	PROBE_SECOND_MAPPED, /* ::ffff:127.0.0.2 */
};

/* What probes may make the kernel load. Asking for a protocol loads the module that has it. */
enum probe_loads {
	PROBE_LOADS_MODULES,
	PROBE_LOADS_IF_REFUSED, /* a confined attempt may ask for what is refused before that */
	PROBE_LOADS_NOTHING,
};

#define PROBE_FDS 4
#define PROBE_DETAIL 320
#define PROBE_PATH_SIZE 512

struct probe;

/* What a probe knows. It is handed over exec as it is: no pointers but `probe`, set anew. */
struct probe_env {
	const struct probe *probe;
	char name[48]; /* of the probe */
	char as[PROBE_PATH_SIZE]; /* the path under test */
	char self[PROBE_PATH_SIZE]; /* this program's file */
	char dir[PROBE_PATH_SIZE]; /* a private directory */
	char pin[PROBE_PATH_SIZE];
	char gate[PROBE_PATH_SIZE];
	char detail[PROBE_DETAIL]; /* what call, which errno */
	enum probe_loads loads;
	uint16_t allowed;
	uint16_t denied;
	int fd[PROBE_FDS]; /* obtained by prepare, used by attempt; -1: none */
	int server; /* connection to the server's control socket */
	int result; /* where the answer goes */
	int handoff; /* this struct, for the next exec */
	int step; /* how often the attempt has executed another program */
	int32_t helper; /* pid of the unconfined helper, or 0 */
	int helper_link; /* socket to the helper, or -1 */
	uint64_t helper_address; /* of a word in the helper's memory */
	uint64_t before; /* what had reached the server before the attempt */
	uint32_t extra[32]; /* of the probe's own */
};

struct probe {
	const char *name;
	const char *door;
	const char *promise; /* of ph_promises; NULL: it has to work */
	const char *what;
	unsigned int needs;
	unsigned int flags;
	enum probe_answer expect;
	enum probe_answer twin; /* the answer under a name that no policy matches */
	enum probe_path path;
	enum probe_where where;
	int family, type, protocol;
	int how; /* which of several ways to do the same, per topic */
	/* 0, or -1 when the probe cannot be attempted here, with the reason in `detail` */
	int (*prepare)(struct probe_env *env);
	enum probe_answer (*attempt)(struct probe_env *env);
};

struct probe_options {
	const char *as; /* path under test */
	const char *self; /* absolute path of this program */
	const char *dir; /* private directory, owned by the caller */
	const char *control; /* the server's control socket */
	const char *pin; /* a pin that an attempt may try to remove, or NULL */
	const char *gate; /* directory for "ready" and "go" files, or NULL: do not wait */
	bool exe_rule; /* the policy matches by exe */
	enum probe_loads loads;
	uint16_t allowed;
	uint16_t denied;
	unsigned int timeout_ms;
};

struct probe_result {
	enum probe_answer answer;
	char detail[PROBE_DETAIL];
};

/* The verb under which a program that holds probes executes itself; see probe_attempt_main(). */
#define PROBE_ATTEMPT_VERB "--probe-attempt"

/* The probe at this place of the table, or NULL behind the last. */
const struct probe *probe_at(size_t index);
const struct probe *probe_find(const char *name);
const char *probe_answer_name(enum probe_answer answer);

/* Runs one probe in a fresh child and leaves no process behind. 0, or -errno. */
int probe_run(const struct probe *probe, const struct probe_options *options,
	      struct probe_result *ret);

/* main() of the confined stage: call it first of all when argv[1] is PROBE_ATTEMPT_VERB. */
int probe_attempt_main(int argc, char **argv);

#endif
