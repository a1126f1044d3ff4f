// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/claim.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/front.h"
#include "policy/store.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"

DEFINE_CLEANUP(struct ph_front *, front_close);

#define LOCK_PATH PH_RUN_DIR "/claim.lock"
#define LOCK_LIMIT (30 * PH_SECOND)
#define LOCK_PAUSE 20000 /* us */

/* Whoever can read the file can lock it: nobody waits for ever. */
static int lock_offers(void)
{
	cleanup_close int fd = lock_file_open(LOCK_PATH);
	uint64_t end = boot_now() + LOCK_LIMIT;

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return -errno;
		if (boot_now() > end)
			return -EBUSY;
		(void)usleep(LOCK_PAUSE);
	}
	return TAKE_FD(fd);
}

/* 48 bits that nobody can guess in the moment that the offer stands. */
static int make_secret(struct ph_claim_offer *offer)
{
	if (getrandom(&offer->address, sizeof(offer->address), 0) != sizeof(offer->address) ||
	    getrandom(&offer->port, sizeof(offer->port), 0) != sizeof(offer->port))
		return -errno;
	return 0;
}

int claim_offer(const struct ph_kernel *kernel, uint64_t id, struct ph_claim_offer *ret)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);
	struct ph_claim_offer offer = PH_CLAIM_NULL;
	int r;

	if (!front)
		return -errno;
	offer.lock = lock_offers();
	r = offer.lock < 0 ? offer.lock : make_secret(&offer);
	if (r) {
		claim_done(&offer);
		return r;
	}
	__atomic_store_n(&front->claim.id, 0, __ATOMIC_SEQ_CST);
	front->claim.address = offer.address;
	front->claim.port = offer.port;
	__atomic_store_n(&front->claim.id, id, __ATOMIC_SEQ_CST);
	*ret = offer;
	return 0;
}

/* What becomes of the calls does not matter: the hooks have seen them. The first is refused by none. */
int claim_take(const struct ph_claim_offer *offer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = offer->port,
				       .sin_addr = { offer->address } };
	socklen_t size = sizeof(int);
	int nothing;
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)bind(fd, (struct sockaddr *)&address, sizeof(address));
	(void)getsockopt(fd, (int)offer->address, offer->port, &nothing, &size);
	return 0;
}

int claim_settle(const struct ph_kernel *kernel)
{
	cleanup_(front_closep) struct ph_front *front = front_open(kernel);

	if (!front)
		return -errno;
	return __atomic_exchange_n(&front->claim.id, 0, __ATOMIC_SEQ_CST) ? -ESRCH : 0;
}

void claim_done(struct ph_claim_offer *offer)
{
	fd_close(offer->lock);
	offer->lock = -1;
}
