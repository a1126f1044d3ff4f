// SPDX-License-Identifier: GPL-2.0-or-later
/* The canary's own policy, and how its results are told. What it finds is tested in machines. */
#include "canary.h"
#include "kernel/decide.h"
#include "util/cleanup.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_problems, problems_done);

static const struct ph_canary ill = {
	.time = 7,
	.check = {
		[PH_CANARY_PROGRAMS] = { PH_CANARY_FAILED, "ph_connect: its pin is gone" },
		[PH_CANARY_GENERATION] = { PH_CANARY_OK, "" },
		[PH_CANARY_DOORS] = { PH_CANARY_FAILED, "binding another port: allowed" },
	},
};

static bool allows(const struct ph_image *image, unsigned question, uint16_t port, uint32_t address)
{
	const struct ph_grant *grant = image_find_grant(image, PH_CANARY_ID);
	struct ph_flow flow = {
		.question = question,
		.kind = PH_SOCKET_TCP,
		.local_port = port,
		.remote_port = port,
		.local.word[0] = htonl(address),
		.remote.word[0] = htonl(address),
	};

	assert_non_null(grant);
	return decide_policy(image, grant, &flow);
}

static void test_policy(void **state)
{
	cleanup_(policy_set_donep) struct ph_policy_set set = {};
	cleanup_(problems_donep) struct ph_problems problems = {};
	cleanup_(image_donep) struct ph_image image = {};

	assert_int_equal(canary_add_policy(&set), 0);
	assert_int_equal(image_compile(&set, &image, &problems), 0);
	assert_int_equal(image.n_grants, 1);
	/* Nobody is under it by a name, and it grants nothing but loopback. */
	assert_int_equal(image.n_traits, 0);
	assert_true(allows(&image, PH_ASK_CONNECT, 4040, INADDR_LOOPBACK));
	assert_true(allows(&image, PH_ASK_LISTEN, 4040, INADDR_LOOPBACK));
	assert_false(allows(&image, PH_ASK_CONNECT, 4040, 0x0a000001));
	assert_false(allows(&image, PH_ASK_LISTEN, 4040, INADDR_ANY));
	assert_false(allows(&image, PH_ASK_CONNECT, 4041, INADDR_LOOPBACK));
	assert_false(allows(&image, PH_ASK_BIND, 4042, INADDR_LOOPBACK));
	assert_int_equal(image_find_grant(&image, PH_CANARY_ID)->sockets & PH_SOCKET_UDP_ANSWERS,
			 0);
	/* It cannot be there twice. */
	assert_int_equal(canary_add_policy(&set), -EEXIST);
}

static void test_text(void **state)
{
	const struct ph_canary nothing_tried = {};
	char text[128], narrow[20];

	canary_text(&ill, text, sizeof(text));
	assert_string_equal(text, "programs: ph_connect: its pin is gone; "
				  "doors: binding another port: allowed");
	canary_text(&ill, narrow, sizeof(narrow));
	assert_string_equal(narrow, "programs: ph_connec");
	assert_false(canary_ok(&ill));
	canary_text(&nothing_tried, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(canary_ok(&nothing_tried));
}

static const char *outcome(const json_t *object, const char *check)
{
	return json_string_value(json_object_get(
		json_object_get(json_object_get(object, "checks"), check), "outcome"));
}

static void test_json(void **state)
{
	cleanup_(json_decrefp) json_t *object = canary_json(&ill);

	assert_non_null(object);
	assert_true(json_is_false(json_object_get(object, "ok")));
	assert_int_equal(json_integer_value(json_object_get(object, "time")), 7);
	assert_string_equal(outcome(object, "programs"), "failed");
	assert_string_equal(outcome(object, "generation"), "ok");
	assert_string_equal(outcome(object, "tables"), "untried");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
