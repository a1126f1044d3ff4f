/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_BPF_HELPERS_H
#define READERS_BPF_HELPERS_H
/* The kernel's helpers as functions, which whoever includes the programs defines; and libbpf's words. */

#define SEC(name)
#define __always_inline inline __attribute__((always_inline))
#define barrier_var(var) asm volatile("" : "+r"(var))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]

static void *bpf_map_lookup_elem(void *map, const void *key);
static long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags);
static long bpf_map_delete_elem(void *map, const void *key);
static void *bpf_sk_storage_get(void *map, void *sk, void *value, __u64 flags);
static void *bpf_task_storage_get(void *map, struct task_struct *task, void *value, __u64 flags);
static long bpf_task_storage_delete(void *map, struct task_struct *task);
static long bpf_probe_read_kernel(void *to, __u32 size, const void *from);
static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 size);
static struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk);
static struct socket *bpf_sock_from_file(struct file *file);
static __u64 bpf_get_current_task(void);
static struct task_struct *bpf_get_current_task_btf(void);
static __u64 bpf_get_current_pid_tgid(void);
static __u64 bpf_get_current_uid_gid(void);
static __u64 bpf_get_current_cgroup_id(void);
static __u64 bpf_ktime_get_boot_ns(void);
static long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags);
static __u64 bpf_ringbuf_query(void *ring, __u64 what);
static void bpf_spin_lock(struct bpf_spin_lock *lock);
static void bpf_spin_unlock(struct bpf_spin_lock *lock);

#endif
