/*
 * test_edges - what apps may do and rarely do, and what they must not do and do (apps/edges.py): nobody else may notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/scoreboard.h"
#include "tests/engine/rig.h"

static int setup(void **state)
{
	/* who uses what is free already finds nothing good there */
	(void)setenv("PYTHONMALLOC", "debug", 1);
	return rig_setup(state, "module=edges");
}

static void expect(struct rig *r, const char *target, const char *body)
{
	struct answer a;

	rig_get(r, target, &a);
	if (a.status != 200 || !str_eq(a.body, body))
		fail_msg("%s: status %u, %.200s", target, a.status, a.body);
	answer_done(&a);
}

static long number_at(struct rig *r, const char *target)
{
	struct answer a;
	long n;

	rig_get(r, target, &a);
	n = strtol(a.body, NULL, 10);
	answer_done(&a);
	return n;
}

#define GO_TEMPLATE "/tmp/edges-XXXXXX"

/* A file that is not there yet, and the variable that tells an app of it. */
static void make_go(char *path, char *var, size_t size)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(var, size, "HTTP_X_GO=%s", path);
}

static void say_go(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

static void a_client_that_goes_before_the_first_item_is_no_error_of_the_app(void **state)
{
	struct rig *r = *state;
	char go[] = GO_TEMPLATE, var[64];
	const char *const vars[] = {var, NULL};
	uint64_t exceptions = board_get(&r->board->bank[0].worker[0].exceptions);
	struct answer a;
	unsigned slot;
	char *log;

	make_go(go, var, sizeof(var));
	slot = rig_send(
		r, &(struct rig_request){.method = "GET", .target = "/started_late", .vars = vars});
	while (exchange_holder(r->x, slot) < 0)
		(void)usleep(1000);
	assert_false(exchange_abandon(r->x, slot));
	say_go(go);
	rig_collect(r, slot, &a);
	(void)unlink(go);
	log = rig_log(r);
	assert_true(a.ended);
	assert_null(strstr(log, "started_late: exception"));
	assert_int_equal(a.end, FRAME_END_OK);
	assert_int_equal(board_get(&r->board->bank[0].worker[0].exceptions), exceptions);
	free(log);
	answer_done(&a);
}

static void a_head_goes_out_with_the_first_item_also_where_no_body_does(void **state)
{
	static const char *const methods[] = {"GET", "HEAD"};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		char go[] = GO_TEMPLATE, var[64];
		const char *const vars[] = {var, NULL};
		struct frame f = {.kind = FRAME_BROKEN};
		struct answer a;
		unsigned slot;
		size_t at = 0;

		make_go(go, var, sizeof(var));
		slot = rig_send(r, &(struct rig_request){
					   .method = methods[i], .target = "/held", .vars = vars});
		for (int k = 0; k < 3000 && !exchange_peek(r->x, 0, &at, &f); k++)
			(void)usleep(1000);
		say_go(go);
		rig_collect(r, slot, &a);
		(void)unlink(go);
		if (f.kind != FRAME_HEAD)
			fail_msg("%s: no head before the end", methods[i]);
		assert_int_equal(a.end, FRAME_END_OK);
		answer_done(&a);
	}
}

static void a_reader_of_another_kind_is_read_and_not_what_lies_below_it(void **state)
{
	static const struct {
		const char *target;
		const char *begin;
		size_t n;
	} cases[] = {
		{"/wrapped_reader?buffered", "unpacked unpacked ", 180000},
		{"/wrapped_reader?random", "uuuuuu", 0},
		{"/wrapped_reader?derived", "uuuuuu", 0},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct answer a;

		rig_get(r, cases[i].target, &a);
		if (a.status != 200 || a.end != FRAME_END_OK ||
		    strncmp(a.body, cases[i].begin, strlen(cases[i].begin)) != 0 ||
		    (cases[i].n > 0 && a.body_n != cases[i].n))
			fail_msg("%s: %zu bytes, %.20s", cases[i].target, a.body_n, a.body);
		answer_done(&a);
	}
}

static void headers_that_go_while_they_are_complained_of_harm_nobody(void **state)
{
	struct rig *r = *state;
	struct answer a;

	rig_get(r, "/headers_that_go", &a);
	assert_true(a.ended);
	assert_int_equal(a.end, FRAME_END_EXCEPTION);
	answer_done(&a);
	expect(r, "/plain", "plain");
}

