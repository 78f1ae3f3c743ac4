/*
 * response - see response.h.
 *
 * The head waits until the first byte of the body is known (PEP 3333): until then an error can still become a clean
 * 500, and start_response may be called again with exc_info. A list or tuple of bytes, what nearly every small app
 * returns, goes out as HEAD, DATA, END with one wake-up; anything that may block between its items is published item
 * by item.
 */
#include "vassal/engine/response.h"

#include <errno.h>

#include "shared/clock.h"
#include "shared/copy.h"
#include "shared/log.h"
#include "vassal/engine/engine.h"
#include "vassal/engine/filewrapper.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/handover.h"
#include "vassal/engine/lane.h"
#include "vassal/engine/traceback.h"
#include "vassal/exchange/exchange.h"

/* -- frames ------------------------------------------------------------------------------------------------ */

/*
 * Room for n bytes (at most one frame). Without the GIL while it waits. The one way to the front: no copy passes, and no
 * thread of the app's whose request has ended meanwhile: the next one has the lane.
 */
static uint8_t *get_room(struct lane *l, size_t n)
{
	struct exchange *x = l->engine->exchange;
	const unsigned turn = l->turn;
	uint8_t *room;

	if (forked_is())
		forked_leave(l->engine);
	while (!(room = exchange_reply_room(x, l->number, n))) {
		int r;

		Py_BEGIN_ALLOW_THREADS;
		r = exchange_reply_wait(x, l->number, n);
		Py_END_ALLOW_THREADS;
		if (r == -EPIPE)
			_exit(CREW_EXIT_ORPHAN);
		if (r == -EINTR && l->is_main && PyErr_CheckSignals() < 0)
			return NULL;
		if (forked_is()) /* by a signal handler of the app */
			forked_leave(l->engine);
		if (l->turn != turn) {
			PyErr_SetString(PyExc_RuntimeError, "the request is over");
			return NULL;
		}
	}
	return room;
}

/* Nobody gets this answer, but its beginning may explain why it is not the right one. */
static void peek(struct lane *l, const void *p, size_t n)
{
	n = MIN(n, l->peek_room - l->peek_n);
	if (n > 0)
		memcpy(l->peek + l->peek_n, p, n);
	l->peek_n += n;
}

/* Another thread of the app's may have gone on with the answer while this one waited: what has to come before that is late. */
static bool is_late(const struct lane *l, enum frame_kind kind)
{
	if (kind == FRAME_HEAD || kind == FRAME_INTERIM)
		return l->sent || l->disconnected;
	return kind == FRAME_DATA && l->disconnected;
}

static int put_frame(struct lane *l, enum frame_kind kind, const void *p, size_t n, bool publish)
{
	uint8_t *room;

	if (l->discard && kind == FRAME_DATA)
		peek(l, p, n);
	if (l->discard)
		return 0;
	room = get_room(l, n);
	if (!room)
		return -1;
	if (is_late(l, kind))
		return 0;
	copy_bytes(room, p, n);
	exchange_reply_commit(l->engine->exchange, l->number, l->slot, kind, n, publish);
	return 0;
}

static bool is_bodiless(const struct lane *l)
{
	return (l->flags & EXCHANGE_HEAD) || head_is_bodiless(&l->head);
}

/* Room for the head as it is by then: start_response() may be called again as long as it has not gone. */
static int wait_for_head(struct lane *l)
{
	size_t n;

	do {
		n = l->head.n;
		if (n == 0) {
			PyErr_SetString(PyExc_RuntimeError,
					"the app did not call start_response()");
			return -1;
		}
		if (!l->discard && !get_room(l, n))
			return -1;
	} while (l->head.n != n);
	return 0;
}

static int send_head(struct lane *l, bool publish)
{
	if (wait_for_head(l) < 0)
		return -1;
	head_finish(&l->head);
	if (put_frame(l, FRAME_HEAD, l->head.p, l->head.n, publish) < 0)
		return -1;
	l->sent = true;
	return 0;
}

