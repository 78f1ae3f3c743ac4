/*
 * pool - see pool.h. The turn of the wheel: something happens (a message, an exit, a timer, a call
 * of the front), it is reported to policy, and at the end of the turn policy's actions are carried
 * out until there is none left.
 *
 * Nothing is done from inside a call of the front: pool_kick() lets the loop come back, so
 * callbacks never nest.
 */
#include "vassal/pool/inner.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "shared/err.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/exchange/exchange.h"

#define IDLE_RARER    10 /* measuring, when nothing is served: so many times as rare */
#define STACKS_TURN_S 0.02
#define IDLE_TICKS    3 /* seconds without a request until measuring slows down */
#define LOOK_S        ((double)POLICY_GROW_NS / 1e9)
#define STEP_MIN_S    1e-3 /* the loop's clock may lag behind ours: no busy turn before a deadline */

/*
 * asked_ns: when policy had nothing more to do. What has fallen due since is due at once; reckoned from now it would count as
 * seen, and nothing would ever happen again.
 */
static void arm(struct pool *pool, uint64_t asked_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t at_ns = policy_wake_ns(&pool->policy, asked_ns);
	uint64_t wait_ns = at_ns > now_ns ? at_ns - now_ns : 0;

	ev_timer_stop(pool->loop, &pool->step);
	if (!at_ns)
		return;
	ev_timer_set(&pool->step, MAX((double)wait_ns / 1e9, STEP_MIN_S), 0.);
	ev_timer_start(pool->loop, &pool->step);
}

static void mark_idle(struct pool *pool, uint64_t now_ns)
{
	for (unsigned i = 0; i < pool->policy.config.capacity; i++) {
		enum slot_state state = pool->policy.slot[i].state;

		if (state == SLOT_READY || state == SLOT_RETIRING)
			policy_idle(&pool->policy, i,
				    !exchange_worker_holds(pool->setup.exchange, i), now_ns);
	}
}

/* What only the exchange and the front know, before policy is asked. */
static void look_around(struct pool *pool, uint64_t now_ns)
{
	bool idle = policy_wants_idle(&pool->policy);
	uint64_t oldest_ns = 0;

	if (idle)
		mark_idle(pool, now_ns);
	if (pool->events.waiting && (idle || policy_wants_pressure(&pool->policy))) {
		unsigned waiting = pool->events.waiting(pool->arg, &oldest_ns);

		policy_pressure(&pool->policy, waiting, oldest_ns, now_ns);
	}
}

/* Workers that are missing wait for it. */
static void show_mold(const struct pool *pool, char line[BOARD_LINE])
{
	const struct policy *p = &pool->policy;
	uint64_t now_ns = clock_now_ns();
	uint64_t due_ns = policy_mold_due_ns(p, now_ns);

	if (p->mold == MOLD_NONE)
		(void)snprintf(line, BOARD_LINE, "%.120s: another in %llu s at most",
			       pool->mold.why,
			       (due_ns > now_ns ? due_ns - now_ns : 0) / NS_PER_S + 1);
	else
		(void)snprintf(line, BOARD_LINE, "%.120s: another starts", pool->mold.why);
}

/* For emperorctl status. */
static void show_target(struct pool *pool)
{
	const struct policy *p = &pool->policy;
	char *line = pool->setup.bank->pool;

	if (p->phase == PHASE_SERVE && pool->mold.why[0] && p->mold != MOLD_READY)
		show_mold(pool, line);
	else if (p->phase != PHASE_SERVE || p->target == p->config.processes)
		(void)snprintf(line, BOARD_LINE, "%s", pool->refork.why);
	else if (p->target == 0)
		(void)snprintf(line, BOARD_LINE, "naps: the next request has a worker forked");
	else
		(void)snprintf(line, BOARD_LINE, "%u of %u processes %s enough just now (least %u)",
			       p->target, p->config.processes, p->target == 1 ? "is" : "are",
			       p->config.least);
}

