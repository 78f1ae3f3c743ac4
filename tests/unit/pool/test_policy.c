/*
 * policy: when workers are forked, replaced and retired, and which limits of requests, age and memory say so: cells of
 * the table of what happens when.
 */
#include "tests/unit/pool/policy_rig.h"

static void numbers_leave_room_for_a_quarter_but_never_pass_the_scoreboard(_unused_ void **state)
{
	static const struct {
		unsigned processes, threads, want;
	} cases[] = {
		{1, 1, 2},     {2, 1, 3},  {4, 1, 5},  {8, 1, 10},    {16, 2, 20},
		{128, 1, 128}, {8, 64, 8}, {4, 64, 5}, {102, 1, 127},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(policy_numbers(cases[i].processes, cases[i].threads),
				 cases[i].want);
}

static void nothing_is_forked_before_the_mold_is_ready(_unused_ void **state)
{
	struct policy_config c = config_of(4);
	struct policy p;
	struct tally t;

	policy_init(&p, &c, S);
	t = run(&p, S);
	assert_int_equal(t.mold_spawn, 1);
	assert_int_equal(t.spawn, 0);
	policy_mold_ready(&p);
	t = run(&p, 2 * S);
	assert_int_equal(t.spawn, 4);
	assert_int_equal(t.ready, 0);
}

static void ready_comes_once_and_only_when_all_wait(_unused_ void **state)
{
	struct policy_config c = config_of(3);
	struct policy p;

	policy_init(&p, &c, S);
	(void)run(&p, S);
	policy_mold_ready(&p);
	(void)run(&p, S);
	policy_ready(&p, 0, S);
	policy_ready(&p, 2, S);
	assert_int_equal(run(&p, S).ready, 0);
	policy_ready(&p, 1, S);
	assert_int_equal(run(&p, S).ready, 1);
	policy_ready(&p, 1, S);
	assert_int_equal(run(&p, S).ready, 0);
}

static void forks_are_asked_for_in_bounded_batches(_unused_ void **state)
{
	struct policy_config c = config_of(64);
	struct policy p;

	policy_init(&p, &c, S);
	(void)run(&p, S);
	policy_mold_ready(&p);
	assert_int_equal(run(&p, S).spawn, POLICY_FORKS_MAX);
	policy_forked(&p, 0);
	policy_forked(&p, 1);
	assert_int_equal(run(&p, S).spawn, 2);
}

static void a_worker_that_is_due_stays_until_its_replacement_is_ready(_unused_ void **state)
{
	struct policy_config c = config_of(2);
	struct policy p;
	struct tally t;

	c.max_requests = 10;
	c.max_requests_delta = 0;
	serve(&p, &c);
	for (unsigned i = 1; i < 10; i++)
		assert_false(policy_served(&p, 1));
	assert_true(policy_served(&p, 1));
	t = run(&p, 2 * S);
	assert_int_equal(t.spawn, 1);
	assert_int_equal(t.last_worker, 2);
	assert_int_equal(t.retire, 0);
	policy_ready(&p, 2, 3 * S);
	t = run(&p, 3 * S);
	assert_int_equal(t.retire, 1);
	assert_int_equal(t.last_worker, 1);
	assert_int_equal(t.last_why, WHY_REQUESTS);
	policy_gone(&p, 1, 4 * S);
	assert_int_equal(run(&p, 4 * S).spawn, 0);
	assert_int_equal(count_state(&p, SLOT_READY), 2);
}

static void a_replacement_that_dies_is_tried_again_and_costs_nothing(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	struct tally t;

	c.max_requests = 1;
	c.max_requests_delta = 0;
	serve(&p, &c);
	assert_true(policy_served(&p, 0));
	assert_int_equal(run(&p, 2 * S).spawn, 1);
	policy_gone(&p, 1, 2 * S);
	t = run(&p, 2 * S);
	assert_int_equal(t.spawn, 1); /* the first time at once */
	assert_int_equal(t.retire, 0);
	policy_gone(&p, 1, 2 * S);
	t = run(&p, 2 * S);
	assert_int_equal(t.spawn, 0); /* then later */
	assert_int_equal(t.retire, 0);
	assert_true(policy_wake_ns(&p, 2 * S) > 2 * S);
	assert_int_equal(run(&p, policy_wake_ns(&p, 2 * S)).spawn, 1);
	assert_int_equal(p.slot[0].state, SLOT_READY);
}

static void only_a_quarter_is_replaced_at_a_time(_unused_ void **state)
{
	struct policy_config c = config_of(8);
	struct policy p;
	unsigned rounds = 0;

	c.max_requests = 1;
	c.max_requests_delta = 0;
	serve(&p, &c);
	for (unsigned i = 0; i < 8; i++)
		assert_true(policy_served(&p, i));
	while (rounds < 4) {
		assert_int_equal(run(&p, (2 + rounds) * S).spawn, 2);
		ready_all(&p, (2 + rounds) * S);
		assert_int_equal(run(&p, (2 + rounds) * S).retire, 2);
		for (unsigned i = 0; i < p.config.capacity; i++)
			if (p.slot[i].state == SLOT_RETIRING)
				policy_gone(&p, i, (2 + rounds) * S);
		rounds++;
	}
	assert_int_equal(run(&p, 9 * S).spawn, 0);
}

static void max_requests_differ_between_processes_but_stay_in_their_width(_unused_ void **state)
{
	struct policy_config c = config_of(16);
	struct policy p;
	unsigned different = 0;

	c.max_requests = 1000;
	serve(&p, &c);
	for (unsigned i = 0; i < 16; i++) {
		assert_in_range(p.slot[i].served_limit, 1000, 1100);
		different += p.slot[i].served_limit != p.slot[0].served_limit;
	}
	assert_true(different >= 12);
	c.max_requests_delta = UINT64_MAX - 1;
	serve(&p, &c);
	assert_true(p.slot[3].served_limit >= 1000);
}

static void memory_must_be_over_its_limit_three_times_in_a_row(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;

	c.memory_limit[MEMORY_RSS] = 100;
	serve(&p, &c);
	(void)policy_served(&p, 0);
	assert_false(policy_measured(&p, 0, MEMORY_RSS, 101));
	assert_false(policy_measured(&p, 0, MEMORY_RSS, 101));
	assert_false(policy_measured(&p, 0, MEMORY_RSS, 100)); /* at the limit is not over it */
	assert_false(policy_measured(&p, 0, MEMORY_RSS, 101));
	assert_false(policy_measured(&p, 0, MEMORY_RSS, 101));
	assert_true(policy_measured(&p, 0, MEMORY_RSS, 101));
	assert_int_equal(p.slot[0].due, WHY_RSS);
}

static void a_worker_that_served_nothing_is_not_recycled_for_its_memory(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;

	c.memory_limit[MEMORY_RSS] = 100;
	serve(&p, &c);
	for (unsigned i = 0; i < 20; i++)
		assert_false(policy_measured(&p, 0, MEMORY_RSS, 500));
	(void)policy_served(&p, 0);
	assert_true(policy_measured(&p, 0, MEMORY_RSS, 500));
}

static void an_old_worker_is_replaced_and_ages_differ(_unused_ void **state)
{
	struct policy_config c = config_of(8);
	struct policy p;
	unsigned different = 0;
	struct tally t;

	c.max_lifetime_ns = 100 * S;
	c.max_lifetime_delta_ns = UINT64_MAX;
	serve(&p, &c);
	for (unsigned i = 0; i < 8; i++) {
		assert_in_range(p.slot[i].expires_ns, 101 * S, 111 * S);
		different += p.slot[i].expires_ns != p.slot[0].expires_ns;
	}
	assert_true(different >= 6);
	assert_in_range(policy_wake_ns(&p, 2 * S), 101 * S, 111 * S);
	assert_int_equal(run(&p, 101 * S - 1).spawn, 0);
	/* all of them are too old by now, and yet only a quarter goes at a time */
	assert_int_equal(run(&p, 111 * S).spawn, 2);
	ready_all(&p, 111 * S);
	t = run(&p, 111 * S);
	assert_int_equal(t.retire, 2);
	assert_int_equal(t.last_why, WHY_AGE);
	assert_int_equal(run(&p, 111 * S).spawn, 0); /* until those two have left */
}

static void no_worker_is_recycled_before_its_least_lifetime(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;

	c.max_requests = 3;
	c.max_requests_delta = 0;
	c.min_lifetime_ns = 10 * S;
	serve(&p, &c); /* born at 1 s */
	for (unsigned i = 0; i < 3; i++)
		(void)policy_served(&p, 0);
	assert_int_equal(run(&p, 2 * S).spawn, 0);
	assert_int_equal(policy_wake_ns(&p, 2 * S), 11 * S);
	assert_int_equal(run(&p, 11 * S).spawn, 1);
}

static void each_kind_of_memory_has_its_limit_and_its_reason(_unused_ void **state)
{
	static const enum policy_reason want[MEMORY_KINDS] = {WHY_RSS, WHY_PSS,      WHY_USS,
							      WHY_AS,  WHY_EVIL_RSS, WHY_EVIL_AS};

	for (unsigned kind = 0; kind < MEMORY_KINDS; kind++) {
		struct policy_config c = config_of(1);
		struct policy p;

		c.memory_limit[kind] = 100;
		serve(&p, &c);
		(void)policy_served(&p, 0);
		for (unsigned check = 1; check <= POLICY_OVER_CHECKS; check++)
			for (unsigned k = 0; k < MEMORY_KINDS; k++)
				assert_int_equal(
					policy_measured(&p, 0, (enum policy_memory)k, 100 + check),
					k == kind && check == POLICY_OVER_CHECKS);
		assert_int_equal(p.slot[0].due, want[kind]);
		assert_int_equal(p.slot[0].figure, 100 + POLICY_OVER_CHECKS);
		assert_int_equal(p.slot[0].condemned, WHY_NONE);
	}
}

static void only_one_request_that_does_not_end_is_no_excuse_for_memory(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	struct tally t;

	c.memory_limit[MEMORY_EVIL_RSS] = 100;
	serve(&p, &c);
	/* busy at each look, but with another request each time: replaced, not killed */
	for (unsigned i = 0; i < 2 * POLICY_OVER_CHECKS; i++) {
		(void)policy_served(&p, 0);
		policy_idle(&p, 0, false, 2 * S);
		(void)policy_measured(&p, 0, MEMORY_EVIL_RSS, 500);
	}
	assert_int_equal(p.slot[0].due, WHY_EVIL_RSS);
	t = run(&p, 2 * S);
	assert_int_equal(t.stacks, 0);
	assert_int_equal(t.spawn, 1);

	serve(&p, &c);
	policy_idle(&p, 0, false, 2 * S);
	for (unsigned i = 1; i <= POLICY_OVER_CHECKS; i++)
		assert_int_equal(policy_measured(&p, 0, MEMORY_EVIL_RSS, 500),
				 i == POLICY_OVER_CHECKS);
	t = run(&p, 2 * S);
	assert_int_equal(t.stacks, 1);
	assert_int_equal(t.last_worker, 1); /* and its successor is asked for at once */
	assert_int_equal(p.slot[0].why, WHY_EVIL_RSS);
	assert_int_equal(run(&p, 2 * S + STACKS_GRACE_MS * NS_PER_MS).kill, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_leave_room_for_a_quarter_but_never_pass_the_scoreboard),
		cmocka_unit_test(nothing_is_forked_before_the_mold_is_ready),
		cmocka_unit_test(ready_comes_once_and_only_when_all_wait),
		cmocka_unit_test(forks_are_asked_for_in_bounded_batches),
		cmocka_unit_test(a_worker_that_is_due_stays_until_its_replacement_is_ready),
		cmocka_unit_test(a_replacement_that_dies_is_tried_again_and_costs_nothing),
		cmocka_unit_test(only_a_quarter_is_replaced_at_a_time),
		cmocka_unit_test(max_requests_differ_between_processes_but_stay_in_their_width),
		cmocka_unit_test(memory_must_be_over_its_limit_three_times_in_a_row),
		cmocka_unit_test(a_worker_that_served_nothing_is_not_recycled_for_its_memory),
		cmocka_unit_test(an_old_worker_is_replaced_and_ages_differ),
		cmocka_unit_test(no_worker_is_recycled_before_its_least_lifetime),
		cmocka_unit_test(each_kind_of_memory_has_its_limit_and_its_reason),
		cmocka_unit_test(only_one_request_that_does_not_end_is_no_excuse_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
