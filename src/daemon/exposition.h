/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EXPOSITION_H
#define PH_EXPOSITION_H
/*
 * The metrics, in the text format of Prometheus.
 */
#include "daemon/denials.h"
#include "daemon/reload.h"

/* What the daemon itself knows. Times are boot time, ns; 0: never. */
struct ph_exposed {
	const struct ph_reload_report *report;
	const struct ph_denials *denials;
	uint64_t applies, failed_applies;
	uint64_t applied; /* when the policy files were last applied, or tried to be */
	bool apply_succeeded;
	uint64_t checks, failed_checks; /* by the canary */
	uint64_t checked;
	bool check_succeeded;
};

/* The job of a worker; the rest is asked from the kernel. */
void exposition_write(const void *exposed, FILE *answer);

#endif
