// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs that do nothing, on the hooks that porthold has its own on: what the kernel takes for
 * calling any program there.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define EMPTY(section, name, verdict) \
	SEC(section)                  \
	int name(void *ctx)           \
	{                             \
		return verdict;       \
	}

EMPTY("lsm/socket_create", create, 0)
EMPTY("lsm/socket_post_create", post_create, 0)
EMPTY("lsm/socket_bind", bind, 0)
EMPTY("lsm/socket_connect", connect, 0)
EMPTY("lsm/socket_listen", listen, 0)
EMPTY("lsm/socket_accept", accept, 0)
EMPTY("lsm/socket_sendmsg", sendmsg, 0)
EMPTY("lsm/socket_recvmsg", recvmsg, 0)
EMPTY("lsm/task_alloc", task_alloc, 0)
EMPTY("lsm/task_free", task_free, 0)
EMPTY("lsm/bprm_check_security", exec_check, 0)
EMPTY("lsm/bprm_committed_creds", committed, 0)
EMPTY("lsm/inode_unlink", unlink, 0)
EMPTY("lsm/inode_rename", rename, 0)
EMPTY("lsm/inode_create", file_create, 0)
EMPTY("lsm/inode_setattr", setattr, 0)
EMPTY("lsm/capable", capable, 0)
EMPTY("lsm/sb_mount", mount, 0)
EMPTY("lsm/sb_umount", umount, 0)
EMPTY("lsm/fs_context_parse_param", mount_option, 0)
EMPTY("tp_btf/task_rename", task_rename, 0)
EMPTY("tp_btf/sched_process_fork", task_fork, 0)
EMPTY("tp_btf/sched_process_exec", task_exec, 0)
EMPTY("tp_btf/sched_process_exit", task_exit, 0)

EMPTY("cgroup/sock_create", cg_create, 1)
EMPTY("cgroup/sysctl", cg_setting, 1)
EMPTY("cgroup/connect4", cg_connect4, 1)
EMPTY("cgroup/bind4", cg_bind4, 1)
EMPTY("cgroup/sendmsg4", cg_sendmsg4, 1)
EMPTY("cgroup_skb/egress", egress, 1)
EMPTY("cgroup_skb/ingress", ingress, 1)
