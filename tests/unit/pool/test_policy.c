/*
 * policy: cells of the table of what happens when, and a random walk that checks the promises of
 * policy.h at each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/pool/policy.h"

#define S NS_PER_S

struct tally {
	unsigned spawn, retire, stacks, kill, ready, fail, stopped, mold_spawn, mold_quit,
		mold_kill;
	unsigned last_worker;
	enum policy_reason last_why;
};

static struct policy_config config_of(unsigned processes)
{
	return (struct policy_config){.processes = processes,
				      .numbers = policy_numbers(processes, 1),
				      .capacity = policy_capacity(processes, 1),
				      .least = processes,
				      .initial = processes,
				      .step = 1,
				      .max_requests_delta = UINT64_MAX,
				      .startup_ns = 60 * S,
				      .mercy_ns = 60 * S,
				      .seed = 7};
}

static void note(struct tally *t, const struct policy_action *a)
{
	t->spawn += a->kind == ACTION_SPAWN;
	t->retire += a->kind == ACTION_RETIRE;
	t->stacks += a->kind == ACTION_STACKS;
	t->kill += a->kind == ACTION_KILL;
	t->ready += a->kind == ACTION_READY;
	t->fail += a->kind == ACTION_FAIL;
	t->stopped += a->kind == ACTION_STOPPED;
	t->mold_spawn += a->kind == ACTION_MOLD_SPAWN;
	t->mold_quit += a->kind == ACTION_MOLD_QUIT;
	t->mold_kill += a->kind == ACTION_MOLD_KILL;
	t->last_worker = a->worker;
	t->last_why = a->why;
}

static struct tally run(struct policy *p, uint64_t now_ns)
{
	struct policy_action a;
	struct tally t = {0};
	unsigned turns = 0;

	while (policy_next(p, now_ns, &a)) {
		note(&t, &a);
		assert_true(++turns <
			    1000); /* a policy that never comes to an end would hang the front */
	}
	return t;
}

static unsigned count_state(const struct policy *p, enum slot_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->config.capacity; i++)
		n += p->slot[i].state == state;
	return n;
}

static void ready_all(struct policy *p, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (p->slot[i].state == SLOT_STARTING)
			policy_ready(p, i, now_ns);
}

/* A generation that serves, begun at 1 s. */
static void serve(struct policy *p, const struct policy_config *c)
{
	struct tally t;

	policy_init(p, c, S);
	assert_int_equal(run(p, S).mold_spawn, 1);
	policy_mold_ready(p);
	while (p->phase == PHASE_START) {
		(void)run(p, S);
		ready_all(p, S);
		t = run(p, S);
	}
	assert_int_equal(t.ready, 1);
	assert_int_equal(p->phase, PHASE_SERVE);
	assert_int_equal(count_state(p, SLOT_READY), c->processes);
}

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

/* -- the random walk
 * ------------------------------------------------------------------------------------ */

struct walk {
	struct policy p;
	uint64_t now_ns;
	uint32_t random;
	bool crashed; /* since the last look: readiness may fall for that reason */
	uint64_t spawns[LIMIT_WORKERS][3]; /* the last three of each number, newest first */
	unsigned ready_before;
	bool waking; /* from a nap: the target may be below the least */
};

static uint32_t draw(struct walk *w, uint32_t below)
{
	w->random = w->random * 1664525U + 1013904223U;
	return (w->random >> 8) % below;
}

static unsigned count_recycled(const struct policy *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->config.capacity; i++)
		n += p->slot[i].state == SLOT_RETIRING && p->slot[i].why != WHY_SURPLUS;
	return n;
}

static void check_target(struct walk *w)
{
	const struct policy *p = &w->p;

	assert_true(p->target <= p->config.processes);
	if (p->target == 0)
		w->waking = true;
	else if (p->target >= p->config.least)
		w->waking = false;
	else
		assert_true(w->waking);
	if (p->config.initial > 0 && p->config.idle_ns == 0)
		assert_true(p->target >= p->config.least);
	if (p->waiting > 0)
		assert_true(p->target > 0);
}

