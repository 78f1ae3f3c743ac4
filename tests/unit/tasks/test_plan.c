/*
 * test_plan - daemons and timed jobs, cell by cell: when they start, end, are tried again, told to stop, killed.
 */
#include "shared/scoreboard.h"
#include "vassal/tasks/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S    NS_PER_S
#define NOW  (1000 * S)
#define WALL ((time_t)1767225600) /* 2026-01-01 00:00 UTC */
#define HALF 0x7fffffffU          /* no jitter to speak of */

static struct cron_spec every_minute, at_two;

static struct plan daemon_plan(unsigned attempts)
{
	struct plan p;

	plan_init(&p, &(struct plan_config){.attempts = attempts, .mercy_ns = 10 * S});
	return p;
}

static struct plan timed_plan(const struct cron_spec *when, bool unique, uint64_t harakiri_ns)
{
	struct plan p;

	plan_init(&p, &(struct plan_config){.cron = true,
					    .unique = unique,
					    .when = when,
					    .harakiri_ns = harakiri_ns});
	return p;
}

/* The next action and nothing behind it. */
static struct plan_action only(struct plan *p, uint64_t now_ns, time_t wall_s)
{
	struct plan_action a, b;

	(void)plan_next(p, now_ns, wall_s, &a);
	assert_false(plan_next(p, now_ns, wall_s, &b));
	return a;
}

static void nothing_starts_before_the_generation_serves(void **state)
{
	struct plan p = daemon_plan(0), c = timed_plan(&every_minute, false, 0);

	(void)state;
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_NOTHING);
	assert_int_equal(only(&c, NOW, WALL + 60).kind, PLAN_NOTHING);
	assert_int_equal(plan_state(&p), TASK_WAITING);
	assert_true(plan_wait_ns(&p, NOW, 0) == UINT64_MAX);
	plan_serve(&p, 0);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_START);
	assert_int_equal(plan_state(&p), TASK_RUNNING);
}

static void a_daemon_that_dies_is_started_again_later_and_later(void **state)
{
	struct plan p = daemon_plan(0);
	uint64_t now_ns = NOW, wait_ns, last_ns = 0;

	(void)state;
	plan_serve(&p, 0);
	assert_int_equal(only(&p, now_ns, WALL).kind, PLAN_START);
	for (unsigned i = 0; i < 5; i++) {
		now_ns += S / 10;
		assert_false(plan_ended(&p, 0, false, now_ns, HALF));
		assert_int_equal(plan_state(&p), TASK_BACKOFF);
		assert_int_equal(only(&p, now_ns, WALL).kind, PLAN_NOTHING);
		wait_ns = plan_wait_ns(&p, now_ns, 0);
		assert_true(wait_ns > last_ns && wait_ns <= BACKOFF_MAX_NS);
		last_ns = wait_ns;
		now_ns += wait_ns;
		assert_int_equal(only(&p, now_ns - 1, WALL).kind, PLAN_NOTHING);
		assert_int_equal(only(&p, now_ns, WALL).kind, PLAN_START);
	}
	/* a healthy run is forgiven */
	assert_true(plan_ended(&p, 0, false, now_ns + BACKOFF_HEALTHY_NS, HALF));
	assert_true(plan_wait_ns(&p, now_ns + BACKOFF_HEALTHY_NS, 0) < last_ns / 4);
}

static void a_daemon_is_given_up_after_freq_early_ends_and_a_touch_revives_it(void **state)
{
	struct plan p = daemon_plan(2);
	uint64_t now_ns = NOW;

	(void)state;
	plan_serve(&p, 0);
	for (unsigned i = 0; i < 2; i++) {
		now_ns += 100 * S;
		assert_int_equal(only(&p, now_ns, WALL).kind, PLAN_START);
		assert_false(plan_ended(&p, 0, false, now_ns + 1, HALF));
	}
	assert_int_equal(plan_state(&p), TASK_BROKEN);
	assert_int_equal(only(&p, now_ns + 1000 * S, WALL).kind, PLAN_NOTHING);
	plan_renew(&p, now_ns + 1000 * S);
	assert_int_equal(only(&p, now_ns + 1000 * S, WALL).kind, PLAN_START);
}

