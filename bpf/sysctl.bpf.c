// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cgroup hook of the kernel's settings below /proc/sys: they switch LSM programs off, name
 * programs that the kernel starts, and send packets elsewhere. A confined process writes none of them
 * but those of a network or a user namespace of its own.
 */
#include "state.bpf.h"

/* Here this helper came later than the task. */
#define bpf_get_current_pid_tgid read_pid_tgid

static __always_inline __u64 read_pid_tgid(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
}

#include "refuse.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum sysctl_verdict {
	SYSCTL_REFUSE = 0, /* EPERM */
	SYSCTL_PASS = 1,
};

const volatile struct ph_around ph_around = {};

enum {
	NAME_NET = 0x2f74656e, /* "net/" */
	NAME_USER = 0x72657375, /* "user" */
};

static __always_inline bool is_of_own_namespace(struct bpf_sysctl *ctx)
{
	struct task_struct *task = current_task();
	__u32 name[2] = {};

	/* The name is cut to what fits, and the answer says that it was. */
	bpf_sysctl_get_name(ctx, (char *)name, sizeof(name), 0);
	if (name[0] == NAME_NET)
		return ph_around.net &&
		       BPF_CORE_READ(task, nsproxy, net_ns, ns.inum) != ph_around.net;
	return name[0] == NAME_USER && BPF_CORE_READ(task, cred, user_ns, level);
}

SEC("cgroup/sysctl")
int ph_sysctl(struct bpf_sysctl *ctx)
{
	if (!ctx->write || !may_be_confined() || is_of_own_namespace(ctx))
		return SYSCTL_PASS;
	return refuse(PH_DOOR_SYSCTL) ? SYSCTL_REFUSE : SYSCTL_PASS;
}
