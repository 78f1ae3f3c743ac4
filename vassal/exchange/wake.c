/*
 * wake - who sleeps, who is woken, who takes nothing any more. Both sides use it.
 *
 * Woken all at once, workers drive the front off the CPU and find that the first of them has emptied the queue. So one is
 * woken at a time (waking_ns says that it is on its way), and the first thing that it does is to wake the next, if it
 * cannot do at once what waits.
 *
 * A wake-up that is spent on a lane which then takes nothing is a request that waits beside idle workers. So whoever
 * takes lanes out of service (retire, a burial) wakes others afterwards, for everything that waits; so does a lane that
 * was woken and finds itself retired.
 *
 * One that dies after it has taken a lane's bit and before it has woken it would leave it asleep, and nobody else would
 * ever choose it: a burial wakes all whose bit is taken.
 */
#include "shared/clock.h"
#include "vassal/exchange/exchange.h"
#include "vassal/exchange/layout.h"

/* Time for one that was woken to run. Longer, and its CPU is somebody else's for a while: another may have better luck. */
#define WAKE_PATIENCE_NS (1 * NS_PER_MS)
#define WAKE_TRIES       4 /* more are a scribbler's doing: exchange_tend() puts it right */

/* Wakes one worker of this word of the mask. False: none sleeps there. */
static bool wake_one_of(struct exchange *x, unsigned word)
{
	for (unsigned tries = 0; tries < 64; tries++) {
		uint64_t mask = atomic_load_explicit(&x->m->idle_lanes[word], memory_order_relaxed);
		unsigned lane = word * 64;
		uint64_t bit;

		if (mask == 0)
			return false;
		lane += (unsigned)__builtin_ctzll(mask);
		bit = mask & -mask;
		/* it may have got up meanwhile; bits of lanes that do not exist are a scribbler's */
		if (!(atomic_fetch_and(&x->m->idle_lanes[word], ~bit) & bit) || lane >= x->lanes)
			continue;
		atomic_store(&x->m->lanes[lane].idle, 0);
		futex_wake(&x->m->lanes[lane].idle);
		return true;
	}
	return false;
}

static bool wake_one(struct exchange *x)
{
	for (unsigned i = 0; i < (x->lanes + 63) / 64; i++)
		if (wake_one_of(x, i))
			return true;
	return false;
}

static bool anyone_sleeps(const struct exchange *x)
{
	for (unsigned i = 0; i < (x->lanes + 63) / 64; i++)
		if (atomic_load_explicit(&x->m->idle_lanes[i], memory_order_relaxed))
			return true;
	return false;
}

/* Where a CPU is free the chain takes microseconds; where none is, those that run empty the queue meanwhile. */
static void wake_next(struct exchange *x)
{
	for (unsigned tries = 0; tries < WAKE_TRIES && exchange_queued(x) > 0; tries++) {
		uint64_t since = atomic_load(&x->m->waking_ns);
		uint64_t now = clock_now_ns();

		if (since != 0 && now - since < WAKE_PATIENCE_NS)
			return;
		/* whoever loses this race leaves it to the other */
		if (!atomic_compare_exchange_strong(&x->m->waking_ns, &since, now) || wake_one(x))
			return;
		atomic_store(&x->m->waking_ns, 0);
		/* who submitted before this line has left it to us, and somebody may sleep since we looked */
		atomic_thread_fence(memory_order_seq_cst);
		if (!anyone_sleeps(x))
			return;
	}
}

bool lane_gets_up(struct exchange *x, unsigned lane)
{
	_Atomic uint64_t *mask = &x->m->idle_lanes[lane / 64];
	const uint64_t bit = 1ULL << (lane % 64);

	atomic_store(&x->m->lanes[lane].idle, 0);
	/*
	 * Whoever took our bit has spent a wake-up on us. Its word may still be on its way: a lane that saw a request by
	 * itself between the two, and went by the word, would leave everybody waiting for one that is awake long since.
	 */
	return !(atomic_load_explicit(mask, memory_order_relaxed) & bit) ||
	       !(atomic_fetch_and(mask, ~bit) & bit);
}

/* Behind the one that it takes itself. If that one takes longer than usual, the front's next look helps the others. */
static bool another_is_worth_it(const struct exchange *x)
{
	uint64_t usual_ns = atomic_load_explicit(&x->m->usual_ns, memory_order_relaxed);
	unsigned queued = exchange_queued(x);

	return queued > 1 && (queued - 1) * MIN(usual_ns, USUAL_MOST_NS) >= WAKE_WORTH_NS;
}

void lane_is_awake(struct exchange *x)
{
	atomic_store(&x->m->waking_ns, 0);
	/* who has submitted before this line has left it to us */
	atomic_thread_fence(memory_order_seq_cst);
	if (another_is_worth_it(x))
		wake_next(x);
}

void exchange_wake(struct exchange *x)
{
	bool any = x->unwoken > 0;

	x->unwoken = 0;
	if (!any)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	wake_next(x);
}

bool exchange_awaits_one(const struct exchange *x)
{
	/* somebody sleeps and nobody is on his way: whoever came last is just about to wake him, if it is not stopped there */
	return exchange_queued(x) > 0 &&
	       (atomic_load_explicit(&x->m->waking_ns, memory_order_relaxed) != 0 ||
		anyone_sleeps(x));
}

void exchange_wake_queued(struct exchange *x)
{
	/* whoever was to wake the next may be among those that go */
	atomic_store(&x->m->waking_ns, 0);
	atomic_thread_fence(memory_order_seq_cst);
	/* a worker that was woken may have emptied the queue and sleep again before we look: leave it asleep */
	for (unsigned n = MIN(exchange_queued(x), x->lanes);
	     n > 0 && exchange_queued(x) > 0 && wake_one(x); n--)
		;
}

void lane_clear_idle(struct exchange *x, unsigned lane)
{
	atomic_fetch_and(&x->m->idle_lanes[lane / 64], ~(1ULL << (lane % 64)));
	atomic_store(&x->m->lanes[lane].idle, 0);
}

void wake_taken(struct exchange *x)
{
	for (unsigned lane = 0; lane < x->lanes; lane++) {
		if (atomic_load(&x->m->idle_lanes[lane / 64]) & 1ULL << (lane % 64))
			continue;
		atomic_store(&x->m->lanes[lane].idle, 0);
		futex_wake(&x->m->lanes[lane].idle);
	}
}

void exchange_worker_call(struct exchange *x, unsigned worker)
{
	unsigned lane = worker * x->shape.threads;
	uint32_t serves = LANE_SERVES;

	if (!atomic_compare_exchange_strong(&x->m->lanes[lane].retire, &serves, LANE_IS_CALLED))
		return;
	atomic_thread_fence(memory_order_seq_cst);
	lane_clear_idle(x, lane);
	futex_wake(&x->m->lanes[lane].idle);
	/* it may have been woken for a request, which it now takes later */
	exchange_wake_queued(x);
}

void exchange_worker_retire(struct exchange *x, unsigned worker)
{
	for (unsigned t = 0; t < x->shape.threads; t++) {
		unsigned lane = worker * x->shape.threads + t;

		atomic_store(&x->m->lanes[lane].retire, LANE_RETIRES);
		atomic_thread_fence(memory_order_seq_cst);
		lane_clear_idle(x, lane);
		futex_wake(&x->m->lanes[lane].idle);
	}
	exchange_wake_queued(x);
}
