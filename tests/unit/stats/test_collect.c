/*
 * collect: minutes are differences, events are told once, gaps are told, and a hostile board costs a bounded time.
 */
#include "emperor/stats/collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/err.h"

#define NOW_S  1700000040ULL
#define NOW_NS (NOW_S * NS_PER_S)

struct fixture {
	struct registry registry;
	struct scoreboard *b;
	struct app *app;
	struct record_event events[2 * BOARD_EVENTS];
	unsigned events_n, blames_n;
	struct record_blame blame;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	_cleanup_(fd_closep) int fd = -1;
	struct err err;

	*state = f;
	if (board_create(&fd, &f->b, "blog", &err) < 0 ||
	    registry_add(&f->registry, 1, "blog", fd, &f->app, &err) < 0)
		return -1;
	collect_begin(f->app, NOW_S);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	registry_done(&f->registry);
	board_unmap(f->b);
	free(f);
	return 0;
}

static void keep(void *arg, const struct record_event *e)
{
	struct fixture *f = arg;

	assert_true(f->events_n < ARRAY_SIZE(f->events));
	f->events[f->events_n++] = *e;
}

static void keep_blame(void *arg, const struct record_blame *b)
{
	struct fixture *f = arg;

	f->blame = *b;
	f->blames_n++;
}

static uint64_t counter(const struct record_minute *m, const char *name)
{
	for (size_t i = 0; i < record_counters_n(); i++)
		if (str_eq(board_fields[i].name, name))
			return m->counters[i];
	fail_msg("no counter %s", name);
	return 0;
}

static void a_minute_is_the_difference_to_the_one_before(void **state)
{
	struct fixture *f = *state;
	struct board_bank *bank = &f->b->bank[1];
	struct record_minute m;

	bank->generation = 1;
	bank->state = FRONT_SERVING;
	bank->workers = 2;
	board_add(&bank->counters.requests, 100);
	board_add(&bank->counters.responses[2], 90);
	board_add(&bank->counters.app_hist[board_bucket(1000)], 100);
	board_add(&bank->counters.queue_hist[board_bucket(8)], 100);
	for (unsigned i = 0; i < 3; i++) {
		bank->worker[i].state = i < 2 ? WORKER_IDLE : WORKER_DEAD;
		board_set(&bank->worker[i].rss, 1000);
	}
	board_set(&bank->front.rss, 3);
	board_set(&bank->mold.rss, 4);
	assert_true(collect_minute(f->app, NOW_S, NOW_S + 60, &m));
	assert_string_equal(m.app, "blog");
	assert_int_equal(m.start_s, NOW_S);
	assert_int_equal(counter(&m, "requests"), 100);
	assert_int_equal(counter(&m, "status_2xx"), 90);
	assert_int_equal(m.gauges[GAUGE_WORKERS], 2);
	/* what the front has, and what the mold has, too */
	assert_int_equal(m.gauges[GAUGE_RSS], 2007);
	assert_in_range(m.gauges[GAUGE_P50], 750, 1250);
	assert_in_range(m.gauges[GAUGE_QUEUE_P99], 8, 12);

	board_add(&bank->counters.requests, 7);
	assert_true(collect_minute(f->app, NOW_S + 60, NOW_S + 120, &m));
	assert_int_equal(counter(&m, "requests"), 7);
	assert_int_equal(counter(&m, "status_2xx"), 0);
	assert_int_equal(m.gauges[GAUGE_P50], 0);
}

static void an_idle_app_has_one_row_in_ten_minutes(void **state)
{
	struct fixture *f = *state;
	struct record_minute m;
	unsigned rows = 0;

	f->b->bank[0].generation = 1;
	f->b->bank[0].state = FRONT_SERVING;
	f->b->bank[0].workers = 1;
	f->b->bank[0].worker[0].state = WORKER_IDLE;
	for (uint64_t s = NOW_S; s < NOW_S + 1800; s += 60)
		rows += collect_minute(f->app, s, s + 60, &m);
	assert_int_equal(rows, 1800 / 60 / COLLECT_IDLE_MINUTES);
}

