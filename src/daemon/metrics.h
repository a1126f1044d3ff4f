/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_METRICS_H
#define PH_METRICS_H
/*
 * Metrics for Prometheus, by HTTP on a local socket or a loopback port. What is served is gathered
 * anew for each request, by a worker.
 */
#include <systemd/sd-event.h>

#include "daemon/settings.h"
#include "daemon/worker.h"

struct MHD_Daemon;

struct ph_metrics {
	struct MHD_Daemon *server; /* NULL: none runs */
	struct ph_listen listen;
	sd_event *event;
	sd_event_source *io, *timer;
	struct ph_worker worker;
	struct metrics_request *waiting; /* for the worker */
	ph_worker_job gather;
	const void *facts;
};

void metrics_stop(struct ph_metrics *metrics);

/*
 * Serves what `gather` writes about `facts` where the settings say, or nowhere. *metrics must stay
 * where it is. What fails is said.
 */
void metrics_serve(struct ph_metrics *metrics, sd_event *event, const struct ph_listen *where,
		   ph_worker_job gather, const void *facts);

#endif
