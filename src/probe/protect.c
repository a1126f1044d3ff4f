// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ways around the sockets: namespaces and other roots, tun devices, other processes' memory,
 * and the enforcement itself.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/internal.h"

#define TUN "/dev/net/tun"

/* -- namespaces ------------------------------------------------------------------------------ */

static void enter_namespaces(struct probe_env *env)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWCGROUP) < 0)
		probe_finish(env,
			     probe_say(env, PROBE_UNTRIED, "unshare: %s", strerrorname_np(errno)));
}

static enum probe_answer unshare_only(struct probe_env *env)
{
	return probe_judge(env, "unshare", unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWCGROUP));
}

/* Nobody listens in the new network: a refused connection is one that was let out. */
static enum probe_answer connect_inside(struct probe_env *env)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	enum probe_answer answer;
	int fd;

	enter_namespaces(env);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return probe_judge(env, "socket", fd);
	if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return probe_say(env, PROBE_UNTRIED, "lo: %s", strerrorname_np(errno));
	answer = probe_try_connect(env);
	if (answer == PROBE_OTHER && errno == ECONNREFUSED)
		return probe_say(env, PROBE_ALLOWED, "connect: ECONNREFUSED, by the other end");
	return answer;
}

static enum probe_answer create_inside(struct probe_env *env)
{
	const struct probe *probe = env->probe;

	if (!probe_has_protocol(env, probe->family, probe->type, probe->protocol))
		return PROBE_UNTRIED;
	enter_namespaces(env);
	return probe_judge(env, "socket",
			   socket(probe->family, probe->type | SOCK_CLOEXEC, probe->protocol));
}

static enum probe_answer connect_in_chroot(struct probe_env *env)
{
	if (chroot(env->dir) < 0 || chdir("/") < 0)
		return probe_say(env, PROBE_UNTRIED, "chroot: %s", strerrorname_np(errno));
	return probe_try_connect(env);
}

static enum probe_answer connect_in_pivot(struct probe_env *env)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(env->dir, env->dir, NULL, MS_BIND, NULL) < 0 || chdir(env->dir) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return probe_say(env, PROBE_UNTRIED, "pivot_root: %s", strerrorname_np(errno));
	return probe_try_connect(env);
}

/* -- tun ------------------------------------------------------------------------------------- */

/* The device lives as long as the descriptor. */
static enum probe_answer make_tun(struct probe_env *env)
{
	struct ifreq request = { .ifr_name = "phprobe%d",
				 .ifr_flags = (short)(env->probe->how | IFF_NO_PI) };
	int fd;

	if (!probe_has_tun(env))
		return PROBE_UNTRIED;
	fd = open(TUN, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO || errno == EACCES))
		return probe_say(env, PROBE_UNTRIED, "open of " TUN ": %s", strerrorname_np(errno));
	if (fd < 0)
		return probe_judge(env, "open of " TUN, fd);
	return probe_judge(env, "ioctl(TUNSETIFF)", ioctl(fd, TUNSETIFF, &request));
}

static enum probe_answer make_tun_inside(struct probe_env *env)
{
	enter_namespaces(env);
	return make_tun(env);
}

static enum probe_answer write_null(struct probe_env *env)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return probe_judge(env, "open of /dev/null", fd);
	return probe_judge(env, "write", write(fd, "p", 1));
}

/* -- other processes ------------------------------------------------------------------------- */

enum {
	BY_ATTACH,
	BY_SEIZE,
	BY_WRITE,
	BY_READ,
	BY_MEM,
};

static void hold(struct probe_env *env, int link)
{
	char byte;

	(void)env;
	(void)recv(link, &byte, 1, 0);
}

static int prepare_victim(struct probe_env *env)
{
	static uint64_t word = 1;

	env->helper_address = (uintptr_t)&word;
	return probe_helper(env, hold) < 0 ? probe_cannot(env, "fork") : 0;
}

static long reach_memory(const struct probe_env *env)
{
	uint64_t word = 2;
	struct iovec here = { .iov_base = &word, .iov_len = sizeof(word) };
	struct iovec there = { .iov_base = (void *)(uintptr_t)env->helper_address,
			       .iov_len = sizeof(word) };

	if (env->probe->how == BY_WRITE)
		return process_vm_writev(env->helper, &here, 1, &there, 1, 0);
	return process_vm_readv(env->helper, &here, 1, &there, 1, 0);
}

static enum probe_answer open_memory(struct probe_env *env)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", env->helper);
	return probe_judge_errno(env, "open of /proc/PID/mem", open(path, O_RDWR | O_CLOEXEC),
				 EACCES);
}

static enum probe_answer reach_process(struct probe_env *env)
{
	switch (env->probe->how) {
	case BY_ATTACH:
		return probe_judge(env, "ptrace(PTRACE_ATTACH)",
				   ptrace(PTRACE_ATTACH, env->helper, NULL, NULL));
	case BY_SEIZE:
		return probe_judge(env, "ptrace(PTRACE_SEIZE)",
				   ptrace(PTRACE_SEIZE, env->helper, NULL, NULL));
	case BY_MEM:
		return open_memory(env);
	default:
		return probe_judge(env, "process_vm_readv or writev", reach_memory(env));
	}
}

/* -- modules --------------------------------------------------------------------------------- */