static void a_healthy_end_between_two_early_ones_counts_anew(void **state)
{
	struct plan p = daemon_plan(2);
	uint64_t now_ns = NOW;
	static const uint64_t lives_ns[] = {1, 20 * S, 1};

	(void)state;
	plan_serve(&p, 0);
	for (unsigned i = 0; i < 3; i++) {
		now_ns += 100 * S;
		assert_int_equal(only(&p, now_ns, WALL).kind, PLAN_START);
		(void)plan_ended(&p, 0, true, now_ns + lives_ns[i], HALF);
	}
	assert_int_equal(plan_state(&p), TASK_BACKOFF);
}

static void a_daemon_waits_for_its_predecessor(void **state)
{
	struct plan p = daemon_plan(0);

	(void)state;
	plan_block(&p, true);
	plan_serve(&p, 0);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_NOTHING);
	assert_int_equal(plan_state(&p), TASK_QUEUED);
	plan_block(&p, false);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_START);
}

static void a_renewed_daemon_is_told_killed_when_it_stays_and_started_at_once(void **state)
{
	struct plan p = daemon_plan(0);
	struct plan_action a;

	(void)state;
	plan_serve(&p, 0);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_START);
	plan_renew(&p, NOW + S);
	assert_int_equal(only(&p, NOW + S, WALL).kind, PLAN_SIGNAL);
	assert_int_equal(plan_state(&p), TASK_STOPPING);
	assert_int_equal(only(&p, NOW + 10 * S, WALL).kind, PLAN_NOTHING);
	a = only(&p, NOW + 11 * S, WALL);
	assert_int_equal(a.kind, PLAN_KILL);
	assert_int_equal(a.why, PLAN_WHY_MERCY);
	assert_int_equal(only(&p, NOW + 100 * S, WALL).kind, PLAN_NOTHING);
	assert_true(plan_ended(&p, 0, false, NOW + 12 * S, HALF));
	assert_int_equal(only(&p, NOW + 12 * S, WALL).kind, PLAN_START);
}

static void a_drained_daemon_is_told_then_killed_and_never_started_again(void **state)
{
	struct plan p = daemon_plan(0);

	(void)state;
	plan_serve(&p, 0);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_START);
	plan_drain(&p, NOW, 60 * S, true);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_SIGNAL);
	assert_false(plan_over(&p));
	assert_true(plan_wait_ns(&p, NOW, 0) == 60 * S);
	/* the second word may only be sooner */
	plan_drain(&p, NOW + S, 600 * S, false);
	assert_true(plan_wait_ns(&p, NOW + S, 0) == 59 * S);
	plan_drain(&p, NOW + S, 0, false);
	assert_int_equal(only(&p, NOW + S, WALL).kind, PLAN_KILL);
	(void)plan_ended(&p, 0, false, NOW + S, HALF);
	assert_true(plan_over(&p));
	plan_renew(&p, NOW + S);
	assert_int_equal(only(&p, NOW + 100 * S, WALL).kind, PLAN_NOTHING);
	assert_int_equal(plan_state(&p), TASK_STOPPED);
}

static void a_plan_that_is_drained_before_it_served_is_over(void **state)
{
	struct plan p = daemon_plan(0);

	(void)state;
	plan_drain(&p, NOW, 60 * S, false);
	assert_true(plan_over(&p));
	plan_serve(&p, 0);
	assert_int_equal(only(&p, NOW, WALL).kind, PLAN_NOTHING);
}

static void a_timed_job_runs_once_a_minute_and_not_in_the_one_it_begins_in(void **state)
{
	struct plan p = timed_plan(&every_minute, false, 0);

	(void)state;
	plan_serve(&p, WALL + 30);
	assert_int_equal(only(&p, NOW, WALL + 59).kind, PLAN_NOTHING);
	assert_true(plan_wait_ns(&p, NOW, (uint64_t)(WALL + 59) * S) == S);
	for (time_t minute = 1; minute < 5; minute++) {
		assert_int_equal(only(&p, NOW, WALL + minute * 60).kind, PLAN_START);
		assert_true(plan_ended(&p, 0, true, NOW, HALF));
		assert_int_equal(only(&p, NOW, WALL + minute * 60 + 59).kind, PLAN_NOTHING);
	}
	assert_int_equal(plan_state(&p), TASK_WAITING);
}

