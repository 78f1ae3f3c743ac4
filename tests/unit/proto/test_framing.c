/*
 * Tests of vassal/proto/framing: whole heads, compared byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "vassal/proto/framing.h"

#define DATE    "Sat, 21 Nov 2026 04:55:16 GMT"
#define OK_HEAD "HTTP/1.1 200 OK\r\n"

struct framed {
	struct framing_facts f;
	const char *head;
	enum framing_body body;
	bool keep;
};

/* clang-format off */
static const struct framed cases[] = {
	{{.status = 200, .length = 5, .minor = 1, .keep_alive = true},
	 OK_HEAD "Content-Length: 5\r\n\r\n", FRAMING_LENGTH, true},
	{{.status = 200, .length = 0, .minor = 1, .keep_alive = true},
	 OK_HEAD "Content-Length: 0\r\n\r\n", FRAMING_LENGTH, true},
	{{.status = 200, .length = INT64_MAX, .minor = 1},
	 OK_HEAD "Content-Length: 9223372036854775807\r\nConnection: close\r\n\r\n", FRAMING_LENGTH, false},
	/* RFC 9112 6.1, 6.3, 7.1 */
	{{.status = 200, .length = -1, .minor = 1, .keep_alive = true},
	 OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", FRAMING_CHUNKED, true},
	{{.status = 200, .length = -1, .minor = 1},
	 OK_HEAD "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", FRAMING_CHUNKED, false},
	{{.status = 200, .length = -1, .minor = 0, .keep_alive = true},
	 OK_HEAD "Connection: close\r\n\r\n", FRAMING_CLOSE, false},
	/* RFC 9112 9.3, C.2.2 */
	{{.status = 200, .length = 5, .minor = 0, .keep_alive = true},
	 OK_HEAD "Content-Length: 5\r\nConnection: keep-alive\r\n\r\n", FRAMING_LENGTH, true},
	{{.status = 200, .length = 5, .minor = 0},
	 OK_HEAD "Content-Length: 5\r\nConnection: close\r\n\r\n", FRAMING_LENGTH, false},
	/* RFC 9110 9.3.2: HEAD says what GET would */
	{{.status = 200, .length = 5, .minor = 1, .keep_alive = true, .is_head = true},
	 OK_HEAD "Content-Length: 5\r\n\r\n", FRAMING_NONE, true},
	{{.status = 200, .length = -1, .minor = 0, .keep_alive = true, .is_head = true},
	 OK_HEAD "Connection: keep-alive\r\n\r\n", FRAMING_NONE, true},
	/* RFC 9110 8.6 */
	{{.status = 204, .length = 0, .minor = 1, .keep_alive = true},
	 "HTTP/1.1 204 No Content\r\n\r\n", FRAMING_NONE, true},
	{{.status = 204, .length = -1, .minor = 0, .keep_alive = true},
	 "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n", FRAMING_NONE, true},
	/* RFC 9110 15.3.6 */
	{{.status = 205, .length = 10, .minor = 1, .keep_alive = true},
	 "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", FRAMING_NONE, true},
	{{.status = 205, .length = -1, .minor = 0, .keep_alive = true},
	 "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
	 FRAMING_NONE, true},
	{{.status = 304, .length = 0, .minor = 1, .keep_alive = true},
	 "HTTP/1.1 304 Not Modified\r\n\r\n", FRAMING_NONE, true},
	{{.status = 304, .length = 5, .minor = 1, .keep_alive = true},
	 "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", FRAMING_NONE, true},
	{{.status = 103, .length = 5, .minor = 1, .fields = {"Link: </a>\r\n", 12}, .date = {DATE, 29}},
	 "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", FRAMING_NONE, false},
	/* our own fields, and the app's before them */
	{{.status = 404, .length = 1, .minor = 1, .keep_alive = true, .reason = {"Nope", 4},
	  .fields = {"A: b\r\nC: d\r\n", 12}, .date = {DATE, 29}, .server = {"emperor", 7},
	  .request_id = {"01ab", 4}},
	 "HTTP/1.1 404 Nope\r\nA: b\r\nC: d\r\nDate: " DATE "\r\nServer: emperor\r\nX-Request-ID: 01ab\r\n"
	 "Content-Length: 1\r\n\r\n", FRAMING_LENGTH, true},
	/* to a server in front of us: nothing of the connection, which is its own affair (RFC 3875 6.2) */
	{{.status = 200, .length = 1, .wire = FRAMING_CGI, .date = {DATE, 29}, .server = {"emperor", 7}},
	 "Status: 200 OK\r\nDate: " DATE "\r\nServer: emperor\r\nContent-Length: 1\r\n\r\n", FRAMING_LENGTH, false},
	{{.status = 200, .length = 1, .wire = FRAMING_UWSGI, .date = {DATE, 29}, .request_id = {"01ab", 4}},
	 OK_HEAD "Date: " DATE "\r\nX-Request-ID: 01ab\r\nContent-Length: 1\r\n\r\n", FRAMING_LENGTH, false},
	{{.status = 200, .length = -1, .minor = 1, .wire = FRAMING_UWSGI},
	 OK_HEAD "\r\n", FRAMING_CLOSE, false},
	/* an unknown status has an empty phrase, after its space (RFC 9112 4) */
	{{.status = 999, .length = 1, .minor = 1, .keep_alive = true},
	 "HTTP/1.1 999 \r\nContent-Length: 1\r\n\r\n", FRAMING_LENGTH, true},
};
/* clang-format on */

static void each_answer_is_framed_as_its_request_can_read_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct framed *c = &cases[i];
		enum framing_body body;
		char buf[512];
		bool keep;
		ssize_t n = framing_head(buf, sizeof(buf), &c->f, &body, &keep);

		if (n != (ssize_t)strlen(c->head) || memcmp(buf, c->head, (size_t)n) != 0)
			fail_msg("row %zu: %.*s", i, (int)MAX(n, (ssize_t)0), buf);
		assert_int_equal(body, c->body);
		assert_int_equal(keep, c->keep);
	}
}

