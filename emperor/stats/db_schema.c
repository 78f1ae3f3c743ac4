/*
 * db_schema - the tables: made, checked, and completed.
 *
 * Columns of minutes come from board_fields[] and record_gauge_names[]: a counter that a newer build knows is added to
 * an older file by ALTER TABLE, and a whole table that it lacks is made, so that only a change of meaning needs a new
 * schema version: an older build still reads what it knows.
 */
#include "emperor/stats/db_inner.h"

#include <errno.h>

#include "shared/err.h"

#define COUNTER "INTEGER NOT NULL DEFAULT 0"

void db_sql_columns(struct sql *s, const char *before, const char *after)
{
	for (size_t i = 0; i < record_counters_n(); i++)
		db_sql(s, "%s%s%s", before, board_fields[i].name, after);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		db_sql(s, "%s%s%s", before, record_gauge_names[i], after);
}

static int create_schema(struct db *db, struct err *err)
{
	struct sql s = {0};

	db_sql(&s,
	       "BEGIN IMMEDIATE;"
	       "CREATE TABLE apps(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	       "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, wall_ns INTEGER NOT NULL,"
	       " app INTEGER NOT NULL REFERENCES apps, generation INTEGER NOT NULL, kind INTEGER "
	       "NOT "
	       "NULL,"
	       " worker INTEGER NOT NULL, text TEXT NOT NULL);"
	       "CREATE INDEX events_of_app ON events(app, id);"
	       "CREATE TABLE minutes(start_s INTEGER NOT NULL, app INTEGER NOT NULL REFERENCES "
	       "apps");
	db_sql_columns(&s, ",", " INTEGER NOT NULL DEFAULT 0");
	db_sql(&s,
	       ",PRIMARY KEY(app, start_s)) WITHOUT ROWID;"
	       "PRAGMA user_version = %d; COMMIT;",
	       DB_SCHEMA_VERSION);
	if (s.n >= sizeof(s.text))
		return err_set(err, -E2BIG, "database: too many columns for one statement");
	return db_run(db, s.text, err);
}

/*
 * Events of a ring come up to a second after those that the emperor tells at once: they are read by their time. A role
 * that was restarted reads a ring from its beginning again; but a front may say two things in one turn.
 */
static int index_events(struct db *db, struct err *err)
{
	return db_run(db,
		      "DROP INDEX IF EXISTS events_once;"
		      "CREATE UNIQUE INDEX IF NOT EXISTS events_each"
		      " ON events(app, wall_ns, kind, worker, text);"
		      "CREATE INDEX IF NOT EXISTS events_by_time ON events(wall_ns, id);",
		      err);
}

static int add_tables(struct db *db, struct err *err)
{
	int r = index_events(db, err);

	if (r == 0)
		r = db_blames_create(db, err);
	return r < 0 ? r : db_inis_create(db, err);
}

static int read_int(struct db *db, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL) != SQLITE_OK)
		return db_fail(db, "database", err);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : db_fail(db, "database", err);
}

int db_add_column(struct db *db, const char *table, const char *name, const char *type,
		  struct err *err)
{
	struct sql s = {0};
	int64_t there = 0;
	int r;

	db_sql(&s, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'", table, name);
	r = read_int(db, s.text, &there, err);
	if (r < 0 || there > 0)
		return r;
	s.n = 0;
	db_sql(&s, "ALTER TABLE %s ADD COLUMN %s %s", table, name, type);
	return db_run(db, s.text, err);
}

static int add_missing_columns(struct db *db, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < record_counters_n() && r == 0; i++)
		r = db_add_column(db, "minutes", board_fields[i].name, COUNTER, err);
	for (size_t i = 0; i < GAUGE_COUNT && r == 0; i++)
		r = db_add_column(db, "minutes", record_gauge_names[i], COUNTER, err);
	return r;
}

int db_schema_check(struct db *db, struct err *err)
{
	int64_t version = 0;
	int64_t tables = 0;
	int r = read_int(db, "PRAGMA user_version", &version, err);

	if (r == 0)
		r = read_int(db, "SELECT count(*) FROM sqlite_master", &tables, err);
	if (r < 0)
		return r;
	if (version == 0 && tables == 0) {
		r = create_schema(db, err);
		return r < 0 ? r : add_tables(db, err);
	}
	if (version > DB_SCHEMA_VERSION)
		return err_set(err, -EPROTONOSUPPORT, "database: schema %lld, this build knows %d",
			       (long long)version, DB_SCHEMA_VERSION);
	r = read_int(db,
		     "SELECT count(*) FROM sqlite_master WHERE name IN ('apps','events','minutes')",
		     &tables, err);
	if (r < 0)
		return r;
	if (version != DB_SCHEMA_VERSION || tables != 3)
		return err_set(err, -EEXIST, "database: holds something else; it is left alone");
	r = add_missing_columns(db, err);
	return r < 0 ? r : add_tables(db, err);
}
