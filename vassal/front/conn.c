/*
 * conn - see conn.h.
 *
 * One request is in work per connection; what the client sends meanwhile stays in the socket. So a connection never
 * holds more than one head, one body's memory and one answer's memory.
 */
#include "vassal/front/conn.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/vassal_config.h"
#include "vassal/front/answer.h"
#include "vassal/front/doors.h"
#include "vassal/front/handback.h"
#include "vassal/front/patience.h"
#include "vassal/front/queue.h"
#include "vassal/front/records.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"

#define SLAB 32 /* connections allocated at once; slabs are never given back */
#define FRONT_OTHER_FDS \
	(4 * LIMIT_WORKERS + 64) /* what a front has open beside its connections, generously */

void conns_set_timeouts(struct front *f)
{
	const struct vassal_config *g = f->config;
	const uint64_t spans[TIMER_COUNT] = {
		[TIMER_HEAD] = g->header_timeout_s, [TIMER_BODY] = g->body_timeout_s,
		[TIMER_IDLE] = g->keepalive_s,      [TIMER_WRITE] = g->socket_timeout_s,
		[TIMER_QUEUE] = g->queue_timeout_s, [TIMER_LINGER] = LIMIT_LINGER_SILENCE_S,
		[TIMER_PASS] = LIMIT_PASS_S,
	};

	for (unsigned i = 0; i < TIMER_COUNT; i++)
		timer_list_set_span(&f->timers[i], spans[i] * NS_PER_S);
}

void conns_init(struct front *f)
{
	struct rlimit rl = {0};
	unsigned others;

	for (unsigned i = 0; i < TIMER_COUNT; i++)
		timer_list_init(&f->timers[i], 0);
	conns_set_timeouts(f);
	(void)getrlimit(RLIMIT_NOFILE, &rl);
	/* the other half is for files, pipes to workers and connections under way to us */
	f->conns_limit =
		(unsigned)MIN((uint64_t)LIMIT_CONNECTIONS, MAX((uint64_t)rl.rlim_cur / 2, 8));
	f->fds_limit = (unsigned)MIN((uint64_t)rl.rlim_cur, (uint64_t)INT32_MAX);
	/* pipes and descriptors of the workers, doors and logs need some too, and files kept open */
	others = FRONT_OTHER_FDS + LIMIT_SPARE_FDS + 4 * statics_keep(f);
	f->conns_carefree = f->fds_limit > others ? (f->fds_limit - others) / LIMIT_CONN_FDS : 0;
	f->ready_last = &f->ready_first;
}

static bool grow(struct front *f)
{
	struct conn *slab = calloc(SLAB, sizeof(*slab));

	if (!slab)
		return false;
	for (unsigned i = 0; i < SLAB; i++) {
		slab[i].next = f->free_conns;
		f->free_conns = &slab[i];
	}
	return true;
}

struct conn *conn_new(struct front *f, int fd)
{
	struct conn *c;

	if (f->conns_n >= f->conns_limit || (!f->free_conns && !grow(f)))
		return NULL;
	c = f->free_conns;
	f->free_conns = c->next;
	*c = (struct conn){.watched.kind = WATCH_CONN, .front = f, .fd = fd, .slot = -1};
	c->next = f->conns;
	if (c->next)
		c->next->prev = c;
	f->conns = c;
	f->conns_n++;
	board_add(&f->count->connections, 1);
	return c;
}

void conns_collect(struct front *f)
{
	while (f->dead_conns) {
		struct conn *c = f->dead_conns;

		f->dead_conns = c->next;
		c->next = f->free_conns;
		f->free_conns = c;
	}
}

bool conn_watch(struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				 .data.ptr = &c->watched};

	if (c->in_epoll)
		return true;
	if (epoll_ctl(c->front->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0) {
		conn_lost(c);
		return false;
	}
	c->in_epoll = true;
	c->watched_ns = c->front->now_ns;
	return true;
}

