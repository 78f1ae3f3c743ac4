/*
 * pool: workers that serve, are replaced, scaled, die and misbehave in every way the fake engine can.
 */
#include "tests/unit/pool/bench.h"

static unsigned state_of(const struct bench *b, unsigned worker)
{
	return atomic_load(&b->board->bank[0].worker[worker].state);
}

static void all_workers_come_up_with_no_descriptor_too_many(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "", 3);
	assert_int_equal(b.import_us, 4321);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(state_of(&b, i), WORKER_IDLE);
		assert_int_equal(kill(pid_of(&b, i), 0), 0);
		assert_int_not_equal(board_get(&b.board->bank[0].worker[i].spawned_wall_ns), 0);
	}
	assert_int_equal(pid_of(&b, 3), 0);
	assert_int_equal(board_get(&b.board->bank[0].counters.spawned), 3);
	assert_string_equal(b.output, "");
	end(&b);
}

static void a_stop_lets_everyone_leave_by_himself(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "", 2);
	pool_stop(b.pool, 10);
	assert_true(await(&b, &b.stopped, 1, 3));
	assert_int_equal(b.deaths, 2);
	assert_int_equal(b.surprises, 0);
	assert_int_equal(board_get(&b.board->bank[0].counters.crashed), 0);
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 0);
	end(&b);
}

static void a_stubborn_worker_is_killed_when_the_grace_is_over(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "stubborn", 1);
	pool_stop(b.pool, 1);
	assert_false(await(&b, &b.stopped, 1, 0.8));
	assert_true(await(&b, &b.stopped, 1, 3));
	assert_int_equal(b.surprises, 1);
	assert_non_null(strstr(b.output, "STACKS of a fake\n"));
	assert_non_null(strstr(b.events, "did not leave while the app was being stopped"));
	end(&b);
}

static void a_crashed_worker_is_reported_with_its_signal_and_replaced(_unused_ void **state)
{
	static struct bench b;
	pid_t victim;

	serve(&b, "", 2);
	victim = pid_of(&b, 1);
	assert_int_equal(kill(victim, SIGSEGV), 0);
	assert_true(await(&b, &b.surprises, 1, 2));
	assert_int_equal(b.death.worker, 1);
	assert_int_equal(b.death.pid, victim);
	assert_non_null(strstr(b.death.why, "signal 11 (Segmentation fault)"));
	assert_true(await_text(&b, b.events, "worker 2 is ready", 2));
	assert_int_not_equal(pid_of(&b, 1), victim);
	assert_int_equal(board_get(&b.board->bank[0].counters.crashed), 1);
	assert_int_equal(board_get(&b.board->bank[0].worker[1].respawns), 1);
	end(&b);
}

static void max_requests_replaces_first_and_retires_then(_unused_ void **state)
{
	static struct bench b;
	pid_t old;

	begin(&b, "", 1);
	b.config.max_requests = 5;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	old = pid_of(&b, 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(state_of(&b, 0), WORKER_IDLE);
		pool_served(b.pool, 0);
	}
	assert_true(await(&b, &b.deaths, 1, 3));
	assert_int_equal(b.death.pid, old);
	assert_true(b.death.expected);
	assert_int_equal(state_of(&b, 1), WORKER_IDLE);
	assert_non_null(strstr(b.events, "worker 1 recycled after 5 requests (max-requests 5)"));
	assert_true(strstr(b.events, "worker 2 is ready") < strstr(b.events, "worker 1 recycled"));
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 1);
	end(&b);
}

static void a_running_pool_grows_and_shrinks_within_its_room(_unused_ void **state)
{
	static struct bench b;
	struct err err = {0};
	unsigned slot;

	serve(&b, "", 1);
	assert_int_equal(pool_processes_most(b.pool), 19);
	assert_int_equal(pool_scale(b.pool, 3, &err), 0);
	assert_true(await_text(&b, b.events, "worker 2 is ready", 3));
	assert_true(await_text(&b, b.events, "worker 3 is ready", 3));
	assert_non_null(strstr(b.events, "processes: 3 instead of 1"));
	assert_int_equal(atomic_load(&b.board->bank[0].workers), 3);

	/* the second is at work: the two others go */
	exchange_submit(b.exchange, (unsigned)exchange_slot_get(b.exchange));
	assert_int_equal(exchange_take(b.exchange, 1, &slot), EXCHANGE_TAKEN);
	assert_int_equal(pool_scale(b.pool, 1, &err), 0);
	assert_true(await(&b, &b.deaths, 2, 3));
	assert_int_equal(b.surprises, 0);
	assert_int_equal(state_of(&b, 1), WORKER_IDLE);
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 0);

	assert_int_equal(pool_scale(b.pool, 20, &err), -ERANGE);
	assert_non_null(strstr(err.text, "room for 1 to 19"));
	assert_int_equal(pool_scale(b.pool, 0, &err), -ERANGE);
	assert_int_equal(pool_processes(b.pool), 1);
	end(&b);
}

