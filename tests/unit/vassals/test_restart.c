/*
 * test_restart - when the next generation comes, and who waits for it: each kind of end, in a row.
 */
#include "emperor/vassals/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/base.h"
#include "shared/limits.h"

#define NOW (1000 * NS_PER_S)

enum end {
	DIES,    /* young, having served */
	ASKED,   /* the same, but in order */
	OLD,     /* dies after a healthy run */
	UNREADY, /* never gets ready */
	CHANGE,  /* its ini */
	END_COUNT,
};

/* One that is tried; true: the next one at once. */
static bool happen(struct restart *r, enum end end)
{
	bool healthy = end == OLD;

	if (end == CHANGE) {
		restart_reset(r);
		return true;
	}
	if (end == UNREADY) {
		restart_unready(r);
		return false;
	}
	restart_served(r);
	return restart_lost(r, end == ASKED, NOW - (healthy ? BACKOFF_HEALTHY_NS : NS_PER_S), NOW);
}

static void each_end_has_its_consequence(void **state)
{
	static const struct {
		enum end ends[8];
		unsigned n;
		bool at_once, refuses;
		unsigned failures;
	} cases[] = {
		{{DIES}, 1, true, false, 1},
		{{DIES, DIES}, 2, false, false, 2},
		{{DIES, DIES, DIES}, 3, false, false, 3},
		{{DIES, DIES, DIES, DIES}, 4, false, true, 4},
		{{DIES, DIES, DIES, DIES, OLD}, 5, true, false, 0},
		{{DIES, DIES, OLD, DIES}, 4, true, false, 1},
		{{DIES, DIES, DIES, DIES, CHANGE, DIES}, 6, true, false, 1},
		{{UNREADY}, 1, false, true, 1},
		{{UNREADY, CHANGE}, 2, true, false, 0},
		{{DIES, UNREADY}, 2, false, true, 2},
		{{UNREADY, DIES}, 2, false, false, 2}, /* it has got ready since */
		{{OLD}, 1, true, false, 0},
		{{OLD, OLD, OLD, OLD, OLD, OLD}, 6, true, false, 0},
		{{ASKED}, 1, true, false, 0},
		{{ASKED, ASKED, ASKED, ASKED, ASKED}, 5, true, false, 0},
		{{ASKED, ASKED, ASKED, ASKED, ASKED, ASKED, ASKED}, 7, false, false, 2},
		{{ASKED, ASKED, ASKED, ASKED, ASKED, OLD, ASKED}, 7, true, false, 0},
		{{DIES, ASKED}, 2, true, false, 1},
	};

	(void)state;
	_Static_assert(LIMIT_RESTARTS_HELD == 3 && LIMIT_RESTARTS_ASKED == 5, "as in the table");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct restart r = {0};
		bool at_once = false;

		for (unsigned k = 0; k < cases[i].n; k++)
			at_once = happen(&r, cases[i].ends[k]);
		if (at_once != cases[i].at_once || restart_refuses(&r) != cases[i].refuses ||
		    r.failures != cases[i].failures)
			fail_msg("case %zu: at once %d, refuses %d, failures %u", i, at_once,
				 restart_refuses(&r), r.failures);
	}
}

/* Whoever waits does so for this long, and a start each time. */
static void the_waits_with_clients_at_the_door_are_two_seconds_together(void **state)
{
	struct restart r = {0};
	uint64_t waited = 0;

	(void)state;
	while (!restart_refuses(&r)) {
		restart_served(&r);
		if (!restart_lost(&r, false, NOW, NOW + 1)) {
			uint64_t wait = restart_wait(&r, NOW, UINT32_MAX) - NOW;

			waited += restart_refuses(&r) ? 0 : wait;
		}
	}
	assert_in_range(waited, NS_PER_S, 2 * NS_PER_S);
	/* and those that follow double up to the maximum */
	for (int i = 0; i < 20; i++)
		(void)restart_wait(&r, NOW, 0);
	assert_true(restart_wait(&r, NOW, UINT32_MAX) - NOW == BACKOFF_MAX_NS);
}

static void a_row_of_young_ends_is_a_loop_in_whatever_order(void **state)
{
	(void)state;
	for (unsigned mask = 0; mask < 1U << 12; mask++) {
		struct restart r = {0};

		for (unsigned i = 0; i < 12; i++)
			(void)happen(&r, mask >> i & 1 ? DIES : ASKED);
		assert_int_equal(r.failures + r.asked, 12);
		assert_true(r.asked <= LIMIT_RESTARTS_ASKED);
		assert_true(restart_refuses(&r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_has_its_consequence),
		cmocka_unit_test(the_waits_with_clients_at_the_door_are_two_seconds_together),
		cmocka_unit_test(a_row_of_young_ends_is_a_loop_in_whatever_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