/* How many of n further bytes the client may get: never more than Content-Length promises. */
static size_t allow(struct lane *l, size_t n)
{
	uint64_t length = (uint64_t)l->head.frame.length;
	uint64_t before = l->body_n;

	l->body_n += n;
	if (l->head.frame.length < 0)
		return n;
	l->full = l->body_n >= length;
	l->excess |= l->body_n > length;
	return before >= length ? 0 : (size_t)MIN((uint64_t)n, length - before);
}

static int send_data(struct lane *l, const char *p, size_t n, bool publish)
{
	if (l->disconnected)
		return 0;
	/* nothing else would publish it where no byte of a body follows */
	if (!l->sent && send_head(l, publish && is_bodiless(l)) < 0)
		return -1;
	n = allow(l, n);
	if (is_bodiless(l))
		return 0;
	while (n > 0) {
		size_t part = MIN(n, (size_t)EXCHANGE_FRAME_MAX);

		if (put_frame(l, FRAME_DATA, p, part, publish && part == n) < 0)
			return -1;
		p += part;
		n -= part;
	}
	return 0;
}

static bool is_gone(const struct lane *l)
{
	return l->disconnected ||
	       (!l->discard && exchange_client_gone(l->engine->exchange, l->slot));
}

/* Nothing that the app gives from now on reaches anybody: its close() is called, and that is all. */
static bool is_answered(const struct lane *l)
{
	return (l->sent && is_bodiless(l)) || is_gone(l);
}

/* -- bodies ------------------------------------------------------------------------------------------------ */

/* Of an exact or derived list or tuple. Functions and not the macros in place: those fill a line with branches. */
static Py_ssize_t count(PyObject *seq)
{
	return PySequence_Fast_GET_SIZE(seq);
}

static PyObject *item_at(PyObject *seq, Py_ssize_t i) /* borrowed */
{
	return PySequence_Fast_GET_ITEM(seq, i);
}

static int check_bytes(PyObject *item)
{
	if (PyBytes_Check(item))
		return 0;
	PyErr_Format(PyExc_TypeError, "the body must be made of bytes, not %.100s%s",
		     Py_TYPE(item)->tp_name, PyUnicode_Check(item) ? " (encode it first)" : "");
	return -1;
}

/* Nobody of the app's copies has a client. */
static int check_original(const char *what)
{
	if (!forked_is())
		return 0;
	PyErr_Format(PyExc_RuntimeError, "%s: this process was forked by the app and has no client",
		     what);
	return -1;
}

int response_interim(struct lane *l, struct head *h)
{
	if (check_original("wsgi.early_hints()") < 0)
		return -1;
	if (is_gone(l))
		return 0;
	head_finish(h);
	return put_frame(l, FRAME_INTERIM, h->p, h->n, true);
}

int response_write(struct lane *l, PyObject *data)
{
	if (check_bytes(data) < 0)
		return -1;
	if (check_original("write()") < 0)
		return -1;
	if (PyBytes_GET_SIZE(data) == 0 || is_gone(l))
		return 0;
	return send_data(l, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), true);
}

/* The whole body is known before its first byte goes: then so is its length. An empty answer to HEAD says nothing
   about the length that GET would have. */
static void know_length(struct lane *l, uint64_t total)
{
	if (l->sent || l->head.n == 0 || l->head.frame.length >= 0 || head_is_bodiless(&l->head))
		return;
	if (total == 0 && (l->flags & EXCHANGE_HEAD))
		return;
	l->head.frame.length = (int64_t)total;
}

/* All bytes of the items, or -1 when one is not bytes: found out before anything is sent. */
static int64_t measure(PyObject *seq)
{
	int64_t total = 0;

	for (Py_ssize_t i = 0; i < count(seq); i++) {
		if (check_bytes(item_at(seq, i)) < 0)
			return -1;
		total += PyBytes_GET_SIZE(item_at(seq, i));
	}
	return total;
}

static int send_item(struct lane *l, PyObject *item, bool publish)
{
	int r = check_bytes(item);

	if (r < 0 || PyBytes_GET_SIZE(item) == 0)
		return r;
	Py_INCREF(item);
	r = send_data(l, PyBytes_AS_STRING(item), (size_t)PyBytes_GET_SIZE(item), publish);
	Py_DECREF(item);
	return r;
}

