/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_REWRITERS_H
#define PH_REWRITERS_H
/*
 * Who may change where a connect goes after it has been judged: the programs of others on the address
 * hooks of cgroups. From then on sockets remember whom they were asked to reach (bpf/asked.bpf.h). Those
 * that come later the kernel side meets itself, where LSM programs load; it never forgets that there
 * was one.
 */
#include "kernel/load.h"

/* Looks for them, and tells the programs. 0 or -errno. */
int rewriters_tell(const struct ph_kernel *kernel);

#endif
