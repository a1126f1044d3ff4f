// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* The unit's CapabilityBoundingSet= names the same, and why. */
static const unsigned needed[] = {
	CAP_BPF,	CAP_PERFMON,	     CAP_NET_ADMIN, CAP_SYS_ADMIN,
	CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_NET_RAW,
};

int privileges_drop(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	capng_type_t kept = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	capng_select_t sets = CAPNG_SELECT_CAPS;
	unsigned held = 0;

	if (capng_get_caps_process())
		return -EPERM;
	/* Kernels before 5.11 count maps as locked memory; later nobody can raise the limit. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	/* Of a smaller set only what is there can be kept. */
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (capng_have_capability(CAPNG_PERMITTED, needed[i]))
			held |= 1U << i;
	/* Else the service manager has done it. */
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		kept |= CAPNG_BOUNDING_SET;
		sets = CAPNG_SELECT_BOTH;
	}
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (held >> i & 1 && capng_update(CAPNG_ADD, kept | CAPNG_BOUNDING_SET, needed[i]))
			return -EPERM;
	if (capng_apply(sets) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -EPERM;
	return 0;
}
