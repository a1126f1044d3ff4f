// SPDX-License-Identifier: GPL-2.0-or-later
#include "landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From the second form of Landlock's interface (Linux 6.7), which the headers may not have. */
struct ruleset_attributes {
	uint64_t filesystem;
	uint64_t network;
};

struct port_rule {
	uint64_t allowed;
	uint64_t port;
} __attribute__((packed));

enum {
	RULE_PORT = 2,
	BIND_AND_CONNECT_TCP = 3,
	FIRST_OTHER_PORT = 10000,
};

static int add_rule(int ruleset, unsigned port)
{
	const struct port_rule rule = { .allowed = BIND_AND_CONNECT_TCP, .port = port };

	return syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) ? -errno : 0;
}

static int fill_and_enter(int ruleset, unsigned port, unsigned rules)
{
	int r = add_rule(ruleset, port);

	for (unsigned i = 0; !r && i + 1 < rules; i++)
		r = add_rule(ruleset, FIRST_OTHER_PORT + i);
	if (r)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

int landlock_confine(unsigned port, unsigned rules)
{
	const struct ruleset_attributes attributes = { .network = BIND_AND_CONNECT_TCP };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	int r;

	if (ruleset < 0)
		return -errno;
	r = fill_and_enter(ruleset, port, rules);
	(void)close(ruleset);
	return r;
}
