/*
 * queue - see queue.h.
 */
#include "vassal/front/queue.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/intake.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

#define RETRY_AFTER_S 5 /* a full queue of a healthy app is gone by then */
#define UNWATCHED_NS \
	(100 * NS_PER_MS) /* a one-shot client that waits longer than this is watched for leaving */

int queue_slot(struct front *f)
{
	return exchange_slot_get(f->exchange);
}

void queue_unslot(struct front *f, unsigned slot)
{
	spool_done(&f->jobs[slot].body);
	exchange_slot_put(f->exchange, slot, f->jobs[slot].touched);
}

unsigned queue_length(const struct front *f)
{
	return f->queued_n + exchange_queued(f->exchange);
}

bool queue_is_open(const struct front *f)
{
	/* jobs_n is an upper bound of those that wait in the exchange, and needs no look at shared memory */
	if (f->queued_n > 0)
		return false;
	return f->jobs_n < f->config->queue_size || queue_length(f) < f->config->queue_size;
}

void queue_submit(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	struct job *job = &f->jobs[slot];

	job->used = true;
	job->slow_said = job->killed = job->looked = false;
	job->conn = c;
	job->queued_ns = f->now_ns;
	exchange_request(f->exchange, slot)->queued_ns = f->now_ns;
	c->complete_ns = f->now_ns;
	c->slot = (int)slot;
	/* from our own queue: its time runs since it came there */
	if (c->state != CONN_QUEUED)
		timer_set(&f->timers[TIMER_QUEUE], &c->timer, f->now_ns);
	c->state = CONN_WAIT;
	f->jobs_n++;
	exchange_submit(f->exchange, slot);
}

static void unlink_queued(struct conn *c)
{
	struct front *f = c->front;

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
	c->complete_ns = f->now_ns;
	timer_set(&f->timers[TIMER_QUEUE], &c->timer, f->now_ns);
	(void)conn_watch(c);
}

static void submit_kept(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	uint64_t since_ns = c->state == CONN_QUEUED ? c->complete_ns : f->now_ns;
	int status;

	if (c->state == CONN_QUEUED)
		unlink_queued(c);
	f->jobs[slot].touched = 0;
	status = intake_fill_kept(c, slot);
	if (status) {
		queue_unslot(f, slot);
		error_refuse(c, (unsigned)status, "environment too large");
		return;
	}
	queue_submit(c, slot);
	/* time spent in our own queue is queue time too */
	c->complete_ns = since_ns;
	f->jobs[slot].queued_ns = since_ns;
	exchange_request(f->exchange, slot)->queued_ns = since_ns;
}

static void reject(struct conn *c)
{
	board_add(&c->front->count->rejected, 1);
	error_answer(c, 503, RETRY_AFTER_S);
}

void queue_add_kept(struct conn *c)
{
	struct front *f = c->front;
	int slot;

	if (f->queued_n > 0 ? queue_length(f) >= f->config->queue_size : !queue_is_open(f)) {
		reject(c);
		return;
	}
	slot = f->queued_n == 0 ? queue_slot(f) : -1;
	if (slot >= 0)
		submit_kept(c, (unsigned)slot);
	else
		append_queued(c);
}

