// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/exposition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/attached.h"
#include "kernel/counters.h"
#include "kernel/cover.h"
#include "kernel/generation.h"
#include "kernel/labels.h"
#include "kernel/processes.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/clock.h"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_processes, processes_done);
DEFINE_CLEANUP_DONE(struct ph_counters, counters_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

struct row {
	uint64_t id;
	const struct ph_policy *policy;
	size_t confined; /* processes */
};

struct table {
	struct row *v; /* sorted by id */
	size_t n;
};

/* --- The format */

static void head(FILE *to, const char *name, const char *type, const char *what)
{
	(void)fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, what, name, type);
}

static void single(FILE *to, const char *name, const char *type, const char *what, uint64_t value)
{
	head(to, name, type, what);
	(void)fprintf(to, "%s %" PRIu64 "\n", name, value);
}

/* label="value", with what would end the value made plain. */
static void label(FILE *to, const char *name, const char *value)
{
	(void)fprintf(to, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			(void)fputs("\\n", to);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(to, "\\%c", *value);
		else
			(void)fputc(*value, to);
	}
	(void)fputc('"', to);
}

/* --- Policies by their ids */

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static struct row *find_row(const struct table *table, uint64_t id)
{
	const struct row key = { .id = id };

	return table->n ? bsearch(&key, table->v, table->n, sizeof(key), compare_rows) : NULL;
}

static bool make_table(const struct ph_policy_set *set, struct table *ret)
{
	ret->v = calloc(set->n ? set->n : 1, sizeof(*ret->v));
	if (!ret->v)
		return false;
	ret->n = set->n;
	for (size_t i = 0; i < set->n; i++) {
		ret->v[i].id = policy_id(&set->policies[i]);
		ret->v[i].policy = &set->policies[i];
	}
	qsort(ret->v, ret->n, sizeof(*ret->v), compare_rows);
	return true;
}

static void count_labels(struct table *table, const struct ph_labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct ph_labelled *task = &labels->v[i];

		if (task->pid != task->tgid)
			continue;
		for (__u32 j = 0; j < task->policies.count && j < PH_LABEL_MAX; j++) {
			struct row *row = find_row(table, task->policies.id[j]);

			if (row)
				row->confined++;
		}
	}
}

/* Where the host keeps no labels, names decide. */
static void count_names(struct table *table, const struct ph_processes *processes)
{
	for (size_t i = 0; i < processes->n; i++)
		for (size_t j = 0; j < table->n; j++)
			table->v[j].confined +=
				!strcmp(processes->v[i].comm, table->v[j].policy->match.comm);
}

static void count_confined(struct table *table)
{
	cleanup_(processes_donep) struct ph_processes processes = {};
	cleanup_(labels_donep) struct ph_labels labels = {};
	struct ph_cover cover;

	cover_recorded(&cover);
	if (!labels_pass(&labels)) {
		cover_labels(&cover, &labels);
		count_labels(table, &labels);
	} else if (!processes_read(&processes)) {
		cover_processes(&cover, &processes);
		count_names(table, &processes);
	}
}

static void write_policies(FILE *to, const struct table *table)
{
	head(to, "porthold_confined_processes", "gauge",
	     "Processes that a policy confines now (in audit mode: watches).");
	for (size_t i = 0; i < table->n; i++) {
		(void)fputs("porthold_confined_processes{", to);
		label(to, "policy", table->v[i].policy->name);
		(void)fprintf(to, ",mode=\"%s\"} %zu\n", policy_mode_name(table->v[i].policy->mode),
			      table->v[i].confined);
	}
}

/* --- What the kernel counts */

static void write_counter(FILE *to, const char *name, const struct table *table,
			  const struct ph_counter *counter)
{
	const struct row *row = find_row(table, counter->key.policy);
	char gone[17];

	/* Counters outlive their policies. */
	(void)snprintf(gone, sizeof(gone), "%016" PRIx64, (uint64_t)counter->key.policy);
	(void)fprintf(to, "%s{", name);
	label(to, "policy", row ? row->policy->name : gone);
	(void)fprintf(to, ",door=\"%s\"} %" PRIu64 "\n", door_name(counter->key.door),
		      counter->value);
}

static void write_counters(FILE *to, const struct ph_counters *counters, const struct table *table)
{
	static const struct {
		const char *name, *what;
	} counts[PH_COUNT_MAX] = {
		[PH_COUNT_ATTEMPT] = { "porthold_denied_calls_total", "Calls that were refused." },
		[PH_COUNT_PACKET] = { "porthold_dropped_packets_total",
				      "Packets that the second line dropped." },
		[PH_COUNT_AUDIT] = { "porthold_audited_calls_total",
				     "Calls that a policy in audit mode would have refused." },
	};

	for (unsigned count = 0; count < PH_COUNT_MAX; count++) {
		head(to, counts[count].name, "counter", counts[count].what);
		for (size_t i = 0; i < counters->n; i++) {
			const struct ph_counter *counter = &counters->v[i];

			if (counter->key.count == count && counter->key.policy != PH_CANARY_ID)
				write_counter(to, counts[count].name, table, counter);
		}
	}
}

