/*
 * workers - see workers.h.
 */
#include "vassal/front/workers.h"

#include "vassal/front/answer.h"
#include "vassal/front/blame.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/loop.h"
#include "vassal/front/pressure.h"
#include "vassal/front/queue.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/front/triggers.h"
#include "vassal/front/wrapped.h"
#include "vassal/pool/pool.h"

/* A burial under way: what the worker held is answered and told. */
struct burial {
	struct front *front;
	const struct pool_death *death;
};

static void on_ready(void *arg, uint64_t import_us, unsigned workers)
{
	lifecycle_ready(arg, import_us, workers);
}

static void on_failed(void *arg, enum fail_phase phase, const char *text)
{
	lifecycle_failed(arg, phase, text);
}

static void bury_request(void *arg, unsigned slot, unsigned lane)
{
	struct burial *b = arg;
	struct front *f = b->front;
	struct job *job = &f->jobs[slot];
	struct conn *c = job->conn;
	const struct exchange_request *xr = exchange_request(f->exchange, slot);
	struct record r = {.worker = lane / f->shape.threads + 1};
	uint64_t taken_ns = exchange_taken_ns(f->exchange, slot);

	if (!job->used)
		return;
	/* the slot's own words when the client has left: shared memory, hence the bounds */
	if (!job->killed)
		logbook_say(&f->log, f->wall_ns, "worker %u (%d) %s while serving %.*s [%.*s]",
			    r.worker, (int)b->death->pid, b->death->why, (int)sizeof(xr->line) - 1,
			    c ? c->line : xr->line, (int)sizeof(xr->id) - 1, c ? c->id : xr->id);
	if (!job->killed)
		blame_request(f, slot,
			      &(struct blame_cause){.kind = blame_kind_of(b->death),
						    .lane = lane,
						    .status = blame_status(job, 502),
						    .death = b->death,
						    .reason = b->death->why});
	if (taken_ns > 0 && !job->killed && !job->interrupted) {
		r.queue_ns = taken_ns - MIN(taken_ns, job->queued_ns);
		r.app_ns = f->now_ns - MIN(f->now_ns, taken_ns);
		record_times(f, r.queue_ns, r.app_ns);
		board_add(&f->count->worker_deaths, 1);
	}
	job->conn = NULL;
	queue_release(f, slot);
	if (c)
		error_end(c, 502, 0, &r);
}

static void on_died(void *arg, const struct pool_death *death)
{
	struct front *f = arg;
	struct burial b = {.front = f, .death = death};

	answer_drain_worker(f, death->worker);
	if (!death->expected && !death->late)
		fusebox_died(f, death);
	exchange_bury(f->exchange, death->worker, bury_request, &b);
	fusebox_sweep(f);
	loop_kick(f);
}

static int on_body(void *arg, unsigned worker, unsigned slot)
{
	const struct front *f = arg;
	int lane;

	if (slot >= f->shape.slots || !f->jobs[slot].used || !f->jobs[slot].body.has_file)
		return -1;
	lane = exchange_holder(f->exchange, slot);
	return lane >= 0 && (unsigned)lane / f->shape.threads == worker ? f->jobs[slot].body.file_fd
									: -1;
}

static bool on_file(void *arg, unsigned worker, unsigned slot, int fd, uint64_t at)
{
	return wrapped_take(arg, worker, slot, fd, at);
}

static void on_output(void *arg, const char *p, size_t n)
{
	struct front *f = arg;

	logbook_output(&f->log, p, n);
}

static void on_stacks(void *arg, unsigned worker, pid_t pid, const char *text)
{
	struct front *f = arg;

	blame_stacks(f, worker, pid, text);
	/* with one thread a signal finds its stack whatever it does; with more somebody must get the GIL */
	if (text[0] == '\0' && f->shape.threads > 1 && pid > 0)
		logbook_say(
			&f->log, f->wall_ns,
			"worker %u does not answer: C code holds the GIL (see deadlock-timeout), "
			"or the process is stopped",
			worker + 1);
}

static void on_event(void *arg, unsigned kind, unsigned worker, const char *text)
{
	struct front *f = arg;

	board_event(f->board, f->wall_ns, f->generation, (enum board_event_kind)kind, worker, "%s",
		    text);
	logbook_say_lines(&f->log, f->wall_ns, text);
}

static void on_modules(void *arg, int fd)
{
	const struct front *f = arg;

	triggers_modules(f->triggers, fd);
}

static void on_stopped(void *arg)
{
	lifecycle_stopped(arg);
}

static unsigned on_waiting(void *arg, uint64_t *ret_oldest_ns)
{
	return pressure_look(arg, ret_oldest_ns);
}

const struct pool_events workers_events = {
	.ready = on_ready,
	.failed = on_failed,
	.died = on_died,
	.body = on_body,
	.file = on_file,
	.output = on_output,
	.event = on_event,
	.stacks = on_stacks,
	.stopped = on_stopped,
	.waiting = on_waiting,
	.modules = on_modules,
};
