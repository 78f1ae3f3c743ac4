/*
 * head - see head.h.
 */
#include "vassal/front/head.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"
#include "vassal/front/trusted.h"
#include "vassal/front/wrapped.h"
#include "vassal/proto/fastcgi.h"
#include "vassal/proto/http1.h"
#include "vassal/proto/scgi.h"
#include "vassal/proto/uwsgi.h"

#define VARS_ROOM (EXCHANGE_SLOT_BYTES - EXCHANGE_BODY_MAX)

static struct request_facts facts_of(const struct conn *c, const struct parsed_head *in)
{
	const struct front *f = c->front;
	struct request_facts facts = {.remote_addr = span_str(c->addr),
				      .remote_port = span_str(c->port),
				      .https = c->proxied_tls && c->protocol != PROTO_HTTP};

	if (c->own_listener && c->listener < f->listeners_n) {
		facts.server_name = span_str(f->listeners[c->listener].name);
		facts.server_port = span_str(f->listeners[c->listener].port);
	} else {
		facts.server_name = span_str(f->name);
		facts.server_port = span_str(c->self_port);
	}
	if (c->proxied && c->self_port[0])
		facts.server_port = span_str(c->self_port);
	if (in->is_forwarded)
		facts.forwarded = &in->forwarded;
	if (c->route)
		facts.script_name = c->route->script;
	return facts;
}

/* As the parser of HTTP heads says it: 0, or what the request is refused with. */
static int beyond_limits(const struct vassal_config *config, const struct parsed_head *in)
{
	struct span key, value;
	unsigned fields = 0;
	size_t at = 0;

	if (config->limit_uri > 0 && in->rq.target.n > config->limit_uri)
		return 414;
	while (vars_next(in->vars.p, in->vars.n, &at, &key, &value))
		fields += span_starts(key, SPAN("HTTP_"));
	return fields > config->limit_headers ? 431 : 0;
}

static long check_limits(const struct conn *c, long r, struct parsed_head *ret)
{
	int status = r > 0 && !ret->rq.ping ? beyond_limits(c->front->config, ret) : 0;

	if (status == 0)
		return r;
	ret->rq.status = status;
	ret->rq.reason = status == 414 ? "target too long" : "too many fields";
	return PROTO_BAD;
}

/* The protocols whose requests are variables. */
static long parse_variables(struct conn *c, const char *p, size_t n, size_t limit,
			    struct parsed_head *ret)
{
	struct request_facts facts = facts_of(c, ret);
	long r;

	facts.trusted = trusted_client(c);
	vars_init(&ret->vars, c->front->vars_scratch, VARS_ROOM);
	if (c->protocol == PROTO_UWSGI) {
		r = uwsgi_parse(p, n, limit, &facts, &ret->rq, &ret->vars);
	} else if (c->protocol == PROTO_SCGI) {
		r = scgi_parse(p, n, limit, &facts, &ret->rq, &ret->vars);
	} else {
		r = fastcgi_request(p, n, &facts, &ret->rq, &ret->vars);
		r = r < 0 ? r : (long)n;
	}
	return check_limits(c, r, ret);
}

