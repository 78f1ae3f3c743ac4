/*
 * queue - see queue.h.
 */
#include "vassal/front/queue.h"

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/head.h"
#include "vassal/front/notes.h"
#include "vassal/front/record.h"
#include "vassal/front/standing.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"
#include "vassal/front/wrapped.h"

#define RETRY_AFTER_S 5 /* a full queue of a healthy app is gone by then */

int queue_slot(struct front *f)
{
	return exchange_slot_get(f->exchange);
}

void queue_unslot(struct front *f, unsigned slot)
{
	spool_done(&f->jobs[slot].body);
	wrapped_drop(&f->jobs[slot]);
	exchange_slot_put(f->exchange, slot, f->jobs[slot].touched);
}

unsigned queue_length(const struct front *f)
{
	return standing_length(f);
}

bool queue_is_open(const struct front *f)
{
	/* jobs_n is an upper bound of those that wait in the exchange, and needs no look at shared memory */
	if (f->queued_n > 0)
		return false;
	if (f->order == ORDER_NEWEST_FIRST)
		return f->parked_n == 0 && standing_has_room(f);
	return f->jobs_n < f->config->queue_size || queue_length(f) < f->config->queue_size;
}

/* Its time in a proxy counts. */
static void begin_waiting(struct conn *c)
{
	struct front *f = c->front;

	c->complete_ns = f->now_ns - MIN(f->now_ns, c->waited_ns);
	if (c->waited_ns == 0)
		timer_set(&f->timers[TIMER_QUEUE], &c->timer, f->now_ns);
	else
		timer_set_since(&f->timers[TIMER_QUEUE], &c->timer, c->complete_ns);
}

/* Its time runs already. */
static void submit(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	struct job *job = &f->jobs[slot];

	job->used = true;
	job->slow_said = job->killed = job->looked = job->interrupted = job->renewed = false;
	job->had = 0;
	job->conn = c;
	job->queued_ns = c->complete_ns;
	exchange_request(f->exchange, slot)->queued_ns = c->complete_ns;
	c->slot = (int)slot;
	c->state = CONN_WAIT;
	f->jobs_n++;
	exchange_submit(f->exchange, slot);
}

void queue_submit(struct conn *c, unsigned slot)
{
	begin_waiting(c);
	submit(c, slot);
}

/* It is in no queue then: whoever answers it may find that its client has left. */
static void unlink_queued(struct conn *c)
{
	struct front *f = c->front;

	c->state = CONN_WAIT;
	if (c->queue_prev)
		c->queue_prev->queue_next = c->queue_next;
	else
		f->queue_first = c->queue_next;
	if (c->queue_next)
		c->queue_next->queue_prev = c->queue_prev;
	else
		f->queue_last = c->queue_prev;
	c->queue_prev = c->queue_next = NULL;
	f->queued_n--;
}

static void append_queued(struct conn *c)
{
	struct front *f = c->front;

	c->queue_prev = f->queue_last;
	c->queue_next = NULL;
	if (f->queue_last)
		f->queue_last->queue_next = c;
	else
		f->queue_first = c;
	f->queue_last = c;
	f->queued_n++;
	c->state = CONN_QUEUED;
	begin_waiting(c);
	(void)conn_watch(c);
}

static void submit_kept(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	bool queued = c->state == CONN_QUEUED;
	int status;

	if (queued)
		unlink_queued(c);
	f->jobs[slot].touched = 0;
	status = head_fill_kept(c, slot);
	if (status) {
		queue_unslot(f, slot);
		error_refuse(c, (unsigned)status, "environment too large");
		return;
	}
	f->jobs[slot].watched = fusebox_watches(f);
	if (f->jobs[slot].watched && fusebox_refuses(c, slot))
		return;
	/* from our own queue: its time runs since it came there */
	if (!queued)
		begin_waiting(c);
	submit(c, slot);
}

static void say_full(struct front *f)
{
	notes_rarely(f, RARE_QUEUE_FULL, "503: as many requests wait as may (queue-size = %u)",
		     f->config->queue_size);
}

static void say_late(struct front *f)
{
	notes_rarely(f, RARE_QUEUE_LATE, "503: a request has waited for %u s (queue-timeout)",
		     f->config->queue_timeout_s);
}

static void reject(struct conn *c)
{
	struct front *f = c->front;
	struct record r = {.queue_ns = f->now_ns - MIN(f->now_ns, c->complete_ns)};

	board_add(&f->count->rejected, 1);
	error_answer_after(c, 503, RETRY_AFTER_S, &r);
}

bool queue_refuse_stale(struct conn *c)
{
	struct front *f = c->front;

	if (c->waited_ns == 0 || c->waited_ns < f->config->queue_timeout_s * NS_PER_S)
		return false;
	c->complete_ns = f->now_ns - MIN(f->now_ns, c->waited_ns);
	board_add(&f->count->queue_timeouts, 1);
	say_late(f);
	reject(c);
	return true;
}

/* Leaves the queue, wherever it waits in it. False: a worker has it. */
static bool leave_queue(struct conn *c)
{
	struct front *f = c->front;
	unsigned slot = (unsigned)c->slot;

	if (c->state == CONN_QUEUED) {
		unlink_queued(c);
		return true;
	}
	if (c->state != CONN_WAIT || !exchange_cancel(f->exchange, slot))
		return false;
	f->jobs[slot].conn = NULL;
	c->slot = -1;
	queue_release(f, slot);
	return true;
}