static void check_action(struct walk *w, const struct policy_action *a)
{
	const struct policy *p = &w->p;
	uint64_t *last = w->spawns[a->worker];

	if (a->kind == ACTION_RETIRE) {
		assert_true(count_state(p, SLOT_READY) >= p->target);
		if (a->why == WHY_SURPLUS)
			assert_true(p->slot[a->worker].idle);
		else
			assert_true(count_recycled(p) <= MAX(1U, p->target / 4));
	}
	if (a->kind == ACTION_SPAWN) {
		assert_true(a->worker < p->config.numbers);
		/* those that serve or will, and a successor for each that is being replaced */
		assert_true(count_state(p, SLOT_STARTING) + count_state(p, SLOT_READY) <=
			    p->target + MAX(1U, p->target / 4));
		assert_int_equal(p->phase == PHASE_START || p->phase == PHASE_SERVE, true);
		/* Three within a third of a second: only recycling, which needs a ready replacement
		 * each, may do so. */
		if (last[2])
			assert_true(w->now_ns - last[2] >= 300 * NS_PER_MS);
		last[2] = last[1];
		last[1] = last[0];
		last[0] = w->now_ns;
	}
	assert_int_not_equal(a->kind, ACTION_FAIL);
}

static void forget_spawns(struct walk *w, unsigned n)
{
	memset(w->spawns[n], 0, sizeof(w->spawns[n]));
}

/* True: a worker is to be killed for it, and that is no recycling. */
static bool measure(struct policy *p, unsigned n, uint64_t bytes)
{
	(void)policy_measured(p, n, MEMORY_RSS, bytes);
	(void)policy_measured(p, n, MEMORY_EVIL_RSS, bytes);
	return p->slot[n].condemned != WHY_NONE;
}

static void reconfigure(struct walk *w)
{
	struct policy_config c = w->p.config;

	c.processes = 1 + draw(w, policy_most(c.capacity));
	c.numbers = MIN(policy_numbers(c.processes, 1), c.capacity);
	c.least = draw(w, 2) ? c.processes : 1 + draw(w, c.processes);
	c.step = 1 + draw(w, 3);
	c.max_lifetime_ns = draw(w, 2) ? 20 * S : 0;
	policy_configure(&w->p, &c);
	w->waking = true;
}

static void happen(struct walk *w)
{
	struct policy *p = &w->p;
	unsigned n = draw(w, p->config.capacity);

	switch (draw(w, 16)) {
	case 12:
		policy_pressure(p, draw(w, 3), w->now_ns - draw(w, 40) * NS_PER_MS, w->now_ns);
		break;
	case 13:
		for (unsigned i = 0; i < p->config.capacity; i++)
			policy_idle(p, i, draw(w, 8) > 0, w->now_ns);
		break;
	case 14:
		if (draw(w, 200) == 0)
			reconfigure(w);
		break;
	case 15:
		/* a quiet while */
		if (draw(w, 20) == 0)
			w->now_ns += (uint64_t)draw(w, 40) * S;
		break;
	case 0:
	case 1:
	case 2:
		policy_ready(p, n, w->now_ns);
		break;
	case 3:
		for (unsigned i = 0; i < 20; i++)
			(void)policy_served(p, n);
		break;
	case 4:
		(void)policy_served(p, n);
		for (unsigned i = 0; i < POLICY_OVER_CHECKS; i++)
			w->crashed |= measure(p, n, draw(w, 300));
		break;
	case 5:
	case 6:
		if (p->slot[n].state == SLOT_RETIRING) {
			policy_gone(p, n, w->now_ns);
			forget_spawns(w, n);
		} else if (p->slot[n].killed) {
			policy_gone(p, n, w->now_ns);
		}
		break;
	case 7:
		if (draw(w, 3) == 0) {
			w->crashed = w->crashed || p->slot[n].state == SLOT_READY;
			if (p->slot[n].state == SLOT_RETIRING)
				forget_spawns(w, n);
			policy_gone(p, n, w->now_ns);
		}
		break;
	case 8:
		if (draw(w, 5) == 0) {
			w->crashed = w->crashed || p->slot[n].state == SLOT_READY;
			policy_kill(p, n, w->now_ns);
		}
		break;
	case 9:
		if (draw(w, 40) == 0)
			policy_mold_gone(p, w->now_ns);
		break;
	case 10:
		policy_mold_ready(p);
		break;
	default:
		w->now_ns += (uint64_t)draw(w, 300) * NS_PER_MS;
	}
}

