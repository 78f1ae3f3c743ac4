/* timers: lists of deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/front/timers.h"

static void the_first_one_set_is_due_first(void **state)
{
	struct timer_list l;
	struct timer a = {0}, b = {0};

	(void)state;
	timer_list_init(&l, 100);
	timer_set(&l, &a, 0);
	timer_set(&l, &b, 50);
	assert_null(timer_due(&l, 99));
	assert_ptr_equal(timer_due(&l, 100), &a);
	timer_clear(&a);
	assert_null(timer_due(&l, 149));
	assert_ptr_equal(timer_due(&l, 150), &b);
}

static void setting_again_moves_to_the_end(void **state)
{
	struct timer_list l;
	struct timer a = {0}, b = {0};

	(void)state;
	timer_list_init(&l, 100);
	timer_set(&l, &a, 0);
	timer_set(&l, &b, 10);
	timer_set(&l, &a, 20);
	assert_ptr_equal(timer_due(&l, 1000), &b);
	timer_clear(&b);
	assert_null(timer_due(&l, 119));
	assert_ptr_equal(timer_due(&l, 120), &a);
}

static void a_timer_is_in_one_list_only(void **state)
{
	struct timer_list one, two;
	struct timer a = {0};

	(void)state;
	timer_list_init(&one, 10);
	timer_list_init(&two, 1000);
	timer_set(&one, &a, 0);
	timer_set(&two, &a, 0);
	assert_null(timer_due(&one, 500));
	assert_ptr_equal(timer_due(&two, 1000), &a);
}

static void a_list_of_zero_seconds_is_switched_off(void **state)
{
	struct timer_list other, l;
	struct timer a = {0};

	(void)state;
	timer_list_init(&other, 5);
	timer_list_init(&l, 0);
	timer_set(&other, &a, 0);
	timer_set(&l, &a, 0);
	assert_false(timer_is_set(&a));
	assert_null(timer_due(&other, 100));
	assert_null(timer_due(&l, UINT64_MAX));
}

static void clearing_twice_does_no_harm(void **state)
{
	struct timer_list l;
	struct timer a = {0};

	(void)state;
	timer_list_init(&l, 5);
	timer_clear(&a);
	timer_set(&l, &a, 0);
	timer_clear(&a);
	timer_clear(&a);
	assert_null(timer_due(&l, UINT64_MAX));
}

static void a_list_that_gets_another_span_keeps_its_order(void **state)
{
	struct timer_list l;
	struct timer a = {0}, b = {0};

	(void)state;
	timer_list_init(&l, 100);
	timer_set(&l, &a, 0);
	timer_set(&l, &b, 10);
	timer_list_set_span(&l, 40);
	assert_null(timer_due(&l, 39));
	assert_ptr_equal(timer_due(&l, 40), &a);
	timer_clear(&a);
	assert_null(timer_due(&l, 49));
	timer_set(&l, &a, 20);
	assert_ptr_equal(timer_due(&l, 60), &b);
	timer_clear(&b);
	assert_ptr_equal(timer_due(&l, 60), &a);
	/* switched off: those that wait keep the time they had, nobody else comes */
	timer_list_set_span(&l, 0);
	timer_set(&l, &b, 20);
	assert_false(timer_is_set(&b));
	assert_ptr_equal(timer_due(&l, 60), &a);
	timer_clear(&a);
	assert_null(timer_due(&l, UINT64_MAX));
}

static void who_waits_since_earlier_is_due_earlier(void **state)
{
	struct timer_list l;
	struct timer t[4] = {0};

	(void)state;
	timer_list_init(&l, 100);
	timer_set(&l, &t[0], 10);
	timer_set(&l, &t[1], 30);
	timer_set_since(&l, &t[2], 20);
	timer_set_since(&l, &t[3], 5);
	for (unsigned i = 0; i < 4; i++) {
		static const unsigned order[] = {3, 0, 2, 1};

		assert_ptr_equal(timer_due(&l, 1000), &t[order[i]]);
		timer_clear(&t[order[i]]);
	}
	timer_list_set_span(&l, 0);
	timer_set_since(&l, &t[0], 1);
	assert_null(timer_due(&l, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_one_set_is_due_first),
		cmocka_unit_test(setting_again_moves_to_the_end),
		cmocka_unit_test(a_timer_is_in_one_list_only),
		cmocka_unit_test(a_list_of_zero_seconds_is_switched_off),
		cmocka_unit_test(who_waits_since_earlier_is_due_earlier),
		cmocka_unit_test(clearing_twice_does_no_harm),
		cmocka_unit_test(a_list_that_gets_another_span_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
