/*
 * request: each path and parameter means one thing, and whatever else is refused with the right status.
 */
#include "emperor/stats/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define H " HTTP/1.1\r\nHost: x\r\n\r\n"

static int parse(const char *text, struct request *ret)
{
	const char *why = "";

	return request_parse(text, strlen(text), ret, &why);
}

static void good_requests_say_what_is_wanted(void **state)
{
	static const struct {
		const char *text;
		struct request want;
	} rows[] = {
		{"GET /" H, {WANT_ROOT, false, "", -1, 50, 60, 0}},
		{"HEAD /" H, {WANT_ROOT, true, "", -1, 50, 60, 0}},
		{"GET / HTTP/1.0\r\n\r\n", {WANT_ROOT, false, "", -1, 50, 60, 0}},
		{"GET /?whatever" H, {WANT_ROOT, false, "", -1, 50, 60, 0}},
		{"GET /apps/blog" H, {WANT_APP, false, "blog", -1, 50, 60, 0}},
		{"GET /apps/my%20b%6Cog" H, {WANT_APP, false, "my blog", -1, 50, 60, 0}},
		{"GET /events" H, {WANT_EVENTS, false, "", -1, 50, 60, 0}},
		{"GET /events?app=blog&n=7&after=12" H, {WANT_EVENTS, false, "blog", 12, 7, 60, 0}},
		{"GET /blame?app=blog" H, {WANT_BLAME, false, "blog", -1, 10, 60, 0}},
		{"GET /blame?n=100" H, {WANT_BLAME, false, "", -1, 100, 60, 0}},
		{"GET /events?n=1000&&" H, {WANT_EVENTS, false, "", -1, 1000, 60, 0}},
		{"GET /history?app=blog&minutes=1440" H,
		 {WANT_HISTORY, false, "blog", -1, 50, 1440, 0}},
		{"GET /inis?app=blog" H, {WANT_INIS, false, "blog", -1, 50, 60, 0}},
		{"GET /inis?app=blog&generation=7" H, {WANT_INIS, false, "blog", -1, 50, 60, 7}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request r;

		memset(&r, 0xff, sizeof(r));
		assert_int_equal(parse(rows[i].text, &r), 200);
		assert_int_equal(r.want, rows[i].want.want);
		assert_int_equal(r.head_only, rows[i].want.head_only);
		assert_string_equal(r.app, rows[i].want.app);
		assert_int_equal(r.after_id, rows[i].want.after_id);
		assert_int_equal(r.n, rows[i].want.n);
		assert_int_equal(r.minutes, rows[i].want.minutes);
		assert_int_equal(r.generation, rows[i].want.generation);
	}
}

static void bad_requests_get_the_status_they_deserve(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{"POST /" H, 405},
		{"DELETE /apps/blog" H, 405},
		{"GET /nothing" H, 404},
		{"GET /apps/" H, 404},
		{"GET /apps/a/b" H, 404},
		{"GET /apps/a%2fb" H, 404},
		{"GET /apps/a%00" H, 404},
		{"GET /apps/a%zz" H, 404},
		{"GET /apps/a%2" H, 404},
		{"GET /apps/0123456789012345678901234567890123456789012345678901234567890123" H,
		 404},
		{"GET /events?n=0" H, 400},
		{"GET /events?n=1001" H, 400},
		{"GET /blame?n=101" H, 400},
		{"GET /blame?after=1" H, 400},
		{"GET /inis?app=blog&generation=0" H, 400},
		{"GET /inis?app=blog&n=3" H, 400},
		{"GET /events?generation=3" H, 400},
		{"GET /history?app=a&n=1" H, 400},
		{"GET /events?n=-1" H, 400},
		{"GET /events?n=" H, 400},
		{"GET /events?n" H, 400},
		{"GET /events?n=99999999999999999999" H, 400},
		{"GET /events?minutes=5" H, 400},
		{"GET /events?app=" H, 400},
		{"GET /history?minutes=1441" H, 400},
		{"GET /history?n=4" H, 400},
		{"GET /history?constructor=1" H, 400},
		{"hello\r\n\r\n", 400},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request r;

		if (parse(rows[i].text, &r) != rows[i].status)
			fail_msg("%s: %d, expected %d", rows[i].text, parse(rows[i].text, &r),
				 rows[i].status);
	}
}

static void every_prefix_asks_for_more(void **state)
{
	static const char text[] = "GET /events?app=blog&n=7" H;
	const char *why = "";
	struct request r;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(request_parse(text, n, &r, &why), 0);
	assert_int_equal(request_parse(text, sizeof(text) - 1, &r, &why), 200);
}

static void a_head_that_fills_all_room_is_refused(void **state)
{
	char text[LIMIT_STATS_HEAD];
	const char *why = "";
	struct request r;
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nA: ");

	(void)state;
	memset(text + n, 'x', sizeof(text) - (size_t)n);
	assert_int_equal(request_parse(text, sizeof(text), &r, &why), 431);
}

static void every_status_that_is_sent_has_a_text(void **state)
{
	static const int all[] = {200, 400, 404, 405, 408, 414, 431, 500, 501, 503, 505};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_string_not_equal(request_status_text(all[i]), "Error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests_say_what_is_wanted),
		cmocka_unit_test(bad_requests_get_the_status_they_deserve),
		cmocka_unit_test(every_prefix_asks_for_more),
		cmocka_unit_test(a_head_that_fills_all_room_is_refused),
		cmocka_unit_test(every_status_that_is_sent_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
