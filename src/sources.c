// SPDX-License-Identifier: GPL-2.0-or-later
#include "sources.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/store.h"
#include "util/cleanup.h"
#include "util/file.h"

#define SOURCES_PATH PH_RUN_DIR "/sources.json"

json_t *sources_read(void)
{
	return json_load_file(SOURCES_PATH, 0, NULL);
}

static void key_of(uint64_t id, char ret[17])
{
	(void)snprintf(ret, 17, "%016" PRIx64, id);
}

int sources_write(const struct ph_image *image)
{
	cleanup_free char *text = NULL;
	json_t *table = sources_read();
	char key[17];
	int r;

	if (!table)
		table = json_object();
	for (size_t i = 0; i < image->n_sources; i++) {
		const struct ph_image_source *source = &image->sources[i];

		key_of(source->id, key);
		(void)json_object_set_new(table, key,
					  json_pack("{s:s, s:s, s:i}", "name", source->name, "file",
						    source->file ? source->file : "", "line",
						    (int)source->line));
	}
	text = json_dumps(table, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(table);
	if (!text)
		return -ENOMEM;
	r = mkdir_parents(PH_RUN_DIR, 0755);
	return r ? r : file_write_atomic(SOURCES_PATH, text, strlen(text), 0644);
}

void sources_remove(void)
{
	(void)unlink(SOURCES_PATH);
}

bool sources_find(const json_t *sources, uint64_t id, struct ph_source *ret)
{
	const char *name = NULL, *file = "";
	json_t *entry;
	char key[17];
	int line = 0;

	key_of(id, key);
	entry = sources ? json_object_get(sources, key) : NULL;
	*ret = (struct ph_source){};
	if (!entry ||
	    json_unpack(entry, "{s:s, s:s, s:i}", "name", &name, "file", &file, "line", &line)) {
		(void)snprintf(ret->name, sizeof(ret->name), "%s", key);
		return false;
	}
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	(void)snprintf(ret->file, sizeof(ret->file), "%s", file);
	ret->line = line;
	return true;
}
