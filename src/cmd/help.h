/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_HELP_H
#define PH_HELP_H
/*
 * What `porthold VERB --help` says. Every option that a verb takes stands here; the man page and
 * the completions are held against it.
 */
#include <stdbool.h>

/* Prints the help of the verb, `what` being its line in the list of verbs; false: it has none. */
bool help_print(const char *verb, const char *what);

#endif