/* The request that was waited for may have been taken since: then those that wait now are the reason left to tell. */
static void tell_growth(struct pool *pool)
{
	const struct policy *p = &pool->policy;
	uint64_t waited_ms = (clock_now_ns() - p->oldest_ns) / NS_PER_MS;

	if (waited_ms > 0)
		pool_event(pool, EVENT_NOTE, 0,
			   "%u of %u processes from now on: a request waited %" PRIu64 " ms",
			   p->target, p->config.processes, waited_ms);
	else
		pool_event(pool, EVENT_NOTE, 0,
			   "%u of %u processes from now on: %u request%s for a worker", p->target,
			   p->config.processes, p->waiting, p->waiting == 1 ? " waits" : "s wait");
}

/* Someone who reads the log must be able to follow the number of workers. */
static void tell_target(struct pool *pool, unsigned before)
{
	const struct policy *p = &pool->policy;

	if (p->phase != PHASE_SERVE || p->target == before)
		return;
	if (p->target == 0)
		pool_event(pool, EVENT_NOTE, 0,
			   "nap: no request for %u s; all workers go, the imported app stays",
			   pool->config.idle_s);
	else if (before == 0)
		pool_event(pool, EVENT_NOTE, 0, "awake: a request ends the nap");
	else if (p->target > before && p->waiting > 0)
		tell_growth(pool);
}

static void on_step(_unused_ struct ev_loop *loop, ev_timer *w, _unused_ int revents)
{
	struct pool *pool = container_of(w, struct pool, step);
	unsigned target = pool->policy.target;
	struct policy_action a;
	uint64_t now_ns;

	pool->pressed = false;
	look_around(pool, clock_now_ns());
	refork_before_nap(pool, clock_now_ns());
	while (policy_next(&pool->policy, now_ns = clock_now_ns(), &a)) {
		tell_target(pool, target);
		target = pool->policy.target;
		act_carry_out(pool, &a);
	}
	tell_target(pool, target);
	show_target(pool);
	arm(pool, now_ns);
}

/* Memory has a limit, or there are more workers than the least. */
static bool watches_closely(const struct pool *pool)
{
	const struct policy *p = &pool->policy;

	for (unsigned i = 0; i < MEMORY_KINDS; i++)
		if (p->config.memory_limit[i])
			return true;
	return p->target > p->config.least;
}

static void on_tick(struct ev_loop *loop, ev_timer *w, _unused_ int revents)
{
	struct pool *pool = container_of(w, struct pool, tick);
	double repeat;

	look_around(pool, clock_now_ns());
	pool->idle_ticks = pool->active ? 0 : pool->idle_ticks + 1;
	pool->active = false;
	repeat = pool->idle_ticks > IDLE_TICKS && !watches_closely(pool) ? IDLE_RARER * pool->tick_s
									 : pool->tick_s;
	/* in a nap there is nobody to look at; the next worker starts the tick again */
	refork_tick(pool, clock_now_ns());
	if (!watch_tick(pool, clock_now_ns()))
		ev_timer_stop(loop, w);
	pool_kick(pool);
	if (!ev_is_active(w) || w->repeat == repeat)
		return;
	w->repeat = repeat;
	ev_timer_again(loop, w);
}

static struct worker *find_worker(struct pool *pool, pid_t pid)
{
	for (unsigned i = 0; i < pool->policy.config.capacity; i++)
		if (pool->worker[i].pid == pid)
			return &pool->worker[i];
	return NULL;
}

static void on_exit_of(struct pool *pool, pid_t pid, int status)
{
	const struct worker *w = find_worker(pool, pid);

	if (pid == pool->mold.pid)
		mold_exited(pool, status);
	else if (w)
		worker_exited(pool, w->number, status);
	else if (refork_exited(pool, pid))
		return;
	else
		exits_add(&pool->exits, pid, status, clock_now_ns());
}

