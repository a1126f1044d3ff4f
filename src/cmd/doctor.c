// SPDX-License-Identifier: GPL-2.0-or-later
/* What this kernel and this boot offer, and the exact remedy for what is missing. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd/cmd.h"

struct finding {
	const char *what;
	bool there;
	const char *remedy;
};

enum {
	FINDINGS = 8
};

static void examine(const struct ph_features *features, struct finding ret[FINDINGS])
{
	const struct finding findings[FINDINGS] = {
		{ "BPF programs may be loaded", features->permitted && features->cgroup_programs,
		  "run as root in the initial user namespace, on a kernel with CONFIG_CGROUP_BPF" },
		{ "BTF of the kernel", features->btf, "a kernel with CONFIG_DEBUG_INFO_BTF" },
		{ "cgroup2 hierarchy", *features->cgroup_root,
		  "mount -t cgroup2 none /sys/fs/cgroup" },
		{ "BPF LSM programs load", features->lsm_programs, "a kernel with CONFIG_BPF_LSM" },
		{ "BPF LSM is active", features->lsm_active,
		  "add bpf to lsm= on the kernel's command line, and boot" },
		{ "tracing programs load", features->tracing_programs,
		  "a kernel with CONFIG_BPF_EVENTS and CONFIG_FUNCTION_TRACER" },
		{ "task storage", features->task_storage, "kernel 5.11 or newer" },
		{ "splice reaches the send hook", features->splice_sends,
		  "kernel 6.5 or newer; until then each read and write of a file costs a little more" },
	};

	memcpy(ret, findings, sizeof(findings));
}

static void print_backend_json(json_t *object, enum ph_backend backend,
			       const struct ph_features *features, bool available)
{
	uint64_t open = doors_open(backend, features);
	json_t *doors = json_array();

	for (size_t i = 0; i < ph_promises_n; i++)
		if (open >> i & 1)
			(void)json_array_append_new(doors, json_string(ph_promises[i].name));
	(void)json_object_set_new(object, backend_name(backend),
				  json_pack("{s:b, s:o}", "available", available, "open_doors",
					    doors));
}

static void print_json(const struct ph_features *features, const struct finding *findings)
{
	json_t *object = json_object(), *list = json_array(), *backends = json_object();

	for (int i = 0; i < FINDINGS; i++)
		(void)json_array_append_new(list,
					    json_pack("{s:s, s:b, s:s}", "what", findings[i].what,
						      "there", findings[i].there, "remedy",
						      findings[i].there ? "" : findings[i].remedy));
	print_backend_json(backends, PH_BACKEND_LSM, features,
			   features->lsm_programs && features->lsm_active);
	print_backend_json(backends, PH_BACKEND_CGROUP, features, features->cgroup_programs);
	(void)json_object_set_new(object, "findings", list);
	(void)json_object_set_new(object, "lsm_list", json_string(features->lsm_list));
	(void)json_object_set_new(object, "backends", backends);
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
}

static void print_text(const struct ph_features *features, const struct finding *findings)
{
	bool lsm = features->lsm_programs && features->lsm_active;
	struct utsname name;

	(void)uname(&name);
	(void)printf("Kernel %s %s\n", name.release, name.machine);
	for (int i = 0; i < FINDINGS; i++)
		(void)printf("  %-3s  %s%s%s\n", findings[i].there ? "yes" : "NO", findings[i].what,
			     findings[i].there ? "" : ": ",
			     findings[i].there ? "" : findings[i].remedy);
	(void)printf("  active LSMs: %s\n",
		     *features->lsm_list ? features->lsm_list : "cannot be read");
	if (lsm) {
		(void)printf("\nBackend lsm leaves open:\n");
		print_doors(doors_open(PH_BACKEND_LSM, features));
	} else {
		(void)printf("\nBackend lsm: not here.\n");
	}
	(void)printf("Backend cgroup leaves open:\n");
	print_doors(doors_open(PH_BACKEND_CGROUP, features));
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, {} };
	struct finding findings[FINDINGS];
	struct ph_features features;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("doctor");
		json = true;
	}
	if (optind != argc)
		return usage_error("doctor", "unexpected argument");
	features_probe(&features);
	examine(&features, findings);
	if (json)
		print_json(&features, findings);
	else
		print_text(&features, findings);
	/* Yes: everything that auto promises can be had. */
	return features.lsm_programs && features.lsm_active &&
			       !(doors_open(PH_BACKEND_LSM, &features) & ~doors_optional()) ?
		       PH_EXIT_OK :
		       PH_EXIT_NO;
}
