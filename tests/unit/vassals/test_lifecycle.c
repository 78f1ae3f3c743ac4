/*
 * test_lifecycle - every cell of states x events: where it leads and what is done, or that it cannot happen.
 */
#include "emperor/vassals/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* clang-format off */
#define NO { -1, 0 }
struct cell {
	int to, action;
};

static const struct cell cells[APP_STATE_COUNT][LIFE_EVENT_COUNT] = {
	[APP_STOPPED] = {
		[LIFE_START]  = { APP_STARTING, DO_START },	[LIFE_CHANGE]     = { APP_STOPPED, DO_NOTHING },
		[LIFE_STOP]   = { APP_STOPPED, DO_CLOSE },	[LIFE_READY]      = NO,
		[LIFE_FAILED] = NO,				[LIFE_LOST]       = NO,
		[LIFE_LOST_AGAIN] = NO,				[LIFE_RETRY]      = NO,
		[LIFE_EMPTY]  = NO,
		[LIFE_ASLEEP] = NO,
		[LIFE_WAKE] = NO,
	},
	[APP_STARTING] = {
		[LIFE_START]  = { APP_STARTING, DO_NOTHING },	[LIFE_CHANGE]     = { APP_STARTING, DO_RESTART },
		[LIFE_STOP]   = { APP_STOPPING, DO_STOP },	[LIFE_READY]      = { APP_RUNNING, DO_SERVE },
		[LIFE_FAILED] = { APP_BACKOFF, DO_BACK_OFF },	[LIFE_LOST]       = NO,
		[LIFE_LOST_AGAIN] = NO,				[LIFE_RETRY]      = NO,
		[LIFE_EMPTY]  = { APP_STARTING, DO_NOTHING },
		[LIFE_ASLEEP] = { APP_SLEEPING, DO_SLEEP },
		[LIFE_WAKE] = NO,
	},
	[APP_RUNNING] = {
		[LIFE_START]  = { APP_RUNNING, DO_NOTHING },	[LIFE_CHANGE]     = { APP_REPLACING, DO_START },
		[LIFE_STOP]   = { APP_STOPPING, DO_STOP },	[LIFE_READY]      = NO,
		[LIFE_FAILED] = NO,				[LIFE_LOST]       = { APP_STARTING, DO_START },
		[LIFE_LOST_AGAIN] = { APP_BACKOFF, DO_BACK_OFF }, [LIFE_RETRY]    = NO,
		[LIFE_EMPTY]  = NO,
		[LIFE_ASLEEP] = { APP_SLEEPING, DO_SLEEP },
		[LIFE_WAKE] = NO,
	},
	[APP_REPLACING] = {
		[LIFE_START]  = { APP_REPLACING, DO_NOTHING },	[LIFE_CHANGE]     = { APP_REPLACING, DO_RESTART },
		[LIFE_STOP]   = { APP_STOPPING, DO_STOP },	[LIFE_READY]      = { APP_RUNNING, DO_SWAP },
		[LIFE_FAILED] = { APP_RUNNING, DO_KEEP_OLD },	[LIFE_LOST]       = { APP_STARTING, DO_NOTHING },
		[LIFE_LOST_AGAIN] = { APP_STARTING, DO_NOTHING }, [LIFE_RETRY]    = NO,
		[LIFE_EMPTY]  = NO,
		[LIFE_ASLEEP] = { APP_STARTING, DO_NOTHING },
		[LIFE_WAKE] = NO,
	},
	[APP_BACKOFF] = {
		[LIFE_START]  = { APP_STARTING, DO_START },	[LIFE_CHANGE]     = { APP_STARTING, DO_START },
		[LIFE_STOP]   = { APP_STOPPING, DO_STOP },	[LIFE_READY]      = NO,
		[LIFE_FAILED] = NO,				[LIFE_LOST]       = NO,
		[LIFE_LOST_AGAIN] = NO,				[LIFE_RETRY]      = { APP_STARTING, DO_START },
		[LIFE_EMPTY]  = { APP_BACKOFF, DO_NOTHING },
		[LIFE_ASLEEP] = NO,
		[LIFE_WAKE] = NO,
	},
	[APP_SLEEPING] = {
		[LIFE_START]  = { APP_STARTING, DO_START },	[LIFE_CHANGE]     = { APP_SLEEPING, DO_CHECK },
		[LIFE_STOP]   = { APP_STOPPING, DO_STOP },	[LIFE_READY]      = NO,
		[LIFE_FAILED] = NO,				[LIFE_LOST]       = NO,
		[LIFE_LOST_AGAIN] = NO,				[LIFE_RETRY]      = NO,
		[LIFE_EMPTY]  = { APP_SLEEPING, DO_NOTHING },
		[LIFE_ASLEEP] = NO,
		[LIFE_WAKE]   = { APP_STARTING, DO_START },
	},
	[APP_STOPPING] = {
		[LIFE_START]  = { APP_STARTING, DO_START },	[LIFE_CHANGE]     = { APP_STOPPING, DO_NOTHING },
		[LIFE_STOP]   = { APP_STOPPING, DO_NOTHING },	[LIFE_READY]      = NO,
		[LIFE_FAILED] = NO,				[LIFE_LOST]       = NO,
		[LIFE_LOST_AGAIN] = NO,				[LIFE_RETRY]      = NO,
		[LIFE_EMPTY]  = { APP_STOPPED, DO_CLOSE },
		[LIFE_ASLEEP] = NO,
		[LIFE_WAKE] = NO,
	},
};
/* clang-format on */

