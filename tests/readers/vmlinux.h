/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_VMLINUX_H
#define READERS_VMLINUX_H
/*
 * In place of what bpftool makes of a kernel's types: those, and of them that, which the programs of
 * sockets and packets look at. The programs find a field by its name wherever a kernel has it, so the
 * order here is nobody's; but what they read by a flavour of their own (___labels, ___number) stands
 * first.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef unsigned long size_t;
typedef _Bool bool;

enum {
	false,
	true,
};

#define NULL ((void *)0)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};

struct bpf_spin_lock {
	__u32 val;
};

/* --- Tasks */

struct super_block {
	__u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	__u16 i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct mm_struct {
	struct file *exe_file;
};

struct user_namespace {
	int level;
	struct user_namespace *parent;
	struct {
		__u32 val;
	} owner;
};

struct cred {
	struct {
		__u32 val;
	} uid;
	struct user_namespace *user_ns;
};

struct signal_struct {
	struct {
		int counter;
	} live;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct cgroup *ancestors[1];
	struct kernfs_node *kn;
	int level;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	void *bpf_storage;
	char comm[16];
	__u32 flags;
	__u32 pid, tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	struct signal_struct *signal;
	struct cred *cred, *real_cred;
	struct css_set *cgroups;
	struct mm_struct *mm;
};

/* --- Sockets */

struct in6_addr {
	struct {
		__be32 u6_addr32[4];
	} in6_u;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct sock {
	struct {
		__u16 skc_family;
		__u16 skc_num;
		__be16 skc_dport;
		__u8 skc_state;
		int skc_bound_dev_if;
		__be32 skc_daddr;
		__be32 skc_rcv_saddr;
		struct in6_addr skc_v6_daddr;
		struct in6_addr skc_v6_rcv_saddr;
	} __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_userlocks;
	__u8 sk_kern_sock;
	__u32 sk_allocation;
	void *sk_bpf_storage;
};

struct ip_options_rcu {
	struct {
		__u8 srr;
	} opt;
};

struct ipv6_txoptions {
	void *srcrt;
};

struct ipv6_pinfo {
	void *ipv6_fl_list;
	struct ipv6_txoptions *opt;
};

struct inet_sock {
	struct sock sk;
	__be32 inet_saddr;
	int uc_index;
	struct ip_options_rcu *inet_opt;
	struct ipv6_pinfo *pinet6;
};

struct socket {
	struct sock *sk;
};

struct iov_iter {
	__u8 iter_type;
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
	int msg_flags;
	void *msg_control;
	size_t msg_controllen;
	struct iov_iter msg_iter;
};

/* --- What the cgroup programs are shown of sockets and packets */

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port; /* host order */
	__be16 dst_port;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
	__u32 state;
};

struct __sk_buff {
	__u32 len;
	struct bpf_sock *sk;
	const __u8
		*bytes; /* the packet itself, which a program reads by bpf_skb_load_bytes() alone */
};

#endif
