// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "util/cleanup.h"

DEFINE_CLEANUP(struct btf *, btf__free);

enum {
	SETATTR_WITH_MAP = 3 /* arguments */
};

#define CALL(helper)                                        \
	{                                                   \
		.code = BPF_JMP | BPF_CALL, .imm = (helper) \
	}
#define RETURN_(value)                                                                    \
	{                                                                                 \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = (value) \
	}
#define EXIT_                              \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

/* The first try that failed for something else than what was tried: how; 0: none did. */
static int no_answer;

static void hear(int r)
{
	static const int passing[] = { ENOMEM, EBUSY, EAGAIN, EINTR, ENOSPC, EIO, EMFILE, ENFILE };

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (!no_answer && r == -passing[i])
			no_answer = r;
}

static bool loads(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id,
		  const struct bpf_insn *insns, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach,
		    .attach_btf_id = btf_id);
	cleanup_close int fd =
		bpf_prog_load(type, PH_PROGRAM_PREFIX "feature", "GPL", insns, n, &options);

	hear(fd);
	return fd >= 0;
}

static bool returns(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id, int value)
{
	const struct bpf_insn insns[] = { RETURN_(value), EXIT_ };

	return loads(type, attach, btf_id, insns, 2);
}

static bool calls(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id, int helper,
		  int value)
{
	const struct bpf_insn insns[] = { CALL(helper), RETURN_(value), EXIT_ };

	return loads(type, attach, btf_id, insns, 3);
}

/* Loading a program says nothing of whether the function may be traced: that shows when it is attached. */
static bool traces(const struct btf *btf, const char *function)
{
	const struct bpf_insn insns[] = { RETURN_(0), EXIT_ };
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY,
		    .attach_btf_id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC));
	cleanup_close int program = -1, link = -1;

	if ((int)options.attach_btf_id <= 0)
		return false;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, PH_PROGRAM_PREFIX "feature", "GPL", insns, 2,
				&options);
	hear(program);
	if (program < 0)
		return false;
	link = bpf_raw_tracepoint_open(NULL, program);
	hear(link);
	return link >= 0;
}

/* How many arguments a function takes; 0: there is none of that name. */
static unsigned arguments_of(const struct btf *btf, const char *function)
{
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);

	if (id <= 0)
		return 0;
	return btf_vlen(btf__type_by_id(btf, btf__type_by_id(btf, id)->type));
}

static bool has_member(const struct btf *btf, const char *structure, const char *name)
{
	int id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (unsigned i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name))
			return true;
	return false;
}

/* BTF that names no function which cannot be traced leaves out these, too. */
void features_of_entry(const struct btf *btf, struct ph_features *ret)
{
	bool skips = has_member(btf, "bpf_prog_info", "recursion_misses");
	int enter = btf__find_by_name_kind(btf, "__bpf_prog_enter", BTF_KIND_FUNC);

	ret->tracepoints_preempted =
		btf__find_by_name_kind(btf, "class_srcu_fast_notrace_t", BTF_KIND_TYPEDEF) > 0;
	ret->entry_known = !skips || enter > 0;
	ret->lsm_always = !skips ||
			  btf__find_by_name_kind(btf, "__bpf_prog_enter_recur", BTF_KIND_FUNC) > 0;
}

static void probe_typed(struct ph_features *features)
{
	cleanup_(btf__freep) struct btf *btf = btf__load_vmlinux_btf();
	int hook, rename;

	if (!btf || libbpf_get_error(btf)) {
		hear(-errno);
		btf = NULL;
		return;
	}
	hook = btf__find_by_name_kind(btf, "bpf_lsm_socket_bind", BTF_KIND_FUNC);
	rename = btf__find_by_name_kind(btf, "btf_trace_task_rename", BTF_KIND_TYPEDEF);
	if (hook > 0) {
		features->lsm_programs = returns(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, hook, 0);
		/* A helper that is known is refused for its missing argument alone. */
		features->lsm_spin_lock =
			!calls(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, hook, BPF_FUNC_spin_lock, 0) &&
			errno == EACCES;
		features->lsm_task_btf = calls(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, hook,
					       BPF_FUNC_get_current_task_btf, 0);
	}
	if (rename > 0)
		features->tracing_programs =
			returns(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, rename, 0);
	features->splice_sends = btf__find_by_name_kind(btf, "splice_to_socket", BTF_KIND_FUNC) > 0;
	features->cgroup_moves = features->tracing_programs && traces(btf, "cgroup_move_task");
	features->load_hook = btf__find_by_name_kind(btf, "bpf_lsm_bpf_prog_load", BTF_KIND_FUNC) >
			      0;
	features->setattr_map = arguments_of(btf, "bpf_lsm_inode_setattr") == SETATTR_WITH_MAP;
	features->socket_from_file = features->lsm_task_btf;
	features_of_entry(btf, features);
}

