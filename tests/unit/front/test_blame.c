/*
 * blame and fusebox: what a front keeps of a request that went wrong, and when it takes no more of the same.
 */
#include "tests/unit/front/rig.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/workers.h"

#include <signal.h>
#include <stdio.h>

static struct front *f;
static struct board_blame last;
static pid_t last_pid = 1000; /* of a worker that died */

static int setup(void **state)
{
	(void)state;
	f = rig_make(8, 100);
	fusebox_start(f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(f);
	return 0;
}

static unsigned records(void)
{
	uint64_t at = 0, missed = 0;
	unsigned n = 0;

	while (board_next_blame(f->board, &at, true, &missed, &last))
		n++;
	return n;
}

/* The worker takes the next request and dies of it, as a process of its own. */
static void die(const char *stacks, bool killed, bool expected)
{
	struct pool_death death = {.worker = 0,
				   .pid = ++last_pid,
				   .status = SIGSEGV,
				   .killed = killed,
				   .expected = expected,
				   .stacks = stacks,
				   .why = "killed by signal 11"};

	(void)worker_take(f);
	workers_events.died(f, &death);
	exchange_worker_begin(f->exchange, 0);
}

static unsigned status_of(int end)
{
	char buf[2048];
	bool closed;
	unsigned status = 0;

	(void)rig_read(end, buf, sizeof(buf), &closed);
	(void)sscanf(buf, "HTTP/1.1 %u", &status);
	return status;
}

static unsigned ask_and_die(const char *text)
{
	int end;

	(void)rig_ask(f, text, &end);
	if (exchange_queued(f->exchange) > 0)
		die("", false, false);
	return status_of(end);
}

static void answer_next(void)
{
	unsigned slot = worker_take(f);

	worker_head(f, slot, 200, 0, false);
	worker_end(f, slot, 0);
	rig_drain(f);
}

static void a_crash_is_on_record_with_the_request_the_worker_and_its_last_words(void **state)
{
	static const char said[] = "app says\nThread 0x1 (most recent call first):\n"
				   "  File \"a.py\", line 12 in wait\n"
				   "Traceback (most recent call last):\n"
				   "  File \"a.py\", line 7, in view\n    1 / 0\nlast\n";
	char text[1000] = "GET /long?";
	int end;

	(void)state;
	memset(text + 10, 'x', 600);
	(void)strcpy(text + 610, " HTTP/1.1\r\nHost: a\r\nX-Request-ID: id7\r\n\r\n");
	logbook_output(&f->log, "before\n", 7);
	logbook_begin(&f->log, 1); /* is no word of the app */
	logbook_output(&f->log, said, sizeof(said) - 1);
	(void)rig_ask(f, text, &end);
	die("Thread 0x1\n", false, false);
	assert_int_equal(records(), 1);
	assert_int_equal(last.kind, BLAME_CRASHED);
	assert_int_equal(last.status, 502);
	assert_int_equal(last.signal, SIGSEGV);
	assert_int_equal(last.worker, 1);
	assert_int_equal(last.pid, last_pid);
	assert_int_equal(last.rss, 3000000);
	assert_int_equal(last.rss_growth, 2000000);
	assert_int_equal(strlen(last.request), 610);
	assert_string_equal(last.id, "id7");
	assert_string_equal(last.reason, "killed by signal 11");
	assert_string_equal(last.stacks, "Thread 0x1\n");
	assert_non_null(strstr(last.log, "before\napp says\nTraceback (most recent call last):\n"
					 "  File \"a.py\", line 7, in view\n    1 / 0\nlast\n"));
	assert_null(strstr(last.log, "in wait"));
	assert_int_equal(status_of(end), 502);
}

static void a_record_waits_for_the_stacks_of_its_own_worker_but_not_for_ever(void **state)
{
	const struct blame_cause cause = {
		.kind = BLAME_SLOW, .lane = 0, .stacks = true, .reason = "slow-request"};
	unsigned slot;
	int end;

	(void)state;
	(void)rig_ask(f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	slot = worker_take(f);
	blame_request(f, slot, &cause);
	assert_true(blame_waits(f));
	blame_stacks(f, 0, 9999, "of another");
	assert_int_equal(records(), 0);
	blame_stacks(f, 0, 4711, "File a.py\n");
	assert_int_equal(records(), 1);
	assert_string_equal(last.stacks, "File a.py\n");
	assert_string_equal(last.request, "GET /a");
	assert_false(blame_waits(f));

	blame_request(f, slot, &cause);
	f->now_ns += 4 * NS_PER_S;
	blame_tick(f);
	assert_int_equal(records(), 1);
	f->now_ns += 2 * NS_PER_S;
	blame_tick(f);
	assert_int_equal(records(), 2);
	assert_non_null(strstr(last.stacks, "did not answer"));

	blame_request(f, slot, &cause);
	blame_end(f);
	assert_int_equal(records(), 3);
}

/* Whom a signal alone does not make show its stacks, and why; a kill is another matter. */
static void a_record_without_stacks_says_who_holds_the_gil(void **state)
{
	static const struct {
		unsigned threads, deadlock_s;
		enum board_blame_kind kind;
		const char *says;
	} rows[] = {
		{1, 0, BLAME_SLOW, "did not answer"},
		{2, 0, BLAME_SLOW, "C code holds the GIL"},
		{2, 0, BLAME_SLOW, "deadlock-timeout is 0: it stays until that ends"},
		{2, 60, BLAME_SLOW, "deadlock-timeout ends it after 60 s"},
		{2, 0, BLAME_INTERRUPTED, "C code holds the GIL"},
		{2, 0, BLAME_TIMEOUT, "did not answer"},
	};
	unsigned slot;
	int end;

	(void)state;
	(void)rig_ask(f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	slot = worker_take(f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct blame_cause cause = {
			.kind = rows[i].kind, .lane = 0, .stacks = true, .reason = "slow"};

		f->shape.threads = rows[i].threads;
		f->config->deadlock_timeout_s = rows[i].deadlock_s;
		blame_request(f, slot, &cause);
		blame_stacks(f, 0, 4711, "");
		assert_int_equal(records(), i + 1);
		if (!strstr(last.stacks, rows[i].says))
			fail_msg("row %zu: %s", i, last.stacks);
	}
	f->shape.threads = 1;
}

static void stacks_that_came_before_the_kill_belong_to_the_record(void **state)
{
	int end;

	(void)state;
	blame_stacks(f, 0, 5, "of somebody else");
	blame_stacks(f, 0, last_pid + 1, "File mercy.py\n");
	blame_stacks(f, 0, last_pid + 1, "");
	(void)rig_ask(f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	die("", true, false);
	assert_int_equal(records(), 1);
	assert_int_equal(last.kind, BLAME_KILLED);
	assert_string_equal(last.stacks, "File mercy.py\n");
}

static void a_scribbled_slot_harms_no_record(void **state)
{
	struct exchange_request *xr;
	int end;

	(void)state;
	(void)rig_ask(f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	xr = exchange_request(f->exchange, 0);
	for (unsigned slot = 0; slot < f->shape.slots; slot++) {
		xr = exchange_request(f->exchange, slot);
		xr->vars_n = UINT32_MAX;
		xr->body_n = UINT64_MAX;
		memset(xr->line, 'x', sizeof(xr->line));
		memset(xr->id, 'x', sizeof(xr->id));
		memset(exchange_data(f->exchange, slot), 0xff, 4096);
	}
	die("", false, false);
	assert_int_equal(records(), 1);
	assert_string_equal(last.request, "GET /a");
}

#define GET_A  "GET /a?1 HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST_1 "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
#define POST_2 "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo"

static void what_killed_two_workers_gets_503_and_nothing_else_does(void **state)
{
	char buf[2048];
	bool closed;
	int end;

	(void)state;
	assert_int_equal(ask_and_die(GET_A), 502);
	assert_int_equal(ask_and_die(GET_A), 502);
	assert_int_equal(f->count->fused, 0);
	(void)rig_ask(f, GET_A, &end);
	assert_int_equal(exchange_queued(f->exchange), 0);
	(void)rig_read(end, buf, sizeof(buf), &closed);
	assert_non_null(strstr(buf, "HTTP/1.1 503 "));
	assert_non_null(strstr(buf, "Retry-After: 30\r\n"));
	assert_int_equal(f->count->fused, 1);
	/* the same path with another query, another method: no matter of theirs */
	(void)rig_ask(f, "GET /a?2 HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	answer_next();
	assert_int_equal(status_of(end), 200);
	(void)rig_ask(f, "DELETE /a?1 HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	answer_next();
	assert_int_equal(status_of(end), 200);
	f->now_ns += FUSE_OPEN_NS;
	(void)rig_ask(f, GET_A, &end);
	answer_next();
	assert_int_equal(status_of(end), 200);
	assert_false(fusebox_watches(f));
}

static void a_body_counts_whole_or_in_pieces(void **state)
{
	int end, other;
	struct conn *c;

	(void)state;
	assert_int_equal(ask_and_die(POST_1), 502);
	assert_int_equal(ask_and_die(POST_1), 502);
	(void)rig_ask(f, POST_2, &other);
	answer_next();
	assert_int_equal(status_of(other), 200);
	c = rig_client(f, POST_1, sizeof(POST_1) - 2, &end);
	assert_int_equal(write(end, "e", 1), 1);
	c->readable = true;
	intake_run(c);
	assert_int_equal(status_of(end), 503);
}

static void copies_that_wait_are_answered_when_the_fuse_blows(void **state)
{
	int ends[4], other;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		(void)rig_ask(f, GET_A, &ends[i]);
	(void)rig_ask(f, POST_1, &other);
	die("", false, false);
	die("", false, false);
	assert_int_equal(status_of(ends[0]), 502);
	assert_int_equal(status_of(ends[1]), 502);
	assert_int_equal(status_of(ends[2]), 503);
	assert_int_equal(status_of(ends[3]), 503);
	answer_next();
	assert_int_equal(status_of(other), 200);
}

/* A worker with threads: what was in its hands both times, and nothing else. */
static void of_several_in_one_worker_the_one_that_was_there_twice_is_fused(void **state)
{
	static const char *const others[] = {"GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
					     "GET /c HTTP/1.1\r\nHost: a\r\n\r\n"};
	int end;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		(void)rig_ask(f, GET_A, &end);
		(void)rig_ask(f, others[i], &end);
		(void)worker_take(f);
		die("", false, false);
	}
	assert_int_equal(ask_and_die(GET_A), 503);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		(void)rig_ask(f, others[i], &end);
		answer_next();
		assert_int_equal(status_of(end), 200);
	}
}

static void an_answer_in_between_clears_the_suspicion(void **state)
{
	int end;

	(void)state;
	assert_int_equal(ask_and_die(GET_A), 502);
	(void)rig_ask(f, GET_A, &end);
	answer_next();
	assert_int_equal(status_of(end), 200);
	assert_int_equal(ask_and_die(GET_A), 502);
	assert_int_equal(ask_and_die(GET_A), 502);
	assert_int_equal(ask_and_die(GET_A), 503);
}

static void a_worker_that_was_told_to_go_is_no_death_to_count(void **state)
{
	int end;

	(void)state;
	(void)rig_ask(f, GET_A, &end);
	die("", true, true);
	assert_false(fusebox_watches(f));
}

static void time_alone_is_no_death_to_count(void **state)
{
	struct pool_death death = {.pid = 7,
				   .status = SIGKILL,
				   .killed = true,
				   .late = true,
				   .stacks = "",
				   .why = "harakiri"};
	int end;

	(void)state;
	(void)rig_ask(f, GET_A, &end);
	(void)worker_take(f);
	workers_events.died(f, &death);
	assert_false(fusebox_watches(f));
}

static void unfused_by_command_it_may_pass_at_once(void **state)
{
	struct board_event e;
	uint64_t at = 0, missed = 0;

	(void)state;
	(void)ask_and_die(GET_A);
	(void)ask_and_die(GET_A);
	assert_int_equal(ask_and_die(GET_A), 503);
	fusebox_clear(f);
	assert_int_equal(ask_and_die(GET_A), 502);
	assert_true(board_next_event(f->board, &at, true, &missed, &e));
	assert_int_equal(e.kind, EVENT_FUSED);
	assert_non_null(strstr(e.text, "fused: GET /a?1 killed 2 workers within 60 s"));
	assert_true(board_next_event(f->board, &at, true, &missed, &e));
	assert_string_equal(e.text, "unfused by command: 1 request may pass again");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crash_is_on_record_with_the_request_the_worker_and_its_last_words),
		TEST(a_record_waits_for_the_stacks_of_its_own_worker_but_not_for_ever),
		TEST(a_record_without_stacks_says_who_holds_the_gil),
		TEST(stacks_that_came_before_the_kill_belong_to_the_record),
		TEST(a_scribbled_slot_harms_no_record),
		TEST(what_killed_two_workers_gets_503_and_nothing_else_does),
		TEST(a_body_counts_whole_or_in_pieces),
		TEST(copies_that_wait_are_answered_when_the_fuse_blows),
		TEST(of_several_in_one_worker_the_one_that_was_there_twice_is_fused),
		TEST(an_answer_in_between_clears_the_suspicion),
		TEST(a_worker_that_was_told_to_go_is_no_death_to_count),
		TEST(time_alone_is_no_death_to_count),
		TEST(unfused_by_command_it_may_pass_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
