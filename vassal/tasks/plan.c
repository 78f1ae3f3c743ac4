/*
 * plan - see plan.h.
 *
 * What changes a plan from outside (serve, drain, ended, renew) only notes it; plan_next() alone decides, in this order:
 * deadlines, stop signals, starts.
 */
#include "vassal/tasks/plan.h"

#include "shared/scoreboard.h"

#define MINUTE_S 60

static unsigned room(const struct plan *p)
{
	return p->config.cron && !p->config.unique ? LIMIT_TASK_RUNS : 1;
}

static time_t minute_of(time_t t)
{
	return t - t % MINUTE_S;
}

static int free_run(const struct plan *p)
{
	for (unsigned i = 0; i < room(p); i++)
		if (p->run[i].state == PLAN_RUN_NONE)
			return (int)i;
	return -1;
}

static struct plan_action act(enum plan_action_kind kind, unsigned run, enum plan_why why)
{
	return (struct plan_action){.kind = kind, .run = run, .why = why};
}

void plan_init(struct plan *p, const struct plan_config *config)
{
	*p = (struct plan){.config = *config};
}

void plan_serve(struct plan *p, time_t looked_s)
{
	if (p->phase != PLAN_IDLE)
		return;
	p->phase = PLAN_SERVING;
	p->looked_s = minute_of(looked_s);
	p->wanted = !p->config.cron;
}

void plan_block(struct plan *p, bool blocked)
{
	p->blocked = blocked;
}

static void end_run(struct plan_run *r, uint64_t now_ns, uint64_t grace_ns)
{
	if (r->state == PLAN_RUN_RUNNING) {
		r->state = PLAN_RUN_STOPPING;
		r->deadline_ns = now_ns + grace_ns;
	} else if (r->state == PLAN_RUN_STOPPING) {
		r->deadline_ns = MIN(r->deadline_ns, now_ns + grace_ns);
	}
}

void plan_drain(struct plan *p, uint64_t now_ns, uint64_t grace_ns, bool finish)
{
	p->phase = PLAN_DRAINING;
	p->wanted = false;
	p->due = 0;
	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++) {
		struct plan_run *r = &p->run[i];

		if (!p->config.cron || !finish)
			end_run(r, now_ns, grace_ns);
		else if (r->state == PLAN_RUN_RUNNING)
			r->deadline_ns = r->deadline_ns ? MIN(r->deadline_ns, now_ns + grace_ns)
							: now_ns + grace_ns;
	}
}

void plan_renew(struct plan *p, uint64_t now_ns)
{
	if (p->phase != PLAN_SERVING || p->config.cron)
		return;
	p->broken = false;
	p->early = 0;
	p->wanted = true;
	backoff_reset(&p->backoff);
	end_run(&p->run[0], now_ns, p->config.mercy_ns);
}

/* A daemon's end: when it is tried again. */
static bool judge(struct plan *p, const struct plan_run *r, uint64_t now_ns, uint32_t random)
{
	bool healthy;

	if (r->state != PLAN_RUN_RUNNING)
		return true;
	healthy = backoff_ran(&p->backoff, r->started_ns, now_ns);
	p->early = healthy ? 0 : p->early + 1;
	p->broken = p->config.attempts > 0 && p->early >= p->config.attempts;
	p->wanted = p->phase == PLAN_SERVING && !p->broken;
	(void)backoff_failed(&p->backoff, now_ns, random);
	return healthy;
}

bool plan_ended(struct plan *p, unsigned run, bool ok, uint64_t now_ns, uint32_t random)
{
	struct plan_run *r = &p->run[run];
	bool good =
		p->config.cron ? ok || r->state != PLAN_RUN_RUNNING : judge(p, r, now_ns, random);

	*r = (struct plan_run){0};
	return good;
}

static bool next_deadline(struct plan *p, uint64_t now_ns, struct plan_action *ret)
{
	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++) {
		struct plan_run *r = &p->run[i];
		enum plan_why why = PLAN_WHY_HARAKIRI;

		if (r->state == PLAN_RUN_NONE || r->state == PLAN_RUN_KILLING || !r->deadline_ns ||
		    now_ns < r->deadline_ns)
			continue;
		if (r->state == PLAN_RUN_STOPPING)
			why = PLAN_WHY_MERCY;
		else if (p->phase == PLAN_DRAINING)
			why = PLAN_WHY_STOP;
		r->state = PLAN_RUN_KILLING;
		*ret = act(PLAN_KILL, i, why);
		return true;
	}
	return false;
}