/* Who cannot say where it stands is read; what ends the request ends it, whoever is asked then. */
static void the_end_of_a_request_is_not_lost_in_the_methods_of_its_file(void **state)
{
	static const struct {
		const char *target, *error;
		uint32_t end;
	} cases[] = {
		{"/wrapped_and_ended?flush", "HTTP_X_ERROR=timeout", FRAME_END_EXCEPTION},
		{"/wrapped_and_ended?fileno", "HTTP_X_ERROR=timeout", FRAME_END_EXCEPTION},
		{"/wrapped_and_ended?tell", "HTTP_X_ERROR=timeout", FRAME_END_EXCEPTION},
		{"/wrapped_and_ended?flush", "HTTP_X_ERROR=error", FRAME_END_OK},
		{"/wrapped_and_ended?fileno", "HTTP_X_ERROR=error", FRAME_END_OK},
		{"/wrapped_and_ended?tell", "HTTP_X_ERROR=error", FRAME_END_OK},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const vars[] = {cases[i].error, NULL};
		struct answer a;

		rig_ask(r,
			&(struct rig_request){
				.method = "GET", .target = cases[i].target, .vars = vars},
			&a);
		if (a.end != cases[i].end || (a.end == FRAME_END_OK) != (a.status == 200))
			fail_msg("%s %s: %u, end %x", cases[i].target, cases[i].error, a.status,
				 a.end);
		answer_done(&a);
	}
}

static void a_crowd_of_threads_makes_one_answer(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 5; i++) {
		struct answer a;

		rig_get(r, "/crowd", &a);
		assert_int_equal(a.end, FRAME_END_OK);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.body_n, 4 * 40 * 3000);
		assert_false(a.disordered);
		answer_done(&a);
	}
}

/* What both give is whole, in whatever order. */
static void a_file_and_a_thread_do_not_write_over_each_other(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 5; i++) {
		size_t of_file = 0, of_thread = 0;
		struct answer a;

		rig_get(r, "/wrapped_and_written", &a);
		assert_int_equal(a.end, FRAME_END_OK);
		for (size_t k = 0; k < a.body_n; k++) {
			of_file += a.body[k] == 'f';
			of_thread += a.body[k] == 'w';
		}
		assert_int_equal(of_file, 4000000);
		assert_int_equal(of_thread, a.body_n - of_file);
		assert_int_equal(of_thread % 3000, 1);
		answer_done(&a);
	}
}

static void a_file_that_cannot_be_closed_is_told_of(void **state)
{
	struct rig *r = *state;
	char *log;

	expect(r, "/wrapped_unclosable", "bytes");
	log = rig_log(r);
	assert_non_null(strstr(log, "exception in the app, in close()"));
	assert_non_null(strstr(log, "LookupError: no way to close this"));
	free(log);
}

static void a_body_that_threads_open_at_once_leaves_no_descriptor(void **state)
{
	struct rig *r = *state;
	long before = number_at(r, "/count_descriptors");

	for (int i = 0; i < 5; i++) {
		struct answer a;

		rig_ask(r,
			&(struct rig_request){.method = "POST",
					      .target = "/read_by_many",
					      .body = SPAN("some text"),
					      .as_file = true},
			&a);
		assert_string_equal(a.body, "read");
		answer_done(&a);
	}
	assert_int_equal(number_at(r, "/count_descriptors"), before);
}

/* As from io's own: each byte is one thread's, and a line is whole. */
static void threads_that_share_a_body_get_each_byte_once(void **state)
{
	static const char *const targets[] = {"/shared_by_many?lines", "/shared_by_many?blocks",
					      "/shared_by_many?buffers", "/shared_by_many?mixed"};
	static char body[400000], wanted[64];
	struct rig *r = *state;
	size_t n = 0;

	for (unsigned i = 0; n + 16 < sizeof(body); i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%08x%s\n", i * 2654435761U,
				      i % 3 ? "" : "+++++");
	(void)snprintf(wanted, sizeof(wanted), "(%zu, %zu, True)", n, n);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct answer a;

		rig_ask(r,
			&(struct rig_request){.method = "POST",
					      .target = targets[i],
					      .body = span_of(body, n),
					      .as_file = true},
			&a);
		if (!str_eq(a.body, wanted))
			fail_msg("%s: %s and not %s", targets[i], a.body, wanted);
		answer_done(&a);
	}
}

static bool said(struct rig *r, const char *target, const char *body)
{
	struct answer a;
	bool is;

	rig_get(r, target, &a);
	is = str_eq(a.body, body);
	answer_done(&a);
	return is;
}

/* Its memory is the next request's as soon as this one is answered. */
static void a_child_of_the_app_has_no_body_to_read(void **state)
{
	struct rig *r = *state;

	for (int as_file = 0; as_file < 2; as_file++) {
		struct answer a;

		rig_ask(r,
			&(struct rig_request){.method = "POST",
					      .target = "/forked_reader",
					      .body = SPAN("secret"),
					      .as_file = as_file},
			&a);
		assert_string_equal(a.body, "ValueError");
		answer_done(&a);
	}
}

