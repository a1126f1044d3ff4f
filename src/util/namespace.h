/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_UTIL_NAMESPACE_H
#define PH_UTIL_NAMESPACE_H

#include <stdint.h>
#include <sys/stat.h>

/*
 * The number of the namespace that a link such as /proc/1/ns/net leads to; 0: this process may not know.
 * It has to be asked what it came to: Linux 5.10 gives whoever may not follow the link the directory of the links.
 */
static inline uint32_t namespace_number(const char *path)
{
	struct stat st;

	return stat(path, &st) || !S_ISREG(st.st_mode) ? 0 : (uint32_t)st.st_ino;
}

#endif
