// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as the daemon's settings. What is accepted keeps its promises; what is refused leaves
 * the old settings alone and comes with an error that can be shown.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_listen(const struct ph_listen *listen)
{
	switch (listen->any.sa_family) {
	case AF_UNSPEC:
		break;
	case AF_UNIX:
		assert(listen->local.sun_path[0] == '/');
		assert(memchr(listen->local.sun_path, 0, sizeof(listen->local.sun_path)));
		break;
	case AF_INET:
		assert(listen->v4.sin_port && ntohl(listen->v4.sin_addr.s_addr) >> 24 == 127);
		break;
	default:
		assert(listen->any.sa_family == AF_INET6 && listen->v6.sin6_port);
		assert(IN6_IS_ADDR_LOOPBACK(&listen->v6.sin6_addr));
	}
}

static void check_settings(const struct ph_settings *settings)
{
	check_listen(&settings->metrics);
	assert(!settings->attach || *settings->attach == '/');
	assert(!settings->json || *settings->json == '/');
	assert(settings->has_sinks || (!settings->journal && !settings->text && !settings->json));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ph_settings settings = { .backend = PH_CHOICE_CGROUP };
	struct ph_problems problems = {};
	char *text;
	int r;

	r = settings_parse("fuzz", (const char *)data, size, &settings, &problems);
	assert(r == 0 || r == -EINVAL);
	assert((r == 0) == (problems.n_errors == 0));
	assert(problems_format(&problems, &text) == 0);
	for (const char *c = text; *c; c++)
		assert(*c == '\n' || (unsigned char)*c >= ' ');
	free(text);
	if (r == 0)
		check_settings(&settings);
	else
		assert(settings.backend == PH_CHOICE_CGROUP && !settings.attach);
	settings_done(&settings);
	problems_done(&problems);
	return 0;
}
