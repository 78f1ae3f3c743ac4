/* pace: who is too slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "vassal/front/pace.h"

static void a_peer_has_a_grace_and_then_must_keep_the_rate(void **state)
{
	static const struct {
		uint64_t bytes, elapsed_ms, grace_ms, rate;
		bool slow;
	} cases[] = {
		{0, 1000, 1000, 500, false}, /* the grace is whole */
		{0, 1010, 1000, 500, true},
		{4, 1010, 1000, 500, true},
		{5, 1010, 1000, 500, false},
		{499, 2000, 1000, 500, true},
		{500, 2000, 1000, 500, false},
		{499, 2000, 1000, 0, false}, /* no rate is asked for */
		{1, UINT32_MAX, 1000, 0, false},
		{0, 0, 0, 500, false},
		/* a day at a megabyte a second overflows nothing */
		{86400ULL * 1000000 - 1, 86400000, 0, 1000000, true},
		{86400ULL * 1000000, 86400000, 0, 1000000, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pace p = {.begun_ns = 77, .bytes = cases[i].bytes};

		if (pace_is_slow(&p, cases[i].grace_ms * NS_PER_MS, cases[i].rate,
				 77 + cases[i].elapsed_ms * NS_PER_MS) != cases[i].slow)
			fail_msg("case %zu", i);
	}
}

static void time_that_was_ours_is_not_the_peers(void **state)
{
	struct pace p = {.begun_ns = NS_PER_S};

	(void)state;
	assert_true(pace_is_slow(&p, NS_PER_S, 100, 5 * NS_PER_S));
	pace_excuse(&p, 3 * NS_PER_S);
	assert_false(pace_is_slow(&p, NS_PER_S, 100, 5 * NS_PER_S));
	/* more excuse than there was time */
	pace_excuse(&p, 30 * NS_PER_S);
	assert_false(pace_is_slow(&p, NS_PER_S, 100, 5 * NS_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_has_a_grace_and_then_must_keep_the_rate),
		cmocka_unit_test(time_that_was_ours_is_not_the_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
