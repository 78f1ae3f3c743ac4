/*
 * lane - see lane.h. Every function here holds the GIL.
 */
#include "vassal/engine/lane.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/scoreboard.h"
#include "vassal/engine/app.h"
#include "vassal/engine/body.h"
#include "vassal/engine/callable.h"
#include "vassal/engine/early_hints.h"
#include "vassal/engine/engine.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/interrupt.h"
#include "vassal/engine/response.h"
#include "vassal/engine/traceback.h"
#include "vassal/engine/uwsgi.h"
#include "vassal/exchange/exchange.h"

/* avg_us moves an eighth of the way towards each new time: steady, yet current within some ten requests. */
#define AVERAGE_SHIFT 3

int lane_start(struct lane *l, struct engine *e)
{
	l->engine = e;
	l->head.p = PyMem_RawMalloc(HEAD_SIZE);
	l->input = input_new();
	l->start_response = callable_new_start_response(l);
	if (l->head.p && l->input && l->start_response)
		return 0;
	if (!PyErr_Occurred())
		(void)PyErr_NoMemory();
	return -1;
}

/* What the last request's app kept is replaced. */
static int prepare(struct lane *l, const struct lane_request *r)
{
	l->flags = r->flags;
	l->id = r->id;
	l->line = r->line;
	l->head.n = 0;
	l->sent = l->full = l->excess = l->interrupted = l->disconnected = false;
	l->body_n = 0;
	l->request_n = r->body_n;
	l->logged_n = 0;
	l->end = FRAME_END_OK;
	uwsgi_enter(l);
	if (!l->input)
		l->input = input_new();
	if (!l->start_response)
		l->start_response = callable_new_start_response(l);
	if (!l->input || !l->start_response)
		return -1;
	input_attach(l->input, r->memory, r->body_n, body_open, l);
	return 0;
}

/* The slot is about to become another request's. */
static void cut_off(struct lane *l)
{
	l->turn++;
	if (l->input) {
		input_detach(l->input);
		if (Py_REFCNT((PyObject *)l->input) > 1)
			Py_CLEAR(l->input);
	}
	callable_release(&l->start_response);
	callable_release(&l->write);
	early_hints_release(l);
	l->id = l->line = "";
}

void lane_done(struct lane *l)
{
	cut_off(l);
	Py_CLEAR(l->input);
	Py_CLEAR(l->start_response);
	Py_CLEAR(l->write);
	Py_CLEAR(l->early_hints);
	PyMem_RawFree(l->head.p);
	l->head.p = NULL;
}

/* Takes the raised exception: where apps' exceptions become log records. */
static void report(struct lane *l, const char *where)
{
	char heading[512];
	bool exits = PyErr_ExceptionMatches(PyExc_SystemExit);
	bool late = interrupt_is_raised(l);
	const char *what = exits  ? "the app called sys.exit()"
			   : late ? "interrupted"
				  : "exception in the app";

	(void)snprintf(heading, sizeof(heading), "request %.*s: %s: %s%s", LIMIT_REQUEST_ID, l->id,
		       l->line, what, where);
	if (l->explain)
		traceback_explain(l->engine, heading, l->explain, l->explain_n);
	else
		traceback_report(l->engine, heading);
	if (exits)
		l->exiting = true;
	if (l->worker_board && !exits && !late)
		board_add(&l->worker_board->exceptions, 1);
}

/* close() is owed to every iterable that has one, after errors and for a client that has gone too. */
static void close_result(struct lane *l, PyObject *result)
{
	PyObject *exception;
	PyObject *close;
	PyObject *r;

	if (PyList_CheckExact(result) || PyTuple_CheckExact(result) || PyBytes_CheckExact(result))
		return;
	exception = traceback_take_exception();
	close = PyObject_GetAttr(result, l->engine->close_name);
	if (!close && PyErr_ExceptionMatches(PyExc_AttributeError)) {
		PyErr_Clear();
	} else {
		r = close ? PyObject_CallNoArgs(close) : NULL;
		if (!r)
			report(l, ", in close()");
		Py_XDECREF(r);
		Py_XDECREF(close);
	}
	if (exception)
		traceback_put_exception(exception);
}

/* Nothing below the app is a copy's to use, not even close(): it would end what the original still needs. */
static void leave_if_copy(const struct lane *l)
{
	if (forked_is())
		forked_leave(l->engine);
}

