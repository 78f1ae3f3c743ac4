/*
 * db_blames - blame records in the database; see db.h. Each may have 10 KB: an app keeps its last DB_KEEP_BLAMES, and
 * each new one pushes the oldest out at once, whatever the hourly pruning does.
 */
#include "emperor/stats/db_inner.h"

#include <errno.h>

#include "shared/err.h"

/* What is written in this order is read in this order. */
#define COLUMNS                                                                           \
	"wall_ns, generation, kind, worker, pid, status, signal, age_us, queue_us, rss, " \
	"rss_growth,"                                                                     \
	" request_id, request, reason, stacks, log"

static const char create_sql[] =
	"CREATE TABLE IF NOT EXISTS blames(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" app INTEGER NOT NULL REFERENCES apps, wall_ns INTEGER NOT NULL,"
	" generation INTEGER NOT NULL, kind INTEGER NOT NULL, worker INTEGER NOT NULL,"
	" pid INTEGER NOT NULL, status INTEGER NOT NULL, signal INTEGER NOT NULL,"
	" age_us INTEGER NOT NULL, queue_us INTEGER NOT NULL, rss INTEGER NOT NULL,"
	" rss_growth INTEGER NOT NULL, request_id TEXT NOT NULL, request TEXT NOT NULL,"
	" reason TEXT NOT NULL, stacks TEXT NOT NULL, log TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS blames_of_app ON blames(app, id);"
	/* A role that was restarted reads a ring from its beginning again. */
	"CREATE UNIQUE INDEX IF NOT EXISTS blames_once"
	" ON blames(app, wall_ns, kind, worker, request_id);";

int db_blames_create(struct db *db, struct err *err)
{
	return db_run(db, create_sql, err);
}

const char *db_blames_sql(enum statement which)
{
	if (which == CUT_BLAMES)
		return "DELETE FROM blames WHERE app = (SELECT id FROM apps WHERE name = ?1) AND "
		       "id <="
		       " (SELECT id FROM blames WHERE app = (SELECT id FROM apps WHERE name = ?1)"
		       " ORDER BY id DESC LIMIT 1 OFFSET ?2)";
	return "INSERT OR IGNORE INTO blames(app, " COLUMNS ")"
	       " VALUES((SELECT id FROM apps WHERE name = ?1),"
	       " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
}

static int cut(struct db *db, const char *app, struct err *err)
{
	sqlite3_stmt *st = db_statement(db, CUT_BLAMES);

	if (!st)
		return db_fail(db, "database", err);
	(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(st, 2, DB_KEEP_BLAMES);
	return db_finish(db, st, err);
}

int db_add_blame(struct db *db, const struct record_blame *b, struct err *err)
{
	sqlite3_stmt *st = db_statement(db, ADD_BLAME);
	const struct board_blame *r = &b->r;
	const uint64_t numbers[] = {r->wall_ns, r->generation, r->kind,   r->worker,   r->pid,
				    r->status,  r->signal,     r->age_us, r->queue_us, r->rss};
	const char *const texts[] = {r->id, r->request, r->reason, r->stacks, r->log};
	int at = 2;
	int rc;

	if (!st)
		return db_fail(db, "database", err);
	rc = db_add_app(db, b->app, err);
	if (rc < 0)
		return rc;
	(void)sqlite3_bind_text(st, 1, b->app, -1, SQLITE_STATIC);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		db_bind_u64(st, at++, numbers[i]);
	(void)sqlite3_bind_int64(st, at++, r->rss_growth);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void)sqlite3_bind_text(st, at++, texts[i], -1, SQLITE_STATIC);
	rc = db_finish(db, st, err);
	return rc < 0 ? rc : cut(db, b->app, err);
}

static void read_row(sqlite3_stmt *st, struct record_blame *b)
{
	struct board_blame *r = &b->r;

	b->id = sqlite3_column_int64(st, 0);
	db_column_text(st, 1, b->app, sizeof(b->app));
	r->wall_ns = db_column_u64(st, 2);
	r->generation = db_column_u64(st, 3);
	r->kind = (uint32_t)sqlite3_column_int(st, 4);
	r->worker = (uint32_t)sqlite3_column_int(st, 5);
	r->pid = (uint32_t)sqlite3_column_int(st, 6);
	r->status = (uint32_t)sqlite3_column_int(st, 7);
	r->signal = (uint32_t)sqlite3_column_int(st, 8);
	r->age_us = db_column_u64(st, 9);
	r->queue_us = db_column_u64(st, 10);
	r->rss = db_column_u64(st, 11);
	r->rss_growth = sqlite3_column_int64(st, 12);
	db_column_text(st, 13, r->id, sizeof(r->id));
	db_column_text(st, 14, r->request, sizeof(r->request));
	db_column_text(st, 15, r->reason, sizeof(r->reason));
	db_column_text(st, 16, r->stacks, sizeof(r->stacks));
	db_column_text(st, 17, r->log, sizeof(r->log));
}

int db_read_blames(struct db *db, const char *app, unsigned n, db_blame_fn *fn, void *arg,
		   struct err *err)
{
	static const char of_app[] =
		"SELECT b.id, name, " COLUMNS " FROM blames b JOIN apps a ON a.id = b.app"
		" WHERE name = ?1 ORDER BY b.id DESC LIMIT ?2";
	static const char of_all[] =
		"SELECT b.id, name, " COLUMNS " FROM blames b JOIN apps a ON a.id = b.app"
		" WHERE ?1 = '' ORDER BY b.id DESC LIMIT ?2";
	struct record_blame *b;
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(db->handle, app[0] ? of_app : of_all, -1, &st, NULL) != SQLITE_OK)
		return db_fail(db, "database", err);
	b = calloc(1, sizeof(*b));
	if (!b) {
		(void)sqlite3_finalize(st);
		return err_set(err, -ENOMEM, "out of memory");
	}
	(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, n);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		read_row(st, b);
		fn(arg, b);
	}
	free(b);
	return db_end_read(db, st, rc, err);
}
