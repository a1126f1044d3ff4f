// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/powers.h"

#include <cap-ng.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy/text.h"
#include "util/cleanup.h"
#include "util/namespace.h"

static const unsigned powers[] = {
	CAP_CHOWN,     CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_SETUID,    CAP_SYS_ADMIN, CAP_SYS_PTRACE,
	CAP_NET_ADMIN, CAP_SYS_MODULE,	 CAP_SYS_BOOT, CAP_SYS_RAWIO, CAP_BPF,	     CAP_PERFMON,
	CAP_MAC_ADMIN, CAP_MKNOD,	 CAP_SETFCAP,  CAP_SETGID,
};

#define IOCTL_32 54
#define IOCTL_X32 (0x40000000 | 514)

#define POWERS (sizeof(powers) / sizeof(powers[0]))

/* Without these a server does not work that starts as root and becomes another user. */
static bool is_needed_to_start(unsigned capability)
{
	switch (capability) {
	case CAP_CHOWN:
	case CAP_DAC_OVERRIDE:
	case CAP_FOWNER:
	case CAP_SETUID:
	case CAP_SETGID:
		return true;
	default:
		return false;
	}
}

static bool is_in_own_users(pid_t pid)
{
	uint32_t first = namespace_number("/proc/1/ns/user"), own;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	own = namespace_number(path);
	return first && own && first != own;
}

/* Whoever is root there sets the ways of packets that others let out. */
static bool has_network(pid_t pid)
{
	cleanup_fclose FILE *file = NULL;
	char path[64], line[256], name[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " %31[^:]", name) == 1 && strchr(line, ':') && strcmp(name, "lo"))
			return true;
	return false;
}

/* Of one thread. Whichever of its users is root, it can become that. */
static void add_thread(pid_t pid, const char *thread, struct ph_holder *holder)
{
	unsigned user[4] = { 1, 1, 1, 1 };
	cleanup_fclose FILE *file = NULL;
	char path[64], line[256];
	uint64_t permitted = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", pid, thread);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "Uid: %u %u %u %u", &user[0], &user[1], &user[2], &user[3]);
		(void)sscanf(line, "CapPrm: %" SCNx64, &permitted);
	}
	holder->root |= !user[0] || !user[1] || !user[2] || !user[3];
	for (size_t i = 0; i < POWERS; i++)
		holder->held |= permitted & 1ull << powers[i];
}

static void add_threads(pid_t pid, struct ph_holder *holder)
{
	cleanup_closedir DIR *dir = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (*entry->d_name != '.')
			add_thread(pid, entry->d_name, holder);
}

/* It chooses its name, and could have it look like words of ours. */
static bool find_held(pid_t pid, const char *name, struct ph_holder *ret)
{
	struct ph_word comm = { name, strnlen(name, PH_COMM_LEN - 1), 0 };

	*ret = (struct ph_holder){ .pid = pid };
	add_threads(pid, ret);
	if (is_in_own_users(pid)) {
		ret->root = false;
		ret->held &= has_network(pid) ? 1ull << CAP_NET_ADMIN : 0;
	}
	(void)snprintf(ret->comm, sizeof(ret->comm), "%.*s", PH_COMM_LEN - 1,
		       quote_bare(&comm).text);
	return ret->held || ret->root;
}

bool holder_is(const struct ph_labelled *label, struct ph_holder *ret)
{
	return label->pid == label->tgid &&
	       find_held((pid_t)label->pid, (const char *)label->comm, ret);
}

bool holder_is_self(const char *path, struct ph_holder *ret)
{
	const char *slash = strrchr(path, '/');

	return find_held(getpid(), slash ? slash + 1 : path, ret);
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
	struct ph_holder self = {};

	add_threads(getpid(), &self);
	return !is_in_own_users(getpid()) && self.held >> CAP_SYS_ADMIN & 1;
}

/*
 * What is typed on a terminal for its user is read by whoever shares it. Of other ABIs the numbers as
 * well: the calls that have them here never have such an argument.
 */
static void forbid_typing(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IOCTL_32, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IOCTL_X32, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	/* Without the right to, there is nothing to be dropped either. */
	(void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		      &program);
}

int powers_drop(void)
{
	int n = 0;

	if (capng_get_caps_process())
		return -EPERM;
	forbid_typing();
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
