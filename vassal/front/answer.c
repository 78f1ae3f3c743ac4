/*
 * answer - see answer.h.
 *
 * What a worker has published is gathered frame by frame and written with one writev() straight from the shared
 * ring: for a small answer that is head, body and end at once. Only what the socket does not take is copied. A slow
 * client therefore frees the worker, until its spool is full; then its frames stay in the ring and the worker waits.
 *
 * Frames are hostile: exchange_peek() has checked lengths and that the lane holds the slot; what remains to be
 * checked is their order. Nonsense ends the worker, never the front.
 */
#include "vassal/front/answer.h"

#include <sys/uio.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/overdue.h"
#include "vassal/front/queue.h"
#include "vassal/front/record.h"
#include "vassal/front/records.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"
#include "vassal/front/static_handover.h"
#include "vassal/front/wrapped.h"
#include "vassal/pool/pool.h"

#define GATHER_DATA \
	60 /* frames in one writev, less those around them: UIO_MAXIOV is 1024, a cache is small */

/* Consecutive frames of one answer. */
struct gather {
	unsigned slot, frames;
	struct frame last;
	bool has_head, has_end, broken;
	bool goes_on;    /* the end is the client's alone: DONE */
	bool is_interim; /* one frame, and head and fields are its own */
	struct frame_head head;
	struct span reason, fields;
	struct frame_end end;
	char logvars[LIMIT_LOGVARS + 1];
	struct span data[GATHER_DATA];
	unsigned data_n;
	size_t data_bytes;
};

enum step { STEP_NOTHING, STEP_DONE, STEP_STALLED };

static bool take_fields(struct gather *g, const struct frame *fr, unsigned lowest, unsigned highest)
{
	if (fr->n < sizeof(g->head))
		return false;
	/* one copy, then only the copy is believed: the ring may change under us */
	memcpy(&g->head, fr->p, sizeof(g->head));
	if (g->head.status < lowest || g->head.status > highest ||
	    (uint64_t)g->head.reason_n + g->head.fields_n > fr->n - sizeof(g->head))
		return false;
	g->reason = span_of((const char *)fr->p + sizeof(g->head), g->head.reason_n);
	g->fields = span_of(g->reason.p + g->reason.n, g->head.fields_n);
	return true;
}

static bool take_head(struct gather *g, const struct frame *fr)
{
	g->has_head = !g->has_head && g->data_n == 0 && take_fields(g, fr, 200, 999);
	return g->has_head;
}

static bool take_end(struct gather *g, const struct frame *fr)
{
	if (fr->n < sizeof(g->end) || fr->n > sizeof(g->end) + LIMIT_LOGVARS)
		return false;
	memcpy(&g->end, fr->p, sizeof(g->end));
	memcpy(g->logvars, fr->p + sizeof(g->end), fr->n - sizeof(g->end));
	g->logvars[fr->n - sizeof(g->end)] = '\0';
	g->has_end = true;
	return true;
}

static bool take_frame(struct gather *g, const struct frame *fr)
{
	switch (fr->kind) {
	case FRAME_HEAD:
		return take_head(g, fr);
	case FRAME_DATA:
		if (fr->n > 0)
			g->data[g->data_n++] = span_of((const char *)fr->p, fr->n);
		g->data_bytes += fr->n;
		return true;
	case FRAME_END:
		return take_end(g, fr);
	case FRAME_DONE:
		g->goes_on = true;
		return take_end(g, fr);
	case FRAME_INTERIM:
		/* 101 would end HTTP on this connection */
		g->is_interim = take_fields(g, fr, 103, 103);
		return g->is_interim;
	case FRAME_BROKEN:
		break;
	}
	return false;
}

static void gather(struct front *f, unsigned lane, struct gather *g)
{
	struct frame fr;
	size_t at = 0;

	g->slot = g->frames = g->data_n = 0;
	g->data_bytes = 0;
	g->has_head = g->has_end = g->broken = g->is_interim = g->goes_on = false;
	while (!g->has_end && !g->is_interim && g->data_n < GATHER_DATA &&
	       exchange_peek(f->exchange, lane, &at, &fr)) {
		if (fr.kind != FRAME_BROKEN && g->frames > 0 && fr.slot != g->slot)
			return;
		if (fr.kind == FRAME_INTERIM && g->frames > 0)
			return;
		if (fr.kind == FRAME_BROKEN || !f->jobs[fr.slot].used || !take_frame(g, &fr)) {
			g->broken = g->frames == 0; /* what came before it is used first */
			return;
		}
		g->slot = fr.slot;
		g->last = fr;
		g->frames++;
	}
}