static void a_head_that_does_not_fit_is_not_written_beyond_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const size_t n = strlen(cases[i].head);

		for (size_t size = 0; size <= n; size++) {
			enum framing_body body;
			bool keep;
			char *buf = malloc(size ? size : 1);

			assert_non_null(buf);
			assert_int_equal(framing_head(buf, size, &cases[i].f, &body, &keep),
					 size < n ? -1 : (ssize_t)n);
			free(buf);
		}
	}
}

static void a_status_that_is_none_is_refused(void **state)
{
	const unsigned bad[] = {0, 1, 99, 1000, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct framing_facts f = {.status = bad[i], .minor = 1};
		enum framing_body body;
		char buf[512];
		bool keep;

		assert_int_equal(framing_head(buf, sizeof(buf), &f, &body, &keep), -1);
		assert_int_equal(framing_reason(bad[i]).n, 0);
	}
}

static void chunk_lines_are_hexadecimal(void **state)
{
	const size_t sizes[] = {1, 9, 10, 15, 16, 255, 256, 8000, 65536, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char want[32];
		char buf[20];
		int n = snprintf(want, sizeof(want), "%zx\r\n", sizes[i]);

		assert_int_equal(framing_chunk_line(buf, sizes[i]), n);
		assert_memory_equal(buf, want, n);
	}
}

static void dates_are_those_of_the_c_library(void **state)
{
	(void)state;
	for (int64_t s = 0; s < INT64_C(253402300800); s += 86400 * 97 + 3661) {
		time_t t = (time_t)s;
		struct tm tm;
		char want[30];
		char buf[30];

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm),
				 29);
		framing_date(buf, s);
		assert_string_equal(buf, want);
	}
}

static void special_days_are_right(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} days[] = {
		{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
		{1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
		{1795236916, DATE},
		{4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
		{253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
		{INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		char buf[30];

		framing_date(buf, days[i].s);
		assert_string_equal(buf, days[i].text);
	}
}

static void our_own_errors_are_whole_answers(void **state)
{
	static const char want[] =
		"HTTP/1.1 503 Service Unavailable\r\nDate: " DATE
		"\r\nServer: emperor\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"X-Request-ID: 01ab\r\nRetry-After: 7\r\nContent-Length: 37\r\n"
		"Connection: close\r\n\r\n";
	static const char body[] = "503 Service Unavailable\nrequest 01ab\n";
	const size_t head_n = sizeof(want) - 1;
	const size_t n = head_n + sizeof(body) - 1;
	char buf[512];

	(void)state;
	assert_int_equal(
		framing_error(buf, sizeof(buf), 503, 7, false, false, SPAN(DATE), SPAN("01ab")), n);
	assert_memory_equal(buf, want, head_n);
	assert_memory_equal(buf + head_n, body, sizeof(body) - 1);
	assert_int_equal(
		framing_error(buf, sizeof(buf), 503, 7, true, false, SPAN(DATE), SPAN("01ab")),
		head_n);
	for (size_t size = 0; size < n; size++)
		assert_int_equal(
			framing_error(buf, size, 503, 7, false, false, SPAN(DATE), SPAN("01ab")),
			-1);
}

static void an_error_may_leave_the_connection_open(void **state)
{
	static const char want[] =
		"HTTP/1.1 404 Not Found\r\nServer: emperor\r\n"
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n"
		"Connection: keep-alive\r\n\r\n404 Not Found\n";
	char buf[512];

	(void)state;
	assert_int_equal(framing_error(buf, sizeof(buf), 404, 0, false, true, SPAN(""), SPAN("")),
			 sizeof(want) - 1);
	assert_memory_equal(buf, want, sizeof(want) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_framed_as_its_request_can_read_it),
		cmocka_unit_test(a_head_that_does_not_fit_is_not_written_beyond_the_end),
		cmocka_unit_test(a_status_that_is_none_is_refused),
		cmocka_unit_test(chunk_lines_are_hexadecimal),
		cmocka_unit_test(dates_are_those_of_the_c_library),
		cmocka_unit_test(special_days_are_right),
		cmocka_unit_test(our_own_errors_are_whole_answers),
		cmocka_unit_test(an_error_may_leave_the_connection_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
