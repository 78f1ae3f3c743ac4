/*
 * test_board_json - the parts of one answer are those of its sum, whatever has been measured of them.
 */
#include "shared/board_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_int_t of(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

/* A worker that was forked just now has no pss yet, its brothers have. */
static void memory_is_the_sum_of_its_parts_before_all_is_measured(void **state)
{
	struct board_app_memory m = {
		.front = {.rss = 100, .pss = 30, .held = 30},
		.mold = {.rss = 200, .held = 200},
		.workers = {.rss = 900, .pss = 250, .held = 250 + 400},
	};
	json_t *obj = json_object();

	(void)state;
	board_json_memory(obj, &m);
	assert_int_equal(of(obj, "memory"), 880);
	assert_int_equal(of(obj, "front_memory"), 30);
	assert_int_equal(of(obj, "mold_memory"), 200);
	assert_int_equal(of(obj, "workers_memory"), 650);
	assert_int_equal(of(obj, "workers_pss"), 250);
	json_decref(obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_the_sum_of_its_parts_before_all_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
