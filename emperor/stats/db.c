/*
 * db - see db.h.
 *
 * The file: opened, set aside when it is damaged, and the statements that are kept for it.
 *
 * Memory: a page cache of DB_CACHE_KIB and no memory map, since the role as a whole has 2 MB.
 */
#include "emperor/stats/db_inner.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/err.h"

#define DB_CACHE_KIB 256
#define PATH_ROOM    4200 /* a path (PATH_MAX) and what is appended to it */

void db_sql(struct sql *s, const char *fmt, ...)
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
	db_sql(&s,
	       "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -%d;"
	       "PRAGMA mmap_size = 0; PRAGMA temp_store = FILE; PRAGMA journal_size_limit = "
	       "1048576;",
	       DB_CACHE_KIB);
	r = db_run(db, s.text, err);
	if (r == 0)
		r = db_schema_check(db, err);
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

sqlite3_stmt *db_statement(struct db *db, enum statement which)
{
	struct sql s = {0};

	if (db->statements[which])
		return db->statements[which];
	if (which == ADD_APP)
		db_sql(&s, "INSERT OR IGNORE INTO apps(name) VALUES(?1)");
	else if (which == ADD_BLAME || which == CUT_BLAMES)
		db_sql(&s, "%s", db_blames_sql(which));
	else if (which == ADD_INI || which == EXTEND_INI || which == CUT_INIS)
		db_sql(&s, "%s", db_inis_sql(which));
	else
		db_history_sql(which, &s);
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