/* The head into the front's scratch. False: it does not fit. */
static bool frame_the_head(struct conn *c, const struct gather *g, struct iovec *ret)
{
	struct front *f = c->front;
	uint32_t flags = g->head.flags;
	struct framing_facts facts = {
		.status = g->head.status,
		.reason = g->reason,
		.fields = g->fields,
		.added = f->added,
		.routed = routed_fields(c),
		.length = g->head.length,
		.is_head = c->is_head,
		.keep_alive = conn_may_keep(c),
		.date = flags & FRAME_HAS_DATE ? SPAN("") : span_of(f->date, 29),
		.request_id = flags & FRAME_HAS_REQUEST_ID ? SPAN("") : span_str(c->id),
	};
	ssize_t n;

	records_facts(c, &facts);
	/* everything is here: its length is known although the app did not say it */
	if (facts.length < 0 && g->has_end && g->end.flags == FRAME_END_OK && !c->is_head)
		facts.length = (int64_t)g->data_bytes;
	n = framing_head(f->head_scratch, sizeof(f->head_scratch), &facts, &c->answer.body,
			 &c->answer.keep_alive);
	if (n < 0)
		return false;
	c->answer.status = g->head.status;
	c->answer.left = c->answer.body == FRAMING_LENGTH ? (uint64_t)facts.length : 0;
	*ret = (struct iovec){f->head_scratch, (size_t)n};
	return true;
}

/* Body bytes as the client is to get them: cut to the announced length, or as one chunk. */
static unsigned frame_the_data(struct conn *c, const struct gather *g, char chunk_line[24],
			       struct iovec *iov)
{
	struct answer *a = &c->answer;
	unsigned n = 0;
	uint64_t bytes = 0;

	if (a->body == FRAMING_NONE)
		return 0;
	if (a->body == FRAMING_CHUNKED && g->data_bytes > 0)
		iov[n++] =
			(struct iovec){chunk_line, framing_chunk_line(chunk_line, g->data_bytes)};
	for (unsigned i = 0; i < g->data_n; i++) {
		size_t len = g->data[i].n;

		if (a->body == FRAMING_LENGTH)
			len = (size_t)MIN((uint64_t)len, a->left);
		if (len == 0)
			break;
		iov[n++] = (struct iovec){(char *)(uintptr_t)g->data[i].p, len};
		a->left -= a->body == FRAMING_LENGTH ? len : 0;
		bytes += len;
	}
	if (a->body == FRAMING_CHUNKED && g->data_bytes > 0)
		iov[n++] = (struct iovec){(char *)(uintptr_t) "\r\n", 2};
	a->sent += bytes;
	return n;
}

static bool ended_badly(const struct conn *c, const struct gather *g)
{
	return g->has_end && ((g->end.flags & (FRAME_END_EXCEPTION | FRAME_END_SHORT)) ||
			      (c->answer.body == FRAMING_LENGTH && c->answer.left > 0));
}

static struct record times_of(const struct front *f, unsigned lane, const struct gather *g)
{
	uint64_t queued_ns = f->jobs[g->slot].queued_ns;
	uint64_t taken_ns = exchange_taken_ns(f->exchange, g->slot);

	return (struct record){
		.queue_ns = taken_ns > queued_ns ? taken_ns - queued_ns : 0,
		/* a worker's word: never more than has passed */
		.app_ns = MIN(g->end.app_ns, f->now_ns + NS_PER_S - MIN(f->now_ns, taken_ns)),
		.worker = lane / f->shape.threads + 1,
		.logged = g->has_end && (g->end.flags & FRAME_END_LOG),
		.logvars = g->has_end ? g->logvars : NULL,
	};
}

bool answer_is_whole(const struct conn *c)
{
	const struct answer *a = &c->answer;

	return c->state == CONN_WAIT && a->given && spool_empty(&c->out) && !c->out.error;
}

