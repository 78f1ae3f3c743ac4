/*
 * test_doze - when a front that nobody asks says so, and when it goes. Time is what the test says it is; what would be said
 * to the emperor is kept.
 */
#include "vassal/front/doze.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/link.h"
#include "vassal/front/state.h"

#define AFTER_S 60
#define START   (1000 * NS_PER_S)

static struct {
	unsigned idle, asleep, drained;
	uint64_t ms;
} said;

void __wrap_link_say(struct front *f, enum msg_kind kind, uint64_t a, uint64_t b, const char *text);

void __wrap_link_say(_unused_ struct front *f, enum msg_kind kind, uint64_t a, _unused_ uint64_t b,
		     _unused_ const char *text)
{
	said.idle += kind == MSG_IDLE;
	said.asleep += kind == MSG_ASLEEP;
	said.ms = a;
}

void __wrap_lifecycle_drain(struct front *f, unsigned grace_s, int heir_fd);

void __wrap_lifecycle_drain(_unused_ struct front *f, unsigned grace_s, int heir_fd)
{
	assert_int_equal(grace_s, 7);
	assert_int_equal(heir_fd, -1);
	said.drained++;
}

struct world {
	struct front f;
	struct vassal_config config;
	struct board_bank bank;
	struct conn conn;
	struct route route;
};

/* Serves, and has one idle connection of a shared port. */
static struct world *make(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct front *f = &w->f;

	assert_non_null(w);
	memset(&said, 0, sizeof(said));
	w->config.sleep_after_s = AFTER_S;
	w->config.graceful_timeout_s = 7;
	f->config = &w->config;
	f->count = &w->bank.counters;
	f->loop = ev_default_loop(0);
	f->phase = PHASE_SERVING;
	f->gate.fd = 3;
	for (size_t i = 0; i < ARRAY_SIZE(f->adopt); i++)
		f->adopt[i].fd = -1;
	f->now_ns = START;
	w->conn.state = CONN_HEAD;
	w->conn.route = &w->route;
	f->conns = &w->conn;
	doze_begin(f);
	return w;
}

static void unmake(struct world *w)
{
	ev_timer_stop(w->f.loop, &w->f.doze.timer);
	free(w);
}

/* The timer comes, and it is so late. */
static void tick(struct world *w, double after_s)
{
	w->f.now_ns = START + (uint64_t)(after_s * 1e9);
	ev_timer_stop(w->f.loop, &w->f.doze.timer);
	ev_invoke(w->f.loop, &w->f.doze.timer, EV_TIMER);
}

static double armed_s(struct world *w)
{
	return ev_is_active(&w->f.doze.timer) ? ev_timer_remaining(w->f.loop, &w->f.doze.timer)
					      : -1;
}

static void it_says_so_once_nobody_has_come_for_long_enough(_unused_ void **state)
{
	struct world *w = make();

	assert_true(fabs(armed_s(w) - AFTER_S) < 1);
	tick(w, AFTER_S - 1);
	assert_int_equal(said.idle, 0);
	assert_true(fabs(armed_s(w) - 1) < 0.1); /* for what is left, and not from the beginning */
	tick(w, AFTER_S);
	assert_int_equal(said.idle, 1);
	assert_int_equal(said.ms, AFTER_S * 1000);
	/* the emperor may have other plans, and is asked again */
	assert_true(fabs(armed_s(w) - 1) < 0.1);
	tick(w, AFTER_S + 1);
	assert_int_equal(said.idle, 2);
	unmake(w);
}

