// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/store.h"
#include "util/cleanup.h"
#include "util/file.h"

#define OUTCOME_PATH PH_RUN_DIR "/reloaded"
#define OUTCOME_SIZE_MAX (64u << 20)

void outcome_done(struct ph_outcome *outcome)
{
	free(outcome->text);
	*outcome = (struct ph_outcome){};
}

int outcome_write(const struct ph_outcome *outcome)
{
	cleanup_free char *bytes = NULL;
	int length = asprintf(&bytes, "began %" PRIu64 " status %d\n%s", outcome->began,
			      outcome->status, outcome->text);

	if (length < 0) {
		bytes = NULL;
		return -ENOMEM;
	}
	return file_write_atomic(OUTCOME_PATH, bytes, (size_t)length, 0600);
}

int outcome_read(struct ph_outcome *ret)
{
	cleanup_free char *bytes = NULL;
	struct ph_outcome outcome = {};
	const char *text;
	size_t length;
	int r = file_read(OUTCOME_PATH, OUTCOME_SIZE_MAX, &bytes, &length);

	if (r)
		return r;
	text = strchr(bytes, '\n');
	if (!text ||
	    sscanf(bytes, "began %" SCNu64 " status %d", &outcome.began, &outcome.status) != 2)
		return -EBADMSG;
	outcome.text = strdup(text + 1);
	if (!outcome.text)
		return -ENOMEM;
	*ret = outcome;
	return 0;
}

int outcome_remove(void)
{
	return file_remove(OUTCOME_PATH);
}
