/*
 * policy_report - the half of the policy that takes down what happened: births, deaths, requests,
 * memory, orders. It decides nothing but who has become due, and how long a number has to wait
 * after its process died.
 */
#include "vassal/pool/policy_inner.h"

/* A failure is forgiven once, then each doubles the wait; a healthy run wipes both. */
static void punish(struct policy *p, struct backoff *b, bool *forgiven, uint64_t started_ns,
		   uint64_t now_ns)
{
	if (backoff_ran(b, started_ns, now_ns))
		*forgiven = false;
	if (*forgiven)
		(void)backoff_failed(b, now_ns, policy_random(p));
	*forgiven = true;
}

/* It could start, and did work: the wait does not grow. */
static void bear(struct policy_slot *s, uint64_t now_ns)
{
	backoff_reset(&s->backoff);
	if (s->forgiven && now_ns - s->spawned_ns < POLICY_RESPAWN_NS)
		s->backoff.next_ns = s->spawned_ns + POLICY_RESPAWN_NS;
	s->forgiven = true;
}

static void fail_start(struct policy *p, enum policy_reason why, uint64_t now_ns)
{
	if (p->phase != PHASE_START || p->fail_ns)
		return;
	p->fail_ns = now_ns;
	p->fail_why = why;
}

/* An age is what it is; the others have to leave a process its least. */
static bool has_least_lifetime(enum policy_reason why)
{
	return why == WHY_REQUESTS || (why >= WHY_RSS && why <= WHY_EVIL_AS);
}

bool policy_become_due(struct policy *p, unsigned worker, enum policy_reason why)
{
	struct policy_slot *s = &p->slot[worker];

	if (s->state != SLOT_READY || s->due)
		return false;
	s->due = why;
	s->due_ns = has_least_lifetime(why) ? s->spawned_ns + p->config.min_lifetime_ns : 0;
	return true;
}

/* Workers are forked together and share one queue: without jitter they would all be due together.
 */
uint64_t policy_draw_served_limit(struct policy *p)
{
	uint64_t max = p->config.max_requests;
	uint64_t delta = p->config.max_requests_delta;

	if (max == 0)
		return 0;
	if (delta == UINT64_MAX)
		delta = max / 10;
	if (delta > UINT64_MAX - 1 - max)
		delta = UINT64_MAX - 1 - max;
	return max + policy_random(p) % (delta + 1);
}

uint64_t policy_draw_expiry(struct policy *p, uint64_t now_ns)
{
	uint64_t max_ms = p->config.max_lifetime_ns / NS_PER_MS;
	uint64_t delta_ms = p->config.max_lifetime_delta_ns == UINT64_MAX
				    ? max_ms / 10
				    : p->config.max_lifetime_delta_ns / NS_PER_MS;
	uint64_t random = (uint64_t)policy_random(p) << 16 ^ policy_random(p);

	if (max_ms == 0)
		return 0;
	return now_ns + (max_ms + random % (delta_ms + 1)) * NS_PER_MS;
}

void policy_init(struct policy *p, const struct policy_config *config, uint64_t now_ns)
{
	*p = (struct policy){.config = *config,
			     .target = config->initial,
			     .random = config->seed ? config->seed : 1};
	p->start_deadline_ns = policy_after(now_ns, config->startup_ns);
}

void policy_mold_ready(struct policy *p)
{
	if (p->mold != MOLD_STARTING)
		return;
	p->mold = MOLD_READY;
	p->mold_imported = true;
	p->mold_deadline_ns = 0;
}

void policy_mold_lost(struct policy *p, uint64_t now_ns)
{
	if (p->mold != MOLD_STARTING && p->mold != MOLD_READY)
		return;
	/* It leaves by itself; an atexit handler that hangs must not keep the next try away. */
	p->mold = MOLD_KILLING;
	p->mold_deadline_ns = now_ns + NS_PER_S;
}

void policy_mold_failed(struct policy *p, uint64_t now_ns)
{
	fail_start(p, WHY_MOLD, now_ns);
	policy_mold_lost(p, now_ns);
}

void policy_mold_gone(struct policy *p, uint64_t now_ns)
{
	fail_start(p, WHY_MOLD, now_ns);
	if (p->mold == MOLD_NONE)
		return;
	p->mold = MOLD_NONE;
	p->mold_deadline_ns = 0;
	p->mold_gone_ns = now_ns;
	p->mold_backoff.max_ns = p->mold_imported ? POLICY_REMOLD_NS : 0;
	punish(p, &p->mold_backoff, &p->mold_forgiven, p->mold_started_ns, now_ns);
}

void policy_forked(struct policy *p, unsigned worker)
{
	p->slot[worker].forked = true;
}

