/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_AROUND_H
#define PH_AROUND_H
/*
 * What lies around the pins and the policy files, for the programs that keep a confined process away
 * from it: porthold's directories and its program as the kernel numbers them, and the namespaces of the
 * first process.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include "abi.h"

/*
 * Finds all of it, making the directories that are not there; the files only for the LSM programs, which
 * alone ask for them: it takes a kernel that has iterators. 0 or -errno.
 */
int around_find(bool files, struct ph_around *ret);

#endif
