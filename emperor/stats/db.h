/*
 * db - the history in sqlite: the only code that knows it. Blocking: called from the store's thread alone.
 *
 * Errors are -errno: -ENOSPC (disk full, file too large), -EUCLEAN (not a database, or a damaged one), -EBUSY (locked
 * for longer than DB_BUSY_MS), -EIO for the rest; err has sqlite's text.
 */
#pragma once
#include "emperor/stats/record.h"

struct db;
struct err;

#define DB_SCHEMA_VERSION 1
#define DB_BUSY_MS        2000 /* somebody looks at the file with sqlite3(1): worth a short wait */
/* A week answers "was it so last Tuesday?"; 100 busy apps then need about 150 MB. */
#define DB_KEEP_MINUTES_DAYS 7
#define DB_KEEP_EVENTS_DAYS  30
/* Rows, about 20 MB: an app that fails all day must not fill the disk. */
#define DB_KEEP_EVENTS 100000

/* Of each app; with all their stacks 2 MB, as they are usually a quarter of it. */
#define DB_KEEP_BLAMES 200

/* Of each app, at most LIMIT_INI_SHOWN bytes each. */
#define DB_KEEP_INIS LIMIT_STATS_INIS

/*
 * Opens path, or makes it. One that is damaged is renamed to path.corrupt-TIME (its -wal and -shm too) and a new one is
 * begun; so is one of a newer schema, to path.newer-TIME. Then err's text says so, though the result is 0. A sound
 * database that is not ours is refused with -EEXIST and left alone.
 */
int db_open(struct db **ret_db, const char *path, int64_t now_s, struct err *err);
/* The same for a file in which damage was found after it had been opened, and which is closed again. */
int db_replace(struct db **ret_db, const char *path, int64_t now_s, struct err *err);
/* Has somebody removed or replaced the file? Then what is written goes nowhere. */
bool db_has_moved(struct db *db);
void db_close(struct db *db);

int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/* A second row for the same app and minute is added to the first: counters summed, gauges the larger. */
int db_add_minute(struct db *db, const struct record_minute *m, struct err *err);
/* The same event (app, time, kind, worker, text) a second time changes nothing. */
int db_add_event(struct db *db, const struct record_event *e, struct err *err);
/* The same for (app, time, kind, worker, request id). More than DB_KEEP_BLAMES of an app: the oldest go. */
int db_add_blame(struct db *db, const struct record_blame *b, struct err *err);
/* What the app had last already, of this generation and digest, changes nothing. Only the last DB_KEEP_INIS of it stay. */
int db_add_ini(struct db *db, const struct record_ini *i, struct err *err);
/* Removes what is past its time, but for the last ini of an app that is there still; ret_rows how many rows. */
int db_prune(struct db *db, int64_t now_s, uint64_t *ret_rows, struct err *err);

typedef void db_event_fn(void *arg, const struct record_event *e);
typedef void db_blame_fn(void *arg, const struct record_blame *b);
typedef void db_minute_fn(void *arg, const struct record_minute *m);

/*
 * In the order in which they happened: the last n (after_id < 0), or of those with a greater id the n that were stored first.
 * app "" = of all apps.
 */
int db_read_events(struct db *db, const char *app, int64_t after_id, unsigned n, db_event_fn *fn,
		   void *arg, struct err *err);
/* The last n, newest first. app "" = of all apps. */
int db_read_blames(struct db *db, const char *app, unsigned n, db_blame_fn *fn, void *arg,
		   struct err *err);
/* r's bytes are borrowed for the call, n of them; NULL where they were not asked for. */
typedef void db_ini_fn(void *arg, const struct record_ini *r, const char *bytes);
/* Of the app: the last n, newest first, without bytes; with a generation (> 0) the last one of that, with them. */
int db_read_inis(struct db *db, const char *app, uint64_t generation, unsigned n, db_ini_fn *fn,
		 void *arg, struct err *err);
/* Minutes from from_s on, oldest first, at most n. */
int db_read_minutes(struct db *db, const char *app, int64_t from_s, unsigned n, db_minute_fn *fn,
		    void *arg, struct err *err);
