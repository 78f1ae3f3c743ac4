/*
 * test_budget - who gives memory back, in which order and how often; how many workers a start is given.
 */
#include "emperor/vassals/budget.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "shared/clock.h"

#define MB   (1024 * 1024ULL)
#define S(n) ((n)*NS_PER_S)

static struct budget_action decide(struct budget *b, const struct budget_app *apps, size_t n,
				   uint64_t limit, unsigned at_s)
{
	return budget_decide(b, apps, n, limit, S(1000 + at_s));
}

static void below_the_budget_nobody_is_touched(void **state)
{
	const struct budget_app apps[] = {
		{.memory = 50 * MB, .idle_ns = S(9999), .may_sleep = true, .fat = 40 * MB},
		{.memory = 50 * MB, .idle_ns = S(9999), .may_sleep = true, .fat = 40 * MB},
	};
	struct budget b = {0};
	struct budget_action a = decide(&b, apps, 2, 100 * MB, 0);

	(void)state;
	assert_int_equal(a.kind, BUDGET_REST);
	assert_int_equal(a.total, 100 * MB);
	assert_int_equal(decide(&b, apps, 2, 0, 0).kind, BUDGET_REST); /* no budget at all */
	assert_int_equal(decide(&b, apps, 0, 100 * MB, 0).kind, BUDGET_REST);
}

static void whom_it_chooses(void **state)
{
	static const struct {
		struct budget_app apps[3];
		enum budget_kind kind;
		size_t app;
	} cases[] = {
		/* the one idle for longest, not the fattest */
		{{{.memory = 90 * MB, .idle_ns = S(20), .may_sleep = true, .fat = 80 * MB},
		  {.memory = 30 * MB, .idle_ns = S(300), .may_sleep = true, .fat = 20 * MB},
		  {.memory = 30 * MB, .idle_ns = S(299), .may_sleep = true}},
		 BUDGET_SLEEP,
		 1},
		/* who may not sleep does not, however idle; nor who was asked something just now */
		{{{.memory = 90 * MB, .idle_ns = S(9999), .fat = 10 * MB},
		  {.memory = 30 * MB, .idle_ns = S(9), .may_sleep = true, .fat = 20 * MB},
		  {.memory = 30 * MB, .idle_ns = 0}},
		 BUDGET_RENEW,
		 1},
		{{{.memory = 90 * MB, .fat = 10 * MB},
		  {.memory = 90 * MB, .fat = 12 * MB},
		  {.memory = 90 * MB, .fat = 12 * MB}},
		 BUDGET_RENEW,
		 1},
		/* a worker was replaced there a moment ago */
		{{{.memory = 90 * MB, .fat = 10 * MB},
		  {.memory = 90 * MB, .fat = 12 * MB, .renewed_ns = S(990)},
		  {.memory = 90 * MB, .fat = 0}},
		 BUDGET_RENEW,
		 0},
		{{{.memory = 90 * MB}, {.memory = 90 * MB}, {.memory = 90 * MB}},
		 BUDGET_HELPLESS,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct budget b = {0};
		struct budget_action a = decide(&b, cases[i].apps, 3, 100 * MB, 0);

		assert_int_equal(a.kind, cases[i].kind);
		if (a.kind != BUDGET_HELPLESS)
			assert_int_equal(a.app, cases[i].app);
	}
}

static void each_step_must_show_before_the_next(void **state)
{
	const struct budget_app apps[] = {
		{.memory = 90 * MB, .idle_ns = S(20), .may_sleep = true},
		{.memory = 90 * MB, .idle_ns = S(30), .may_sleep = true},
	};
	struct budget b = {0};

	(void)state;
	assert_int_equal(decide(&b, apps, 2, 100 * MB, 0).kind, BUDGET_SLEEP);
	assert_int_equal(decide(&b, apps, 2, 100 * MB, BUDGET_STEP_S - 1).kind, BUDGET_REST);
	assert_int_equal(decide(&b, apps, 2, 100 * MB, BUDGET_STEP_S).kind, BUDGET_SLEEP);
}

/* Its front does not sleep while somebody keeps a connection to it: the others must not wait for that. */
static void who_was_let_sleep_and_did_not_is_passed_over(void **state)
{
	const struct budget_app apps[] = {
		{.memory = 90 * MB, .idle_ns = S(20), .may_sleep = true},
		{.memory = 90 * MB, .idle_ns = S(30), .may_sleep = true, .asked_ns = S(1000)},
		{.memory = 90 * MB, .fat = 80 * MB},
	};
	struct budget b = {0};
	struct budget_action a = decide(&b, apps, 3, 100 * MB, BUDGET_STEP_S);

	(void)state;
	assert_int_equal(a.kind, BUDGET_SLEEP);
	assert_int_equal(a.app, 0);
	a = decide(&b, apps + 1, 2, 100 * MB, 2 * BUDGET_STEP_S);
	assert_int_equal(a.kind, BUDGET_RENEW);
	assert_int_equal(a.app, 1);
	a = decide(&b, apps + 1, 2, 100 * MB, BUDGET_ASK_S);
	assert_int_equal(a.kind, BUDGET_SLEEP);
	assert_int_equal(a.app, 0);
}

static void once_over_it_goes_on_until_a_tenth_is_free(void **state)
{
	struct budget_app app = {.memory = 101 * MB, .idle_ns = S(20), .may_sleep = true};
	struct budget b = {0};

	(void)state;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 0).kind, BUDGET_SLEEP);
	app.memory = 91 * MB;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 10).kind, BUDGET_SLEEP);
	app.memory = 90 * MB;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 20).kind, BUDGET_REST);
	app.memory = 99 * MB;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 30).kind, BUDGET_REST);
}

