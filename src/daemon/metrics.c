// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request waits, suspended, for a worker's answer. One worker answers all who wait.
 */
#include "daemon/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/say.h"
#include "util/cleanup.h"

#define CONNECTIONS_MAX 16
#define IDLE_SECONDS 10
#define ACCURACY_USEC 100000

struct metrics_request {
	struct metrics_request *next;
	struct MHD_Connection *connection;
	bool begun;
	bool answered;
	char *answer; /* NULL: the worker failed */
	size_t length;
};

/* Whatever happened: the server works on, and says when it wants to be called again. */
static void run(struct ph_metrics *metrics)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	(void)MHD_run(metrics->server);
	if (MHD_get_timeout(metrics->server, &timeout) == MHD_YES) {
		(void)sd_event_source_set_time_relative(metrics->timer, timeout * 1000);
		(void)sd_event_source_set_enabled(metrics->timer, SD_EVENT_ONESHOT);
	} else {
		(void)sd_event_source_set_enabled(metrics->timer, SD_EVENT_OFF);
	}
}

/* --- Requests */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
			       char *text, size_t length, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);
	enum MHD_Result r;

	if (!response) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, "Content-Type", type);
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
	return respond(connection, status, "text/plain; charset=utf-8", (char *)why, strlen(why),
		       MHD_RESPMEM_PERSISTENT);
}

static void on_gathered(void *user, const char *answer, size_t length)
{
	struct ph_metrics *metrics = user;

	while (metrics->waiting) {
		struct metrics_request *request = metrics->waiting;

		metrics->waiting = request->next;
		request->answered = true;
		request->answer = answer ? strndup(answer, length) : NULL;
		request->length = request->answer ? length : 0;
		MHD_resume_connection(request->connection);
	}
	run(metrics);
}

static enum MHD_Result wait_for_answer(struct ph_metrics *metrics, struct metrics_request *request)
{
	if (!worker_busy(&metrics->worker) &&
	    worker_start(&metrics->worker, metrics->event, metrics->gather, metrics->facts,
			 on_gathered, metrics))
		return refuse(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "busy\n");
	request->next = metrics->waiting;
	metrics->waiting = request;
	MHD_suspend_connection(request->connection);
	return MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct metrics_request *request = *state;

	if (!request) {
		*state = calloc(1, sizeof(*request));
		return *state ? MHD_YES : MHD_NO;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	if (strcmp(path, "/metrics"))
		return refuse(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	if (!request->begun) {
		request->begun = true;
		request->connection = connection;
		return wait_for_answer(user, request);
	}
	if (!request->answer)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "see porthold's log\n");
	return respond(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
		       TAKE_PTR(request->answer), request->length, MHD_RESPMEM_MUST_FREE);
}

static void forget_waiting(struct ph_metrics *metrics, const struct metrics_request *gone)
{
	for (struct metrics_request **at = &metrics->waiting; *at; at = &(*at)->next) {
		if (*at != gone)
			continue;
		*at = gone->next;
		return;
	}
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct metrics_request *request = *state;

	if (!request)
		return;
	forget_waiting(user, request);
	free(request->answer);
	free(request);
	*state = NULL;
}

/* --- The server */

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	run(user);
	return 0;
}

static int on_due(sd_event_source *source, uint64_t now, void *user)
{
	run(user);
	return 0;
}

/* A socket that a daemon before us left; what else lies there is not ours. */
static void remove_stale(const struct ph_listen *where)
{
	struct stat st;

	if (where->any.sa_family == AF_UNIX && !lstat(where->local.sun_path, &st) &&
	    S_ISSOCK(st.st_mode))
		(void)unlink(where->local.sun_path);
}

static int open_socket(const struct ph_listen *where)
{
	cleanup_close int fd =
		socket(where->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return -errno;
	remove_stale(where);
	if (where->any.sa_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &where->any, where->length) || listen(fd, CONNECTIONS_MAX))
		return -errno;
	if (where->any.sa_family == AF_UNIX && chmod(where->local.sun_path, 0660))
		return -errno;
	return TAKE_FD(fd);
}

static int start_server(struct ph_metrics *metrics)
{
	cleanup_close int fd = open_socket(&metrics->listen);
	const union MHD_DaemonInfo *info;
	int r;

	if (fd < 0)
		return fd;
	metrics->server = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
					   on_request, metrics, MHD_OPTION_LISTEN_SOCKET, fd,
					   MHD_OPTION_NOTIFY_COMPLETED, on_completed, metrics,
					   MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
					   MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
					   MHD_OPTION_END);
	if (!metrics->server)
		return -ENOMEM;
	(void)TAKE_FD(fd); /* the server closes it */
	info = MHD_get_daemon_info(metrics->server, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOTSUP;
	r = sd_event_add_io(metrics->event, &metrics->io, info->epoll_fd, EPOLLIN, on_readable,
			    metrics);
	if (r >= 0)
		r = sd_event_add_time(metrics->event, &metrics->timer, CLOCK_MONOTONIC, 0,
				      ACCURACY_USEC, on_due, metrics);
	if (r >= 0)
		r = sd_event_source_set_enabled(metrics->timer, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

void metrics_stop(struct ph_metrics *metrics)
{
	worker_cancel(&metrics->worker);
	metrics->io = sd_event_source_disable_unref(metrics->io);
	metrics->timer = sd_event_source_disable_unref(metrics->timer);
	while (metrics->waiting) {
		struct metrics_request *request = metrics->waiting;

		metrics->waiting = request->next;
		MHD_resume_connection(request->connection);
	}
	if (metrics->server) {
		MHD_stop_daemon(metrics->server);
		remove_stale(&metrics->listen);
	}
	*metrics = (struct ph_metrics){};
}

static bool same_place(const struct ph_listen *a, const struct ph_listen *b)
{
	return a->length == b->length && !memcmp(&a->local, &b->local, a->length);
}

void metrics_serve(struct ph_metrics *metrics, sd_event *event, const struct ph_listen *where,
		   ph_worker_job gather, const void *facts)
{
	int r;

	if (same_place(&metrics->listen, where))
		return;
	metrics_stop(metrics);
	if (where->any.sa_family == AF_UNSPEC)
		return;
	*metrics = (struct ph_metrics){
		.event = event, .gather = gather, .facts = facts, .listen = *where
	};
	r = start_server(metrics);
	if (!r)
		return;
	say(LOG_ERR, "cannot serve metrics: %s", strerror(-r));
	metrics_stop(metrics);
}
