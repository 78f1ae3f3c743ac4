/*
 * db_history - minutes and events in the database: written, read, and removed when their time is over.
 */
#include "emperor/stats/db_inner.h"

#include <inttypes.h>
#include <stdio.h>

#include "emperor/role.h"
#include "shared/clock.h"

#define SECONDS_OF_DAY 86400

_Static_assert(RECORD_TEXT >= ROLE_TEXT && RECORD_TEXT >= BOARD_EVENT_TEXT,
	       "an event's text must fit");

static void make_add_minute(struct sql *s)
{
	const char *comma = "";

	db_sql(s, "INSERT INTO minutes(start_s, app");
	db_sql_columns(s, ",", "");
	db_sql(s, ") VALUES(?1, (SELECT id FROM apps WHERE name = ?2)");
	for (size_t i = 0; i < record_counters_n() + GAUGE_COUNT; i++)
		db_sql(s, ",?%zu", i + 3);
	db_sql(s, ") ON CONFLICT DO UPDATE SET ");
	for (size_t i = 0; i < record_counters_n(); i++, comma = ",")
		db_sql(s, "%s%s=%s+excluded.%s", comma, board_fields[i].name, board_fields[i].name,
		       board_fields[i].name);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		db_sql(s, ",%s=max(%s,excluded.%s)", record_gauge_names[i], record_gauge_names[i],
		       record_gauge_names[i]);
}

void db_history_sql(enum statement which, struct sql *s)
{
	if (which == ADD_MINUTE)
		make_add_minute(s);
	else
		db_sql(s,
		       "INSERT OR IGNORE INTO events(wall_ns, app, generation, kind, worker, text)"
		       " VALUES(?1, (SELECT id FROM apps WHERE name = ?2), ?3, ?4, ?5, ?6)");
}

int db_add_minute(struct db *db, const struct record_minute *m, struct err *err)
{
	sqlite3_stmt *st = db_statement(db, ADD_MINUTE);
	int at = 3;
	int r;

	if (!st)
		return db_fail(db, "database", err);
	r = db_add_app(db, m->app, err);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, m->start_s);
	(void)sqlite3_bind_text(st, 2, m->app, -1, SQLITE_STATIC);
	for (size_t i = 0; i < record_counters_n(); i++)
		db_bind_u64(st, at++, m->counters[i]);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		db_bind_u64(st, at++, m->gauges[i]);
	return db_finish(db, st, err);
}

int db_add_event(struct db *db, const struct record_event *e, struct err *err)
{
	sqlite3_stmt *st = db_statement(db, ADD_EVENT);
	int r;

	if (!st)
		return db_fail(db, "database", err);
	r = db_add_app(db, e->app, err);
	if (r < 0)
		return r;
	db_bind_u64(st, 1, e->wall_ns);
	(void)sqlite3_bind_text(st, 2, e->app, -1, SQLITE_STATIC);
	db_bind_u64(st, 3, e->generation);
	(void)sqlite3_bind_int64(st, 4, e->kind);
	(void)sqlite3_bind_int64(st, 5, e->worker);
	(void)sqlite3_bind_text(st, 6, e->text, -1, SQLITE_STATIC);
	return db_finish(db, st, err);
}

