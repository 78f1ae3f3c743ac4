/*
 * intake - see intake.h.
 *
 * Most requests come in one piece: they are parsed where read() put them, their environment is written straight into
 * an exchange slot, and nothing of them stays here. When something is missing (rest of the head, rest of the body, a
 * free slot) the head is copied to c->in and parsed again later; a parse costs less than keeping its result would.
 */
#include "vassal/front/intake.h"

#include <sys/uio.h>

#include "shared/copy.h"
#include "shared/limits.h"
#include "shared/vassal_config.h"
#include "vassal/front/bare.h"
#include "vassal/front/body.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/handback.h"
#include "vassal/front/head.h"
#include "vassal/front/opening.h"
#include "vassal/front/queue.h"
#include "vassal/front/records.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"
#include "vassal/proto/uwsgi.h"

#define READS_PER_TURN 4 /* of one connection: others want their turn */

void intake_complete(struct conn *c)
{
	if (c->front->bare) {
		bare_answer(c, NULL);
		return;
	}
	queue_add_kept(c);
}

void intake_go_on(struct conn *c)
{
	if (!c->records) {
		intake_complete(c);
		return;
	}
	/* the records that say so are still to be read */
	c->state = CONN_BODY;
	(void)body_begin(c, NULL, 0, false);
	conn_ready(c);
}

void intake_again(struct conn *c)
{
	c->state = CONN_HEAD;
	c->head_n = 0;
	c->was_held = true;
	conn_ready(c);
}

/* The whole request stands at p: into a slot without a copy. False: there is no slot. */
static bool submit_at_once(struct conn *c, const struct parsed_head *in, const char *body,
			   size_t body_n)
{
	struct front *f = c->front;
	struct exchange_request *xr;
	struct vars vars;
	int slot = queue_slot(f);
	int status;

	if (slot < 0)
		return false;
	status = head_fill(c, (unsigned)slot, in, &vars);
	if (status) {
		queue_unslot(f, (unsigned)slot);
		error_refuse(c, (unsigned)status, "environment too large");
		return true;
	}
	xr = exchange_request(f->exchange, (unsigned)slot);
	f->jobs[slot].touched = vars.n + body_n;
	if (body_n > 0) {
		copy_bytes(vars.p + vars.n, body, body_n);
		xr->body = EXCHANGE_BODY_MEMORY;
		xr->body_n = body_n;
	}
	c->body_left = 0;
	f->jobs[slot].watched = fusebox_watches(f);
	if (f->jobs[slot].watched && fusebox_refuses(c, (unsigned)slot))
		return true;
	queue_submit(c, (unsigned)slot);
	return true;
}

/* Is the body whole and small enough to go along? Its length then. */
static bool body_is_here(const struct conn *c, const struct request *rq, size_t available,
			 size_t *ret_n)
{
	*ret_n = 0;
	if (rq->body == BODY_NONE)
		return true;
	if (rq->body != BODY_LENGTH || rq->length > available || rq->length > EXCHANGE_BODY_MAX ||
	    rq->length > c->front->config->post_buffering)
		return false;
	*ret_n = (size_t)rq->length;
	return true;
}