/* Nothing that the kernel would load: it says ENOEXEC, or wants a signature first. */
static enum probe_answer load_module_bytes(struct probe_env *env)
{
	char bytes[256] = "no module";

	return probe_judge_passed(env, "init_module",
				  syscall(SYS_init_module, bytes, sizeof(bytes), ""));
}

static enum probe_answer load_module_file(struct probe_env *env)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return probe_judge_passed(env, "finit_module", syscall(SYS_finit_module, fd, "", 0));
}

/* -- the enforcement ------------------------------------------------------------------------- */

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

/* Older kernels count maps and programs as locked memory, and say EPERM too. */
static void lift_memory_limit(void)
{
	(void)setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
}

static enum probe_answer create_map(struct probe_env *env)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	lift_memory_limit();
	return probe_judge(env, "bpf(BPF_MAP_CREATE)", bpf(BPF_MAP_CREATE, &attributes));
}

/* Loaded, never attached. */
static enum probe_answer load_program(struct probe_env *env)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				      .insns = (uintptr_t)code,
				      .insn_cnt = 2,
				      .license = (uintptr_t) "GPL" };

	lift_memory_limit();
	return probe_judge(env, "bpf(BPF_PROG_LOAD)", bpf(BPF_PROG_LOAD, &attributes));
}

static enum probe_answer open_pin(struct probe_env *env)
{
	union bpf_attr attributes = { .pathname = (uintptr_t)env->pin };

	return probe_judge(env, "bpf(BPF_OBJ_GET)", bpf(BPF_OBJ_GET, &attributes));
}

static enum probe_answer unlink_pin(struct probe_env *env)
{
	return probe_judge(env, "unlink", unlink(env->pin));
}

#define PROBE(probe_name, through, tested, meaning, function, ...)                       \
	{                                                                                \
		.name = probe_name, .door = through, .promise = tested, .what = meaning, \
		.expect = PROBE_DENIED, .attempt = function, __VA_ARGS__                 \
	}
#define VICTIM(probe_name, meaning, way)                                                       \
	PROBE(probe_name, "ptrace", "ptrace", meaning " an unconfined process", reach_process, \
	      .prepare = prepare_victim, .how = way)

const struct probe probe_protect[] = {
	{ .name = "allow-namespace",
	  .door = "namespace",
	  .what = "unshare of user, net and cgroup namespaces",
	  .attempt = unshare_only },
	PROBE("namespace-connect", "namespace", "connect",
	      "connect in a new user and net namespace", connect_inside, ),
	PROBE("namespace-raw", "namespace", "socket", "raw socket in a new user and net namespace",
	      create_inside, .family = AF_INET, .type = SOCK_RAW, .protocol = IPPROTO_ICMP),
	PROBE("namespace-packet", "namespace", "families",
	      "AF_PACKET in a new user and net namespace", create_inside, .family = AF_PACKET,
	      .type = SOCK_RAW),
	PROBE("namespace-chroot", "namespace", "connect", "connect in a chroot", connect_in_chroot,
	      .needs = PROBE_NEEDS_CHROOT, .flags = PROBE_ARRIVES),
	PROBE("namespace-pivot", "namespace", "connect", "connect behind pivot_root",
	      connect_in_pivot, .needs = PROBE_NEEDS_SYS_ADMIN, .flags = PROBE_ARRIVES),
	PROBE("tun", "tun", "tun", "a tun device", make_tun, .how = IFF_TUN,
	      .needs = PROBE_NEEDS_NET_ADMIN),
	PROBE("tap", "tun", "tun", "a tap device", make_tun, .how = IFF_TAP,
	      .needs = PROBE_NEEDS_NET_ADMIN),
	PROBE("tun-namespace", "tun", "tun", "a tun device in a new user and net namespace",
	      make_tun_inside, .how = IFF_TUN),
	{ .name = "allow-dev-null",
	  .door = "tun",
	  .what = "/dev/null, opened and written",
	  .attempt = write_null },
	VICTIM("ptrace-attach", "PTRACE_ATTACH to", BY_ATTACH),
	VICTIM("ptrace-seize", "PTRACE_SEIZE of", BY_SEIZE),
	VICTIM("process-vm-writev", "process_vm_writev to", BY_WRITE),
	VICTIM("process-vm-readv", "process_vm_readv from", BY_READ),
	VICTIM("proc-mem", "/proc/PID/mem of", BY_MEM),
	PROBE("module-bytes", "module", "module", "init_module of what is none", load_module_bytes,
	      .needs = PROBE_NEEDS_SYS_MODULE),
	PROBE("module-file", "module", "module", "finit_module of what is none", load_module_file,
	      .needs = PROBE_NEEDS_SYS_MODULE),
	PROBE("bpf-map", "bpf", "bpf", "creating a BPF map", create_map,
	      .needs = PROBE_NEEDS_SYS_ADMIN),
	PROBE("bpf-load", "bpf", "bpf", "loading a BPF program", load_program,
	      .needs = PROBE_NEEDS_SYS_ADMIN),
	PROBE("bpf-open-pin", "bpf", "bpf", "opening a pinned BPF object", open_pin,
	      .needs = PROBE_NEEDS_SYS_ADMIN | PROBE_NEEDS_PIN),
	PROBE("pin-unlink", "pins", "pins", "removing a pin", unlink_pin, .needs = PROBE_NEEDS_PIN),
	{},
};
