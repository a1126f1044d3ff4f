/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H
/*
 * What is measured: system calls, each with what it needs around it. Only run() is on the clock. A
 * call that is expected to be refused is made without anybody who would answer it.
 *
 * On loopback both ends are on the clock. What a confined process costs is measured against a
 * server that nothing confines: its sockets are made before, by another program (stage_serve), and
 * handed on. It has another address, so that the port is free for bind.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	STREAM_BYTES = 131072, /* what iperf3 sends at a time */
	MESSAGE_BYTES = 64,
	MOST_KEPT = 32,
};

/* Where a call is played; calls use of it what they need. */
struct stage {
	const char *self; /* path of this program */
	bool refused; /* the call is to fail */
	bool served; /* by stage_serve() of the program before */
	struct sockaddr_in address; /* loopback, and the port */
	struct sockaddr_in server; /* where the server is */
	int listener, socket, peer, file;
	int kept[MOST_KEPT]; /* sockets that nobody uses, see keep_more() */
	int played; /* calls, of those that keep some */
	char data[STREAM_BYTES];
};

struct call {
	const char *name;
	void (*open)(struct stage *stage); /* once */
	void (*before)(struct stage *stage); /* each time, as after() */
	long (*run)(struct stage *stage); /* what the system call returns; errno */
	void (*after)(struct stage *stage);
};

extern const struct call calls[];
extern const size_t calls_count;

/* Prints what failed, with errno, and ends the program. */
void die(const char *what) __attribute__((noreturn));

void stage_init(struct stage *ret, const char *self, unsigned port, bool refused);

/* Makes the server's sockets, for the program that this process executes next. */
void stage_serve(struct stage *stage);

/* Closes what is open. */
void stage_clear(struct stage *stage);

#endif
