/*
 * test_want - which reload that is asked for is let through at once, which waits, and which is done by another. The clock
 * is the test's, and so is the timer.
 */
#include "emperor/vassals/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "shared/clock.h"

static struct {
	uint64_t now_ns;
	unsigned changes, forgotten;
	char why[64];
	ev_timer *timer; /* active; NULL */
} world;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
void __wrap_app_event(struct app *a, enum life_event event, const char *why);
void __wrap_rollback_forget(struct app *a);
void __wrap_ev_timer_again(struct ev_loop *loop, ev_timer *w);
void __wrap_ev_timer_stop(struct ev_loop *loop, ev_timer *w);

int __wrap_clock_gettime(_unused_ clockid_t id, struct timespec *ts)
{
	*ts = (struct timespec){.tv_sec = (time_t)(world.now_ns / NS_PER_S),
				.tv_nsec = (long)(world.now_ns % NS_PER_S)};
	return 0;
}

void __wrap_app_event(_unused_ struct app *a, enum life_event event, const char *why)
{
	assert_int_equal(event, LIFE_CHANGE);
	(void)snprintf(world.why, sizeof(world.why), "%s", why);
	world.changes++;
}

void __wrap_rollback_forget(_unused_ struct app *a)
{
	world.forgotten++;
}

void __wrap_ev_timer_again(_unused_ struct ev_loop *loop, ev_timer *w)
{
	world.timer = w;
	w->active = 1;
}

void __wrap_ev_timer_stop(_unused_ struct ev_loop *loop, ev_timer *w)
{
	world.timer = NULL;
	w->active = 0;
}

static struct vassals vassals;
static struct generation candidate;

static void make(struct app *a)
{
	memset(&world, 0, sizeof(world));
	world.now_ns = 1000 * NS_PER_S;
	*a = (struct app){.v = &vassals, .name = "a", .state = APP_RUNNING};
	candidate = (struct generation){.app = a};
	want_init(a);
}

static void later(double seconds)
{
	world.now_ns += (uint64_t)(seconds * 1e9);
}

static void tick(void)
{
	assert_non_null(world.timer);
	world.timer->cb(NULL, world.timer, EV_TIMER);
}

static void one_that_comes_alone_is_let_through_at_once(_unused_ void **state)
{
	struct app a;

	make(&a);
	want_reload(&a, "first");
	assert_int_equal(world.changes, 1);
	assert_string_equal(world.why, "first");
	assert_null(world.timer);
	later(1);
	want_reload(&a, "second");
	assert_int_equal(world.changes, 2);
	want_done(&a);
}

static void a_storm_is_one_more_that_begins_after_the_last_has_asked(_unused_ void **state)
{
	struct app a;

	make(&a);
	want_reload(&a, "first");
	later(0.1);
	want_reload(&a, "second");
	for (int i = 0; i < 100; i++)
		want_reload(&a, "storm");
	assert_int_equal(world.changes, 1);
	assert_int_equal(world.forgotten, 102); /* each of them wants the file as it is */
	later(0.8);
	tick();
	assert_int_equal(world.changes, 1);
	later(0.1);
	tick();
	assert_int_equal(world.changes, 2);
	assert_string_equal(world.why, "second"); /* who began to wait */
	assert_null(world.timer);
	want_done(&a);
}

static void a_candidate_may_become_ready_before_it_is_replaced(_unused_ void **state)
{
	static const struct {
		double age_s;
		bool through;
	} rows[] = {{0, false}, {1, false}, {29.9, false}, {30, true}, {3000, true}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct app a;

		make(&a);
		a.candidate = &candidate;
		candidate.spawned_ns = world.now_ns;
		later(rows[i].age_s);
		want_reload(&a, "why");
		assert_int_equal(world.changes, rows[i].through);
		assert_int_equal(world.timer != NULL, !rows[i].through);
		/* it serves, or has failed: nobody is in the way any more */
		a.candidate = NULL;
		if (!rows[i].through)
			tick();
		assert_int_equal(world.changes, 1);
		want_done(&a);
	}
}

static void one_that_waits_for_its_turn_to_start_will_do(_unused_ void **state)
{
	struct app a;

	make(&a);
	a.queued = true;
	want_reload(&a, "why");
	assert_int_equal(world.changes, 0);
	assert_null(world.timer);
	assert_int_equal(world.forgotten, 1);
	want_done(&a);
}

static void one_that_was_stopped_meanwhile_stays_stopped(_unused_ void **state)
{
	for (unsigned s = 0; s < APP_STATE_COUNT; s++) {
		struct app a;

		make(&a);
		a.reloaded_ns = world.now_ns;
		want_reload(&a, "why");
		assert_int_equal(world.changes, 0);
		a.state = s;
		later(1);
		tick();
		assert_int_equal(world.changes, s != APP_STOPPED && s != APP_STOPPING);
		assert_null(world.timer);
		want_done(&a);
	}
}

static void a_clock_that_has_not_moved_lets_nobody_through_twice(_unused_ void **state)
{
	struct app a;

	make(&a);
	want_reload(&a, "first");
	want_reload(&a, "second");
	/* stamped by a clock that is ahead of ours */
	world.now_ns -= NS_PER_S / 2;
	tick();
	assert_int_equal(world.changes, 1);
	want_done(&a);
	assert_null(world.timer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_comes_alone_is_let_through_at_once),
		cmocka_unit_test(a_storm_is_one_more_that_begins_after_the_last_has_asked),
		cmocka_unit_test(a_candidate_may_become_ready_before_it_is_replaced),
		cmocka_unit_test(one_that_waits_for_its_turn_to_start_will_do),
		cmocka_unit_test(one_that_was_stopped_meanwhile_stays_stopped),
		cmocka_unit_test(a_clock_that_has_not_moved_lets_nobody_through_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