/* Is there one that has waited longer? */
static struct conn *oldest_waiting(const struct front *f)
{
	int slot = standing_oldest(f);
	struct conn *parked = slot >= 0 ? f->jobs[slot].conn : NULL;

	if (!parked || !f->queue_first)
		return parked ? parked : f->queue_first;
	return parked->complete_ns <= f->queue_first->complete_ns ? parked : f->queue_first;
}

/* The newest has the best chance that somebody still waits for its answer; the oldest makes room for it. */
static void add_newest(struct conn *c)
{
	struct front *f = c->front;

	while (f->queued_n + f->parked_n >= f->config->queue_size) {
		struct conn *oldest = oldest_waiting(f);

		if (!oldest || !leave_queue(oldest))
			break;
		say_full(f);
		reject(oldest);
	}
	append_queued(c);
	queue_dispatch(f);
}

void queue_add_kept(struct conn *c)
{
	struct front *f = c->front;
	int slot;

	c->complete_ns = f->now_ns - MIN(f->now_ns, c->waited_ns);
	if (f->order == ORDER_NEWEST_FIRST) {
		add_newest(c);
		return;
	}
	if (f->queued_n > 0 ? queue_length(f) >= f->config->queue_size : !queue_is_open(f)) {
		say_full(f);
		reject(c);
		return;
	}
	slot = f->queued_n == 0 ? queue_slot(f) : -1;
	if (slot >= 0)
		submit_kept(c, (unsigned)slot);
	else
		append_queued(c);
}

/* True: the newest of all was given to the workers. */
static bool send_newest(struct front *f)
{
	int parked = standing_newest(f);
	struct conn *c = f->queue_last;
	int slot = -1;

	if (c && (parked < 0 || c->complete_ns >= f->jobs[parked].queued_ns))
		slot = queue_slot(f);
	if (slot >= 0) {
		submit_kept(c, (unsigned)slot);
		return true;
	}
	if (parked < 0)
		return false;
	standing_unpark(f, (unsigned)parked);
	exchange_submit(f->exchange, (unsigned)parked);
	return true;
}

void queue_dispatch(struct front *f)
{
	if (f->order == ORDER_NEWEST_FIRST) {
		while (standing_has_room(f) && send_newest(f))
			;
		return;
	}
	while (f->queue_first) {
		int slot = queue_slot(f);

		if (slot < 0)
			return;
		submit_kept(f->queue_first, (unsigned)slot);
	}
}

void queue_release(struct front *f, unsigned slot)
{
	struct job *job = &f->jobs[slot];

	standing_unpark(f, slot);
	queue_unslot(f, slot);
	job->used = false;
	job->conn = NULL;
	f->jobs_n--;
	queue_dispatch(f);
}

/* Takes the request away from the connection. True: no worker had begun it. */
static bool withdraw(struct conn *c)
{
	struct front *f = c->front;
	unsigned slot = (unsigned)c->slot;
	bool waiting = exchange_abandon(f->exchange, slot);

	f->jobs[slot].conn = NULL;
	c->slot = -1;
	if (waiting)
		queue_release(f, slot);
	return waiting;
}

/* Of a request that is out: whose it is, and its time in the queue and in the app so far. */
static void look_at(const struct conn *c, struct record *r)
{
	const struct front *f = c->front;
	unsigned slot = (unsigned)c->slot;
	int lane = exchange_holder(f->exchange, slot);
	uint64_t taken_ns = lane < 0 ? 0 : exchange_taken_ns(f->exchange, slot);

	/* a worker's word */
	if (taken_ns == 0 || taken_ns > f->now_ns)
		taken_ns = f->now_ns;
	r->worker = lane < 0 ? 0 : (unsigned)lane / f->shape.threads + 1;
	r->queue_ns = taken_ns - MIN(taken_ns, c->complete_ns);
	r->app_ns = f->now_ns - taken_ns;
}

void queue_abandon(struct conn *c, struct record *ret)
{
	look_at(c, ret);
	(void)withdraw(c);
}

void queue_detach(struct conn *c, struct record *ret)
{
	struct front *f = c->front;

	look_at(c, ret);
	f->jobs[c->slot].conn = NULL;
	c->slot = -1;
	timer_clear(&c->timer);
}

void queue_forget(struct conn *c)
{
	struct front *f = c->front;
	struct record r = {.body_bytes = c->answer.sent};

	if (c->state == CONN_QUEUED) {
		unlink_queued(c);
		r.queue_ns = f->now_ns - MIN(f->now_ns, c->complete_ns);
	} else if (c->state == CONN_WAIT && c->slot >= 0) {
		queue_abandon(c, &r);
	} else if (c->state == CONN_FILE) {
		board_add(&f->count->client_gone, 1);
		static_lost(c);
		return;
	} else if (c->state != CONN_FLUSH) {
		return;
	} else {
		board_add(&f->count->client_gone,
			  1); /* its record was made when the answer was complete */
		return;
	}
	board_add(&f->count->client_gone, 1);
	record_request(c, &r);
}

void queue_expire(struct conn *c)
{
	struct front *f = c->front;

	if (!leave_queue(c))
		return;
	board_add(&f->count->queue_timeouts, 1);
	say_late(f);
	reject(c);
}

void queue_refuse_all(struct front *f)
{
	while (f->queue_first) {
		struct conn *c = f->queue_first;

		unlink_queued(c);
		c->close_after = true;
		reject(c);
	}
}
