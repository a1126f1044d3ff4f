/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_REFERENCE_H
#define PH_REFERENCE_H
/*
 * What one policy says about one flow, written plainly and slowly from the words of the design.
 * Tests hold the compiled decision against it; explain and expect name the rule by it.
 *
 *	connect		a connect rule fits the remote port and address
 *	bind		a bind rule fits the local port and its `on` the address; port 0 passes
 *	listen		as bind, but port 0 stands for a port that the kernel chooses: it passes if
 *			the rules without addresses allow every port, or those with addresses do
 *	accept		as listen, and the rule's `from` fits the peer
 *	send, receive	a connect rule fits the remote; or a bind rule fits the local port and
 *			address, and its `from` the peer
 *	socket		tcp and udp pass; another kind if a rule names it
 *
 * A remote that a call names (connect, send) and that is 0.0.0.0 or :: is the host itself: 0.0.0.0 is the
 * local IPv4 address if there is one, or else 127.0.0.1; :: is ::1, or 127.0.0.1 where the local address
 * is IPv4.
 * A local address that is not given is the wildcard: of the remote's family, or, where there is no
 * remote, of both families, and both must pass. A local port that is not given fits no rule.
 * The mode is not looked at. `dns` allows nothing here unless policy_resolve() expanded it.
 */
#include "policy/policy.h"

/* *ret_rule (may be NULL) is the rule that allows; NULL if none is needed or none does. */
bool reference_allows(const struct ph_policy *policy, const struct ph_flow_spec *flow,
		      const struct ph_rule **ret_rule);

#endif
