/*
 * db_inis - the last inis that each app ran by, as the emperor has masked them, and the release that they led to.
 *
 * A role that was restarted is told again what is in force, and an app that sleeps and wakes runs by the same ini and release in one
 * generation after the other: that is the last row already, which then stands for these generations too. Their numbers begin
 * anew where the emperor's run directory was lost, so that one may stand for several rows; the last of them counts.
 */
#include "emperor/stats/db_inner.h"

#include <stdio.h>

#define OF_APP "app = (SELECT id FROM apps WHERE name = ?1)"

static const char create_sql[] =
	"CREATE TABLE IF NOT EXISTS inis(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" app INTEGER NOT NULL REFERENCES apps, wall_ns INTEGER NOT NULL,"
	" generation INTEGER NOT NULL, until INTEGER NOT NULL, digest INTEGER NOT NULL, bytes BLOB "
	"NOT NULL, release TEXT NOT NULL DEFAULT '');"
	"CREATE INDEX IF NOT EXISTS inis_of_app ON inis(app, id);";

int db_inis_create(struct db *db, struct err *err)
{
	int r = db_run(db, create_sql, err);

	return r < 0 ? r : db_add_column(db, "inis", "release", "TEXT NOT NULL DEFAULT ''", err);
}

const char *db_inis_sql(enum statement which)
{
	if (which == CUT_INIS)
		return "DELETE FROM inis WHERE " OF_APP
		       " AND id <= (SELECT id FROM inis WHERE " OF_APP
		       " ORDER BY id DESC LIMIT 1 OFFSET ?2)";
	if (which == EXTEND_INI)
		return "UPDATE inis SET until = ?3"
		       " WHERE id = (SELECT id FROM inis WHERE " OF_APP
		       " ORDER BY id DESC LIMIT 1) AND until <= ?3 AND digest = ?4"
		       " AND release = ?6";
	return "INSERT INTO inis(app, wall_ns, generation, until, digest, bytes, release)"
	       " SELECT (SELECT id FROM apps WHERE name = ?1), ?2, ?3, ?3, ?4, ?5, ?6";
}

static int cut(struct db *db, const char *app, struct err *err)
{
	sqlite3_stmt *st = db_statement(db, CUT_INIS);

	if (!st)
		return db_fail(db, "database", err);
	(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(st, 2, DB_KEEP_INIS);
	return db_finish(db, st, err);
}

/* The row of EXTEND_INI or ADD_INI; how many it wrote, or a negative errno. */
static int write_row(struct db *db, enum statement which, const struct record_ini *i,
		     struct err *err)
{
	sqlite3_stmt *st = db_statement(db, which);
	int r;

	if (!st)
		return db_fail(db, "database", err);
	(void)sqlite3_bind_text(st, 1, i->app, -1, SQLITE_STATIC);
	db_bind_u64(st, 3, i->generation);
	(void)sqlite3_bind_int64(st, 4, (sqlite3_int64)i->digest);
	(void)sqlite3_bind_text(st, 6, i->release, -1, SQLITE_STATIC);
	if (which == ADD_INI) {
		db_bind_u64(st, 2, i->wall_ns);
		(void)sqlite3_bind_blob(st, 5, i->n > 0 ? i->bytes : "", (int)i->n, SQLITE_STATIC);
	}
	r = db_finish(db, st, err);
	return r < 0 ? r : sqlite3_changes(db->handle);
}

int db_add_ini(struct db *db, const struct record_ini *i, struct err *err)
{
	int r = db_add_app(db, i->app, err);

	if (r < 0)
		return r;
	r = write_row(db, EXTEND_INI, i, err);
	if (r != 0)
		return MIN(r, 0);
	r = write_row(db, ADD_INI, i, err);
	return r < 0 ? r : cut(db, i->app, err);
}

int db_read_inis(struct db *db, const char *app, uint64_t generation, unsigned n, db_ini_fn *fn,
		 void *arg, struct err *err)
{
	static const char list[] =
		"SELECT id, wall_ns, generation, digest, length(bytes), NULL, release"
		" FROM inis WHERE " OF_APP " AND ?2 = 0 ORDER BY id DESC LIMIT ?3";
	static const char one[] =
		"SELECT id, wall_ns, generation, digest, length(bytes), bytes, release"
		" FROM inis WHERE " OF_APP
		" AND ?2 BETWEEN generation AND until ORDER BY id DESC LIMIT MIN(?3, 1)";
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(db->handle, generation > 0 ? one : list, -1, &st, NULL) != SQLITE_OK)
		return db_fail(db, "database", err);
	(void)sqlite3_bind_text(st, 1, app, -1, SQLITE_STATIC);
	db_bind_u64(st, 2, generation);
	(void)sqlite3_bind_int64(st, 3, n);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct record_ini r = {
			.id = sqlite3_column_int64(st, 0),
			.wall_ns = db_column_u64(st, 1),
			.generation = db_column_u64(st, 2),
			.digest = (uint64_t)sqlite3_column_int64(st, 3),
			.n = (size_t)db_column_u64(st, 4),
		};
		const char *bytes = sqlite3_column_blob(st, 5);

		if (generation > 0 && (!bytes || (size_t)sqlite3_column_bytes(st, 5) != r.n))
			r.n = 0;
		(void)snprintf(r.app, sizeof(r.app), "%s", app);
		db_column_text(st, 6, r.release, sizeof(r.release));
		fn(arg, &r, bytes);
	}
	return db_end_read(db, st, rc, err);
}
