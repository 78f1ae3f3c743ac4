/*
 * test_answer - the gate's own answers are whole HTTP responses.
 */
#include "emperor/gate/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/limits.h"

static const char *write_answer(const struct answer *a)
{
	static char buf[ANSWER_MAX];
	size_t n = answer_write(buf, a, 784111777); /* RFC 9110's example */

	assert_in_range(n, 1, ANSWER_MAX - 1);
	buf[n] = '\0';
	return buf;
}

static void an_answer_says_its_length_and_date_and_that_it_closes(void **state)
{
	const struct answer a = {.status = 503, .why = "asleep", .retry_after_s = 7};

	(void)state;
	assert_string_equal(write_answer(&a), "HTTP/1.1 503 Service Unavailable\r\n"
					      "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
					      "Content-Type: text/plain; charset=utf-8\r\n"
					      "Content-Length: 32\r\n"
					      "Retry-After: 7\r\n"
					      "Connection: close\r\n\r\n"
					      "503 Service Unavailable: asleep\n");
}

static void every_length_is_right_and_every_phrase_is_known(void **state)
{
	static const int statuses[] = {400, 404, 408, 414, 431, 501, 503, 505};
	char why[400], id[LIMIT_REQUEST_ID];

	(void)state;
	memset(id, 'i', sizeof(id));
	memset(why, 'w', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct answer a = {.status = statuses[i],
				   .why = why,
				   .retry_after_s = 4000000000U,
				   .request_id = span_of(id, sizeof(id)),
				   .wire = ANSWER_FASTCGI};
		const char *text = (write_answer(&a), a.wire = ANSWER_HTTP, write_answer(&a));
		const char *body = strstr(text, "\r\n\r\n");
		size_t length = 0;

		assert_non_null(body);
		assert_int_equal(strtol(text + 9, NULL, 10), statuses[i]);
		assert_int_equal(
			sscanf(strstr(text, "Content-Length"), "Content-Length: %zu", &length), 1);
		assert_int_equal(length, strlen(body + 4));
	}
}

static void the_answer_to_a_head_has_no_body_but_its_length(void **state)
{
	const struct answer a = {.status = 404, .why = "x", .no_body = true};
	const char *text = write_answer(&a);

	(void)state;
	assert_non_null(strstr(text, "Content-Length: 17\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void an_answer_names_the_request(void **state)
{
	static char many[LIMIT_REQUEST_ID * 2];
	struct answer a = {.status = 404, .why = "x", .request_id = SPAN("0af1")};
	const char *text = write_answer(&a);

	(void)state;
	assert_non_null(strstr(text, "\r\nX-Request-ID: 0af1\r\n"));
	assert_non_null(strstr(text, "\r\nContent-Length: 30\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n") + 4, "404 Not Found: x\nrequest 0af1\n");
	memset(many, 'i', sizeof(many));
	a.request_id = span_of(many, sizeof(many));
	assert_int_equal(strspn(strstr(write_answer(&a), "D: ") + 3, "i"), LIMIT_REQUEST_ID - 1);
}

static void an_unknown_status_is_a_bad_request(void **state)
{
	const struct answer a = {.status = 299, .why = "x"};

	(void)state;
	assert_memory_equal(write_answer(&a), "HTTP/1.1 400 Bad Request\r\n", 26);
}

static void who_speaks_in_variables_is_answered_in_his_language(void **state)
{
	static const char cgi[] = "Status: 503 Service Unavailable\r\n"
				  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
				  "Content-Type: text/plain; charset=utf-8\r\n"
				  "Content-Length: 32\r\n"
				  "Retry-After: 7\r\n\r\n"
				  "503 Service Unavailable: asleep\n";
	struct answer a = {.status = 503, .why = "asleep", .retry_after_s = 7, .wire = ANSWER_CGI};
	const size_t n = sizeof(cgi) - 1;
	const char *text;

	(void)state;
	assert_string_equal(write_answer(&a), cgi);
	a.wire = ANSWER_FASTCGI;
	a.id = 0x102;
	text = write_answer(&a);
	assert_memory_equal(text, "\1\6\1\2\0", 5);
	assert_int_equal((unsigned char)text[5], n);
	assert_memory_equal(text + 6, "\0\0", 2);
	assert_memory_equal(text + 8, cgi, n);
	assert_memory_equal(text + 8 + n, "\1\3\1\2\0\10\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(answer_write((char[ANSWER_MAX]){0}, &a, 784111777), 8 + n + 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_speaks_in_variables_is_answered_in_his_language),
		cmocka_unit_test(an_answer_says_its_length_and_date_and_that_it_closes),
		cmocka_unit_test(every_length_is_right_and_every_phrase_is_known),
		cmocka_unit_test(the_answer_to_a_head_has_no_body_but_its_length),
		cmocka_unit_test(an_answer_names_the_request),
		cmocka_unit_test(an_unknown_status_is_a_bad_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
