/*
 * pool: starts that fail, hang, die or are stopped half-way, each told in its own words.
 */
#include "tests/unit/pool/bench.h"

static uint64_t
	look_ns; /* what each look at the clock costs: the machine does something else meanwhile */

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	static uint64_t late_ns;
	int r = __real_clock_gettime(clock, ts);
	uint64_t at_ns = (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;

	late_ns += look_ns;
	at_ns += late_ns;
	ts->tv_sec = (time_t)(at_ns / NS_PER_S);
	ts->tv_nsec = (long)(at_ns % NS_PER_S);
	return r;
}

static void a_failed_import_is_told_in_its_own_words(_unused_ void **state)
{
	static const char *const fakes[] = {"mold-fails", "worker-fails"};

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		static struct bench b;

		begin(&b, fakes[i], 2);
		start(&b);
		assert_true(await(&b, &b.failed, 1, 10));
		assert_int_equal(b.phase, FAIL_IMPORT);
		assert_string_equal(b.fail_text, "ImportError: no module named nowhere");
		end(&b);
	}
}

static void a_silent_death_at_start_is_told_with_its_last_words(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "mold-dies", 2);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 10));
	assert_int_equal(b.phase, FAIL_ENGINE);
	assert_non_null(strstr(b.fail_text, "killed by signal 6"));
	assert_non_null(strstr(b.fail_text, "last words of a mold"));
	end(&b);

	begin(&b, "worker-dies", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 5));
	assert_int_equal(b.phase, FAIL_START);
	assert_non_null(strstr(b.fail_text, "exited with 3"));
	assert_non_null(strstr(b.fail_text, "last words of a worker"));
	assert_int_equal(b.deaths, 3);
	end(&b);

	begin(&b, "fork-fails", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 5));
	assert_int_equal(b.phase, FAIL_START);
	assert_non_null(strstr(b.fail_text, "Resource temporarily unavailable"));
	end(&b);
}

static void a_start_that_hangs_fails_with_the_stacks(_unused_ void **state)
{
	static const char *const fakes[] = {"mold-hangs", "worker-hangs"};

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		static struct bench b;

		begin(&b, fakes[i], 1);
		b.config.startup_timeout_s = 1;
		start(&b);
		assert_true(await(&b, &b.failed, 1, 20)); /* sanitizers are slow */
		assert_int_equal(b.phase, FAIL_START);
		assert_non_null(strstr(b.fail_text, "not ready within 1 s (startup-timeout)"));
		assert_non_null(strstr(b.fail_text, "STACKS of a fake"));
		end(&b);
	}
}

/* A busy machine: between the question what is to be done and the one when to ask again, something falls due. */
static void what_falls_due_between_two_looks_at_the_clock_is_done(_unused_ void **state)
{
	static const unsigned shares[] = {4, 3, 2, 1};

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		static struct bench b;

		begin(&b, "mold-hangs", 1);
		b.config.startup_timeout_s = 1;
		start(&b);
		assert_true(await_text(&b, b.output, "a mold that hangs\n", 20));
		look_ns = STACKS_GRACE_MS * NS_PER_MS / shares[i] - NS_PER_MS;
		(void)await(&b, &b.failed, 1, 60);
		look_ns = 0;
		assert_int_equal(b.failed, 1);
		assert_int_equal(b.phase, FAIL_START);
		end(&b);
	}
}

static void an_engine_that_does_not_run_fails_with_the_reason(_unused_ void **state)
{
	static struct bench b;
	int fd;

	begin(&b, "", 1);
	(void)unlink(b.engine);
	fd = open(b.engine, O_CREAT | O_WRONLY, 0755);
	(void)!write(fd, "no program", 10);
	(void)close(fd);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 10));
	assert_int_equal(b.phase, FAIL_SPAWN);
	assert_non_null(strstr(b.fail_text, "cannot execute: Exec format error"));
	end(&b);

	begin(&b, "", 1);
	b.config.home = (char *)(uintptr_t) "/nowhere/venv";
	start(&b);
	assert_true(await(&b, &b.failed, 1, 10));
	assert_int_equal(b.phase, FAIL_ENGINE);
	assert_string_equal(b.fail_text, "virtualenv /nowhere/venv does not exist");
	end(&b);
}

static void an_exit_before_the_pid_is_known_is_not_lost(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "slow-forked", 1);
	(void)setenv("FAKE", "", 1);
	assert_int_equal(kill(pid_of(&b, 0), SIGKILL), 0);
	assert_true(await(&b, &b.surprises, 1, 2));
	assert_true(await_text(&b, b.events, "worker 1 is ready", 3));
	end(&b);

	/* Dies at once; the mold says FORKED only later. */
	begin(&b, "worker-dies", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 5));
	assert_int_equal(b.deaths, 3);
	end(&b);
}

static void a_death_after_ready_is_not_called_one_before_it(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "ready-dies", 1);
	start(&b);
	while (board_get(&b.board->bank[0].counters.spawned) == 0)
		ev_run(b.loop, EVRUN_ONCE);
	(void)usleep(
		60000); /* its READY and its exit both wait for us; the mold says FORKED later */
	assert_true(await_text(&b, b.events, "worker 1 died", 5));
	assert_null(strstr(b.events, "worker 1 died before it was ready"));
	end(&b);
}

static void a_mold_that_closes_its_channel_is_killed(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "mold-closes", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 4));
	assert_int_equal(b.phase, FAIL_ENGINE);
	end(&b);
}

static void a_stop_before_ready_does_not_wait(_unused_ void **state)
{
	static const char *const fakes[] = {"mold-hangs", "worker-hangs"};

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		static struct bench b;

		begin(&b, fakes[i], 2);
		start(&b);
		assert_false(await(&b, &b.failed, 1, 0.3));
		pool_stop(b.pool, 60);
		assert_true(await(&b, &b.stopped, 1, 2));
		assert_int_equal(b.ready + b.failed, 0);
		assert_int_equal(b.surprises, 0);
		end(&b);
	}
}

static void a_worker_that_leaves_by_itself_is_told_and_does_not_storm(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "leaves", 1);
	start(&b);
	/* It may be ready for an instant, or leave before: either way nothing spins. */
	(void)await(&b, &b.deaths, 1000, 2);
	assert_in_range(b.deaths, 1, 9);
	assert_non_null(strstr(b.events, "worker 1 left of its own will: sys.exit(0)"));
	end(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failed_import_is_told_in_its_own_words),
		TEST(a_silent_death_at_start_is_told_with_its_last_words),
		TEST(a_start_that_hangs_fails_with_the_stacks),
		TEST(what_falls_due_between_two_looks_at_the_clock_is_done),
		TEST(an_engine_that_does_not_run_fails_with_the_reason),
		TEST(an_exit_before_the_pid_is_known_is_not_lost),
		TEST(a_death_after_ready_is_not_called_one_before_it),
		TEST(a_mold_that_closes_its_channel_is_killed),
		TEST(a_stop_before_ready_does_not_wait),
		TEST(a_worker_that_leaves_by_itself_is_told_and_does_not_storm),
	};

	if (argc == 1 && strcmp(argv[0], "test mold") == 0)
		fake_mold();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
