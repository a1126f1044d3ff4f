// SPDX-License-Identifier: GPL-2.0-or-later
/* A private directory, the path under test, and the server. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/server.h"
#include "probe/stand.h"

static int __attribute__((format(printf, 3, 4)))
write_path(char *to, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(to, size, format, arguments);
	va_end(arguments);
	return length >= 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

static int make_directory(struct probe_stand *stand)
{
	const char *parent = getenv("TMPDIR") ?: "/tmp";
	int r = write_path(stand->dir, sizeof(stand->dir), "%s/porthold-probe-XXXXXX", parent);

	if (!r && !mkdtemp(stand->dir))
		r = -errno;
	if (r)
		stand->dir[0] = '\0';
	return r;
}

static int find_self(struct probe_stand *stand)
{
	ssize_t n = readlink("/proc/self/exe", stand->self, sizeof(stand->self));

	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(stand->self))
		return -ENAMETOOLONG;
	stand->self[n] = '\0';
	return 0;
}

int stand_make(struct probe_stand *stand, const char *as)
{
	int r = find_self(stand);

	if (!r)
		r = make_directory(stand);
	if (r)
		return r;
	if (strchr(as, '/')) {
		r = write_path(stand->as, sizeof(stand->as), "%s", as);
		return r ? r : access(as, X_OK) < 0 ? -errno : 0;
	}
	r = write_path(stand->as, sizeof(stand->as), "%s/%s", stand->dir, as);
	return r ? r : symlink(stand->self, stand->as) < 0 ? -errno : 0;
}

int stand_serve(struct probe_stand *stand, const uint16_t *ports, size_t n_ports, bool loads)
{
	int r = write_path(stand->control, sizeof(stand->control), "%s/control", stand->dir);

	return r ? r : server_spawn(ports, n_ports, stand->control, loads, &stand->server);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)remove(path);
	return 0;
}

void stand_remove(struct probe_stand *stand)
{
	if (stand->server > 0) {
		(void)kill(stand->server, SIGKILL);
		(void)waitpid(stand->server, NULL, 0);
	}
	if (stand->dir[0])
		(void)nftw(stand->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	*stand = (struct probe_stand){};
}
