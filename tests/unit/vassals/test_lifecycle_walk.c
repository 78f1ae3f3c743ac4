/*
 * test_lifecycle_walk - a long random life of apps: what can happen to one happens in any order, and what the table says
 * is done to a model of what an app has. After each step the state must say what is there, and from each place that was
 * reached a stop must end, and a start must serve again.
 */
#include "emperor/vassals/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STEPS 200000
#define SEEDS 8
#define BANKS 4 /* generations that can live at once: more wait in the queue */

/* What an app has, as actions.c, fates.c and launch.c leave it. */
struct model {
	enum app_state state;
	bool serving, candidate;
	bool queued;      /* waits for its turn to start */
	unsigned leaving; /* processes that drain, or were given up */
	bool retry;       /* the back-off's timer runs */
	bool watched;     /* its doors wake it */
	bool on_demand;   /* its ini says so */
	bool awake;       /* somebody has asked for it */
};

/* What may come from outside. */
enum happening {
	INI_COMES, /* is new, or back: on demand, nobody has asked for the app yet */
	COMMAND_START,
	COMMAND_CHANGE,
	COMMAND_STOP,
	EDIT_DEMAND, /* its ini says the other thing from now on: on-demand, or not */
	TURN,        /* it is launched: becomes a candidate, sleeps, or fails */
	TURN_FAILS,
	SAYS_READY,
	SAYS_FAILED,
	CANDIDATE_DIES,
	SERVING_DIES,
	SERVING_DIES_AGAIN,
	SERVING_SLEEPS,
	LEAVING_GONE,
	TIME, /* the back-off is over */
	CONNECTION,
	HAPPENINGS,
};

static uint64_t chance;
static unsigned visits[APP_STATE_COUNT][LIFE_EVENT_COUNT];

static unsigned draw(unsigned n)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (unsigned)(chance % n);
}

static unsigned alive(const struct model *m)
{
	return m->leaving + m->serving + m->candidate;
}

static void expect_sane(const struct model *m)
{
	bool starts = m->candidate || m->queued;
	bool right = false;

	switch (m->state) {
	case APP_STOPPED:
		right = alive(m) == 0 && !m->queued && !m->retry && !m->watched;
		break;
	case APP_STARTING:
		right = !m->serving && starts && !m->retry && !m->watched;
		break;
	case APP_RUNNING:
		right = m->serving && !starts && !m->retry && !m->watched;
		break;
	case APP_REPLACING:
		right = m->serving && starts && !m->retry && !m->watched;
		break;
	case APP_BACKOFF:
		right = !m->serving && !starts && m->retry && !m->watched;
		break;
	case APP_SLEEPING:
		right = !m->serving && !starts && !m->retry && m->watched;
		break;
	case APP_STOPPING:
		right = !m->serving && !starts && !m->retry && !m->watched && m->leaving > 0;
		break;
	case APP_STATE_COUNT:
		break;
	}
	if (!right || (m->candidate && m->queued))
		fail_msg("%s with%s%s%s%s%s, %u leaving", app_state_name(m->state),
			 m->serving ? " serving" : "", m->candidate ? " candidate" : "",
			 m->queued ? " queued" : "", m->retry ? " retry" : "",
			 m->watched ? " watched" : "", m->leaving);
}

static void event(struct model *m, enum life_event e);

static void drop_candidate(struct model *m)
{
	m->leaving += m->candidate;
	m->candidate = m->queued = false;
}

static void act(struct model *m, enum life_action action)
{
	switch (action) {
	case DO_NOTHING:
	case DO_COUNT:
		break;
	case DO_START:
		assert_false(m->candidate);
		m->retry = false;
		m->queued = true;
		break;
	case DO_RESTART:
		if (!m->candidate)
			break;
		drop_candidate(m);
		m->queued = true;
		break;
	case DO_SERVE:
		assert_true(m->candidate && !m->serving);
		m->candidate = false;
		m->serving = true;
		break;
	case DO_SWAP:
		assert_true(m->candidate && m->serving);
		m->candidate = false;
		m->leaving++;
		break;
	case DO_KEEP_OLD:
		assert_true(m->serving);
		break;
	case DO_BACK_OFF:
		m->retry = true;
		break;
	case DO_STOP:
		m->awake = m->retry = false;
		drop_candidate(m);
		m->leaving += m->serving;
		m->serving = false;
		if (alive(m) == 0)
			event(m, LIFE_EMPTY);
		break;
	case DO_CLOSE:
		assert_int_equal(alive(m), 0);
		break;
	case DO_SLEEP:
		m->awake = false;
		m->watched = true;
		break;
	case DO_CHECK:
		assert_true(m->watched);
		if (m->on_demand)
			break;
		m->awake = true;
		event(m, LIFE_START);
		break;
	}
}

/* What can happen is in the table: refusing it would leave the app as it was while the world has moved on. */
static void event(struct model *m, enum life_event e)
{
	const struct life_step *s = lifecycle_next(m->state, e);

	if (!s)
		fail_msg("\"%s\" happens to an app that is %s, and is refused",
			 lifecycle_event_name(e), app_state_name(m->state));
	visits[m->state][e]++;
	if (m->state == APP_SLEEPING && s->to != APP_SLEEPING)
		m->watched = false;
	m->state = s->to;
	act(m, s->action);
}

