/*
 * policy - what to do next; see policy.h. What happened is taken down in policy_report.c.
 *
 * Everything is counted, nothing is paired: as many workers shall be ready or on their way as the
 * target says (policy_adapt.c), plus one for each that is due (as far as there is room). A due worker
 * goes when more than the target are ready. So a replacement that dies, or two workers that become due at once,
 * need no case of their own.
 */
#include "vassal/pool/policy_inner.h"

static bool passed(uint64_t deadline_ns, uint64_t now_ns)
{
	return deadline_ns && now_ns >= deadline_ns;
}

static bool act(struct policy_action *a, enum policy_action_kind kind, unsigned worker,
		enum policy_reason why)
{
	*a = (struct policy_action){.kind = kind, .worker = worker, .why = why};
	return true;
}

static bool kill_now(struct policy *p, unsigned worker, struct policy_action *ret)
{
	struct policy_slot *s = &p->slot[worker];

	s->state = SLOT_KILLING;
	s->killed = true;
	s->deadline_ns = 0;
	return act(ret, ACTION_KILL, worker, s->why);
}

static bool mold_kill_now(struct policy *p, struct policy_action *ret)
{
	p->mold = MOLD_KILLING;
	p->mold_killed = true;
	p->mold_deadline_ns = 0;
	return act(ret, ACTION_MOLD_KILL, 0, p->mold_stuck ? WHY_STARTUP : WHY_STOP);
}

/*
 * A mold that is killed between two forks leaves a worker whose pid nobody knows: it may first answer
 * for what was asked of it, if it does so at once.
 */
static bool end_mold(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	if (p->mold == MOLD_NONE || p->mold_killed)
		return false;
	if (p->mold == MOLD_READY && policy_count(p, now_ns).unforked > 0) {
		p->mold = MOLD_KILLING;
		p->mold_deadline_ns = now_ns + STACKS_GRACE_MS * NS_PER_MS;
	}
	if (p->mold == MOLD_KILLING && policy_count(p, now_ns).unforked > 0 &&
	    !passed(p->mold_deadline_ns, now_ns))
		return false;
	return mold_kill_now(p, ret);
}

/* The generation never serves: end everything at once, nobody waits for it. */
static bool end_all(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	for (unsigned i = 0; i < p->config.capacity; i++) {
		struct policy_slot *s = &p->slot[i];

		if (s->state == SLOT_EMPTY || s->killed)
			continue;
		s->why = WHY_STOP;
		return kill_now(p, i, ret);
	}
	return end_mold(p, now_ns, ret);
}

static bool stop_slot(struct policy *p, unsigned worker, struct policy_action *ret)
{
	struct policy_slot *s = &p->slot[worker];

	if (s->state == SLOT_EMPTY || s->killed)
		return false;
	if (p->stop_now) {
		if (s->state != SLOT_KILLING)
			s->why = WHY_STOP;
		return kill_now(p, worker, ret);
	}
	if (s->state == SLOT_STARTING || s->state == SLOT_READY) {
		s->state = SLOT_RETIRING;
		s->why = WHY_STOP;
		s->deadline_ns = p->stop_deadline_ns;
		return act(ret, ACTION_RETIRE, worker, WHY_STOP);
	}
	/* It was retiring already and had longer: the stop's grace counts now. */
	if (s->state == SLOT_RETIRING && (!s->deadline_ns || s->deadline_ns > p->stop_deadline_ns))
		s->deadline_ns = p->stop_deadline_ns;
	return false;
}

static bool stop_all(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (stop_slot(p, i, ret))
			return true;
	/* While it imports it does not listen. */
	if (p->stop_now || p->mold == MOLD_STARTING)
		return end_mold(p, now_ns, ret);
	if (p->mold == MOLD_READY) {
		p->mold = MOLD_LEAVING;
		p->mold_deadline_ns = p->stop_deadline_ns;
		return act(ret, ACTION_MOLD_QUIT, 0, WHY_STOP);
	}
	return false;
}

/* Its memory is over a limit that knows no excuse, and it does not come out of its request. */
static bool condemn(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	for (unsigned i = 0; i < p->config.capacity; i++) {
		struct policy_slot *s = &p->slot[i];

		if (s->condemned == WHY_NONE ||
		    (s->state != SLOT_READY && s->state != SLOT_RETIRING))
			continue;
		policy_set_killing(s, s->condemned, now_ns + STACKS_GRACE_MS * NS_PER_MS);
		return act(ret, ACTION_STACKS, i, s->why);
	}
	return false;
}

static bool slot_deadline(struct policy *p, unsigned worker, uint64_t now_ns,
			  struct policy_action *ret)
{
	struct policy_slot *s = &p->slot[worker];
	uint64_t then_ns = now_ns + STACKS_GRACE_MS * NS_PER_MS;

