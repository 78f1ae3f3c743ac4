/* start: what a proxy's X-Request-Start means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/limits.h"
#include "vassal/front/start.h"

#define NOW_NS (1700000000ULL * NS_PER_S)

static void every_form_that_proxies_write_is_understood(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* after 1700000000; UINT64_MAX: refused */
	} cases[] = {
		{"t=1700000000.123", 123000000},
		{"1700000000.5", 500000000},
		{"1700000000", 0},
		{"t=1700000000", 0},
		{"1700000000123", 123000000},
		{"t=1700000000123", 123000000},
		{"1700000000123456", 123456000},
		{"t=1700000000123456", 123456000},
		{" t=1700000000.000000001 ", 1},
		{"1700000000.1234567891", UINT64_MAX},
		{"1700000000.", UINT64_MAX},
		{"1700000000.1x", UINT64_MAX},
		{"1700000000123.5", UINT64_MAX},
		{"17000000001", UINT64_MAX},
		{"170000000", UINT64_MAX},
		{"17000000001234567", UINT64_MAX},
		{"99999999999999999999999999", UINT64_MAX},
		{"-1700000000", UINT64_MAX},
		{"t=", UINT64_MAX},
		{"t", UINT64_MAX},
		{"", UINT64_MAX},
		{"now", UINT64_MAX},
		{"1700000000, 1700000001", UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 0;
		bool ok = start_parse(span_str(cases[i].text), &ns);

		if (ok != (cases[i].ns != UINT64_MAX) || (ok && ns != NOW_NS + cases[i].ns))
			fail_msg("\"%s\": %d, %llu", cases[i].text, ok, (unsigned long long)ns);
	}
}

static uint64_t age(struct start_clock *s, int64_t before_s)
{
	return start_age(s, NOW_NS - (uint64_t)(before_s * (int64_t)NS_PER_S), NOW_NS,
			 60 * NS_PER_S) /
	       NS_PER_S;
}

static void what_cannot_be_is_no_age(void **state)
{
	struct start_clock s = {0};

	(void)state;
	assert_int_equal(age(&s, 0), 0);
	assert_int_equal(age(&s, 7), 7);
	assert_int_equal(age(&s, -100), 0); /* the proxy's clock is ahead */
	assert_int_equal(age(&s, LIMIT_START_AGE_S), LIMIT_START_AGE_S);
	assert_int_equal(age(&s, LIMIT_START_AGE_S + 1), 0);
	assert_false(start_is_doubted(&s));
}

static void a_clock_by_which_everybody_is_late_is_doubted_once_and_not_for_ever(void **state)
{
	struct start_clock s = {0};

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		unsigned doubts = 0;

		for (unsigned i = 0; i < LIMIT_START_STALE; i++) {
			assert_int_equal(age(&s, 100), 100);
			assert_false(start_is_doubted(&s));
		}
		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(age(&s, 100), 0);
			doubts += start_is_doubted(&s);
		}
		assert_int_equal(doubts, 1);
		assert_int_equal(age(&s, 59), 59); /* plausible: believed again */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_that_proxies_write_is_understood),
		cmocka_unit_test(what_cannot_be_is_no_age),
		cmocka_unit_test(
			a_clock_by_which_everybody_is_late_is_doubted_once_and_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
