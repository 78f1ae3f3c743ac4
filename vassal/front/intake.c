/*
 * intake - see intake.h.
 *
 * Most requests come in one piece: they are parsed where read() put them, their environment is written straight into
 * an exchange slot, and nothing of them stays here. When something is missing (rest of the head, rest of the body, a
 * free slot) the head is copied to c->in and parsed again later; a parse costs less than keeping its result would.
 */
#include "vassal/front/intake.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/vassal_config.h"
#include "vassal/front/body.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/handback.h"
#include "vassal/front/queue.h"
#include "vassal/front/request_id.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"
#include "vassal/proto/http1.h"
#include "vassal/proto/uwsgi.h"

#define READS_PER_TURN 4 /* of one connection: others want their turn */
#define VARS_ROOM      (EXCHANGE_SLOT_BYTES - EXCHANGE_BODY_MAX)

/* A parsed head. Spans point into the bytes that were parsed. */
struct parsed {
	struct http_head head; /* HTTP only */
	struct request rq;
	struct vars vars; /* uwsgi only: in front->vars_scratch */
};

static struct request_facts facts_of(const struct conn *c)
{
	const struct front *f = c->front;
	struct request_facts facts = {.remote_addr = span_str(c->addr),
				      .remote_port = span_str(c->port)};

	if (c->own_listener && c->listener < f->listeners_n) {
		facts.server_name = span_str(f->listeners[c->listener].name);
		facts.server_port = span_str(f->listeners[c->listener].port);
	} else {
		facts.server_name = span_str(f->name);
		facts.server_port = span_str(c->self_port);
	}
	if (c->route)
		facts.script_name = c->route->script;
	return facts;
}

/* Bytes of the head, 0 = more, -1 = bad: rq.status says how. */
static long parse(struct conn *c, const char *p, size_t n, size_t scanned, struct parsed *ret)
{
	struct front *f = c->front;
	long r;

	if (c->protocol == PROTO_UWSGI) {
		struct request_facts facts = facts_of(c);

		vars_init(&ret->vars, f->vars_scratch, VARS_ROOM);
		return uwsgi_parse(p, n, &facts, &ret->rq, &ret->vars);
	}
	r = http_head_parse(p, n, MIN((size_t)f->config->buffer_size, (size_t)LIMIT_HEAD_BYTES),
			    scanned, &ret->head);
	if (r == HTTP_BAD) {
		ret->rq.status = ret->head.status;
		ret->rq.reason = ret->head.reason;
		return PROTO_BAD;
	}
	if (r > 0 && http1_request(&ret->head, &ret->rq) == PROTO_BAD)
		return PROTO_BAD;
	return r;
}

static void note_line(struct conn *c, const struct request *rq)
{
	size_t m = MIN(rq->method.n, (size_t)32);
	size_t t = MIN(rq->target.n, sizeof(c->line) - 2 - m);

	memcpy(c->line, rq->method.p, m);
	c->line[m] = ' ';
	memcpy(c->line + m + 1, rq->target.p, t);
	c->line[m + 1 + t] = '\0';
}

/* A digit of an IPv4 or IPv6 address, or what stands between them. */
static bool is_of_address(char b)
{
	return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F') ||
	       b == '.' || b == ':';
}

/* Who asked, as the proxy that speaks uwsgi says: for the log. Its own address tells nobody anything. */
static void note_client(struct conn *c, const struct vars *vars)
{
	struct span key, value;
	size_t at = 0;

	while (vars_next(vars->p, vars->n, &at, &key, &value)) {
		if (!span_eq(key, SPAN("REMOTE_ADDR")))
			continue;
		/* it goes unquoted into a line of the log: an address or nothing */
		if (value.n >= sizeof(c->addr))
			return;
		for (size_t i = 0; i < value.n; i++)
			if (!is_of_address(value.p[i]))
				return;
		memcpy(c->addr, value.p, value.n);
		c->addr[value.n] = '\0';
		return;
	}
}

/* Asked once for each connection, and only if somebody says when it began. */
static bool is_trusted(struct conn *c)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (c->trust_known)
		return c->is_trusted;
	c->trust_known = true;
	c->is_trusted = getpeername(c->fd, (struct sockaddr *)&ss, &len) == 0 &&
			(ss.ss_family == AF_UNIX || trust_holds(&c->front->config->trusted_proxies,
								(const struct sockaddr *)&ss));
	return c->is_trusted;
}