static void jobs_run_beside_themselves_up_to_a_limit_unless_unique(void **state)
{
	struct plan p = timed_plan(&every_minute, false, 0), u = timed_plan(&every_minute, true, 0);

	(void)state;
	plan_serve(&p, WALL);
	plan_serve(&u, WALL);
	for (time_t minute = 1; minute <= LIMIT_TASK_RUNS + 2; minute++) {
		struct plan_action a = only(&p, NOW, WALL + minute * 60);

		assert_int_equal(a.kind, minute <= LIMIT_TASK_RUNS ? PLAN_START : PLAN_SKIP);
		assert_int_equal(only(&u, NOW, WALL + minute * 60).kind,
				 minute == 1 ? PLAN_START : PLAN_SKIP);
	}
	assert_int_equal(plan_running(&p), LIMIT_TASK_RUNS);
	assert_int_equal(plan_running(&u), 1);
}

static void a_unique_job_is_skipped_while_its_predecessor_runs(void **state)
{
	struct plan u = timed_plan(&every_minute, true, 0);

	(void)state;
	plan_serve(&u, WALL);
	plan_block(&u, true);
	assert_int_equal(only(&u, NOW, WALL + 60).kind, PLAN_SKIP);
	plan_block(&u, false);
	assert_int_equal(only(&u, NOW, WALL + 120).kind, PLAN_START);
}

static void harakiri_ends_a_job_and_only_the_old_one(void **state)
{
	struct plan p = timed_plan(&every_minute, false, 90 * S);
	struct plan_action a;

	(void)state;
	plan_serve(&p, WALL);
	assert_int_equal(only(&p, NOW, WALL + 60).kind, PLAN_START);
	assert_int_equal(only(&p, NOW + 60 * S, WALL + 120).kind, PLAN_START);
	assert_int_equal(only(&p, NOW + 89 * S, WALL + 149).kind, PLAN_NOTHING);
	a = only(&p, NOW + 90 * S, WALL + 150);
	assert_int_equal(a.kind, PLAN_KILL);
	assert_int_equal(a.run, 0);
	assert_int_equal(a.why, PLAN_WHY_HARAKIRI);
}

static void a_job_under_way_may_finish_at_a_swap_and_not_at_a_stop(void **state)
{
	struct plan swap = timed_plan(&every_minute, false, 0);
	struct plan stop = timed_plan(&every_minute, false, 0);
	struct plan_action a;

	(void)state;
	plan_serve(&swap, WALL);
	plan_serve(&stop, WALL);
	assert_int_equal(only(&swap, NOW, WALL + 60).kind, PLAN_START);
	assert_int_equal(only(&stop, NOW, WALL + 60).kind, PLAN_START);
	plan_drain(&swap, NOW, 60 * S, true);
	plan_drain(&stop, NOW, 60 * S, false);
	assert_int_equal(only(&stop, NOW, WALL + 60).kind, PLAN_SIGNAL);
	assert_int_equal(only(&swap, NOW + 59 * S, WALL + 240).kind, PLAN_NOTHING);
	a = only(&swap, NOW + 60 * S, WALL + 240);
	assert_int_equal(a.kind, PLAN_KILL);
	assert_int_equal(a.why, PLAN_WHY_STOP);
}

static void a_clock_that_jumps_runs_nothing_twice_and_nothing_it_jumped_over(void **state)
{
	struct plan p = timed_plan(&every_minute, true, 0), two = timed_plan(&at_two, false, 0);

	(void)state;
	plan_serve(&p, WALL);
	assert_int_equal(only(&p, NOW, WALL + 7200).kind, PLAN_START); /* one, not 120 */
	(void)plan_ended(&p, 0, true, NOW, HALF);
	assert_int_equal(only(&p, NOW, WALL + 3600).kind, PLAN_NOTHING);
	assert_int_equal(only(&p, NOW, WALL + 3660).kind, PLAN_START);

	plan_serve(&two, WALL + 7140);
	assert_int_equal(only(&two, NOW, WALL + 7200).kind, PLAN_START);
	(void)plan_ended(&two, 0, true, NOW, HALF);
	assert_int_equal(only(&two, NOW, WALL + 7140).kind, PLAN_NOTHING); /* put back */
	assert_int_equal(only(&two, NOW, WALL + 7200).kind, PLAN_NOTHING);
	assert_int_equal(only(&two, NOW, WALL + 7200 + 86400).kind, PLAN_START);
}

