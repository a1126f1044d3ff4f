/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PORTHOLD_PROBE_STAND_H
#define PORTHOLD_PROBE_STAND_H

#include "probe/probe.h"

/* What a run of probes needs on the machine, and leaves nothing of. */
struct probe_stand {
	char dir[64]; /* private */
	char as[PROBE_PATH_SIZE]; /* the path under test */
	char self[PROBE_PATH_SIZE]; /* this program */
	char control[96]; /* of the server */
	pid_t server; /* 0: none */
};

/*
 * Makes the directory and the path under test: `as`, or where that has no slash, a link of this
 * name to this program. 0 or -errno.
 */
int stand_make(struct probe_stand *stand, const char *as);

/* Starts a server of the stand's own; see server_spawn(). */
int stand_serve(struct probe_stand *stand, const uint16_t *ports, size_t n_ports, bool loads);

/* Also of what is half made. */
void stand_remove(struct probe_stand *stand);

#endif
