/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_TABLES_H
#define READERS_TABLES_H
/* The tables of the policies that readers/words.h tells in words, as the program compiles them. */

void tables_open(const char *policies);

unsigned long long tables_id(unsigned i);
const void *tables_grant(unsigned index);
const void *tables_index(unsigned long long id);
const void *tables_chunk(unsigned place);
const void *tables_prefix(const void *key);

#endif
