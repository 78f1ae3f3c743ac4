/*
 * body - see body.h.
 */
#include "vassal/front/body.h"

#include <errno.h>
#include <sys/uio.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/intake.h"
#include "vassal/front/loop.h"
#include "vassal/front/state.h"
#include "vassal/proto/fastcgi.h"

static bool is_whole(const struct conn *c)
{
	if (c->records)
		return fastcgi_is_complete(c->records);
	return c->chunked_in ? c->chunked.done : c->body_left == 0;
}

/* A disk thread has written: the request may be complete now, or there is room for more of it. */
static void on_ready(void *arg)
{
	struct conn *c = arg;

	if (c->state != CONN_BODY)
		return;
	body_settle(c);
	/* one that was read to its end before anybody watched it is to be watched now */
	if (c->state == CONN_BODY && (c->readable || !c->in_epoll))
		conn_ready(c);
	/* outside a turn nobody wakes the worker that the request was queued for */
	loop_kick(c->front);
}

/* The temp files have all that they may: others will have ended in a while, unless this one alone is too much. */
static void refuse_for_room(struct conn *c)
{
	struct front *f = c->front;

	if (c->body.total > f->temp_bytes.limit) {
		error_refuse(c, 413, "body larger than all temp files may be");
		return;
	}
	logbook_say(&f->log, f->wall_ns,
		    "%s [%s]: no room for the body: temp files hold %llu bytes", c->line, c->id,
		    (unsigned long long)f->temp_bytes.used);
	board_add(&f->count->rejected, 1);
	c->close_after = true;
	error_answer(c, 503, 5);
}

/*
 * What stays in memory is read back from its slot, in the rare case that anybody asks (fusebox.c): a digest of every
 * body costs more than moving it.
 */
static void digest(struct conn *c, const char *p, size_t n)
{
	if (!c->body_digested && c->body.total + n <= c->front->body_limits.memory)
		return;
	if (!c->body_digested && c->body.mem.n > 0)
		siphash_add(&c->body_digest, c->body.mem.p + c->body.mem.start, c->body.mem.n);
	c->body_digested = true;
	siphash_add(&c->body_digest, p, n);
}

/* False: the request was refused. */
static bool store(struct conn *c, const char *p, size_t n)
{
	struct front *f = c->front;
	uint64_t limit = f->config->limit_post;
	int r;

	if (n == 0)
		return true;
	if (limit && c->body.total + n > limit) {
		error_refuse(c, 413, "body larger than limit-post");
		return false;
	}
	digest(c, p, n);
	r = spool_append(&c->body, &f->body_limits, &f->disk, on_ready, c, p, n);
	if (r == -EDQUOT) {
		refuse_for_room(c);
	} else if (r < 0) {
		logbook_say(&f->log, f->wall_ns, "%s [%s]: cannot store the body: %s", c->line,
			    c->id, strerror(-r));
		error_refuse(c, 500, NULL);
	}
	return r == 0;
}

bool body_wants(const struct conn *c)
{
	return !is_whole(c) && spool_room(&c->body, &c->front->body_limits) > 0;
}

/* False: it comes too slowly, and was refused. */
static bool keeps_pace(struct conn *c, size_t n)
{
	struct front *f = c->front;
	const struct vassal_config *g = f->config;

	if (c->stalled_ns > 0)
		pace_excuse(&c->pace, f->now_ns - c->stalled_ns);
	c->stalled_ns = 0;
	c->pace.bytes += n;
	if (!pace_is_slow(&c->pace, g->body_timeout_s * NS_PER_S, g->min_rate, f->now_ns))
		return true;
	board_add(&f->count->read_timeouts, 1);
	error_refuse(c, 408, "the body comes too slowly (min-rate)");
	return false;
}

size_t body_take(struct conn *c, char *p, size_t n)
{
	size_t payload = n;
	ssize_t used;

	board_add(&c->front->count->bytes_in, n);
	timer_set(&c->front->timers[TIMER_BODY], &c->timer, c->front->now_ns);
	if (!keeps_pace(c, n))
		return n;
	if (c->records) {
		used = (ssize_t)n;
		c->body_left -= MIN(c->body_left, (uint64_t)n);
	} else if (!c->chunked_in) {
		used = (ssize_t)MIN((uint64_t)n, c->body_left);
		payload = (size_t)used;
		c->body_left -= (uint64_t)used;
	} else {
		used = chunked_feed(&c->chunked, p, n, &payload);
	}
	if (used < 0) {
		error_refuse(c, 400, c->chunked.reason);
		return n;
	}
	if (!store(c, p, payload))
		return n;
	/* from now on it is our disk that is slow */
	if (!is_whole(c) && !body_wants(c))
		c->stalled_ns = c->front->now_ns;
	return (size_t)used;
}

size_t body_begin(struct conn *c, char *p, size_t n, bool expect_continue)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec iov = {(char *)(uintptr_t)go_on, sizeof(go_on) - 1};

	siphash_begin(&c->body_digest, &c->front->digest_key);
	c->body_digested = false;
	timer_set(&c->front->timers[TIMER_BODY], &c->timer, c->front->now_ns);
	c->pace = (struct pace){.begun_ns = c->front->now_ns};
	c->stalled_ns = 0;
	if (n > 0)
		return body_take(c, p, n);
	if (expect_continue && !is_whole(c) && conn_write(c, &iov, 1) < 0)
		conn_lost(c);
	return 0;
}

void body_settle(struct conn *c)
{
	struct front *f = c->front;

	if (!is_whole(c))
		return;
	timer_clear(&c->timer);
	if ((c->body.has_file || c->body.total > EXCHANGE_BODY_MAX) &&
	    !spool_to_file(&c->body, &f->body_limits, &f->disk, on_ready, c))
		return;
	if (c->body.error) {
		logbook_say(&f->log, f->wall_ns, "%s [%s]: cannot store the body: %s", c->line,
			    c->id, strerror(-c->body.error));
		error_refuse(c, 500, NULL);
		return;
	}
	intake_complete(c);
}
