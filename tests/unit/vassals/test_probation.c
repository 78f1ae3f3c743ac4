/*
 * test_probation - one error decides nothing, an app that always failed is not made worse, and one that fails is caught.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "emperor/vassals/probation.h"

#define SPAN 30

static void the_verdict_is_that_of_both_rates(void **state)
{
	static const struct {
		struct probation_count old, now;
		unsigned age;
		enum probation_verdict verdict;
	} cases[] = {
		/* nothing has been asked */
		{{1000, 0}, {0, 0}, 0, PROBATION_WAIT},
		{{1000, 0}, {0, 0}, SPAN - 1, PROBATION_WAIT},
		{{1000, 0}, {0, 0}, SPAN, PROBATION_PASSED},
		/* too little to say */
		{{1000, 0}, {1, 1}, 1, PROBATION_WAIT},
		{{1000, 0}, {PROBATION_REQUESTS - 1, PROBATION_REQUESTS - 1}, 1, PROBATION_WAIT},
		{{1000, 0},
		 {PROBATION_REQUESTS - 1, PROBATION_REQUESTS - 1},
		 SPAN,
		 PROBATION_PASSED},
		{{1000, 0}, {PROBATION_REQUESTS, PROBATION_ERRORS - 1}, 1, PROBATION_WAIT},
		/* enough */
		{{1000, 0}, {PROBATION_REQUESTS, PROBATION_ERRORS}, 1, PROBATION_FAILED},
		{{1000, 0}, {PROBATION_REQUESTS, PROBATION_REQUESTS}, SPAN, PROBATION_FAILED},
		/* the old one was no better, or hardly */
		{{1000, 1000}, {100, 100}, 1, PROBATION_WAIT},
		{{1000, 250}, {100, 25}, SPAN, PROBATION_PASSED},
		{{1000, 250}, {100, 30}, SPAN, PROBATION_PASSED},
		{{1000, 250}, {100, 31}, 1, PROBATION_FAILED},
		/* noise of a large site */
		{{1000000, 100}, {10000, 500}, SPAN, PROBATION_PASSED},
		{{1000000, 100}, {10000, 502}, 1, PROBATION_FAILED},
		/* an old one that served nothing, or too little to be known */
		{{0, 0}, {100, 6}, 1, PROBATION_FAILED},
		{{PROBATION_REQUESTS - 1, PROBATION_REQUESTS - 1}, {100, 6}, 1, PROBATION_FAILED},
		/* counters are the app's claim */
		{{UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX}, 1, PROBATION_FAILED},
		{{UINT64_MAX, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}, 1, PROBATION_WAIT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (probation_judge(&cases[i].old, &cases[i].now, cases[i].age, SPAN) !=
		    cases[i].verdict)
			fail_msg("case %zu", i);
}

static void counters_that_run_backwards_count_as_nothing(void **state)
{
	const struct probation_count then = {100, 10}, less = {50, 5}, more = {130, 12},
				     odd = {100, 15};
	struct probation_count c = probation_since(&then, &less);

	(void)state;
	assert_int_equal(c.requests, 0);
	assert_int_equal(c.errors, 0);
	c = probation_since(&then, &more);
	assert_int_equal(c.requests, 30);
	assert_int_equal(c.errors, 2);
	c = probation_since(&then, &odd);
	assert_int_equal(c.requests, 5);
	assert_int_equal(c.errors, 5);
}

static void one_that_ended_longer_ago_than_it_lasted_is_not_judged_any_more(void **state)
{
	static const struct {
		uint64_t age, span;
		bool goes_on;
	} cases[] = {
		{0, 30, true},   {30, 30, true}, {59, 30, true},          {60, 30, false},
		{61, 30, false}, {0, 0, false},  {UINT64_MAX, 30, false}, {1, UINT64_MAX, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (probation_goes_on(cases[i].age, cases[i].span) != cases[i].goes_on)
			fail_msg("case %zu", i);
}

static void the_reason_has_both_counts(void **state)
{
	const struct probation_count old = {8124, 3}, now = {60, 12};
	char text[160];

	(void)state;
	assert_string_equal(probation_text(&old, &now, text, sizeof(text)),
			    "12 of its first 60 requests failed; of 8124 before, 3 did");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_is_that_of_both_rates),
		cmocka_unit_test(counters_that_run_backwards_count_as_nothing),
		cmocka_unit_test(one_that_ended_longer_ago_than_it_lasted_is_not_judged_any_more),
		cmocka_unit_test(the_reason_has_both_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
