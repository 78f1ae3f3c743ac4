/*
 * ending - see ending.h. Records come first: they say what the client had got, which its answer changes.
 */
#include "vassal/front/ending.h"

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

static void kill_holder(struct front *f, unsigned slot, unsigned worker)
{
	const struct exchange_request *xr = exchange_request(f->exchange, slot);
	const struct conn *c = f->jobs[slot].conn;
	char why[BOARD_LINE + LIMIT_REQUEST_ID + 64];

	/* the slot's own words when the client has left: shared memory, hence the bounds */
	(void)snprintf(why, sizeof(why), POOL_MERCY ": %.*s [%.*s] did not end within %u s",
		       (int)sizeof(xr->line) - 1, c ? c->line : xr->line, (int)sizeof(xr->id) - 1,
		       c ? c->id : xr->id, f->config->graceful_timeout_s);
	logbook_say(&f->log, f->wall_ns, "worker %u: %s; its stacks follow", worker + 1, why);
	pool_kill(f->pool, worker, why);
}

/* What a worker has. It is told of once: here, and not when the worker dies of it. */
static void blame_held(struct front *f, unsigned slot, bool mercy)
{
	struct job *job = &f->jobs[slot];
	int lane = exchange_holder(f->exchange, slot);
	struct blame_cause cause = {.kind = BLAME_KILLED,
				    .lane = (unsigned)lane,
				    .status = blame_status(job, 503),
				    .stacks = mercy,
				    .reason = mercy ? POOL_MERCY : "stopped at once"};

	if (!job->used || job->killed || lane < 0 || exchange_taken_ns(f->exchange, slot) == 0)
		return;
	blame_request(f, slot, &cause);
	job->killed = true;
	if (mercy)
		kill_holder(f, slot, (unsigned)lane / f->shape.threads);
}

static void end_request(struct conn *c)
{
	struct front *f = c->front;
	struct record r = {0};

	c->close_after = true;
	if (c->state == CONN_WAIT)
		queue_abandon(c, &r);
	if (r.worker > 0)
		record_times(f, r.queue_ns, r.app_ns);
	error_end(c, 503, 1, &r);
}

static void end_all(struct front *f, bool mercy)
{
	for (unsigned slot = 0; slot < f->shape.slots; slot++)
		blame_held(f, slot, mercy);
	queue_refuse_all(f);
	for (struct conn *c = f->conns, *next; c; c = next) {
		next = c->next;
		if (c->state == CONN_WAIT || c->state == CONN_BODY || c->state == CONN_PASS ||
		    (c->state == CONN_HEAD && c->in.n > 0))
			end_request(c);
		else if (c->state != CONN_LINGER)
			conn_kill(c, c->state == CONN_FLUSH || c->state == CONN_FILE);
	}
}

void ending_mercy(struct front *f)
{
	end_all(f, true);
}

void ending_now(struct front *f)
{
	end_all(f, false);
}
