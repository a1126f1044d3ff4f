// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/origin.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "policy/text.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/json.h"

#define HASH_SIZE 17

DEFINE_CLEANUP_DONE(struct ph_origins, origins_done);

static void hash_text(const char *text, char ret[HASH_SIZE])
{
	(void)snprintf(ret, HASH_SIZE, "%016" PRIx64, text_hash(text));
}

static const char *word(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	return text ? text : "";
}

void origins_done(struct ph_origins *origins)
{
	json_decref(origins->list);
	origins->list = NULL;
}

int origins_read(struct ph_origins *ret)
{
	cleanup_free char *text = NULL;
	size_t length;
	int r = file_read(PH_ORIGINS, PH_FILE_SIZE_MAX, &text, &length);

	if (r && r != -ENOENT && r != -EISDIR && r != -ENOTSUP && r != -EFBIG)
		return r;
	*ret = (struct ph_origins){};
	if (!r && json_from_text(text, length, &ret->list) == -ENOMEM)
		return -ENOMEM;
	if (json_is_array(ret->list))
		return 0;
	json_decref(ret->list);
	ret->list = json_array();
	ret->damaged = r != -ENOENT;
	ret->lost = ret->damaged ? "is damaged" : "is not there";
	return ret->list ? 0 : -ENOMEM;
}

/* The same file, by whatever path. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

bool origins_know(const struct ph_origins *origins, const char *path, const char *text,
		  const char *origin, const char **ret_other)
{
	cleanup_free char *real = real_path(origin);
	char hash[HASH_SIZE];
	json_t *entry;
	size_t i;

	hash_text(text, hash);
	json_array_foreach(origins->list, i, entry) {
		if (strcmp(word(entry, "path"), path) || strcmp(word(entry, "hash"), hash))
			continue;
		if (real && !strcmp(word(entry, "origin"), real))
			return true;
		if (ret_other)
			*ret_other = word(entry, "origin");
	}
	return false;
}

/* Of what lies there now and of what shall, both may be the one in force when all is over. */
static bool is_past(const json_t *entry)
{
	cleanup_free char *text = NULL;
	char hash[HASH_SIZE];
	size_t length;

	if (file_read(word(entry, "path"), PH_FILE_SIZE_MAX, &text, &length))
		return true;
	hash_text(text, hash);
	return strcmp(hash, word(entry, "hash"));
}

static int add(struct ph_origins *origins, const char *path, const char *text, const char *real)
{
	char hash[HASH_SIZE];

	hash_text(text, hash);
	if (origins_know(origins, path, text, real, NULL))
		return 0;
	return json_array_append_new(origins->list, json_pack("{s:s, s:s, s:s}", "path", path,
							      "hash", hash, "origin", real)) ?
		       -ENOMEM :
		       0;
}

static int add_edit(struct ph_origins *origins, const struct ph_edit *edit)
{
	cleanup_free char *real = real_path(edit->origin);

	return real ? add(origins, edit->path, edit->text, real) : -ENOMEM;
}

static int write_list(const struct ph_origins *origins)
{
	cleanup_free char *text = json_to_text(origins->list, JSON_INDENT(1));
	int r = mkdir_above(PH_ORIGINS, 0700);

	if (!r && origins->damaged && rename(PH_ORIGINS, PH_BAD_ORIGINS))
		r = -errno;
	if (!r)
		r = text ? file_write_atomic(PH_ORIGINS, text, strlen(text), 0600) : -ENOMEM;
	return r;
}

static int add_edits(struct ph_origins *origins, const struct ph_edits *edits)
{
	int r = 0;

	for (size_t i = 0; !r && i < edits->n; i++)
		if (edits->v[i].text && edits->v[i].origin)
			r = add_edit(origins, &edits->v[i]);
	return r;
}

int origins_note(struct ph_origins *origins, const struct ph_edits *edits,
		 const struct ph_edits *unchanged)
{
	size_t before = json_array_size(origins->list);
	int r;

	for (size_t i = json_array_size(origins->list); i-- > 0;)
		if (is_past(json_array_get(origins->list, i)))
			(void)json_array_remove(origins->list, i);
	r = add_edits(origins, edits);
	if (!r)
		r = add_edits(origins, unchanged);
	if (!r && !before && !json_array_size(origins->list))
		return 0;
	return r ? r : write_list(origins);
}

int origins_carry(const char *path, const char *old, const char *text)
{
	cleanup_(origins_donep) struct ph_origins origins = {};
	const char *origin = NULL;
	int r = origins_read(&origins);

	if (r)
		return r;
	if (origins_know(&origins, path, old, "", &origin) || !origin)
		return 0;
	return add(&origins, path, text, origin) ? -ENOMEM : write_list(&origins);
}