static void note_start(struct conn *c, struct span start)
{
	struct front *f = c->front;
	uint64_t start_ns;

	c->waited_ns = 0;
	if (start.n == 0 || !is_trusted(c) || !start_parse(start, &start_ns))
		return;
	c->waited_ns = start_age(&f->start_clock, start_ns, f->wall_ns,
				 f->config->queue_timeout_s * NS_PER_S);
	if (start_is_doubted(&f->start_clock))
		logbook_say(
			&f->log, f->wall_ns,
			"X-Request-Start: every request has been waiting for more than %u s when "
			"it comes; the proxy's clock is not believed until one has not",
			f->config->queue_timeout_s);
}

static void note_request(struct conn *c, const struct request *rq)
{
	struct front *f = c->front;

	note_line(c, rq);
	if (rq->request_id.n > 0 && rq->request_id.n < sizeof(c->id)) {
		memcpy(c->id, rq->request_id.p, rq->request_id.n);
		c->id[rq->request_id.n] = '\0';
	} else {
		request_id_make(&f->ids, c->id);
	}
	c->is_head = rq->is_head;
	c->minor11 = rq->minor > 0;
	c->https = rq->https;
	c->wants_keep = rq->keep_alive && c->protocol == PROTO_HTTP;
	c->body_kind = rq->body;
	c->body_left = rq->body == BODY_LENGTH ? rq->length : 0;
	c->chunked_in = rq->body == BODY_CHUNKED;
	c->answer.keep_alive = false;
	note_start(c, rq->start);
}

/* 0, or the status to refuse the request with. The body is not there yet. */
static int fill(struct conn *c, unsigned slot, const struct parsed *in, struct vars *vars)
{
	struct front *f = c->front;
	struct exchange_request *xr = exchange_request(f->exchange, slot);

	vars_init(vars, exchange_data(f->exchange, slot), VARS_ROOM);
	if (c->protocol == PROTO_UWSGI) {
		memcpy(vars->p, in->vars.p, in->vars.n);
		vars->n = in->vars.n;
		vars->overflow = in->vars.overflow;
	} else {
		struct request_facts facts = facts_of(c);

		http1_vars(&in->head, &in->rq, &facts, vars);
	}
	if (vars->overflow)
		return 431;
	xr->flags = (uint16_t)((c->is_head ? EXCHANGE_HEAD : 0) | (c->https ? EXCHANGE_HTTPS : 0) |
			       (c->minor11 ? EXCHANGE_HTTP11 : 0));
	memcpy(xr->line, c->line, sizeof(xr->line));
	memcpy(xr->id, c->id, sizeof(xr->id));
	xr->body = EXCHANGE_BODY_NONE;
	xr->body_n = 0;
	xr->vars_n = (uint32_t)vars->n;
	return 0;
}

int intake_fill_kept(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	struct exchange_request *xr = exchange_request(f->exchange, slot);
	struct job *job = &f->jobs[slot];
	struct parsed in = {0};
	struct vars vars;
	int status;

	if (parse(c, c->in.p + c->in.start, c->head_n, 0, &in) <= 0)
		return 400;
	status = fill(c, slot, &in, &vars);
	if (status)
		return status;
	if (c->chunked_in) {
		char text[24];
		int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)c->body.total);

		vars_add(&vars, SPAN("CONTENT_LENGTH"), span_of(text, (size_t)n));
		if (vars.overflow)
			return 431;
		xr->vars_n = (uint32_t)vars.n;
	}
	job->touched = vars.n;
	xr->body_n = c->body.total;
	if (c->body.total == 0)
		return 0;
	if (c->body.has_file) {
		xr->body = EXCHANGE_BODY_FILE;
		job->body_digest = siphash_end(&c->body_digest);
		job->body = c->body; /* no write runs any more: body.c waited for it */
		c->body = (struct spool){0};
		return 0;
	}
	xr->body = EXCHANGE_BODY_MEMORY;
	memcpy(vars.p + vars.n, c->body.mem.p + c->body.mem.start, c->body.mem.n);
	job->touched += c->body.mem.n;
	spool_done(&c->body);
	return 0;
}

