// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "narrow-model.h"

const char *const program_names[PROGRAMS] = {
	[PROGRAM_PLAIN] = "plain",
	[PROGRAM_ONE] = "one",
	[PROGRAM_TWO] = "two",
	[PROGRAM_SETUID] = "setuid",
};

const struct policy policies[] = {
	{ .label = "name-a", .traits = TRAIT_NAME, .name = "name-a", .ports = 0x1f },
	{ .label = "name-b", .traits = TRAIT_NAME, .name = "name-b", .ports = 0x7c },
	{ .label = "name-c", .traits = TRAIT_NAME, .name = "name-c", .ports = 0xe3 },
	{ .label = "name-d", .traits = TRAIT_NAME, .name = "name-d", .ports = 0x55 },
	{ .label = "name-e", .traits = TRAIT_NAME, .name = "name-e", .ports = 0xaa },
	{ .label = "name-f", .traits = TRAIT_NAME, .name = "name-f", .ports = 0x01 },
	{ .label = "program-one", .traits = TRAIT_PROGRAM, .program = PROGRAM_ONE, .ports = 0x3b },
	{ .label = "program-two", .traits = TRAIT_PROGRAM, .program = PROGRAM_TWO, .ports = 0xd6 },
	{ .label = "cgroup-one", .traits = TRAIT_CGROUP, .cgroup = "/narrow/one", .ports = 0xb5 },
	{ .label = "cgroup-two", .traits = TRAIT_CGROUP, .cgroup = "/narrow/two", .ports = 0x6e },
	{ .label = "unit", .traits = TRAIT_UNIT, .cgroup = "narrow.service", .ports = 0xcd },
	{ .label = "uid-one", .traits = TRAIT_UID, .uid = UID_ONE, .ports = 0x9d },
	{ .label = "uid-two", .traits = TRAIT_UID, .uid = UID_TWO, .ports = 0x73 },
	{ .label = "both",
	  .traits = TRAIT_NAME | TRAIT_CGROUP,
	  .name = "name-both",
	  .cgroup = "/narrow/two",
	  .ports = 0x37 },
	{ .label = "audit-name",
	  .traits = TRAIT_NAME,
	  .name = "name-a",
	  .ports = 0xe0,
	  .audit = true },
	{ .label = "audit-uid", .traits = TRAIT_UID, .uid = UID_TWO, .ports = 0x0c, .audit = true },
	{ .label = "audit-alone",
	  .traits = TRAIT_NAME,
	  .name = "name-audit",
	  .ports = 0x02,
	  .audit = true },
};

unsigned policy_count = sizeof(policies) / sizeof(policies[0]);

/* --- What matches */

static bool is_below(const char *cgroup, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(cgroup, top, n) && (cgroup[n] == '/' || !cgroup[n]);
}

static bool has_component(const char *cgroup, const char *name)
{
	for (const char *at = strstr(cgroup, name); at; at = strstr(at + 1, name)) {
		char after = at[strlen(name)];

		if (at > cgroup && at[-1] == '/' && (!after || after == '/'))
			return true;
	}
	return false;
}

static bool place_fits(const struct policy *policy, const char *cgroup)
{
	if (policy->traits & TRAIT_UNIT)
		return has_component(cgroup, policy->cgroup);
	return is_below(cgroup, policy->cgroup);
}

/* Those that ask for what `traits` says and for nothing else, as far as they fit. */
static uint32_t match(unsigned traits, const struct policy *like)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < policy_count; i++) {
		const struct policy *policy = &policies[i];

		if (policy->audit || policy->traits != traits)
			continue;
		if (traits & TRAIT_NAME && strcmp(policy->name, like->name))
			continue;
		if (traits & TRAIT_PLACE && !place_fits(policy, like->cgroup))
			continue;
		if (policy->program == like->program && policy->uid == like->uid)
			set |= 1u << i;
	}
	return set;
}

uint32_t match_name(const char *name)
{
	return match(TRAIT_NAME, &(struct policy){ .name = name });
}

uint32_t match_program(enum program program)
{
	return match(TRAIT_PROGRAM, &(struct policy){ .program = program });
}

uint32_t match_uid(unsigned uid)
{
	return match(TRAIT_UID, &(struct policy){ .uid = uid });
}

