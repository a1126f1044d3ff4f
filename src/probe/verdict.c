// SPDX-License-Identifier: GPL-2.0-or-later
/* From the outcome of a call, and from what reached the server, to an answer. */
#define _GNU_SOURCE 1
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "probe/internal.h"

#define SETTLE_MS 10
#define ARRIVAL_MS 300

enum probe_answer probe_say(struct probe_env *env, enum probe_answer answer, const char *format,
			    ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(env->detail, sizeof(env->detail), format, arguments);
	va_end(arguments);
	return answer;
}

static const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ?: "an unknown errno";
}

int probe_cannot(struct probe_env *env, const char *call)
{
	(void)probe_say(env, PROBE_UNTRIED, "cannot prepare: %s: %s", call, errno_name(errno));
	return -1;
}

/* The kernel lacks the thing: nothing was tried. */
static bool is_absent(int error)
{
	switch (error) {
	case EAFNOSUPPORT:
	case EPFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EOPNOTSUPP:
	case ENOPROTOOPT:
	case ENOSYS:
		return true;
	default:
		return false;
	}
}

enum probe_answer probe_judge_errno(struct probe_env *env, const char *call, long result,
				    int refusal)
{
	int error = errno;

	if (result >= 0)
		return probe_say(env, PROBE_ALLOWED, "%s: %ld", call, result);
	if (error == refusal)
		return probe_say(env, PROBE_DENIED, "%s: %s", call, errno_name(error));
	if (is_absent(error))
		return probe_say(env, PROBE_UNTRIED, "%s: %s", call, errno_name(error));
	return probe_say(env, PROBE_OTHER, "%s: %s", call, errno_name(error));
}

enum probe_answer probe_judge(struct probe_env *env, const char *call, long result)
{
	return probe_judge_errno(env, call, result, EPERM);
}

enum probe_answer probe_judge_passed(struct probe_env *env, const char *call, long result)
{
	int error = errno;

	if (result < 0 && error != EPERM && error != ENOSYS)
		return probe_say(env, PROBE_ALLOWED, "%s: %s, by the kernel", call,
				 errno_name(error));
	return probe_judge(env, call, result);
}

enum probe_answer probe_judge_invalid(struct probe_env *env, const char *call, long result)
{
	int error = errno;

	if (result >= 0)
		return probe_say(env, PROBE_ALLOWED, "%s: %ld", call, result);
	if (error == EINVAL || error == EAFNOSUPPORT || error == EPERM)
		return probe_say(env, PROBE_DENIED, "%s: %s", call, errno_name(error));
	return probe_say(env, PROBE_OTHER, "%s: %s", call, errno_name(error));
}

/* TCP on the allowed port is what the policy grants; what the server dialled is its own doing. */
int probe_forbidden(struct probe_env *env, uint64_t *ret)
{
	struct server_reply reply;
	int r = server_ask(env->server, SERVER_COUNT, 0, 0, &reply);

	*ret = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < SERVER_DIALLED * 2 * SERVER_PORTS; i++) {
		size_t kind = i / (2 * SERVER_PORTS), v6 = i / SERVER_PORTS % 2;
		size_t port = i % SERVER_PORTS;
		const struct server_count *count = &reply.count[kind][v6][port];

		if (kind == SERVER_TCP && reply.port[port] == env->allowed)
			continue;
		*ret += count->connections + count->messages + count->bytes;
	}
	return 0;
}

static void sleep_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* Whether something forbidden arrived since `before`; waits longer where it is expected to. */
static int arrived(struct probe_env *env, bool wait)
{
	uint64_t now;

	for (long waited = 0; waited <= (wait ? ARRIVAL_MS : SETTLE_MS); waited += SETTLE_MS) {
		int r = probe_forbidden(env, &now);

		if (r < 0)
			return r;
		if (now != env->before)
			return 1;
		sleep_ms(SETTLE_MS);
	}
	return 0;
}

static enum probe_answer weigh(struct probe_env *env, enum probe_answer answer)
{
	const struct probe *probe = env->probe;
	bool hoped = answer == PROBE_ALLOWED && (probe->flags & PROBE_ARRIVES);
	char said[PROBE_DETAIL];
	int r;

	if (env->step == 0 || probe->expect != PROBE_DENIED)
		return answer;
	r = arrived(env, hoped);
	memcpy(said, env->detail, sizeof(said));
	if (r < 0 && answer == PROBE_UNTRIED)
		return answer;
	if (r < 0)
		return probe_say(env, PROBE_OTHER, "%.200s; the server does not answer: %s", said,
				 errno_name(-r));
	if (r && !hoped)
		return probe_say(env, PROBE_ALLOWED, "%.200s, but something reached the server",
				 said);
	if (!r && hoped)
		return probe_say(env, PROBE_OTHER, "%.200s, but nothing reached the server", said);
	return answer;
}

void probe_finish(struct probe_env *env, enum probe_answer answer)
{
	struct probe_result result = { .answer = weigh(env, answer) };

	memcpy(result.detail, env->detail, sizeof(result.detail));
	_exit(write(env->result, &result, sizeof(result)) == sizeof(result) ? 0 : 1);
}