	if (s->state == SLOT_EMPTY || !passed(s->deadline_ns, now_ns))
		return false;
	if (s->state == SLOT_KILLING)
		return kill_now(p, worker, ret);
	if (s->state == SLOT_STARTING && !s->forked && p->mold == MOLD_READY) {
		/* Not even forked: the mold hangs (a fork hook of the app's, a swapped-out page),
		 * not the worker. */
		p->mold_stuck = true;
		p->mold = MOLD_KILLING;
		p->mold_deadline_ns = then_ns;
		return act(ret, ACTION_MOLD_STACKS, 0, WHY_STARTUP);
	}
	policy_set_killing(s, s->state == SLOT_STARTING ? WHY_STARTUP : WHY_MERCY, then_ns);
	return act(ret, ACTION_STACKS, worker, s->why);
}

static bool mold_deadline(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	if (p->mold == MOLD_NONE || p->mold_killed || !passed(p->mold_deadline_ns, now_ns))
		return false;
	if (p->mold == MOLD_KILLING)
		return mold_kill_now(p, ret);
	p->mold_stuck = p->mold == MOLD_STARTING;
	p->mold = MOLD_KILLING;
	p->mold_deadline_ns = now_ns + STACKS_GRACE_MS * NS_PER_MS;
	return act(ret, ACTION_MOLD_STACKS, 0, WHY_STARTUP);
}

static bool deadlines(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (slot_deadline(p, i, now_ns, ret))
			return true;
	return condemn(p, now_ns, ret) || mold_deadline(p, now_ns, ret);
}

/* Who did not get ready in time says where it hangs, then the generation fails with that on record.
 */
static bool startup_late(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	uint64_t then_ns = now_ns + STACKS_GRACE_MS * NS_PER_MS;

	if (!passed(p->start_deadline_ns, now_ns))
		return false;
	if (!p->fail_ns) {
		p->fail_ns = then_ns;
		p->fail_why = WHY_STARTUP;
	}
	if (p->mold == MOLD_STARTING) {
		p->mold = MOLD_KILLING;
		p->mold_deadline_ns = then_ns;
		p->mold_stuck = true;
		return act(ret, ACTION_MOLD_STACKS, 0, WHY_STARTUP);
	}
	for (unsigned i = 0; i < p->config.capacity; i++) {
		if (p->slot[i].state != SLOT_STARTING)
			continue;
		policy_set_killing(&p->slot[i], WHY_STARTUP, then_ns);
		return act(ret, ACTION_STACKS, i, WHY_STARTUP);
	}
	return false;
}

static bool fail_if_due(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	if (!passed(p->fail_ns, now_ns))
		return false;
	p->phase = PHASE_FAILED;
	return act(ret, ACTION_FAIL, 0, p->fail_why);
}

static bool retire(struct policy *p, struct policy_slot *s, enum policy_reason why, uint64_t now_ns,
		   struct policy_action *ret)
{
	s->state = SLOT_RETIRING;
	s->why = why;
	s->deadline_ns = policy_after(now_ns, p->config.mercy_ns);
	return act(ret, ACTION_RETIRE, (unsigned)(s - p->slot), why);
}

static bool retire_due(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	struct policy_census c = policy_count(p, now_ns);
	struct policy_slot *oldest = NULL;

	if (c.due == 0 || c.ready <= p->target)
		return false;
	/* who was told to leave may take its time over its last request */
	if (c.recycled >= policy_room(p))
		return false;
	for (unsigned i = 0; i < p->config.capacity; i++) {
		struct policy_slot *s = &p->slot[i];

		if (policy_is_due(s, now_ns) && (!oldest || s->ready_ns < oldest->ready_ns))
			oldest = s;
	}
	return oldest && retire(p, oldest, oldest->due, now_ns, ret);
}

/*
 * The one that was longest without work; among equals the highest number: sleepers are woken from the
 * lowest on, and low numbers are those that are spawned into.
 */
static bool retire_surplus(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	struct policy_slot *best = NULL;

	if (!policy_has_surplus(p, now_ns))
		return false;
	for (unsigned i = p->config.capacity; i-- > 0;) {
		struct policy_slot *s = &p->slot[i];

		if (s->state == SLOT_READY && s->idle && (!best || s->active_ns < best->active_ns))
			best = s;
	}
	return best && retire(p, best, WHY_SURPLUS, now_ns, ret);
}

uint64_t policy_mold_due_ns(const struct policy *p, uint64_t now_ns)
{
	uint64_t latest_ns = p->mold_gone_ns + POLICY_REMOLD_NS;
	bool nobody = p->target > 0 && policy_count(p, now_ns).alive == 0;

	return nobody ? MIN(p->mold_backoff.next_ns, latest_ns) : p->mold_backoff.next_ns;
}

static bool spawn_mold(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	if (p->mold != MOLD_NONE || policy_mold_due_ns(p, now_ns) > now_ns)
		return false;
	p->mold = MOLD_STARTING;
	p->mold_started_ns = now_ns;
	p->mold_killed = p->mold_stuck = p->mold_imported = false;
	/* At start the deadline of the whole generation counts. */
	p->mold_deadline_ns =
		p->phase == PHASE_START ? 0 : policy_after(now_ns, p->config.startup_ns);
	return act(ret, ACTION_MOLD_SPAWN, 0, WHY_NONE);
}

