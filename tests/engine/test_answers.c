/*
 * test_answers - PEP 3333 through the real engine: every shape an answer or a body can have (apps/shapes.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include <sys/mman.h>

#include "shared/fd.h"
#include "shared/scoreboard.h"
#include "tests/engine/rig.h"

static int setup(void **state)
{
	return rig_setup(state, "module=shapes");
}

static int setup_checked(void **state)
{
	return rig_setup(state, "module=shapes:checked");
}

struct shape {
	const char *target;
	unsigned status;
	const char *body; /* NULL: not looked at */
	int64_t length;
	unsigned data_frames;
	uint32_t end;
};

/* clang-format off */
static const struct shape shapes[] = {
	{ "/plain",		 200, "plain",			5,  1, FRAME_END_OK },
	{ "/two",		 200, "one,two",		7,  2, FRAME_END_OK },
	{ "/empty",		 200, "",			0,  0, FRAME_END_OK },
	{ "/bare_bytes",	 200, "bare",			4,  1, FRAME_END_OK },
	{ "/generator",		 200, "part 0,part 1,part 2,", -1,  3, FRAME_END_OK },
	{ "/late_start",	 202, "late",		       -1,  1, FRAME_END_OK },
	{ "/writes",		 200, "written,twice,returned",-1,  3, FRAME_END_OK },
	{ "/closing",		 200, "ab",		       -1,  2, FRAME_END_OK },
	{ "/was_closed",	 200, "1",			1,  1, FRAME_END_OK },
	{ "/closing_broken",	 200, "a",		       -1,  1, FRAME_END_EXCEPTION },
	{ "/was_closed",	 200, "1",			1,  1, FRAME_END_OK },
	{ "/raises",		 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/raises_after_start", 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/error_page",	 500, "error page",		10, 1, FRAME_END_OK },
	{ "/no_exc_info",	 202, "nothing raised",		14, 1, FRAME_END_OK },
	{ "/no_exc_info_too_late",200,"begun",		       -1,  1, FRAME_END_EXCEPTION },
	{ "/error_too_late",	 200, "begun",		       -1,  1, FRAME_END_EXCEPTION },
	{ "/start_twice",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/no_start",		 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/no_start_empty",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/text_items",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/nothing",		 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/too_many",		 200, "1234",			4,  1, FRAME_END_OK },
	{ "/too_few",		 200, "1234",			10, 1, FRAME_END_SHORT },
	{ "/bad_types?int",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/bad_types?wide",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/bad_types?list",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/bad_types?dict",	 0,   "",		       -1,  0, FRAME_END_EXCEPTION },
	{ "/wrapped?bytesio",	 200, "from memory",	       -1,  3, FRAME_END_OK },
	{ "/wrapped?named",	 200, "xxxxxxxxxxend",		13, 1, FRAME_END_OK },
	{ "/wrapped?temporary",	 200, "xxxxxxxxxxend",		13, 1, FRAME_END_OK },
	{ "/wrapped?whole",	 200, NULL,		    300003, 5, FRAME_END_OK },
	{ "/big",		 200, NULL,		   1000000, 16, FRAME_END_OK },
	{ "/thread_name",	 200, "(True, 'MainThread')",	20, 1, FRAME_END_OK },
	{ "/multiprocess",	 200, "-15",			3,  1, FRAME_END_OK },
};
/* clang-format on */

static void every_shape_of_answer_arrives_as_pep_3333_says(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct answer a;

		rig_get(r, s->target, &a);
		if (a.status != s->status || a.length != s->length ||
		    a.data_frames != s->data_frames || a.end != s->end || !a.ended ||
		    (s->body && !str_eq(a.body, s->body)))
			fail_msg("%s: status %u, length %lld, %u frames, end %u, body %.100s",
				 s->target, a.status, (long long)a.length, a.data_frames, a.end,
				 a.body);
		if (s->length > 100)
			assert_int_equal(a.body_n, s->length);
		answer_done(&a);
	}
}

static void wsgirefs_validator_finds_no_fault(void **state)
{
	static const char *const targets[] = {
		"/plain",           "/two",           "/generator",
		"/writes",          "/closing",       "/error_page",
		"/wrapped?bytesio", "/wrapped?whole", "/environ_dump",
	};
	static const char *const uploads[] = {"/upload?lines", "/upload?readlines", "/upload?one"};
	struct rig *r = *state;
	struct answer a;
	char *log;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		rig_get(r, targets[i], &a);
		if (a.end != FRAME_END_OK || a.status == 0)
			fail_msg("%s: %s", targets[i], log = rig_log(r));
		answer_done(&a);
	}
	for (size_t i = 0; i < ARRAY_SIZE(uploads); i++) {
		for (int as_file = 0; as_file < 2; as_file++) {
			const struct rig_request q = {.method = "POST",
						      .target = uploads[i],
						      .body = SPAN("a\nb\n"),
						      .as_file = as_file};

			rig_ask(r, &q, &a);
			if (a.status != 200)
				fail_msg("%s: %s", uploads[i], log = rig_log(r));
			answer_done(&a);
		}
	}
	log = rig_log(r);
	assert_null(strstr(log, "AssertionError"));
	free(log);
}

