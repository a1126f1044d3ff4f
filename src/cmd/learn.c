// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * learn: what a process does, as a policy that allows just that. An audit policy that grants
 * nothing makes every call an event and refuses none; it lies in a file of its own for as long as
 * this verb runs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/learned.h"
#include "policy/name.h"
#include "policy/store.h"
#include "util/cleanup.h"

#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define SECONDS_MAX (30u * 24 * 3600)

DEFINE_CLEANUP_DONE(struct ph_policy, policy_done);
DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);
DEFINE_CLEANUP_DONE(struct ph_seen, seen_done);

struct request {
	const char *name; /* of the processes; or */
	const char *policy; /* the one in force that is held against what is seen */
	unsigned seconds; /* 0: until a signal */
	enum ph_addresses addresses;
	bool json;
	struct ph_apply_options apply;
};

enum {
	OPTION_NAME = PH_OPTION_OWN,
	OPTION_POLICY,
	OPTION_FOR,
	OPTION_ADDRESSES,
	OPTION_JSON,
};

/* --- Arguments */

/* "30s", "10m", "1h", "2d"; a bare number is seconds. 0: it is none of these. */
static unsigned parse_time(const char *text)
{
	static const char units[] = "smhd";
	static const unsigned factors[] = { 1, 60, 3600, 24 * 3600 };
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, text[digits]) : units;
	unsigned long number = strtoul(text, NULL, 10);

	if (!digits || digits > 7 || !unit || (text[digits] && text[digits + 1]))
		return 0;
	number *= factors[unit - units];
	return number <= SECONDS_MAX ? number : 0;
}

static int take_addresses(struct request *request, const char *value)
{
	static const char *const names[] = {
		[PH_ADDRESSES_EXACT] = "exact",
		[PH_ADDRESSES_NET] = "net",
		[PH_ADDRESSES_ANY] = "any",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		request->addresses = i;
		return 0;
	}
	return usage_error("learn", "--addresses %s: exact, net or any", value);
}

static int take_option(struct request *request, int option)
{
	switch (option) {
	case OPTION_NAME:
		request->name = optarg;
		return 0;
	case OPTION_POLICY:
		request->policy = optarg;
		return 0;
	case OPTION_FOR:
		request->seconds = parse_time(optarg);
		if (request->seconds)
			return 0;
		return usage_error("learn", "--for %s: write 30s, 10m, 1h or 2d, up to 30d",
				   optarg);
	case OPTION_ADDRESSES:
		return take_addresses(request, optarg);
	case OPTION_JSON:
		request->json = true;
		return 0;
	case '?':
		return option_error("learn");
	default:
		return take_apply_option("learn", &request->apply, option, optarg);
	}
}

static int parse_arguments(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		PH_APPLY_OPTIONS,
		{ "name", required_argument, NULL, OPTION_NAME },
		{ "policy", required_argument, NULL, OPTION_POLICY },
		{ "for", required_argument, NULL, OPTION_FOR },
		{ "addresses", required_argument, NULL, OPTION_ADDRESSES },
		{ "json", no_argument, NULL, OPTION_JSON },
		{},
	};
	struct ph_text_error error;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(request, option);
		if (r)
			return r;
	}
	if (!request->name == !request->policy)
		return usage_error("learn", "expected --name NAME, or --policy POLICY");
	if (optind != argc)
		return usage_error("learn", "unexpected argument %s", argv[optind]);
	if (request->name && comm_check(request->name, strlen(request->name), &error))
		return report_text_error("learn", request->name, &error);
	return 0;
}

/* --- Whom to watch */

/* The policy of that name, a copy with its file's name borrowed from the set. */
static int find_policy(const char *name, struct ph_policy_set *set, struct ph_policy *ret)
{
	cleanup_(problems_donep) struct ph_problems problems = {};
	const struct ph_policy *found;
	struct ph_fault f = {};

	if (store_load_good(NULL, set, &problems)) {
		(void)fault(&f, 0, PH_EXIT_NO, "the policy files cannot be read");
		return report_failure(&problems, &f);
	}
	found = policy_set_find(set, name);
	if (!found) {
		(void)fprintf(stderr,
			      "porthold learn: no policy is called %s; see porthold status\n",
			      name);
		return PH_EXIT_NO;
	}
	return policy_copy(found, ret) ? no_memory("learn") : 0;
}

static int make_subject(const struct request *request, struct ph_policy_set *set,
			struct ph_policy *ret)
{
	if (request->policy)
		return find_policy(request->policy, set, ret);
	ret->name = strdup(request->name);
	(void)snprintf(ret->match.comm, sizeof(ret->match.comm), "%s", request->name);
	return ret->name ? 0 : no_memory("learn");
}

/* The ports that the kernel gives to clients; its default where it does not say. */
static struct ph_range read_port_range(void)
{
	cleanup_fclose FILE *file = fopen(PORT_RANGE, "re");
	struct ph_range range = { 32768, 60999 };
	unsigned lo, hi;

	if (file && fscanf(file, "%u %u", &lo, &hi) == 2 && lo && lo <= hi && hi <= UINT16_MAX)
		range = (struct ph_range){ lo, hi };
	return range;
}

/* --- Watching */

static void block_signals(sigset_t *ret)
{
	(void)sigemptyset(ret);
	(void)sigaddset(ret, SIGINT);
	(void)sigaddset(ret, SIGTERM);
	(void)sigaddset(ret, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, ret, NULL);
}

static void tell_start(const struct request *request, const struct ph_policy *subject,
		       const struct ph_lookout *lookout)
{
	if (lookout->adopted)
		(void)fprintf(stderr, "porthold learn: an earlier learn did not end properly; its "
				      "audit policy, which refused nothing, is taken over\n");
	(void)fprintf(stderr,
		      "porthold learn: watching %s%s by backend %s, refusing nothing itself. ",
		      request->policy ? "policy " : "processes named ", subject->name,
		      backend_name(lookout->backend));
	if (request->seconds)
		(void)fprintf(stderr, "%u seconds, or until Ctrl-C.\n", request->seconds);
	else
		(void)fprintf(stderr, "Ctrl-C ends.\n");
}

/* The signals stay blocked from before the first change until the last is undone. */
static int observe(const struct request *request, const struct ph_policy *subject,
		   struct ph_seen *seen, struct ph_lookout_report *ret)
{
	struct ph_lookout lookout = PH_LOOKOUT_NULL;
	sigset_t signals;
	int r, end;

	block_signals(&signals);
	r = lookout_begin(&lookout, subject, &request->apply);
	if (r)
		return r;
	tell_start(request, subject, &lookout);
	r = lookout_run(&lookout, &signals, request->seconds, seen);
	end = lookout_end(&lookout, seen, ret);
	return r ? r : end;
}

int cmd_learn(int argc, char **argv)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(policy_donep) struct ph_policy subject = {};
	cleanup_(seen_donep) struct ph_seen seen = {};
	struct ph_lookout_report watched = {};
	struct request request = {};
	struct ph_learned learned;
	int r = parse_arguments(argc, argv, &request);

	if (!r)
		r = require_root("learn");
	if (!r)
		r = make_subject(&request, &set, &subject);
	if (r)
		return r;
	seen.chosen = read_port_range();
	r = observe(&request, &subject, &seen, &watched);
	if (r)
		return r;
	learned = (struct ph_learned){
		.subject = &subject,
		.compare = request.policy,
		.addresses = request.addresses,
		.json = request.json,
		.seen = &seen,
		.watched = &watched,
	};
	return learned_print(&learned);
}
