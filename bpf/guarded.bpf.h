/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_GUARDED_BPF_H
#define PH_GUARDED_BPF_H

/*
 * Datagram sockets may be connected to whomever: that sends nothing. But a send without a name goes to
 * the peer that the socket has when the kernel looks, which another thread may have set after the hook
 * looked. Where the second line sees every packet, for the socket carries the label of its maker, it
 * judges where the packet goes. Of any other socket the connect is judged, so that it can have no peer
 * that is not granted.
 */
#include "judge.bpf.h"

/*
 * Whether the second line judges what the socket sends by the policies that confine the caller: by all of
 * them, and by no other, which might grant more.
 */
static __always_inline bool is_guarded(const struct glance *seen, const struct ph_sock_label *label)
{
	/* Of a caller for whom more has to be put together there is no room on the stack to ask. */
	return label && seen->ids && are_same_ids(&label->policies, seen->ids);
}

#endif
