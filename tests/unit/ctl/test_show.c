/*
 * test_show - what people see of the answers.
 */
#include "emperor/ctl/ctl.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "shared/clock.h"

static void numbers_read_as_people_say_them(void **state)
{
	static const struct {
		const char *(*say)(char buf[HUMAN_MAX], uint64_t n);
		uint64_t n;
		const char *said;
	} cases[] = {
		{human_bytes, 0, "0"},
		{human_bytes, 1023, "1023"},
		{human_bytes, 1024, "1.0K"},
		{human_bytes, 10 * 1024, "10K"},
		{human_bytes, 1024 * 1024 - 1, "1023K"},
		{human_bytes, 8700000, "8.2M"},
		{human_bytes, UINT64_MAX, "15E"},
		{human_age, 59, "59s"},
		{human_age, 61, "1m01s"},
		{human_age, 3600, "1h00m"},
		{human_age, 90000, "1d01h"},
		{human_us, 999, "999us"},
		{human_us, 1500, "1.5ms"},
		{human_us, 10000, "10ms"},
		{human_us, 2500000, "2.5s"},
		{human_count, UINT64_MAX, "18446744073709551615"},
		{human_time, 0, "-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[HUMAN_MAX];

		assert_string_equal(cases[i].say(buf, cases[i].n), cases[i].said);
	}
}

typedef void show_fn(const struct ctl *c, const json_t *answer);

static const char *shown_so(show_fn *show, const char *app, bool full, const char *text)
{
	static char buf[4096];
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	const struct ctl c = {.app = app, .out = out, .full = full, .wall_ns = 1000 * NS_PER_S};
	json_t *answer = json_loads(text, 0, NULL);

	assert_non_null(out);
	assert_non_null(answer);
	show(&c, answer);
	(void)fclose(out);
	json_decref(answer);
	return buf;
}

static const char *shown(show_fn *show, const char *app, const char *text)
{
	return shown_so(show, app, false, text);
}

static void status_shows_each_app_in_a_row_with_its_reason(void **state)
{
	const char *text = shown(
		show_status, "",
		"{\"apps\": [{\"name\": \"blog\", \"state\": \"running\", \"pid\": 7,"
		" \"generation\": 3, \"since\": 940, \"busy\": 1, \"alive\": 2, \"workers\": 4,"
		" \"pool\": \"2 of 4 processes are enough just now (least 1)\","
		" \"memory\": 10485760, \"requests\": 41},"
		"{\"name\": \"shop\", \"state\": \"backoff\", \"next_try\": 1005,"
		" \"last_error\": \"Traceback\\n  x\\nImportError: no y\\n\"}]}");

	(void)state;
	assert_non_null(strstr(text, "NAME  STATE"));
	assert_non_null(strstr(
		text,
		"blog  running    3    7  1m00s      2/4     1     10M        41      0  2 of 4 "
		"processes are enough just now (least 1)\n"));
	assert_non_null(strstr(text, "next try in 5s: ImportError: no y\n"));
}

static void the_view_of_one_app_shows_the_programs_beside_it(void **state)
{
	const char *text = shown(
		show_status, "blog",
		"{\"apps\": [{\"name\": \"blog\", \"state\": \"running\", \"tasks\": ["
		"{\"name\": \"celery\", \"kind\": \"daemon\", \"state\": \"running\", \"pid\": 12,"
		" \"since\": 940, \"starts\": 3, \"failures\": 2, \"last_exit\": \"exit 1\"},"
		"{\"name\": \"backup\", \"kind\": \"cron\", \"state\": \"waiting\"}]}]}");

	(void)state;
	assert_non_null(strstr(
		text,
		"daemon  celery: running, pid 12 for 1m00s, 3 starts, 2 failed, last: exit 1\n"));
	assert_non_null(strstr(text, "cron  backup: waiting, 0 starts, 0 failed\n"));
}

static void the_view_of_one_app_says_who_holds_its_memory(void **state)
{
	const char *text =
		shown(show_status, "blog",
		      "{\"apps\": [{\"name\": \"blog\", \"memory\": 41943040, \"rss\": 104857600,"
		      " \"front_memory\": 3145728, \"mold_memory\": 20971520,"
		      " \"workers_memory\": 17825792}]}");

	(void)state;
	assert_non_null(strstr(text, "memory  40M: front 3.0M, mold 20M, workers 17M\n"));
}

static void the_view_of_one_app_shows_the_whole_traceback(void **state)
{
	const char *text = shown(show_status, "shop",
				 "{\"apps\": [{\"name\": \"shop\", \"state\": \"backoff\","
				 " \"last_error\": \"Traceback\\nImportError: no y\"}]}");

	(void)state;
	assert_non_null(strstr(text, "         app  shop\n"));
	assert_non_null(strstr(text, "  last error  Traceback\n              ImportError: no y\n"));
}

static void stats_show_rates_and_percentiles(void **state)
{
	const char *text =
		shown(show_stats, "",
		      "{\"vassals\": [{\"name\": \"blog\", \"requests\": 100, \"window_s\": 4,"
		      " \"window_requests\": 10, \"p50_us\": 900, \"p99_us\": 12000}]}");

	(void)state;
	assert_non_null(strstr(text, "blog       100    2.5  900us    -  12ms"));
}

static void what_was_not_measured_is_a_dash_and_no_zero(void **state)
{
	const char *text =
		shown(show_stats, "",
		      "{\"vassals\": [{\"name\": \"blog\", \"requests\": 3, \"window_s\": 0,"
		      " \"window_requests\": 0, \"p50_us\": 0, \"p95_us\": 0, \"p99_us\": 0,"
		      " \"queue_p95_us\": 0, \"memory\": 0},"
		      "{\"name\": \"shop\", \"window_s\": 10, \"window_requests\": 5,"
		      " \"p50_us\": 0, \"queue_p95_us\": 0, \"memory\": 2048}]}");

	(void)state;
	assert_string_equal(
		strchr(text, '\n') + 1,
		"blog         3      -    -    -    -          -    0           0  -\n"
		"shop         0    0.5  0us    -    -        0us    0           0  2.0K\n");
}

static void a_text_that_ends_its_line_leaves_no_blank_one(void **state)
{
	const char *text =
		shown(show_status, "shop",
		      "{\"apps\": [{\"name\": \"shop\", \"notes\": \"a: one\\nb: two\\n\"}]}");

	(void)state;
	assert_non_null(strstr(text, "       notes  a: one\n              b: two\n"));
	assert_string_equal(text + strlen(text) - 7, "b: two\n");
}

static void events_show_when_who_and_what(void **state)
{
	const char *text =
		shown(show_events, "",
		      "{\"events\": [{\"time\": 1000, \"app\": \"blog\", \"generation\": 2,"
		      " \"kind\": \"reloaded\", \"text\": \"touched\"}]}");

	(void)state;
	assert_non_null(strstr(text, "  blog    2  reloaded  touched\n"));
}

static void the_release_that_runs_is_shown_and_the_one_that_is_held(void **state)
{
	const char *text =
		shown(show_status, "blog",
		      "{\"apps\": [{\"name\": \"blog\", \"release\": \"/srv/r1\", "
		      "\"release_since\": 1000, "
		      "\"held\": true, \"held_release\": \"/srv/r2\", \"held_generation\": 4}]}");

	(void)state;
	assert_non_null(strstr(text, "     release  /srv/r1 since 1970-01-01T00:16:40Z"));
	assert_non_null(
		strstr(text, "        held  rolled back from /srv/r2 (generation 4): not "));
	text = shown(show_status, "blog",
		     "{\"apps\": [{\"name\": \"blog\", \"held\": true, \"held_release\": \"\"}]}");
	assert_null(strstr(text, "release"));
	assert_non_null(strstr(text, "rolled back from an unknown version: not"));
	text = shown(show_status, "blog", "{\"apps\": [{\"name\": \"blog\", \"held\": false}]}");
	assert_null(strstr(text, "held"));
}

static void
a_traceback_is_its_last_line_among_events_of_all_and_whole_among_those_of_one(void **state)
{
	static const char answer[] =
		"{\"events\": [{\"time\": 1000, \"app\": \"blog\", \"generation\": 3, \"kind\": "
		"\"failed\", \"text\": \"Traceback:\\n  File x\\nKeyError: 'a'\\n\"}]}";
	const char *text = shown(show_events, "", answer);

	(void)state;
	assert_non_null(strstr(text, "  blog    3  failed  KeyError: 'a'\n"));
	assert_null(strstr(text, "Traceback"));
	text = shown(show_events, "blog", answer);
	assert_non_null(strstr(text, "  blog    3  failed  KeyError: 'a'\n"));
	text = strstr(text, "  Traceback:\n");
	assert_non_null(text);
	text = strstr(text, "    File x\n");
	assert_non_null(text);
	assert_non_null(strstr(text, "  KeyError: 'a'\n"));
}

static void an_answer_without_fields_hurts_nobody(void **state)
{
	(void)state;
	assert_non_null(strstr(shown(show_status, "", "{}"), "NAME"));
	assert_non_null(strstr(shown(show_status, "x", "{}"), "state"));
	assert_non_null(strstr(shown(show_stats, "", "{\"vassals\": [{\"name\": 7}]}"), "NAME"));
	assert_non_null(strstr(shown(show_events, "", "{\"events\": {}}"), "TIME"));
}

static void a_blame_record_says_what_why_and_where(void **state)
{
	const char *out = shown(
		show_blame, "blog",
		"{\"blames\": [{\"time\": 0, \"kind\": \"crashed\", \"request\": \"GET "
		"/x\\u001b[31m\","
		" \"request_id\": \"id1\", \"status\": 502, \"reason\": \"killed by signal 11\","
		" \"worker\": 2, \"pid\": 77, \"signal\": 11, \"age_us\": 1500, \"queue_us\": 10,"
		" \"generation\": 3, \"rss\": 2097152, \"rss_growth\": 1048576,"
		" \"stacks\": \"Thread 0x1\\n  File \\\"a.py\\\"\\n\", \"log\": \"a line\\n\"},"
		" {\"kind\": \"slow\", \"request\": \"GET /y\", \"status\": 0, \"rss\": 1024,"
		" \"rss_growth\": -1024},"
		" {\"kind\": \"slow\", \"request\": \"GET /z\", \"status\": 200}]}");

	(void)state;
	assert_string_equal(
		out, "-  crashed  GET /x\\x1b[31m\n"
		     "    why       killed by signal 11\n"
		     "    answered  502 after 1.5ms in worker 2 (pid 77), 10us in the queue\n"
		     "    memory    2.0M resident, 1.0M more than before the request\n"
		     "    signal    11 (Segmentation fault)\n"
		     "    request   id1 of generation 3\n"
		     "    stacks\n"
		     "        Thread 0x1\n"
		     "          File \"a.py\"\n"
		     "    log before it\n"
		     "        a line\n"
		     "\n"
		     "-  slow  GET /y\n"
		     "    answered  no answer yet; after 0us, 0us in the queue\n"
		     "    memory    1.0K resident, 1.0K less than before the request\n"
		     "    request    of generation 0\n"
		     "\n"
		     "-  slow  GET /z\n"
		     "    answered  200 begun, no end yet; after 0us, 0us in the queue\n"
		     "    request    of generation 0\n");
	assert_string_equal(shown(show_blame, "blog", "{\"blames\": []}"),
			    "nothing is on record\n");
}

/* Ten lines of one thread and two of another; the newer log goes on where the older ended. */
static const char long_blames[] =
	"{\"blames\": [{\"kind\": \"timeout\", \"request\": \"GET /b\", \"status\": 504,"
	" \"stacks\": \"Current thread 0x1 (x):\\n  f1\\n  f2\\n"
	"  f3\\n  f4\\n  f5\\n  f6\\n  f7\\n  f8\\n  f9\\nThread 0x2 (x):\\n  other\\n\","
	" \"log\": \"e three\\nfour\\nfive\\n\"},"
	" {\"kind\": \"slow\", \"request\": \"GET /b\", \"log\": \"two\\nline three\\nfour\\n\"},"
	" {\"kind\": \"slow\", \"request\": \"GET /a\","
	" \"log\": \"1\\n2\\n3\\n4\\n5\\n6\\n7\\ntwo\\nline three\\nfour\\n\"}]}";

static void blame_is_short_and_shows_each_line_of_the_log_once(void **state)
{
	const char *out = shown(show_blame, "blog", long_blames);

	(void)state;
	assert_non_null(strstr(out, "    stacks\n        Current thread 0x1 (x):\n          f1\n"));
	assert_non_null(strstr(out, "          f7\n        (4 more lines with --full)\n"
				    "    log before it, since the record below\n        five\n"));
	assert_non_null(strstr(out, "    log       nothing since the record below\n"));
	assert_non_null(strstr(out, "    log before it\n        (5 more lines with --full)\n"
				    "        6\n        7\n        two\n        line three\n"
				    "        four\n"));
	assert_null(strstr(out, "other"));
}

static void blame_of_a_crash_shows_why_and_where(void **state)
{
	const char *out =
		shown(show_blame, "blog",
		      "{\"blames\": [{\"kind\": \"crashed\", \"request\": \"GET /\","
		      " \"stacks\": \"Fatal Python error: Aborted\\nCurrent thread 0x1 (x):\\n"
		      "  f1\\nThread 0x2 (x):\\n  other\\n\"}]}");

	(void)state;
	assert_non_null(strstr(out, "        Fatal Python error: Aborted\n"
				    "        Current thread 0x1 (x):\n          f1\n"
				    "        (2 more lines with --full)\n"));
}

static void blame_in_full_leaves_nothing_out(void **state)
{
	const char *out = shown_so(show_blame, "blog", true, long_blames);

	(void)state;
	assert_non_null(strstr(out, "          f9\n        Thread 0x2 (x):\n          other\n"));
	assert_non_null(strstr(out, "          other\n    log before it"));
	assert_non_null(strstr(out, "    log before it\n        1\n        2\n        3\n"));
	assert_null(strstr(out, "--full"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blame_is_short_and_shows_each_line_of_the_log_once),
		cmocka_unit_test(blame_of_a_crash_shows_why_and_where),
		cmocka_unit_test(blame_in_full_leaves_nothing_out),
		cmocka_unit_test(a_blame_record_says_what_why_and_where),
		cmocka_unit_test(numbers_read_as_people_say_them),
		cmocka_unit_test(status_shows_each_app_in_a_row_with_its_reason),
		cmocka_unit_test(the_view_of_one_app_shows_the_programs_beside_it),
		cmocka_unit_test(the_view_of_one_app_says_who_holds_its_memory),
		cmocka_unit_test(the_view_of_one_app_shows_the_whole_traceback),
		cmocka_unit_test(stats_show_rates_and_percentiles),
		cmocka_unit_test(what_was_not_measured_is_a_dash_and_no_zero),
		cmocka_unit_test(a_text_that_ends_its_line_leaves_no_blank_one),
		cmocka_unit_test(events_show_when_who_and_what),
		cmocka_unit_test(the_release_that_runs_is_shown_and_the_one_that_is_held),
		cmocka_unit_test(
			a_traceback_is_its_last_line_among_events_of_all_and_whole_among_those_of_one),
		cmocka_unit_test(an_answer_without_fields_hurts_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
