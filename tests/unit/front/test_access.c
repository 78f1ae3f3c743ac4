/* access: the line of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "shared/clock.h"
#include "vassal/front/access.h"

static void a_line_holds_every_fact(void **state)
{
	const struct access a = {.wall_ns = 1795238635123456789ULL,
				 .client = "192.0.2.1",
				 .line = "GET /path?x=1",
				 .id = "4f0c",
				 .status = 200,
				 .bytes = 1234,
				 .queue_ns = 250000,
				 .app_ns = 1499999,
				 .worker = 3};
	char buf[ACCESS_LINE];
	size_t n = access_format(buf, &a);

	(void)state;
	assert_int_equal(buf[n - 1], '\n');
	buf[n - 1] = '\0';
	assert_string_equal(
		buf, "2026-11-21T05:23:55.123Z 192.0.2.1 \"GET /path?x=1\" 200 1234 queue=0.2ms "
		     "app=1.4ms worker=3 id=4f0c");
}

static void what_is_not_known_is_a_dash(void **state)
{
	const struct access a = {.client = "", .line = "-", .id = ""};
	char buf[ACCESS_LINE];
	size_t n = access_format(buf, &a);

	(void)state;
	buf[n - 1] = '\0';
	assert_string_equal(
		buf, "1970-01-01T00:00:00.000Z - \"-\" - 0 queue=0.0ms app=0.0ms worker=- id=-");
}

static void a_peer_cannot_end_the_quotes_or_the_line(void **state)
{
	const struct access a = {.client = "::1", .line = "GET /\"\n\x1b[2J\\\xff", .id = "x"};
	char buf[ACCESS_LINE];
	size_t n = access_format(buf, &a);

	(void)state;
	buf[n - 1] = '\0';
	assert_null(strchr(buf, '\n'));
	assert_null(strchr(buf, '\x1b'));
	assert_non_null(strstr(buf, "\"GET /\\x22\\x0a\\x1b[2J\\x5c\\xff\" "));
}

static void what_the_app_says_of_a_request_is_quoted_behind_it(void **state)
{
	const struct access a = {
		.client = "", .line = "GET /", .id = "x", .logvars = "user=\"me\"\n order=17"};
	const struct access none = {.client = "", .line = "GET /", .id = "x", .logvars = ""};
	char buf[ACCESS_LINE];
	size_t n = access_format(buf, &a);
	static const char tail[] = " id=x logvars=\"user=\\x22me\\x22\\x0a order=17\"\n";

	(void)state;
	assert_true(n > sizeof(tail) - 1);
	assert_memory_equal(buf + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	n = access_format(buf, &none);
	assert_memory_equal(buf + n - 6, " id=x\n", 6);
}

static void the_longest_line_fits(void **state)
{
	char line[200], id[80], client[60], logvars[LIMIT_LOGVARS + 10];
	struct access a = {.wall_ns = UINT64_MAX,
			   .client = client,
			   .line = line,
			   .id = id,
			   .status = 999,
			   .bytes = UINT64_MAX,
			   .queue_ns = UINT64_MAX,
			   .app_ns = UINT64_MAX,
			   .worker = UINT32_MAX,
			   .logvars = logvars};
	char buf[ACCESS_LINE + 16];
	size_t n;

	(void)state;
	memset(line, '\x01', sizeof(line));
	memset(logvars, '\x01', sizeof(logvars));
	memset(id, 'i', sizeof(id));
	memset(client, 'c', sizeof(client));
	memset(buf, '#', sizeof(buf));
	n = access_format(buf, &a);
	assert_true(n <= ACCESS_LINE);
	assert_int_equal(buf[n - 1], '\n');
	assert_int_equal(buf[ACCESS_LINE], '#');
}

static void dates_are_those_of_the_c_library(void **state)
{
	(void)state;
	for (int64_t s = 0; s < 4102444800; s += 86399 * 13) {
		char ours[ACCESS_STAMP + 1], theirs[64];
		time_t t = (time_t)s;
		struct tm tm;

		ours[access_stamp(ours, (uint64_t)s * NS_PER_S)] = '\0';
		(void)gmtime_r(&t, &tm);
		(void)strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		assert_string_equal(ours, theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_holds_every_fact),
		cmocka_unit_test(what_is_not_known_is_a_dash),
		cmocka_unit_test(a_peer_cannot_end_the_quotes_or_the_line),
		cmocka_unit_test(what_the_app_says_of_a_request_is_quoted_behind_it),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(dates_are_those_of_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
