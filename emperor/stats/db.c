/*
 * db - see db.h.
 *
 * Columns of minutes come from board_fields[] and record_gauge_names[]: a counter that a newer build knows is added to
 * an older file by ALTER TABLE, and a whole table that it lacks is made, so that only a change of meaning needs a new
 * schema version: an older build still reads what it knows.
 *
 * Memory: a page cache of DB_CACHE_KIB and no memory map, since the role as a whole has 2 MB.
 */
#include "emperor/stats/db_inner.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "emperor/role.h"
#include "shared/clock.h"
#include "shared/err.h"

#define DB_CACHE_KIB 256
#define SQL_MAX      4096
#define PATH_ROOM    4200 /* a path (PATH_MAX) and what is appended to it */

#define SECONDS_OF_DAY 86400

_Static_assert(RECORD_TEXT >= ROLE_TEXT && RECORD_TEXT >= BOARD_EVENT_TEXT,
	       "an event's text must fit");

/* A string that is built piece by piece; overflow is seen once, at the end. */
struct sql {
	char text[SQL_MAX];
	size_t n;
};

static void add(struct sql *s, const char *fmt, ...) _printf_(2, 3);

static void add(struct sql *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (s->n >= sizeof(s->text))
		return;
	va_start(ap, fmt);
	n = vsnprintf(s->text + s->n, sizeof(s->text) - s->n, fmt, ap);
	va_end(ap);
	s->n += n > 0 ? (size_t)n : 0;
}

static int code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int db_fail(struct db *db, const char *what, struct err *err)
{
	int rc = db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_NOMEM;

	/* A file that may not grow is known by errno alone: sqlite forgets it with the write that failed. */
	if (rc == SQLITE_IOERR_WRITE && (errno == EFBIG || errno == EDQUOT || errno == ENOSPC))
		rc = SQLITE_FULL;
	return err_set(err, code_of(rc) ? code_of(rc) : -EIO, "%s: %s", what,
		       db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
}

int db_run(struct db *db, const char *sql, struct err *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, "database", err);
	return 0;
}

/* -- schema --------------------------------------------------------------------------------------------- */

static void add_columns(struct sql *s, const char *before, const char *after)
{
	for (size_t i = 0; i < record_counters_n(); i++)
		add(s, "%s%s%s", before, board_fields[i].name, after);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		add(s, "%s%s%s", before, record_gauge_names[i], after);
}

static int create_schema(struct db *db, struct err *err)
{
	struct sql s = {0};

	add(&s,
	    "BEGIN IMMEDIATE;"
	    "CREATE TABLE apps(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	    "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, wall_ns INTEGER NOT NULL,"
	    " app INTEGER NOT NULL REFERENCES apps, generation INTEGER NOT NULL, kind INTEGER NOT "
	    "NULL,"
	    " worker INTEGER NOT NULL, text TEXT NOT NULL);"
	    "CREATE INDEX events_of_app ON events(app, id);"
	    /* A role that was restarted reads a ring from its beginning again. */
	    "CREATE UNIQUE INDEX events_once ON events(app, wall_ns, kind, worker);"
	    "CREATE TABLE minutes(start_s INTEGER NOT NULL, app INTEGER NOT NULL REFERENCES apps");
	add_columns(&s, ",", " INTEGER NOT NULL DEFAULT 0");
	add(&s,
	    ",PRIMARY KEY(app, start_s)) WITHOUT ROWID;"
	    "PRAGMA user_version = %d; COMMIT;",
	    DB_SCHEMA_VERSION);
	if (s.n >= sizeof(s.text))
		return err_set(err, -E2BIG, "database: too many columns for one statement");
	return db_run(db, s.text, err);
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

static int add_column(struct db *db, const char *name, struct err *err)
{
	struct sql s = {0};
	int64_t there = 0;
	int r;

	add(&s, "SELECT count(*) FROM pragma_table_info('minutes') WHERE name = '%s'", name);
	r = read_int(db, s.text, &there, err);
	if (r < 0 || there > 0)
		return r;
	s.n = 0;
	add(&s, "ALTER TABLE minutes ADD COLUMN %s INTEGER NOT NULL DEFAULT 0", name);
	return db_run(db, s.text, err);
}

static int add_missing_columns(struct db *db, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < record_counters_n() && r == 0; i++)
		r = add_column(db, board_fields[i].name, err);
	for (size_t i = 0; i < GAUGE_COUNT && r == 0; i++)
		r = add_column(db, record_gauge_names[i], err);
	return r;
}

static int check_schema(struct db *db, struct err *err)
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
		return r < 0 ? r : db_blames_create(db, err);
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
	return r < 0 ? r : db_blames_create(db, err);
}

