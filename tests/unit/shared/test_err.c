/*
 * Tests of shared/err: the text is made, cut where it must be, and never needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/err.h"

static void the_code_comes_back_with_or_without_an_err(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(NULL, -EBUSY, "x"), -EBUSY);
	assert_int_equal(err_set(&err, -EBUSY, "%s: %d", "a", 7), -EBUSY);
	assert_int_equal(err.code, -EBUSY);
	assert_string_equal(err.text, "a: 7");
	assert_int_equal(err_prefix(NULL, "x"), 0);
}

static void a_prefix_stands_before_what_was_there(void **state)
{
	struct err err = {0};

	(void)state;
	(void)err_set(&err, -EINVAL, "bad");
	assert_int_equal(err_prefix(&err, "%s:%d", "a.ini", 3), -EINVAL);
	assert_int_equal(err_prefix(&err, "app"), -EINVAL);
	assert_string_equal(err.text, "app: a.ini:3: bad");
	assert_int_equal(err_append(&err, "; ever"), -EINVAL);
	assert_string_equal(err.text, "app: a.ini:3: bad; ever");
	assert_int_equal(err_append(NULL, "x"), 0);
}

static void long_texts_are_cut_and_terminated(void **state)
{
	static char text[3 * ERR_TEXT_MAX];
	struct err err = {0};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(err_set(&err, -E2BIG, "%s", text), -E2BIG);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err_prefix(&err, "p"), -E2BIG);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "p: x", 4);
	assert_int_equal(err_append(&err, "s"), -E2BIG);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err_prefix(&err, "%s", text), -E2BIG);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_comes_back_with_or_without_an_err),
		cmocka_unit_test(a_prefix_stands_before_what_was_there),
		cmocka_unit_test(long_texts_are_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
