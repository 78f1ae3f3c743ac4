/*
 * records - see records.h.
 */
#include "vassal/front/records.h"

#include <errno.h>

#include "shared/vassal_config.h"
#include "vassal/front/answer.h"
#include "vassal/front/body.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/intake.h"
#include "vassal/front/queue.h"
#include "vassal/front/state.h"
#include "vassal/proto/fastcgi.h"

#define READS_PER_TURN 4  /* as intake's */
#define PIECES_MAX     64 /* of one write: what answer.c gathers at once, and what it puts around */
#define HEADS_MAX      16 /* records of one write: a whole lane and a head are four */

static void end_at_once(struct conn *c, const char *reason)
{
	struct front *f = c->front;

	board_add(&f->count->bad_requests, 1);
	if (!f->config->disable_logging)
		logbook_say(&f->log, f->wall_ns, "client %s: %s%s%s", conn_client(c), reason,
			    c->id[0] ? " id=" : "", c->id);
	if (c->state == CONN_WAIT || c->state == CONN_QUEUED)
		conn_drop(c);
	else
		conn_kill(c, false);
}

/* Not FastCGI, or not such as makes sense. Its request, if it has one, is told so. */
static void on_bad(struct conn *c)
{
	const char *reason = c->records->reason;

	if (c->records->id > 0 && (c->state == CONN_HEAD || c->state == CONN_BODY)) {
		c->body_left = 1;
		error_refuse(c, 400, reason);
		return;
	}
	end_at_once(c, reason);
}

static void on_params(struct conn *c, struct span payload)
{
	size_t limit = MIN((size_t)c->front->config->buffer_size, (size_t)LIMIT_HEAD_BYTES);

	if (c->in.n + payload.n > limit) {
		c->body_left = 1;
		error_refuse(c, 431, "FastCGI parameters too large");
		return;
	}
	if (buf_append(&c->in, payload.p, payload.n, SIZE_MAX / 2) < 0)
		conn_lost(c);
}

static void on_data(struct conn *c, struct span payload)
{
	if (c->has_length && payload.n > c->body_left)
		error_refuse(c, 400, "body longer than CONTENT_LENGTH");
	else
		(void)body_take(c, (char *)(uintptr_t)payload.p, payload.n);
}

static void on_done(struct conn *c)
{
	if (c->has_length && c->body_left > 0) {
		error_refuse(c, 400, "body shorter than CONTENT_LENGTH");
		return;
	}
	c->chunked.done = true;
	body_settle(c);
}

/* Nobody waits for this request any more; the connection lives on. */
static void on_abort(struct conn *c)
{
	struct iovec none = {0};

	/* it has all but the word that this was all, which comes when the worker is done */
	if (answer_is_whole(c))
		return;
	if (c->state == CONN_WAIT || c->state == CONN_QUEUED)
		queue_forget(c);
	else
		board_add(&c->front->count->client_gone, 1);
	/* among its parameters: what it wants was not noted yet, and what came of them is not the next one's */
	if (c->state == CONN_HEAD) {
		c->wants_keep = c->records->keep_conn;
		c->head_n = c->in.n;
	}
	c->answer.keep_alive = conn_may_keep(c);
	if (records_write(c, &none, 0, true) < 0)
		conn_lost(c);
	else
		conn_answered(c);
}

static void on_answer(struct conn *c)
{
	struct fastcgi *s = c->records;
	struct iovec iov = {s->reply, s->reply_n};

	if (conn_write(c, &iov, 1) < 0) {
		conn_lost(c);
	} else if (s->hangs_up) {
		c->answer.keep_alive = false;
		conn_answered(c);
	}
}

static void handle(struct conn *c, enum fastcgi_event event, struct span payload)
{
	switch (event) {
	case FASTCGI_MORE:
		return;
	case FASTCGI_PARAMS:
		on_params(c, payload);
		return;
	case FASTCGI_READY:
		intake_head(c);
		return;
	case FASTCGI_DATA:
		on_data(c, payload);
		return;
	case FASTCGI_DONE:
		on_done(c);
		return;
	case FASTCGI_ABORT:
		on_abort(c);
		return;
	case FASTCGI_ANSWER:
		on_answer(c);
		return;
	case FASTCGI_BAD:
		on_bad(c);
		return;
	}
}

/* In a state in which records mean something. */
static bool listens(const struct conn *c)
{
	return (c->state == CONN_HEAD && !c->held) || c->state == CONN_BODY ||
	       c->state == CONN_WAIT || c->state == CONN_QUEUED;
}

static void feed(struct conn *c, const char *p, size_t n)
{
	struct front *f = c->front;
	enum fastcgi_event event = FASTCGI_MORE;
	size_t at = 0;

	c->feeding = true;
	do {
		struct span payload;

		at += fastcgi_feed(c->records, p + at, n - at, f->conns_limit, &event, &payload);
		handle(c, event, payload);
	} while (event != FASTCGI_MORE && listens(c));
	if (c->state == CONN_DEAD)
		return;
	c->feeding = false;
	/* a file is sent, a password is looked up, an answer waits for its reader: what follows is for afterwards */
	if (at < n && c->state != CONN_LINGER &&
	    buf_append(&c->rest, p + at, n - at, SIZE_MAX / 2) < 0)
		conn_drop(c);
}

