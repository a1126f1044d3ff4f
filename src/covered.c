// SPDX-License-Identifier: GPL-2.0-or-later
#include "covered.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <unistd.h>

#include "canary.h"
#include "kernel/attached.h"
#include "kernel/bpffs.h"
#include "kernel/labels.h"
#include "kernel/load.h"

enum {
	LINK_ROUNDS = 20, /* for which nothing has changed */
	LINK_ROUNDS_UNKNOWN = 75, /* the same where nothing says that they are not just ending */
	LINK_ROUNDS_MAX = 250,
	LINK_WAIT_US = 40000,
};

/* Links come before their pins and end some time after them: what changes yet is waited for. */
static int count_at_rest(int rounds)
{
	int n = attached_anywhere(), same = 0;

	for (int i = 0; n > 0 && same < rounds && i < LINK_ROUNDS_MAX; i++) {
		int before = n;

		(void)usleep(LINK_WAIT_US);
		n = attached_anywhere();
		same = n == before ? same + 1 : 0;
	}
	return n;
}

/* Of what was put in force from here and not taken away the canary knows. */
static bool was_put_in_force(void)
{
	json_t *last = canary_last();
	bool known = last;

	json_decref(last);
	return known;
}

/* Elsewhere another may hold its own, as in a container. */
int covered_count(char ret_remedy[PH_PATH_LEN])
{
	bool covered = bpffs_is_covered(ret_remedy), known = was_put_in_force();
	int n = 0;

	if (known ? covered || !kernel_attached() :
		    covered && labels_know_pid() && bpffs_is_for_first())
		n = count_at_rest(known ? LINK_ROUNDS : LINK_ROUNDS_UNKNOWN);
	return n > 0 && (covered || !kernel_attached()) ? n : 0;
}

int covered_fault(struct ph_fault *f)
{
	char remedy[PH_PATH_LEN];
	int n;

	if (!bpffs_is_covered(remedy))
		return 0;
	n = covered_count(remedy);
	return n ? fault(f, -EXDEV, PH_EXIT_IMPOSSIBLE,
			 "%d programs hold what was put in force, and their pins below " PH_PIN_DIR
			 " cannot be reached: %s",
			 n, remedy) :
		   0;
}
