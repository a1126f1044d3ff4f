/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SETTINGS_H
#define PH_SETTINGS_H
/*
 * The daemon's settings, /etc/porthold/porthold.yaml:
 *
 *	porthold: 1
 *	backend: auto			# or best, lsm, cgroup
 *	accept-degraded: [DOOR]		# as --accept-degraded
 *	attach: /sys/fs/cgroup/PATH	# as --attach
 *	sinks:				# where denials are told
 *	  - journal
 *	  - stderr
 *	  - json /var/log/porthold.json
 *	on-boot-failure: continue	# or fail
 *	metrics: off			# or /run/porthold/metrics.sock, or 127.0.0.1:9470
 *
 * All keys but the first may be left out. What is not said about the backend is what was recorded
 * when policies were last put in force.
 */
#include <netinet/in.h>
#include <sys/un.h>

#include "apply.h"
#include "policy/problem.h"

#define PH_SETTINGS_PATH "/etc/porthold/porthold.yaml"

/* Where metrics are served. */
struct ph_listen {
	union {
		struct sockaddr any; /* sa_family AF_UNSPEC: nowhere */
		struct sockaddr_un local;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

struct ph_settings {
	enum ph_backend_choice backend;
	char *accept; /* "a,b"; NULL: as recorded */
	char *attach; /* NULL: as recorded */
	bool has_sinks; /* else: the journal, if there is one, or standard error */
	bool journal;
	bool text;
	char *json; /* path; NULL: none */
	struct ph_listen metrics;
	bool fail_at_boot; /* when something can be read in no form, neither the files nor a copy */
};

void settings_done(struct ph_settings *settings);

/*
 * 0; -EINVAL with problems; another -errno with the file's problem noted. A file that is not there
 * says nothing, unless it must be there.
 */
int settings_read(const char *path, bool must_exist, struct ph_settings *ret,
		  struct ph_problems *problems);

/* The same for a text; `name` is shown with what is wrong. */
int settings_parse(const char *name, const char *text, size_t len, struct ph_settings *ret,
		   struct ph_problems *problems);

#endif
