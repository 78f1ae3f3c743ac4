/*
 * Tests of shared/vars: what is written is read back, and memory that somebody scribbled on is survived.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/vars.h"

static void what_was_added_is_read_back_in_order(void **state)
{
	uint8_t room[64];
	struct span key, value;
	struct vars v;
	size_t at = 0;
	char *p;

	(void)state;
	vars_init(&v, room, sizeof(room));
	vars_add(&v, SPAN("A"), SPAN("one"));
	vars_add(&v, SPAN("EMPTY"), SPAN(""));
	p = vars_reserve(&v, SPAN("B"), 2);
	assert_non_null(p);
	memcpy(p, "xy", 2);
	assert_int_equal(v.count, 3);
	assert_true(vars_next(v.p, v.n, &at, &key, &value));
	assert_true(span_eq(key, SPAN("A")) && span_eq(value, SPAN("one")));
	assert_true(vars_next(v.p, v.n, &at, &key, &value));
	assert_true(span_eq(key, SPAN("EMPTY")) && value.n == 0);
	assert_true(vars_next(v.p, v.n, &at, &key, &value));
	assert_true(span_eq(key, SPAN("B")) && span_eq(value, SPAN("xy")));
	assert_false(vars_next(v.p, v.n, &at, &key, &value));
	assert_int_equal(at, v.n);
}

static void a_value_may_turn_out_shorter(void **state)
{
	uint8_t room[64];
	struct span key, value;
	struct vars v;
	size_t at = 0;

	(void)state;
	vars_init(&v, room, sizeof(room));
	memcpy(vars_reserve(&v, SPAN("KEY"), 9), "123456789", 9);
	vars_shrink_last(&v, 3, 9, 4);
	vars_add(&v, SPAN("NEXT"), SPAN("z"));
	assert_true(vars_next(v.p, v.n, &at, &key, &value));
	assert_true(span_eq(key, SPAN("KEY")) && span_eq(value, SPAN("1234")));
	assert_true(vars_next(v.p, v.n, &at, &key, &value));
	assert_true(span_eq(key, SPAN("NEXT")) && span_eq(value, SPAN("z")));
	assert_int_equal(at, v.n);
}

static void what_does_not_fit_is_said_and_stays_said(void **state)
{
	uint8_t room[VARS_ITEM_HEAD + 4];
	struct vars v;

	(void)state;
	vars_init(&v, room, sizeof(room));
	vars_add(&v, SPAN("AB"), SPAN("cd"));
	assert_false(v.overflow);
	vars_init(&v, room, sizeof(room));
	vars_add(&v, SPAN("AB"), SPAN("cde"));
	assert_true(v.overflow);
	assert_int_equal(v.n, 0);
	vars_add(&v, SPAN("A"), SPAN("b")); /* would fit, but something is missing already */
	assert_int_equal(v.n, 0);
}

static void lengths_beyond_the_format_overflow(void **state)
{
	static uint8_t room[2 * UINT16_MAX];
	static char key[UINT16_MAX + 1];
	struct vars v;

	(void)state;
	vars_init(&v, room, sizeof(room));
	assert_non_null(vars_reserve(&v, span_of(key, UINT16_MAX), 0));
	vars_init(&v, room, sizeof(room));
	assert_null(vars_reserve(&v, span_of(key, UINT16_MAX + 1), 0));
	vars_init(&v, room, sizeof(room));
	assert_null(vars_reserve(&v, SPAN("A"), UINT32_MAX));
	vars_init(&v, room, sizeof(room));
	assert_null(vars_reserve(&v, SPAN("A"), SIZE_MAX));
	assert_true(v.overflow);
}

/* Every byte of a good run set to every value: reading stays inside and ends. */
static void scribbled_memory_is_survived(void **state)
{
	uint8_t room[64];
	struct vars v;

	(void)state;
	vars_init(&v, room, sizeof(room));
	vars_add(&v, SPAN("KEY"), SPAN("value"));
	vars_add(&v, SPAN("X"), SPAN(""));
	for (size_t i = 0; i < v.n; i++)
		for (unsigned byte = 0; byte < 256; byte++) {
			uint8_t *copy = malloc(v.n);
			struct span key, value;
			size_t at = 0;

			assert_non_null(copy);
			memcpy(copy, v.p, v.n);
			copy[i] = (uint8_t)byte;
			while (vars_next(copy, v.n, &at, &key, &value)) {
				assert_true(key.p >= (char *)copy);
				assert_true(value.p + value.n <= (char *)copy + v.n);
			}
			assert_true(at <= v.n);
			free(copy);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_read_back_in_order),
		cmocka_unit_test(a_value_may_turn_out_shorter),
		cmocka_unit_test(what_does_not_fit_is_said_and_stays_said),
		cmocka_unit_test(lengths_beyond_the_format_overflow),
		cmocka_unit_test(scribbled_memory_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