static void a_limit_that_changes_counts_for_workers_that_live(_unused_ void **state)
{
	static struct bench b;
	struct vassal_config changed;
	struct err err = {0};

	serve(&b, "", 1);
	for (unsigned i = 0; i < 5; i++)
		pool_served(b.pool, 0);
	changed = b.config;
	changed.max_requests = 6;
	assert_int_equal(pool_configure(b.pool, &changed, &err), 0);
	pool_served(b.pool, 0);
	assert_true(await(&b, &b.deaths, 1, 3));
	assert_non_null(strstr(b.events, "recycled after 6 requests (max-requests 6)"));
	end(&b);
}

static void memory_over_its_limit_recycles_after_three_checks(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "", 1);
	b.config.reload_on_rss_bytes = 4096;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	pool_served(b.pool, 0);
	assert_false(await(&b, &b.deaths, 1, 1.5 * TICK_S));
	assert_true(board_get(&b.board->bank[0].worker[0].rss) > 4096);
	assert_true(board_get(&b.board->bank[0].worker[0].vsz) > 4096);
	assert_true(board_get(&b.board->bank[0].worker[0].pss) > 0);
	assert_true(await(&b, &b.deaths, 1, 4));
	assert_true(b.death.expected);
	assert_non_null(strstr(b.events, "over reload-on-rss 0M for 3 checks)"));
	/* The replacement has served nothing: it stays, and somebody is told. */
	assert_true(await_text(&b, b.events, "a worker that has served nothing already has", 5));
	assert_false(await(&b, &b.deaths, 2, 4.5 * TICK_S));
	end(&b);
}

static pid_t mold_pid(const struct bench *b)
{
	char path[64], line[256] = "";
	FILE *f;
	long pid = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(),
		       (int)getpid());
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)fclose(f);
	for (char *p = line; (pid = strtol(p, &p, 10)) > 0;)
		if ((pid_t)pid != pid_of(b, 0) && (pid_t)pid != pid_of(b, 1))
			return (pid_t)pid;
	fail_msg("no mold among %s", line);
	return 0;
}

static void a_mold_that_dies_while_serving_is_made_again_and_harms_nobody(_unused_ void **state)
{
	static struct bench b;
	pid_t worker;

	serve(&b, "", 1);
	worker = pid_of(&b, 0);
	assert_int_equal(kill(mold_pid(&b), SIGKILL), 0);
	assert_true(await_text(&b, b.events, "a new mold is ready", 3));
	assert_int_equal(pid_of(&b, 0), worker);
	assert_int_equal(kill(worker, SIGKILL), 0);
	assert_true(await_text(&b, b.events, "worker 1 is ready", 3));
	assert_non_null(strstr(b.events, "not by us"));
	end(&b);
}

static void a_body_goes_to_the_worker_that_asks_and_to_no_other(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "body", 2);
	assert_true(await_text(&b, b.output, "body: hello\n", 2));
	assert_true(await_text(&b, b.output, "body: \n", 2));
	assert_int_equal(b.bodies, 2);
	assert_non_null(
		strstr(b.events, "worker 2 asked for the body of a request that is not its"));
	end(&b);
}

static void a_file_is_taken_from_whose_it_is_and_who_lies_is_killed(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "file", 2);
	assert_true(
		await_text(&b, b.events, "handed over a file that answers no request of its", 3));
	assert_null(strstr(b.events, "worker 1 handed over"));
	assert_true(b.files >= 2);
	end(&b);
}

static void a_flood_of_output_arrives_whole_in_bounded_lines(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "print", 1);
	assert_true(await_text(&b, b.output, "unfinished", 10));
	assert_int_equal(b.output_n, 20000 * 65 + 40 * 490 + 1 + 10);
	assert_true(b.longest_line <= 16 * 1024);
	assert_true(b.calls >= 20000 + 2);
	end(&b);
}

static void a_worker_that_talks_nonsense_is_killed(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "nonsense", 1);
	start(&b);
	assert_true(await(&b, &b.surprises, 1, 2));
	assert_non_null(strstr(b.events, "crew message"));
	end(&b);
}

static void a_worker_that_closes_its_channel_is_replaced(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "closes", 1);
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	assert_true(await(&b, &b.deaths, 1, 6));
	assert_true(b.death.expected);
	assert_non_null(
		strstr(b.events, "worker 1 recycled after 0 requests (it had closed its channel"));
	end(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(all_workers_come_up_with_no_descriptor_too_many),
		TEST(a_stop_lets_everyone_leave_by_himself),
		TEST(a_stubborn_worker_is_killed_when_the_grace_is_over),
		TEST(a_crashed_worker_is_reported_with_its_signal_and_replaced),
		TEST(max_requests_replaces_first_and_retires_then),
		TEST(a_running_pool_grows_and_shrinks_within_its_room),
		TEST(a_limit_that_changes_counts_for_workers_that_live),
		TEST(memory_over_its_limit_recycles_after_three_checks),
		TEST(a_mold_that_dies_while_serving_is_made_again_and_harms_nobody),
		TEST(a_body_goes_to_the_worker_that_asks_and_to_no_other),
		TEST(a_file_is_taken_from_whose_it_is_and_who_lies_is_killed),
		TEST(a_flood_of_output_arrives_whole_in_bounded_lines),
		TEST(a_worker_that_talks_nonsense_is_killed),
		TEST(a_worker_that_closes_its_channel_is_replaced),
	};

	if (argc == 1 && strcmp(argv[0], "test mold") == 0)
		fake_mold();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