/* A head has come: n bytes at p begin with it. Returns how many are used; c->head_n then says if it is to be kept. */
static size_t begin(struct conn *c, char *p, size_t n, size_t head_n, const struct parsed_head *in)
{
	const struct front *f = c->front;
	const bool again = c->was_held;
	size_t body_n;

	c->was_held = false;
	if (!again && handback_is_foreign(c, &in->rq)) {
		handback_to_gate(c, span_of(p, n));
		return n;
	}
	head_note(c, in);
	c->requests_n += !again;
	if ((in->rq.body == BODY_LENGTH || in->rq.has_length) && f->config->limit_post &&
	    in->rq.length > f->config->limit_post) {
		error_refuse(c, 413, "body larger than limit-post");
		return head_n;
	}
	/* a WSGI app has no way to answer one: it would be told of a page where frames are expected */
	if (in->rq.websocket) {
		error_refuse(c, 501, "WebSocket is not spoken here");
		return head_n;
	}
	if (c->waited_ns > 0) {
		/* its body is not read: nobody knows where the next request begins */
		bool keep = c->close_after;

		c->close_after |= in->rq.body != BODY_NONE;
		if (queue_refuse_stale(c))
			return head_n;
		c->close_after = keep;
	}
	switch (routed_begin(c, in)) {
	case ROUTED_ON:
		break;
	case ROUTED_DONE:
		c->head_n = c->state == CONN_FILE ? head_n : 0;
		return head_n;
	case ROUTED_HELD:
		c->was_held = true;
		timer_clear(&c->timer); /* the head is here: it is our hash that takes its time */
		return 0;
	}
	if (f->bare && !request_has_no_body(&in->rq)) {
		/* nobody reads it, and no file depends on it (RFC 9110 9.3.1) */
		c->close_after = true;
		c->body_left = 1;
	}
	if (f->statics && (f->bare || request_has_no_body(&in->rq)) && static_begin(c, in)) {
		c->head_n = c->state == CONN_FILE ? head_n : 0;
		return head_n;
	}
	if (f->bare) {
		bare_answer(c, &in->rq);
		return head_n;
	}
	if (body_is_here(c, &in->rq, n - head_n, &body_n) && queue_is_open(f) &&
	    submit_at_once(c, in, p + head_n, body_n))
		return head_n + body_n;
	c->head_n = head_n;
	c->state = CONN_BODY;
	return head_n + body_begin(c, p + head_n, n - head_n, in->rq.expect_continue);
}

/* uWSGI's --ping: no request, and none is counted. */
static void answer_ping(struct conn *c)
{
	const struct span pong = uwsgi_pong();
	struct iovec iov = {(char *)(uintptr_t)pong.p, pong.n};

	c->answer.keep_alive = false;
	if (conn_write(c, &iov, 1) < 0)
		conn_lost(c);
	else
		conn_answered(c);
}

/* Returns bytes used. 0: more are needed, or the connection has ended. */
static size_t take_head(struct conn *c, char *p, size_t n)
{
	struct front *f = c->front;
	const bool again = c->was_held;
	struct parsed_head in;
	size_t skip = 0;
	long r;

	if (!c->opened) {
		switch (opening_take(c, p, n, &skip)) {
		case OPENING_MORE:
			c->scanned = n;
			return 0;
		case OPENING_SKIP:
			c->scanned = 0;
			return skip;
		case OPENING_REFUSED:
			return n;
		case OPENING_DONE:
			c->scanned = 0;
			break;
		}
	}
	/* its records take it from here */
	if (c->protocol == PROTO_FASTCGI)
		return 0;
	in.rq = (struct request){0};
	r = head_parse(c, p, n, c->scanned, &in);
	if (r == 0) {
		c->scanned = n;
		return 0;
	}
	c->scanned = 0;
	if (r < 0) {
		c->body_left = 1; /* who knows what it would have been followed by */
		head_note_refused(c, &in);
		error_refuse(c, (unsigned)in.rq.status, in.rq.reason);
		return n;
	}
	if (in.rq.ping) {
		board_add(&f->count->bytes_in, (uint64_t)r);
		answer_ping(c);
		return n;
	}
	if (!again)
		board_add(&f->count->bytes_in, (uint64_t)r);
	return begin(c, p, n, (size_t)r, &in);
}

void intake_head(struct conn *c)
{
	const bool again = c->was_held;
	struct parsed_head in;
	char *p = c->in.p ? c->in.p + c->in.start : c->front->scratch;
	size_t n = c->in.n;

	in.rq = (struct request){0};
	if (head_parse(c, p, c->in.n, 0, &in) < 0) {
		c->body_left = 1;
		head_note_refused(c, &in);
		error_refuse(c, (unsigned)in.rq.status, in.rq.reason);
		return;
	}
	if (!again)
		board_add(&c->front->count->bytes_in, n);
	(void)begin(c, p, n, n, &in);
}

static size_t take(struct conn *c, char *p, size_t n)
{
	size_t used;

	c->feeding = true;
	used = c->state == CONN_HEAD ? take_head(c, p, n) : body_take(c, p, n);
	c->feeding = false;
	return used;
}

static bool wants_bytes(const struct conn *c)
{
	return (c->state == CONN_HEAD && !c->held) || (c->state == CONN_BODY && body_wants(c));
}