/* -- open and close ------------------------------------------------------------------------------------- */

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(db->statements[i]);
	(void)sqlite3_close_v2(db->handle);
	free(db);
}

static void closep(struct db **db)
{
	db_close(*db);
}

static int open_checked(struct db **ret_db, const char *path, struct err *err)
{
	_cleanup_(closep) struct db *db = calloc(1, sizeof(*db));
	struct sql s = {0};
	int r;

	if (!db)
		return err_set(err, -ENOMEM, "database: out of memory");
	if (sqlite3_open_v2(path, &db->handle,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_PRIVATECACHE,
			    NULL) != SQLITE_OK)
		return db_fail(db, path, err);
	(void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
	/* The file may have been damaged on purpose: no SQL of its own schema runs. */
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	/* NORMAL: a power cut loses the last minute, never the file; and no fsync per commit in WAL mode. */
	add(&s,
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -%d;"
	    "PRAGMA mmap_size = 0; PRAGMA temp_store = FILE; PRAGMA journal_size_limit = 1048576;",
	    DB_CACHE_KIB);
	r = db_run(db, s.text, err);
	if (r == 0)
		r = check_schema(db, err);
	if (r < 0)
		return r;
	*ret_db = TAKE_PTR(db);
	return 0;
}

/* The log and its index go with their file: beside a new one they would be taken for its own. */
static int set_aside(const char *path, const char *why, int64_t now_s, char *to, size_t to_size,
		     struct err *err)
{
	static const char *const parts[] = {"", "-wal", "-shm"};

	(void)snprintf(to, to_size, "%s.%s-%lld", path, why, (long long)now_s);
	for (unsigned k = 1; access(to, F_OK) == 0 && k < 100; k++)
		(void)snprintf(to, to_size, "%s.%s-%lld.%u", path, why, (long long)now_s, k);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char from_part[PATH_ROOM];
		char to_part[PATH_ROOM];

		(void)snprintf(from_part, sizeof(from_part), "%s%s", path, parts[i]);
		(void)snprintf(to_part, sizeof(to_part), "%s%s", to, parts[i]);
		if (rename(from_part, to_part) < 0 && errno != ENOENT)
			return err_set(err, -errno, "%s: cannot be set aside: %s", from_part,
				       strerror(errno));
	}
	return 0;
}

/* why: what was found wrong, and in the end what was done about it. */
static int begin_anew(struct db **ret_db, const char *path, const char *suffix, int64_t now_s,
		      const struct err *why, struct err *err)
{
	char to[PATH_ROOM - 8];
	int r = set_aside(path, suffix, now_s, to, sizeof(to), err);

	if (r == 0)
		r = open_checked(ret_db, path, err);
	if (r < 0)
		return r;
	(void)err_set(err, 0, "%s; set aside as %s, a new one is begun", why->text, to);
	return 0;
}

int db_open(struct db **ret_db, const char *path, int64_t now_s, struct err *err)
{
	struct err why = {0};
	int r;

	if (strlen(path) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "database: path too long");
	r = open_checked(ret_db, path, &why);
	if (r == -EUCLEAN)
		return begin_anew(ret_db, path, "corrupt", now_s, &why, err);
	if (r == -EPROTONOSUPPORT)
		return begin_anew(ret_db, path, "newer", now_s, &why, err);
	if (r < 0 && err)
		*err = why;
	return r;
}

int db_replace(struct db **ret_db, const char *path, int64_t now_s, struct err *err)
{
	struct err why = {0};

	(void)err_set(&why, -EUCLEAN, "%s: the database is damaged", path);
	return begin_anew(ret_db, path, "corrupt", now_s, &why, err);
}

bool db_has_moved(struct db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
		       SQLITE_OK &&
	       moved != 0;
}

/* -- writing -------------------------------------------------------------------------------------------- */

