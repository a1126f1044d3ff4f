/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_EVENT_RULE_H
#define PH_EVENT_RULE_H
/*
 * What a denied call asked, in the words of policy files, and the rule that would have allowed it.
 */
#include "kernel/load.h"
#include "policy/policy.h"

/*
 * *ret: the smallest rule that would have allowed just that, the caller's to free; or NULL, and
 * *ret_why says why there is none. 0 or -ENOMEM.
 */
int event_rule(const struct ph_event *event, char **ret, const char **ret_why);

/* Whether it was about the local end (bind, listen, …); else it was about the remote one. */
bool event_is_local(const struct ph_event *event);

/* "tcp", "udp", "icmp", …; "none" where there was no socket. */
const char *event_protocol(const struct ph_event *event);

/* enum ph_socket_kind. */
unsigned event_socket_kind(const struct ph_event *event);

#endif
