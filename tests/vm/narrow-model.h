/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARROW_MODEL_H
#define NARROW_MODEL_H

/*
 * Who is confined by what, written without a look at the programs. Policies that come upon a process at
 * one moment are a layer, and their rules add up. What a confined process takes on by an act of its
 * own is a further layer, and every layer must allow a call.
 *
 * Where this leaves more than one answer, the model keeps a state for each, and drops those that a
 * try of the ports refutes.
 */
#include <stdbool.h>
#include <stdint.h>

#define PORT_FIRST 4041
#define PORTS 8
#define LAYERS_MAX 24
#define STATES_MAX 64
#define PATH_LENGTH 512
#define UID_ONE 2001
#define UID_TWO 2002

enum program {
	PROGRAM_PLAIN,
	PROGRAM_ONE,
	PROGRAM_TWO,
	PROGRAM_SETUID,
	PROGRAMS,
};

enum trait {
	TRAIT_NAME = 1 << 0,
	TRAIT_PROGRAM = 1 << 1,
	TRAIT_CGROUP = 1 << 2,
	TRAIT_UNIT = 1 << 3,
	TRAIT_UID = 1 << 4,
	TRAIT_PLACE = TRAIT_CGROUP | TRAIT_UNIT,
};

struct policy {
	const char *label;
	unsigned traits; /* enum trait: all of them must hold */
	const char *name;
	enum program program;
	const char *cgroup; /* or the unit */
	unsigned uid;
	uint8_t ports; /* a bit for each from PORT_FIRST on */
	bool audit;
};

/* Sets of policies are bits by their place in this table. */
extern const struct policy policies[];
extern unsigned policy_count; /* 0: none is in force */
extern const char *const program_names[PROGRAMS];

struct layers {
	uint32_t layer[LAYERS_MAX]; /* sets of policies; an empty one asks for nothing */
	unsigned count; /* the first is there in any case: what came by no act of a confined one */
};

/* One of the answers that the prose leaves. */
struct state {
	struct layers process;
	struct layers thread; /* of the one that acts, if it is not the first */
};

struct world {
	const char *name; /* of the process */
	const char *thread_name;
	char cgroup[PATH_LENGTH];
	unsigned uid;
	bool threaded; /* another thread than the first acts */
	bool in_userns;
	uint32_t named; /* policies that ask for a place, too, and whose name it had at some time */
	struct state states[STATES_MAX];
	unsigned count;
};

void world_begin(struct world *world);

/* The acts of the process itself. */
void world_rename(struct world *world, const char *name, bool leader);
void world_execute(struct world *world, enum program program, const char *name);
void world_move(struct world *world, const char *cgroup);
void world_change_uid(struct world *world, unsigned uid);
void world_fork(struct world *world);
void world_start_thread(struct world *world);

/* An act of one whom nothing confines. */
void world_is_moved(struct world *world, const char *cgroup);

bool world_is_confined(const struct world *world);

/* How many policies hold it at most, once these do as well. */
unsigned world_held_with(const struct world *world, uint32_t more);
uint32_t match_program(enum program program);
uint32_t match_uid(unsigned uid);
uint32_t match_name(const char *name);
uint32_t match_place(const char *cgroup);

/*
 * Drops the states that do not answer so; false: none would be left, and all stay. `leader`: it was
 * the first thread that tried.
 */
bool world_answers(struct world *world, uint8_t granted, bool leader);
uint8_t world_granted(const struct world *world, unsigned state, bool leader);

/* Whether the process may have come to hold less: a setuid program changed the uid. */
bool world_lets_go(const struct world *world, unsigned uid);

#endif
