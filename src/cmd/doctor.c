// SPDX-License-Identifier: GPL-2.0-or-later
/* What this kernel and this boot offer, and the exact remedy for what is missing. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd/cmd.h"
#include "confined.h"

enum answer {
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_UNKNOWN,
};

struct finding {
	const char *what;
	enum answer there;
	const char *remedy; /* where it is not, or cannot be told */
};

enum {
	FINDINGS = 10
};

struct examination {
	const struct ph_features *features;
	char lsm_remedy[sizeof(((struct ph_features *)NULL)->lsm_list) + 64];
	struct finding findings[FINDINGS];
};

static enum answer answer(bool known, bool there)
{
	if (!known)
		return ANSWER_UNKNOWN;
	return there ? ANSWER_YES : ANSWER_NO;
}

/* The whole list: what lsm= does not name is off. */
static void word_lsm_remedy(const struct ph_features *features, char *ret, size_t size)
{
	if (*features->lsm_list)
		(void)snprintf(ret, size, "boot with lsm=%s,bpf on the kernel's command line",
			       features->lsm_list);
	else
		(void)snprintf(ret, size, "mount -t securityfs securityfs /sys/kernel/security");
}

static const char *word_read_remedy(const struct ph_features *features)
{
	if (!features->permitted)
		return "root can try";
	return *features->lockdown ?
		       "boot with lockdown=integrity on the kernel's command line, or without it" :
		       "a kernel with CONFIG_BPF_EVENTS";
}

static void examine(const struct ph_features *features, struct examination *ret)
{
	const bool may = features->permitted;
	const char *root_can_try = "root can try";
	const struct finding findings[FINDINGS] = {
		{ "BPF programs may be loaded", answer(true, features->cgroup_programs),
		  may ? "a kernel with CONFIG_CGROUP_BPF" :
			"run as root, in the initial user namespace" },
		{ "BTF of the kernel", answer(true, features->btf),
		  "a kernel with CONFIG_DEBUG_INFO_BTF" },
		{ "BPF programs may read kernel memory", answer(may, features->reads_kernel),
		  word_read_remedy(features) },
		{ "cgroup2 hierarchy", answer(true, *features->cgroup_root),
		  "mount -t cgroup2 none /sys/fs/cgroup" },
		{ "BPF LSM programs load", answer(may, features->lsm_programs),
		  may ? "a kernel with CONFIG_BPF_LSM" : root_can_try },
		{ "BPF LSM is active", answer(*features->lsm_list, features->lsm_active),
		  ret->lsm_remedy },
		{ "BPF LSM programs are always run",
		  answer(features->btf && features->entry_known, features->lsm_always),
		  features->entry_known ?
			  "kernel 6.2 or newer; unless this one is booted with preempt=none or "
			  "preempt=voluntary, a call passes where another task is preempted in the "
			  "program, and the canary sees it" :
			  "a kernel whose BTF tells; the canary sees it where one was not" },
		{ "tracing programs load", answer(may, features->tracing_programs),
		  may ? "a kernel with CONFIG_BPF_EVENTS and CONFIG_FUNCTION_TRACER" :
			root_can_try },
		{ "task storage", answer(may, features->task_storage),
		  may ? "kernel 5.11 or newer" : root_can_try },
		{ "splice reaches the send hook", answer(features->btf, features->splice_sends),
		  "kernel 6.5 or newer; until then each read and write of a file costs a little more" },
	};

	ret->features = features;
	word_lsm_remedy(features, ret->lsm_remedy, sizeof(ret->lsm_remedy));
	memcpy(ret->findings, findings, sizeof(findings));
}

static bool is_available(enum ph_backend backend, const struct ph_features *features)
{
	if (!features->cgroup_programs || !features->reads_kernel)
		return false;
	return backend == PH_BACKEND_CGROUP || (features->lsm_programs && features->lsm_active);
}

static json_t *doors_json(uint64_t doors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ph_promises_n; i++)
		if (doors >> i & 1)
			(void)json_array_append_new(list, json_string(ph_promises[i].name));
	return list;
}