void conn_unwatch(struct conn *c)
{
	if (!c->in_epoll)
		return;
	(void)epoll_ctl(c->front->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	c->in_epoll = false;
}

const char *conn_client(const struct conn *c)
{
	if (c->client[0])
		return c->client;
	return c->addr[0] ? c->addr : "-";
}

ssize_t conn_read(struct conn *c, char *p, size_t size)
{
	ssize_t n;

	do
		n = recv(c->fd, p, size, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		/*
		 * Short: the socket is empty (edge-triggered, epoll(7)), and an end of input makes an event of its own:
		 * unless that event has come already, together with these bytes.
		 */
		c->readable = (size_t)n == size || c->end_told;
		return n;
	}
	c->readable = false;
	if (n < 0 && errno != EAGAIN) {
		conn_lost(c);
		return -1;
	}
	return n;
}

void conn_ready(struct conn *c)
{
	struct front *f = c->front;

	if (c->ready_listed)
		return;
	c->ready_listed = true;
	c->next_ready = NULL;
	*f->ready_last = c;
	f->ready_last = &c->next_ready;
}

static void ready_remove(struct conn *c)
{
	struct front *f = c->front;
	struct conn **at = &f->ready_first;

	if (!c->ready_listed)
		return;
	while (*at != c)
		at = &(*at)->next_ready;
	*at = c->next_ready;
	if (!*at)
		f->ready_last = at;
	c->ready_listed = false;
}

int conn_release(struct conn *c)
{
	struct front *f = c->front;
	int fd = TAKE_FD(c->fd);

	ready_remove(c);
	timer_clear(&c->timer);
	buf_done(&c->in);
	buf_done(&c->rest);
	spool_done(&c->body);
	spool_done(&c->out);
	static_file_free(TAKE_PTR(c->file));
	free(TAKE_PTR(c->route));
	records_free(c);
	routed_forget(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		f->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->prev = NULL;
	c->next = f->dead_conns;
	f->dead_conns = c;
	c->state = CONN_DEAD;
	f->conns_n--;
	doors_resume(f);
	return fd;
}

void conn_kill(struct conn *c, bool cut)
{
	int fd;

	if (c->state == CONN_DEAD)
		return;
	if (cut) {
		struct linger l = {.l_onoff = 1};

		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	}
	/*
	 * An engine that is being forked holds a copy until its exec, and epoll would go on to report that one: into
	 * whoever uses this memory next.
	 */
	conn_unwatch(c);
	fd = conn_release(c);
	(void)close(fd);
}

void conn_drop(struct conn *c)
{
	struct front *f = c->front;

	if (c->state == CONN_DEAD)
		return;
	if (c->out.error)
		logbook_say(&f->log, f->wall_ns, "%s [%s]: cannot store the answer: %s", c->line,
			    c->id, strerror(-c->out.error));
	queue_forget(c);
	/* where the end of the connection is the end of the body, a plain end would call this the whole of it */
	conn_kill(c, c->answer.begun && c->answer.body == FRAMING_CLOSE);
}

void conn_lost(struct conn *c)
{
	/* its connection ends, and its answer is on record, when the worker is done */
	if (answer_is_whole(c))
		c->answer.keep_alive = false;
	else
		conn_drop(c);
}

void conn_linger(struct conn *c)
{
	struct front *f = c->front;
	size_t dropped = 0;
	ssize_t n;

	do {
		n = read(c->fd, f->scratch, sizeof(f->scratch));
		dropped += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && dropped < LIMIT_LINGER_TURN) || (n < 0 && errno == EINTR));
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		conn_kill(c, false);
		return;
	}
	if (dropped > 0 && f->now_ns - c->begun_ns < LIMIT_LINGER_S * NS_PER_S)
		timer_set(&f->timers[TIMER_LINGER], &c->timer, f->now_ns);
	if (n > 0)
		conn_ready(c);
}

void conn_close(struct conn *c)
{
	/*
	 * A close with unread input sends a reset, and that takes the answer from the client's hands; so does one while
	 * the rest of a refused body is on its way.
	 */
	bool unread = c->readable || c->in.n > c->head_n || c->state == CONN_BODY ||
		      c->body_left > 0 || (c->chunked_in && !c->chunked.done);

	if (c->state == CONN_DEAD)
		return;
	if (!unread || c->eof) {
		conn_kill(c, false);
		return;
	}
	(void)shutdown(c->fd, SHUT_WR);
	c->state = CONN_LINGER;
	c->begun_ns = c->front->now_ns;
	timer_set(&c->front->timers[TIMER_LINGER], &c->timer, c->front->now_ns);
	if (conn_watch(c))
		conn_linger(c);
}

bool conn_may_keep(const struct conn *c)
{
	const struct front *f = c->front;
	const unsigned requests = f->config->keepalive_requests;

	return c->wants_keep && !c->close_after && f->config->keepalive_s > 0 &&
	       (requests == 0 || c->requests_n < requests) &&
	       !(c->route && (c->route->flags & PASS_ONE_REQUEST)) &&
	       /* the next generation takes what can be handed over */
	       (f->phase == PHASE_SERVING ||
		(f->heir_fd >= 0 && (c->protocol == PROTO_HTTP || c->protocol == PROTO_FASTCGI)));
}

static void forget_request(struct conn *c)
{
	/* of FastCGI nothing but the parameters stands there, however early the answer came */
	if (c->records)
		c->head_n = c->in.n;
	if (c->head_n > 0)
		buf_consume(&c->in, c->head_n);
	c->head_n = 0;
	c->scanned = 0;
	c->roots_missed = 0;
	c->slot = -1;
	if (c->body.total > 0 || c->body.has_file)
		spool_done(&c->body);
	if (c->out.has_file || c->out.mem.room > 0)
		spool_done(&c->out);
	if (c->in.n == 0 && c->in.room > 0)
		buf_done(&c->in);
	records_finish(c);
	c->chunked = (struct chunked){0};
	c->answer = (struct answer){0};
	c->is_head = c->chunked_in = c->wants_keep = c->has_length = false;
	c->body_kind = BODY_NONE;
	c->line[0] = c->id[0] = c->client[0] = '\0';
	if (c->routed)
		routed_forget(c);
}

void conn_next(struct conn *c)
{
	struct front *f = c->front;

	forget_request(c);
	c->state = CONN_HEAD;
	if (f->phase >= PHASE_DRAINING && !c->feeding &&
	    (handback_leave(c) || handback_to_heir(c) || c->state == CONN_DEAD))
		return;
	c->begun_ns = f->now_ns;
	timer_set(&f->timers[c->in.n > 0 ? TIMER_HEAD : TIMER_IDLE], &c->timer, f->now_ns);
	if (c->in.n > 0 || c->rest.n > 0 || c->readable)
		conn_ready(c);
	else
		(void)conn_watch(c);
}

static void finished(struct conn *c)
{
	patience_end(c);
	/* after an end of input there is no next request, and nothing more will tell of it */
	if (c->answer.keep_alive && !c->eof)
		conn_next(c);
	else
		conn_close(c);
}

void conn_answered(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	c->slot = -1;
	if (spool_empty(&c->out)) {
		finished(c);
		return;
	}
	c->state = CONN_FLUSH;
	patience_begin(c); /* whatever was awaited before, it is the reader now */
}
