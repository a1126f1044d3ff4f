// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The settings file -> struct (settings.h has the keys). It is read item by item; what is wrong
 * with a value is noted, all of it is passed over, and reading goes on behind it.
 */
#include "daemon/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/doors.h"
#include "policy/text.h"
#include "policy/yaml.h"
#include "util/cleanup.h"
#include "util/file.h"

#define SETTINGS_SIZE_MAX (1U << 20)

struct reader {
	struct ph_source source;
	struct ph_yaml yaml;
	struct ph_settings settings;
	bool has_version; /* or its key, misspelled */
};

struct key {
	const char *name;
	int (*read)(struct reader *reader, const struct ph_yaml_item *value);
};

void settings_done(struct ph_settings *settings)
{
	free(settings->accept);
	free(settings->attach);
	free(settings->json);
	*settings = (struct ph_settings){};
}

static void reader_done(struct reader *reader)
{
	yaml_done(&reader->yaml);
	settings_done(&reader->settings);
}

DEFINE_CLEANUP_DONE(struct reader, reader_done);

/* --- Values */

static struct ph_word word_of(const struct ph_yaml_item *item)
{
	return (struct ph_word){ item->text, item->len, 0 };
}

/* "'what was written' wrong"; remedy. */
static int note_value(struct reader *reader, const struct ph_yaml_item *value, const char *wrong,
		      const char *remedy)
{
	struct ph_word word = word_of(value);
	char message[256];

	(void)snprintf(message, sizeof(message), "%s %s", quote(&word).text, wrong);
	return source_error(&reader->source, &value->place, message, remedy);
}

/* Whether the value is a word; where not, that is noted and the value passed. */
static int want_word(struct reader *reader, const struct ph_yaml_item *value, const char *remedy,
		     bool *ret)
{
	int r = 0;

	*ret = value->type == PH_YAML_SCALAR && !value->null;
	if (*ret)
		return 0;
	if (value->type != PH_YAML_REFUSED)
		r = source_error(&reader->source, &value->place, "this must be one word", remedy);
	return r ? r : yaml_skip(&reader->yaml, value);
}

typedef int (*item_reader)(struct reader *reader, const struct ph_yaml_item *item);

/* A list, each item of which goes to `read`. */
static int read_list(struct reader *reader, const struct ph_yaml_item *value, const char *remedy,
		     item_reader read)
{
	struct ph_yaml_item item;
	int r = 0;

	if (value->type != PH_YAML_SEQUENCE) {
		if (value->type != PH_YAML_REFUSED)
			r = source_error(&reader->source, &value->place, "this must be a list",
					 remedy);
		return r ? r : yaml_skip(&reader->yaml, value);
	}
	for (;;) {
		r = yaml_next(&reader->yaml, &item);
		if (r || item.type == PH_YAML_END)
			return r;
		r = read(reader, &item);
		if (r)
			return r;
	}
}

static int copy(const char *text, size_t len, char **ret)
{
	char *copied = strndup(text, len);

	if (!copied)
		return -ENOMEM;
	free(*ret);
	*ret = copied;
	return 0;
}

static bool is_path(const char *text, size_t len)
{
	return len > 1 && *text == '/' && !memchr(text, 0, len);
}

static int read_version(struct reader *reader, const struct ph_yaml_item *value)
{
	static const char remedy[] = "write porthold: 1";
	struct ph_word word = word_of(value);
	bool fits;
	int r = want_word(reader, value, remedy, &fits);

	reader->has_version = true;
	if (r || !fits || word_is(&word, "1"))
		return r;
	return note_value(reader, value, "is no version of this file that is known", remedy);
}

static int read_backend(struct reader *reader, const struct ph_yaml_item *value)
{
	static const struct {
		const char *name;
		enum ph_backend_choice choice;
	} known[] = {
		{ "auto", PH_CHOICE_AUTO },
		{ "best", PH_CHOICE_BEST },
		{ "lsm", PH_CHOICE_LSM },
		{ "cgroup", PH_CHOICE_CGROUP },
	};
	static const char remedy[] = "write auto, best, lsm or cgroup";
	struct ph_word word = word_of(value);
	bool fits;
	int r = want_word(reader, value, remedy, &fits);

	if (r || !fits)
		return r;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!word_is(&word, known[i].name))
			continue;
		reader->settings.backend = known[i].choice;
		return 0;
	}
	return note_value(reader, value, "is no backend", remedy);
}

static int read_attach(struct reader *reader, const struct ph_yaml_item *value)
{
	static const char remedy[] = "write the path of a cgroup, such as /sys/fs/cgroup/web.slice";
	bool fits;
	int r = want_word(reader, value, remedy, &fits);

	if (r || !fits)
		return r;
	if (!is_path(value->text, value->len) || value->len >= PH_PATH_LEN)
		return note_value(reader, value, "is no path of a cgroup", remedy);
	return copy(value->text, value->len, &reader->settings.attach);
}