int db_prune(struct db *db, int64_t now_s, uint64_t *ret_rows, struct err *err)
{
	int64_t before = sqlite3_total_changes64(db->handle);
	struct sql s = {0};
	int r;

	db_sql(&s, "DELETE FROM minutes WHERE start_s < %" PRId64 ";",
	       now_s - (int64_t)DB_KEEP_MINUTES_DAYS * SECONDS_OF_DAY);
	db_sql(&s, "DELETE FROM events WHERE wall_ns < %" PRId64 ";",
	       (now_s - (int64_t)DB_KEEP_EVENTS_DAYS * SECONDS_OF_DAY) * (int64_t)NS_PER_S);
	db_sql(&s, "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - %d;",
	       DB_KEEP_EVENTS);
	db_sql(&s, "DELETE FROM blames WHERE wall_ns < %" PRId64 ";",
	       (now_s - (int64_t)DB_KEEP_EVENTS_DAYS * SECONDS_OF_DAY) * (int64_t)NS_PER_S);
	db_sql(&s,
	       "DELETE FROM inis WHERE wall_ns < %" PRId64
	       " AND (id NOT IN (SELECT max(id) FROM inis GROUP BY app)"
	       " OR NOT EXISTS (SELECT 1 FROM minutes WHERE app = inis.app));",
	       (now_s - (int64_t)DB_KEEP_EVENTS_DAYS * SECONDS_OF_DAY) * (int64_t)NS_PER_S);
	db_sql(&s, "DELETE FROM apps WHERE NOT EXISTS (SELECT 1 FROM minutes WHERE app = apps.id)"
		   " AND NOT EXISTS (SELECT 1 FROM events WHERE app = apps.id)"
		   " AND NOT EXISTS (SELECT 1 FROM blames WHERE app = apps.id)"
		   " AND NOT EXISTS (SELECT 1 FROM inis WHERE app = apps.id);");
	r = db_run(db, s.text, err);
	if (r == 0)
		*ret_rows = (uint64_t)(sqlite3_total_changes64(db->handle) - before);
	return r;
}

int db_read_events(struct db *db, const char *app, int64_t after_id, unsigned n, db_event_fn *fn,
		   void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	struct sql s = {0}, sorted = {0};
	int rc;

	db_sql(&s, "SELECT e.id, wall_ns, name, generation, kind, worker, text"
		   " FROM events e JOIN apps a ON a.id = e.app WHERE e.id > ?2");
	if (app[0])
		db_sql(&s, " AND e.app = (SELECT id FROM apps WHERE name = ?1)");
	if (after_id < 0)
		db_sql(&s, " ORDER BY wall_ns DESC, e.id DESC LIMIT ?3");
	else
		db_sql(&s, " ORDER BY e.id LIMIT ?3");
	db_sql(&sorted, "SELECT * FROM (%s) ORDER BY 2, 1", s.text);
	if (sqlite3_prepare_v2(db->handle, sorted.text, -1, &st, NULL) != SQLITE_OK)
		return db_fail(db, "database", err);
	if (app[0])
		(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, after_id);
	(void)sqlite3_bind_int64(st, 3, n);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct record_event e = {
			.id = sqlite3_column_int64(st, 0),
			.wall_ns = db_column_u64(st, 1),
			.generation = db_column_u64(st, 3),
			.kind = (uint32_t)sqlite3_column_int(st, 4),
			.worker = (uint32_t)sqlite3_column_int(st, 5),
		};

		db_column_text(st, 2, e.app, sizeof(e.app));
		db_column_text(st, 6, e.text, sizeof(e.text));
		fn(arg, &e);
	}
	return db_end_read(db, st, rc, err);
}

int db_read_minutes(struct db *db, const char *app, int64_t from_s, unsigned n, db_minute_fn *fn,
		    void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	struct sql s = {0};
	int rc;

	db_sql(&s, "SELECT start_s");
	db_sql_columns(&s, ",", "");
	db_sql(&s,
	       " FROM minutes WHERE app = (SELECT id FROM apps WHERE name = ?1) AND start_s >= ?2"
	       " ORDER BY start_s LIMIT ?3");
	if (sqlite3_prepare_v2(db->handle, s.text, -1, &st, NULL) != SQLITE_OK)
		return db_fail(db, "database", err);
	(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, from_s);
	(void)sqlite3_bind_int64(st, 3, n);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct record_minute m = {.start_s = sqlite3_column_int64(st, 0)};
		int at = 1;

		(void)snprintf(m.app, sizeof(m.app), "%s", app);
		for (size_t i = 0; i < record_counters_n(); i++)
			m.counters[i] = db_column_u64(st, at++);
		for (size_t i = 0; i < GAUGE_COUNT; i++)
			m.gauges[i] = db_column_u64(st, at++);
		fn(arg, &m);
	}
	return db_end_read(db, st, rc, err);
}
