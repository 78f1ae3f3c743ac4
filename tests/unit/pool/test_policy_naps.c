/*
 * policy: how many processes there are: more when requests wait, fewer when little is to do, none in a nap, and as many as
 * an operator says.
 */
#include "tests/unit/pool/policy_rig.h"

static struct policy_config adaptive(unsigned processes, unsigned least)
{
	struct policy_config c = config_of(processes);

	c.least = c.initial = least;
	return c;
}

static void begin_adaptive(struct policy *p, const struct policy_config *c)
{
	unsigned ready;

	policy_init(p, c, S);
	(void)run(p, S);
	policy_mold_ready(p);
	ready = run(p, S).ready;
	ready_all(p, S);
	assert_int_equal(ready + run(p, S).ready, 1);
	assert_int_equal(count_state(p, SLOT_READY), c->initial);
}

static void workers_come_when_a_request_has_waited_and_not_before(_unused_ void **state)
{
	struct policy_config c = adaptive(4, 1);
	struct policy p;
	uint64_t now = 5 * S;

	c.step = 2;
	begin_adaptive(&p, &c);
	assert_int_equal(p.target, 1);
	policy_pressure(&p, 50, now, now);
	assert_int_equal(run(&p, now).spawn, 0);
	assert_int_equal(policy_wake_ns(&p, now), now + POLICY_GROW_NS);
	now += POLICY_GROW_NS;
	assert_int_equal(run(&p, now).spawn, 2);
	/* while those are on their way, waiting longer asks for no more */
	assert_int_equal(run(&p, now + S).spawn, 0);
	ready_all(&p, now + S);
	assert_int_equal(run(&p, now + S).spawn, 1);
	assert_int_equal(run(&p, now + S).spawn, 0);
	ready_all(&p, now + 2 * S);
	assert_int_equal(run(&p, now + 2 * S).spawn, 0); /* all */
	assert_int_equal(p.target, 4);
	assert_false(policy_wants_pressure(&p));
}

static void who_had_nothing_to_do_for_long_goes_down_to_the_least(_unused_ void **state)
{
	struct policy_config c = adaptive(6, 2);
	struct policy p;
	uint64_t now;

	c.initial = 6;
	begin_adaptive(&p, &c);
	/* 1 is at work all the time, 3 answers something now and then */
	for (now = 2 * S; now < S + POLICY_SHRINK_NS; now += S) {
		(void)policy_served(&p, 3);
		for (unsigned i = 0; i < 6; i++)
			policy_idle(&p, i, i != 1, now);
		assert_int_equal(run(&p, now).retire, 0);
	}
	(void)policy_served(&p, 3);
	for (unsigned i = 0; i < 6; i++)
		policy_idle(&p, i, i != 1, now);
	assert_int_equal(run(&p, now).retire, 4);
	assert_int_equal(p.target, 2);
	assert_int_equal(p.slot[1].state, SLOT_READY);
	assert_int_equal(p.slot[3].state, SLOT_READY);
}

static void all_go_for_a_nap_and_a_request_has_one_back_at_once_then_the_rest(_unused_ void **state)
{
	struct policy_config c = config_of(3);
	struct policy p;
	uint64_t now = S;

	c.idle_ns = 60 * S;
	begin_adaptive(&p, &c);
	assert_int_equal(policy_wake_ns(&p, now), 61 * S);
	now = 61 * S;
	policy_idle(&p, 0, true, now);
	policy_idle(&p, 1, false, now); /* at work: no nap, and the time begins again */
	policy_idle(&p, 2, true, now);
	assert_int_equal(run(&p, now).retire, 0);
	assert_int_equal(policy_wake_ns(&p, now), 121 * S);
	now = 121 * S;
	policy_idle(&p, 1, true, now);
	assert_int_equal(run(&p, now).retire, 3);
	for (unsigned i = 0; i < 3; i++)
		policy_gone(&p, i, now);
	assert_int_equal(run(&p, now).spawn, 0);
	assert_int_equal(policy_wake_ns(&p, now), 0); /* nothing to wake up for */
	assert_int_equal(p.mold, MOLD_READY);

	now = 500 * S;
	policy_pressure(&p, 1, now, now);
	assert_int_equal(run(&p, now).spawn, 1);
	ready_all(&p, now);
	policy_pressure(&p, 0, 0, now);
	assert_int_equal(run(&p, now).spawn, 0); /* the first page has the processors to itself */
	(void)policy_served(&p, 0);
	assert_int_equal(run(&p, now).spawn, 2);
}

