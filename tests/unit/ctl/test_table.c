/*
 * test_table - rows for people.
 */
#include "emperor/ctl/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *printed(const struct table *t, size_t width)
{
	static char buf[2048];
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	assert_non_null(out);
	assert_int_equal(table_print(t, out, width), 0);
	(void)fclose(out);
	return buf;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct table t = {.columns = 3, .right = 1 << 1};

	(void)state;
	table_add(&t, (const char *const[]){"NAME", "N", "REASON"});
	table_add(&t, (const char *const[]){"blog", "12345", ""});
	table_add(&t, (const char *const[]){"b\xc3\xbc"
					    "cher",
					    "7", "asleep"});
	assert_string_equal(printed(&t, 0), "NAME        N  REASON\n"
					    "blog    12345\n"
					    "b\xc3\xbc"
					    "cher      7  asleep\n");
	table_done(&t);
}

static void the_last_column_is_cut_to_the_terminal_between_characters(void **state)
{
	struct table t = {.columns = 2};

	(void)state;
	table_add(&t, (const char *const[]){"a", "0123456789\xc3\xbc\xc3\xbc\xc3\xbc"});
	assert_string_equal(printed(&t, 14), "a  0123456789\xc3\xbc\n");
	assert_string_equal(printed(&t, 3), "a  0123456789\n"); /* something always shows */
	table_done(&t);
}

static void a_cell_cannot_command_the_terminal_or_break_the_row(void **state)
{
	struct table t = {.columns = 1};

	(void)state;
	table_add(&t, (const char *const[]){"x\x1b[31m\ny\x7f"});
	assert_string_equal(printed(&t, 0), "x [31m y \n");
	table_done(&t);
}

static void a_table_that_ran_out_of_memory_prints_nothing(void **state)
{
	struct table t = {.columns = 1, .failed = true};

	(void)state;
	table_add(&t, (const char *const[]){"x"});
	assert_int_equal(t.rows, 0);
	assert_true(table_print(&t, stdout, 0) < 0);
	table_done(&t);
}

static void width_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(table_width(""), 0);
	assert_int_equal(table_width("abc"), 3);
	assert_int_equal(table_width("\xe2\x82\xac\xc3\xbc"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(the_last_column_is_cut_to_the_terminal_between_characters),
		cmocka_unit_test(a_cell_cannot_command_the_terminal_or_break_the_row),
		cmocka_unit_test(a_table_that_ran_out_of_memory_prints_nothing),
		cmocka_unit_test(width_counts_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
