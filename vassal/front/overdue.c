/*
 * overdue - see overdue.h.
 */
#include "vassal/front/overdue.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/blame.h"
#include "vassal/front/conn.h"
#include "vassal/front/deadline.h"
#include "vassal/front/errors.h"
#include "vassal/front/queue.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

#define UNWATCHED_NS \
	(100 * NS_PER_MS) /* a one-shot client that waits longer than this is watched for leaving */

#define NAMED (BOARD_LINE + LIMIT_REQUEST_ID + 4)

/* A request that is out, and how long it has been. */
struct overdue {
	struct front *front;
	unsigned slot, lane, worker;
	struct job *job;
	uint64_t age_ns;
	char name[NAMED]; /* "GET /path [id]" */
};

/* The slot's own words when the client has left: shared memory, hence the bounds. */
static void name_request(struct front *f, unsigned slot, char name[NAMED])
{
	const struct conn *c = f->jobs[slot].conn;
	const struct exchange_request *xr = exchange_request(f->exchange, slot);

	(void)snprintf(name, NAMED, "%.*s [%.*s]", (int)sizeof(xr->line) - 1,
		       c ? c->line : xr->line, (int)sizeof(xr->id) - 1, c ? c->id : xr->id);
}

/* While the connection is still the job's; the stacks are asked for right afterwards. */
static void blame(const struct overdue *o, enum board_blame_kind kind, unsigned status,
		  const char *reason)
{
	blame_request(o->front, o->slot,
		      &(struct blame_cause){.kind = kind,
					    .lane = o->lane,
					    .status = status,
					    .stacks = true,
					    .reason = reason});
}

/* How long no thread of this worker has got the GIL; 0: it is free, or nobody looks (deadlock-timeout). */
static uint64_t gil_held_ns(const struct front *f, unsigned worker)
{
	uint64_t since_ns = f->config->deadlock_timeout_s > 0
				    ? exchange_gil_waits_since(f->exchange, worker)
				    : 0;

	return since_ns ? f->now_ns - MIN(f->now_ns, since_ns) : 0;
}

static void say_slow(struct overdue *o)
{
	struct front *f = o->front;
	unsigned long long held_s = gil_held_ns(f, o->worker) / NS_PER_S;
	char reason[128] = "slow-request";

	o->job->slow_said = true;
	logbook_say(&f->log, f->wall_ns,
		    "slow request: %s has been in worker %u for %llu s; its stacks follow", o->name,
		    o->worker + 1, (unsigned long long)(o->age_ns / NS_PER_S));
	if (held_s > 0)
		(void)snprintf(reason, sizeof(reason),
			       "slow-request; C code holds the GIL, for %llu s now", held_s);
	blame(o, BLAME_SLOW, blame_status(o->job, 0), reason);
	pool_stacks(f->pool, o->worker);
}

/* The client hears of it at once; what becomes of the request is no longer its concern. */
static void answer_timeout(struct overdue *o)
{
	struct front *f = o->front;
	struct conn *c = o->job->conn;
	uint64_t taken_ns = f->now_ns - o->age_ns;
	struct record r = {.worker = o->worker + 1,
			   .app_ns = o->age_ns,
			   .queue_ns = taken_ns - MIN(taken_ns, o->job->queued_ns)};

	board_add(&f->count->timeouts, 1);
	o->job->had = blame_status(o->job, 504);
	o->job->conn = NULL;
	(void)exchange_abandon(f->exchange, o->slot);
	if (!c)
		return;
	record_times(f, r.queue_ns, r.app_ns);
	error_end(c, 504, 0, &r);
}

/* reason: for the record; NULL: as why, which is for the log. */
static void kill_worker(struct overdue *o, const char *why, const char *reason)
{
	struct front *f = o->front;

	blame(o, BLAME_TIMEOUT, blame_status(o->job, 504), reason ? reason : why);
	o->job->killed = true;
	logbook_say(&f->log, f->wall_ns, "worker %u: %s", o->worker + 1, why);
	if (!o->job->interrupted)
		answer_timeout(o);
	pool_kill(f->pool, o->worker, why);
}

static void do_harakiri(struct overdue *o)
{
	char why[NAMED + 64];

	(void)snprintf(why, sizeof(why), POOL_HARAKIRI ": %s took longer than %u s", o->name,
		       o->front->config->harakiri_s);
	kill_worker(o, why, NULL);
}