/* Puts the gathered frames on the wire. False: the client has gone, or was answered otherwise. */
static bool put(struct conn *c, unsigned lane, const struct gather *g)
{
	struct iovec iov[GATHER_DATA + 4];
	char chunk_line[24];
	bool last;
	unsigned n = 0;
	struct record times;
	/* a file is sent long after the worker is done */
	const struct record *known = NULL;

	if (g->has_head && g->has_end && (c->front->statics || (g->head.flags & FRAME_FILE))) {
		times = times_of(c->front, lane, g);
		known = &times;
	}
	if (g->has_head && static_hand_over(c, g->head.status, g->reason, g->fields, known))
		return false;
	if (g->has_head && !frame_the_head(c, g, &iov[n++])) {
		error_answer(c, 500, 0);
		return false;
	}
	if (g->has_head && (g->head.flags & FRAME_FILE)) {
		wrapped_send(c, iov[0].iov_len, (uint64_t)g->head.length, known);
		return false;
	}
	n += frame_the_data(c, g, chunk_line, iov + n);
	last = g->has_end && !ended_badly(c, g);
	if (last && c->answer.body == FRAMING_CHUNKED)
		iov[n++] = (struct iovec){(char *)(uintptr_t) "0\r\n\r\n", 5};
	c->answer.begun = true;
	if (n == 0 && !(last && c->records))
		return true;
	if (records_write(c, iov, n, last) < 0) {
		conn_lost(c);
		/* what failed may be FastCGI's word that it was all: nobody waited for that */
		return c->state != CONN_DEAD;
	}
	c->answer.given = c->answer.body == FRAMING_NONE ||
			  (c->answer.body == FRAMING_LENGTH && c->answer.left == 0);
	return true;
}

/* 103, if the client understands it (RFC 9110 15.2). False: it has gone. */
static bool put_interim(struct conn *c, const struct gather *g)
{
	struct front *f = c->front;
	const struct framing_facts facts = {
		.status = g->head.status, .fields = g->fields, .length = -1, .minor = 1};
	enum framing_body body;
	bool keep_alive;
	struct iovec iov = {.iov_base = f->head_scratch};
	ssize_t n;

	if (!c->minor11 || c->protocol != PROTO_HTTP)
		return true;
	n = framing_head(f->head_scratch, sizeof(f->head_scratch), &facts, &body, &keep_alive);
	if (n < 0)
		return true;
	iov.iov_len = (size_t)n;
	if (conn_write(c, &iov, 1) == 0)
		return true;
	conn_lost(c);
	return false;
}

/* The worker is done with this request. */
static void release(struct front *f, unsigned lane, const struct gather *g, const struct record *r)
{
	struct job *job = &f->jobs[g->slot];
	bool timed_out = job->interrupted || job->killed;

	if (timed_out)
		overdue_ended(f, g->slot, lane); /* on record already */
	else
		record_times(f, r->queue_ns, r->app_ns);
	exchange_took(f->exchange, r->app_ns);
	job->conn = NULL;
	if (job->watched)
		fusebox_survived(f, g->slot);
	queue_release(f, g->slot);
	if ((g->end.flags & FRAME_END_EXCEPTION) && !timed_out)
		board_add(&f->count->exceptions, 1);
}

/* The answer is complete, and the worker is done with the request unless it goes on. */
static void end(struct front *f, unsigned lane, const struct gather *g, struct conn *c)
{
	struct record r = times_of(f, lane, g);

	exchange_consume(f->exchange, lane, &g->last);
	if (g->goes_on)
		f->jobs[g->slot].conn = NULL;
	else
		release(f, lane, g, &r);
	if (c && c->state == CONN_WAIT) {
		c->slot = -1;
		r.status = c->answer.status;
		r.body_bytes = c->answer.sent;
		record_request(c, &r);
		if (ended_badly(c, g))
			error_cut(c);
		else
			conn_answered(c);
	}
	if (!g->goes_on)
		pool_served(f->pool, lane / f->shape.threads);
}

/* A body in a file: has the file come, and does the head agree? */
static bool file_is_sound(struct front *f, unsigned lane, const struct gather *g)
{
	if (!g->has_head || !(g->head.flags & FRAME_FILE))
		return true;
	/* sent before the head was published, by another way */
	if (!f->jobs[g->slot].has_file)
		pool_hear(f->pool, lane / f->shape.threads);
	return f->jobs[g->slot].has_file && g->head.length >= 0 && g->data_n == 0;
}

