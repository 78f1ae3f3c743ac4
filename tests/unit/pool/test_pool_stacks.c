/*
 * pool: stacks of a worker are shown, alone or before a kill, and whose they are is never mixed up.
 */
#include "tests/unit/pool/bench.h"

static void a_stuck_request_that_eats_memory_is_killed_and_explained(_unused_ void **state)
{
	static struct bench b;
	unsigned slot;

	begin(&b, "stubborn", 1);
	b.config.evil_reload_on_rss_bytes = 4096;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	exchange_submit(b.exchange, (unsigned)exchange_slot_get(b.exchange));
	assert_int_equal(exchange_take(b.exchange, 0, &slot), EXCHANGE_TAKEN);
	assert_true(await(&b, &b.deaths, 1, 6));
	assert_non_null(strstr(b.death.why, "over evil-reload-on-rss 0M for 3 checks, in a "
					    "request that does not end"));
	assert_int_equal(b.death.worker, 0);
	assert_false(b.death.expected);
	assert_non_null(strstr(b.output, "STACKS of a fake\n"));
	assert_non_null(strstr(b.events, "worker 1 killed: rss "));
	end(&b);
}

static void a_kill_shows_the_stacks_before_the_death_is_told(_unused_ void **state)
{
	static struct bench b;
	uint64_t from;

	serve(&b, "stubborn", 1); /* as one that is stuck: told to go, it stays */
	from = clock_now_ns();
	pool_kill(b.pool, 0, "harakiri: 5 s in GET /slow");
	assert_true(await(&b, &b.deaths, 1, 2));
	assert_true(clock_now_ns() - from >= 150 * NS_PER_MS);
	assert_string_equal(b.death.why, "harakiri: 5 s in GET /slow");
	assert_false(b.death.expected);
	assert_non_null(strstr(b.output, "STACKS of a fake\n"));
	assert_non_null(strstr(b.events, "worker 1 killed: harakiri"));
	assert_int_equal(board_get(&b.board->bank[0].worker[0].harakiris), 1);
	assert_int_equal(board_get(&b.board->bank[0].counters.killed), 1);
	assert_int_equal(board_get(&b.board->bank[0].counters.crashed), 0);
	assert_true(await_text(&b, b.events, "worker 2 is ready", 2));
	end(&b);
}

static void a_worker_that_is_to_be_killed_takes_no_further_request(_unused_ void **state)
{
	static struct bench b;
	unsigned slot;

	serve(&b, "stubborn", 1);
	exchange_submit(b.exchange, (unsigned)exchange_slot_get(b.exchange));
	pool_kill(b.pool, 0, "harakiri: 5 s in GET /slow");
	/* a lane of it that had nothing to do until now */
	assert_int_equal(exchange_take(b.exchange, 0, &slot), EXCHANGE_RETIRE);
	assert_true(await(&b, &b.deaths, 1, 2));
	end(&b);
}

static void stacks_alone_harm_nobody(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "", 1);
	pool_stacks(b.pool, 0);
	assert_true(await_text(&b, b.output, "STACKS of a fake\n", 2));
	assert_false(await(&b, &b.deaths, 1, 0.5));
	end(&b);
}

static void stacks_come_back_with_whose_they_are(_unused_ void **state)
{
	static struct bench b;
	char wanted[64];

	serve(&b, "", 2);
	pool_stacks(b.pool, 1);
	assert_int_equal(b.stacks, 0); /* told from the loop alone */
	assert_true(await(&b, &b.stacks, 1, 2));
	assert_int_equal(b.stacks_worker, 1);
	assert_int_equal(b.stacks_pid, b.board->bank[0].worker[1].pid);
	(void)snprintf(wanted, sizeof(wanted),
		       "Stack (most recent call first):\n  File \"%d.py\", line 1 in f\n",
		       (int)b.stacks_pid);
	assert_string_equal(b.stacks_text, wanted);
	end(&b);
}

/* A request of a worker with one thread runs on the main one; threads of the app's own are no matter of a look. */
static void a_look_is_answered_by_the_main_thread_whoever_else_would(_unused_ void **state)
{
	static struct bench b;
	char wanted[64];

	serve(&b, "two-threads", 1);
	pool_stacks(b.pool, 0);
	assert_true(await(&b, &b.stacks, 1, 2));
	(void)snprintf(wanted, sizeof(wanted), "%d.py", (int)b.stacks_pid);
	assert_non_null(strstr(b.stacks_text, wanted));
	end(&b);
}

/* How many of three that are killed together have told of themselves; whatever is told is of that one alone. */
static unsigned tell_three(void)
{
	static struct bench b;
	char wanted[64];
	unsigned own = 0;

	serve(&b, "stubborn", 3);
	for (unsigned i = 0; i < 3; i++)
		pool_kill(b.pool, i, "harakiri");
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(await(&b, &b.stacks, i, 10));
		if (!b.stacks_text[0])
			continue;
		own++;
		(void)snprintf(wanted, sizeof(wanted), "%d.py", (int)b.stacks_pid);
		assert_non_null(strstr(b.stacks_text, wanted));
		assert_ptr_equal(strstr(b.stacks_text, ".py"), strrchr(b.stacks_text, '.'));
	}
	assert_true(await(&b, &b.deaths, 3, 10));
	assert_null(strstr(b.output, CREW_STACKS_END));
	end(&b);
	return own;
}

static void stacks_of_those_killed_together_are_not_mixed(_unused_ void **state)
{
	unsigned own = 0;

	/* On a busy machine one may come to it only after its turn: then nothing is told of it, which is no mixture. */
	for (unsigned tries = 0; tries < 20 && own < 3; tries++)
		own = tell_three();
	assert_int_equal(own, 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stuck_request_that_eats_memory_is_killed_and_explained),
		TEST(a_kill_shows_the_stacks_before_the_death_is_told),
		TEST(a_worker_that_is_to_be_killed_takes_no_further_request),
		TEST(stacks_alone_harm_nobody),
		TEST(stacks_come_back_with_whose_they_are),
		TEST(a_look_is_answered_by_the_main_thread_whoever_else_would),
		TEST(stacks_of_those_killed_together_are_not_mixed),
	};

	if (argc == 1 && strcmp(argv[0], "test mold") == 0)
		fake_mold();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
