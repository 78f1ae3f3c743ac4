/*
 * standing - see standing.h.
 */
#include "vassal/front/standing.h"

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/queue.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

static bool waits_outside(const struct conn *c)
{
	return c->state == CONN_WAIT && c->slot >= 0 && !c->front->jobs[c->slot].parked &&
	       exchange_holder(c->front->exchange, (unsigned)c->slot) < 0;
}

static struct conn *conn_of(struct timer *t)
{
	return container_of(t, struct conn, timer);
}

/* How long the oldest of those that wait has done so; *ret_waiting: is there one? */
static uint64_t oldest_ns(struct front *f, unsigned *ret_waiting)
{
	struct timer_list *l = &f->timers[TIMER_QUEUE];

	*ret_waiting = 0;
	/* in the order of their deadlines; those that a worker has stand there too, at most one for each lane */
	for (struct timer *t = l->head.next; t != &l->head; t = t->next) {
		const struct conn *c = conn_of(t);
		bool parked = c->slot >= 0 && f->jobs[c->slot].parked;

		if (c->state != CONN_QUEUED && !parked && !waits_outside(c))
			continue;
		*ret_waiting = 1;
		return f->now_ns - MIN(f->now_ns, c->complete_ns);
	}
	return 0;
}

static void park(struct front *f, unsigned slot)
{
	struct job *job = &f->jobs[slot];

	job->parked = true;
	job->park_next = -1;
	job->park_prev = f->parked_n > 0 ? (int)f->parked_last : -1;
	if (f->parked_n > 0)
		f->jobs[f->parked_last].park_next = (int)slot;
	else
		f->parked_first = slot;
	f->parked_last = slot;
	f->parked_n++;
}

/* What no worker has begun comes back to us, in its order. */
static void take_back(struct front *f)
{
	struct timer_list *l = &f->timers[TIMER_QUEUE];

	for (struct timer *t = l->head.next; t != &l->head; t = t->next) {
		const struct conn *c = conn_of(t);

		if (waits_outside(c) && exchange_cancel(f->exchange, (unsigned)c->slot))
			park(f, (unsigned)c->slot);
	}
}

/* In turn again: the oldest first. */
static void give_out(struct front *f)
{
	while (f->parked_n > 0) {
		unsigned slot = f->parked_first;

		standing_unpark(f, slot);
		exchange_submit(f->exchange, slot);
	}
}

void standing_check(struct front *f)
{
	unsigned waiting;
	uint64_t age_ns = oldest_ns(f, &waiting);
	enum order next =
		order_next(f->order, age_ns, waiting, f->config->queue_timeout_s * NS_PER_S);

	if (next == f->order)
		return;
	f->order = next;
	if (next == ORDER_NEWEST_FIRST) {
		take_back(f);
		logbook_say(&f->log, f->wall_ns,
			    "overload: %u request%s, the oldest for %llu ms; the newest are served "
			    "first now",
			    f->queued_n + f->parked_n,
			    f->queued_n + f->parked_n == 1 ? " waits" : "s wait",
			    (unsigned long long)(age_ns / NS_PER_MS));
	} else {
		give_out(f);
		logbook_say(&f->log, f->wall_ns,
			    "the overload is over: requests are served in turn again");
	}
	queue_dispatch(f);
}

bool standing_has_room(const struct front *f)
{
	/* those of now: there may be more than the configuration says (scale, TTIN) */
	unsigned lanes = pool_processes(f->pool) * f->shape.threads;

	return f->jobs_n - f->parked_n < order_most_out(f->order, lanes, f->shape.slots);
}

unsigned standing_length(const struct front *f)
{
	/* what was taken back left its mark in the exchange's queue until a worker passes by */
	return f->queued_n + f->parked_n +
	       MIN(exchange_queued(f->exchange), f->jobs_n - f->parked_n);
}

int standing_newest(const struct front *f)
{
	return f->parked_n > 0 ? (int)f->parked_last : -1;
}

int standing_oldest(const struct front *f)
{
	return f->parked_n > 0 ? (int)f->parked_first : -1;
}

void standing_unpark(struct front *f, unsigned slot)
{
	struct job *job = &f->jobs[slot];

	if (!job->parked)
		return;
	if (job->park_prev >= 0)
		f->jobs[job->park_prev].park_next = job->park_next;
	else if (job->park_next >= 0)
		f->parked_first = (unsigned)job->park_next;
	if (job->park_next >= 0)
		f->jobs[job->park_next].park_prev = job->park_prev;
	else if (job->park_prev >= 0)
		f->parked_last = (unsigned)job->park_prev;
	job->parked = false;
	f->parked_n--;
}