static enum step broken(struct front *f, unsigned lane)
{
	if (f->lane_stalled[lane])
		return STEP_STALLED; /* its worker is being killed already */
	f->lane_stalled[lane] = true;
	logbook_say(&f->log, f->wall_ns, "worker %u: frames that make no sense; it is killed",
		    lane / f->shape.threads + 1);
	pool_kill(f->pool, lane / f->shape.threads, "broken frames");
	return STEP_STALLED;
}

/* Did the app fail before the client saw any of its answer? Then it gets a whole one of ours. */
static bool failed_unseen(const struct conn *c, const struct gather *g)
{
	return !c->answer.begun && g->has_end &&
	       (!g->has_head || (g->end.flags & (FRAME_END_EXCEPTION | FRAME_END_SHORT)));
}

/* Does the end stand in the lane too, beyond what was gathered at once? */
static bool end_stands(struct front *f, unsigned lane, const struct gather *g)
{
	struct frame fr;
	size_t at = 0;

	while (exchange_peek(f->exchange, lane, &at, &fr) && fr.slot == g->slot)
		if (fr.kind != FRAME_HEAD && fr.kind != FRAME_DATA)
			return fr.kind == FRAME_END || fr.kind == FRAME_DONE;
	return false;
}

/* dead: nothing will follow, so only an answer that is complete may begin now. */
static enum step step(struct front *f, unsigned lane, struct gather *g, bool dead)
{
	struct job *job;
	struct conn *c;

	gather(f, lane, g);
	if (g->broken)
		return broken(f, lane);
	if (g->frames == 0)
		return STEP_NOTHING;
	job = &f->jobs[g->slot];
	c = job->conn;
	/* of a client that has gone too: a file that comes late would be taken for the slot's next answer */
	if (!file_is_sound(f, lane, g))
		return broken(f, lane);
	if (!c)
		goto consume;
	if (g->is_interim ? c->answer.begun
			  : g->has_head == c->answer.begun && !failed_unseen(c, g))
		return broken(f, lane);
	if (g->has_head && !g->has_end && dead && !end_stands(f, lane, g))
		return STEP_NOTHING;
	if (g->has_head && !g->has_end && !dead && !job->looked) {
		job->looked =
			true; /* the rest is likely a microsecond away: one writev instead of two */
		return STEP_NOTHING;
	}
	/* a dead worker's ring ends here: it is little, and waits for no room */
	if (!dead && spool_room(&c->out, &f->out_limits) == 0)
		return STEP_STALLED;
	if (g->is_interim) {
		if (!put_interim(c, g))
			job->conn = NULL;
	} else if (failed_unseen(c, g)) {
		struct record r = times_of(f, lane, g);

		job->conn = NULL;
		c->slot = -1;
		error_answer_after(c, g->end.flags & FRAME_END_NO_APP ? 404 : 500, 0, &r);
		c = NULL;
	} else if (!put(c, lane, g)) {
		job->conn = NULL;
		c = NULL;
	}
consume:
	if (g->has_end)
		end(f, lane, g, c);
	else
		exchange_consume(f->exchange, lane, &g->last);
	return STEP_DONE;
}

static bool drain_lane(struct front *f, unsigned lane)
{
	struct gather g;
	bool any = false;
	enum step s;

	while ((s = step(f, lane, &g, false)) == STEP_DONE)
		any = true;
	exchange_front_ignore(f->exchange, lane, s == STEP_STALLED);
	return any;
}

bool answer_drain(struct front *f)
{
	unsigned lanes = f->shape.workers * f->shape.threads;
	bool any = false;

	for (unsigned i = 0; i < lanes; i++)
		any |= drain_lane(f, i);
	return any;
}

void answer_drain_worker(struct front *f, unsigned worker)
{
	for (unsigned t = 0; t < f->shape.threads; t++) {
		unsigned lane = worker * f->shape.threads + t;
		struct gather g;

		while (step(f, lane, &g, true) == STEP_DONE)
			;
		f->lane_stalled[lane] = false;
	}
}
