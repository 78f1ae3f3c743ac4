/*
 * policy_adapt - how many workers are wanted just now: between the least and all of them, by what waits
 * and who has nothing to do; none in a nap.
 *
 * Growth follows the queue: a request that waited POLICY_GROW_NS, while all that were wanted are there,
 * is a reason for a step. A worker without work for POLICY_SHRINK_NS is a reason for one less. A nap ends
 * with one worker, which has the processors for its first page to itself; the others follow when it has
 * answered.
 */
#include "vassal/pool/policy_inner.h"

unsigned policy_numbers(unsigned processes, unsigned threads)
{
	unsigned wanted = processes + MAX(1U, processes / 4);
	unsigned most = MIN((unsigned)LIMIT_WORKERS, (unsigned)LIMIT_LANES / MAX(1U, threads));

	return MIN(wanted, most);
}

unsigned policy_capacity(unsigned processes, unsigned threads)
{
	unsigned reserve = MAX(2 * processes, POLICY_SCALE / MAX(1U, threads));

	return policy_numbers(reserve, threads);
}

unsigned policy_most(unsigned capacity)
{
	return MAX(1U, capacity - 1);
}

struct policy_census policy_count(const struct policy *p, uint64_t now_ns)
{
	struct policy_census c = {0};

	for (unsigned i = 0; i < p->config.capacity; i++) {
		const struct policy_slot *s = &p->slot[i];

		c.alive += s->state != SLOT_EMPTY;
		c.starting += s->state == SLOT_STARTING;
		c.ready += s->state == SLOT_READY;
		c.due += policy_is_due(s, now_ns);
		c.unforked += s->state != SLOT_EMPTY && !s->forked;
		c.recycled += s->state == SLOT_RETIRING && !s->left && s->why != WHY_SURPLUS;
	}
	return c;
}

static bool is_adaptive(const struct policy *p)
{
	return p->config.idle_ns || p->config.least < p->config.processes;
}

/* The wait of a request that more workers would end, begun when all that are wanted had come. */
uint64_t policy_grow_ns(const struct policy *p)
{
	if (p->waiting == 0 || p->target >= p->config.processes)
		return 0;
	return p->target == 0 ? p->oldest_ns : MAX(p->oldest_ns, p->grown_ns) + POLICY_GROW_NS;
}

uint64_t policy_nap_ns(const struct policy *p)
{
	uint64_t at_ns = p->target > 0 ? policy_after(p->active_ns, p->config.idle_ns) : 0;

	return at_ns ? MAX(at_ns, p->nap_hold_ns) : 0;
}

static bool has_answered(const struct policy *p)
{
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (p->slot[i].state == SLOT_READY && p->slot[i].served > 0)
			return true;
	return false;
}

static void grow(struct policy *p, const struct policy_census *c, uint64_t now_ns)
{
	uint64_t at_ns = policy_grow_ns(p);

	if (p->target > 0 && p->target < p->config.least && has_answered(p))
		p->target = p->config.least;
	if (!at_ns || now_ns < at_ns)
		return;
	if (p->target == 0)
		p->target = 1;
	else if (c->starting == 0 && c->ready >= p->target)
		p->target = MIN(p->target + p->config.step, p->config.processes);
	else
		return;
	p->grown_ns = now_ns;
}

/* One for each worker that nobody needed. */
static void shrink(struct policy *p, uint64_t now_ns)
{
	unsigned unused = 0;

	if (p->waiting > 0 || p->target <= p->config.least)
		return;
	for (unsigned i = 0; i < p->config.capacity; i++) {
		const struct policy_slot *s = &p->slot[i];

		unused += s->state == SLOT_READY && s->idle &&
			  now_ns - s->active_ns >= POLICY_SHRINK_NS;
	}
	p->target -= MIN(unused, p->target - p->config.least);
}

static bool all_idle(const struct policy *p)
{
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (p->slot[i].state == SLOT_STARTING ||
		    (p->slot[i].state == SLOT_READY && !p->slot[i].idle))
			return false;
	return true;
}

bool policy_is_to_nap(const struct policy *p, uint64_t now_ns)
{
	return p->phase == PHASE_SERVE && p->config.idle_ns && p->target > 0 &&
	       now_ns - p->active_ns >= p->config.idle_ns && p->waiting == 0 &&
	       policy_count(p, now_ns).ready <= p->target && all_idle(p);
}

void policy_hold_nap(struct policy *p, uint64_t until_ns)
{
	p->nap_hold_ns = until_ns;
}

static void expire(struct policy *p, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->config.capacity; i++) {
		const struct policy_slot *s = &p->slot[i];

		if (s->expires_ns && now_ns >= s->expires_ns)
			(void)policy_become_due(p, i, WHY_AGE);
	}
}

void policy_adapt(struct policy *p, uint64_t now_ns)
{
	struct policy_census c = policy_count(p, now_ns);

	expire(p, now_ns);
	grow(p, &c, now_ns);
	/* those that are ready beyond the target are on their way out already */
	if (is_adaptive(p) && c.ready <= p->target) {
		shrink(p, now_ns);
		if (now_ns >= p->nap_hold_ns && policy_is_to_nap(p, now_ns))
			p->target = 0;
	}
}

bool policy_has_surplus(const struct policy *p, uint64_t now_ns)
{
	struct policy_census c = policy_count(p, now_ns);

	/* the due ones go first, and need no idleness: their successors are here */
	return p->phase == PHASE_SERVE && c.ready > p->target && (c.due == 0 || p->target == 0);
}

bool policy_wants_idle(const struct policy *p)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < p->config.capacity; i++)
		ready += p->slot[i].state == SLOT_READY;
	return p->phase == PHASE_SERVE && ready > 0 &&
	       (ready > p->target || is_adaptive(p) || p->config.memory_limit[MEMORY_EVIL_RSS] ||
		p->config.memory_limit[MEMORY_EVIL_AS]);
}

void policy_idle(struct policy *p, unsigned worker, bool idle, uint64_t now_ns)
{
	struct policy_slot *s = &p->slot[worker];

	s->idle = idle;
	if (idle && s->served == s->served_seen)
		return;
	s->served_seen = s->served;
	s->active_ns = now_ns;
	p->active_ns = now_ns;
}

bool policy_wants_pressure(const struct policy *p)
{
	return p->phase == PHASE_SERVE && p->target < p->config.processes;
}

void policy_pressure(struct policy *p, unsigned waiting, uint64_t oldest_ns, uint64_t now_ns)
{
	p->waiting = waiting;
	p->oldest_ns = oldest_ns;
	if (waiting > 0)
		p->active_ns = now_ns;
}

void policy_configure(struct policy *p, const struct policy_config *config)
{
	unsigned capacity = p->config.capacity;
	bool redraw = config->max_requests != p->config.max_requests ||
		      config->max_requests_delta != p->config.max_requests_delta;
	bool reborn = config->max_lifetime_ns != p->config.max_lifetime_ns ||
		      config->max_lifetime_delta_ns != p->config.max_lifetime_delta_ns;

	p->config = *config;
	p->config.capacity = capacity;
	p->config.numbers = MIN(config->numbers, capacity);
	/* who naps goes on with that */
	if (p->target > 0)
		p->target = MAX(config->least, MIN(p->target, config->processes));
	for (unsigned i = 0; i < capacity; i++) {
		struct policy_slot *s = &p->slot[i];

		if (redraw)
			s->served_limit = policy_draw_served_limit(p);
		if (reborn)
			s->expires_ns = policy_draw_expiry(p, s->spawned_ns);
	}
}
