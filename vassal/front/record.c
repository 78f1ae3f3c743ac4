/*
 * record - see record.h.
 */
#include "vassal/front/record.h"

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/access.h"
#include "vassal/front/conn.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"

void record_times(struct front *f, uint64_t queue_ns, uint64_t app_ns)
{
	struct board_counters *n = f->count;
	uint64_t queue_us = queue_ns / NS_PER_US;
	uint64_t app_us = app_ns / NS_PER_US;

	board_add(&n->queue_us, queue_us);
	board_add(&n->app_us, app_us);
	board_add(&n->queue_hist[board_bucket(queue_us)], 1);
	board_add(&n->app_hist[board_bucket(app_us)], 1);
}

void record_request(const struct conn *c, const struct record *r)
{
	struct front *f = c->front;
	char line[ACCESS_LINE];
	struct access a = {.wall_ns = f->wall_ns,
			   .client = conn_client(c),
			   .line = c->line[0] ? c->line : "-",
			   .id = c->id,
			   .status = r->status,
			   .bytes = r->body_bytes,
			   .queue_ns = r->queue_ns,
			   .app_ns = r->app_ns,
			   .worker = r->worker,
			   .logvars = r->logvars};

	board_add(&f->count->requests, 1);
	board_add(&f->count->responses[r->status < 600 ? r->status / 100 : 5], 1);
	if (!r->logged && (f->config->disable_logging || routed_is_quiet(c)))
		return;
	logbook_line(&f->log, line, access_format(line, &a), true);
}
