/*
 * test_refusals - what the log says of the gate's own answers, and how often.
 */
#include "emperor/gate/refusals.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/limits.h"

static void some_lines_a_second_and_the_rest_is_counted(void **state)
{
	struct refusals r = {0};
	unsigned unsaid = 7;

	(void)state;
	for (unsigned i = 0; i < LIMIT_GATE_LINES; i++) {
		assert_true(refusals_may_say(&r, 5 * NS_PER_S + i, &unsaid));
		assert_int_equal(unsaid, 0);
	}
	for (unsigned i = 0; i < 300; i++)
		assert_false(refusals_may_say(&r, 6 * NS_PER_S - 1, &unsaid));
	assert_true(refusals_may_say(&r, 6 * NS_PER_S, &unsaid));
	assert_int_equal(unsaid, 300);
	assert_true(refusals_may_say(&r, 6 * NS_PER_S, &unsaid));
	assert_int_equal(unsaid, 0);
}

static void a_line_says_whom_what_and_why(void **state)
{
	static const struct {
		const char *client;
		struct span request, host;
		const char *line;
	} cases[] = {
		{"192.0.2.7", SPAN("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), SPAN("a"),
		 "client 192.0.2.7: 404: no site (\"GET /x HTTP/1.1\", Host a) id=0af1"},
		{"", SPAN("GET /x HTTP/1.1\r\n"), SPAN(""),
		 "client -: 404: no site (\"GET /x HTTP/1.1\") id=0af1"},
		{"::1", SPAN("\1\1\0\1"), SPAN(""), "client ::1: 404: no site id=0af1"},
		{"::1", SPAN(""), SPAN("a"), "client ::1: 404: no site id=0af1"},
		{"::1", SPAN("GET /\33[2J\x9b\" x"), SPAN("a\33"),
		 "client ::1: 404: no site (\"GET /?[2J?? x\", Host a?) id=0af1"},
	};
	const struct answer a = {.status = 404, .why = "no site", .request_id = SPAN("0af1")};
	static char many[REFUSALS_LINE * 2];
	char buf[REFUSALS_LINE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		refusals_format(buf, cases[i].client, &a, cases[i].request, cases[i].host);
		assert_string_equal(buf, cases[i].line);
	}
	memset(many, 'A', sizeof(many));
	refusals_format(buf, "::1", &a, span_of(many, sizeof(many)), span_of(many, sizeof(many)));
	assert_true(strlen(buf) < 300 && strstr(buf, ") id=0af1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_lines_a_second_and_the_rest_is_counted),
		cmocka_unit_test(a_line_says_whom_what_and_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