/* Whole words: "bpf" is not in "mybpf". */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, ",")) {
		at += *at == ',';
		if (strcspn(at, ",") == length && !strncmp(at, word, length))
			return true;
	}
	return false;
}

static void read_lsm_list(struct ph_features *features)
{
	cleanup_fclose FILE *file = fopen("/sys/kernel/security/lsm", "re");

	if (!file || !fgets(features->lsm_list, sizeof(features->lsm_list), file))
		return;
	features->lsm_list[strcspn(features->lsm_list, "\n")] = 0;
	features->lsm_active = list_has(features->lsm_list, "bpf");
}

/* "none integrity [confidentiality]" */
static void read_lockdown(struct ph_features *features)
{
	cleanup_fclose FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[128], *from;

	if (!file || !fgets(line, sizeof(line), file))
		return;
	from = strchr(line, '[');
	if (!from || !strncmp(from, "[none]", 6))
		return;
	(void)snprintf(features->lockdown, sizeof(features->lockdown), "%.*s",
		       (int)strcspn(from + 1, "]"), from + 1);
}

int cgroup_root_find(char *ret, unsigned size)
{
	cleanup_fclose FILE *file = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t allocated = 0;
	char root[64], point[256];

	if (!file)
		return -errno;
	while (getline(&line, &allocated, file) > 0) {
		if (!strstr(line, " - cgroup2 ") ||
		    sscanf(line, "%*s %*s %*s %63s %255s", root, point) != 2 || strcmp(root, "/"))
			continue;
		(void)snprintf(ret, size, "%s", point);
		return 0;
	}
	return -ENOENT;
}

static int ignore_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return 0;
}

/* It says no of whatever fails; errno is left by the try. */
static bool has_map_type(enum bpf_map_type type)
{
	int r;

	errno = 0;
	r = libbpf_probe_bpf_map_type(type, NULL);
	if (r != 1)
		hear(r < 0 ? r : -errno);
	return r == 1;
}

int features_probe(struct ph_features *ret, struct ph_fault *f)
{
	libbpf_print_fn_t print = libbpf_set_print(ignore_print);
	struct ph_features features = {};

	no_answer = 0;
	features.btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	features.cgroup_programs =
		returns(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, 0, 1);
	features.permitted = features.cgroup_programs || errno != EPERM;
	features.cgroup_task_btf = calls(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
					 0, BPF_FUNC_get_current_task_btf, 1);
	features.sysctl_programs = calls(BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, 0,
					 BPF_FUNC_get_current_task, 1);
	/* A helper that came right after them. One that is known is refused for its arguments. */
	features.global_functions = !calls(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
					   0, BPF_FUNC_for_each_map_elem, 1) &&
				    errno == EACCES;
	features.reads_kernel =
		!calls(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, BPF_FUNC_probe_read_kernel, 0) &&
		errno == EACCES;
	features.task_storage = has_map_type(BPF_MAP_TYPE_TASK_STORAGE);
	if (features.btf)
		probe_typed(&features);
	read_lsm_list(&features);
	read_lockdown(&features);
	(void)cgroup_root_find(features.cgroup_root, sizeof(features.cgroup_root));
	libbpf_set_print(print);
	*ret = features;
	if (!no_answer)
		return 0;
	return fault(f, no_answer, PH_EXIT_IMPOSSIBLE,
		     "what this kernel offers cannot be found out: %s", strerror(-no_answer));
}