static void one_is_gone(struct model *m)
{
	if (alive(m) == 0)
		event(m, LIFE_EMPTY);
}

static void launch(struct model *m, bool fails)
{
	m->queued = false;
	if (fails)
		event(m, LIFE_FAILED);
	else if (m->on_demand && !m->awake && !m->serving)
		event(m, LIFE_ASLEEP);
	else
		m->candidate = true;
}

/* Only of a generation that serves beside none that starts does the emperor allow it. */
static void fall_asleep(struct model *m)
{
	m->serving = false;
	m->leaving++;
	event(m, LIFE_ASLEEP);
}

static void serving_ends(struct model *m, bool process_too, enum life_event e)
{
	m->serving = false;
	m->leaving += !process_too;
	event(m, e);
	if (process_too)
		one_is_gone(m);
}

static void candidate_fails(struct model *m, bool process_too)
{
	bool serving = m->serving;

	m->candidate = false;
	m->leaving += !process_too;
	event(m, LIFE_FAILED);
	/* whoever served goes on, and the app is what it was before */
	assert_int_equal(m->serving, serving);
	assert_int_equal(m->state, serving ? APP_RUNNING : APP_BACKOFF);
	if (process_too)
		one_is_gone(m);
}

/* False: that cannot happen to an app which has what this one has. */
static bool happen(struct model *m, enum happening h)
{
	bool can = true;

	switch (h) {
	case INI_COMES:
		event(m, LIFE_START);
		break;
	case COMMAND_START:
		m->awake = true;
		event(m, LIFE_START);
		break;
	case COMMAND_CHANGE:
		event(m, LIFE_CHANGE);
		break;
	case COMMAND_STOP:
		event(m, LIFE_STOP);
		break;
	case EDIT_DEMAND:
		m->on_demand = !m->on_demand;
		event(m, LIFE_CHANGE);
		break;
	case TURN:
	case TURN_FAILS:
		can = m->queued && alive(m) < BANKS;
		if (can)
			launch(m, h == TURN_FAILS);
		break;
	case SAYS_READY:
		can = m->candidate;
		if (can)
			event(m, LIFE_READY);
		break;
	case SAYS_FAILED:
	case CANDIDATE_DIES:
		can = m->candidate;
		if (can)
			candidate_fails(m, h == CANDIDATE_DIES);
		break;
	case SERVING_DIES:
	case SERVING_DIES_AGAIN:
		can = m->serving;
		if (can)
			serving_ends(m, draw(2), h == SERVING_DIES ? LIFE_LOST : LIFE_LOST_AGAIN);
		break;
	case SERVING_SLEEPS:
		can = m->serving;
		if (can)
			fall_asleep(m);
		break;
	case LEAVING_GONE:
		can = m->leaving > 0;
		if (can) {
			m->leaving--;
			one_is_gone(m);
		}
		break;
	case TIME:
		can = m->retry;
		m->retry = false;
		if (can)
			event(m, LIFE_RETRY);
		break;
	case CONNECTION:
		can = m->watched;
		if (can) {
			m->awake = true;
			event(m, LIFE_WAKE);
		}
		break;
	case HAPPENINGS:
		break;
	}
	return can;
}

/* Whatever it was doing: stopped, it has ended once its processes have. */
static void expect_stops(struct model m)
{
	(void)happen(&m, COMMAND_STOP);
	assert_false(m.serving || m.candidate || m.queued || m.watched || m.retry);
	while (m.leaving > 0)
		(void)happen(&m, LEAVING_GONE);
	assert_int_equal(m.state, APP_STOPPED);
}

/* Whatever it was doing: where nothing fails any more, a start has it serve. */
static void expect_serves(struct model m)
{
	(void)happen(&m, COMMAND_START);
	for (unsigned i = 0; i < 2 * BANKS && m.state != APP_RUNNING; i++) {
		while (m.leaving > 0)
			(void)happen(&m, LEAVING_GONE);
		if (!happen(&m, SAYS_READY))
			(void)happen(&m, TURN);
	}
	assert_int_equal(m.state, APP_RUNNING);
	expect_sane(&m);
}

static void no_life_leads_into_a_trap(_unused_ void **state)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct model m = {.state = APP_STOPPED};

		chance = seed * 0x9e3779b97f4a7c15;
		for (unsigned i = 0; i < STEPS; i++) {
			if (!happen(&m, draw(HAPPENINGS)))
				continue;
			expect_sane(&m);
			expect_stops(m);
			expect_serves(m);
		}
	}
}

/* Else the walk would prove little, or the table would hold what never happens. */
static void the_walk_has_been_in_every_cell_that_is_not_refused(_unused_ void **state)
{
	for (unsigned s = 0; s < APP_STATE_COUNT; s++)
		for (unsigned e = 0; e < LIFE_EVENT_COUNT; e++) {
			bool known = lifecycle_next((enum app_state)s, (enum life_event)e);

			if (known != (visits[s][e] > 0))
				fail_msg("%s + %s: %s, and %u times seen", app_state_name(s),
					 lifecycle_event_name(e), known ? "known" : "refused",
					 visits[s][e]);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_life_leads_into_a_trap),
		cmocka_unit_test(the_walk_has_been_in_every_cell_that_is_not_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