static void interrupt(struct overdue *o)
{
	struct front *f = o->front;

	blame(o, BLAME_INTERRUPTED, blame_status(o->job, 504), "interrupt-timeout");
	o->job->interrupted = true;
	o->job->interrupted_ns = o->age_ns;
	board_add(&f->count->interrupts, 1);
	logbook_say(&f->log, f->wall_ns,
		    "worker %u: interrupt: %s took longer than %u s; its stacks follow",
		    o->worker + 1, o->name, f->config->interrupt_timeout_s);
	/* who it is for must be known before the signal comes */
	(void)exchange_condemn(f->exchange, o->slot);
	answer_timeout(o);
	pool_interrupt(f->pool, o->worker);
}

/* Why a request that was interrupted is still there. */
static const char *what_held(const struct overdue *o)
{
	const struct front *f = o->front;

	if (!exchange_was_interrupted(f->exchange, o->slot))
		return f->shape.threads > 1
			       ? "a thread of its worker holds the GIL and does not let go of it"
			       : "it hangs in C code and does not come back to Python";
	return f->shape.threads > 1
		       ? "its thread waits in C code or a system call, or the app caught the "
			 "exception"
		       : "the app caught the exception and went on";
}

/* The record names the request by itself. Its client was answered when it was interrupted, so why was it killed? */
static void explain_unmoved(const struct overdue *o, char *buf, size_t size)
{
	char had[64] = "the client had left before that";

	if (o->job->had >= 500)
		(void)snprintf(had, sizeof(had), "the client had %u then", o->job->had);
	else if (o->job->had > 0)
		(void)snprintf(had, sizeof(had), "the answer (%u) was cut then", o->job->had);
	(void)snprintf(buf, size,
		       "interrupted after %u s (interrupt-timeout), %s; killed because it did not "
		       "end within %d s of that: %s",
		       (unsigned)(o->job->interrupted_ns / NS_PER_S), had, LIMIT_INTERRUPT_GRACE_S,
		       what_held(o));
}

static void kill_unmoved(struct overdue *o)
{
	char why[NAMED + 160];
	char reason[BOARD_BLAME_REASON];

	/* many hang, and its turn has not come: its time begins when it does */
	if (pool_interrupt_waits(o->front->pool, o->worker)) {
		o->job->interrupted_ns = o->age_ns;
		return;
	}
	(void)snprintf(why, sizeof(why),
		       POOL_HARAKIRI ": %s did not end within %d s of its interrupt: %s", o->name,
		       LIMIT_INTERRUPT_GRACE_S, what_held(o));
	explain_unmoved(o, reason, sizeof(reason));
	kill_worker(o, why, reason);
}

/* A worker wrote over the slot's owner word: nobody will answer, and nobody can be blamed. */
static void drop_lost(struct front *f, unsigned slot)
{
	struct conn *c = f->jobs[slot].conn;

	logbook_say(&f->log, f->wall_ns,
		    "request %s [%s] is lost: a worker wrote over the memory it shares",
		    c ? c->line : "(client gone)", c ? c->id : "-");
	blame_request(f, slot,
		      &(struct blame_cause){.kind = BLAME_LOST,
					    .lane = BLAME_NO_LANE,
					    .status = blame_status(&f->jobs[slot], 502),
					    .reason = "a worker wrote over the memory it shares"});
	(void)exchange_cancel(f->exchange, slot);
	queue_release(f, slot);
	if (c)
		error_end(c, 502, 0, &(struct record){0});
}

/* With threads: who has one in hand that will be killed for another's sake would lose it. Its successor comes first. */
static void renew(struct overdue *o)
{
	o->job->renewed = true;
	logbook_say(&o->front->log, o->front->wall_ns,
		    "worker %u: takes no more requests: %s goes on after its interrupt",
		    o->worker + 1, o->name);
	pool_renew(o->front->pool, o->worker, POOL_RENEW_STUCK);
}

static struct deadline_limits limits_of(const struct vassal_config *g, unsigned threads)
{
	return (struct deadline_limits){
		.slow_ns = g->slow_request_s * NS_PER_S,
		.interrupt_ns = g->interrupt_timeout_s * NS_PER_S,
		.harakiri_ns = g->harakiri_s * NS_PER_S,
		.renew_ns = threads > 1 ? LIMIT_INTERRUPT_RENEW_MS * NS_PER_MS : 0,
		.grace_ns = LIMIT_INTERRUPT_GRACE_S * NS_PER_S};
}

