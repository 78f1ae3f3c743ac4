/*
 * pool: naps without a worker, and worker processes that become the parent of all later ones, or cannot.
 */
#include "tests/unit/pool/bench.h"

/* Front and mold have been measured, and no worker is there. */
static bool await_memory(struct bench *b, double seconds)
{
	static const unsigned never = 0;
	const struct board_bank *bank = &b->board->bank[0];
	struct board_app_memory m = {0};

	for (double waited = 0; waited < seconds; waited += 0.05) {
		m = (struct board_app_memory){0};
		board_add_memory(bank, &m);
		if (m.front.pss > 4096 && m.mold.pss > 4096 && m.front.rss > 4096 &&
		    m.mold.rss > 4096 && m.workers.held == 0)
			return true;
		(void)await(b, &never, 1, 0.05);
	}
	return false;
}

static void workers_come_for_a_request_that_waits_and_go_for_a_nap(_unused_ void **state)
{
	static struct bench b;
	uint64_t from;

	begin(&b, "", 2);
	b.config.cheap = true;
	b.config.idle_s = 1;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	assert_int_equal(board_get(&b.board->bank[0].counters.spawned), 0);
	assert_true(pool_wants_pressure(b.pool));
	assert_true(await_memory(&b, 1));

	b.waiting = 1;
	b.oldest_ns = from = clock_now_ns();
	pool_pressure(b.pool);
	assert_true(await_text(&b, b.events, "worker 1 is ready", 3));
	assert_non_null(strstr(b.events, "awake: a request ends the nap"));
	b.waiting = 0;
	pool_served(b.pool, 0);
	assert_true(await_text(&b, b.events, "worker 2 is ready", 3));
	assert_false(pool_wants_pressure(b.pool));
	assert_true(await(&b, &b.deaths, 2, 5));
	assert_true(clock_now_ns() - from >= NS_PER_S);
	assert_int_equal(b.surprises, 0);
	assert_non_null(strstr(b.events, "nap: no request for 1 s"));
	assert_null(strstr(b.events, "has left"));
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 0);
	/* what naps holds memory all the same, and nobody comes to look again */
	board_set(&b.board->bank[0].mold.pss, 0);
	assert_true(await_memory(&b, 3));
	end(&b);
	assert_int_equal(b.mold_left, 0);
}

static void a_warmed_worker_becomes_the_parent_of_the_next_mold(_unused_ void **state)
{
	static struct bench b;
	pid_t parent;

	begin(&b, "", 2);
	b.config.refork = 3;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	parent = pid_of(&b, 1);
	for (unsigned i = 0; i < 3; i++)
		pool_served(b.pool, 1);
	assert_true(await_text(&b, b.events, "worker 2 is the parent of a new mold", 4));
	/* the other one is replaced by a fork of the new mold, the old mold has gone */
	assert_true(await_text(&b, b.events, "worker 1 recycled after 0 requests (refork", 4));
	assert_int_equal(pid_of(&b, 1), parent);
	assert_int_equal(b.surprises, 0);
	assert_true(kill(pid_of(&b, 1), SIGKILL) == 0);
	assert_true(await(&b, &b.surprises, 1, 3));
	assert_true(await_text(&b, b.events, "worker 1 is ready", 4));
	/* once in a life */
	for (unsigned i = 0; i < 9; i++)
		pool_served(b.pool, 2);
	assert_false(await(&b, &b.surprises, 2, 5 * TICK_S));
	assert_null(strstr(strstr(b.events, "new mold") + 1, "new mold"));
	end(&b);
}

static void
before_the_first_nap_a_worker_that_has_answered_takes_the_mold_s_place(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "", 2);
	b.config.idle_s = 1;
	b.config.idle_refork = true;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	pool_served(b.pool, 1);
	assert_true(
		await_text(&b, b.events, "idle-refork: worker 2 is the parent of a new mold", 4));
	assert_true(await_text(&b, b.events, "nap: no request for 1 s", 4));
	assert_true(await(&b, &b.deaths, 2, 5));
	assert_int_equal(b.surprises, 0);
	assert_null(strstr(b.events, "recycled"));
	assert_true(await_memory(&b, 3));
	b.waiting = 1;
	b.oldest_ns = clock_now_ns();
	pool_pressure(b.pool);
	assert_true(await_text(&b, b.events, "awake: a request ends the nap", 3));
	b.waiting = 0;
	assert_true(await_text(&b, strstr(b.events, "awake"), "is ready", 3));
	/* once in a life */
	assert_null(strstr(strstr(b.events, "new mold") + 1, "new mold"));
	end(&b);
}

static void a_nap_comes_without_a_new_mold_where_none_can_be(_unused_ void **state)
{
	static const struct {
		const char *fake;
		unsigned served, deadlock_s;
		bool refork;
		const char *says; /* NULL: nothing */
	} cases[] = {
		{"refork-refuses", 1, 0, true,
		 "idle-refork: worker 1 cannot be forked from: it has 7 threads (not tried again)"},
		{"refork-dies", 1, 0, true,
		 "idle-refork: worker 1 cannot be forked from: the new mold"},
		{"", 0, 0, true, NULL},
		{"", 1, 60, true, NULL},
		{"", 1, 0, false, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct bench b;

		begin(&b, cases[i].fake, 1);
		b.config.idle_s = 1;
		b.config.idle_refork = cases[i].refork;
		b.config.deadlock_timeout_s = cases[i].deadlock_s;
		start(&b);
		assert_true(await(&b, &b.ready, 1, 5));
		if (cases[i].served)
			pool_served(b.pool, 0);
		assert_true(await_text(&b, b.events, "nap: no request for 1 s", 5));
		if (cases[i].says)
			assert_non_null(strstr(b.events, cases[i].says));
		else
			assert_null(strstr(b.events, "refork"));
		assert_null(strstr(b.events, "is the parent"));
		end(&b);
	}
}

static void a_worker_that_cannot_be_forked_from_says_why_and_all_goes_on(_unused_ void **state)
{
	static const struct {
		const char *fake, *says;
	} cases[] = {
		{"refork-refuses", "worker 1 cannot be forked from: it has 7 threads"},
		{"refork-dies", "worker 1 cannot be forked from: the new mold"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct bench b;

		begin(&b, cases[i].fake, 1);
		b.config.refork = 2;
		start(&b);
		assert_true(await(&b, &b.ready, 1, 5));
		for (unsigned n = 0; n < 9; n++)
			pool_served(b.pool, 0);
		assert_true(await_text(&b, b.events, cases[i].says, 4));
		assert_true(await_text(&b, b.events, "(not tried again)", 6));
		assert_non_null(strstr(b.board->bank[0].pool, cases[i].says));
		assert_int_equal(b.deaths, 0);
		end(&b);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(workers_come_for_a_request_that_waits_and_go_for_a_nap),
		TEST(a_warmed_worker_becomes_the_parent_of_the_next_mold),
		TEST(a_worker_that_cannot_be_forked_from_says_why_and_all_goes_on),
		TEST(before_the_first_nap_a_worker_that_has_answered_takes_the_mold_s_place),
		TEST(a_nap_comes_without_a_new_mold_where_none_can_be),
	};

	if (argc == 1 && strcmp(argv[0], "test mold") == 0)
		fake_mold();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
