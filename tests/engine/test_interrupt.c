/*
 * test_interrupt - the signal that ends a request which takes too long: it hits the one that is meant, or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "shared/clock.h"
#include "tests/engine/rig.h"

static struct rig rig;

static void start(unsigned threads)
{
	static const char *const items[] = {"pythonpath=" RIG_APPS, "module=naps", NULL};

	if (!rig_start(&rig, items, 1, threads))
		fail_msg("%s %s", rig.text, rig.workers[0].why);
}

static int stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static unsigned send_get(const char *target)
{
	return rig_send(&rig, &(struct rig_request){.method = "GET", .target = target});
}

static void wait_until_held(unsigned slot)
{
	uint64_t until = clock_now_ns() + 5 * NS_PER_S;

	while (exchange_taken_ns(rig.x, slot) == 0 && clock_now_ns() < until)
		(void)usleep(1000);
	assert_true(exchange_holder(rig.x, slot) >= 0);
	(void)usleep(50000); /* taken is not yet in the app, and nothing tells when it is */
}

static void signal_worker(void)
{
	assert_int_equal(kill(rig.workers[0].pid, SIGRTMIN + CREW_INTERRUPT_SIGNAL_OFFSET), 0);
}

static void expect_rested(unsigned slot)
{
	struct answer a;

	rig_collect(&rig, slot, &a);
	assert_true(a.ended);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "rested");
	assert_int_equal(a.end, FRAME_END_OK);
	answer_done(&a);
}

static void expect_interrupted(unsigned slot, uint64_t begun_ns)
{
	struct answer a;

	rig_collect(&rig, slot, &a);
	assert_true(a.ended);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.end, FRAME_END_EXCEPTION);
	assert_true(clock_now_ns() - begun_ns < 3 * NS_PER_S);
	answer_done(&a);
}

static void a_signal_without_a_condemned_request_does_nothing(void **state)
{
	unsigned slot;

	(void)state;
	start(1);
	signal_worker(); /* nothing is in work */
	slot = send_get("/?0.2");
	wait_until_held(slot);
	signal_worker();
	expect_rested(slot);
	assert_int_equal(kill(rig.workers[0].pid, 0), 0);
}

static void the_condemned_one_ends_and_the_next_is_served(void **state)
{
	static const char *const targets[] = {"/?30", "/work?30"};

	(void)state;
	start(1);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		uint64_t begun_ns = clock_now_ns();
		unsigned slot = send_get(targets[i]);
		char *log;

		wait_until_held(slot);
		assert_true(exchange_condemn(rig.x, slot));
		signal_worker();
		expect_interrupted(slot, begun_ns);
		expect_rested(send_get("/?0"));
		log = rig_log(&rig);
		assert_non_null(strstr(log, "emperor.RequestTimeout: "));
		assert_non_null(strstr(log, "in application"));
		assert_null(strstr(log, "exception in the app"));
		free(log);
	}
}

static void a_signal_that_comes_late_spares_the_next_request(void **state)
{
	(void)state;
	start(1);
	for (unsigned i = 0; i < 5; i++) {
		unsigned first = send_get("/?0.1");
		unsigned second;

		wait_until_held(first);
		assert_true(exchange_condemn(rig.x, first)); /* but the signal lingers */
		expect_rested(first);
		second = send_get("/?0.2");
		wait_until_held(second);
		signal_worker();
		expect_rested(second);
	}
}

static void a_thread_is_interrupted_between_two_bytecodes_and_its_neighbour_is_not(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	unsigned victim;
	unsigned neighbour;

	(void)state;
	start(2);
	victim = send_get("/work?30");
	wait_until_held(victim);
	neighbour = send_get("/work?0.5");
	wait_until_held(neighbour);
	assert_true(exchange_condemn(rig.x, victim));
	signal_worker();
	expect_interrupted(victim, begun_ns);
	expect_rested(neighbour);
	for (unsigned i = 0; i < 4; i++)
		expect_rested(send_get("/?0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_signal_without_a_condemned_request_does_nothing, stop),
		cmocka_unit_test_teardown(the_condemned_one_ends_and_the_next_is_served, stop),
		cmocka_unit_test_teardown(a_signal_that_comes_late_spares_the_next_request, stop),
		cmocka_unit_test_teardown(
			a_thread_is_interrupted_between_two_bytecodes_and_its_neighbour_is_not,
			stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