static void on_end_of_input(struct conn *c)
{
	c->eof = true;
	/* while a worker has it, the loop decides if that is a half-close */
	if (c->state == CONN_HEAD && c->records->id == 0)
		conn_kill(c, false);
	else if (c->state == CONN_HEAD || c->state == CONN_BODY)
		error_refuse(c, 400, "input ended inside a request");
}

/* One read. False: nothing more to be had now. */
static bool read_some(struct conn *c)
{
	struct front *f = c->front;
	ssize_t n = conn_read(c, f->scratch, sizeof(f->scratch));

	if (n == 0)
		on_end_of_input(c);
	if (n <= 0)
		return false;
	/* the first bytes of a request; who sends records of none gets no more time for it */
	if (c->state == CONN_HEAD && c->scanned == 0) {
		c->begun_ns = f->now_ns;
		timer_set(&f->timers[TIMER_HEAD], &c->timer, f->now_ns);
	}
	c->scanned += (size_t)n;
	feed(c, f->scratch, (size_t)n);
	return true;
}

/* The first bytes were read before it was known whose they are. */
static bool begin(struct conn *c)
{
	struct buf first = c->in;

	c->records = calloc(1, sizeof(*c->records));
	if (!c->records) {
		conn_lost(c);
		return false;
	}
	c->in = (struct buf){0};
	c->scanned = first.n;
	feed(c, first.p + first.start, first.n);
	buf_done(&first);
	return c->state != CONN_DEAD;
}

static bool wants_bytes(const struct conn *c)
{
	return listens(c) && (c->state != CONN_BODY || body_wants(c));
}

/* Goes on where it had to wait. */
static void resume(struct conn *c)
{
	struct buf rest = c->rest;

	if (c->state == CONN_HEAD && !c->held && fastcgi_has_params(c->records))
		intake_head(c);
	if (rest.n == 0 || !listens(c))
		return;
	c->rest = (struct buf){0};
	feed(c, rest.p + rest.start, rest.n);
	buf_done(&rest);
}

void records_run(struct conn *c)
{
	if (!c->records && !begin(c))
		return;
	resume(c);
	if (c->state == CONN_DEAD)
		return;
	for (unsigned i = 0; i < READS_PER_TURN && c->readable && wants_bytes(c); i++)
		if (!read_some(c))
			break;
	if (!wants_bytes(c))
		return;
	if (c->readable)
		conn_ready(c);
	/* a request that is answered at once needs no events */
	if (c->state != CONN_WAIT)
		(void)conn_watch(c);
}

static enum framing_wire wire_of(enum proto_kind protocol)
{
	switch (protocol) {
	case PROTO_SCGI:
	case PROTO_FASTCGI:
		return FRAMING_CGI;
	case PROTO_UWSGI:
		return FRAMING_UWSGI;
	default:
		return FRAMING_HTTP;
	}
}

void records_facts(const struct conn *c, struct framing_facts *f)
{
	f->minor = c->protocol == PROTO_HTTP && c->minor11;
	f->wire = wire_of(c->protocol);
	f->in_records = c->protocol == PROTO_FASTCGI;
}

static int write_records(struct conn *c, const struct iovec *iov, unsigned n, bool last)
{
	uint8_t heads[HEADS_MAX][FASTCGI_HEAD], ending[FASTCGI_ENDING];
	struct span in[PIECES_MAX], out[PIECES_MAX + 2 * HEADS_MAX];
	struct iovec all[PIECES_MAX + 2 * HEADS_MAX + 1];
	size_t pieces, bytes = 0;

	if (!c->records || c->records->id == 0 || n > PIECES_MAX)
		return -EPIPE;
	for (unsigned i = 0; i < n; i++) {
		in[i] = span_of(iov[i].iov_base, iov[i].iov_len);
		bytes += iov[i].iov_len;
	}
	pieces = fastcgi_stdout(c->records->id, in, n, heads, HEADS_MAX, out, ARRAY_SIZE(out));
	if (pieces == 0 && bytes > 0)
		return -EMSGSIZE;
	for (size_t i = 0; i < pieces; i++)
		all[i] = (struct iovec){(char *)(uintptr_t)out[i].p, out[i].n};
	if (last) {
		fastcgi_end(ending, c->records->id, FASTCGI_COMPLETE);
		all[pieces++] = (struct iovec){ending, sizeof(ending)};
	}
	return (last ? conn_write_last : conn_write)(c, all, (unsigned)pieces);
}

int records_write(struct conn *c, struct iovec *iov, unsigned n, bool last)
{
	if (c->protocol == PROTO_FASTCGI)
		return write_records(c, iov, n, last);
	return (last ? conn_write_last : conn_write)(c, iov, n);
}

void records_finish(struct conn *c)
{
	if (c->records)
		fastcgi_finish(c->records);
}

void records_free(struct conn *c)
{
	free(c->records);
	c->records = NULL;
}