static void what_a_thread_writes_behind_its_answer_is_nobodys(void **state)
{
	struct rig *r = *state;
	uint64_t requests = board_get(&r->board->bank[0].worker[0].requests);
	struct answer a;
	unsigned slot = rig_send(r, &(struct rig_request){.method = "GET", .target = "/write_on"});

	/* nothing is taken from the ring until the app is done: the thread has to wait for room */
	while (board_get(&r->board->bank[0].worker[0].requests) == requests)
		(void)usleep(1000);
	rig_collect(r, slot, &a);
	assert_int_equal(a.body_n, EXCHANGE_RING_BYTES / 60000 * 60000);
	answer_done(&a);
	for (int i = 0; i < 20; i++)
		expect(r, "/plain", "plain");
	/* the thread finds out when it is its turn */
	for (int i = 0; i < 1000 && !said(r, "/writes_ended", "['the request is over']"); i++)
		(void)usleep(10000);
	expect(r, "/writes_ended", "['the request is over']");
}

static void a_length_that_cannot_be_had_is_no_length_and_an_exit_stays_one(void **state)
{
	struct rig *r = *state;
	struct answer a;

	expect(r, "/sized?type", "ab");
	rig_get(r, "/sized?exit", &a);
	assert_int_equal(a.end, FRAME_END_EXCEPTION | FRAME_END_EXITING);
	assert_int_equal(a.status, 0);
	answer_done(&a);
}

#define LOST 150

static void ask_often(struct rig *r, const char *target, int n)
{
	for (int i = 0; i < n; i++) {
		struct answer a;

		rig_get(r, target, &a);
		assert_true(a.ended);
		answer_done(&a);
	}
}

/*
 * How many objects more live after 200 requests: the least of some times, for Python grows tables of its own too, less and
 * less. One that is lost in each request is 200 every time.
 */
static long growth_of(struct rig *r, const char *target)
{
	long least = LONG_MAX;

	ask_often(r, target, 20);
	for (int i = 0; i < 6 && least > LOST; i++) {
		long before = number_at(r, "/blocks");

		ask_often(r, target, 200);
		least = MIN(least, number_at(r, "/blocks") - before);
	}
	return least;
}

static void no_answer_and_no_failure_loses_an_object(void **state)
{
	static const char *const targets[] = {
		"/plain",
		"/generator",
		"/writes",
		"/closing",
		"/closing_broken",
		"/raises",
		"/error_page",
		"/error_too_late",
		"/no_exc_info_too_late",
		"/start_twice",
		"/no_start",
		"/text_items",
		"/nothing",
		"/too_many",
		"/bad_types?int",
		"/bad_types?wide",
		"/bad_types?list",
		"/bad_types?dict",
		"/bad_hints",
		"/wrapped?temporary",
		"/wrapped_reader?buffered",
		"/sized?type",
		"/hints",
		"/wrapped?bytesio",
		"/keep",
		"/bare_bytes",
		"/status",
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		long growth = growth_of(r, targets[i]);

		if (growth > LOST)
			fail_msg("%s: %ld objects more", targets[i], growth);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_goes_before_the_first_item_is_no_error_of_the_app),
		cmocka_unit_test(a_head_goes_out_with_the_first_item_also_where_no_body_does),
		cmocka_unit_test(a_reader_of_another_kind_is_read_and_not_what_lies_below_it),
		cmocka_unit_test(headers_that_go_while_they_are_complained_of_harm_nobody),
		cmocka_unit_test(the_end_of_a_request_is_not_lost_in_the_methods_of_its_file),
		cmocka_unit_test(a_crowd_of_threads_makes_one_answer),
		cmocka_unit_test(a_file_and_a_thread_do_not_write_over_each_other),
		cmocka_unit_test(a_file_that_cannot_be_closed_is_told_of),
		cmocka_unit_test(a_body_that_threads_open_at_once_leaves_no_descriptor),
		cmocka_unit_test(threads_that_share_a_body_get_each_byte_once),
		cmocka_unit_test(a_child_of_the_app_has_no_body_to_read),
		cmocka_unit_test(what_a_thread_writes_behind_its_answer_is_nobodys),
		cmocka_unit_test(no_answer_and_no_failure_loses_an_object),
		/* the last one: its worker leaves */
		cmocka_unit_test(a_length_that_cannot_be_had_is_no_length_and_an_exit_stays_one),
	};

	return cmocka_run_group_tests_name("edges", tests, setup, rig_teardown);
}
