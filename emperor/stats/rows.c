/*
 * rows - see rows.h.
 */
#include "emperor/stats/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "emperor/stats/db.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/json.h"

/* LIMIT_STATS_EVENTS or LIMIT_STATS_BLAMES with the longest texts, escaped. */
#define ROWS_MAX ((size_t)8 * 1024 * 1024)

/* An answer that grows row by row: each row is dumped at once, so that only the text is held. */
struct answer {
	struct buf out;
	bool failed;
	unsigned rows;
};

static void add_bytes(struct answer *a, const char *p, size_t n)
{
	a->failed = a->failed || buf_append(&a->out, p, n, ROWS_MAX) < 0;
}

static void add_row(struct answer *a, json_t *row)
{
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;

	text = json_dump_text(row, false, &n);
	json_decref(row);
	if (!text) {
		a->failed = true;
		return;
	}
	if (a->rows++ > 0)
		add_bytes(a, ",", 1);
	add_bytes(a, text, n);
}

static void on_event_row(void *arg, const struct record_event *e)
{
	json_t *row = json_object();

	json_put_u64(row, "id", (uint64_t)e->id);
	json_put_u64(row, "time", e->wall_ns / NS_PER_S);
	json_put_u64(row, "time_ns", e->wall_ns);
	json_put_text(row, "app", e->app);
	json_put_u64(row, "generation", e->generation);
	json_put_text(row, "kind", board_event_name(e->kind));
	json_put_u64(row, "worker", e->worker);
	json_put_text(row, "text", e->text);
	add_row(arg, row);
}

static void on_blame_row(void *arg, const struct record_blame *b)
{
	const struct board_blame *r = &b->r;
	json_t *row = json_object();

	json_put_u64(row, "id", (uint64_t)b->id);
	json_put_u64(row, "time", r->wall_ns / NS_PER_S);
	json_put_u64(row, "time_ns", r->wall_ns);
	json_put_text(row, "app", b->app);
	json_put_u64(row, "generation", r->generation);
	json_put_text(row, "kind", board_blame_name(r->kind));
	json_put_text(row, "request", r->request);
	json_put_text(row, "request_id", r->id);
	json_put_u64(row, "status", r->status);
	json_put_text(row, "reason", r->reason);
	json_put_u64(row, "worker", r->worker);
	json_put_u64(row, "pid", r->pid);
	json_put_u64(row, "signal", r->signal);
	json_put_u64(row, "age_us", r->age_us);
	json_put_u64(row, "queue_us", r->queue_us);
	json_put_u64(row, "rss", r->rss);
	json_put(row, "rss_growth", json_integer(r->rss_growth));
	json_put_text(row, "stacks", r->stacks);
	json_put_text(row, "log", r->log);
	add_row(arg, row);
}

static void on_minute_row(void *arg, const struct record_minute *m)
{
	json_t *row = json_object();

	json_put_u64(row, "time", (uint64_t)m->start_s);
	for (size_t i = 0; i < record_counters_n(); i++)
		json_put_u64(row, board_fields[i].name, m->counters[i]);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		json_put_u64(row, record_gauge_names[i], m->gauges[i]);
	add_row(arg, row);
}

static void on_ini_row(void *arg, const struct record_ini *i, const char *bytes)
{
	json_t *row = json_object();
	char digest[17];

	json_put_u64(row, "id", (uint64_t)i->id);
	json_put_u64(row, "time", i->wall_ns / NS_PER_S);
	json_put_u64(row, "time_ns", i->wall_ns);
	json_put_u64(row, "generation", i->generation);
	(void)snprintf(digest, sizeof(digest), "%016" PRIx64, i->digest);
	json_put_text(row, "digest", digest);
	json_put_u64(row, "bytes", i->n);
	json_put_text(row, "release", i->release);
	if (bytes)
		json_put(row, "ini", json_text(bytes, i->n));
	add_row(arg, row);
}

static int read_rows(struct db *db, const struct store_question *q, struct answer *a,
		     struct err *err)
{
	if (q->what == STORE_EVENTS) {
		add_bytes(a, "{\"events\":[", 11);
		return db_read_events(db, q->app, q->after_id, q->n, on_event_row, a, err);
	}
	if (q->what == STORE_BLAMES) {
		add_bytes(a, "{\"blames\":[", 11);
		return db_read_blames(db, q->app, q->n, on_blame_row, a, err);
	}
	add_bytes(a, "{\"app\":", 7);
	a->rows = 0;
	add_row(a, json_text(q->app, strlen(q->app)));
	a->rows = 0;
	if (q->what == STORE_INIS) {
		add_bytes(a, ",\"inis\":[", 9);
		return db_read_inis(db, q->app, q->generation, q->n, on_ini_row, a, err);
	}
	add_bytes(a, ",\"minutes\":[", 12);
	return db_read_minutes(db, q->app, q->from_s, q->n, on_minute_row, a, err);
}

int rows_read(struct db *db, const struct store_question *q, char **ret_text, size_t *ret_n,
	      struct err *err)
{
	struct answer a = {0};
	int r = read_rows(db, q, &a, err);

	add_bytes(&a, "]}\n", 4); /* terminated, as every text is */
	if (r == 0 && a.failed)
		r = err_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		buf_done(&a.out);
		return r;
	}
	*ret_text = a.out.p;
	*ret_n = a.out.n - 1;
	return 0;
}