static int send_sequence(struct lane *l, PyObject *seq)
{
	int64_t total = measure(seq);
	int r = 0;

	if (total < 0)
		return -1;
	know_length(l, (uint64_t)total);
	/* Another thread may change a list while we wait for room: its size is asked each time, items are held. */
	for (Py_ssize_t i = 0; r == 0 && i < count(seq) && !l->excess; i++)
		r = send_item(l, item_at(seq, i), false);
	return r;
}

/*
 * PEP 3333, "Handling the Content-Length Header": an iterable of length 1 is known as soon as its item is. Who has no
 * length to give has none; what is no error, such as the end of the request's time, passes: -1.
 */
static int find_single(PyObject *result, bool *ret)
{
	const PySequenceMethods *m = Py_TYPE(result)->tp_as_sequence;
	Py_ssize_t n = 0;

	if (m && m->sq_length)
		n = PyObject_Size(result);
	if (n < 0 && traceback_forgive() < 0)
		return -1;
	*ret = n == 1;
	return 0;
}

static int send_iterable(struct lane *l, PyObject *result)
{
	bool single;
	int r = find_single(result, &single);
	PyObject *it = r == 0 ? PyObject_GetIter(result) : NULL;
	PyObject *item;

	if (!it)
		return -1;
	while (r == 0 && !l->excess && !is_answered(l) && (item = PyIter_Next(it))) {
		if (single && PyBytes_Check(item))
			know_length(l, (uint64_t)PyBytes_GET_SIZE(item));
		r = send_item(l, item, true);
		Py_DECREF(item);
	}
	Py_DECREF(it);
	return PyErr_Occurred() ? -1 : r;
}

/* Only who has write() can send behind the head, and start_response() gives none any more. */
static bool is_shared(const struct lane *l)
{
	return l->write && Py_REFCNT((PyObject *)l->write) > 1;
}

/*
 * One frame of a file, read by the kernel straight into the ring; but where another thread may put a frame at that place
 * meanwhile, into memory of our own. Bytes read, 0 at its end, -1 with an exception.
 */
static ssize_t send_file_part(struct lane *l, int fd, off_t at, size_t want)
{
	bool shared = is_shared(l);
	uint8_t *own = shared ? PyMem_RawMalloc(want) : NULL;
	uint8_t *room = shared ? own : get_room(l, want);
	ssize_t r;

	if (!room && shared)
		(void)PyErr_NoMemory();
	if (!room)
		return -1;
	Py_BEGIN_ALLOW_THREADS;
	do
		r = pread(fd, room, want, at);
	while (r < 0 && errno == EINTR);
	Py_END_ALLOW_THREADS;
	if (r < 0)
		(void)PyErr_SetFromErrno(PyExc_OSError);
	else if (r > 0 && own)
		r = put_frame(l, FRAME_DATA, own, (size_t)r, true) < 0 ? -1 : r;
	else if (r > 0)
		exchange_reply_commit(l->engine->exchange, l->number, l->slot, FRAME_DATA,
				      (size_t)r, true);
	PyMem_RawFree(own);
	return r;
}

static int send_file_parts(struct lane *l, int fd, off_t at, uint64_t n)
{
	while (n > 0 && !is_gone(l)) {
		ssize_t r = send_file_part(l, fd, at, (size_t)MIN(n, (uint64_t)EXCHANGE_FRAME_MAX));

		if (r < 0)
			return -1;
		if (r == 0) /* cut by somebody meanwhile: FRAME_END_SHORT tells the client */
			break;
		at += r;
		n -= (uint64_t)r;
		l->body_n += (uint64_t)r;
	}
	return 0;
}

