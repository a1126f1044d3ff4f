// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool terminal_takes_colours(int fd)
{
	const char *unwanted = getenv("NO_COLOR"), *kind = getenv("TERM");

	return (!unwanted || !*unwanted) && kind && strcmp(kind, "dumb") && isatty(fd);
}