static void that_nobody_can_give_is_said_once(void **state)
{
	struct budget_app app = {.memory = 101 * MB};
	struct budget b = {0};

	(void)state;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 0).kind, BUDGET_HELPLESS);
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 1).kind, BUDGET_REST);
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 100).kind, BUDGET_REST);
	app.memory = 10 * MB;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 101).kind, BUDGET_REST);
	app.memory = 101 * MB;
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 102).kind, BUDGET_HELPLESS);
}

static void stalls_count_below_the_budget_and_are_forgotten(void **state)
{
	const struct budget_app app = {.memory = 1 * MB, .idle_ns = S(20), .may_sleep = true};
	struct budget b = {0};

	(void)state;
	budget_stalled(&b, S(1000));
	assert_int_equal(decide(&b, &app, 1, 100 * MB, 1).kind, BUDGET_SLEEP);
	assert_int_equal(decide(&b, &app, 1, 0, BUDGET_STALL_S + BUDGET_STEP_S).kind, BUDGET_REST);
}

static void a_start_gets_what_is_left_and_never_nothing(void **state)
{
	static const struct {
		unsigned most, used, wanted, granted;
	} cases[] = {
		{0, 1000, 8, 8}, {10, 0, 8, 8},  {10, 2, 8, 8},  {10, 3, 8, 7},
		{10, 9, 8, 1},   {10, 10, 8, 1}, {10, 50, 8, 1}, {10, 9, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(budget_grant(cases[i].most, cases[i].used, cases[i].wanted),
				 cases[i].granted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_the_budget_nobody_is_touched),
		cmocka_unit_test(whom_it_chooses),
		cmocka_unit_test(each_step_must_show_before_the_next),
		cmocka_unit_test(who_was_let_sleep_and_did_not_is_passed_over),
		cmocka_unit_test(once_over_it_goes_on_until_a_tenth_is_free),
		cmocka_unit_test(that_nobody_can_give_is_said_once),
		cmocka_unit_test(stalls_count_below_the_budget_and_are_forgotten),
		cmocka_unit_test(a_start_gets_what_is_left_and_never_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