static void step(struct walk *w)
{
	struct policy_action a;
	unsigned turns = 0;

	w->crashed = false;
	w->ready_before = count_state(&w->p, SLOT_READY);
	happen(w);
	while (policy_next(&w->p, w->now_ns, &a)) {
		check_action(w, &a);
		assert_true(++turns < 1000);
	}
	/* Readiness falls through crashes and kills alone, never through recycling. */
	if (!w->crashed && w->ready_before >= w->p.target)
		assert_true(count_state(&w->p, SLOT_READY) >= w->p.target);
	check_target(w);
}

static void a_random_walk_keeps_every_promise(_unused_ void **state)
{
	static const unsigned processes[] = {1, 2, 4, 9, 40};

	for (unsigned seed = 1; seed <= 60; seed++) {
		struct policy_config c = config_of(processes[seed % ARRAY_SIZE(processes)]);
		static struct walk w;

		w = (struct walk){.random = seed * 7919, .now_ns = S};
		c.max_requests = 50;
		c.memory_limit[MEMORY_RSS] = 100;
		c.memory_limit[MEMORY_EVIL_RSS] = 200;
		c.idle_ns = seed % 2 ? 20 * S : 0;
		c.mercy_ns = 2 * S;
		c.startup_ns = 3 * S;
		c.seed = seed;
		serve(&w.p, &c);
		for (unsigned i = 0; i < 20000; i++)
			step(&w);
	}
}

static void a_fork_storm_cannot_be_made(_unused_ void **state)
{
	struct policy_config c = config_of(16);
	struct policy p;
	unsigned spawns = 0;

	serve(&p, &c);
	/* Everything dies the moment it is forked, for a minute. */
	for (uint64_t now = S; now < 61 * S; now += 5 * NS_PER_MS) {
		for (unsigned i = 0; i < p.config.capacity; i++)
			policy_gone(&p, i, now);
		spawns += run(&p, now).spawn;
	}
	/* 20 numbers, each at most: at once, then after 0.5, 1, 2, 4, 8, 16, 32 s (-20 %). */
	assert_true(spawns <= 20 * 9);
	assert_true(spawns >= 20 * 4);
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
		cmocka_unit_test(a_mold_that_hangs_in_a_fork_is_killed_and_made_again),
		cmocka_unit_test(a_worker_that_leaves_by_itself_is_replaced_without_a_storm),
		cmocka_unit_test(a_stop_retires_everyone_then_kills_what_is_left),
		cmocka_unit_test(a_stop_without_grace_kills_at_once),
		cmocka_unit_test(an_old_worker_is_replaced_and_ages_differ),
		cmocka_unit_test(no_worker_is_recycled_before_its_least_lifetime),
		cmocka_unit_test(each_kind_of_memory_has_its_limit_and_its_reason),
		cmocka_unit_test(only_one_request_that_does_not_end_is_no_excuse_for_memory),
		cmocka_unit_test(workers_come_when_a_request_has_waited_and_not_before),
		cmocka_unit_test(who_had_nothing_to_do_for_long_goes_down_to_the_least),
		cmocka_unit_test(all_go_for_a_nap_and_a_request_has_one_back_at_once_then_the_rest),
		cmocka_unit_test(a_nap_can_be_held_and_comes_when_the_hold_is_over),
		cmocka_unit_test(a_request_in_the_hold_puts_the_nap_off),
		cmocka_unit_test(a_pool_may_begin_with_a_nap_but_not_before_its_mold_is_ready),
		cmocka_unit_test(a_nap_ends_although_the_mold_has_to_be_made_again),
		cmocka_unit_test(more_processes_are_forked_at_once_and_fewer_only_lose_idle_ones),
		cmocka_unit_test(a_generation_reserves_room_to_be_scaled_up),
		cmocka_unit_test(a_random_walk_keeps_every_promise),
		cmocka_unit_test(a_fork_storm_cannot_be_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
