/* ending: each request that outlives its front's time is answered, on record once, and its worker asked where it stands. */
#include "vassal/front/ending.h"

#include "rig.h"

#include <stdio.h>

#include "shared/clock.h"

#define ASK "GET /a?1 HTTP/1.1\r\nHost: a\r\n\r\n"

static struct front *f;
static struct board_blame last;
static uint64_t seen;

static int setup(void **state)
{
	(void)state;
	f = rig_make(4, 4);
	f->config->graceful_timeout_s = 7;
	seen = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(f);
	return 0;
}

/* How many are new; the last of them. */
static unsigned records(void)
{
	unsigned n = 0;
	uint64_t missed = 0;

	while (board_next_blame(f->board, &seen, true, &missed, &last))
		n++;
	return n;
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

static void who_is_in_work_is_on_record_with_its_stacks_and_who_waits_is_only_answered(void **state)
{
	int held, waits;

	(void)state;
	(void)rig_ask(f, ASK, &held);
	(void)worker_take(f);
	(void)rig_ask(f, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n", &waits);
	f->now_ns = clock_now_ns() + 7 * NS_PER_S;
	ending_mercy(f);
	assert_int_equal(status_of(held), 503);
	assert_int_equal(status_of(waits), 503);
	assert_int_equal(the_rig->killed, 1);
	assert_int_equal(f->jobs_n, 1); /* the pool tells when its worker is gone */
	assert_int_equal(records(), 0);
	blame_stacks(f, 0, 4711, "File a.py\n");
	assert_int_equal(records(), 1);
	assert_int_equal(last.kind, BLAME_KILLED);
	assert_string_equal(last.reason, "reload-mercy");
	assert_string_equal(last.request, "GET /a?1");
	assert_string_equal(last.stacks, "File a.py\n");
	assert_int_equal(last.status, 503);
	assert_int_equal(last.worker, 1);
	assert_true(last.age_us >= 6900000);
	assert_true(last.queue_us < 1000000);
	/* its time counts, and once more is no second record */
	assert_true(board_get(&f->count->app_us) >= 6900000);
	ending_mercy(f);
	blame_end(f);
	assert_int_equal(records(), 0);
	assert_int_equal(the_rig->killed, 1);
}

static void the_record_says_what_the_client_had_got(void **state)
{
	static const unsigned statuses[] = {200, 0};

	for (unsigned row = 0; row < ARRAY_SIZE(statuses); row++) {
		struct conn *c;
		unsigned slot;
		int end;

		setup(state);
		c = rig_ask(f, ASK, &end);
		slot = worker_take(f);
		if (row == 0) {
			worker_head(f, slot, 200, -1, false);
			worker_data(f, slot, "some", 4, true);
			rig_drain(f);
		} else {
			conn_lost(c); /* nobody waits for it any more */
		}
		ending_mercy(f);
		blame_end(f);
		assert_int_equal(records(), 1);
		assert_int_equal(last.status, statuses[row]);
		assert_int_equal(the_rig->killed, 1);
		if (row == 0)
			assert_int_equal(status_of(end), 200);
		teardown(state);
	}
	setup(state);
}

static void who_was_killed_before_has_its_record_already(void **state)
{
	int end;

	(void)state;
	(void)rig_ask(f, ASK, &end);
	f->jobs[worker_take(f)].killed = true;
	ending_mercy(f);
	blame_end(f);
	assert_int_equal(records(), 0);
	assert_int_equal(the_rig->killed, 0);
	assert_int_equal(status_of(end), 503);
}

static void at_once_nobody_is_asked_and_the_record_is_there(void **state)
{
	int end;

	(void)state;
	(void)rig_ask(f, ASK, &end);
	(void)worker_take(f);
	ending_now(f);
	assert_int_equal(the_rig->killed, 0);
	assert_int_equal(records(), 1);
	assert_string_equal(last.reason, "stopped at once");
	assert_string_equal(last.stacks, "");
	assert_int_equal(last.status, 503);
	assert_int_equal(status_of(end), 503);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_is_in_work_is_on_record_with_its_stacks_and_who_waits_is_only_answered),
		TEST(the_record_says_what_the_client_had_got),
		TEST(who_was_killed_before_has_its_record_already),
		TEST(at_once_nobody_is_asked_and_the_record_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
