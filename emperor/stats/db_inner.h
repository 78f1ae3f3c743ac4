/*
 * db_inner - what the files of the database share. Private to them.
 *
 *   db.c          the file, its statements
 *   db_schema.c   its tables
 *   db_history.c  minutes and events
 *   db_blames.c   blame records
 *   db_inis.c     inis that were in force
 */
#pragma once
#include "emperor/stats/db.h"
#include <sqlite3.h>

enum statement {
	ADD_APP,
	ADD_MINUTE,
	ADD_EVENT,
	ADD_BLAME,
	CUT_BLAMES,
	ADD_INI,
	EXTEND_INI,
	CUT_INIS,
	STATEMENT_COUNT
};

struct db {
	sqlite3 *handle;
	sqlite3_stmt *statements[STATEMENT_COUNT]; /* made when first used */
};

/* A string that is built piece by piece; overflow is seen once, at the end. */
#define SQL_MAX 4096
struct sql {
	char text[SQL_MAX];
	size_t n;
};

/* db.c */
void db_sql(struct sql *s, const char *fmt, ...) _printf_(2, 3);
int db_fail(struct db *db, const char *what, struct err *err);
int db_run(struct db *db, const char *sql, struct err *err);
/* The prepared one; NULL: db_fail() says why. */
sqlite3_stmt *db_statement(struct db *db, enum statement which);
/* Runs it, and leaves it clean for the next time. */
int db_finish(struct db *db, sqlite3_stmt *st, struct err *err);
/* Ends one that was prepared for reading; rc: what its last step gave. */
int db_end_read(struct db *db, sqlite3_stmt *st, int rc, struct err *err);
int db_add_app(struct db *db, const char *app, struct err *err);
void db_bind_u64(sqlite3_stmt *st, int at, uint64_t n);
uint64_t db_column_u64(sqlite3_stmt *st, int at);
void db_column_text(sqlite3_stmt *st, int at, char *to, size_t size);

/* db_schema.c */
/* Of a table that an older build has made without it. */
int db_add_column(struct db *db, const char *table, const char *name, const char *type,
		  struct err *err);
int db_schema_check(struct db *db, struct err *err);
/* Each column of minutes, between these two. */
void db_sql_columns(struct sql *s, const char *before, const char *after);

/* db_history.c */
void db_history_sql(enum statement which, struct sql *s);

/* db_blames.c */
int db_blames_create(struct db *db, struct err *err);
const char *db_blames_sql(enum statement which);

/* db_inis.c */
int db_inis_create(struct db *db, struct err *err);
const char *db_inis_sql(enum statement which);
