/* utf8: what is text, and what a terminal would obey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/utf8.h"

static void only_whole_and_shortest_sequences_have_a_length(void **state)
{
	static const struct {
		const char *bytes;
		size_t n, length;
	} cases[] = {
		{"a", 1, 1},
		{"", 0, 0},
		{"\0", 1, 0},
		{"\xc3\xa4", 2, 2},
		{"\xc3", 1, 0},
		{"\xc0\x80", 2, 0},
		{"\xe2\x82\xac", 3, 3},
		{"\xe0\x80\x80", 3, 0},
		{"\xed\xa0\x80", 3, 0},
		{"\xf0\x9f\x98\x80", 4, 4},
		{"\xf4\x90\x80\x80", 4, 0},
		{"\x80", 1, 0},
		{"\xff", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(utf8_length(cases[i].bytes, cases[i].n), cases[i].length);
}

static void nothing_that_commands_a_terminal_survives_cleaning(void **state)
{
	static const struct {
		const char *text, *clean;
	} cases[] = {
		{"plain\tand\nmore", "plain\tand\nmore"},
		{"\x1b[2J", "?[2J"},
		{"a\x7f\x01", "a??"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xff\xfe.", "??."},
		{"\xc2\x9b"
		 "2J",
		 "??2J"}, /* CSI of one character */
		{"\xc2\xa0", "\xc2\xa0"},
		{"cut\xe2\x82", "cut??"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		memcpy(text, cases[i].text, strlen(cases[i].text) + 1);
		utf8_clean(text, "\n\t");
		assert_string_equal(text, cases[i].clean);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_and_shortest_sequences_have_a_length),
		cmocka_unit_test(nothing_that_commands_a_terminal_survives_cleaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