static int read_door(struct reader *reader, const struct ph_yaml_item *item)
{
	static const char remedy[] = "write the name of a door; porthold doctor lists them";
	struct ph_settings *settings = &reader->settings;
	char name[64], *list = NULL;
	bool fits;
	int r = want_word(reader, item, remedy, &fits);

	if (r || !fits)
		return r;
	(void)snprintf(name, sizeof(name), "%.*s", (int)item->len, item->text);
	if (item->len >= sizeof(name) || !promise_bit(name))
		return note_value(reader, item, "is no door", remedy);
	if (asprintf(&list, "%s%s%s", settings->accept ? settings->accept : "",
		     settings->accept && *settings->accept ? "," : "", name) < 0)
		return -ENOMEM;
	free(settings->accept);
	settings->accept = list;
	return 0;
}

/* An empty list accepts none, whatever was recorded. */
static int read_accept(struct reader *reader, const struct ph_yaml_item *value)
{
	int r = copy("", 0, &reader->settings.accept);

	return r ? r : read_list(reader, value, "write it in brackets: [DOOR, DOOR]", read_door);
}

static int read_sink(struct reader *reader, const struct ph_yaml_item *item)
{
	static const char remedy[] = "write journal, stderr, or json and an absolute path";
	struct ph_settings *settings = &reader->settings;
	struct ph_word word = word_of(item);
	bool fits;
	int r = want_word(reader, item, remedy, &fits);

	if (r || !fits)
		return r;
	if (word_is(&word, "journal")) {
		settings->journal = true;
		return 0;
	}
	if (word_is(&word, "stderr")) {
		settings->text = true;
		return 0;
	}
	if (item->len > 5 && !memcmp(item->text, "json ", 5) &&
	    is_path(item->text + 5, item->len - 5))
		return copy(item->text + 5, item->len - 5, &settings->json);
	return note_value(reader, item, "is no place for denials", remedy);
}

static int read_sinks(struct reader *reader, const struct ph_yaml_item *value)
{
	reader->settings.has_sinks = true;
	return read_list(reader, value, "write it in brackets: [journal, stderr]", read_sink);
}

/* --- metrics: */

static bool parse_local(const char *path, size_t len, struct ph_listen *ret)
{
	if (!is_path(path, len) || len >= sizeof(ret->local.sun_path))
		return false;
	*ret = (struct ph_listen){ .length = sizeof(ret->local) };
	ret->local.sun_family = AF_UNIX;
	memcpy(ret->local.sun_path, path, len);
	return true;
}

