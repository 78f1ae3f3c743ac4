/*
 * policy: who dies, leaves, hangs or is told to go: how soon a successor comes, when a generation has failed, and that
 * nothing storms.
 */
#include "tests/unit/pool/policy_rig.h"

static void a_crashed_worker_is_back_at_once_then_later_and_later(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	uint64_t now = 100 * S, last = 0;

	c.numbers = c.capacity = 2;
	serve(&p, &c);
	/* The other number's own chance is used up first. */
	policy_gone(&p, 0, now);
	assert_int_equal(run(&p, now).spawn, 1);
	for (unsigned i = 0; i < 6; i++) {
		uint64_t wake;

		for (unsigned n = 0; n < 2; n++)
			policy_gone(&p, n, now);
		(void)run(&p, now);
		for (unsigned n = 0; n < 2; n++)
			policy_gone(&p, n, now);
		(void)run(&p, now);
		for (unsigned n = 0; n < 2; n++)
			policy_gone(&p, n, now);
		assert_int_equal(run(&p, now).spawn, 0);
		wake = policy_wake_ns(&p, now);
		assert_true(wake > now);
		if (i > 1)
			assert_true(wake - now > last);
		last = i % 2 ? wake - now : last;
		now = wake;
		assert_int_equal(run(&p, now).spawn, 1);
	}
}

static void who_dies_at_work_is_back_within_a_second_however_often(_unused_ void **state)
{
	struct policy_config c = config_of(2);
	struct policy p;
	uint64_t now = S;

	serve(&p, &c);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t from = now;

		/* the first of a life, or after some answers: both ways of having worked */
		for (unsigned n = 0; n < p.config.numbers; n++) {
			if (p.slot[n].state != SLOT_READY)
				continue;
			if (i % 2)
				(void)policy_served(&p, n);
			else
				policy_worked(&p, n);
			policy_gone(&p, n, now);
		}
		while (count_state(&p, SLOT_STARTING) == 0) {
			(void)run(&p, now);
			if (count_state(&p, SLOT_STARTING) == 0)
				now = policy_wake_ns(&p, now);
			assert_in_range(now, from, from + POLICY_RESPAWN_NS);
		}
		ready_all(&p, now);
	}
	/* and yet no storm: three numbers, each at most once a second */
	assert_true(now >= S + 60 / 3 * POLICY_RESPAWN_NS - 3 * S);
}

static void who_dies_idle_after_ready_waits_longer_each_time(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	uint64_t now = S;

	c.numbers = c.capacity = 2;
	serve(&p, &c);
	for (unsigned i = 0; i < 14; i++) {
		for (unsigned n = 0; n < 2; n++)
			if (p.slot[n].state == SLOT_READY)
				policy_gone(&p, n, now);
		if (run(&p, now).spawn == 0) {
			now = policy_wake_ns(&p, now);
			(void)run(&p, now);
		}
		ready_all(&p, now);
	}
	assert_true(now > 20 * S);
}

static void a_healthy_run_forgives(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	uint64_t now = S;

	serve(&p, &c);
	for (unsigned i = 0; i < 50; i++) {
		now += BACKOFF_HEALTHY_NS + S;
		policy_gone(&p, 0, now);
		assert_int_equal(run(&p, now).spawn, 1);
		ready_all(&p, now);
	}
}

static void a_retiring_worker_that_stays_is_killed_after_its_mercy(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	struct tally t;

	c.max_requests = 1;
	c.max_requests_delta = 0;
	serve(&p, &c);
	(void)policy_served(&p, 0);
	(void)run(&p, 10 * S);
	ready_all(&p, 10 * S);
	assert_int_equal(run(&p, 10 * S).retire, 1);
	assert_int_equal(policy_wake_ns(&p, 10 * S), 70 * S);
	assert_int_equal(run(&p, 70 * S - 1).stacks, 0);
	t = run(&p, 70 * S);
	assert_int_equal(t.stacks, 1);
	assert_int_equal(t.last_why, WHY_MERCY);
	assert_int_equal(t.kill, 0);
	t = run(&p, 70 * S + STACKS_GRACE_MS * NS_PER_MS);
	assert_int_equal(t.kill, 1);
	assert_int_equal(run(&p, 200 * S).kill,
			 0); /* a process in D state is killed once, and waited for */
}

