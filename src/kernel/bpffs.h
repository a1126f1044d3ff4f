/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_BPFFS_H
#define PH_BPFFS_H
/*
 * The pins: what keeps maps and links alive without a process.
 *
 *	/sys/fs/bpf/porthold/maps/NAME	every map of the programs
 *	/sys/fs/bpf/porthold/links/NAME	every attached program
 *	/sys/fs/bpf/porthold/fresh/NAME	what is about to take the place of one of these
 *	/sys/fs/bpf/porthold/old/NAME-ID	a replaced program that others still rely on
 *
 * Functions return 0 or -errno with the fault filled.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include "abi.h"
#include "util/fault.h"

#define PH_MAPS_DIR "maps"
#define PH_LINKS_DIR "links"
#define PH_FRESH_DIR "fresh"
#define PH_OLD_DIR "old"

/*
 * Makes sure that bpffs is mounted where every process and the next boot of this one find it:
 * mounts it if it is not, and refuses in a mount namespace that has another one, which ends with it.
 */
int bpffs_ready(struct ph_fault *f);

/*
 * Whether pins cannot be reached, as something is mounted over them or over what holds them, or as they are
 * elsewhere now, or read-only; and the command that ends that.
 */
bool bpffs_is_covered(char ret_remedy[PH_PATH_LEN]);

/* Whether a bpffs is mounted there that the first process does not have: bpffs_ready() says so. */
bool bpffs_is_private(void);

/* Whether this process is known to see what the first process has mounted. */
bool bpffs_is_for_first(void);

/* Makes the directories of the pins; there are no fresh ones then. */
int pins_make(struct ph_fault *f);

/* Path of a pin. */
void pin_path(char *ret, unsigned size, const char *directory, const char *name);

/* Nonzero, with errno: the walk ends there. */
typedef int (*pin_function)(const char *path, const char *name, const void *with);

/* Calls `each` (if any) for every pin of a directory; the number of pins, or the first -errno. */
int pins_each(const char *directory, pin_function each, const void *with);

/* Removes all pins of a directory; 0, or the first -errno. */
int pins_remove(const char *directory);

/* Removes everything below the pin directory, and it. */
int pins_remove_all(void);

/* How many pins a directory has; -errno. */
int pins_count(const char *directory);

#endif
