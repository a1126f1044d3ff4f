/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_HEALTH_H
#define PH_HEALTH_H
/*
 * The canary as the job of a worker.
 */
#include <stdio.h>

enum ph_health_result {
	PH_HEALTH_WELL,
	PH_HEALTH_CHANGED, /* well, and the files say something else by now */
	PH_HEALTH_ILL, /* the answer goes on with what is amiss */
	PH_HEALTH_TRIAL, /* what is in force is on trial: nothing was looked at */
	PH_HEALTH_BUSY, /* nor here: somebody changes the policies, or says so; goes on with what the lock said */
};

/* The answer: the result, then text. */
void health_check(const void *nothing, FILE *answer);

#endif
