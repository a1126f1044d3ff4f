/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_MAPS_H
#define PH_MAPS_H
/*
 * Whose maps are pinned, and how maps of another version give way to ours.
 *
 * Maps that fit are taken over, with the labels and counters in them. Where one does not fit, or
 * the version is older, new maps are pinned in a place of their own (PH_FRESH_DIR) and filled while
 * the old programs go on; when the new programs are attached, the new pins take the place of the
 * old ones, the state last. A crash before that leaves the old version in charge, with fresh pins
 * that the next attempt throws away.
 *
 * So of struct ph_state every version keeps the fields where they are, and adds at its end; so does
 * struct ph_label, at the end or behind its ids.
 *
 * Labels of tasks are carried into a map of another layout (labels_carry()). Those of sockets are not:
 * where struct ph_sock_label has changed, a socket that is open is one from before the policies. Calls
 * on it are judged by who makes them, its packets no more, and what was kept is not.
 */
#include <bpf/libbpf.h>

#include "kernel/load.h"

/* The state as whatever version left it; fields that it did not know are 0. -ENOENT: none was left. */
int state_peek(struct ph_state *ret);

/* The state, or an empty one; what keeps it from being read, but for -ENOENT, is a fault. 0 or -errno. */
int state_find(struct ph_state *ret, struct ph_fault *f);

/*
 * This generation was made, the state in use is told as well: what new programs note under it lies in
 * maps that the old version may go on with, and it must give the number to no other. 0 or -errno.
 */
int state_count(uint64_t generation);

/* Under which name a map is shared by all objects; NULL: it is not. */
const char *map_name(const struct bpf_map *map);

/* Whether a pinned map of this name is just like this one, or there is none. */
bool map_fits(const struct bpf_map *map);

/* Whether the map's content is made from the policies and the programs, and so is made anew. */
bool map_is_derived(const char *name);

/* As kernel_open(), but a fresh map counts before one in use, and its version is not asked. */
int maps_open_fresh(struct ph_kernel *ret, struct ph_fault *f);

/* Whether there is a fresh map of this name. */
bool map_is_fresh(const char *name);

/*
 * The fresh pins take the place of those in use, and programs that were kept beside their successors
 * go: with the maps that they kept. 0 or -errno.
 */
int maps_promote(void);

#endif