/* Only to this machine: what is refused, and to whom, is nobody else's business. */
static bool parse_loopback(const char *text, size_t len, struct ph_listen *ret)
{
	const char *colon = memrchr(text, ':', len);
	char address[INET6_ADDRSTRLEN] = "";
	struct ph_word port;
	uint64_t number;
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (!colon || n < 3 || n >= sizeof(address))
		return false;
	port = (struct ph_word){ colon + 1, len - n - 1, 0 };
	number = word_is_number(&port) ? word_number(&port, 65535) : 0;
	if (!number || number > 65535)
		return false;
	*ret = (struct ph_listen){};
	if (*text == '[' && text[n - 1] == ']') {
		memcpy(address, text + 1, n - 2);
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(number);
		ret->length = sizeof(ret->v6);
		return inet_pton(AF_INET6, address, &ret->v6.sin6_addr) == 1 &&
		       IN6_IS_ADDR_LOOPBACK(&ret->v6.sin6_addr);
	}
	memcpy(address, text, n);
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(number);
	ret->length = sizeof(ret->v4);
	return inet_pton(AF_INET, address, &ret->v4.sin_addr) == 1 &&
	       ntohl(ret->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int read_metrics(struct reader *reader, const struct ph_yaml_item *value)
{
	static const char remedy[] =
		"write off, an absolute path for a socket, or a loopback address and port such as "
		"127.0.0.1:9470 or '[::1]:9470'";
	struct ph_word word = word_of(value);
	struct ph_listen listen = {};
	bool fits;
	int r = want_word(reader, value, remedy, &fits);

	if (r || !fits)
		return r;
	if (!word_is(&word, "off") && !parse_local(value->text, value->len, &listen) &&
	    !parse_loopback(value->text, value->len, &listen))
		return note_value(reader, value, "is no place for metrics", remedy);
	reader->settings.metrics = listen;
	return 0;
}

/* --- on-boot-failure: */

static int read_boot_failure(struct reader *reader, const struct ph_yaml_item *value)
{
	static const char remedy[] = "write continue or fail";
	struct ph_word word = word_of(value);
	bool fits;
	int r = want_word(reader, value, remedy, &fits);

	if (r || !fits)
		return r;
	if (!word_is(&word, "continue") && !word_is(&word, "fail"))
		return note_value(reader, value, "is nothing to do at a failure", remedy);
	reader->settings.fail_at_boot = word_is(&word, "fail");
	return 0;
}

/* --- The file */

static const struct key keys[] = {
	{ "porthold", read_version },
	{ "backend", read_backend },
	{ "attach", read_attach },
	{ "accept-degraded", read_accept },
	{ "sinks", read_sinks },
	{ "metrics", read_metrics },
	{ "on-boot-failure", read_boot_failure },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int note_unknown(struct reader *reader, const struct ph_yaml_item *item)
{
	struct ph_word word = word_of(item);
	const char *names[KEYS + 1] = {}, *nearest;
	char remedy[128] =
		"the keys are porthold, backend, attach, accept-degraded, sinks, metrics, "
		"on-boot-failure";

	for (size_t i = 0; i < KEYS; i++)
		names[i] = keys[i].name;
	nearest = word_nearest(&word, names);
	if (nearest)
		(void)snprintf(remedy, sizeof(remedy), "did you mean %s?", nearest);
	reader->has_version |= nearest == keys[0].name;
	return note_value(reader, item, "is no setting", remedy);
}

/* *ret is NULL where the key is wrong, which is noted. */
static int find_key(struct reader *reader, const struct ph_yaml_item *item, unsigned *seen,
		    const struct key **ret)
{
	struct ph_word word = word_of(item);
	bool fits;
	int r = want_word(reader, item, "write KEY: VALUE", &fits);

	*ret = NULL;
	if (r || !fits)
		return r;
	for (size_t i = 0; i < KEYS; i++) {
		if (!word_is(&word, keys[i].name))
			continue;
		if (*seen & 1U << i)
			return note_value(reader, item, "stands here twice",
					  "leave one of them out");
		*seen |= 1U << i;
		*ret = &keys[i];
		return 0;
	}
	return note_unknown(reader, item);
}

static int read_mapping(struct reader *reader, const struct ph_place *place)
{
	const struct key *key = NULL;
	unsigned seen = 0;

	for (;;) {
		struct ph_yaml_item name, value;
		int r = yaml_next(&reader->yaml, &name);

		if (!r && name.type == PH_YAML_END)
			break;
		if (!r)
			r = find_key(reader, &name, &seen, &key);
		if (!r)
			r = yaml_next(&reader->yaml, &value);
		if (!r)
			r = key ? key->read(reader, &value) : yaml_skip(&reader->yaml, &value);
		if (r)
			return r;
	}
	if (reader->has_version)
		return 0;
	return source_error(&reader->source, place, "the file has no version",
			    "write porthold: 1 first");
}

static int read_document(struct reader *reader)
{
	struct ph_yaml_item item;
	int r = yaml_next(&reader->yaml, &item);

	if (r)
		return r;
	if (item.type == PH_YAML_MAPPING)
		r = read_mapping(reader, &item.place);
	else
		r = source_error(&reader->source, &item.place, "this is no settings file",
				 "write porthold: 1, then KEY: VALUE lines");
	/* What is wrong behind the document is found by reading on. */
	while (!r && item.type != PH_YAML_END_OF_TEXT)
		r = yaml_next(&reader->yaml, &item);
	return r;
}

int settings_parse(const char *name, const char *text, size_t len, struct ph_settings *ret,
		   struct ph_problems *problems)
{
	cleanup_(reader_donep) struct reader reader = { .source = { name, text, len, problems } };
	size_t n_errors = problems->n_errors, first = problems->n;
	int r = source_check(&reader.source);

	if (!r)
		r = yaml_open(&reader.yaml, &reader.source);
	if (!r)
		r = read_document(&reader);
	problems_sort(problems, first);
	if (r)
		return r;
	if (problems->n_errors > n_errors)
		return -EINVAL;
	settings_done(ret);
	*ret = reader.settings;
	reader.settings = (struct ph_settings){};
	return 0;
}

int settings_read(const char *path, bool must_exist, struct ph_settings *ret,
		  struct ph_problems *problems)
{
	struct ph_source source = { path, "", 0, problems };
	cleanup_free char *text = NULL;
	char message[128];
	size_t len;
	int r = file_read(path, SETTINGS_SIZE_MAX, &text, &len);

	if (r == -ENOENT && !must_exist) {
		settings_done(ret);
		return 0;
	}
	if (!r)
		return settings_parse(path, text, len, ret, problems);
	(void)snprintf(message, sizeof(message), "the settings cannot be read: %s", strerror(-r));
	(void)source_error(&source, NULL, message, "name a readable file of at most 1 MiB");
	return r;
}