static void on_child(_unused_ struct ev_loop *loop, ev_child *w, _unused_ int revents)
{
	struct pool *pool = container_of(w, struct pool, child);

	if (!WIFEXITED(w->rstatus) && !WIFSIGNALED(w->rstatus))
		return; /* stopped or continued by somebody with a debugger */
	on_exit_of(pool, w->rpid, w->rstatus);
	pool_kick(pool);
}

static bool on_output(void *arg, const char *p, size_t n)
{
	struct pool *pool = arg;

	if (stacks_line(&pool->stacks, p, n, clock_now_ns())) {
		if (!pool->stacks.ended || !ev_is_active(&pool->stacks_timer))
			return false;
		/* the next one need not wait for the timer */
		ev_feed_event(pool->loop, &pool->stacks_timer, EV_CUSTOM);
		return false;
	}
	pool->events.output(pool->arg, p, n);
	return true;
}

static void on_stacks_timer(_unused_ struct ev_loop *loop, ev_timer *w, _unused_ int revents)
{
	asks_turn(container_of(w, struct pool, stacks_timer));
}

static void init_rows(struct pool *pool)
{
	/* An earlier generation may have left its last words in this bank. */
	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		worker_init(pool, i);
	pool->mold.fd = -1;
	refork_init(pool);
}

/* Not an error of pool_start: the front reports it the way it reports a failed import. */
static void choose_engine(struct pool *pool)
{
	const struct vassal_config *c = &pool->config;
	struct err err = {0};

	if (engine_find(pool->setup.engine_dir, c->python, c->home, &pool->engine, &err) == 0)
		return;
	pool_blame(pool, FAIL_ENGINE, "%s", err.text);
	policy_mold_gone(&pool->policy, clock_now_ns());
}

void pool_kick(struct pool *pool)
{
	ev_feed_event(pool->loop, &pool->step, EV_CUSTOM);
}

