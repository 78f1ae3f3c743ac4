/*
 * store - keeps a slow, full or broken disk away from everybody else: all database work happens on one thread, behind a
 * bounded queue. What finds no room, or cannot be written, is dropped and counted.
 *
 * Called from the loop's thread only. Answers and notices come back on that loop.
 */
#pragma once
#include "emperor/stats/record.h"

struct ev_loop;
struct err;
struct store;
struct store_query;

struct store_status {
	uint64_t stored, dropped;
	bool failing;          /* the last batch could not be written */
	char last_error[1024]; /* of the last failure, "" if there was none */
};

enum store_what { STORE_EVENTS, STORE_HISTORY, STORE_BLAMES, STORE_INIS };

struct store_question {
	enum store_what what;
	char app[LIMIT_NAME]; /* STORE_EVENTS, STORE_BLAMES: "" = all */
	int64_t after_id;     /* STORE_EVENTS: -1 = the last ones */
	int64_t from_s;       /* STORE_HISTORY */
	uint64_t generation;  /* STORE_INIS: that one, with its bytes; 0: all of them, without */
	unsigned n;
};

/* A finished JSON text (terminated; the callee's to free), or NULL with err. Never called from inside store_ask. */
typedef void store_answer_fn(void *arg, char *text, size_t n, const struct err *err);
/* Something an operator should read, once for each change: the database fails, works again, was set aside. */
typedef void store_notice_fn(void *arg, bool good, const char *text);

int store_new(struct store **ret_store, struct ev_loop *loop, const char *path,
	      store_notice_fn *notice, void *arg, struct err *err);
/*
 * Writes what is queued and ends the thread; waits at most timeout_s. False: the thread still hangs in the disk. Then
 * call it again, or leave store and loop as they are until the process ends.
 */
bool store_free(struct store *s, unsigned timeout_s);

void store_add_minute(struct store *s, const struct record_minute *m);
void store_add_event(struct store *s, const struct record_event *e);
void store_add_blame(struct store *s, const struct record_blame *b);
void store_add_ini(struct store *s, const struct record_ini *i);
void store_prune(struct store *s);

/* -EBUSY when too many are waiting. */
int store_ask(struct store *s, const struct store_question *q, store_answer_fn *fn, void *arg,
	      struct store_query **ret_query, struct err *err);
/* The answer will not be wanted. Not after it has come. */
void store_forget(struct store_query *q);

void store_read_status(struct store *s, struct store_status *ret);