static void a_nap_can_be_held_and_comes_when_the_hold_is_over(_unused_ void **state)
{
	static const struct {
		uint64_t hold_ns, then_ns;
		bool released;
	} cases[] = {
		{66 * S, 66 * S, false}, /* runs out */
		{66 * S, 62 * S, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_config c = config_of(1);
		struct policy p;
		uint64_t now = 61 * S;

		c.idle_ns = 60 * S;
		begin_adaptive(&p, &c);
		policy_idle(&p, 0, true, 60 * S);
		assert_false(policy_is_to_nap(&p, now - 1));
		assert_true(policy_is_to_nap(&p, now));
		policy_hold_nap(&p, cases[i].hold_ns);
		assert_int_equal(run(&p, now).retire, 0);
		assert_true(policy_is_to_nap(&p, now)); /* it is only held */
		assert_int_equal(policy_wake_ns(&p, now), cases[i].hold_ns);
		if (cases[i].released)
			policy_hold_nap(&p, 0);
		now = cases[i].then_ns;
		assert_int_equal(run(&p, now).retire, 1);
		assert_false(policy_is_to_nap(&p, now));
	}
}

static void a_request_in_the_hold_puts_the_nap_off(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;

	c.idle_ns = 60 * S;
	begin_adaptive(&p, &c);
	policy_idle(&p, 0, true, 60 * S);
	policy_hold_nap(&p, 66 * S);
	policy_idle(&p, 0, false, 62 * S);
	assert_false(policy_is_to_nap(&p, 66 * S));
	assert_int_equal(run(&p, 66 * S).retire, 0);
	policy_idle(&p, 0, true, 63 * S);
	assert_int_equal(run(&p, 122 * S).retire, 1);
}

static void a_pool_may_begin_with_a_nap_but_not_before_its_mold_is_ready(_unused_ void **state)
{
	struct policy_config c = adaptive(2, 2);
	struct policy p;
	struct tally t;

	c.initial = 0;
	policy_init(&p, &c, S);
	t = run(&p, S);
	assert_int_equal(t.ready, 0);
	assert_int_equal(t.mold_spawn, 1);
	policy_mold_ready(&p);
	t = run(&p, S);
	assert_int_equal(t.ready, 1);
	assert_int_equal(t.spawn, 0);
	assert_true(policy_wants_pressure(&p));
	policy_pressure(&p, 1, 2 * S, 2 * S);
	assert_int_equal(run(&p, 2 * S).spawn, 1);
}

static void a_nap_ends_although_the_mold_has_to_be_made_again(_unused_ void **state)
{
	struct policy_config c = adaptive(1, 1);
	struct policy p;

	c.initial = 0;
	begin_adaptive(&p, &c);
	policy_mold_gone(&p, 2 * S);
	assert_int_equal(run(&p, 2 * S).mold_spawn, 1);
	policy_pressure(&p, 1, 3 * S, 3 * S);
	assert_int_equal(run(&p, 3 * S).spawn, 0);
	policy_mold_ready(&p);
	assert_int_equal(run(&p, 3 * S).spawn, 1);
}

static void more_processes_are_forked_at_once_and_fewer_only_lose_idle_ones(_unused_ void **state)
{
	struct policy_config c = config_of(2);
	struct policy p;
	struct tally t;

	serve(&p, &c);
	c.processes = c.least = 4;
	c.numbers = policy_numbers(4, 1);
	policy_configure(&p, &c);
	assert_int_equal(run(&p, 2 * S).spawn, 2);
	ready_all(&p, 2 * S);
	assert_int_equal(count_state(&p, SLOT_READY), 4);

	c.processes = c.least = 1;
	c.numbers = policy_numbers(1, 1);
	policy_configure(&p, &c);
	assert_true(policy_wants_idle(&p));
	for (unsigned i = 0; i < 4; i++)
		policy_idle(&p, i, false, 3 * S);
	assert_int_equal(run(&p, 3 * S).retire, 0);
	policy_idle(&p, 0, true, 3 * S);
	policy_idle(&p, 3, true, 3 * S);
	t = run(&p, 3 * S);
	assert_int_equal(t.retire, 2);
	assert_int_equal(t.last_why, WHY_SURPLUS);
	policy_gone(&p, 0, 4 * S);
	policy_gone(&p, 3, 4 * S);
	assert_int_equal(run(&p, 4 * S).spawn + run(&p, 4 * S).retire, 0);
	policy_idle(&p, 2, true, 3 * S);
	assert_int_equal(run(&p, 4 * S).retire, 1);
	assert_false(policy_wants_idle(&p));
	policy_gone(&p, 2, 4 * S);
	/* the one that is left may have a number beyond those of now, and is replaced all the same */
	policy_gone(&p, 1, 5 * S);
	t = run(&p, 5 * S);
	assert_int_equal(t.spawn, 1);
	assert_true(t.last_worker < policy_numbers(1, 1));
}

static void a_generation_reserves_room_to_be_scaled_up(_unused_ void **state)
{
	static const struct {
		unsigned processes, threads, want;
	} cases[] = {
		{1, 1, 20}, {4, 1, 20},    {16, 1, 40}, {1, 4, 5},
		{8, 4, 20}, {100, 1, 128}, {8, 64, 8},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned got = policy_capacity(cases[i].processes, cases[i].threads);

		assert_int_equal(got, cases[i].want);
		assert_true(got >= policy_numbers(cases[i].processes, cases[i].threads));
		assert_int_equal(policy_most(got), got - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_come_when_a_request_has_waited_and_not_before),
		cmocka_unit_test(who_had_nothing_to_do_for_long_goes_down_to_the_least),
		cmocka_unit_test(all_go_for_a_nap_and_a_request_has_one_back_at_once_then_the_rest),
		cmocka_unit_test(a_nap_can_be_held_and_comes_when_the_hold_is_over),
		cmocka_unit_test(a_request_in_the_hold_puts_the_nap_off),
		cmocka_unit_test(a_pool_may_begin_with_a_nap_but_not_before_its_mold_is_ready),
		cmocka_unit_test(a_nap_ends_although_the_mold_has_to_be_made_again),
		cmocka_unit_test(more_processes_are_forked_at_once_and_fewer_only_lose_idle_ones),
		cmocka_unit_test(a_generation_reserves_room_to_be_scaled_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
