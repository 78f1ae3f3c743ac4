/*
 * test_backoff - waits double, stay within their jitter and their maximum, and are forgotten when they should be.
 */
#include "shared/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW (1000 * NS_PER_S)

static uint64_t nominal_ns(unsigned failure)
{
	uint64_t wait = BACKOFF_FIRST_NS;

	while (--failure > 0 && wait < BACKOFF_MAX_NS)
		wait *= 2;
	return wait < BACKOFF_MAX_NS ? wait : BACKOFF_MAX_NS;
}

static void each_wait_is_twice_the_last_within_a_fifth(void **state)
{
	static const uint32_t randoms[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

	(void)state;
	for (size_t r = 0; r < sizeof(randoms) / sizeof(*randoms); r++) {
		struct backoff b = {0};

		for (unsigned i = 1; i <= 40; i++) {
			uint64_t wait = backoff_failed(&b, NOW, randoms[r]) - NOW;
			uint64_t want = nominal_ns(i);

			assert_int_equal(b.failures, i);
			assert_true(b.next_ns == NOW + wait);
			assert_true(wait >= want - want / 5);
			assert_true(wait <= want + want / 5);
			assert_true(wait <= BACKOFF_MAX_NS);
		}
	}
}

static void a_shorter_maximum_is_kept_also_after_a_healthy_run(void **state)
{
	static const uint32_t randoms[] = {0, 0x80000000, 0xffffffff};
	struct backoff b = {.max_ns = 2 * NS_PER_S};

	(void)state;
	for (size_t r = 0; r < sizeof(randoms) / sizeof(*randoms); r++) {
		for (unsigned i = 1; i <= 40; i++) {
			uint64_t want = nominal_ns(i) < b.max_ns ? nominal_ns(i) : 2 * NS_PER_S;
			uint64_t wait = backoff_failed(&b, NOW, randoms[r]) - NOW;

			assert_true(wait >= want - want / 5);
			assert_true(wait <= want + want / 5);
			assert_true(wait <= 2 * NS_PER_S);
		}
		assert_true(backoff_ran(&b, NOW, NOW + BACKOFF_HEALTHY_NS));
	}
}

static void randomness_moves_the_wait(void **state)
{
	struct backoff low = {0}, high = {0};

	(void)state;
	assert_true(backoff_failed(&low, NOW, 0) < backoff_failed(&high, NOW, UINT32_MAX));
}

static void only_a_healthy_run_is_forgiven(void **state)
{
	static const struct {
		uint64_t started, now;
		bool healthy;
	} rows[] = {
		{NOW, NOW, false},
		{NOW, NOW + BACKOFF_HEALTHY_NS - 1, false},
		{NOW, NOW + BACKOFF_HEALTHY_NS, true},
		{NOW, NOW - 1, false}, /* a clock that went back proves nothing */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct backoff b = {0};

		(void)backoff_failed(&b, NOW, 0);
		assert_int_equal(backoff_ran(&b, rows[i].started, rows[i].now), rows[i].healthy);
		assert_int_equal(b.failures, rows[i].healthy ? 0 : 1);
	}
}

static void a_reset_begins_from_the_first_wait(void **state)
{
	struct backoff b = {0};

	(void)state;
	for (int i = 0; i < 10; i++)
		(void)backoff_failed(&b, NOW, 0);
	backoff_reset(&b);
	assert_int_equal(b.failures, 0);
	assert_true(b.next_ns == 0);
	assert_true(backoff_failed(&b, NOW, 0) - NOW <= BACKOFF_FIRST_NS);
}

static void the_count_of_failures_never_wraps(void **state)
{
	struct backoff b = {.failures = UINT32_MAX};

	(void)state;
	assert_true(backoff_failed(&b, NOW, 0) > NOW);
	assert_true(b.failures == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wait_is_twice_the_last_within_a_fifth),
		cmocka_unit_test(a_shorter_maximum_is_kept_also_after_a_healthy_run),
		cmocka_unit_test(randomness_moves_the_wait),
		cmocka_unit_test(only_a_healthy_run_is_forgiven),
		cmocka_unit_test(a_reset_begins_from_the_first_wait),
		cmocka_unit_test(the_count_of_failures_never_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