void policy_ready(struct policy *p, unsigned worker, uint64_t now_ns)
{
	struct policy_slot *s = &p->slot[worker];

	s->forked = true;
	if (s->state != SLOT_STARTING)
		return;
	s->state = SLOT_READY;
	s->ready_ns = s->active_ns = now_ns;
	s->idle = true;
	s->deadline_ns = 0;
}

void policy_start_failed(struct policy *p, unsigned worker, uint64_t now_ns)
{
	struct policy_slot *s = &p->slot[worker];

	fail_start(p, WHY_TOLD, now_ns);
	if (s->state == SLOT_STARTING)
		policy_set_killing(s, WHY_TOLD, now_ns + NS_PER_S);
}

void policy_leaves(struct policy *p, unsigned worker, uint64_t now_ns)
{
	struct policy_slot *s = &p->slot[worker];

	if (s->state != SLOT_READY && s->state != SLOT_STARTING)
		return;
	s->state = SLOT_RETIRING;
	s->left = true;
	s->why = WHY_NONE;
	s->deadline_ns = policy_after(now_ns, p->config.mercy_ns);
}

void policy_gone(struct policy *p, unsigned worker, uint64_t now_ns)
{
	struct policy_slot *s = &p->slot[worker];
	bool expected = s->state == SLOT_RETIRING && !s->left;

	if (s->state == SLOT_EMPTY)
		return;
	if (expected) {
		if (backoff_ran(&s->backoff, s->spawned_ns, now_ns))
			s->forgiven = false;
	} else if (s->ready_ns && (s->worked || s->served > 0)) {
		bear(s, now_ns);
	} else {
		punish(p, &s->backoff, &s->forgiven, s->spawned_ns, now_ns);
		if (p->phase == PHASE_START &&
		    ++p->start_deaths >= p->config.processes + POLICY_START_DEATHS)
			fail_start(p, WHY_DEATHS, now_ns);
	}
	*s = (struct policy_slot){.forgiven = s->forgiven, .backoff = s->backoff};
}

void policy_worked(struct policy *p, unsigned worker)
{
	p->slot[worker].worked = true;
}

bool policy_served(struct policy *p, unsigned worker)
{
	struct policy_slot *s = &p->slot[worker];

	s->served++;
	if (!s->served_limit || s->served < s->served_limit)
		return false;
	return policy_become_due(p, worker, WHY_REQUESTS);
}

/* True: over an evil limit for long enough, in one request. */
static bool is_stuck(struct policy_slot *s, enum policy_memory kind)
{
	bool same = !s->idle && s->stuck[kind] > 0 && s->served == s->stuck_served[kind];

	s->stuck[kind] = s->idle ? 0 : same ? s->stuck[kind] + 1 : 1;
	s->stuck_served[kind] = s->served;
	return s->stuck[kind] >= POLICY_OVER_CHECKS;
}

bool policy_measured(struct policy *p, unsigned worker, enum policy_memory kind, uint64_t bytes)
{
	struct policy_slot *s = &p->slot[worker];
	enum policy_reason why = (enum policy_reason)(WHY_RSS + kind);

	if (s->state != SLOT_READY && s->state != SLOT_RETIRING)
		return false;
	if (!p->config.memory_limit[kind] || bytes <= p->config.memory_limit[kind]) {
		s->over[kind] = s->stuck[kind] = 0;
		return false;
	}
	s->over[kind]++;
	if (kind >= MEMORY_EVIL_RSS && is_stuck(s, kind) && !s->condemned) {
		s->condemned = why;
		s->figure = bytes;
		return true;
	}
	/* Who has served nothing is as large as its replacement would be: changing it would never
	 * end. */
	if (s->over[kind] < POLICY_OVER_CHECKS || s->served == 0 ||
	    !policy_become_due(p, worker, why))
		return false;
	s->figure = bytes;
	return true;
}

void policy_due(struct policy *p, unsigned worker, enum policy_reason why)
{
	(void)policy_become_due(p, worker, why);
}

void policy_kill(struct policy *p, unsigned worker, uint64_t now_ns)
{
	struct policy_slot *s = &p->slot[worker];

	if (s->state != SLOT_EMPTY && s->state != SLOT_KILLING)
		policy_set_killing(s, WHY_ASKED, now_ns + STACKS_GRACE_MS * NS_PER_MS);
}

void policy_stop(struct policy *p, uint64_t now_ns, uint64_t grace_ns)
{
	if (p->phase == PHASE_OVER)
		return;
	/* Before it has served nobody holds a request: there is nothing to wait for. */
	p->stop_now =
		p->stop_now || grace_ns == 0 || p->phase == PHASE_START || p->phase == PHASE_FAILED;
	p->stop_deadline_ns = now_ns + grace_ns;
	p->phase = PHASE_STOP;
}
