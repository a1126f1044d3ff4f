/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FACTS_H
#define PH_FACTS_H
/* What explain tells of a question, as JSON. */
#include <jansson.h>

#include "cmd/question.h"

/* Adds the verdict on one flow to the list; *denied: it may be refused. 0 or an error of bench_ask(). */
int facts_add_flow(const struct question *question, const struct ph_flow_spec *flow, json_t *list,
		   bool *denied);

/* All of it, with the flows. */
json_t *facts_of(const struct question *question, json_t *flows);

#endif