static void write_errors(FILE *to, const struct ph_kernel *kernel)
{
	struct ph_missed missed;

	attached_missed(kernel, &missed);
	head(to, "porthold_kernel_errors_total", "counter",
	     "Internal errors of the programs in the kernel; see porthold(8).");
	for (unsigned i = 0; i < PH_HEALTH_ERRORS; i++)
		(void)fprintf(to, "porthold_kernel_errors_total{kind=\"%s\"} %" PRIu64 "\n",
			      health_name(i), health_read(kernel, i));
	(void)fprintf(to, "porthold_kernel_errors_total{kind=\"label_missed\"} %" PRIu64 "\n",
		      missed.labels);
	head(to, "porthold_rewritten_sockets_total", "counter",
	     "Sockets that reach another peer than they asked for: a load balancer.");
	(void)fprintf(to, "porthold_rewritten_sockets_total %" PRIu64 "\n",
		      health_read(kernel, PH_HEALTH_REWRITTEN));
	single(to, "porthold_events_folded_total", "counter",
	       "Denials without an event of their own, as the same was told a moment ago.",
	       health_read(kernel, PH_HEALTH_FOLDED));
	single(to, "porthold_events_withheld_total", "counter",
	       "Denials without an event, as one policy or user had too many.",
	       health_read(kernel, PH_HEALTH_WITHHELD));
}

static void write_kernel(FILE *to)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	cleanup_(counters_donep) struct ph_counters counters = {};
	struct table table = {};

	if (kernel_open(&kernel, &(struct ph_fault){}))
		return;
	(void)store_load_good(NULL, &set, &problems);
	if (make_table(&set, &table)) {
		count_confined(&table);
		write_policies(to, &table);
		(void)counters_read(&kernel, &counters);
		write_counters(to, &counters, &table);
		write_errors(to, &kernel);
	}
	free(table.v);
}

/* --- What the daemon knows */

static void write_time(FILE *to, const char *name, const char *what, uint64_t boot)
{
	uint64_t then = boot_to_wall(boot);

	if (!boot)
		return;
	head(to, name, "gauge", what);
	(void)fprintf(to, "%s %llu.%03u\n", name, then / PH_SECOND,
		      (unsigned)(then % PH_SECOND / 1000000));
}

static void write_state(FILE *to, const struct ph_reload_report *report, bool errors)
{
	head(to, "porthold_build_info", "gauge", "The version, as a label.");
	(void)fputs("porthold_build_info{version=\"" PH_VERSION "\"} 1\n", to);
	head(to, "porthold_backend_info", "gauge", "The backend that is in force, as a label.");
	(void)fprintf(to, "porthold_backend_info{backend=\"%s\"} 1\n",
		      backend_name(report->in_force ? report->backend : PH_BACKEND_NONE));
	single(to, "porthold_in_force", "gauge", "Whether policies are in force.",
	       report->in_force);
	single(to, "porthold_generation", "gauge", "The generation in force, or the last one.",
	       report->generation);
	single(to, "porthold_policies", "gauge", "Policies in force.", report->policies);
	single(to, "porthold_degraded", "gauge",
	       "Whether doors are open that need not be, policy files are bad, or the programs in "
	       "the kernel have met errors.",
	       report->degraded || report->bad_files || report->status || errors);
	head(to, "porthold_open_door", "gauge", "Whether this way to the network is open.");
	for (size_t i = 0; report->in_force && i < ph_promises_n; i++)
		(void)fprintf(to, "porthold_open_door{door=\"%s\"} %u\n", ph_promises[i].name,
			      (unsigned)(report->open >> i & 1));
}

static void write_applies(FILE *to, const struct ph_exposed *exposed)
{
	head(to, "porthold_applies_total", "counter", "How often the policy files were applied.");
	(void)fprintf(to, "porthold_applies_total{result=\"success\"} %" PRIu64 "\n",
		      exposed->applies);
	(void)fprintf(to, "porthold_applies_total{result=\"failure\"} %" PRIu64 "\n",
		      exposed->failed_applies);
	write_time(to, "porthold_last_apply_timestamp_seconds",
		   "When the policy files were last applied, or tried to be.", exposed->applied);
	single(to, "porthold_last_apply_success", "gauge", "Whether that succeeded.",
	       exposed->apply_succeeded);
}

static void write_canary(FILE *to, const struct ph_exposed *exposed)
{
	single(to, "porthold_canary_runs_total", "counter",
	       "How often the canary looked whether enforcement works.", exposed->checks);
	single(to, "porthold_canary_failures_total", "counter", "How often it found that it fails.",
	       exposed->failed_checks);
	if (!exposed->checked)
		return;
	single(to, "porthold_canary_success", "gauge", "What the canary found last.",
	       exposed->check_succeeded);
	write_time(to, "porthold_canary_timestamp_seconds", "When that was.", exposed->checked);
	single(to, "porthold_canary_age_seconds", "gauge", "How long ago that was.",
	       (boot_now() - exposed->checked) / PH_SECOND);
}

static void write_events(FILE *to, const struct ph_denials *denials)
{
	struct ph_eventlog_counts counts;

	denials_counts(denials, &counts);
	single(to, "porthold_events_read_total", "counter", "Denials that the daemon saw.",
	       counts.read);
	single(to, "porthold_events_lost_total", "counter",
	       "Denials that were counted, and whose details were overwritten.", counts.lost);
	single(to, "porthold_event_lines_total", "counter", "Lines about denials.", counts.told);
	single(to, "porthold_event_lines_withheld_total", "counter",
	       "Kinds of denial that were not told, as there were too many.", counts.withheld);
	single(to, "porthold_event_lines_failed_total", "counter",
	       "Lines that the journal or a file did not take.", counts.failed);
}

void exposition_write(const void *argument, FILE *answer)
{
	const struct ph_exposed *exposed = argument;
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	bool errors = !kernel_open(&kernel, &(struct ph_fault){}) && health_errors(&kernel);

	write_state(answer, exposed->report, errors);
	write_applies(answer, exposed);
	write_canary(answer, exposed);
	write_events(answer, exposed->denials);
	write_kernel(answer);
}