void intake_complete(struct conn *c)
{
	queue_add_kept(c);
}

/* The whole request stands at p: into a slot without a copy. False: there is no slot. */
static bool submit_at_once(struct conn *c, const struct parsed *in, const char *body, size_t body_n)
{
	struct front *f = c->front;
	struct exchange_request *xr;
	struct vars vars;
	int slot = queue_slot(f);
	int status;

	if (slot < 0)
		return false;
	status = fill(c, (unsigned)slot, in, &vars);
	if (status) {
		queue_unslot(f, (unsigned)slot);
		error_refuse(c, (unsigned)status, "environment too large");
		return true;
	}
	xr = exchange_request(f->exchange, (unsigned)slot);
	f->jobs[slot].touched = vars.n + body_n;
	if (body_n > 0) {
		memcpy(vars.p + vars.n, body, body_n);
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
static size_t begin(struct conn *c, char *p, size_t n, size_t head_n, const struct parsed *in)
{
	const struct front *f = c->front;
	size_t body_n;

	if (handback_is_foreign(c, &in->rq)) {
		handback_to_gate(c, span_of(p, n));
		return n;
	}
	note_request(c, &in->rq);
	if (c->protocol == PROTO_UWSGI)
		note_client(c, &in->vars);
	if (in->rq.body == BODY_LENGTH && f->config->limit_post &&
	    in->rq.length > f->config->limit_post) {
		error_refuse(c, 413, "body larger than limit-post");
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
	if (f->roots_n > 0 && in->rq.body == BODY_NONE && c->protocol == PROTO_HTTP &&
	    static_begin(c, &in->head, &in->rq)) {
		c->head_n = c->state == CONN_FILE ? head_n : 0;
		return head_n;
	}
	if (body_is_here(c, &in->rq, n - head_n, &body_n) && queue_is_open(f) &&
	    submit_at_once(c, in, p + head_n, body_n))
		return head_n + body_n;
	c->head_n = head_n;
	c->state = CONN_BODY;
	return head_n + body_begin(c, p + head_n, n - head_n, in->rq.expect_continue);
}

/* Returns bytes used. 0: more are needed, or the connection has ended. */
static size_t take_head(struct conn *c, char *p, size_t n)
{
	struct parsed in;
	long r;

	in.rq = (struct request){0};
	r = parse(c, p, n, c->scanned, &in);
	if (r == 0) {
		c->scanned = n;
		return 0;
	}
	c->scanned = 0;
	if (r < 0) {
		c->body_left = 1; /* who knows what it would have been followed by */
		error_refuse(c, (unsigned)in.rq.status, in.rq.reason);
		return n;
	}
	board_add(&c->front->count->bytes_in, (uint64_t)r);
	return begin(c, p, n, (size_t)r, &in);
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
	return c->state == CONN_HEAD || (c->state == CONN_BODY && body_wants(c));
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
	if (c->state == CONN_HEAD && c->in.n > 0)
		timer_set(&c->front->timers[TIMER_HEAD], &c->timer, c->front->now_ns);
	/* only now does the head stand where the queue looks for it */
	if (c->state == CONN_BODY)
		body_settle(c);
}

static void on_end_of_input(struct conn *c)
{
	c->eof = true;
	c->readable = false;
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
	do
		n = recv(c->fd, p, size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		c->readable = false;
		return false;
	}
	if (n < 0) {
		conn_lost(c);
		return false;
	}
	if (n == 0) {
		on_end_of_input(c);
		return false;
	}
	/*
	 * Short: the socket is empty (edge-triggered, epoll(7)), and an end of input makes an event of its own: unless
	 * that event has come already, together with these bytes.
	 */
	c->readable = (size_t)n == size || c->end_told;
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
	for (unsigned i = 0; i < READS_PER_TURN && wants_bytes(c); i++) {
		if (c->state == CONN_HEAD && c->in.n > c->scanned) {
			feed_kept(c);
			if (c->state == CONN_BODY)
				body_settle(c);
		} else if (!c->readable || !read_some(c)) {
			break;
		}
	}
	if (!wants_bytes(c))
		return;
	if (c->readable || (c->state == CONN_HEAD && c->in.n > c->scanned))
		conn_ready(c);
	(void)conn_watch(c);
}
