/*
 * test_machine - what the emperor reads of its apps for the limits that all share, and what it does then: real scoreboards,
 * the test's clock, and fronts of which only the orders are kept.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <time.h>

#include "emperor/options.h"
#include "shared/clock.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

#define APPS 3
#define MIB  (1024 * 1024ULL)

static struct {
	uint64_t now_ns;
	unsigned scaled, scaled_to, slept, renewed, renewed_worker, told;
	const struct app *app; /* of the last order */
	int fails;
	char text[256];
} world;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_limits_scale(struct app *a, unsigned processes, const char *why, struct err *err);
void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text);
void __wrap_generation_let_sleep(struct generation *g);
void __wrap_generation_renew_worker(struct generation *g, unsigned worker);

int __wrap_clock_gettime(_unused_ clockid_t id, struct timespec *ts)
{
	*ts = (struct timespec){.tv_sec = (time_t)(world.now_ns / NS_PER_S),
				.tv_nsec = (long)(world.now_ns % NS_PER_S)};
	return 0;
}

int __wrap_limits_scale(struct app *a, unsigned processes, _unused_ const char *why,
			_unused_ struct err *err)
{
	world.scaled++;
	world.scaled_to = processes;
	world.app = a;
	if (world.fails == 0) { /* the front answers later */
		a->serving->serial = 1;
		a->serving->pending.processes = processes;
	}
	return world.fails;
}

void __wrap_tell_change(_unused_ const struct app *a, unsigned event_kind, const char *text)
{
	assert_int_equal(event_kind, EVENT_BUDGET);
	world.told++;
	(void)snprintf(world.text, sizeof(world.text), "%s", text);
}

void __wrap_generation_let_sleep(struct generation *g)
{
	world.slept++;
	world.app = g->app;
}

void __wrap_generation_renew_worker(struct generation *g, unsigned worker)
{
	world.renewed++;
	world.renewed_worker = worker;
	world.app = g->app;
}

struct rig {
	struct vassals v;
	struct load_rules rules;
	struct emperor_options options;
	struct app app[APPS], *apps[APPS];
	struct generation g[APPS];
	struct scoreboard *board[APPS];
};

static struct rig *make(unsigned max_workers, uint64_t memory_budget, const char *keys)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err err = {0};
	char ini[256];

	assert_non_null(r);
	memset(&world, 0, sizeof(world));
	world.now_ns = 1000 * NS_PER_S;
	(void)snprintf(ini, sizeof(ini), "[vassal]\nmodule = x\n%s", keys);
	r->options.max_workers = max_workers;
	r->options.memory_budget = memory_budget;
	r->rules.options = &r->options;
	r->v.setup.rules = &r->rules;
	r->v.setup.loop = ev_default_loop(0);
	r->v.v = r->apps;
	r->v.n = APPS;
	for (unsigned i = 0; i < APPS; i++) {
		struct generation *g = &r->g[i];

		r->apps[i] = &r->app[i];
		r->app[i] = (struct app){
			.v = &r->v, .state = APP_RUNNING, .serving = g, .generations = g};
		(void)snprintf(r->app[i].name, sizeof(r->app[i].name), "%c", 'a' + i);
		*g = (struct generation){.app = &r->app[i], .number = 5, .bank = 1};
		g->loaded = fixture_load(ini);
		assert_int_equal(
			board_create(&r->app[i].board_fd, &r->board[i], r->app[i].name, &err), 0);
		r->app[i].board_ro_fd = r->app[i].board_fd;
		board_set(&r->board[i]->bank[1].generation, 5);
	}
	machine_open(&r->v);
	return r;
}

static void unmake(struct rig *r)
{
	machine_close(&r->v);
	for (unsigned i = 0; i < APPS; i++) {
		board_unmap(r->board[i]);
		(void)close(r->app[i].board_fd);
		loaded_unref(r->g[i].loaded);
		free(r->app[i].reason);
	}
	free(r);
}

static void tick(struct rig *r, unsigned seconds)
{
	while (seconds-- > 0) {
		world.now_ns += NS_PER_S;
		ev_invoke(r->v.setup.loop, &r->v.machine.tick, EV_TIMER);
	}
}

