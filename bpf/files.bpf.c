// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel takes the files for that a process of ours has open: stat(2) says something else
 * on overlayfs and btrfs.
 */
#include "exe.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("iter/task_file")
int ph_tell_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct ph_told_file told = {};

	/* Who reads is who asks: by the machine's number, which it does not know in a pid namespace. */
	if (!task || !file || task->pid != task->tgid ||
	    (__u32)task->tgid != bpf_get_current_pid_tgid() >> 32)
		return 0;
	told.fd = ctx->fd;
	told.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	told.inode = BPF_CORE_READ(file, f_inode, i_ino);
	told.path = hash_file_path(file);
	told.file = hash_file(file);
	bpf_seq_write(ctx->meta->seq, &told, sizeof(told));
	return 0;
}
