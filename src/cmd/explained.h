/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EXPLAINED_H
#define PH_EXPLAINED_H
/* What explain gathers, as a person reads it. */
#include <jansson.h>

void explained_print(const json_t *facts);

#endif