static void the_body_reads_the_same_from_memory_and_from_a_file(void **state)
{
	static const struct {
		const char *target, *want;
	} cases[] = {
		{"/upload?read", "[b'', b'one', b'\\ntwo\\nlast', b'']"},
		{"/upload?lines", "[b'one\\n', b'two\\n', b'last']"},
		{"/upload?readline", "[b'on', b'e\\n', b'two\\n', b'last']"},
		{"/upload?readlines", "[b'one\\n', b'two\\n', b'last']"},
		{"/upload?seek", "[2, b'e\\n', 4]"},
		{"/upload?into", "[4, b'one\\n']"},
		{"/upload?buffered", "[b'one\\ntwo\\nlast']"},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int as_file = 0; as_file < 2; as_file++) {
			const struct rig_request q = {.method = "POST",
						      .target = cases[i].target,
						      .body = SPAN("one\ntwo\nlast"),
						      .as_file = as_file};
			struct answer a;

			rig_ask(r, &q, &a);
			assert_string_equal(a.body, cases[i].want);
			answer_done(&a);
		}
	}
}

static void a_large_body_comes_whole_from_its_file(void **state)
{
	struct rig *r = *state;
	size_t n = 5 * 1000 * 1000;
	char *body = malloc(n);
	struct answer a;

	assert_non_null(body);
	memset(body, 'x', n);
	for (size_t i = 999; i < n; i += 1000)
		body[i] = '\n';
	rig_ask(r,
		&(struct rig_request){.method = "POST",
				      .target = "/upload?sum",
				      .body = span_of(body, n),
				      .as_file = true},
		&a);
	assert_string_equal(a.body, "[5000000, 5000, 5000]");
	answer_done(&a);
	free(body);
}

/* The front stood still, an app gave its body up, and the next one asks in the same slot. */
static void a_body_that_comes_too_late_is_not_the_next_requests(void **state)
{
	struct rig *r = *state;
	struct answer a;

	r->stale_fd = memfd_create("stale", MFD_CLOEXEC);
	(void)fd_write_all(r->stale_fd, "somebody's", 10);
	rig_ask(r,
		&(struct rig_request){.method = "POST",
				      .target = "/upload?buffered",
				      .body = SPAN("my own ..."),
				      .as_file = true},
		&a);
	fd_closep(&r->stale_fd);
	assert_string_equal(a.body, "[b'my own ...']");
	answer_done(&a);
}

static void headers_that_could_split_or_reframe_an_answer_are_refused(void **state)
{
	static const struct {
		const char *name, *value;
		unsigned status;
	} cases[] = {
		{"X-Good", "yes", 200},
		{"X-Split", "a|b", 0},
		{"X-Bell", "\a", 0},
		{"X Blank", "a", 0},
		{"", "a", 0},
		{"X:Colon", "a", 0},
		{"Connection", "close", 0},
		{"Transfer-Encoding", "chunked", 0},
		{"upgrade", "h2c", 0},
		{"Content-Length", "3", 200},
		{"Content-Length", "-3", 0},
		{"Content-Length", "3, 3", 0},
		{"Content-Length", "", 0},
		{"X-Tab", "a\tb", 200},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[64];
		char value[64];
		const char *const vars[] = {name, value, NULL};
		struct answer a;

		(void)snprintf(name, sizeof(name), "HTTP_X_NAME=%s", cases[i].name);
		(void)snprintf(value, sizeof(value), "HTTP_X_VALUE=%s", cases[i].value);
		rig_ask(r,
			&(struct rig_request){.method = "GET", .target = "/header", .vars = vars},
			&a);
		if (a.status != cases[i].status)
			fail_msg("%s: %s: status %u", cases[i].name, cases[i].value, a.status);
		assert_null(strstr(a.fields, "Content-Length"));
		answer_done(&a);
	}
}