static void check_age(struct overdue *o)
{
	const struct deadline_limits limits = limits_of(o->front->config, o->front->shape.threads);
	const struct deadline_state state = {.slow_said = o->job->slow_said,
					     .interrupted = o->job->interrupted,
					     .renewed = o->job->renewed,
					     .interrupted_ns = o->job->interrupted_ns};
	enum deadline_action action = deadline_next(&limits, &state, o->age_ns);

	if (action == DEADLINE_WAIT)
		return;
	name_request(o->front, o->slot, o->name);
	switch (action) {
	case DEADLINE_WAIT:
		break;
	case DEADLINE_SAY:
		say_slow(o);
		break;
	case DEADLINE_INTERRUPT:
		interrupt(o);
		break;
	case DEADLINE_RENEW:
		renew(o);
		break;
	case DEADLINE_UNMOVED:
		kill_unmoved(o);
		break;
	case DEADLINE_HARAKIRI:
		do_harakiri(o);
		break;
	}
}

/* Requests of one worker, all of them: nobody but the one that holds the GIL can say which it is. */
static void kill_deadlocked(struct overdue *o, uint64_t waited_ns)
{
	char why[NAMED + 160];

	(void)snprintf(why, sizeof(why),
		       "deadlock: no thread got the GIL for %llu s, C code holds it and does not "
		       "let go (deadlock-timeout); in work: %s",
		       (unsigned long long)(waited_ns / NS_PER_S), o->name);
	kill_worker(o, why, NULL);
}

/* How long this worker's witness has been waiting for the GIL, if that is too long; else 0. */
static uint64_t deadlocked_ns(const struct front *f, unsigned worker)
{
	uint64_t waited_ns = gil_held_ns(f, worker);

	return waited_ns >= f->config->deadlock_timeout_s * NS_PER_S ? waited_ns : 0;
}

static void check_job(struct front *f, unsigned slot)
{
	uint64_t waited_ns;
	struct job *job = &f->jobs[slot];
	int lane = exchange_holder(f->exchange, slot);
	uint64_t taken_ns = lane < 0 ? 0 : exchange_taken_ns(f->exchange, slot);
	struct overdue o = {.front = f, .slot = slot, .job = job};

	if (job->conn && !job->conn->in_epoll && f->now_ns - job->queued_ns > UNWATCHED_NS &&
	    !conn_watch(job->conn))
		return;
	if (lane < 0 && exchange_lost(f->exchange, slot)) {
		drop_lost(f, slot);
		return;
	}
	if (taken_ns == 0 || job->killed)
		return;
	o.lane = (unsigned)lane;
	o.worker = o.lane / f->shape.threads;
	o.age_ns = f->now_ns - MIN(f->now_ns, taken_ns);
	waited_ns = deadlocked_ns(f, o.worker);
	if (waited_ns > 0) {
		name_request(f, slot, o.name);
		kill_deadlocked(&o, waited_ns);
		return;
	}
	check_age(&o);
}

/* Who holds no request can hold the GIL too: a thread of the app's own. It would never take another one. */
static void check_idle(struct front *f)
{
	for (unsigned w = 0; w < f->shape.workers && f->config->deadlock_timeout_s > 0; w++) {
		char why[128];
		uint64_t waited_ns = deadlocked_ns(f, w);

		if (waited_ns == 0 || exchange_worker_holds(f->exchange, w))
			continue;
		(void)snprintf(why, sizeof(why),
			       "deadlock: no thread got the GIL for %llu s, C code holds it and "
			       "does not let go (deadlock-timeout)",
			       (unsigned long long)(waited_ns / NS_PER_S));
		pool_kill(f->pool, w, why);
	}
}

void overdue_check(struct front *f)
{
	unsigned left = f->jobs_n;

	check_idle(f);

	for (unsigned slot = 0; slot < f->shape.slots && left > 0; slot++) {
		if (!f->jobs[slot].used)
			continue;
		left--;
		check_job(f, slot);
	}
}

void overdue_ended(struct front *f, unsigned slot, unsigned lane)
{
	const struct job *job = &f->jobs[slot];
	uint64_t age_ns = f->now_ns - MIN(f->now_ns, exchange_taken_ns(f->exchange, slot));
	char name[NAMED];

	if (!job->interrupted || job->killed)
		return;
	name_request(f, slot, name);
	logbook_say(&f->log, f->wall_ns, "worker %u: %s ended %llu ms after its interrupt",
		    lane / f->shape.threads + 1, name,
		    (unsigned long long)((age_ns - MIN(age_ns, job->interrupted_ns)) / NS_PER_MS));
}