/* -- workers -------------------------------------------------------------------------------------------- */

/* 0: nothing of it serves or starts. */
static void give(struct rig *r, unsigned i, unsigned processes, bool serves)
{
	r->app[i].serving = processes && serves ? &r->g[i] : NULL;
	r->app[i].candidate = processes && !serves ? &r->g[i] : NULL;
	r->g[i].loaded->config.processes = processes;
}

static void an_app_that_starts_gets_what_others_leave_and_never_none(_unused_ void **state)
{
	static const struct {
		unsigned most, b, c, wanted, granted;
	} rows[] = {
		{0, 4, 4, 8, 8},  {10, 0, 0, 8, 8}, {10, 4, 0, 8, 6}, {10, 4, 4, 8, 2},
		{10, 4, 4, 2, 2}, {8, 4, 4, 8, 1},  {4, 4, 4, 2, 1},  {10, 4, 4, 3, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(rows[i].most, 0, "");
		struct loaded *l = fixture_load("[vassal]\nmodule = x\nprocesses = 8\n");
		struct err err = {0};

		give(r, 1, rows[i].b, true);
		give(r, 2, rows[i].c, false); /* what only starts counts, too */
		l->config.processes = rows[i].wanted;
		assert_int_equal(machine_room(&r->app[0], rows[i].wanted), rows[i].granted);
		assert_int_equal(machine_grant(&r->app[0], l, &err), 0);
		assert_int_equal(l->config.processes, rows[i].granted);
		assert_int_equal(l->wanted, rows[i].granted < rows[i].wanted ? rows[i].wanted : 0);
		/* not before it serves */
		assert_int_equal(r->app[0].cut_from, 0);
		machine_took(&r->app[0], l);
		assert_int_equal(r->app[0].cut_from, l->wanted);
		assert_int_equal(r->app[0].cut_tried, l->wanted > 0 ? rows[i].granted : 0);
		/* brought back later, it asks for all of it again */
		assert_int_equal(machine_uncut(l, l->wanted, &err), 0);
		assert_int_equal(l->config.processes, rows[i].wanted);
		loaded_unref(l);
		unmake(r);
	}
}

static void who_was_scaled_counts_as_what_it_has(_unused_ void **state)
{
	struct rig *r = make(10, 0, "");

	give(r, 1, 4, true);
	give(r, 2, 0, true);
	r->g[1].scaled = 7;
	assert_int_equal(machine_room(&r->app[0], 8), 3);
	/* both serving and starting: the one that serves has them */
	r->app[1].candidate = &r->g[2];
	r->g[2].scaled = 1;
	assert_int_equal(machine_room(&r->app[0], 8), 3);
	/* but one that starts with more has been given that */
	r->g[2].scaled = 9;
	assert_int_equal(machine_room(&r->app[0], 8), 1);
	unmake(r);
}

static void what_was_just_given_to_one_is_not_given_to_another(_unused_ void **state)
{
	struct rig *r = make(10, 0, "");

	give(r, 0, 2, true);
	give(r, 1, 2, true);
	give(r, 2, 0, true);
	r->app[0].cut_from = r->app[1].cut_from = 8;
	tick(r, 3);
	assert_int_equal(world.scaled, 1);
	assert_int_equal(world.scaled_to, 8);
	assert_ptr_equal(world.app, &r->app[0]);
	/* the front has refused: it is there for the other */
	r->g[0].serial = 0;
	tick(r, 1);
	assert_int_equal(world.scaled, 2);
	assert_ptr_equal(world.app, &r->app[1]);
	unmake(r);
}

static void who_was_cut_is_told_and_gets_more_when_others_leave(_unused_ void **state)
{
	struct rig *r = make(10, 0, "");
	struct app *a = &r->app[0];

	give(r, 0, 2, true);
	give(r, 1, 4, true);
	give(r, 2, 4, true);
	a->cut_from = 8;
	machine_explain(a);
	assert_string_equal(a->reason,
			    "max-workers = 10: it has 2 of 8 processes, other apps have 8");
	assert_int_equal(world.told, 1);
	tick(r, 3);
	assert_int_equal(world.scaled, 0);
	/* one leaves */
	give(r, 2, 0, true);
	tick(r, 1);
	assert_int_equal(world.scaled_to, 6);
	assert_ptr_equal(world.app, a);
	/* asked for once, and not again while the front has not answered */
	tick(r, 5);
	assert_int_equal(world.scaled, 1);
	r->g[0].scaled = 6;
	/* a front that cannot be told is asked again with the next tick */
	give(r, 1, 0, true);
	world.fails = -EAGAIN;
	tick(r, 3);
	assert_int_equal(world.scaled, 4);
	assert_int_equal(a->cut_from, 8);
	world.fails = 0;
	tick(r, 1);
	assert_int_equal(world.scaled_to, 8);
	tick(r, 5);
	assert_int_equal(world.scaled, 5);
	/* it lacks them until its front has said that it runs them */
	assert_int_equal(a->cut_from, 8);
	assert_non_null(strstr(a->reason, "it has 2 of 8"));
	machine_scaled(a, 7);
	assert_int_equal(a->cut_from, 8);
	machine_scaled(a, 8);
	assert_int_equal(a->cut_from, 0);
	assert_string_equal(a->reason, "");
	unmake(r);
}

static void nothing_is_given_to_who_does_not_simply_run(_unused_ void **state)
{
	for (unsigned s = 0; s < APP_STATE_COUNT; s++) {
		struct rig *r = make(10, 0, "");

		give(r, 0, 2, true);
		give(r, 1, 0, true);
		give(r, 2, 0, true);
		r->app[0].cut_from = 4;
		r->app[0].state = s;
		tick(r, 1);
		assert_int_equal(world.scaled, s == APP_RUNNING);
		unmake(r);
	}
}

/* -- memory --------------------------------------------------------------------------------------------- */

/* Of the front's own word: worker i of app a. */
static void hold(struct rig *r, unsigned a, unsigned i, uint64_t mib, enum worker_state state)
{
	struct board_bank *bank = &r->board[a]->bank[1];

	atomic_store(&bank->workers, 2);
	atomic_store(&bank->worker[i].state, state);
	board_set(&bank->worker[i].rss, mib * MIB);
	board_set(&bank->worker[i].delta_requests, 1);
}

static void over_the_budget_the_one_that_is_idle_for_longest_sleeps(_unused_ void **state)
{
	struct rig *r = make(0, 300 * MIB, "sleep-after = 3600\n");

	for (unsigned a = 0; a < APPS; a++)
		hold(r, a, 0, 90, WORKER_BUSY);
	tick(r, 15);
	assert_int_equal(world.told, 0);
	/* c is asked something, and so is a, a little earlier */
	board_add(&r->board[0]->bank[1].counters.requests, 1);
	tick(r, 1);
	board_add(&r->board[2]->bank[1].counters.connections, 1);
	hold(r, 1, 0, 150, WORKER_BUSY);
	tick(r, 1);
	assert_int_equal(world.slept, 1);
	assert_ptr_equal(world.app, &r->app[1]);
	assert_non_null(strstr(world.text, "memory-budget = 300 MiB, 330 MiB are held: it is let "
					   "sleep, idle for "));
	/* it holds a connection and stays; the others have only just been asked */
	tick(r, 5);
	assert_int_equal(world.slept, 1);
	tick(r, 4);
	assert_int_equal(world.slept, 2);
	assert_ptr_equal(world.app, &r->app[0]);
	unmake(r);
}

static void who_is_busy_or_may_not_sleep_is_let_alone(_unused_ void **state)
{
	static const struct {
		const char *keys;
		bool busy;
		enum app_state state;
		bool sleeps;
	} rows[] = {
		{"sleep-after = 3600\n", false, APP_RUNNING, true},
		{"sleep-after = 3600\n", true, APP_RUNNING, false},
		{"sleep-after = 3600\n", false, APP_REPLACING, false},
		{"on-demand = true\n", false, APP_RUNNING, true},
		{"on-demand = true\n", true, APP_RUNNING, false},
		/* what runs beside it is there to run: its front would stay */
		{"on-demand = true\nattach-daemon = x\n", false, APP_RUNNING, false},
		{"", false, APP_RUNNING, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(0, 100 * MIB, rows[i].keys);

		for (unsigned a = 0; a < APPS; a++) {
			hold(r, a, 0, 90, WORKER_BUSY);
			r->app[a].state = rows[i].state;
			atomic_store(&r->board[a]->bank[1].busy, rows[i].busy);
		}
		tick(r, 20);
		assert_int_equal(world.slept > 0, rows[i].sleeps);
		unmake(r);
	}
}

static void else_the_fattest_idle_worker_is_replaced(_unused_ void **state)
{
	struct rig *r = make(0, 100 * MIB, "");

	hold(r, 0, 0, 50, WORKER_IDLE);
	hold(r, 1, 1, 60, WORKER_IDLE);
	hold(r, 2, 0, 90, WORKER_BUSY); /* somebody's request is in it */
	hold(r, 2, 1, 80, WORKER_IDLE); /* ... and this one is as its successor would be */
	board_set(&r->board[2]->bank[1].worker[1].delta_requests, 0);
	tick(r, 1);
	assert_int_equal(world.renewed, 1);
	assert_ptr_equal(world.app, &r->app[1]);
	assert_int_equal(world.renewed_worker, 1);
	assert_non_null(strstr(world.text, "its worker 2 is replaced, idle with 60 MiB"));
	/* the next step only when this one can be seen; of another app, for this one's must show what it saves */
	tick(r, 4);
	assert_int_equal(world.renewed, 1);
	tick(r, 1);
	assert_int_equal(world.renewed, 2);
	assert_ptr_equal(world.app, &r->app[0]);
	unmake(r);
}

static void all_generations_count_and_dead_rows_do_not(_unused_ void **state)
{
	struct rig *r = make(0, 100 * MIB, "");
	struct generation older = {.app = &r->app[0], .number = 4, .bank = 0};
	struct board_bank *bank = &r->board[0]->bank[0];

	hold(r, 0, 0, 60, WORKER_IDLE);
	hold(r, 0, 1, 900, WORKER_DEAD);
	/* a bank that another generation has left behind is nobody's */
	board_set(&bank->generation, 3);
	atomic_store(&bank->workers, 1);
	atomic_store(&bank->worker[0].state, WORKER_BUSY);
	board_set(&bank->worker[0].rss, 60 * MIB);
	r->g[0].next = &older;
	tick(r, 1);
	assert_int_equal(world.renewed, 0);
	board_set(&bank->generation, 4); /* it drains, and holds memory as well */
	tick(r, 1);
	assert_int_equal(world.renewed, 1);
	unmake(r);
}

static void a_board_that_is_none_harms_nobody(_unused_ void **state)
{
	struct rig *r = make(0, 100 * MIB, "");

	r->app[0].board_ro_fd = -1;
	hold(r, 1, 0, 200, WORKER_IDLE);
	tick(r, 1);
	assert_ptr_equal(world.app, &r->app[1]);
	unmake(r);
}

static void an_emperor_that_ends_orders_nothing(_unused_ void **state)
{
	struct rig *r = make(10, 100 * MIB, "");

	hold(r, 1, 0, 200, WORKER_IDLE);
	give(r, 1, 0, true);
	r->app[0].cut_from = 8;
	r->v.shutting_down = true;
	tick(r, 20);
	assert_int_equal(world.renewed + world.slept + world.scaled, 0);
	unmake(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_that_starts_gets_what_others_leave_and_never_none),
		cmocka_unit_test(who_was_scaled_counts_as_what_it_has),
		cmocka_unit_test(what_was_just_given_to_one_is_not_given_to_another),
		cmocka_unit_test(who_was_cut_is_told_and_gets_more_when_others_leave),
		cmocka_unit_test(nothing_is_given_to_who_does_not_simply_run),
		cmocka_unit_test(over_the_budget_the_one_that_is_idle_for_longest_sleeps),
		cmocka_unit_test(who_is_busy_or_may_not_sleep_is_let_alone),
		cmocka_unit_test(else_the_fattest_idle_worker_is_replaced),
		cmocka_unit_test(all_generations_count_and_dead_rows_do_not),
		cmocka_unit_test(a_board_that_is_none_harms_nobody),
		cmocka_unit_test(an_emperor_that_ends_orders_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
