// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/seal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/text.h"

#define SEAL_WORDS "\n# kept by porthold: "

static void write_seal(const char *text, char ret[PH_SEAL_SIZE + 1])
{
	(void)snprintf(ret, PH_SEAL_SIZE + 1, SEAL_WORDS "%016" PRIx64 "\n", text_hash(text));
}

int seal_text(const char *text, char **ret, size_t *ret_len)
{
	char seal[PH_SEAL_SIZE + 1];
	int n;

	write_seal(text, seal);
	n = asprintf(ret, "%s%s", text, seal);
	*ret_len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -ENOMEM : 0;
}

bool seal_is_near(const char *text)
{
	return strstr(text, SEAL_WORDS);
}

int seal_open(char *text, size_t *len)
{
	char found[PH_SEAL_SIZE + 1], seal[PH_SEAL_SIZE + 1], *end;

	if (*len < PH_SEAL_SIZE || strlen(text) != *len)
		return -EINVAL;
	end = text + *len - PH_SEAL_SIZE;
	memcpy(found, end, sizeof(found));
	*end = 0;
	write_seal(text, seal);
	if (strcmp(found, seal) != 0)
		return -EINVAL;
	*len -= PH_SEAL_SIZE;
	return 0;
}