static void what_happens_begins_the_time_anew(_unused_ void **state)
{
	static const struct {
		bool requests, connections;
		unsigned jobs, queued;
		bool active;
	} rows[] = {
		{false, false, 0, 0, false}, {true, false, 0, 0, true}, {false, true, 0, 0, true},
		{false, false, 1, 0, true}, /* in work all the time, though nothing new comes */
		{false, false, 0, 1, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = make();

		board_add(&w->bank.counters.requests, rows[i].requests);
		board_add(&w->bank.counters.connections, rows[i].connections);
		w->f.jobs_n = rows[i].jobs;
		w->f.queued_n = rows[i].queued;
		w->f.now_ns = START + 50 * NS_PER_S;
		doze_note(&w->f);
		w->f.jobs_n = w->f.queued_n = 0;
		doze_note(&w->f);
		tick(w, AFTER_S);
		assert_int_equal(said.idle, !rows[i].active);
		tick(w, 50 + AFTER_S);
		assert_int_equal(said.idle, 1 + !rows[i].active);
		unmake(w);
	}
}

enum obstacle {
	NONE,
	NO_CONNECTION,
	A_JOB,
	A_QUEUE,
	NOT_SERVING,
	DRAINING,
	TASKS,
	ADOPTS,
	OWN_CONNECTION,
	NO_GATE,
	NO_GATE_NO_CONNECTION,
	IN_BODY,
	UNPARSED,
	AT_ITS_END,
	SECOND_BUSY,
	OBSTACLES,
};

static void put(struct world *w, enum obstacle o, struct conn *second)
{
	struct front *f = &w->f;

	switch (o) {
	case NONE:
	case OBSTACLES:
		break;
	case NO_CONNECTION:
		f->conns = NULL;
		break;
	case A_JOB:
		f->jobs_n = 1;
		break;
	case A_QUEUE:
		f->queued_n = 1;
		break;
	case NOT_SERVING:
		f->phase = PHASE_READY;
		break;
	case DRAINING:
		f->phase = PHASE_DRAINING;
		break;
	case TASKS:
		f->tasks = (struct tasks *)w; /* never looked into */
		break;
	case ADOPTS:
		f->adopt[LIMIT_BANKS - 1].fd = 9;
		break;
	case OWN_CONNECTION:
		w->conn.route = NULL;
		break;
	case NO_GATE:
		f->gate.fd = -1;
		break;
	case NO_GATE_NO_CONNECTION:
		f->gate.fd = -1;
		f->conns = NULL;
		break;
	case IN_BODY:
		w->conn.state = CONN_BODY;
		break;
	case UNPARSED:
		w->conn.in.n = 1;
		break;
	case AT_ITS_END:
		w->conn.eof = true;
		break;
	case SECOND_BUSY:
		*second = w->conn;
		second->state = CONN_FLUSH;
		w->conn.next = second;
		break;
	}
}

static void only_what_disturbs_nobody_is_called_idle(_unused_ void **state)
{
	for (enum obstacle o = NONE; o < OBSTACLES; o++) {
		bool goes = o == NONE || o == NO_CONNECTION || o == NO_GATE_NO_CONNECTION;
		struct world *w = make();
		struct conn second;

		put(w, o, &second);
		tick(w, AFTER_S);
		assert_int_equal(said.idle, goes);
		/* the emperor has let it sleep: the same is looked at again */
		doze_go(&w->f);
		assert_int_equal(said.asleep, goes);
		assert_int_equal(said.drained, goes);
		unmake(w);
	}
}

static void whoever_came_meanwhile_keeps_it_awake(_unused_ void **state)
{
	struct world *w = make();

	tick(w, AFTER_S);
	assert_int_equal(said.idle, 1);
	w->f.jobs_n = 1;
	doze_go(&w->f);
	assert_int_equal(said.asleep + said.drained, 0);
	w->f.jobs_n = 0;
	doze_go(&w->f);
	assert_int_equal(said.asleep, 1);
	assert_int_equal(said.ms, AFTER_S * 1000);
	unmake(w);
}

static void without_the_option_or_an_emperor_no_timer_runs(_unused_ void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world *w = make();

		ev_timer_stop(w->f.loop, &w->f.doze.timer);
		w->config.sleep_after_s = i ? AFTER_S : 0;
		w->f.alone = i;
		doze_begin(&w->f);
		assert_false(ev_is_active(&w->f.doze.timer));
		doze_configured(&w->f);
		assert_false(ev_is_active(&w->f.doze.timer));
		unmake(w);
	}
}

static void a_changed_time_counts_from_what_was_done_last(_unused_ void **state)
{
	struct world *w = make();

	w->config.sleep_after_s = 5;
	doze_configured(&w->f);
	assert_true(armed_s(w) < 2);
	tick(w, 6);
	assert_int_equal(said.idle, 1);
	/* and taken away: the timer that still comes says nothing, and is the last */
	w->config.sleep_after_s = 0;
	tick(w, 7);
	assert_int_equal(said.idle, 1);
	assert_true(armed_s(w) < 0);
	unmake(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_so_once_nobody_has_come_for_long_enough),
		cmocka_unit_test(what_happens_begins_the_time_anew),
		cmocka_unit_test(only_what_disturbs_nobody_is_called_idle),
		cmocka_unit_test(whoever_came_meanwhile_keeps_it_awake),
		cmocka_unit_test(without_the_option_or_an_emperor_no_timer_runs),
		cmocka_unit_test(a_changed_time_counts_from_what_was_done_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
