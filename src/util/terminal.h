/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_TERMINAL_H
#define PH_TERMINAL_H
/* What a terminal may be sent, and nothing else. */
#include <stdbool.h>

#define PH_RED "\033[31m"
#define PH_YELLOW "\033[33m"
#define PH_PLAIN "\033[m"

/* Whether somebody looks at this descriptor who has not asked for no colours (no-color.org). */
bool terminal_takes_colours(int fd);

#endif