static void every_cell_is_as_written(void **state)
{
	(void)state;
	for (unsigned from = 0; from < APP_STATE_COUNT; from++)
		for (unsigned event = 0; event < LIFE_EVENT_COUNT; event++) {
			const struct life_step *s =
				lifecycle_next((enum app_state)from, (enum life_event)event);
			const struct cell *want = &cells[from][event];
			int to = s ? (int)s->to : -1;
			int action = s ? (int)s->action : 0;

			if (to != want->to || action != want->action)
				fail_msg("%s + %s: to %d by %d, expected %d by %d",
					 app_state_name(from), lifecycle_event_name(event), to,
					 action, want->to, want->action);
		}
}

static void nonsense_cannot_happen(void **state)
{
	(void)state;
	assert_null(lifecycle_next(APP_STATE_COUNT, LIFE_START));
	assert_null(lifecycle_next(APP_RUNNING, LIFE_EVENT_COUNT));
	assert_string_equal(lifecycle_event_name(LIFE_EVENT_COUNT), "?");
	assert_string_equal(app_state_name(APP_STATE_COUNT), "?");
}

/* Whatever happens, no state is a trap: STOP leads to STOPPED from everywhere that can be reached. */
static void every_state_can_be_stopped(void **state)
{
	(void)state;
	for (unsigned from = 0; from < APP_STATE_COUNT; from++) {
		const struct life_step *s = lifecycle_next((enum app_state)from, LIFE_STOP);

		assert_non_null(s);
		if (s->to == APP_STOPPING) {
			s = lifecycle_next(APP_STOPPING, LIFE_EMPTY);
			assert_non_null(s);
		}
		assert_int_equal(s->to, APP_STOPPED);
		assert_int_equal(s->action, s->from == APP_STOPPED || s->event == LIFE_EMPTY
						    ? DO_CLOSE
						    : DO_STOP);
	}
}

static void a_failed_candidate_never_takes_a_serving_app_down(void **state)
{
	const struct life_step *s = lifecycle_next(APP_REPLACING, LIFE_FAILED);

	(void)state;
	assert_int_equal(s->to, APP_RUNNING);
	assert_int_equal(s->action, DO_KEEP_OLD);
}

static void an_app_that_sleeps_starts_only_for_a_connection_or_a_command(void **state)
{
	(void)state;
	for (unsigned event = 0; event < LIFE_EVENT_COUNT; event++) {
		const struct life_step *s = lifecycle_next(APP_SLEEPING, (enum life_event)event);
		bool asked = event == LIFE_WAKE || event == LIFE_START;

		assert_int_equal(s && s->action == DO_START, asked);
	}
}

static void every_state_and_event_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < APP_STATE_COUNT; i++)
		assert_string_not_equal(app_state_name(i), "?");
	for (unsigned i = 0; i < LIFE_EVENT_COUNT; i++)
		assert_string_not_equal(lifecycle_event_name(i), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_written),
		cmocka_unit_test(nonsense_cannot_happen),
		cmocka_unit_test(every_state_can_be_stopped),
		cmocka_unit_test(a_failed_candidate_never_takes_a_serving_app_down),
		cmocka_unit_test(an_app_that_sleeps_starts_only_for_a_connection_or_a_command),
		cmocka_unit_test(every_state_and_event_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
