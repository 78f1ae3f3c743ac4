/*
 * policy_rig - a policy without a pool: the test says what happens, and counts what is asked for.
 */
#pragma once
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

static inline struct policy_config config_of(unsigned processes)
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

static inline void note(struct tally *t, const struct policy_action *a)
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

static inline struct tally run(struct policy *p, uint64_t now_ns)
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

static inline unsigned count_state(const struct policy *p, enum slot_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->config.capacity; i++)
		n += p->slot[i].state == state;
	return n;
}

static inline void ready_all(struct policy *p, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (p->slot[i].state == SLOT_STARTING)
			policy_ready(p, i, now_ns);
}

/* A generation that serves, begun at 1 s. */
static inline void serve(struct policy *p, const struct policy_config *c)
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
