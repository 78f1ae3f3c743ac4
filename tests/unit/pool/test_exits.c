/*
 * exits: the memory of deaths that came before the news of a birth.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/pool/exits.h"

static void an_exit_is_told_once(_unused_ void **state)
{
	struct exits e = {0};
	int status = -1;

	exits_add(&e, 100, 7, 50);
	assert_false(exits_take(&e, 101, 0, &status));
	assert_true(exits_take(&e, 100, 50, &status));
	assert_int_equal(status, 7);
	assert_false(exits_take(&e, 100, 0, &status));
}

static void an_exit_before_the_fork_was_another_process(_unused_ void **state)
{
	struct exits e = {0};
	int status = -1;

	exits_add(&e, 100, 7, 50);
	assert_false(exits_take(&e, 100, 51, &status));
	assert_int_equal(status, -1);
	exits_add(&e, 100, 8, 60); /* the number came round again */
	assert_true(exits_take(&e, 100, 51, &status));
	assert_int_equal(status, 8);
}

static void only_the_oldest_is_forgotten(_unused_ void **state)
{
	struct exits e = {0};
	int status;

	for (int i = 1; i <= EXITS_MAX + 1; i++)
		exits_add(&e, i, i, 10);
	assert_false(exits_take(&e, 1, 0, &status));
	for (int i = 2; i <= EXITS_MAX + 1; i++)
		assert_true(exits_take(&e, i, 0, &status));
}

static void a_status_is_put_into_words(_unused_ void **state)
{
	char buf[64];

	exits_describe(SIGSEGV, buf, sizeof(buf));
	assert_string_equal(buf, "killed by signal 11 (Segmentation fault)");
	exits_describe(SIGABRT | 0x80, buf, sizeof(buf));
	assert_string_equal(buf, "killed by signal 6 (Aborted), core dumped");
	exits_describe(SIGRTMIN + 3, buf, sizeof(buf));
	assert_string_equal(buf, "killed by signal 37 (?)");
	exits_describe(3 << 8, buf, sizeof(buf));
	assert_string_equal(buf, "exited with 3");
	exits_describe(SIGSEGV, buf, 10); /* cut, never past its end */
	assert_string_equal(buf, "killed by");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit_is_told_once),
		cmocka_unit_test(an_exit_before_the_fork_was_another_process),
		cmocka_unit_test(only_the_oldest_is_forgotten),
		cmocka_unit_test(a_status_is_put_into_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
