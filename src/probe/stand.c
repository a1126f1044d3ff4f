// SPDX-License-Identifier: GPL-2.0-or-later
/* A private directory, the path under test, and the server. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/server.h"
#include "probe/stand.h"

static int make_directory(struct probe_stand *stand)
{
	const char *parent = getenv("TMPDIR") ?: "/tmp";

	if (snprintf(stand->dir, sizeof(stand->dir), "%s/porthold-probe-XXXXXX", parent) >=
		    (int)sizeof(stand->dir) ||
	    !mkdtemp(stand->dir)) {
		stand->dir[0] = '\0';
		return errno ? -errno : -ENAMETOOLONG;
	}
	return 0;
}

int stand_make(struct probe_stand *stand, const char *as)
{
	ssize_t n = readlink("/proc/self/exe", stand->self, sizeof(stand->self) - 1);
	int r = n < 0 ? -errno : make_directory(stand);

	if (r < 0)
		return r;
	if (strchr(as, '/')) {
		(void)snprintf(stand->as, sizeof(stand->as), "%s", as);
		return access(as, X_OK) < 0 ? -errno : 0;
	}
	(void)snprintf(stand->as, sizeof(stand->as), "%s/%s", stand->dir, as);
	return symlink(stand->self, stand->as) < 0 ? -errno : 0;
}

int stand_serve(struct probe_stand *stand, const uint16_t *ports, size_t n_ports, bool loads)
{
	(void)snprintf(stand->control, sizeof(stand->control), "%s/control", stand->dir);
	return server_spawn(ports, n_ports, stand->control, loads, &stand->server);
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
