// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	empty lsm|cgroup|both CGROUP COMMAND...
 *
 * Runs COMMAND while programs that do nothing are attached: to the LSM hooks and tracepoints, to
 * the hooks of CGROUP, or to both. They go with this process. Exits as COMMAND does.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "empty.skel.h"

enum part {
	PART_LSM = 1,
	PART_CGROUP = 2,
};

static void __attribute__((noreturn)) die(const char *what)
{
	(void)fprintf(stderr, "empty: %s: %s\n", what, strerror(errno));
	exit(1);
}

static enum part part_of(const struct bpf_program *program)
{
	switch (bpf_program__type(program)) {
	case BPF_PROG_TYPE_LSM:
	case BPF_PROG_TYPE_TRACING:
		return PART_LSM;
	default:
		return PART_CGROUP;
	}
}

static unsigned parts_named(const char *name)
{
	if (!strcmp(name, "lsm"))
		return PART_LSM;
	if (!strcmp(name, "cgroup"))
		return PART_CGROUP;
	if (!strcmp(name, "both"))
		return PART_LSM | PART_CGROUP;
	(void)fprintf(stderr, "empty: lsm, cgroup or both, not %s\n", name);
	exit(2);
}

static void load(struct empty_bpf *programs, unsigned parts)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, programs->obj)
		bpf_program__set_autoload(program, parts & part_of(program));
	if (empty_bpf__load(programs))
		die("load");
}

static void attach(const struct empty_bpf *programs, int cgroup)
{
	struct bpf_program *program;
	struct bpf_link *link;

	bpf_object__for_each_program(program, programs->obj) {
		if (!bpf_program__autoload(program))
			continue;
		link = part_of(program) == PART_LSM ? bpf_program__attach(program) :
						      bpf_program__attach_cgroup(program, cgroup);
		if (!link)
			die(bpf_program__name(program));
	}
}

static int run(char **command)
{
	pid_t child = fork();
	int status;

	if (!child) {
		(void)execvp(*command, command);
		die(*command);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		die("fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	struct empty_bpf *programs;
	int cgroup;

	if (argc < 4) {
		(void)fprintf(stderr, "usage: empty lsm|cgroup|both CGROUP COMMAND...\n");
		return 2;
	}
	cgroup = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		die(argv[2]);
	programs = empty_bpf__open();
	if (!programs)
		die("open");
	load(programs, parts_named(argv[1]));
	attach(programs, cgroup);
	return run(argv + 3);
}
