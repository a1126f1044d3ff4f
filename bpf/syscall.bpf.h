/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SYSCALL_BPF_H
#define PH_SYSCALL_BPF_H

/*
 * Which system call the caller is in, for hooks that do not tell: some calls have none but that for the
 * capability. What a 32-bit program has other numbers for is named here under both.
 */
#include "identity.bpf.h"

#ifdef __TARGET_ARCH_arm64
#define SYSCALL_FIELD syscallno
enum {
	SYSCALL_CHROOT = 51,
	SYSCALL_CHROOT_32 = 61,
	SYSCALL_PERF_EVENT_OPEN = 241,
	SYSCALL_PERF_EVENT_OPEN_32 = 364,
	SYSCALL_SETNS = 268,
	SYSCALL_SETNS_32 = 375,
};
#else
#define SYSCALL_FIELD orig_ax
enum {
	SYSCALL_CHROOT = 161,
	SYSCALL_CHROOT_32 = 61,
	SYSCALL_PERF_EVENT_OPEN = 298,
	SYSCALL_PERF_EVENT_OPEN_32 = 336,
	SYSCALL_SETNS = 308,
	SYSCALL_SETNS_32 = 346,
};
#endif

enum {
	SYSCALL_FSCONFIG = 431,
	SYSCALL_MOUNT_SETATTR = 442,
	SYSCALL_OPEN_TREE_ATTR = 467,
	SYSCALL_NUMBER = 0xffff, /* without the bit that says x32 */
	STACK_SIZE = 16384, /* THREAD_SIZE, where the kernel has to be asked without a helper */
};

/* The helper came with Linux 5.15. */
enum bpf_func_id___registers {
	BPF_FUNC_task_pt_regs___registers,
};

static __always_inline __u32 current_syscall(void)
{
	struct task_struct *task = current_task();
	struct pt_regs *registers;

	if (SETTING(ph_has_task_btf) &&
	    bpf_core_enum_value_exists(enum bpf_func_id___registers,
				       BPF_FUNC_task_pt_regs___registers))
		registers = (void *)bpf_task_pt_regs(task);
	else
		registers = BPF_CORE_READ(task, stack) + STACK_SIZE - sizeof(*registers);
	return BPF_CORE_READ(registers, SYSCALL_FIELD) & SYSCALL_NUMBER;
}

#endif
