/*
 * policy: a random walk that checks the promises of policy.h at each step.
 */
#include "tests/unit/pool/policy_rig.h"

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
		cmocka_unit_test(a_random_walk_keeps_every_promise),
		cmocka_unit_test(a_fork_storm_cannot_be_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
