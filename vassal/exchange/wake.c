/*
 * wake - who sleeps, who is woken, who takes nothing any more. Both sides use it.
 *
 * A wake-up that is spent on a lane which then takes nothing is a request that waits beside idle workers. So whoever
 * takes lanes out of service (retire, a burial) wakes others afterwards, for everything that waits; so does a lane that
 * was woken and finds itself retired.
 */
#include "vassal/exchange/exchange.h"
#include "vassal/exchange/layout.h"

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

static void wake_some(struct exchange *x, unsigned n)
{
	unsigned words = (x->lanes + 63) / 64;

	if (n == 0)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	/* a worker that was woken may have emptied the queue and sleep again before we look: leave it asleep */
	for (unsigned i = 0; i < words && n > 0 && exchange_queued(x) > 0;) {
		if (wake_one_of(x, i))
			n--;
		else
			i++;
	}
}

void exchange_wake(struct exchange *x)
{
	unsigned n = x->unwoken;

	x->unwoken = 0;
	wake_some(x, n);
}

void exchange_wake_queued(struct exchange *x)
{
	wake_some(x, exchange_queued(x));
}

void lane_clear_idle(struct exchange *x, unsigned lane)
{
	atomic_fetch_and(&x->m->idle_lanes[lane / 64], ~(1ULL << (lane % 64)));
	atomic_store(&x->m->lanes[lane].idle, 0);
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
