// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/powers.h"

#include <cap-ng.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

static const unsigned powers[] = {
	CAP_CHOWN,	CAP_DAC_OVERRIDE, CAP_FOWNER,	  CAP_SETUID,	CAP_SYS_ADMIN,
	CAP_SYS_PTRACE, CAP_NET_ADMIN,	  CAP_SYS_MODULE, CAP_SYS_BOOT, CAP_SYS_RAWIO,
	CAP_BPF,	CAP_PERFMON,	  CAP_MAC_ADMIN,
};

#define POWERS (sizeof(powers) / sizeof(powers[0]))

/* Without these a server does not work that starts as root and becomes another user. */
static bool is_needed_to_start(unsigned capability)
{
	switch (capability) {
	case CAP_CHOWN:
	case CAP_DAC_OVERRIDE:
	case CAP_FOWNER:
	case CAP_SETUID:
		return true;
	default:
		return false;
	}
}

static bool is_in_own_users(pid_t pid)
{
	struct stat first, own;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return !stat("/proc/1/ns/user", &first) && !stat(path, &own) && first.st_ino != own.st_ino;
}

/* What /proc says of it; false: it is gone. */
static bool read_holder(pid_t pid, struct ph_holder *ret)
{
	cleanup_fclose FILE *file = NULL;
	char path[64], line[256];
	uint64_t permitted = 0;
	unsigned user = 1;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "Uid: %*u %u", &user);
		(void)sscanf(line, "CapPrm: %" SCNx64, &permitted);
	}
	*ret = (struct ph_holder){ .pid = pid, .root = !user };
	for (size_t i = 0; i < POWERS; i++)
		ret->held |= permitted & 1ull << powers[i];
	return true;
}

bool holder_is(const struct ph_labelled *label, struct ph_holder *ret)
{
	pid_t pid = (pid_t)label->pid;

	if (label->pid != label->tgid || is_in_own_users(pid) || !read_holder(pid, ret))
		return false;
	memcpy(ret->comm, label->comm, sizeof(ret->comm));
	ret->comm[PH_COMM_LEN - 1] = 0;
	return ret->held || ret->root;
}

void holder_text(const struct ph_holder *holder, char *ret, size_t size)
{
	size_t used = (size_t)snprintf(ret, size, "%s", holder->root ? "root" : "");

	for (size_t i = 0; i < POWERS && used < size; i++)
		if (holder->held >> powers[i] & 1)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? ", " : "",
						 capng_capability_to_name(powers[i]));
}

bool powers_reach_bpf(void)
{
	struct ph_holder self;

	return !is_in_own_users(getpid()) && read_holder(getpid(), &self) &&
	       self.held >> CAP_SYS_ADMIN & 1;
}

int powers_drop(void)
{
	int n = 0;

	if (capng_get_caps_process())
		return -EPERM;
	for (size_t i = 0; i < POWERS; i++) {
		if (is_needed_to_start(powers[i]))
			continue;
		n += capng_have_capability(CAPNG_PERMITTED, powers[i]);
		if (capng_update(CAPNG_DROP,
				 CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
					 CAPNG_BOUNDING_SET | CAPNG_AMBIENT,
				 powers[i]))
			return -EPERM;
	}
	return capng_apply(CAPNG_SELECT_ALL) ? -EPERM : n;
}