static void statuses_are_read_as_pep_3333_and_habit_have_them(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *reason;
	} cases[] = {
		{"HTTP_X_STATUS=200", 200, ""},     {"HTTP_X_STATUS=299 Odd One", 299, "Odd One"},
		{"HTTP_X_STATUS=404 ", 404, ""},    {"HTTP_X_STATUS=20", 0, ""},
		{"HTTP_X_STATUS=OK", 0, ""},        {"HTTP_X_STATUS=100 Continue", 0, ""},
		{"HTTP_X_STATUS=2000 Long", 0, ""}, {"HTTP_X_STATUS=200 a\nb", 0, ""},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const vars[] = {cases[i].text, NULL};
		struct answer a;

		rig_ask(r,
			&(struct rig_request){.method = "GET", .target = "/status", .vars = vars},
			&a);
		if (a.status != cases[i].status || !str_eq(a.reason, cases[i].reason))
			fail_msg("%s: %u \"%s\"", cases[i].text, a.status, a.reason);
		answer_done(&a);
	}
}

static void head_gives_the_length_and_no_bytes(void **state)
{
	struct rig *r = *state;
	struct answer a;

	rig_ask(r, &(struct rig_request){.method = "HEAD", .target = "/plain"}, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.length, 5);
	assert_int_equal(a.body_n, 0);
	answer_done(&a);
	rig_ask(r, &(struct rig_request){.method = "HEAD", .target = "/too_few"}, &a);
	assert_int_equal(a.end, FRAME_END_OK);
	answer_done(&a);
}

static void what_an_app_keeps_is_cut_off_from_later_requests(void **state)
{
	struct rig *r = *state;
	struct answer a;

	rig_get(r, "/keep", &a);
	answer_done(&a);
	for (int i = 0; i < 3; i++) {
		rig_ask(r,
			&(struct rig_request){
				.method = "POST", .target = "/keep", .body = SPAN("secret")},
			&a);
		assert_string_equal(a.body, "ValueError RuntimeError RuntimeError RuntimeError");
		answer_done(&a);
	}
}

static void early_hints_go_ahead_of_the_answer_to_who_understands_them(void **state)
{
	struct rig *r = *state;
	struct answer a;

	rig_get(r, "/hints", &a);
	assert_int_equal(a.hints_n, 2);
	assert_string_equal(a.hints, "Link: </a.css>; rel=preload\r\n"
				     "Link: </b.js>; rel=preload\r\nX-Two: 2\r\n");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.fields, "Content-Type: text/plain\r\n");
	assert_string_equal(a.body, "hinted");
	answer_done(&a);
	rig_ask(r, &(struct rig_request){.method = "GET", .target = "/hints", .is_old = true}, &a);
	assert_int_equal(a.hints_n, 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "hinted");
	answer_done(&a);
}

static void bad_early_hints_raise_and_nothing_of_them_goes(void **state)
{
	struct rig *r = *state;
	struct answer a;

	rig_get(r, "/bad_hints", &a);
	assert_string_equal(a.body, "VVVVTVTTTT");
	assert_int_equal(a.hints_n, 0);
	answer_done(&a);
}

static void an_environ_holds_what_it_must_and_raw_bytes_as_latin_1(void **state)
{
	static const char *const want[] = {
		"SCRIPT_NAME=''",
		"PATH_INFO='/environ_dump'",
		"QUERY_STRING='a=b%20c'",
		"wsgi.version=(1, 0)",
		"wsgi.url_scheme='http'",
		"wsgi.multithread=False",
		"wsgi.multiprocess=False",
		"wsgi.run_once=False",
		"wsgi.input_terminated=True",
		"HTTP_X_RAW='caf\xc3\xa9'",
		"emperor.request_id='id-",
	};
	const char *const vars[] = {"HTTP_X_RAW=caf\xc3\xa9", NULL};
	struct rig *r = *state;
	struct answer a;

	rig_ask(r,
		&(struct rig_request){
			.method = "GET", .target = "/environ_dump?a=b%20c", .vars = vars},
		&a);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (!strstr(a.body, want[i]))
			fail_msg("no %s in %s", want[i], a.body);
	assert_null(strstr(a.body, "filler"));
	answer_done(&a);
}

