/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SERVICE_H
#define PH_SERVICE_H
/*
 * Whether systemd starts porthold at boot: what is kept in /etc would mean nothing otherwise.
 */
#include <stdbool.h>

#include "util/fault.h"

bool service_enabled(void);

/* 0, or -errno with the fault. */
int service_enable(struct ph_fault *f);

/* Takes service_enable() back, at best effort. */
void service_disable(void);

#endif
