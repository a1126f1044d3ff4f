/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_ASKED_BPF_H
#define PH_ASKED_BPF_H

/*
 * Whom a TCP socket was asked to reach. A service load balancer, which is a program on the same cgroup
 * hooks, may send elsewhere what the first line has let pass. So, where there may be such
 * (ph_front.rewriters), the first line notes on the socket what was asked for; where the socket's traffic
 * is judged later, that counts in place of the peer that it has.
 *
 * The second line confirms the note, in the same call of the same thread. A connect that it alone
 * sees, for the socket is in the hands of somebody whom nothing confines, ends it. So what counts is
 * what the last connect asked for: a TCP socket gets no other peer without one. A UDP socket does, and
 * any connect of one passes: its traffic is judged by the peer that it has.
 */
#include "judge.bpf.h"

static __always_inline bool may_be_rewritten(void)
{
	return *(volatile __u64 *)&ph_front.rewriters;
}

/*
 * `by`: the thread, or 0 where nobody has to confirm it. The address of nobody is not noted: the kernel
 * makes it that of this host.
 */
static __always_inline void note_asked(struct ph_sock_past *past, const struct ph_flow *flow,
				       __u32 by)
{
	__u32 any = 0;

	past->by = by;
	past->port = flow->remote_port;
	for (__u32 i = 0; i < 4; i++) {
		past->word[i] = flow->remote.word[i];
		any |= flow->remote.word[i];
	}
	past->flags = any ? PH_SOCK_ASKED | (flow->remote.v6 & 1) * PH_SOCK_ASKED_V6 : 0;
}

/* Whether the first line has judged this very call; if not, it ends what was noted. */
static __always_inline bool confirm_asked(struct ph_sock_past *past)
{
	struct glance caller;

	if (!(past->flags & PH_SOCK_ASKED))
		return false;
	if (past->by == (__u32)bpf_get_current_pid_tgid() && glance(&caller)) {
		past->by = 0;
		return true;
	}
	past->flags = 0;
	return false;
}

/* All ones if it is traffic to another peer than was asked for, else 0; without a branch. */
static __always_inline __u64 mask_elsewhere(const struct ph_sock_past *past,
					    const struct ph_flow *flow)
{
	__u64 differ = flow->remote_port ^ past->port;

	for (__u32 i = 0; i < 4; i++)
		differ |= flow->remote.word[i] ^ past->word[i];
	return ~ph_mask_equal(differ, 0) & ph_mask_equal(past->by, 0) &
	       ~ph_mask_equal(past->flags & PH_SOCK_ASKED, 0) &
	       ph_mask_equal(flow->question, PH_ASK_TRAFFIC);
}

/* Where the mask says so, it is judged as what was asked for. */
static __always_inline void view_asked(struct ph_flow *flow, const struct ph_sock_past *past,
				       __u64 mask)
{
	__u64 v6 = ~ph_mask_equal(past->flags & PH_SOCK_ASKED_V6, 0) & 1;

	flow->remote_port ^= (flow->remote_port ^ past->port) & mask;
	for (__u32 i = 0; i < 4; i++)
		flow->remote.word[i] ^= (flow->remote.word[i] ^ past->word[i]) & mask;
	flow->remote.v6 ^= (flow->remote.v6 ^ v6) & mask;
}

#endif