static void start_run(struct plan *p, unsigned i, uint64_t now_ns)
{
	p->run[i].state = PLAN_RUN_RUNNING;
	p->run[i].started_ns = now_ns;
	p->run[i].deadline_ns = p->config.harakiri_ns ? now_ns + p->config.harakiri_ns : 0;
}

static bool next_daemon(struct plan *p, uint64_t now_ns, struct plan_action *ret)
{
	if (!p->wanted || p->blocked || p->run[0].state != PLAN_RUN_NONE ||
	    now_ns < p->backoff.next_ns)
		return false;
	p->wanted = false;
	start_run(p, 0, now_ns);
	*ret = act(PLAN_START, 0, PLAN_WHY_NONE);
	return true;
}

static void look_at_clock(struct plan *p, time_t wall_s)
{
	time_t to = minute_of(wall_s);

	if (to == p->looked_s)
		return;
	for (time_t t = cron_first_due(p->looked_s, to); t <= to; t += MINUTE_S) {
		if (!cron_matches(p->config.when, t) || cron_repeats(p->config.when, p->ran_s, t))
			continue;
		p->due++;
		p->ran_s = t;
	}
	p->looked_s = to;
}

static bool next_timed(struct plan *p, uint64_t now_ns, time_t wall_s, struct plan_action *ret)
{
	int i = free_run(p);

	look_at_clock(p, wall_s);
	if (p->due == 0)
		return false;
	p->due--;
	if (i < 0 || (p->config.unique && p->blocked)) {
		*ret = act(PLAN_SKIP, 0, PLAN_WHY_NONE);
		return true;
	}
	start_run(p, (unsigned)i, now_ns);
	*ret = act(PLAN_START, (unsigned)i, PLAN_WHY_NONE);
	return true;
}

bool plan_next(struct plan *p, uint64_t now_ns, time_t wall_s, struct plan_action *ret)
{
	*ret = act(PLAN_NOTHING, 0, PLAN_WHY_NONE);
	if (next_deadline(p, now_ns, ret))
		return true;
	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++) {
		if (p->run[i].state != PLAN_RUN_STOPPING || p->run[i].told)
			continue;
		p->run[i].told = true;
		*ret = act(PLAN_SIGNAL, i, PLAN_WHY_NONE);
		return true;
	}
	if (p->phase != PLAN_SERVING)
		return false;
	return p->config.cron ? next_timed(p, now_ns, wall_s, ret) : next_daemon(p, now_ns, ret);
}

uint64_t plan_wait_ns(const struct plan *p, uint64_t now_ns, uint64_t wall_ns)
{
	uint64_t at_ns = UINT64_MAX;

	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
		if (p->run[i].state != PLAN_RUN_NONE && p->run[i].state != PLAN_RUN_KILLING &&
		    p->run[i].deadline_ns)
			at_ns = MIN(at_ns, p->run[i].deadline_ns);
	if (p->phase == PLAN_SERVING && p->config.cron)
		at_ns = MIN(at_ns, now_ns + MINUTE_S * NS_PER_S - wall_ns % (MINUTE_S * NS_PER_S));
	else if (p->wanted && !p->blocked && p->run[0].state == PLAN_RUN_NONE)
		at_ns = MIN(at_ns, MAX(p->backoff.next_ns, now_ns));
	return at_ns == UINT64_MAX ? UINT64_MAX : at_ns - MIN(at_ns, now_ns);
}

unsigned plan_running(const struct plan *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
		n += p->run[i].state != PLAN_RUN_NONE;
	return n;
}

static bool any_runs_on(const struct plan *p)
{
	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
		if (p->run[i].state == PLAN_RUN_RUNNING)
			return true;
	return false;
}

unsigned plan_state(const struct plan *p)
{
	if (plan_running(p) > 0)
		return any_runs_on(p) ? TASK_RUNNING : TASK_STOPPING;
	if (p->phase == PLAN_DRAINING)
		return TASK_STOPPED;
	if (p->broken)
		return TASK_BROKEN;
	if (p->phase == PLAN_IDLE || p->config.cron)
		return TASK_WAITING;
	return p->blocked ? TASK_QUEUED : TASK_BACKOFF;
}

bool plan_over(const struct plan *p)
{
	return p->phase == PLAN_DRAINING && plan_running(p) == 0;
}
