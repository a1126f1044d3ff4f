// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT "porthold.service"

/* Its exit status; 127: there is no systemctl. It says nothing. */
static int systemctl(const char *verb)
{
	int status, null;
	pid_t pid = fork();

	if (pid < 0)
		return 127;
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)execlp("systemctl", "systemctl", "--quiet", verb, UNIT, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

bool service_enabled(void)
{
	return !systemctl("is-enabled");
}

int service_enable(struct ph_fault *f)
{
	int status = systemctl("enable");

	if (status)
		return fault(f, -EOPNOTSUPP, PH_EXIT_IMPOSSIBLE, "cannot enable " UNIT ": %s",
			     status == 127 ? "there is no systemctl here" :
					     "see systemctl enable " UNIT);
	return 0;
}

void service_disable(void)
{
	(void)systemctl("disable");
}