/* Bytes that already stand in c->in. */
static void feed_kept(struct conn *c)
{
	size_t kept = c->head_n; /* 0 unless a body is being collected */
	char *p = c->in.p + c->in.start + kept;
	size_t used = take(c, p, c->in.n - kept);

	if (c->state == CONN_DEAD || c->state == CONN_PASS || used == 0)
		return;
	if (c->head_n == 0 && kept == 0) {
		buf_consume(&c->in, used);
		return;
	}
	/* the head stays, what followed it and was used goes */
	if (kept == 0) {
		kept = c->head_n;
		used -= kept;
		p += kept;
	}
	memmove(p, p + used, c->in.n - kept - used);
	c->in.n -= used;
}

/* Bytes that were just read into the scratch buffer; what is not used is kept. */
static void feed_fresh(struct conn *c, char *p, size_t n)
{
	bool was_head = c->state == CONN_HEAD;
	size_t used = take(c, p, n);
	int r = 0;

	if (c->state == CONN_DEAD || c->state == CONN_PASS || c->state == CONN_LINGER)
		return;
	if (was_head && c->head_n > 0)
		r = buf_append(&c->in, p, c->head_n, SIZE_MAX / 2);
	if (r == 0 && used < n)
		r = buf_append(&c->in, p + used, n - used, SIZE_MAX / 2);
	if (r < 0) {
		conn_lost(c);
		return;
	}
	/* answered at once, and the next head has begun: it has no keep-alive's patience */
	if (c->state == CONN_HEAD && c->in.n > 0 && !c->held)
		timer_set(&c->front->timers[TIMER_HEAD], &c->timer, c->front->now_ns);
	/* only now does the head stand where the queue looks for it */
	if (c->state == CONN_BODY)
		body_settle(c);
}

static void on_end_of_input(struct conn *c)
{
	c->eof = true;
	if (c->state == CONN_HEAD && c->in.n == 0)
		conn_kill(c, false);
	else
		error_refuse(c, 400, "input ended inside a request");
}

/* What the gate may have to take back must fit one message. */
static size_t read_size(const struct conn *c, bool into_kept)
{
	size_t size = into_kept ? FRONT_SCRATCH / 4 : FRONT_SCRATCH;

	if (c->route && c->state == CONN_HEAD && c->in.n < LIMIT_PASS_BYTES)
		size = MIN(size, LIMIT_PASS_BYTES - c->in.n);
	return size;
}

/* One read. False: nothing more to be had now. */
static bool read_some(struct conn *c)
{
	struct front *f = c->front;
	bool into_kept = c->state == CONN_HEAD && c->in.n > 0;
	size_t size = read_size(c, into_kept);
	char *p = f->scratch;
	ssize_t n;

	if (into_kept) {
		p = buf_reserve(&c->in, size, SIZE_MAX / 2);
		if (!p) {
			conn_lost(c);
			return false;
		}
	}
	n = conn_read(c, p, size);
	if (n == 0)
		on_end_of_input(c);
	if (n <= 0)
		return false;
	if (c->state == CONN_HEAD && c->in.n == 0) {
		c->begun_ns = f->now_ns;
		timer_set(&f->timers[TIMER_HEAD], &c->timer, f->now_ns);
	}
	if (into_kept) {
		buf_commit(&c->in, (size_t)n);
		feed_kept(c);
		if (c->state == CONN_BODY)
			body_settle(c);
	} else {
		feed_fresh(c, p, (size_t)n);
	}
	return true;
}

void intake_run(struct conn *c)
{
	for (unsigned i = 0; i < READS_PER_TURN && wants_bytes(c) && c->protocol != PROTO_FASTCGI;
	     i++) {
		if (c->state == CONN_HEAD && c->in.n > c->scanned) {
			feed_kept(c);
			if (c->state == CONN_BODY)
				body_settle(c);
		} else if (!c->readable || !read_some(c)) {
			break;
		}
	}
	if (c->protocol == PROTO_FASTCGI && c->state != CONN_DEAD) {
		records_run(c);
		return;
	}
	if (!wants_bytes(c))
		return;
	if (c->readable || (c->state == CONN_HEAD && c->in.n > c->scanned))
		conn_ready(c);
	(void)conn_watch(c);
}