uint32_t match_place(const char *cgroup)
{
	return match(TRAIT_CGROUP, &(struct policy){ .cgroup = cgroup }) |
	       match(TRAIT_UNIT, &(struct policy){ .cgroup = cgroup });
}

static uint32_t match_both(const char *name, const char *cgroup)
{
	return match(TRAIT_NAME | TRAIT_CGROUP, &(struct policy){ .name = name, .cgroup = cgroup });
}

/* Of those that ask for a name and a place: whose place this is. */
static uint32_t fitting(uint32_t set, const char *cgroup)
{
	for (unsigned i = 0; i < policy_count; i++)
		if (set & 1u << i && !place_fits(&policies[i], cgroup))
			set &= ~(1u << i);
	return set;
}

static uint32_t asking_for_name_and_place(const char *name)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < policy_count; i++)
		if (policies[i].traits == (TRAIT_NAME | TRAIT_CGROUP) &&
		    !strcmp(policies[i].name, name))
			set |= 1u << i;
	return set;
}

/* --- Layers */

static uint32_t all_of(const struct layers *layers)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < layers->count; i++)
		set |= layers->layer[i];
	return set;
}

static uint32_t held(const struct state *state)
{
	return all_of(&state->process) | all_of(&state->thread);
}

static void add_layer(struct layers *layers, uint32_t set)
{
	if (set && layers->count < LAYERS_MAX)
		layers->layer[layers->count++] = set;
}

static void remove_from(struct layers *layers, uint32_t set)
{
	for (unsigned i = 0; i < layers->count; i++)
		layers->layer[i] &= ~set;
}

static void clear(struct layers *layers)
{
	memset(layers, 0, sizeof(*layers));
	layers->count = 1;
}

/* An act of its own, or of its own thread: a layer more, or the first. */
static void bring_to(struct state *state, struct layers *layers, uint32_t set)
{
	set &= ~(layers == &state->thread ? held(state) : all_of(layers));
	if (held(state)) {
		add_layer(layers, set);
		return;
	}
	clear(layers);
	layers->layer[0] = set;
}

static void bring(struct world *world, uint32_t set, bool to_process)
{
	for (unsigned i = 0; i < world->count; i++) {
		struct state *state = &world->states[i];

		bring_to(state, to_process ? &state->process : &state->thread, set);
	}
}

/* Another answer: begins as the state of that number. */
static struct state *split(struct world *world, unsigned i)
{
	if (world->count == STATES_MAX)
		return &world->states[i];
	world->states[world->count] = world->states[i];
	return &world->states[world->count++];
}

/* --- Acts */

void world_begin(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->name = world->thread_name = "neutral";
	strcpy(world->cgroup, "/narrow/none");
	world->count = 1;
	clear(&world->states[0].process);
	clear(&world->states[0].thread);
}

void world_rename(struct world *world, const char *name, bool leader)
{
	bool process = leader || !world->threaded;

	if (process)
		world->name = name;
	if (!leader || !world->threaded)
		world->thread_name = name;
	bring(world, match_name(name) | match_both(name, world->cgroup), process);
	world->named |= asking_for_name_and_place(name);
}

/*
 * Whoever goes on alone has what it and its process had. What came upon the thread before anything confined it
 * is where what comes upon the process by no act of its own adds up.
 */
static void become_one(struct world *world)
{
	for (unsigned i = 0; i < world->count; i++) {
		struct state *state = &world->states[i];

		if (state->process.layer[0])
			add_layer(&state->process, state->thread.layer[0]);
		else
			state->process.layer[0] = state->thread.layer[0];
		for (unsigned j = 1; j < state->thread.count; j++)
			add_layer(&state->process, state->thread.layer[j]);
		clear(&state->thread);
	}
	world->name = world->thread_name;
	world->threaded = false;
}

/* One act, so one layer, whatever it brings. */
void world_execute(struct world *world, enum program program, const char *name)
{
	become_one(world);
	world->name = world->thread_name = name;
	bring(world, match_name(name) | match_program(program) | match_both(name, world->cgroup),
	      true);
	world->named |= asking_for_name_and_place(name);
}

void world_fork(struct world *world)
{
	become_one(world);
}