static void a_kill_leaves_time_for_the_stacks_and_a_replacement_comes_at_once(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	struct tally t;

	serve(&p, &c);
	policy_kill(&p, 0, 5 * S);
	t = run(&p, 5 * S);
	assert_int_equal(t.kill, 0);
	assert_int_equal(t.spawn, 1);
	assert_int_equal(policy_wake_ns(&p, 5 * S), 5 * S + STACKS_GRACE_MS * NS_PER_MS);
	t = run(&p, 5 * S + STACKS_GRACE_MS * NS_PER_MS);
	assert_int_equal(t.kill, 1);
	assert_int_equal(t.last_why, WHY_ASKED);
}

static void too_many_deaths_before_ready_fail_the_generation(_unused_ void **state)
{
	struct policy_config c = config_of(2);
	struct policy p;
	uint64_t now = S;
	unsigned deaths = 0;
	struct tally t = {0};

	policy_init(&p, &c, now);
	(void)run(&p, now);
	policy_mold_ready(&p);
	(void)run(&p, now);
	while (!t.fail) {
		for (unsigned i = 0; i < p.config.capacity; i++) {
			if (p.slot[i].state != SLOT_STARTING)
				continue;
			policy_gone(&p, i, now);
			deaths++;
			break;
		}
		t = run(&p, now);
		if (!t.fail && count_state(&p, SLOT_STARTING) == 0)
			t = run(&p, now = policy_wake_ns(&p, now));
		assert_true(deaths <= 4);
	}
	assert_int_equal(deaths, 4);
	assert_true(now < 10 * S);
	/* Forks are under way: the mold has a moment to say whom it made. */
	assert_int_equal(t.mold_kill, 0);
	assert_int_equal(run(&p, policy_wake_ns(&p, now)).mold_kill, 1);
}

static void a_worker_that_says_it_cannot_start_fails_the_generation_at_once(_unused_ void **state)
{
	struct policy_config c = config_of(4);
	struct policy p;
	struct tally t;

	policy_init(&p, &c, S);
	(void)run(&p, S);
	policy_mold_ready(&p);
	(void)run(&p, S);
	policy_forked(&p, 2);
	policy_start_failed(&p, 2, 2 * S);
	t = run(&p, 2 * S);
	assert_int_equal(t.fail, 1);
	assert_int_equal(t.kill, 4);
	/* The mold may answer for the forks that were asked of it: no process without a known pid. */
	assert_int_equal(t.mold_kill, 0);
	assert_true(policy_wake_ns(&p, 2 * S) > 2 * S);
	policy_forked(&p, 0);
	policy_forked(&p, 1);
	assert_int_equal(run(&p, 2 * S).mold_kill, 0);
	policy_forked(&p, 3);
	assert_int_equal(run(&p, 2 * S).mold_kill, 1);
	assert_int_equal(run(&p, 200 * S).fail, 0);
}

static void a_start_that_takes_too_long_shows_where_it_hangs_then_fails(_unused_ void **state)
{
	struct policy_config c = config_of(2);
	struct policy p;
	struct tally t;
	uint64_t late;

	policy_init(&p, &c, S);
	(void)run(&p, S);
	policy_mold_ready(&p);
	(void)run(&p, S);
	policy_ready(&p, 0, S);
	assert_int_equal(policy_wake_ns(&p, S), 61 * S);
	t = run(&p, 61 * S);
	assert_int_equal(t.stacks, 1);
	assert_int_equal(t.fail, 0);
	late = 61 * S + STACKS_GRACE_MS * NS_PER_MS;
	assert_int_equal(policy_wake_ns(&p, 61 * S), late);
	t = run(&p, late);
	assert_int_equal(t.fail, 1);
	assert_int_equal(t.kill, 2);
}

