/*
 * loop - see loop.h.
 *
 * Clients live in an epoll set of ours, one ev_io of libev watches its descriptor. A turn costs a busy front one
 * epoll_wait() for many requests, and nothing of it goes through libev's own bookkeeping. The clock is read once a
 * round.
 */
#include "vassal/front/loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/vassal_config.h"
#include "vassal/front/answer.h"
#include "vassal/front/blame.h"
#include "vassal/front/body.h"
#include "vassal/front/conn.h"
#include "vassal/front/doors.h"
#include "vassal/front/doze.h"
#include "vassal/front/errors.h"
#include "vassal/front/handback.h"
#include "vassal/front/intake.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/overdue.h"
#include "vassal/front/patience.h"
#include "vassal/front/pressure.h"
#include "vassal/front/queue.h"
#include "vassal/front/standing.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"

#define TICK_S  0.25            /* deadlines are told to the second */
#define WAKE_NS (1 * NS_PER_MS) /* as long as the exchange waits for one; libev counts no finer */

static void look_at_clock(struct front *f)
{
	int64_t s;

	f->now_ns = clock_now_ns();
	f->wall_ns = clock_wall_ns();
	s = (int64_t)(f->wall_ns / NS_PER_S);
	if (s != f->date_s) {
		f->date_s = s;
		framing_date(f->date, s);
	}
}

/*
 * The client has shut its sending side while we work for it: half-closed, or gone? A connection that is watched only
 * since the request was found to be slow tells of an end that may be as old as the request.
 */
static void on_read_shut(struct conn *c)
{
	const struct front *f = c->front;
	uint64_t since_ns = MAX(c->complete_ns + c->waited_ns, c->watched_ns);

	if (f->now_ns - MIN(f->now_ns, since_ns) < LIMIT_HALF_CLOSE_MS * NS_PER_MS)
		c->half_closed = true;
	/* who has its whole answer may have asked for more before: the end is met behind that */
	else if (!c->half_closed && !answer_is_whole(c))
		conn_lost(c);
}