static int call_app(struct lane *l, PyObject *env)
{
	PyObject *args[3] = {NULL, env, (PyObject *)l->start_response};
	PyObject *app = app_for(l->engine, env);
	PyObject *result;
	int r;

	if (!app && PyErr_Occurred())
		return -1;
	if (!app) {
		l->end |= FRAME_END_NO_APP;
		return 0;
	}
	l->in_app = !l->discard;
	result = PyObject_Vectorcall(app, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
	leave_if_copy(l);
	if (!result)
		return -1;
	r = response_send(l, result);
	leave_if_copy(l);
	close_result(l, result);
	Py_DECREF(result);
	return r;
}

int lane_run(struct lane *l, const struct lane_request *r)
{
	struct environ_source source = {.vars = r->vars,
					.vars_n = r->vars_n,
					.https = r->flags & EXCHANGE_HTTPS,
					.id = r->id};
	PyObject *env = prepare(l, r) == 0
				? environ_make(&l->engine->environ, &source, (PyObject *)l->input)
				: NULL;
	int result = env && early_hints_offer(l, env) == 0 ? call_app(l, env) : -1;

	interrupt_forget(l);
	if (result < 0) {
		report(l, "");
		l->end |= FRAME_END_EXCEPTION;
	}
	if (l->exiting)
		l->end |= FRAME_END_EXITING;
	/* Before END: finalisers of what the request held may still use wsgi.input. */
	Py_XDECREF(env);
	leave_if_copy(l);
	uwsgi_leave(l);
	return result;
}

static void board_begin(struct board_lane *b, const struct exchange_request *r, uint64_t now_ns)
{
	uint32_t sequence;

	if (!b)
		return;
	sequence = atomic_load_explicit(&b->sequence, memory_order_relaxed) + 1;
	atomic_store_explicit(&b->sequence, sequence, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(b->line, r->line, sizeof(b->line));
	memcpy(b->request_id, r->id, sizeof(b->request_id));
	atomic_store_explicit(&b->sequence, sequence + 1, memory_order_release);
	board_set(&b->started_ns, now_ns);
	atomic_store_explicit(&b->busy, 1, memory_order_release);
}

/* Several threads write one worker's row; the GIL makes them one writer. */
static void board_finish(struct lane *l, uint64_t app_us)
{
	struct board_worker *w = l->worker_board;
	int64_t average;

	if (!l->board)
		return;
	board_add(&l->board->requests, 1);
	board_add(&w->requests, 1);
	board_add(&w->delta_requests, 1);
	board_add(&w->running_us, app_us);
	board_add(&w->tx, l->body_n);
	average = (int64_t)board_get(&w->avg_us);
	board_set(&w->avg_us, (uint64_t)(average + (((int64_t)app_us - average) >> AVERAGE_SHIFT)));
	atomic_store_explicit(&l->board->busy, 0, memory_order_release);
}

_Static_assert(sizeof(((struct board_lane *)0)->line) ==
		       sizeof(((struct exchange_request *)0)->line),
	       "a request's line fits the board");

/* The front is trusted, its memory is not: a worker's app may have scribbled over it. */
static bool is_sound(const struct exchange_request *q)
{
	if (q->vars_n > EXCHANGE_SLOT_BYTES || !memchr(q->id, '\0', sizeof(q->id)) ||
	    !memchr(q->line, '\0', sizeof(q->line)))
		return false;
	return q->body != EXCHANGE_BODY_MEMORY || q->body_n <= EXCHANGE_SLOT_BYTES - q->vars_n;
}

void lane_serve(struct lane *l, unsigned slot)
{
	struct exchange *x = l->engine->exchange;
	const struct exchange_request *q = exchange_request(x, slot);
	const uint8_t *data = exchange_data(x, slot);
	uint64_t started_ns = exchange_taken_ns(x, slot);
	struct lane_request r = {
		.vars = data,
		.vars_n = q->vars_n,
		.memory = q->body == EXCHANGE_BODY_FILE ? NULL : data + q->vars_n,
		.body_n = q->body == EXCHANGE_BODY_NONE ? 0 : q->body_n,
		.flags = q->flags,
		.id = q->id,
		.line = q->line,
	};
	uint64_t app_ns;

	l->slot = slot;
	board_begin(l->board, q, started_ns);
	if (is_sound(q)) {
		(void)lane_run(l, &r);
	} else {
		log_error("a request in shared memory is damaged; refused");
		l->body_n = 0;
		l->logged_n = 0;
		l->end = FRAME_END_EXCEPTION;
	}
	cut_off(l);
	app_ns = clock_now_ns() - started_ns;
	board_finish(l, app_ns / NS_PER_US);
	response_end(l, app_ns);
	uwsgi_served(l);
}
