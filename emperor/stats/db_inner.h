/*
 * db_inner - what the two halves of the database share: db.c (the file, its schema, minutes, events) and db_blames.c.
 * Private to them.
 */
#pragma once
#include "emperor/stats/db.h"
#include <sqlite3.h>

enum statement { ADD_APP, ADD_MINUTE, ADD_EVENT, ADD_BLAME, CUT_BLAMES, STATEMENT_COUNT };

struct db {
	sqlite3 *handle;
	sqlite3_stmt *statements[STATEMENT_COUNT]; /* made when first used */
};

/* db.c */
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

/* db_blames.c */
int db_blames_create(struct db *db, struct err *err);
const char *db_blames_sql(enum statement which);
