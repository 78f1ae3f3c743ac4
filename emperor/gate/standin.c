/*
 * standin - see standin.h. Reads as the shared ports do, within the same limits of bytes and time, in arrivals of its own.
 */
#include "emperor/gate/standin.h"

#include <errno.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "emperor/gate/arrivals.h"
#include "emperor/gate/asked.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/listen.h"

#define ACCEPT_BATCH \
	64 /* of one listener in one loop turn: the shared ports, and the link, get theirs */

struct lent {
	TAILQ_ENTRY(lent) link;
	struct standin *s;
	struct standin_listener what;
	bool named; /* since standin_begin() */
	ev_io io;   /* io.fd is owned */
};

struct standin {
	struct ev_loop *loop;
	struct standin_handler handler;
	struct arrivals *arrivals;
	bool paused; /* no room or no descriptors: the rest waits in the backlogs until the next sweep */
	TAILQ_HEAD(lent_list, lent) list;
};

/* arrivals_handler.decide */
static bool decide(void *arg, const struct client *c, struct span bytes, enum arrivals_end end)
{
	const struct standin *s = arg;
	struct answer a = {.status = 503,
			   .why = "this site cannot answer just now",
			   .retry_after_s = c->retry_after_s};

	if (asked_find((enum gate_protocol)c->protocol, bytes, end != ARRIVALS_OPEN, &a) ==
	    ASKED_MORE)
		return false;
	s->handler.answer(s->handler.arg, c, &a, bytes);
	return true;
}

static void end(struct lent *l)
{
	struct standin *s = l->s;

	TAILQ_REMOVE(&s->list, l, link);
	ev_io_stop(s->loop, &l->io);
	(void)close(l->io.fd);
	free(l);
}

static void pause_all(struct standin *s)
{
	struct lent *l;

	s->paused = true;
	TAILQ_FOREACH(l, &s->list, link)
		ev_io_stop(s->loop, &l->io);
	s->handler.busy(s->handler.arg);
}

static void resume_all(struct standin *s)
{
	struct lent *l;

	s->paused = false;
	TAILQ_FOREACH(l, &s->list, link)
		ev_io_start(s->loop, &l->io);
}

/* False when there is no sense in going on now. */
static bool accept_one(struct lent *l)
{
	struct standin *s = l->s;
	struct client c = {.protocol = (uint8_t)l->what.protocol,
			   .retry_after_s = l->what.retry_after_s};
	uint64_t now = clock_now_ns();

	if (!arrivals_room(s->arrivals, now)) {
		pause_all(s);
		return false;
	}
	c.fd = accept4(l->io.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c.fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			if (arrivals_give_way(s->arrivals, now))
				return true;
			pause_all(s);
		} else if (errno != EAGAIN && errno != EINVAL) {
			return true; /* one connection's own misfortune (accept(2), Error handling) */
		} else if (listen_is_shut(l->io.fd)) {
			end(l);
		}
		return false;
	}
	arrivals_add(s->arrivals, &c, now);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct lent *l = container_of(io, struct lent, io);
	struct standin *s = l->s;

	(void)loop;
	(void)revents;
	for (int i = 0; i < ACCEPT_BATCH && accept_one(l); i++)
		;
	if (arrivals_count(s->arrivals) > 0)
		s->handler.busy(s->handler.arg);
}

static struct lent *find(const struct standin *s, uint32_t app, uint64_t number)
{
	struct lent *l;

	TAILQ_FOREACH(l, &s->list, link)
		if (l->what.app == app && l->what.number == number)
			return l;
	return NULL;
}

int standin_new(struct standin **ret_standin, struct ev_loop *loop, struct pollset *ps,
		const struct standin_handler *handler, struct err *err)
{
	struct standin *s = calloc(1, sizeof(*s));
	const struct arrivals_handler on_arrival = {decide, s};
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->handler = *handler;
	TAILQ_INIT(&s->list);
	r = arrivals_new(&s->arrivals, ps, LIMIT_GATE_STANDIN, &on_arrival, err);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_standin = s;
	return 0;
}

static void end_all(struct standin *s)
{
	while (!TAILQ_EMPTY(&s->list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		end(TAILQ_FIRST(&s->list));
}

void standin_free(struct standin *s)
{
	if (!s)
		return;
	end_all(s);
	arrivals_free(s->arrivals);
	free(s);
}

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t n = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on;
}

int standin_lend(struct standin *s, const struct standin_listener *what, int fd, struct err *err)
{
	_cleanup_(fd_closep) int owned = fd;
	struct lent *l = find(s, what->app, what->number);

	if (l)
		end(l);
	/* One that was shut down since it was sent is no mistake of anybody. */
	if (!is_listening(fd))
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l || fd_set_nonblock(fd, true) < 0) {
		free(l);
		return err_set(err, -ENOMEM, "a listener of app %u: out of memory", what->app);
	}
	l->s = s;
	l->named = true;
	l->what = *what;
	ev_io_init(&l->io, on_readable, TAKE_FD(owned), EV_READ);
	TAILQ_INSERT_TAIL(&s->list, l, link);
	if (!s->paused)
		ev_io_start(s->loop, &l->io);
	return 0;
}

bool standin_take_back(struct standin *s, uint32_t app, uint64_t number)
{
	struct lent *l = find(s, app, number);

	if (l)
		end(l);
	return l != NULL;
}

void standin_begin(struct standin *s)
{
	struct lent *l;

	TAILQ_FOREACH(l, &s->list, link)
		l->named = false;
}

void standin_end(struct standin *s)
{
	struct lent *l = TAILQ_FIRST(&s->list);

	while (l) {
		struct lent *next = TAILQ_NEXT(l, link);

		if (!l->named)
			end(l);
		l = next;
	}
}

void standin_drop_app(struct standin *s, uint32_t app)
{
	struct lent *l = TAILQ_FIRST(&s->list);

	while (l) {
		struct lent *next = TAILQ_NEXT(l, link);

		if (l->what.app == app)
			end(l);
		l = next;
	}
}

void standin_set_retry(struct standin *s, uint32_t app, unsigned retry_after_s)
{
	struct lent *l;

	TAILQ_FOREACH(l, &s->list, link)
		if (l->what.app == app)
			l->what.retry_after_s = retry_after_s;
}

void standin_sweep(struct standin *s, uint64_t now_ns)
{
	arrivals_sweep(s->arrivals, now_ns);
	if (s->paused)
		resume_all(s);
}

bool standin_give_way(struct standin *s, uint64_t now_ns)
{
	return arrivals_give_way(s->arrivals, now_ns);
}

size_t standin_count(const struct standin *s)
{
	return arrivals_count(s->arrivals);
}

void standin_stop(struct standin *s)
{
	end_all(s);
	arrivals_end_all(s->arrivals);
}
