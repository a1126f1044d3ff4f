// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "canary.h"
#include "cmd/cmd.h"
#include "daemon/outcome.h"
#include "daemon/single.h"
#include "events/position.h"
#include "kernel/generation.h"
#include "policy/pending.h"
#include "sources.h"
#include "util/cleanup.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

static void empty_directory(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);

	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_type == DT_REG)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
}

static void tell_remaining(void)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};

	if (store_load(NULL, &set, &problems) || !set.n)
		return;
	(void)printf("These policies of " PH_ETC_POLICIES " return at the next apply or boot:\n");
	for (size_t i = 0; i < set.n; i++)
		(void)printf("  %s (%s:%u)\n", set.policies[i].name, set.policies[i].file,
			     set.policies[i].line);
}

/* At once: a link goes some time after its pin. Maps of another version are not ours to write. */
static int end_enforcement(struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	int r = kernel_open(&kernel, f);

	if (r == -ENOENT || r == -ESTALE || r == -EPROTONOSUPPORT)
		return 0;
	return r ? r : generation_clear(&kernel, f);
}

int cmd_stop(int argc, char **argv)
{
	cleanup_close int lock = -1;
	struct ph_fault f = {};
	int r;

	if (argc != 1)
		return usage_error("stop", "unexpected argument %s", argv[1]);
	r = require_root("stop");
	if (r)
		return r;
	lock = single_stop(&f) ? -1 : apply_lock_only(&f);
	if (lock < 0)
		return report_failure(NULL, &f);
	/* The files first: whatever still runs may apply them again. */
	pending_discard();
	empty_directory(PH_RUN_POLICIES);
	if (end_enforcement(&f) || kernel_remove(&f))
		return report_failure(NULL, &f);
	sources_remove();
	canary_forget();
	outcome_remove();
	position_remove(PH_EVENTS_POSITION);
	(void)printf("Stopped: nothing is enforced, nothing is attached.\n");
	tell_remaining();
	return PH_EXIT_OK;
}