/* Nothing of a backend is known to whom the kernel lets try nothing. */
static void set_backend_json(json_t *object, enum ph_backend backend,
			     const struct ph_features *features)
{
	bool may = features->permitted;

	(void)json_object_set_new(
		object, backend_name(backend),
		json_pack("{s:o, s:o}", "available",
			  may ? json_boolean(is_available(backend, features)) : json_null(),
			  "open_doors",
			  may ? doors_json(doors_open(backend, features)) : json_null()));
}

static json_t *finding_json(const struct finding *finding)
{
	bool there = finding->there == ANSWER_YES;

	return json_pack("{s:s, s:o, s:s}", "what", finding->what, "there",
			 finding->there == ANSWER_UNKNOWN ? json_null() : json_boolean(there),
			 "remedy", there ? "" : finding->remedy);
}

static void print_json(const struct examination *examination)
{
	const struct ph_features *features = examination->features;
	json_t *object = json_object(), *list = json_array(), *backends = json_object();

	for (int i = 0; i < FINDINGS; i++)
		(void)json_array_append_new(list, finding_json(&examination->findings[i]));
	set_backend_json(backends, PH_BACKEND_LSM, features);
	set_backend_json(backends, PH_BACKEND_CGROUP, features);
	(void)json_object_set_new(object, "findings", list);
	(void)json_object_set_new(object, "lsm_list", json_string(features->lsm_list));
	(void)json_object_set_new(object, "backends", backends);
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
}

static void print_finding(const struct finding *finding)
{
	static const char *const words[] = {
		[ANSWER_NO] = "NO",
		[ANSWER_YES] = "yes",
		[ANSWER_UNKNOWN] = "?",
	};
	bool there = finding->there == ANSWER_YES;

	(void)printf("  %-3s  %s%s%s\n", words[finding->there], finding->what, there ? "" : ": ",
		     there ? "" : finding->remedy);
}

static void print_backend(enum ph_backend backend, const struct ph_features *features)
{
	uint64_t open = doors_open(backend, features);

	if (!is_available(backend, features)) {
		(void)printf("Backend %s: not here.\n", backend_name(backend));
		return;
	}
	(void)printf("Backend %s leaves open%s\n", backend_name(backend), open ? ":" : " nothing.");
	print_doors(open);
}

static void print_text(const struct examination *examination)
{
	const struct ph_features *features = examination->features;
	struct ph_fault f = {};
	struct utsname name;

	(void)uname(&name);
	(void)printf("Kernel %s %s\n", name.release, name.machine);
	for (int i = 0; i < FINDINGS; i++)
		print_finding(&examination->findings[i]);
	(void)printf("  active LSMs: %s\n\n",
		     *features->lsm_list ? features->lsm_list : "cannot be read");
	if (!features->permitted && confined_check(&f)) {
		(void)printf("All of this is as it looks from here: %s.\n", f.text);
		return;
	}
	if (!features->permitted) {
		(void)printf("Which doors the backends leave open only root can find out.\n");
		return;
	}
	print_backend(PH_BACKEND_LSM, features);
	print_backend(PH_BACKEND_CGROUP, features);
}

/* Yes: everything that auto promises can be had. */
static int status_of(const struct ph_features *features)
{
	uint64_t open = doors_open(PH_BACKEND_LSM, features) & ~doors_optional();

	if (!features->permitted)
		return PH_EXIT_IMPOSSIBLE;
	return is_available(PH_BACKEND_LSM, features) && !open ? PH_EXIT_OK : PH_EXIT_NO;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, {} };
	struct examination examination = {};
	struct ph_features features;
	struct ph_fault f = {};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return option_error("doctor");
		json = true;
	}
	if (optind != argc)
		return usage_error("doctor", "unexpected argument %s", argv[optind]);
	if (features_probe(&features, &f))
		return report_failure(NULL, &f);
	examine(&features, &examination);
	if (json)
		print_json(&examination);
	else
		print_text(&examination);
	return status_of(&features);
}