static bool wants_worker(const struct policy *p, uint64_t now_ns)
{
	struct policy_census c = policy_count(p, now_ns);
	unsigned room = policy_room(p);
	unsigned extra = MIN(c.due, room - MIN(room, c.recycled));

	return p->mold == MOLD_READY && c.unforked < POLICY_FORKS_MAX &&
	       c.starting + c.ready < p->target + extra;
}

static bool spawn_worker(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	if (!wants_worker(p, now_ns))
		return false;
	/* Not all of the capacity: each number has a back-off of its own, more of them are more forks. */
	for (unsigned i = 0; i < p->config.numbers; i++) {
		struct policy_slot *s = &p->slot[i];

		if (s->state != SLOT_EMPTY || s->backoff.next_ns > now_ns)
			continue;
		*s = (struct policy_slot){
			.state = SLOT_STARTING,
			.forgiven = s->forgiven,
			.backoff = s->backoff,
			.spawned_ns = now_ns,
			.deadline_ns = p->phase == PHASE_START
					       ? 0
					       : policy_after(now_ns, p->config.startup_ns),
			.served_limit = policy_draw_served_limit(p),
			.expires_ns = policy_draw_expiry(p, now_ns),
		};
		return act(ret, ACTION_SPAWN, i, WHY_NONE);
	}
	return false;
}

static bool become_ready(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	/* a nap from the start: the mold has imported the app, that is what readiness means */
	if (policy_count(p, now_ns).ready < p->target || (p->target == 0 && p->mold != MOLD_READY))
		return false;
	p->phase = PHASE_SERVE;
	p->active_ns = now_ns;
	for (unsigned i = 0; i < p->config.capacity; i++)
		if (p->slot[i].state == SLOT_STARTING)
			p->slot[i].deadline_ns = p->start_deadline_ns;
	return act(ret, ACTION_READY, 0, WHY_NONE);
}

static bool all_gone(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	if (p->mold != MOLD_NONE || policy_count(p, now_ns).alive > 0)
		return false;
	p->phase = PHASE_OVER;
	return act(ret, ACTION_STOPPED, 0, WHY_STOP);
}

static bool keep_up(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	return deadlines(p, now_ns, ret) || retire_due(p, now_ns, ret) ||
	       retire_surplus(p, now_ns, ret) || spawn_mold(p, now_ns, ret) ||
	       spawn_worker(p, now_ns, ret);
}

bool policy_next(struct policy *p, uint64_t now_ns, struct policy_action *ret)
{
	switch (p->phase) {
	case PHASE_START:
		if (fail_if_due(p, now_ns, ret) || startup_late(p, now_ns, ret))
			return true;
		/* Already failed, and only the stacks are waited for: begin nothing new. */
		return p->fail_ns ? deadlines(p, now_ns, ret)
				  : keep_up(p, now_ns, ret) || become_ready(p, now_ns, ret);
	case PHASE_SERVE:
		policy_adapt(p, now_ns);
		return keep_up(p, now_ns, ret);
	case PHASE_FAILED:
		return end_all(p, now_ns, ret);
	case PHASE_STOP:
		return stop_all(p, now_ns, ret) || deadlines(p, now_ns, ret) ||
		       all_gone(p, now_ns, ret);
	case PHASE_OVER:
		return false;
	}
	return false;
}

static void earlier(uint64_t *at, uint64_t candidate_ns, uint64_t now_ns)
{
	/* One that has passed and was not acted on waits for something that happened, not for time.
	 */
	if (candidate_ns > now_ns && (*at == 0 || candidate_ns < *at))
		*at = candidate_ns;
}

uint64_t policy_wake_ns(const struct policy *p, uint64_t now_ns)
{
	uint64_t at = 0;
	bool serves = p->phase == PHASE_START || p->phase == PHASE_SERVE;
	bool short_of = serves && wants_worker(p, now_ns);

	for (unsigned i = 0; i < p->config.capacity; i++) {
		const struct policy_slot *s = &p->slot[i];

		if (s->state != SLOT_EMPTY) {
			earlier(&at, s->deadline_ns, now_ns);
			earlier(&at, s->due ? s->due_ns : s->expires_ns, now_ns);
		} else if (short_of && i < p->config.numbers) {
			earlier(&at, s->backoff.next_ns, now_ns);
		}
	}
	if (p->phase == PHASE_SERVE) {
		earlier(&at, policy_grow_ns(p), now_ns);
		earlier(&at, policy_nap_ns(p), now_ns);
	}
	if (p->mold != MOLD_NONE)
		earlier(&at, p->mold_deadline_ns, now_ns);
	else if (serves)
		earlier(&at, policy_mold_due_ns(p, now_ns), now_ns);
	if (p->phase == PHASE_START) {
		earlier(&at, p->start_deadline_ns, now_ns);
		earlier(&at, p->fail_ns, now_ns);
	}
	return at;
}
