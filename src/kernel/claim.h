/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_KERNEL_CLAIM_H
#define PH_KERNEL_CLAIM_H
/*
 * Labels by id (bpf/claim.bpf.h): who offers a policy tells a secret to the process that shall be under
 * it, which shows it to the kernel. One offer stands at a time on a machine.
 */
#include "kernel/load.h"

struct ph_claim_offer {
	int lock; /* no other offer stands while it is open */
	uint32_t address; /* network order, as the port */
	uint16_t port;
};

#define PH_CLAIM_NULL      \
	{                  \
		.lock = -1 \
	}

/* Waits until no other offer stands. 0; -EBUSY: somebody holds the lock for too long; other -errno. */
int claim_offer(const struct ph_kernel *kernel, uint64_t id, struct ph_claim_offer *ret);

/*
 * The calling process takes what is offered: from then on it is confined. Takes no lock and no memory, so
 * it may stand between fork and exec. 0, which does not say that there was an offer; or -errno.
 */
int claim_take(const struct ph_claim_offer *offer);

/* 0: the offer was taken; -ESRCH: it was not, and cannot be any more; other -errno. */
int claim_settle(const struct ph_kernel *kernel);

/* Another offer may stand now. Takes PH_CLAIM_NULL as well. */
void claim_done(struct ph_claim_offer *offer);

#endif