static void nothing_fails_a_generation_that_has_served(_unused_ void **state)
{
	struct policy_config c = config_of(2);
	struct policy p;
	uint64_t now = S;

	serve(&p, &c);
	for (unsigned i = 0; i < 300; i++) {
		struct tally t;

		policy_gone(&p, 0, now);
		policy_gone(&p, 1, now);
		policy_gone(&p, 2, now);
		policy_mold_gone(&p, now);
		t = run(&p, now);
		assert_int_equal(t.fail, 0);
		if (p.mold == MOLD_STARTING && i % 3)
			policy_mold_failed(&p, now);
		else
			policy_mold_ready(&p);
		assert_int_equal(run(&p, now).fail, 0);
		now = MAX(now + 1, policy_wake_ns(&p, now));
	}
	/* And it comes back when the fault is mended. */
	policy_mold_gone(&p, now);
	for (unsigned i = 0; i < 20 && count_state(&p, SLOT_READY) < 2; i++) {
		now += 120 * S;
		(void)run(&p, now);
		policy_mold_ready(&p);
		(void)run(&p, now);
		ready_all(&p, now);
	}
	assert_int_equal(count_state(&p, SLOT_READY), 2);
}

static void a_mold_that_dies_while_serving_costs_no_worker(_unused_ void **state)
{
	struct policy_config c = config_of(4);
	struct policy p;
	struct tally t;

	serve(&p, &c);
	policy_mold_gone(&p, 2 * S);
	t = run(&p, 2 * S);
	assert_int_equal(t.mold_spawn, 1);
	assert_int_equal(t.kill + t.retire, 0);
	policy_mold_gone(&p, 2 * S);
	t = run(&p, 2 * S);
	assert_int_equal(t.mold_spawn, 0); /* the second time it waits */
	assert_int_equal(run(&p, policy_wake_ns(&p, 2 * S)).mold_spawn, 1);
	assert_int_equal(count_state(&p, SLOT_READY), 4);
}

/* Makes and loses a mold n times as soon as it may be made, from *at_ns on; the longest wait. */
static uint64_t lose_molds(struct policy *p, unsigned n, bool ready, uint64_t *at_ns)
{
	uint64_t longest = 0;

	while (n-- > 0) {
		uint64_t next;

		policy_mold_gone(p, *at_ns);
		next = run(p, *at_ns).mold_spawn ? *at_ns : policy_wake_ns(p, *at_ns);
		longest = MAX(longest, next - *at_ns);
		*at_ns = next;
		(void)run(p, *at_ns);
		assert_int_equal(p->mold, MOLD_STARTING);
		if (ready)
			policy_mold_ready(p);
	}
	return longest;
}

static void a_mold_that_had_been_ready_is_back_within_seconds(_unused_ void **state)
{
	struct policy_config c = config_of(4);
	struct policy p;
	uint64_t at_ns = 2 * S;

	serve(&p, &c);
	assert_in_range(lose_molds(&p, 20, true, &at_ns), POLICY_REMOLD_NS / 2, POLICY_REMOLD_NS);
	/* One that cannot import at all costs an import for each try, and the workers serve. */
	assert_in_range(lose_molds(&p, 12, false, &at_ns), BACKOFF_MAX_NS / 2, BACKOFF_MAX_NS);
	/* But nobody waits that long where none serves. */
	policy_mold_gone(&p, at_ns);
	assert_int_equal(run(&p, at_ns).mold_spawn, 0);
	for (unsigned i = 0; i < c.capacity; i++)
		policy_gone(&p, i, at_ns);
	assert_int_equal(run(&p, at_ns).mold_spawn, 0);
	assert_int_equal(policy_wake_ns(&p, at_ns), at_ns + POLICY_REMOLD_NS);
	assert_int_equal(run(&p, at_ns + POLICY_REMOLD_NS).mold_spawn, 1);
	at_ns += POLICY_REMOLD_NS;
	assert_in_range(lose_molds(&p, 10, false, &at_ns), 1, POLICY_REMOLD_NS);
}