void pool_event(struct pool *pool, unsigned kind, unsigned worker, const char *fmt, ...)
{
	char text[BOARD_EVENT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pool->events.event(pool->arg, kind, worker, text);
}

void pool_blame(struct pool *pool, enum fail_phase phase, const char *fmt, ...)
{
	va_list ap;

	if (pool->served || pool->fail_phase != FAIL_NONE)
		return;
	pool->fail_phase = phase;
	va_start(ap, fmt);
	(void)vsnprintf(pool->fail_text, sizeof(pool->fail_text), fmt, ap);
	va_end(ap);
}

bool pool_pid_sane(const struct pool *pool, uint64_t pid)
{
	/* kill(0), kill(-1) and kill(1) mean everybody; the rest are the app's own processes in any
	 * case. */
	if (pid <= 1 || pid > INT_MAX || (pid_t)pid == getpid() || (pid_t)pid == pool->mold.pid)
		return false;
	for (unsigned i = 0; i < pool->policy.config.capacity; i++)
		if (pool->worker[i].pid == (pid_t)pid)
			return false;
	return true;
}

int pool_start(struct pool **ret_pool, struct ev_loop *loop, const struct pool_setup *setup,
	       const struct pool_events *events, void *arg, struct err *err)
{
	_cleanup_(freep) struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return err_set(err, -ENOMEM, "out of memory");
	pool->loop = loop;
	pool->tick_s = POOL_TICK_S;
	pool->setup = *setup;
	pool->config = *setup->config;
	pool->events = *events;
	pool->arg = arg;
	r = output_open(&pool->output, loop, on_output, pool, err);
	if (r < 0)
		return r;
	init_rows(pool);
	settings_init(pool);
	choose_engine(pool);
	ev_child_init(&pool->child, on_child, 0, 0);
	ev_child_start(loop, &pool->child);
	ev_init(&pool->step, on_step);
	ev_init(&pool->tick, on_tick);
	ev_init(&pool->stacks_timer, on_stacks_timer);
	pool->stacks_timer.repeat = STACKS_TURN_S;
	pool_kick(pool);
	*ret_pool = TAKE_PTR(pool);
	return 0;
}

void pool_served(struct pool *pool, unsigned worker)
{
	pool->active = true;
	if (pool->tick.repeat > pool->tick_s) {
		pool->tick.repeat = pool->tick_s;
		pool->idle_ticks = 0;
		ev_timer_again(pool->loop, &pool->tick);
	}
	pool->worker[worker].served++;
	/* after a nap the others follow the first answer */
	if (policy_served(&pool->policy, worker) || pool->policy.target < pool->policy.config.least)
		pool_kick(pool);
}

bool pool_wants_pressure(const struct pool *pool)
{
	return policy_wants_pressure(&pool->policy);
}

/* Nobody waits just now, but all may be busy: who comes next is to be noticed in time. */
static void look_again(struct pool *pool)
{
	if (ev_is_active(&pool->step) && ev_timer_remaining(pool->loop, &pool->step) <= LOOK_S)
		return;
	ev_timer_stop(pool->loop, &pool->step);
	ev_timer_set(&pool->step, LOOK_S, 0.);
	ev_timer_start(pool->loop, &pool->step);
}

void pool_pressure(struct pool *pool)
{
	/* once for all that waits: the timer that is armed now asks again */
	if (pool->pressed)
		return;
	pool->pressed = true;
	look_around(pool, clock_now_ns());
	arm(pool, clock_now_ns());
	look_again(pool); /* what has just fallen due is seen then */
	if (pool->policy.target == 0)
		pool_kick(pool);
}

void pool_kill(struct pool *pool, unsigned worker, const char *why)
{
	enum slot_state state = pool->policy.slot[worker].state;

	if (state == SLOT_EMPTY || state == SLOT_KILLING)
		return;
	worker_set_why(pool, worker, why);
	if (strncmp(why, POOL_HARAKIRI, sizeof(POOL_HARAKIRI) - 1) == 0)
		board_add(&pool->setup.bank->worker[worker].harakiris, 1);
	policy_kill(&pool->policy, worker, clock_now_ns());
	asks_doom(pool, worker);
	pool_kick(pool);
}

void pool_renew(struct pool *pool, unsigned worker, enum pool_renewal why)
{
	policy_due(&pool->policy, worker, why == POOL_RENEW_STUCK ? WHY_STUCK : WHY_BUDGET);
	pool_kick(pool);
}

void pool_stacks(struct pool *pool, unsigned worker)
{
	asks_stacks(pool, worker, STACKS_LOOK);
}

void pool_look(struct pool *pool, unsigned worker, uint64_t since_ns, struct pool_look *ret)
{
	watch_look(pool, worker, since_ns, ret);
}

void pool_interrupt(struct pool *pool, unsigned worker)
{
	asks_interrupt(pool, worker);
}

bool pool_interrupt_waits(const struct pool *pool, unsigned worker)
{
	return pool->stacks.wanted[worker] == STACKS_INTERRUPT;
}

void pool_stop(struct pool *pool, unsigned grace_s)
{
	policy_stop(&pool->policy, clock_now_ns(), grace_s * NS_PER_S);
	refork_end(pool);
	pool_kick(pool);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	ev_clear_pending(pool->loop, &pool->step);
	ev_timer_stop(pool->loop, &pool->step);
	ev_timer_stop(pool->loop, &pool->tick);
	ev_clear_pending(pool->loop, &pool->stacks_timer);
	ev_timer_stop(pool->loop, &pool->stacks_timer);
	ev_child_stop(pool->loop, &pool->child);
	refork_end(pool);
	mold_kill(pool, false);
	mold_close(pool);
	for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
		if (pool->worker[i].pid > 0)
			(void)kill(pool->worker[i].pid, SIGKILL);
		worker_close(&pool->worker[i]);
	}
	output_done(&pool->output);
	free(pool);
}
