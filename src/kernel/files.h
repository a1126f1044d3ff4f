/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FILES_H
#define PH_FILES_H
/*
 * What the kernel itself takes the files for that this process has open: stat(2) says something else
 * on overlayfs and btrfs.
 */
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include "abi.h"
#include "files.skel.h"

/* 0 or -errno; to be destroyed by files_bpf__destroy() whatever it returns. */
int files_load(struct files_bpf **ret);

/* Of every file that this process has open, up to `max` of them. 0 or -errno. */
int files_ask(const struct files_bpf *programs, struct ph_told_file *told, size_t max,
	      size_t *ret_n);

/* The answer for this descriptor, or NULL. */
const struct ph_told_file *files_find(const struct ph_told_file *answers, size_t n, int fd);

#endif