static void a_mold_that_hangs_in_a_fork_is_killed_and_made_again(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	struct tally t;
	uint64_t late = 62 * S;

	serve(&p, &c);
	policy_gone(&p, 0, 2 * S);
	assert_int_equal(run(&p, 2 * S).spawn, 1);
	(void)run(&p, late);
	assert_int_equal(p.mold, MOLD_KILLING);
	t = run(&p, late + STACKS_GRACE_MS * NS_PER_MS);
	assert_int_equal(t.mold_kill, 1);
	policy_mold_gone(&p, late + S);
	policy_gone(&p, 0, late + S);
	t = run(&p, late + S);
	assert_int_equal(t.mold_spawn, 1);
}

static void a_worker_that_leaves_by_itself_is_replaced_without_a_storm(_unused_ void **state)
{
	struct policy_config c = config_of(1);
	struct policy p;
	unsigned spawns = 0;

	serve(&p, &c);
	for (uint64_t now = S; now < 11 * S; now += 10 * NS_PER_MS) {
		for (unsigned i = 0; i < 2; i++) {
			policy_ready(&p, i, now);
			policy_leaves(&p, i, now);
			policy_gone(&p, i, now);
		}
		spawns += run(&p, now).spawn;
	}
	assert_in_range(spawns, 4, 14); /* two numbers: at once, then after 0.5, 1, 2, 4 s */
}

static void a_stop_retires_everyone_then_kills_what_is_left(_unused_ void **state)
{
	struct policy_config c = config_of(3);
	struct policy p;
	struct tally t;

	serve(&p, &c);
	policy_stop(&p, 10 * S, 5 * S);
	t = run(&p, 10 * S);
	assert_int_equal(t.retire, 3);
	assert_int_equal(t.mold_quit, 1);
	policy_gone(&p, 0, 11 * S);
	policy_gone(&p, 1, 11 * S);
	policy_mold_gone(&p, 11 * S);
	t = run(&p, 11 * S);
	assert_int_equal(t.spawn + t.mold_spawn + t.stopped, 0);
	assert_int_equal(run(&p, 15 * S).stacks, 1);
	assert_int_equal(run(&p, 16 * S).kill, 1);
	policy_gone(&p, 2, 16 * S);
	assert_int_equal(run(&p, 16 * S).stopped, 1);
	assert_int_equal(run(&p, 17 * S).stopped, 0);
}

static void a_stop_without_grace_kills_at_once(_unused_ void **state)
{
	struct policy_config c = config_of(3);
	struct policy p;
	struct tally t;

	serve(&p, &c);
	policy_stop(&p, 10 * S, 60 * S);
	assert_int_equal(run(&p, 10 * S).kill, 0);
	policy_stop(&p, 11 * S, 0); /* the second ctrl-c */
	t = run(&p, 11 * S);
	assert_int_equal(t.kill, 3);
	assert_int_equal(t.mold_kill, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crashed_worker_is_back_at_once_then_later_and_later),
		cmocka_unit_test(who_dies_at_work_is_back_within_a_second_however_often),
		cmocka_unit_test(who_dies_idle_after_ready_waits_longer_each_time),
		cmocka_unit_test(a_healthy_run_forgives),
		cmocka_unit_test(a_retiring_worker_that_stays_is_killed_after_its_mercy),
		cmocka_unit_test(a_kill_leaves_time_for_the_stacks_and_a_replacement_comes_at_once),
		cmocka_unit_test(too_many_deaths_before_ready_fail_the_generation),
		cmocka_unit_test(a_worker_that_says_it_cannot_start_fails_the_generation_at_once),
		cmocka_unit_test(a_start_that_takes_too_long_shows_where_it_hangs_then_fails),
		cmocka_unit_test(nothing_fails_a_generation_that_has_served),
		cmocka_unit_test(a_mold_that_dies_while_serving_costs_no_worker),
		cmocka_unit_test(a_mold_that_had_been_ready_is_back_within_seconds),
		cmocka_unit_test(a_mold_that_hangs_in_a_fork_is_killed_and_made_again),
		cmocka_unit_test(a_worker_that_leaves_by_itself_is_replaced_without_a_storm),
		cmocka_unit_test(a_stop_retires_everyone_then_kills_what_is_left),
		cmocka_unit_test(a_stop_without_grace_kills_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