/* What fits a frame is read faster than it is handed over. The length must be the file's to give. */
static bool hand_over(struct lane *l, int fd, off_t at, uint64_t n)
{
	int64_t length = l->head.frame.length;

	if (l->sent || l->discard || n <= EXCHANGE_FRAME_MAX || is_bodiless(l) || length < 0 ||
	    (uint64_t)length > n || (uint64_t)length <= EXCHANGE_FRAME_MAX ||
	    !handover_file(l, fd, at))
		return false;
	l->head.frame.flags |= FRAME_FILE;
	l->body_n = (uint64_t)length;
	return true;
}

static int send_file(struct lane *l, int fd, off_t at, uint64_t n)
{
	uint64_t length;

	know_length(l, n);
	if (hand_over(l, fd, at, n))
		return send_head(l, false);
	if (!l->sent && send_head(l, false) < 0)
		return -1;
	length = l->head.frame.length < 0 ? UINT64_MAX : (uint64_t)l->head.frame.length;
	n = MIN(n, length - MIN(l->body_n, length));
	if (!is_bodiless(l) && !l->discard)
		return send_file_parts(l, fd, at, n);
	l->body_n += n;
	return 0;
}

static int send_any(struct lane *l, PyObject *result)
{
	uint64_t n;
	off_t at;
	int fd;
	int r;

	if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
		return send_sequence(l, result);
	if (PyBytes_CheckExact(
		    result)) { /* iterating it would give numbers; what was meant is clear */
		know_length(l, (uint64_t)PyBytes_GET_SIZE(result));
		return PyBytes_GET_SIZE(result) == 0
			       ? 0
			       : send_data(l, PyBytes_AS_STRING(result),
					   (size_t)PyBytes_GET_SIZE(result), false);
	}
	if (Py_TYPE(result) == &filewrapper_type) {
		r = filewrapper_plain_file((const struct filewrapper *)result, &fd, &at, &n);
		if (r != 0)
			return r < 0 ? -1 : send_file(l, fd, at, n);
	}
	return send_iterable(l, result);
}

static void check_total(struct lane *l)
{
	if (l->excess)
		log_warning("request %s %s: the app gave more bytes than its Content-Length; cut",
			    l->id, l->line);
	if (l->head.frame.length < 0 || is_bodiless(l) || is_gone(l) ||
	    l->body_n >= (uint64_t)l->head.frame.length)
		return;
	l->end |= FRAME_END_SHORT;
	log_warning("request %s %s: the app gave %llu bytes, its Content-Length says %lld", l->id,
		    l->line, (unsigned long long)l->body_n, (long long)l->head.frame.length);
}

int response_send(struct lane *l, PyObject *result)
{
	if (l->disconnected)
		return 0;
	if (send_any(l, result) < 0)
		return -1;
	if (l->disconnected)
		return 0;
	/* a generator's start_response() runs with its first item, and nobody was there to ask for that */
	if (l->head.n == 0 && is_gone(l))
		return 0;
	if (!l->sent) {
		know_length(l, 0);
		if (send_head(l, false) < 0)
			return -1;
	}
	check_total(l);
	return 0;
}

static int put_end(struct lane *l, enum frame_kind kind, uint64_t app_ns)
{
	struct frame_end end = {.flags = l->end, .app_ns = app_ns};
	uint8_t whole[sizeof(end) + LIMIT_LOGVARS];

	memcpy(whole, &end, sizeof(end));
	memcpy(whole + sizeof(end), l->logged, l->logged_n);
	return put_frame(l, kind, whole, sizeof(end) + l->logged_n, true);
}

int response_disconnect(struct lane *l)
{
	if (check_original("uwsgi.disconnect()") < 0)
		return -1;
	if (l->discard || is_gone(l))
		return 0;
	if (!l->sent && send_head(l, false) < 0)
		return -1;
	check_total(l);
	if (put_end(l, FRAME_DONE,
		    clock_now_ns() - exchange_taken_ns(l->engine->exchange, l->slot)) < 0)
		return -1;
	l->disconnected = true;
	return 0;
}

void response_end(struct lane *l, uint64_t app_ns)
{
	/* A Python signal handler may raise while we wait for room; the front must get its END all the same. */
	while (put_end(l, FRAME_END, app_ns) < 0)
		PyErr_WriteUnraisable(NULL);
}