/* Whatever happens in whatever order: never more runs than allowed, never one that is not there, and it comes to an end. */
static void a_random_walk_keeps_the_invariants(void **state)
{
	(void)state;
	srand(7);
	for (unsigned walk = 0; walk < 300; walk++) {
		bool cron = walk % 3 > 0;
		struct plan p = cron ? timed_plan(&every_minute, walk % 3 == 1, 30 * S)
				     : daemon_plan(walk % 4);
		bool alive[LIMIT_TASK_RUNS] = {0};
		uint64_t now_ns = NOW;
		time_t wall = WALL;

		for (unsigned step = 0; step < 400; step++) {
			struct plan_action a;
			unsigned run = (unsigned)rand() % LIMIT_TASK_RUNS, n = 0;

			now_ns += (uint64_t)(rand() % 20) * S;
			wall += rand() % 50 - (rand() % 40 == 0 ? 4000 : 0);
			if (step == 5)
				plan_serve(&p, wall);
			if (rand() % 20 == 0)
				plan_block(&p, rand() % 2);
			if (rand() % 30 == 0)
				plan_renew(&p, now_ns);
			if (step == 350)
				plan_drain(&p, now_ns, (uint64_t)(rand() % 30) * S, rand() % 2);
			if (alive[run] && rand() % 3 == 0) {
				(void)plan_ended(&p, run, rand() % 2, now_ns, (uint32_t)rand());
				alive[run] = false;
			}
			while (plan_next(&p, now_ns, wall, &a)) {
				assert_int_not_equal(a.kind, PLAN_NOTHING);
				if (a.kind == PLAN_START) {
					assert_true(step >= 5 && step < 350);
					assert_false(alive[a.run]);
					alive[a.run] = true;
				} else if (a.kind != PLAN_SKIP) {
					assert_true(alive[a.run]);
				}
			}
			for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
				n += alive[i];
			assert_int_equal(n, plan_running(&p));
			assert_true(n <= (cron && !p.config.unique ? LIMIT_TASK_RUNS : 1));
		}
		for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
			if (alive[i])
				(void)plan_ended(&p, i, true, now_ns, 0);
		assert_true(plan_over(&p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_starts_before_the_generation_serves),
		cmocka_unit_test(a_daemon_that_dies_is_started_again_later_and_later),
		cmocka_unit_test(a_daemon_is_given_up_after_freq_early_ends_and_a_touch_revives_it),
		cmocka_unit_test(a_healthy_end_between_two_early_ones_counts_anew),
		cmocka_unit_test(a_daemon_waits_for_its_predecessor),
		cmocka_unit_test(a_renewed_daemon_is_told_killed_when_it_stays_and_started_at_once),
		cmocka_unit_test(a_drained_daemon_is_told_then_killed_and_never_started_again),
		cmocka_unit_test(a_plan_that_is_drained_before_it_served_is_over),
		cmocka_unit_test(a_timed_job_runs_once_a_minute_and_not_in_the_one_it_begins_in),
		cmocka_unit_test(jobs_run_beside_themselves_up_to_a_limit_unless_unique),
		cmocka_unit_test(a_unique_job_is_skipped_while_its_predecessor_runs),
		cmocka_unit_test(harakiri_ends_a_job_and_only_the_old_one),
		cmocka_unit_test(a_job_under_way_may_finish_at_a_swap_and_not_at_a_stop),
		cmocka_unit_test(a_clock_that_jumps_runs_nothing_twice_and_nothing_it_jumped_over),
		cmocka_unit_test(a_random_walk_keeps_the_invariants),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	cron_init(&every_minute);
	cron_init(&at_two);
	(void)cron_set(&at_two, CRON_HOUR, "2", NULL);
	(void)cron_set(&at_two, CRON_MINUTE, "0", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
