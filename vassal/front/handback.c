/*
 * handback - see handback.h.
 *
 * A descriptor that is passed leaves our epoll set first: epoll follows the open file, not the number, and would
 * report it for ever.
 */
#include "vassal/front/handback.h"

#include <errno.h>

#include "shared/pass.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/state.h"
#include "vassal/proto/fastcgi.h"

static void note_host(struct route *route, struct span host)
{
	route->has_host = true;
	route->host_n = MIN(host.n, sizeof(route->host));
	memcpy(route->host, host.p, route->host_n);
}

bool handback_is_foreign(struct conn *c, const struct request *rq)
{
	const struct front *f = c->front;
	struct route *route = c->route;

	if (!route)
		return false;
	/* the first request is ours, bounce or not: the gate has just looked at it */
	if (!route->has_host) {
		note_host(route, rq->host);
		return false;
	}
	if (f->gate.fd < 0)
		return false;
	return (route->flags & PASS_BOUNCE) || !f->epoch ||
	       atomic_load_explicit(f->epoch, memory_order_relaxed) != route->epoch ||
	       !span_eq_nocase(rq->host, span_of(route->host, route->host_n)) ||
	       !pass_path_ours(rq->path, route->script, route->carve);
}

/* What its PROXY header has said is said again: whoever takes it sees only our word for it. */
static struct span introduction(const struct conn *c, char buf[PROXY_V1_MAX + 1])
{
	if (!c->proxied)
		return span_of("", 0);
	return span_of(buf, proxy_write(buf, c->addr, c->port, c->self_port, c->proxied_tls));
}

/* 0 or -errno of pass_send; on 0 the connection is gone. */
static int send_to_gate(struct conn *c)
{
	struct front *f = c->front;
	char intro[PROXY_V1_MAX + 1];
	struct pass p = {.head = {.listener = c->listener},
			 .intro = introduction(c, intro),
			 .bytes = buf_span(&c->in),
			 .fd = c->fd};
	int r;

	conn_unwatch(c);
	r = pass_send(f->gate.fd, &p);
	if (r < 0)
		return r;
	board_add(&f->count->handed_back, 1);
	conn_kill(c, false);
	return 0;
}

static bool may_be_later(int r)
{
	return r == -EAGAIN || r == -ETOOMANYREFS || r == -ENOBUFS;
}

static void refuse(struct conn *c)
{
	c->state = CONN_HEAD;
	c->close_after = true;
	if (c->in.n > 0) {
		error_answer(c, 503, 1);
	} else { /* idle: no question that could be answered, though one may be under way */
		c->readable = true;
		conn_close(c);
	}
}

void handback_to_gate(struct conn *c, struct span bytes)
{
	struct front *f = c->front;
	int r = f->gate_ends ? -EPIPE : 0; /* nobody reads there any more */

	/* either they stand in c->in already, or they were just read */
	if (c->in.n == 0 && r == 0)
		r = buf_append(&c->in, bytes.p, bytes.n, SIZE_MAX / 2);
	c->state = CONN_PASS;
	timer_set(&f->timers[TIMER_PASS], &c->timer, f->now_ns);
	if (r == 0)
		r = send_to_gate(c);
	if (r < 0 && !may_be_later(r))
		refuse(c);
}

void handback_retry(struct conn *c)
{
	int r = send_to_gate(c);

	if (r < 0 && !may_be_later(r))
		refuse(c);
}

void handback_expire(struct conn *c)
{
	refuse(c);
}

bool handback_leave(struct conn *c)
{
	const struct front *f = c->front;

	if (!c->route || f->heir_fd >= 0 || f->gate.fd < 0 || f->gate_ends ||
	    c->state != CONN_HEAD || c->in.n > 0 || c->eof)
		return false;
	handback_to_gate(c, SPAN(""));
	return true;
}

/* All that the heir needs to know of it fits the message. */
static bool can_move(const struct conn *c)
{
	if (c->state != CONN_HEAD || c->eof || c->held || !spool_empty(&c->out))
		return false;
	if (!c->opened || c->protocol == PROTO_HTTP)
		return true;
	return c->protocol == PROTO_FASTCGI && c->rest.n == 0 &&
	       (!c->records || fastcgi_is_idle(c->records));
}

bool handback_to_heir(struct conn *c)
{
	struct front *f = c->front;
	char intro[PROXY_V1_MAX + 1];
	struct pass p = {.head = {.listener = c->listener},
			 .intro = introduction(c, intro),
			 .bytes = buf_span(&c->in),
			 .fd = c->fd};
	int r;

	if (f->heir_fd < 0 || !can_move(c))
		return false;
	if (c->route) {
		p.head.epoch = c->route->epoch;
		/* so that the heir can answer the next request without asking the gate again */
		p.head.flags =
			(c->route->flags & ~PASS_UNOPENED) | (c->route->has_host ? PASS_HOST : 0);
		p.script = c->route->script;
		p.carve = c->route->carve;
		p.host = span_of(c->route->host, c->route->has_host ? c->route->host_n : 0);
	} else {
		p.head.flags = PASS_OWN_LISTENER;
	}
	if (!c->opened || c->proxied)
		p.head.flags |= PASS_UNOPENED;
	else if (c->protocol == PROTO_FASTCGI)
		p.head.flags |= PASS_FASTCGI;
	conn_unwatch(c);
	r = pass_send(f->heir_fd, &p);
	if (r < 0) {
		f->heir_says = r;
		(void)conn_watch(c); /* stays with us until the heir has room, or it leaves */
		return false;
	}
	conn_kill(c, false);
	return true;
}

static void lose_heir(struct front *f)
{
	ev_io_stop(f->loop, &f->heir_io);
	(void)close(TAKE_FD(f->heir_fd));
}

static void on_heir_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	handback_idle(container_of(w, struct front, heir_io));
}

void handback_idle(struct front *f)
{
	f->heir_says = 0;
	for (struct conn *c = f->conns, *next; c && !may_be_later(f->heir_says); c = next) {
		next = c->next;
		if (c->state == CONN_HEAD && !handback_leave(c))
			(void)handback_to_heir(c);
	}
	if (f->heir_fd < 0)
		return;
	if (f->heir_says == -EPIPE) {
		lose_heir(f);
	} else if (f->heir_says != -EAGAIN) {
		/* too many in flight (ETOOMANYREFS) has no event: for those there is the tick */
		ev_io_stop(f->loop, &f->heir_io);
	} else if (!ev_is_active(&f->heir_io)) {
		ev_io_init(&f->heir_io, on_heir_writable, f->heir_fd, EV_WRITE);
		ev_io_start(f->loop, &f->heir_io);
	}
}
