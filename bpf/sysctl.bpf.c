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

/*
 * Whose table it is, as the kernel has it behind the context: the name is the same in every namespace,
 * and whoever writes may have opened it in another than it is in now.
 */
static __always_inline void *table_set(struct bpf_sysctl *ctx)
{
	struct bpf_sysctl_kern *asked = (void *)ctx;

	return BPF_CORE_READ(asked, head, set);
}

static __always_inline bool is_of_own_namespace(struct bpf_sysctl *ctx)
{
	struct task_struct *task = current_task();
	struct net *net = BPF_CORE_READ(task, nsproxy, net_ns);
	struct user_namespace *users = BPF_CORE_READ(task, cred, user_ns);
	void *set = table_set(ctx);

	if (set == (void *)net + bpf_core_field_offset(struct net, sysctls))
		return ph_around.net && BPF_CORE_READ(net, ns.inum) != ph_around.net;
	return set == (void *)users + bpf_core_field_offset(struct user_namespace, set) &&
	       BPF_CORE_READ(users, level);
}

SEC("cgroup/sysctl")
int ph_sysctl(struct bpf_sysctl *ctx)
{
	if (!ctx->write || !may_be_confined() || is_of_own_namespace(ctx))
		return SYSCTL_PASS;
	return refuse(PH_DOOR_SYSCTL) ? SYSCTL_REFUSE : SYSCTL_PASS;
}