static void counters_that_run_backwards_count_as_nothing(void **state)
{
	struct fixture *f = *state;
	struct record_minute m;

	f->b->bank[0].generation = 1;
	board_set(&f->b->bank[0].counters.requests, UINT64_MAX);
	(void)collect_minute(f->app, NOW_S, NOW_S + 60, &m);
	board_set(&f->b->bank[0].counters.requests, 3);
	(void)collect_minute(f->app, NOW_S + 60, NOW_S + 120, &m);
	assert_int_equal(counter(&m, "requests"), 0);
}

static void events_are_told_once_with_a_plausible_time(void **state)
{
	struct fixture *f = *state;

	board_event(f->b, NOW_NS - 5, 2, EVENT_WORKER_CRASHED, 3, "killed by signal 11");
	board_event(f->b, UINT64_MAX, 2, EVENT_NOTE, 0, "from the future");
	board_event(f->b, 17, 2, EVENT_NOTE, 0, "from 1970");
	for (unsigned i = 0; i < 3; i++)
		collect_events(f->app, NOW_NS, keep, f);
	assert_int_equal(f->events_n, 3);
	assert_string_equal(f->events[0].app, "blog");
	assert_string_equal(f->events[0].text, "killed by signal 11");
	assert_int_equal(f->events[0].wall_ns, NOW_NS - 5);
	assert_int_equal(f->events[0].worker, 3);
	assert_int_equal(f->events[1].wall_ns, NOW_NS);
	assert_int_equal(f->events[2].wall_ns, NOW_NS);
}

static void what_the_ring_lost_is_told_as_a_gap(void **state)
{
	struct fixture *f = *state;

	board_set(&f->b->events, 1000);
	board_event(f->b, NOW_NS, 1, EVENT_NOTE, 0, "the newest");
	collect_events(f->app, NOW_NS, keep, f);
	collect_events(f->app, NOW_NS, keep, f); /* the half-written ones are given up */
	collect_events(f->app, NOW_NS, keep, f);
	assert_true(f->events_n >= 2);
	assert_non_null(strstr(f->events[0].text, "were not recorded"));
	assert_string_equal(f->events[f->events_n - 2].text, "the newest");
	assert_int_equal(f->app->events_at, 1001);
}

static void an_app_that_floods_is_cut_and_the_rest_is_counted(void **state)
{
	struct fixture *f = *state;
	struct record_minute m;

	for (unsigned k = 0; k < 5; k++) {
		for (unsigned i = 0; i < 100; i++)
			board_event(f->b, NOW_NS, 1, EVENT_NOTE, 0, "spam");
		collect_events(f->app, NOW_NS, keep, f);
	}
	assert_int_equal(f->events_n, COLLECT_EVENTS_PER_MINUTE);
	assert_non_null(strstr(f->events[f->events_n - 1].text, "41 events"));

	(void)collect_minute(f->app, NOW_S, NOW_S + 60, &m);
	collect_events(f->app, NOW_NS, keep, f);
	assert_non_null(strstr(f->events[f->events_n - 1].text, "400 events"));
}

static void a_board_full_of_ones_is_read_in_bounds(void **state)
{
	struct fixture *f = *state;
	struct collect_now now;
	struct record_minute m;

	memset(f->b->bank, 0xff, sizeof(f->b->bank));
	memset(f->b->event, 0xff, sizeof(f->b->event));
	board_set(&f->b->events, UINT64_MAX);
	for (unsigned i = 0; i < 10; i++)
		collect_events(f->app, NOW_NS, keep, f);
	assert_true(f->events_n <= COLLECT_EVENTS_PER_MINUTE);
	assert_true(collect_minute(f->app, NOW_S, NOW_S + 60, &m));
	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		f->b->bank[i].state = FRONT_SERVING;
		for (unsigned k = 0; k < LIMIT_WORKERS; k++)
			f->b->bank[i].worker[k].state = WORKER_BUSY;
	}
	collect_read_now(f->app->board, &now);
	assert_int_equal(now.workers, LIMIT_BANKS * LIMIT_WORKERS);
	assert_true(board_memory_of_all(&now.memory).held <= INT64_MAX && now.queue <= INT64_MAX);
}