int db_begin(struct db *db, struct err *err)
{
	return db_run(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct err *err)
{
	return db_run(db, "COMMIT", err);
}

void db_rollback(struct db *db)
{
	(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static void make_add_minute(struct sql *s)
{
	const char *comma = "";

	add(s, "INSERT INTO minutes(start_s, app");
	add_columns(s, ",", "");
	add(s, ") VALUES(?1, (SELECT id FROM apps WHERE name = ?2)");
	for (size_t i = 0; i < record_counters_n() + GAUGE_COUNT; i++)
		add(s, ",?%zu", i + 3);
	add(s, ") ON CONFLICT DO UPDATE SET ");
	for (size_t i = 0; i < record_counters_n(); i++, comma = ",")
		add(s, "%s%s=%s+excluded.%s", comma, board_fields[i].name, board_fields[i].name,
		    board_fields[i].name);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		add(s, ",%s=max(%s,excluded.%s)", record_gauge_names[i], record_gauge_names[i],
		    record_gauge_names[i]);
}

sqlite3_stmt *db_statement(struct db *db, enum statement which)
{
	struct sql s = {0};

	if (db->statements[which])
		return db->statements[which];
	if (which == ADD_MINUTE)
		make_add_minute(&s);
	else if (which == ADD_APP)
		add(&s, "INSERT OR IGNORE INTO apps(name) VALUES(?1)");
	else if (which == ADD_BLAME || which == CUT_BLAMES)
		add(&s, "%s", db_blames_sql(which));
	else
		add(&s, "INSERT OR IGNORE INTO events(wall_ns, app, generation, kind, worker, text)"
			" VALUES(?1, (SELECT id FROM apps WHERE name = ?2), ?3, ?4, ?5, ?6)");
	if (s.n < sizeof(s.text))
		(void)sqlite3_prepare_v3(db->handle, s.text, -1, SQLITE_PREPARE_PERSISTENT,
					 &db->statements[which], NULL);
	return db->statements[which];
}

int db_finish(struct db *db, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);
	int r = rc == SQLITE_DONE ? 0 : db_fail(db, "database", err);

	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

int db_add_app(struct db *db, const char *app, struct err *err)
{
	sqlite3_stmt *st = db_statement(db, ADD_APP);

	if (!st)
		return db_fail(db, "database", err);
	(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	return db_finish(db, st, err);
}

void db_bind_u64(sqlite3_stmt *st, int at, uint64_t n)
{
	(void)sqlite3_bind_int64(st, at, (sqlite3_int64)MIN(n, (uint64_t)INT64_MAX));
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

	add(&s, "DELETE FROM minutes WHERE start_s < %" PRId64 ";",
	    now_s - (int64_t)DB_KEEP_MINUTES_DAYS * SECONDS_OF_DAY);
	add(&s, "DELETE FROM events WHERE wall_ns < %" PRId64 ";",
	    (now_s - (int64_t)DB_KEEP_EVENTS_DAYS * SECONDS_OF_DAY) * (int64_t)NS_PER_S);
	add(&s, "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - %d;",
	    DB_KEEP_EVENTS);
	add(&s, "DELETE FROM blames WHERE wall_ns < %" PRId64 ";",
	    (now_s - (int64_t)DB_KEEP_EVENTS_DAYS * SECONDS_OF_DAY) * (int64_t)NS_PER_S);
	add(&s, "DELETE FROM apps WHERE NOT EXISTS (SELECT 1 FROM minutes WHERE app = apps.id)"
		" AND NOT EXISTS (SELECT 1 FROM events WHERE app = apps.id)"
		" AND NOT EXISTS (SELECT 1 FROM blames WHERE app = apps.id);");
	r = db_run(db, s.text, err);
	if (r == 0)
		*ret_rows = (uint64_t)(sqlite3_total_changes64(db->handle) - before);
	return r;
}

/* -- reading -------------------------------------------------------------------------------------------- */

uint64_t db_column_u64(sqlite3_stmt *st, int at)
{
	int64_t n = sqlite3_column_int64(st, at);

	return n > 0 ? (uint64_t)n : 0;
}

void db_column_text(sqlite3_stmt *st, int at, char *to, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, at);

	(void)snprintf(to, size, "%s", text ? (const char *)text : "");
}

int db_end_read(struct db *db, sqlite3_stmt *st, int rc, struct err *err)
{
	int r = rc == SQLITE_DONE ? 0 : db_fail(db, "database", err);

	(void)sqlite3_finalize(st);
	return r;
}

int db_read_events(struct db *db, const char *app, int64_t after_id, unsigned n, db_event_fn *fn,
		   void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	struct sql s = {0};
	int rc;

	add(&s, "SELECT * FROM (SELECT e.id, wall_ns, name, generation, kind, worker, text"
		" FROM events e JOIN apps a ON a.id = e.app WHERE e.id > ?2");
	if (app[0])
		add(&s, " AND e.app = (SELECT id FROM apps WHERE name = ?1)");
	add(&s, " ORDER BY e.id %s LIMIT ?3) ORDER BY 1", after_id < 0 ? "DESC" : "ASC");
	if (sqlite3_prepare_v2(db->handle, s.text, -1, &st, NULL) != SQLITE_OK)
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

	add(&s, "SELECT start_s");
	add_columns(&s, ",", "");
	add(&s, " FROM minutes WHERE app = (SELECT id FROM apps WHERE name = ?1) AND start_s >= ?2"
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
