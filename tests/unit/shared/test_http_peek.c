/*
 * Tests of http_head_peek(): the host of a head that has not come whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/http_head.h"

#define LIMIT 8192

#define SAY(text) (text), sizeof(text) - 1

static void assert_span(struct span s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

static void peek_is_done_as_soon_as_the_host_is_known(void **state)
{
	static const char text[] = "GET /a?b HTTP/1.1\r\nX: y\r\nHost: a:81\r\nrubbish\n";
	const size_t line = sizeof(text) - 1 - 8;
	struct http_head h;

	(void)state;
	for (size_t n = 0; n < line; n++)
		assert_int_equal(http_head_peek(text, n, LIMIT, &h), HTTP_MORE);
	for (size_t n = line; n < sizeof(text); n++) {
		assert_int_equal(http_head_peek(text, n, LIMIT, &h), line);
		assert_span(h.host, "a");
		assert_span(h.path, "/a");
		assert_span(h.query, "b");
		assert_int_equal(h.fields_n, 0);
	}
}

static void peek_needs_no_field_when_the_target_names_the_host(void **state)
{
	static const char text[] = "GET http://b/ HTTP/1.1\r\n";
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_peek(text, sizeof(text) - 1, LIMIT, &h), sizeof(text) - 1);
	assert_span(h.host, "b");
}

static void peek_without_host_is_400_only_in_1_1(void **state)
{
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_peek(SAY("GET / HTTP/1.1\r\nX: y\r\n\r\n"), LIMIT, &h),
			 HTTP_BAD);
	assert_int_equal(h.status, 400);
	assert_int_equal(http_head_peek(SAY("GET / HTTP/1.0\r\nX: y\r\n\r\n"), LIMIT, &h), 24);
	assert_int_equal(h.host.n, 0);
	assert_int_equal(http_head_peek(SAY("GET / HTTP/1.1\r\nX: yyyyyyyy\r\n"), 29, &h),
			 HTTP_BAD);
	assert_int_equal(h.status, 431);
	assert_int_equal(http_head_peek(SAY("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 29, &h),
			 HTTP_BAD);
	assert_int_equal(h.status, 414);
}

static void peek_refuses_what_it_sees(void **state)
{
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_peek(SAY("GET / HTTP/1.1\r\nHost: a b\r\n"), LIMIT, &h),
			 HTTP_BAD);
	assert_int_equal(http_head_peek(SAY("GET / HTTP/1.1\r\nX: a\nHost: a\r\n"), LIMIT, &h),
			 HTTP_BAD);
	assert_int_equal(http_head_peek(SAY("\x16\x03\x01"), LIMIT, &h), HTTP_BAD);
	assert_int_equal(h.status, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peek_is_done_as_soon_as_the_host_is_known),
		cmocka_unit_test(peek_needs_no_field_when_the_target_names_the_host),
		cmocka_unit_test(peek_without_host_is_400_only_in_1_1),
		cmocka_unit_test(peek_refuses_what_it_sees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
