/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_WORDS_H
#define PH_WORDS_H
/*
 * Parts of the grammar and of its printer that the files of this directory share.
 */
#include <stdio.h>

#include "policy/text.h"

bool proto_parse(const struct ph_word *word, enum ph_proto *ret);
bool rule_socket_parse(const struct ph_word *word, enum ph_rule_socket *ret);

/* Their failure shows when the stream ends. */
void rule_print(FILE *stream, const struct ph_rule *rule);
void expect_print(FILE *stream, const struct ph_expect *expect);

#endif
