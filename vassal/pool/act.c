/*
 * act - what policy has decided is done here, one action at a time: processes are begun, asked to leave or ended, and
 * the front hears that the generation is ready, has failed or has stopped.
 *
 * Called by the turn of the wheel (pool.c) alone. What an action leads to comes back as an event of its own.
 */
#include "vassal/pool/inner.h"

#include <stdio.h>
#include <string.h>

#include "vassal/pool/recycle.h"

static void fill_failure(struct pool *pool, enum policy_reason why)
{
	if (why == WHY_STARTUP)
		pool_blame(pool, FAIL_START, "not ready within %u s (startup-timeout)",
			   pool->config.startup_timeout_s);
	else if (why == WHY_DEATHS)
		pool_blame(pool, FAIL_START,
			   "workers died before all were ready, %u in all; the last: %s",
			   pool->policy.start_deaths, pool->last_death);
	else
		pool_blame(pool, FAIL_START, "could not start");
}

/* Who was told why by the app itself needs no last words; a silent death is explained by what was
 * printed. */
static void on_fail(struct pool *pool, enum policy_reason why)
{
	size_t n;
	bool silent = pool->fail_phase == FAIL_NONE || pool->fail_phase == FAIL_ENGINE;

	output_drain(&pool->output);
	fill_failure(pool, why);
	n = strlen(pool->fail_text);
	if (silent && pool->output.tail_n > 0)
		(void)snprintf(pool->fail_text + n, sizeof(pool->fail_text) - n, "\n%.*s",
			       (int)pool->output.tail_n, pool->output.tail);
	pool->over = true;
	pool->output.keep_tail = false;
	pool->events.failed(pool->arg, pool->fail_phase, pool->fail_text);
}

static void on_ready(struct pool *pool)
{
	pool->served = true;
	pool->output.keep_tail = false;
	pool->tick.repeat = pool->tick_s;
	ev_timer_again(pool->loop, &pool->tick);
	if (pool->policy.config.processes < pool->config.processes)
		pool_event(pool, EVENT_NOTE, 0,
			   "%u of %u processes serve: %u is the most with %u threads, and a "
			   "replacement needs room",
			   pool->policy.config.processes, pool->config.processes,
			   pool->policy.config.capacity, pool->config.threads);
	pool->events.ready(pool->arg, pool->mold.import_us, pool->policy.target);
}

static void on_stopped(struct pool *pool)
{
	output_drain(&pool->output);
	ev_timer_stop(pool->loop, &pool->tick);
	ev_timer_stop(pool->loop, &pool->stacks_timer);
	pool->over = true;
	pool->events.stopped(pool->arg);
}

static void explain_kill(struct pool *pool, const struct policy_action *a)
{
	const struct vassal_config *c = &pool->config;
	char why[POOL_WHY];

	if (a->why == WHY_MERCY && pool->policy.phase == PHASE_STOP)
		(void)snprintf(why, sizeof(why), "did not leave while the app was being stopped");
	else if (a->why == WHY_MERCY)
		(void)snprintf(why, sizeof(why), "did not leave within %u s (worker-reload-mercy)",
			       c->worker_mercy_s);
	else if (a->why == WHY_STARTUP)
		(void)snprintf(why, sizeof(why), "was not ready within %u s (startup-timeout)",
			       c->startup_timeout_s);
	else if (a->why == WHY_STOP)
		(void)snprintf(why, sizeof(why), "the app is being stopped");
	else if (a->why == WHY_EVIL_RSS || a->why == WHY_EVIL_AS)
		recycle_describe(pool, a->worker, a->why, why, sizeof(why));
	else
		return; /* said when it was asked for */
	worker_set_why(pool, a->worker, why);
}

static void mold_stuck(struct pool *pool)
{
	if (pool->served)
		pool_event(pool, EVENT_NOTE, 0,
			   "the mold hangs; its stacks follow, then it is killed and made again");
	mold_kill(pool, true);
}

void act_carry_out(struct pool *pool, const struct policy_action *a)
{
	switch (a->kind) {
	case ACTION_MOLD_SPAWN:
		mold_spawn(pool);
		break;
	case ACTION_MOLD_QUIT:
		mold_quit(pool);
		break;
	case ACTION_MOLD_STACKS:
		mold_stuck(pool);
		break;
	case ACTION_MOLD_KILL:
		mold_kill(pool, false);
		break;
	case ACTION_SPAWN:
		worker_spawn(pool, a->worker);
		break;
	case ACTION_RETIRE:
		worker_retire(pool, a->worker);
		break;
	case ACTION_STACKS:
		explain_kill(pool, a);
		asks_doom(pool, a->worker);
		break;
	case ACTION_KILL:
		explain_kill(pool, a);
		worker_kill(pool, a->worker);
		break;
	case ACTION_READY:
		on_ready(pool);
		break;
	case ACTION_FAIL:
		on_fail(pool, a->why);
		break;
	case ACTION_STOPPED:
		on_stopped(pool);
		break;
	case ACTION_NONE:
		break;
	}
}