static void conn_event(struct conn *c, uint32_t events)
{
	bool working = c->state == CONN_WAIT || c->state == CONN_QUEUED;

	if (c->state == CONN_DEAD)
		return;
	if (events & (EPOLLERR | EPOLLHUP) && c->state != CONN_HEAD && c->state != CONN_BODY) {
		conn_lost(c);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->end_told = true;
	if (events & EPOLLOUT &&
	    (c->state == CONN_FLUSH || c->state == CONN_FILE || !spool_empty(&c->out)))
		conn_flush(c);
	if (working && events & EPOLLRDHUP)
		on_read_shut(c);
	if (c->state == CONN_LINGER)
		conn_linger(c);
	else if (c->state == CONN_HEAD || c->state == CONN_BODY ||
		 (c->records && (c->state == CONN_WAIT || c->state == CONN_QUEUED)))
		intake_run(c);
}

static void dispatch(struct front *f, const struct epoll_event *ev)
{
	struct watched *w = ev->data.ptr;

	switch (w->kind) {
	case WATCH_CONN:
		conn_event(container_of(w, struct conn, watched), ev->events);
		return;
	case WATCH_DOOR:
		door_event(container_of(w, struct door, watched), f, ev->events);
		return;
	case WATCH_EXCHANGE:
		exchange_front_woken(f->exchange);
		return;
	}
}

/* Those that still have bytes to parse or room to fill. Only those of now: a turn must end. */
static bool run_ready(struct front *f)
{
	struct conn *c = f->ready_first;
	bool any = c != NULL;
	struct conn *last = any ? container_of(f->ready_last, struct conn, next_ready) : NULL;

	while (f->ready_first) {
		c = f->ready_first;
		f->ready_first = c->next_ready;
		if (!f->ready_first)
			f->ready_last = &f->ready_first;
		c->ready_listed = false;
		if (c->state == CONN_FILE)
			static_continue(c);
		else if (c->state == CONN_LINGER)
			conn_linger(c);
		else
			intake_run(c);
		if (c == last)
			break;
	}
	return any;
}

/* Who has said nothing yet is told nothing: browsers connect ahead of their requests. */
static void expire_silent(struct conn *c)
{
	board_add(&c->front->count->idle_timeouts, 1);
	conn_kill(c, false);
}

static void expire_reading(struct conn *c)
{
	struct front *f = c->front;

	if (c->state == CONN_HEAD && c->in.n == 0) {
		expire_silent(c);
		return;
	}
	if (c->state == CONN_BODY && !body_wants(c)) {
		/* our disk is slow, not the client */
		timer_set(&f->timers[TIMER_BODY], &c->timer, f->now_ns);
		return;
	}
	board_add(&f->count->read_timeouts, 1);
	error_refuse(c, 408,
		     c->state == CONN_BODY ? "nothing more of the body came (body-timeout)"
					   : "the head did not end in time (header-timeout)");
}

static void expire(enum conn_timer kind, struct conn *c)
{
	switch (kind) {
	case TIMER_HEAD:
	case TIMER_BODY:
		expire_reading(c);
		return;
	case TIMER_QUEUE:
		queue_expire(c);
		return;
	case TIMER_PASS:
		handback_expire(c);
		return;
	case TIMER_WRITE:
		patience_expired(c);
		return;
	case TIMER_IDLE:
		expire_silent(c);
		return;
	case TIMER_LINGER:
	case TIMER_COUNT:
		conn_kill(c, false);
		return;
	}
}

static void check_timers(struct front *f)
{
	for (unsigned i = 0; i < TIMER_COUNT; i++) {
		struct timer *t;

		while ((t = timer_due(&f->timers[i], f->now_ns))) {
			timer_clear(t);
			expire((enum conn_timer)i, container_of(t, struct conn, timer));
		}
	}
}

static void retry_passes(struct front *f)
{
	const struct timer_list *l = &f->timers[TIMER_PASS];

	for (struct timer *t = l->head.next, *next; t != &l->head; t = next) {
		next = t->next;
		handback_retry(container_of(t, struct conn, timer));
	}
}

/* Requests that wait do so for nobody in particular: neither for one that was woken, nor behind one that takes long. */
static void arm_wake(struct front *f)
{
	bool wanted = exchange_awaits_one(f->exchange);

	if (wanted && !ev_is_active(&f->wake_timer))
		ev_timer_again(f->loop, &f->wake_timer);
	else if (!wanted && ev_is_active(&f->wake_timer))
		ev_timer_stop(f->loop, &f->wake_timer);
}

static void on_wake(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct front *f = container_of(w, struct front, wake_timer);

	(void)loop;
	(void)revents;
	exchange_wake_queued(f->exchange);
	arm_wake(f);
}

/* The same while there is no time to sleep: a turn may be long. */
static void look_after_waiting(struct front *f)
{
	if (!exchange_awaits_one(f->exchange)) {
		f->awaited_ns = 0;
	} else if (f->awaited_ns == 0) {
		f->awaited_ns = f->now_ns;
	} else if (f->now_ns - f->awaited_ns >= WAKE_NS) {
		exchange_wake_queued(f->exchange);
		f->awaited_ns = 0;
	}
}

static void update_gauges(struct front *f)
{
	struct board_bank *b = f->bank;
	unsigned waiting = queue_length(f);

	atomic_store_explicit(&b->queue, waiting, memory_order_relaxed);
	atomic_store_explicit(&b->connections, f->conns_n, memory_order_relaxed);
	atomic_store_explicit(&b->busy,
			      f->jobs_n + f->queued_n - MIN(waiting, f->jobs_n + f->queued_n),
			      memory_order_relaxed);
}

/* An idle front must not wake up four times a second. */
static void arm_tick(struct front *f)
{
	bool wanted = f->conns_n > 0 || statics_hold(f) || f->jobs_n > 0 || f->doors_paused ||
		      blame_waits(f) || f->order != ORDER_OLDEST_FIRST;

	if (wanted && !ev_is_active(&f->tick))
		ev_timer_again(f->loop, &f->tick);
	else if (!wanted && ev_is_active(&f->tick))
		ev_timer_stop(f->loop, &f->tick);
}

static bool round_of_events(struct front *f)
{
	struct epoll_event events[FRONT_EVENTS];
	int n = epoll_wait(f->epoll_fd, events, FRONT_EVENTS, 0);
	bool any = n > 0;

	look_at_clock(f);
	for (int i = 0; i < n; i++)
		dispatch(f, &events[i]);
	any |= run_ready(f);
	exchange_wake(f->exchange);
	look_after_waiting(f);
	any |= answer_drain(f);
	return any;
}

/* True: nothing is left to be done, sleep. */
static bool may_sleep(struct front *f)
{
	return !f->ready_first && !exchange_front_sleep(f->exchange);
}

static void turn(struct front *f)
{
	bool sleep = false;

	f->in_turn = true;
	for (unsigned i = 0; i < FRONT_ROUNDS && !sleep; i++)
		sleep = !round_of_events(f) && may_sleep(f);
	conns_collect(f);
	logbook_turn(&f->log);
	update_gauges(f);
	doze_note(f);
	arm_tick(f);
	arm_wake(f);
	pressure_tell(f);
	f->in_turn = false;
	if (!sleep)
		ev_idle_start(f->loop, &f->more);
	else if (ev_is_active(&f->more))
		ev_idle_stop(f->loop, &f->more);
	lifecycle_check(f);
}

static void on_epoll(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	turn(container_of(w, struct front, epoll_io));
}

static void on_more(struct ev_loop *loop, ev_idle *w, int revents)
{
	(void)loop;
	(void)revents;
	turn(container_of(w, struct front, more));
}

/* What callbacks of libev left behind (a disk job, a dead worker) is done before the loop sleeps. */
static void on_before_sleep(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct front *f = container_of(w, struct front, before_sleep);

	(void)loop;
	(void)revents;
	if (f->ready_first || f->dead_conns || f->log.turn_n > 0)
		turn(f);
}

/* First of all callbacks: a signal, a dead worker, a disk job are told with the time that it is, not that it was. */
static void on_after_sleep(struct ev_loop *loop, ev_check *w, int revents)
{
	(void)loop;
	(void)revents;
	look_at_clock(container_of(w, struct front, after_sleep));
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct front *f = container_of(w, struct front, tick);

	(void)loop;
	(void)revents;
	/* what has come already is not late: we may have stood still, and this comes before our epoll set */
	turn(f);
	doors_resume(f);
	check_timers(f);
	lifecycle_tend(f);
	retry_passes(f);
	overdue_check(f);
	standing_check(f);
	exchange_tend(f->exchange);
	statics_tend(f);
	blame_tick(f);
	turn(f);
}

void loop_kick(struct front *f)
{
	if (!f->in_turn)
		ev_idle_start(f->loop, &f->more);
}

int loop_init(struct front *f, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &f->exchange_watched};

	f->exchange_watched.kind = WATCH_EXCHANGE;
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0)
		return err_set(err, -errno, "epoll_create: %s", strerror(errno));
	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, exchange_event_fd(f->exchange), &ev) < 0)
		return err_set(err, -errno, "epoll_ctl: %s", strerror(errno));
	ev_io_init(&f->epoll_io, on_epoll, f->epoll_fd, EV_READ);
	ev_io_start(f->loop, &f->epoll_io);
	ev_init(&f->tick, on_tick);
	f->tick.repeat = TICK_S;
	ev_init(&f->wake_timer, on_wake);
	f->wake_timer.repeat = (double)WAKE_NS / NS_PER_S;
	ev_idle_init(&f->more, on_more);
	ev_prepare_init(&f->before_sleep, on_before_sleep);
	ev_prepare_start(f->loop, &f->before_sleep);
	ev_check_init(&f->after_sleep, on_after_sleep);
	ev_set_priority(&f->after_sleep, EV_MAXPRI);
	ev_check_start(f->loop, &f->after_sleep);
	look_at_clock(f);
	return 0;
}
