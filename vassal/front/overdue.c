/*
 * overdue - see overdue.h.
 */
#include "vassal/front/overdue.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/blame.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/queue.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

#define UNWATCHED_NS \
	(100 * NS_PER_MS) /* a one-shot client that waits longer than this is watched for leaving */

static void say_slow(struct front *f, unsigned slot, int lane, uint64_t age_ns)
{
	unsigned worker = (unsigned)lane / f->shape.threads;
	const struct conn *c = f->jobs[slot].conn;

	f->jobs[slot].slow_said = true;
	logbook_say(&f->log, f->wall_ns,
		    "slow request: %s [%s] has been in worker %u for %llu s; its stacks follow",
		    c ? c->line : "(client gone)", c ? c->id : "-", worker + 1,
		    (unsigned long long)(age_ns / NS_PER_S));
	blame_request(f, slot,
		      &(struct blame_cause){.kind = BLAME_SLOW,
					    .lane = (unsigned)lane,
					    .stacks = true,
					    .reason = "slow-request"});
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

	(void)snprintf(why, sizeof(why), "harakiri: %s [%s] took longer than %u s",
		       c ? c->line : "(client gone)", c ? c->id : "-", f->config->harakiri_s);
	blame_request(f, slot,
		      &(struct blame_cause){.kind = BLAME_TIMEOUT,
					    .lane = (unsigned)lane,
					    .status = blame_status(c, 504),
					    .stacks = true,
					    .reason = why});
	job->killed = true;
	job->conn = NULL;
	(void)exchange_abandon(f->exchange, slot);
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
	blame_request(f, slot,
		      &(struct blame_cause){.kind = BLAME_LOST,
					    .lane = BLAME_NO_LANE,
					    .status = blame_status(c, 502),
					    .reason = "a worker wrote over the memory it shares"});
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

void overdue_check(struct front *f)
{
	unsigned left = f->jobs_n;

	for (unsigned slot = 0; slot < f->shape.slots && left > 0; slot++) {
		if (!f->jobs[slot].used)
			continue;
		left--;
		check_job(f, slot);
	}
}
