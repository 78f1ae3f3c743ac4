/*
 * Tests of vassal/proto/detect: what each first byte leads to, and that no prefix says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vassal/proto/detect.h"

static const struct {
	const char *bytes;
	size_t n;
	enum detect_kind kind;
	size_t needed; /* bytes after which it is known */
} cases[] = {
#define BYTES(s) s, sizeof(s) - 1
	{BYTES("GET / HTTP/1.1\r\n"), DETECT_HTTP, 1},
	{BYTES("delete / HTTP"), DETECT_HTTP, 2},
	{BYTES("POST / HTTP/1"), DETECT_HTTP, 2},
	{BYTES("PROPFIND / HT"), DETECT_HTTP, 4},
	{BYTES("PROXYX / HTTP"), DETECT_HTTP, 6},
	{BYTES("PROXY TCP4 1."), DETECT_PROXY, 6},
	{BYTES("\r\nGET / HTTP"), DETECT_HTTP, 3},
	{BYTES("\r\n\r\nGET / HT"), DETECT_HTTP, 5},
	{BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11"), DETECT_PROXY, 12},
	{BYTES("\r\n\r\n\0\r\nQUIP\n\x21\x11"), DETECT_HTTP, 11},
	{BYTES("\0\x12\1\0\6\0SCRIPT"), DETECT_UWSGI, 1},
	{BYTES("\x1e\x12\1\0\6\0SCRIPT"), DETECT_UWSGI, 1},
	{BYTES("\x64\0\0\0"), DETECT_UWSGI, 2},
	{BYTES("\1\1\0\1\0\10\0\0\0\1\0\0"), DETECT_FASTCGI, 1},
	{BYTES("70:CONTENT_LENGTH"), DETECT_SCGI, 3},
	{BYTES("1234567:CONTENT_L"), DETECT_SCGI, 8},
	{BYTES("12345678:CONTENT_"), DETECT_HTTP, 8},
	{BYTES("7 / HTTP/1.1\r\n"), DETECT_HTTP, 2},
	{BYTES("\x16\3\1\2\0\1\0\1\374\3\3"), DETECT_TLS, 1},
	{BYTES("\255\0\0\0"), DETECT_UNKNOWN, 1},
	{BYTES("\5\1\0\0"), DETECT_UNKNOWN, 1},
	{BYTES(" GET / HTTP"), DETECT_UNKNOWN, 1},
	{BYTES("\n"), DETECT_UNKNOWN, 1},
#undef BYTES
};

static void the_first_bytes_decide_and_no_sooner(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t n = 0; n <= cases[i].n; n++) {
			char *copy = malloc(n ? n : 1);

			assert_non_null(copy);
			memcpy(copy, cases[i].bytes, n);
			assert_int_equal(detect(copy, n),
					 n < cases[i].needed ? DETECT_MORE : cases[i].kind);
			free(copy);
		}
}

static void every_first_byte_is_decided_within_the_limit(void **state)
{
	char bytes[DETECT_BYTES];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (unsigned rest = 0; rest < 256; rest++) {
			memset(bytes, (int)rest, sizeof(bytes));
			bytes[0] = (char)c;
			assert_int_not_equal(detect(bytes, sizeof(bytes)), DETECT_MORE);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_bytes_decide_and_no_sooner),
		cmocka_unit_test(every_first_byte_is_decided_within_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
