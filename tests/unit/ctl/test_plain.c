/*
 * test_plain - no byte of an app commands a terminal, and none is lost.
 */
#include "emperor/ctl/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define PUT(text) put(text, sizeof(text) - 1)

static const char *put(const char *p, size_t n)
{
	static char buf[256];
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	assert_non_null(out);
	plain_put(out, p, n);
	(void)fclose(out);
	return buf;
}

static void what_commands_a_terminal_is_shown_as_its_bytes(void **state)
{
	(void)state;
	assert_string_equal(PUT("a\tb \303\244 \342\202\254"), "a\tb \303\244 \342\202\254");
	assert_string_equal(PUT("\033[2Jx\r\a"), "\\x1b[2Jx\\x0d\\x07");
	assert_string_equal(PUT("a\0b\177"), "a\\x00b\\x7f");
	/* CSI as one byte, and as U+009B */
	assert_string_equal(PUT("\233"
				"31m"),
			    "\\x9b31m");
	assert_string_equal(PUT("\302\233"
				"31m"),
			    "\\xc2\\x9b31m");
	/* cut in the middle of a character */
	assert_string_equal(PUT("a\342\202"), "a\\xe2\\x82");
}

static void no_single_byte_gets_through_that_should_not(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char byte = (char)c;
		const char *shown = put(&byte, 1);
		bool plain = (c >= 0x20 && c < 0x7f) || c == '\t';

		assert_int_equal(strlen(shown), plain ? 1 : 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_commands_a_terminal_is_shown_as_its_bytes),
		cmocka_unit_test(no_single_byte_gets_through_that_should_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
