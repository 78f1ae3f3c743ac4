/* order: when the newest is next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/front/order.h"

static void the_newest_is_next_while_the_oldest_has_waited_too_long(void **state)
{
	static const struct {
		enum order now;
		uint64_t oldest_ns;
		unsigned waiting;
		uint64_t timeout_ns;
		enum order next;
	} cases[] = {
		{ORDER_OLDEST_FIRST, 0, 0, 1000, ORDER_OLDEST_FIRST},
		{ORDER_OLDEST_FIRST, 99, 500, 1000, ORDER_OLDEST_FIRST},
		{ORDER_OLDEST_FIRST, 100, 1, 1000, ORDER_NEWEST_FIRST},
		{ORDER_NEWEST_FIRST, 999, 1, 1000, ORDER_NEWEST_FIRST},
		/* not back at once: half of it */
		{ORDER_NEWEST_FIRST, 99, 9, 1000, ORDER_NEWEST_FIRST},
		{ORDER_NEWEST_FIRST, 50, 9, 1000, ORDER_NEWEST_FIRST},
		{ORDER_NEWEST_FIRST, 49, 9, 1000, ORDER_OLDEST_FIRST},
		/* nobody waits: whatever a clock says */
		{ORDER_NEWEST_FIRST, 999, 0, 1000, ORDER_OLDEST_FIRST},
		{ORDER_OLDEST_FIRST, UINT64_MAX, 9, 0, ORDER_OLDEST_FIRST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (order_next(cases[i].now, cases[i].oldest_ns, cases[i].waiting,
			       cases[i].timeout_ns) != cases[i].next)
			fail_msg("case %zu", i);
}

static void what_is_held_back_never_starves_a_lane(void **state)
{
	(void)state;
	for (unsigned lanes = 0; lanes < 200; lanes++) {
		assert_int_equal(order_most_out(ORDER_OLDEST_FIRST, lanes, 264), 264);
		assert_true(order_most_out(ORDER_NEWEST_FIRST, lanes, 1024) >= MAX(lanes, 1U));
		assert_true(order_most_out(ORDER_NEWEST_FIRST, lanes, 264) <= 264);
	}
	assert_int_equal(order_most_out(ORDER_NEWEST_FIRST, 4, 264), 8);
}

/*
 * One server, one request per tick, two arrive: how many of those that are served have waited no longer than an
 * impatient client would? In turn it is hardly any once the queue is long; newest first it is nearly all.
 */
static unsigned served_in_time(bool adaptive, unsigned patience)
{
	enum { TICKS = 1000, TIMEOUT = 100 };
	unsigned since[4 * TICKS];
	unsigned first = 0, n = 0, good = 0;
	enum order order = ORDER_OLDEST_FIRST;

	for (unsigned now = 0; now < TICKS; now++) {
		unsigned taken;

		since[first + n++] = now;
		since[first + n++] = now;
		while (n > 0 && now - since[first] >= TIMEOUT) {
			first++;
			n--;
		}
		if (adaptive)
			order = order_next(order, now - since[first], n, TIMEOUT);
		taken = order == ORDER_OLDEST_FIRST ? since[first++] : since[first + n - 1];
		n--;
		good += now - taken <= patience;
	}
	return good;
}

static void under_twice_the_load_most_answers_still_come_in_time(void **state)
{
	(void)state;
	assert_true(served_in_time(false, 20) < 100);
	assert_true(served_in_time(true, 20) > 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_is_next_while_the_oldest_has_waited_too_long),
		cmocka_unit_test(what_is_held_back_never_starves_a_lane),
		cmocka_unit_test(under_twice_the_load_most_answers_still_come_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