void world_start_thread(struct world *world)
{
	world->threaded = true;
}

/*
 * The name of a policy that asks for a name and for a place may have been dropped before the place is
 * reached, or have been a part of a layer since it was taken.
 */
void world_move(struct world *world, const char *cgroup)
{
	uint32_t set = match_place(cgroup), both = fitting(world->named, cgroup);

	strcpy(world->cgroup, cgroup);
	for (unsigned i = 0, n = world->count; both && i < n; i++) {
		struct state *other = split(world, i);

		bring_to(other, &other->process, both);
		bring_to(other, &other->process, set);
		if (!asking_for_name_and_place(world->name)) {
			other = split(world, i);
			bring_to(other, &other->process, set);
		}
	}
	for (unsigned i = 0, n = world->count; i < n; i++)
		bring_to(&world->states[i], &world->states[i].process, set | both);
}

static uint32_t asking_for_other_places(const char *cgroup)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < policy_count; i++)
		if (policies[i].traits & TRAIT_PLACE && !place_fits(&policies[i], cgroup))
			set |= 1u << i;
	return set;
}

/* What came by no act of its own adds up; that it narrows instead is no less right. */
static void lay_upon(struct world *world, unsigned i, uint32_t set, uint32_t apart)
{
	struct state *further = split(world, i);

	add_layer(&further->process, set);
	add_layer(&further->process, apart);
	world->states[i].process.layer[0] |= set;
	add_layer(&world->states[i].process, apart);
}

void world_is_moved(struct world *world, const char *cgroup)
{
	uint32_t gone = asking_for_other_places(cgroup), set = match_place(cgroup);
	uint32_t both = fitting(world->named, cgroup);

	if (!strcmp(world->cgroup, cgroup))
		return; /* the kernel moves nobody */
	strcpy(world->cgroup, cgroup);
	for (unsigned i = 0, n = world->count; i < n; i++) {
		struct state *state = &world->states[i];
		uint32_t before;

		remove_from(&state->process, gone);
		before = all_of(&state->process);
		if (!before)
			clear(&state->process);
		if (both & ~before) {
			lay_upon(world, (unsigned)(split(world, i) - world->states), set & ~before,
				 both & ~before);
			lay_upon(world, (unsigned)(split(world, i) - world->states), set & ~before,
				 0);
		}
		lay_upon(world, i, (set | both) & ~before, 0);
	}
}

/* The policies of a uid end where a setuid program changed it, outside of a user namespace. */
bool world_lets_go(const struct world *world, unsigned uid)
{
	return world->uid && world->uid != uid && !world->in_userns;
}

void world_change_uid(struct world *world, unsigned uid)
{
	uint32_t gone = world_lets_go(world, uid) ? match_uid(world->uid) : 0;

	for (unsigned i = 0; i < world->count; i++)
		remove_from(&world->states[i].process, gone);
	world->uid = uid;
	bring(world, match_uid(uid), true);
}

/* --- What it comes to */

static uint8_t granted_by(const struct layers *layers)
{
	uint8_t granted = 0xff;

	for (unsigned i = 0; i < layers->count; i++) {
		uint8_t ports = 0;

		for (unsigned j = 0; j < policy_count; j++)
			if (layers->layer[i] & 1u << j)
				ports |= policies[j].ports;
		if (layers->layer[i])
			granted &= ports;
	}
	return granted;
}

uint8_t world_granted(const struct world *world, unsigned state, bool leader)
{
	const struct state *of = &world->states[state];

	return granted_by(&of->process) & (leader ? 0xff : granted_by(&of->thread));
}

bool world_is_confined(const struct world *world)
{
	return held(&world->states[0]);
}

unsigned world_held_with(const struct world *world, uint32_t more)
{
	unsigned most = 0;

	for (unsigned i = 0; i < world->count; i++) {
		unsigned n = (unsigned)__builtin_popcount(held(&world->states[i]) | more);

		most = n > most ? n : most;
	}
	return most;
}

bool world_answers(struct world *world, uint8_t granted, bool leader)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < world->count; i++)
		if (world_granted(world, i, leader) == granted)
			world->states[kept++] = world->states[i];
	if (!kept)
		return false;
	world->count = kept;
	return true;
}