static void names_that_clients_invent_neither_grow_nor_mix_up(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 3000; i++) {
		char var[64];
		char want[64];
		const char *const vars[] = {var, NULL};
		struct answer a;

		(void)snprintf(var, sizeof(var), "HTTP_X_%u=value %u", i * 7919, i);
		(void)snprintf(want, sizeof(want), "HTTP_X_%u='value %u'", i * 7919, i);
		rig_ask(r,
			&(struct rig_request){
				.method = "GET", .target = "/environ_dump", .vars = vars},
			&a);
		if (!strstr(a.body, want))
			fail_msg("no %s", want);
		assert_ptr_equal(strstr(strstr(a.body, "HTTP_X_") + 1, "HTTP_X_"), NULL);
		answer_done(&a);
	}
}

static void a_traceback_is_logged_once_with_the_request(void **state)
{
	struct rig *r = *state;
	struct answer a;
	char *before = rig_log(r);
	char *log;
	const char *at;

	rig_get(r, "/raises", &a);
	answer_done(&a);
	log = rig_log(r);
	at = strstr(log + strlen(before),
		    "GET /raises: exception in the app\nTraceback (most recent call last):");
	assert_non_null(at);
	assert_int_equal(strncmp(log + strlen(before), "request id-", 11), 0);
	at = strstr(at, "RuntimeError: on purpose\n");
	assert_non_null(at);
	assert_null(strstr(at + 1, "RuntimeError: on purpose\n"));
	free(log);
	free(before);
}

static void the_scoreboard_counts_what_was_served(void **state)
{
	struct rig *r = *state;
	const struct board_worker *w = &r->board->bank[0].worker[0];
	uint64_t requests = board_get(&w->requests);
	uint64_t exceptions = board_get(&w->exceptions);
	uint64_t tx = board_get(&w->tx);
	struct answer a;

	rig_get(r, "/plain", &a);
	answer_done(&a);
	rig_get(r, "/raises", &a);
	answer_done(&a);
	assert_int_equal(board_get(&w->requests), requests + 2);
	assert_int_equal(board_get(&w->exceptions), exceptions + 1);
	assert_int_equal(board_get(&w->tx), tx + 5);
	assert_int_equal(r->board->bank[0].lane[0].busy, 0);
	assert_string_equal(r->board->bank[0].lane[0].line, "GET /raises");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_of_answer_arrives_as_pep_3333_says),
		cmocka_unit_test(the_body_reads_the_same_from_memory_and_from_a_file),
		cmocka_unit_test(a_large_body_comes_whole_from_its_file),
		cmocka_unit_test(a_body_that_comes_too_late_is_not_the_next_requests),
		cmocka_unit_test(headers_that_could_split_or_reframe_an_answer_are_refused),
		cmocka_unit_test(statuses_are_read_as_pep_3333_and_habit_have_them),
		cmocka_unit_test(head_gives_the_length_and_no_bytes),
		cmocka_unit_test(what_an_app_keeps_is_cut_off_from_later_requests),
		cmocka_unit_test(early_hints_go_ahead_of_the_answer_to_who_understands_them),
		cmocka_unit_test(bad_early_hints_raise_and_nothing_of_them_goes),
		cmocka_unit_test(an_environ_holds_what_it_must_and_raw_bytes_as_latin_1),
		cmocka_unit_test(names_that_clients_invent_neither_grow_nor_mix_up),
		cmocka_unit_test(a_traceback_is_logged_once_with_the_request),
		cmocka_unit_test(the_scoreboard_counts_what_was_served),
	};
	const struct CMUnitTest checked[] = {
		cmocka_unit_test(wsgirefs_validator_finds_no_fault),
	};
	int failed = cmocka_run_group_tests_name("answers", tests, setup, rig_teardown);

	return failed +
	       cmocka_run_group_tests_name("validator", checked, setup_checked, rig_teardown);
}