static void an_old_and_a_new_app_of_one_name_never_stand_side_by_side(void **state)
{
	struct fixture *f = *state;
	_cleanup_(fd_closep) int fd = -1;
	struct scoreboard *b;
	struct app *app = NULL;
	struct err err;

	assert_int_equal(board_create(&fd, &b, "blog", &err), 0);
	assert_int_equal(registry_add(&f->registry, 2, "blog", fd, &app, &err), 0);
	assert_int_equal(f->registry.apps_n, 1);
	assert_null(registry_find(&f->registry, 1));
	assert_ptr_equal(registry_find_name(&f->registry, "blog"), app);
	assert_true(registry_add(&f->registry, 2, "shop", fd, &app, &err) < 0);
	assert_true(registry_add(&f->registry, 3, "", fd, &app, &err) < 0);
	assert_true(registry_add(&f->registry, 3, "shop", 0, &app, &err) < 0);
	assert_int_equal(registry_add(&f->registry, 3, "aaa", fd, &app, &err), 0);
	assert_string_equal(f->registry.apps[0]->name, "aaa");
	board_unmap(b);
}

static void blame_records_are_told_once_and_gaps_as_events(void **state)
{
	struct fixture *f = *state;
	struct board_blame r = {.wall_ns = NOW_NS, .kind = BLAME_SLOW, .request = "GET /1"};

	board_blame_write(f->b, &r);
	collect_blames(f->app, NOW_NS, keep_blame, keep, f);
	collect_blames(f->app, NOW_NS, keep_blame, keep, f);
	assert_int_equal(f->blames_n, 1);
	assert_string_equal(f->blame.app, "blog");
	assert_string_equal(f->blame.r.request, "GET /1");
	for (unsigned i = 0; i < BOARD_BLAMES + 4; i++)
		board_blame_write(f->b, &r);
	collect_blames(f->app, NOW_NS, keep_blame, keep, f);
	/* four were overwritten, and one is above what a minute may have */
	assert_int_equal(f->blames_n, COLLECT_BLAMES_PER_MINUTE);
	assert_int_equal(f->events_n, 1);
	assert_string_equal(f->events[0].text, "5 blame records before this were not recorded");
}

static void a_blame_record_of_another_day_gets_our_time(void **state)
{
	struct fixture *f = *state;
	struct board_blame r = {.wall_ns = NOW_NS * 2, .kind = BLAME_SLOW};

	board_blame_write(f->b, &r);
	collect_blames(f->app, NOW_NS, keep_blame, keep, f);
	assert_int_equal(f->blame.r.wall_ns, NOW_NS);
}

static void every_counter_has_room_in_a_minute(void **state)
{
	(void)state;
	assert_int_equal(record_counters_n(), board_fields_n);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_room_in_a_minute),
		TEST(blame_records_are_told_once_and_gaps_as_events),
		TEST(a_blame_record_of_another_day_gets_our_time),
		TEST(a_minute_is_the_difference_to_the_one_before),
		TEST(an_idle_app_has_one_row_in_ten_minutes),
		TEST(counters_that_run_backwards_count_as_nothing),
		TEST(events_are_told_once_with_a_plausible_time),
		TEST(what_the_ring_lost_is_told_as_a_gap),
		TEST(an_app_that_floods_is_cut_and_the_rest_is_counted),
		TEST(a_board_full_of_ones_is_read_in_bounds),
		TEST(an_old_and_a_new_app_of_one_name_never_stand_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
