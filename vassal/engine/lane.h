/*
 * lane - one request at a time through the app: what a worker's thread owns. The same path serves warm-up requests
 * in the mold, with nobody to send the answer to.
 *
 *   lane_serve ─► environ_make ─► the app ─► response_* ─► frames
 *                                  ├─ start_response, write: callable.c
 *                                  └─ wsgi.input: input.c, body.c
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <time.h>

#include "shared/limits.h"
#include "vassal/engine/head.h"
#include "vassal/engine/input.h"

struct board_lane;
struct board_worker;
struct callable;
struct crew_link;
struct engine;

struct harakiri { /* of uwsgi.set_user_harakiri() */
	bool runs;
	timer_t timer;
};

struct lane {
	struct engine *engine;
	struct crew_link *link;  /* to the front, for bodies; NULL in warm-up */
	unsigned number;         /* of the exchange */
	bool discard;            /* warm-up: frames go nowhere */
	bool is_main;            /* the main thread: Python's signal handlers run here */
	bool exiting;            /* the app called sys.exit(): no further request */
	bool in_app;             /* the app runs: what takes too long may be interrupted */
	bool interrupted;        /* the request in work was, once */
	unsigned long thread_id; /* Python's; of those that are not the main thread */
	char *explain;           /* warm-up: what went wrong is put here too */
	size_t explain_n;
	char *peek; /* warm-up: the first bytes of the body, peek_n of them */
	size_t peek_n, peek_room;
	struct board_lane *board;
	struct board_worker *worker_board;

	/* reused from request to request unless the app kept them */
	struct callable *start_response, *write, *early_hints;
	struct input *input;

	/* the request in work */
	unsigned turn; /* another one for each; wraps */
	unsigned slot;
	uint16_t flags;
	const char *id;   /* in the slot */
	const char *line; /* in the slot */

	/* its answer */
	struct head head;
	bool disconnected;          /* uwsgi.disconnect(): its client has the whole answer */
	bool sent;                  /* the head has gone */
	bool full;                  /* as many bytes as Content-Length says have gone */
	bool excess;                /* and the app gave more */
	uint64_t body_n;            /* bytes the app gave */
	uint64_t request_n;         /* bytes of its body */
	PyObject *logvars;          /* uwsgi.set_logvar(): bytes to bytes; NULL: none */
	char logged[LIMIT_LOGVARS]; /* the same as text, when the request is over; logged_n bytes */
	size_t logged_n;
	struct harakiri harakiri;
	uint32_t end; /* enum frame_end_flags */
};

/* 0, or -1 with an exception set. */
int lane_start(struct lane *l, struct engine *e);
void lane_done(struct lane *l);

/* Serves the request in this slot, whatever happens. Holds the GIL; lets it go while it waits. No exception remains. */
void lane_serve(struct lane *l, unsigned slot);

struct lane_request {
	const uint8_t *vars;
	size_t vars_n;
	const uint8_t *memory; /* body, or NULL: behind body.c */
	uint64_t body_n;
	uint16_t flags;
	const char *id, *line;
};

/* The common part: calls the app, answers into l. 0, or -1 after an exception (reported, l->end says which). */
int lane_run(struct lane *l, const struct lane_request *r);