void queue_dispatch(struct front *f)
{
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

void queue_abandon(struct conn *c)
{
	(void)withdraw(c);
}

void queue_forget(struct conn *c)
{
	struct front *f = c->front;
	struct record r = {.body_bytes = c->answer.sent};

	if (c->state == CONN_QUEUED) {
		unlink_queued(c);
	} else if (c->state == CONN_WAIT && c->slot >= 0) {
		unsigned slot = (unsigned)c->slot;
		int lane = exchange_holder(f->exchange, slot);

		r.worker = lane < 0 ? 0 : (unsigned)lane / f->shape.threads + 1;
		(void)withdraw(c);
	} else if (c->state == CONN_FILE) {
		r.status = c->answer.status;
		board_add(&f->count->client_gone, 1);
		board_add(&f->count->static_requests, 1);
		record_request(c, &r);
		return;
	} else if (c->state != CONN_FLUSH) {
		return;
	} else {
		board_add(&f->count->client_gone,
			  1); /* its record was made when the answer was complete */
		return;
	}
	r.queue_ns = f->now_ns - MIN(f->now_ns, c->complete_ns);
	board_add(&f->count->client_gone, 1);
	record_request(c, &r);
}

void queue_expire(struct conn *c)
{
	struct front *f = c->front;

	if (c->state == CONN_QUEUED) {
		unlink_queued(c);
		reject(c);
		return;
	}
	if (c->state == CONN_WAIT && exchange_cancel(f->exchange, (unsigned)c->slot)) {
		unsigned slot = (unsigned)c->slot;

		f->jobs[slot].conn = NULL;
		c->slot = -1;
		queue_release(f, slot);
		reject(c);
	}
}

static void say_slow(struct front *f, unsigned slot, int lane, uint64_t age_ns)
{
	unsigned worker = (unsigned)lane / f->shape.threads;
	const struct conn *c = f->jobs[slot].conn;

	f->jobs[slot].slow_said = true;
	logbook_say(&f->log, f->wall_ns,
		    "slow request: %s [%s] has been in worker %u for %llu s; its stacks follow",
		    c ? c->line : "(client gone)", c ? c->id : "-", worker + 1,
		    (unsigned long long)(age_ns / NS_PER_S));
	pool_stacks(f->pool, worker);
}

/* The client hears of it at once; the worker's stacks and death come later. */
static void answer_timeout(struct front *f, struct conn *c, struct record *r)
{
	c->slot = -1;
	record_times(f, r->queue_ns, r->app_ns);
	if (!c->answer.begun) {
		error_answer_after(c, 504, 0, r);
		return;
	}
	r->status = c->answer.status;
	r->body_bytes = c->answer.sent;
	record_request(c, r);
	error_cut(c);
}

static void do_harakiri(struct front *f, unsigned slot, int lane, uint64_t age_ns)
{
	unsigned worker = (unsigned)lane / f->shape.threads;
	struct job *job = &f->jobs[slot];
	struct conn *c = job->conn;
	char why[BOARD_LINE + LIMIT_REQUEST_ID + 64];
	uint64_t taken_ns = f->now_ns - age_ns;
	struct record r = {.worker = worker + 1,
			   .app_ns = age_ns,
			   .queue_ns = taken_ns - MIN(taken_ns, job->queued_ns)};

	job->killed = true;
	job->conn = NULL;
	(void)exchange_abandon(f->exchange, slot);
	(void)snprintf(why, sizeof(why), "harakiri: %s [%s] took longer than %u s",
		       c ? c->line : "(client gone)", c ? c->id : "-", f->config->harakiri_s);
	board_add(&f->count->timeouts, 1);
	logbook_say(&f->log, f->wall_ns, "worker %u: %s", worker + 1, why);
	if (c)
		answer_timeout(f, c, &r);
	pool_kill(f->pool, worker, why);
}

/* A worker wrote over the slot's owner word: nobody will answer, and nobody can be blamed. */
static void drop_lost(struct front *f, unsigned slot)
{
	struct conn *c = f->jobs[slot].conn;
	struct record r = {0};

	logbook_say(&f->log, f->wall_ns,
		    "request %s [%s] is lost: a worker wrote over the memory it shares",
		    c ? c->line : "(client gone)", c ? c->id : "-");
	(void)exchange_cancel(f->exchange, slot);
	queue_release(f, slot);
	if (!c)
		return;
	c->slot = -1;
	if (!c->answer.begun) {
		error_answer_after(c, 502, 0, &r);
		return;
	}
	r.status = c->answer.status;
	r.body_bytes = c->answer.sent;
	record_request(c, &r);
	error_cut(c);
}

static void check_job(struct front *f, unsigned slot)
{
	struct job *job = &f->jobs[slot];
	int lane = exchange_holder(f->exchange, slot);
	uint64_t taken_ns = lane < 0 ? 0 : exchange_taken_ns(f->exchange, slot);
	uint64_t age_ns = f->now_ns - MIN(f->now_ns, taken_ns);

	if (job->conn && !job->conn->in_epoll && f->now_ns - job->queued_ns > UNWATCHED_NS &&
	    !conn_watch(job->conn))
		return;
	if (lane < 0 && exchange_lost(f->exchange, slot)) {
		drop_lost(f, slot);
		return;
	}
	if (taken_ns == 0 || job->killed)
		return;
	if (f->config->harakiri_s && age_ns >= f->config->harakiri_s * NS_PER_S)
		do_harakiri(f, slot, lane, age_ns);
	else if (f->config->slow_request_s && !job->slow_said &&
		 age_ns >= f->config->slow_request_s * NS_PER_S)
		say_slow(f, slot, lane, age_ns);
}

void queue_check_work(struct front *f)
{
	unsigned left = f->jobs_n;

	for (unsigned slot = 0; slot < f->shape.slots && left > 0; slot++) {
		if (!f->jobs[slot].used)
			continue;
		left--;
		check_job(f, slot);
	}
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