long head_parse(struct conn *c, const char *p, size_t n, size_t scanned, struct parsed_head *ret)
{
	struct front *f = c->front;
	const size_t head_bytes = MIN((size_t)f->config->buffer_size, (size_t)LIMIT_HEAD_BYTES);
	const struct http_limits limits = {
		.head = head_bytes,
		.target = f->config->limit_uri > 0 ? f->config->limit_uri : head_bytes,
		.fields = f->config->limit_headers,
	};
	long r;

	ret->is_forwarded = false;
	if (c->protocol != PROTO_HTTP)
		return parse_variables(c, p, n, head_bytes, ret);
	r = http_head_parse_within(p, n, &limits, scanned, &ret->head);
	if (r == HTTP_BAD) {
		ret->rq.status = ret->head.status;
		ret->rq.reason = ret->head.reason;
		ret->rq.method = ret->head.method;
		ret->rq.target = ret->head.target;
		ret->rq.is_head = span_eq(ret->head.method, SPAN("HEAD"));
		return PROTO_BAD;
	}
	if (r > 0 && http1_request(&ret->head, &ret->rq) == PROTO_BAD)
		return PROTO_BAD;
	if (r > 0)
		ret->rq.https = c->proxied_tls;
	if (r > 0 && ret->rq.forwarded && trusted_client(c)) {
		forwarded_read(&ret->head, f->config->forwarded_header, &f->config->trusted_proxies,
			       &ret->forwarded);
		ret->is_forwarded = true;
		if (ret->forwarded.scheme != FORWARDED_UNSAID)
			ret->rq.https = ret->forwarded.scheme == FORWARDED_HTTPS;
	}
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

/* The same of a proxy that speaks in variables. */
static void note_named(struct conn *c, const struct vars *vars)
{
	struct span key, value;
	size_t at = 0;

	while (vars_next(vars->p, vars->n, &at, &key, &value)) {
		if (!span_eq(key, SPAN("REMOTE_ADDR")))
			continue;
		/* it goes unquoted into a line of the log: an address or nothing */
		if (value.n >= sizeof(c->client))
			return;
		for (size_t i = 0; i < value.n; i++)
			if (!is_of_address(value.p[i]))
				return;
		memcpy(c->client, value.p, value.n);
		c->client[value.n] = '\0';
		return;
	}
}

static void say_dropped(struct conn *c)
{
	struct front *f = c->front;

	if (f->forwarded_said)
		return;
	f->forwarded_said = true;
	logbook_say(&f->log, f->wall_ns,
		    "client %s: what it says of whom it asks for (X-Forwarded-*, Forwarded, "
		    "X-Real-IP) is dropped: it is not in trusted-proxies; said once",
		    conn_client(c));
}

/* Who asked, as the proxy says: for the log. Its own address tells nobody anything. */
static void note_client(struct conn *c, const struct parsed_head *in)
{
	c->client[0] = '\0';
	if (c->protocol != PROTO_HTTP)
		note_named(c, &in->vars);
	else if (in->is_forwarded)
		memcpy(c->client, in->forwarded.addr, sizeof(c->client));
	else if (in->rq.forwarded)
		say_dropped(c);
}

static void note_start(struct conn *c, struct span start)
{
	struct front *f = c->front;
	uint64_t start_ns;

	c->waited_ns = 0;
	if (start.n == 0 || !trusted_client(c) || !start_parse(start, &start_ns))
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

static void note_id(struct conn *c, const struct request *rq)
{
	if (rq->request_id.n > 0 && rq->request_id.n < sizeof(c->id)) {
		memcpy(c->id, rq->request_id.p, rq->request_id.n);
		c->id[rq->request_id.n] = '\0';
	} else {
		request_id_make(&c->front->ids, c->id);
	}
}

void head_note_refused(struct conn *c, const struct parsed_head *in)
{
	if (in->rq.target.n > 0)
		note_line(c, &in->rq);
	note_id(c, &in->rq);
	c->is_head = in->rq.is_head;
}

void head_note(struct conn *c, const struct parsed_head *in)
{
	const struct request *rq = &in->rq;

	note_line(c, rq);
	note_id(c, rq);
	c->is_head = rq->is_head;
	c->minor11 = rq->minor > 0;
	c->https = rq->https;
	c->wants_keep = c->records ? c->records->keep_conn : rq->keep_alive;
	c->body_kind = rq->body;
	c->has_length = rq->has_length;
	c->body_left = rq->body == BODY_LENGTH || rq->has_length ? rq->length : 0;
	c->chunked_in = rq->body == BODY_CHUNKED || (rq->body == BODY_RECORDS && !rq->has_length);
	c->answer.keep_alive = false;
	note_start(c, rq->start);
	note_client(c, in);
}

void head_vars(struct conn *c, const struct parsed_head *in, struct vars *ret)
{
	struct request_facts facts = facts_of(c, in);

	if (c->protocol != PROTO_HTTP) {
		*ret = in->vars;
		return;
	}
	vars_init(ret, c->front->vars_scratch, VARS_ROOM);
	http1_vars(&in->head, &in->rq, &facts, ret);
}

/* Who came in by a rule of the ini (RFC 3875 4.1.11); the last of equal names counts, a proxy's word comes before. */
static void add_user(const struct conn *c, struct vars *vars)
{
	struct span user = routed_user(c);

	if (user.n == 0)
		return;
	vars_add(vars, SPAN("AUTH_TYPE"), SPAN("Basic"));
	vars_add(vars, SPAN("REMOTE_USER"), user);
}

int head_fill(struct conn *c, unsigned slot, const struct parsed_head *in, struct vars *vars)
{
	struct front *f = c->front;
	struct exchange_request *xr = exchange_request(f->exchange, slot);

	vars_init(vars, exchange_data(f->exchange, slot), VARS_ROOM);
	if (c->protocol != PROTO_HTTP) {
		memcpy(vars->p, in->vars.p, in->vars.n);
		vars->n = in->vars.n;
		vars->overflow = in->vars.overflow;
	} else {
		struct request_facts facts = facts_of(c, in);

		http1_vars(&in->head, &in->rq, &facts, vars);
	}
	add_user(c, vars);
	if (vars->overflow)
		return 431;
	xr->flags = (uint16_t)((c->is_head ? EXCHANGE_HEAD : 0) | (c->https ? EXCHANGE_HTTPS : 0) |
			       (c->minor11 ? EXCHANGE_HTTP11 : 0) |
			       (wrapped_is_welcome(c) ? EXCHANGE_TAKES_FILE : 0));
	memcpy(xr->line, c->line, sizeof(xr->line));
	memcpy(xr->id, c->id, sizeof(xr->id));
	xr->body = EXCHANGE_BODY_NONE;
	xr->body_n = 0;
	xr->vars_n = (uint32_t)vars->n;
	return 0;
}

int head_fill_kept(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	struct exchange_request *xr = exchange_request(f->exchange, slot);
	struct job *job = &f->jobs[slot];
	struct parsed_head in = {0};
	struct vars vars;
	int status;

	if (head_parse(c, c->in.p + c->in.start, c->head_n, 0, &in) <= 0)
		return 400;
	status = head_fill(c, slot, &in, &vars);
	if (status)
		return status;
	/* no record of a body at all: most requests have none, and no CONTENT_LENGTH either */
	if (c->chunked_in && (c->body.total > 0 || !c->records)) {
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
